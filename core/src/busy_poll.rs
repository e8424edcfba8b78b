use std::io;
use std::time::Duration;

use crate::error;
use crate::sys::busy_poll::Params;

/// How a wait on the epoll backend looks into network devices' queues before it sleeps: `EPIOCSPARAMS`,
/// ioctl_eventpoll(2), Linux 6.9. It buys latency with CPU time, and only pays where a thread has a processor to itself.
///
/// The kernel polls the queue that the ready sockets' packets came by
/// ([`incoming_queue`](crate::net::options::SocketOptions::incoming_queue)): give the sockets of one queue a loop of their own.
/// The default is no busy polling.
///
/// ```
/// use fastsock::{Backend, BusyPoll, Poller};
/// use std::time::Duration;
/// # fn main() -> std::io::Result<()> {
/// let mut poller = Poller::with_backend(Backend::Epoll)?;
/// let busy = BusyPoll { time: Duration::from_micros(50), budget: 16, prefer: true };
/// match poller.set_busy_poll(busy) {
///     Ok(()) => assert_eq!(poller.busy_poll()?, busy),
///     Err(error) => eprintln!("{error}"), // An older kernel. Nothing depends on it.
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BusyPoll {
    /// How long a wait polls before it sleeps, in whole microseconds (rounded up), 2^31-1 at most; zero: not at all.
    pub time: Duration,
    /// How many packets one look at a queue takes in at most; 0: the kernel's own number, 8. More than 64 needs
    /// `CAP_NET_ADMIN` (`EPERM`).
    pub budget: u16,
    /// Whether the device's interrupts stay off while the set is polled (`SO_PREFER_BUSY_POLL`): for devices with
    /// `gro_flush_timeout` and `napi_defer_hard_irqs` set.
    pub prefer: bool,
}

impl BusyPoll {
    pub(crate) fn params(self) -> io::Result<Params> {
        match i32::try_from(self.time.as_nanos().div_ceil(1000)) {
            Ok(micros) => Ok(Params { micros: micros.unsigned_abs(), budget: self.budget, prefer: self.prefer }),
            Err(_) => Err(error::with(libc::EINVAL, "busy polling takes 2147483647 microseconds at most (35 minutes)")),
        }
    }

    pub(crate) fn from_params(params: Params) -> BusyPoll {
        let time = Duration::from_micros(u64::from(params.micros));
        BusyPoll { time, budget: params.budget, prefer: params.prefer }
    }

    pub(crate) fn no_backend() -> io::Error {
        error::with(libc::EOPNOTSUPP, "the poll and select backends have no busy polling: use the epoll backend")
    }

    /// The sentence for what the kernel refuses.
    pub(crate) fn explain(error: io::Error) -> io::Error {
        let sentence = match error.raw_os_error() {
            Some(libc::ENOTTY) => "busy polling of an epoll set needs Linux 6.9: leave it at the default",
            Some(libc::EOPNOTSUPP) => "this kernel was built without busy polling (CONFIG_NET_RX_BUSY_POLL)",
            Some(libc::EPERM) => "a busy poll budget above 64 needs CAP_NET_ADMIN: ask for 64 or less",
            _ => return error,
        };
        error::with(error.raw_os_error().unwrap_or(libc::EIO), sentence)
    }
}
