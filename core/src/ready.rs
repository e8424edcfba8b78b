use std::fmt;
use std::ops::BitOr;

/// What a descriptor is ready for: six separate bits, as the kernel reported them.
///
/// | bit | poll(2) name | meaning |
/// |---|---|---|
/// | `READ` | POLLIN | bytes, a datagram or a connection wait |
/// | `PRI` | POLLPRI | urgent data waits |
/// | `WRITE` | POLLOUT | a send would take at least something |
/// | `ERR` | POLLERR | an error waits in `SO_ERROR`; or the read end of a pipe is gone |
/// | `HUP` | POLLHUP | both directions are closed; on a pipe: the writer is gone (without `READ` when it is empty) |
/// | `RDHUP` | POLLRDHUP | the peer will send nothing more; what it sent may still wait: read it first |
///
/// `ERR` and `HUP` come whether asked for or not; `RDHUP` comes with `READABLE` interest. The select backend knows
/// only `READ`, `WRITE` and `PRI`, and reports the others as the first two.
///
/// ```
/// use fastsock::{Interest, Poller, Ready, Trigger};
/// use std::os::fd::AsFd;
/// # fn main() -> std::io::Result<()> {
/// let (here, there) = std::os::unix::net::UnixStream::pair()?;
/// drop(there);
/// let mut poller = Poller::new()?;
/// poller.add(here.as_fd(), Interest::READABLE, Trigger::Level)?;
/// let mut events = Vec::new();
/// poller.wait(&mut events, None)?;
/// let ready = events[0].ready();
/// assert!(ready.contains(Ready::READ) && ready.is_readable()); // A read gives the end.
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(transparent)]
pub struct Ready(u32);

impl Ready {
    /// Nothing.
    pub const NONE: Ready = Ready(0);
    /// POLLIN.
    pub const READ: Ready = Ready(0x001);
    /// POLLPRI.
    pub const PRI: Ready = Ready(0x002);
    /// POLLOUT.
    pub const WRITE: Ready = Ready(0x004);
    /// POLLERR.
    pub const ERR: Ready = Ready(0x008);
    /// POLLHUP.
    pub const HUP: Ready = Ready(0x010);
    /// POLLRDHUP.
    pub const RDHUP: Ready = Ready(0x2000);

    const ALL: u32 = 0x201f;

    /// The bits, which are those of Linux's epoll.
    ///
    /// ```
    /// use fastsock::Ready;
    /// assert_eq!((Ready::READ | Ready::WRITE).bits(), 5); // EPOLLIN | EPOLLOUT
    /// assert_eq!(Ready::NONE.bits(), 0);
    /// ```
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Keeps the six known bits and drops the others.
    ///
    /// ```
    /// use fastsock::Ready;
    /// assert_eq!(Ready::from_bits(0x011), Ready::READ | Ready::HUP);
    /// assert_eq!(Ready::from_bits(1 << 31), Ready::NONE);
    /// ```
    pub const fn from_bits(bits: u32) -> Ready {
        Ready(bits & Ready::ALL)
    }

    /// Whether every bit of `other` is set.
    ///
    /// ```
    /// use fastsock::Ready;
    /// let ready = Ready::READ | Ready::RDHUP;
    /// assert!(ready.contains(Ready::RDHUP));
    /// assert!(!ready.contains(Ready::READ | Ready::WRITE));
    /// ```
    pub const fn contains(self, other: Ready) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether no bit is set.
    ///
    /// ```
    /// use fastsock::Ready;
    /// assert!(Ready::default().is_none());
    /// assert!(!Ready::ERR.is_none());
    /// ```
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// A read would not block: it gives bytes, the end, or the error. (`READ`, `RDHUP`, `HUP` or `ERR`.)
    ///
    /// ```
    /// use fastsock::Ready;
    /// assert!(Ready::READ.is_readable() && Ready::HUP.is_readable());
    /// assert!(!Ready::WRITE.is_readable() && !Ready::PRI.is_readable());
    /// ```
    pub const fn is_readable(self) -> bool {
        self.0 & (Ready::READ.0 | Ready::RDHUP.0 | Ready::HUP.0 | Ready::ERR.0) != 0
    }

    /// A write would not block: it takes bytes, or gives the error. (`WRITE`, `HUP` or `ERR`.)
    ///
    /// ```
    /// use fastsock::Ready;
    /// assert!(Ready::WRITE.is_writable() && Ready::ERR.is_writable());
    /// assert!(!Ready::RDHUP.is_writable()); // What the peer will not send says nothing of what it reads.
    /// ```
    pub const fn is_writable(self) -> bool {
        self.0 & (Ready::WRITE.0 | Ready::HUP.0 | Ready::ERR.0) != 0
    }

    /// `PRI`.
    ///
    /// ```
    /// use fastsock::{Interest, Poller, Trigger};
    /// use std::os::fd::{AsFd, AsRawFd};
    /// # fn main() -> std::io::Result<()> {
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let client = std::net::TcpStream::connect(listener.local_addr()?)?;
    /// let (stream, _) = listener.accept()?;
    /// let mut poller = Poller::new()?;
    /// poller.add(stream.as_fd(), Interest::PRIORITY, Trigger::Level)?;
    /// // SAFETY: one byte is there to be read.
    /// assert_eq!(unsafe { libc::send(client.as_raw_fd(), c"!".as_ptr().cast(), 1, libc::MSG_OOB) }, 1);
    /// let mut events = Vec::new();
    /// poller.wait(&mut events, None)?;
    /// assert!(events[0].ready().is_priority());
    /// # Ok(())
    /// # }
    /// ```
    pub const fn is_priority(self) -> bool {
        self.0 & Ready::PRI.0 != 0
    }

    /// `ERR`.
    ///
    /// ```
    /// use fastsock::Ready;
    /// assert!((Ready::ERR | Ready::HUP).is_error());
    /// assert!(!Ready::HUP.is_error());
    /// ```
    pub const fn is_error(self) -> bool {
        self.0 & Ready::ERR.0 != 0
    }

    /// `HUP`.
    ///
    /// ```
    /// use fastsock::Ready;
    /// assert!((Ready::READ | Ready::HUP).is_hangup());
    /// assert!(!Ready::RDHUP.is_hangup()); // One direction alone.
    /// ```
    pub const fn is_hangup(self) -> bool {
        self.0 & Ready::HUP.0 != 0
    }

    /// `RDHUP`.
    ///
    /// ```
    /// use fastsock::Ready;
    /// assert!((Ready::READ | Ready::RDHUP).is_read_hangup());
    /// assert!(!Ready::HUP.is_read_hangup());
    /// ```
    pub const fn is_read_hangup(self) -> bool {
        self.0 & Ready::RDHUP.0 != 0
    }
}

impl BitOr for Ready {
    type Output = Ready;
    fn bitor(self, other: Ready) -> Ready {
        Ready(self.0 | other.0)
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = [(1, "READ"), (2, "PRI"), (4, "WRITE"), (8, "ERR"), (0x10, "HUP"), (0x2000, "RDHUP")];
        names(f, &all, self.0)
    }
}

/// `A|B`, or `NONE`.
pub(crate) fn names(f: &mut fmt::Formatter<'_>, all: &[(u32, &str)], bits: u32) -> fmt::Result {
    let mut first = true;
    for (_, name) in all.iter().filter(|(bit, _)| bits & bit != 0) {
        if !first {
            f.write_str("|")?;
        }
        f.write_str(name)?;
        first = false;
    }
    if first { f.write_str("NONE") } else { Ok(()) }
}
