use std::io;
use std::os::fd::AsFd;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::time::Duration;

use super::{Int, option};
#[cfg(any(target_os = "linux", target_os = "android"))]
use super::{seconds, units};
#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::sys::options;

/// A time in whole units of so many nanoseconds, read and set.
#[cfg(any(target_os = "linux", target_os = "android"))]
macro_rules! time {
    ($(#[$doc:meta])* $get:ident, $set:ident: $from:expr, $to:expr, $name:ident) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// As in [the module](crate::net::options#errors).
        fn $get(&self) -> io::Result<Duration> {
            options::get(self.as_fd(), libc::IPPROTO_TCP, libc::$name).map(u32::from_int).map(u64::from).map($from)
        }

        #[doc = concat!("Sets [`", stringify!($get), "`](Self::", stringify!($get), "), rounded up to its unit.")]
        ///
        /// # Errors
        /// As in [the module](crate::net::options#errors).
        fn $set(&self, time: Duration) -> io::Result<()> {
            options::set(self.as_fd(), libc::IPPROTO_TCP, libc::$name, $to(time)?)
        }
    };
}

/// The options of TCP: tcp(7). A listener's pass to the connections that it accepts. See [the module](super) for an example.
pub trait TcpOptions: AsFd {
    option! {
        /// `TCP_NODELAY`: small writes go out at once, not gathered until the peer has acknowledged the last (Nagle).
        no_delay, set_no_delay: bool = IPPROTO_TCP, TCP_NODELAY
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    option! {
        /// `TCP_CORK`: only full segments go out, until it is off again or 200 ms have passed: for a header before a file.
        cork, set_cork: bool = IPPROTO_TCP, TCP_CORK
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    option! {
        /// `TCP_QUICKACK`: acknowledge at once. The kernel turns it on and off by itself: what is set holds for a while.
        quick_ack, set_quick_ack: bool = IPPROTO_TCP, TCP_QUICKACK
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    option! {
        /// `TCP_KEEPCNT`: after how many unanswered probes the connection is given up, 1 to 127.
        keepalive_count, set_keepalive_count: u32 = IPPROTO_TCP, TCP_KEEPCNT
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    time! {
        /// `TCP_KEEPIDLE`: how long a connection is idle before the first probe, 1 to 32,767 whole seconds; needs
        /// [`keepalive`](super::SocketOptions::keepalive).
        keepalive_idle, set_keepalive_idle: Duration::from_secs, seconds, TCP_KEEPIDLE
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    time! {
        /// `TCP_KEEPINTVL`: the time between two probes, 1 to 32,767 whole seconds.
        keepalive_interval, set_keepalive_interval: Duration::from_secs, seconds, TCP_KEEPINTVL
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    time! {
        /// `TCP_USER_TIMEOUT`: how long what was sent may stay unacknowledged before the connection ends with
        /// `ETIMEDOUT`, in whole milliseconds; zero, as at first: the kernel's own, about 15 minutes.
        user_timeout, set_user_timeout: Duration::from_millis, |time| units(time, 1_000_000), TCP_USER_TIMEOUT
    }
}

impl<T: AsFd + ?Sized> TcpOptions for T {}
