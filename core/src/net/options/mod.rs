//! Socket options, as methods on everything that has a descriptor: this crate's sockets and listeners, and the standard
//! library's.
//!
//! Each is named after what it does, and its documentation gives the name in the manual, the unit and the range. Unlike
//! setsockopt(2), a number that does not fit is `EINVAL` and nothing wraps round.
//!
//! ```
//! use fastsock::net::options::{IpOptions, SocketOptions, TcpOptions};
//! use fastsock::net::{Family, Kind, Socket};
//! use std::time::Duration;
//! # fn main() -> std::io::Result<()> {
//! let socket = Socket::new(Family::V4, Kind::Stream)?;
//! socket.set_no_delay(true)?;
//! socket.set_keepalive(true)?;
//! socket.set_keepalive_idle(Duration::from_secs(60))?;
//! socket.set_linger(Some(Duration::ZERO))?; // Closing resets the connection.
//! socket.set_ttl(1)?;
//! assert!(socket.no_delay()? && socket.keepalive()?);
//!
//! let std = std::net::UdpSocket::bind("127.0.0.1:0")?;
//! std.set_recv_buffer_size(65_536)?;
//! assert_eq!(std.recv_buffer_size()?, 131_072); // The kernel doubles it, for its own bookkeeping.
//! # Ok(())
//! # }
//! ```
//!
//! | trait | options |
//! |---|---|
//! | [`SocketOptions`] | of every socket: socket(7), unix(7) |
//! | [`TcpOptions`] | tcp(7) |
//! | [`UdpOptions`] | udp(7) |
//! | [`IpOptions`] | ip(7), ipv6(7): packets and addresses |
//! | [`MulticastOptions`] | ip(7), ipv6(7): groups |
//! | [`AncillaryOptions`] | what recvmsg(2) tells beside the bytes |
//! | [`RawOptions`] | all the others, by level and name |
//!
//! Left to [`RawOptions`] is what has no plain type or is for raw sockets only: the filters of socket(7), `SO_PEERSEC` and
//! `SO_PASSSEC`, `TCP_REPAIR` and its kin, `TCP_MD5SIG`, `TCP_ULP`, `TCP_SAVE_SYN`, `IP_HDRINCL`, `IP_OPTIONS` and IPv6's
//! extension headers, UDP-Lite, and the families that this crate has no [`Family`](super::Family) for. `SO_SNDLOWAT` and
//! `TCP_THIN_DUPACK` do nothing on Linux; `SO_ERROR` is [`Socket::take_error`](super::Socket::take_error).
//!
//! # Errors
//! Everywhere: `ENOPROTOOPT` or `EOPNOTSUPP` for a socket of another kind, or a kernel too old; `ENOTSOCK`; `EINVAL` for a
//! value out of range.

#[cfg(any(target_os = "linux", target_os = "android"))]
mod ancillary;
mod ip;
mod multicast;
mod raw;
mod socket;
mod tcp;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod tcp_info;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod udp;

use std::io;
use std::time::Duration;

#[cfg(any(target_os = "linux", target_os = "android"))]
pub use ancillary::AncillaryOptions;
pub use ip::IpOptions;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub use ip::PathMtu;
pub use multicast::MulticastOptions;
pub use raw::RawOptions;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub use socket::PeerCredentials;
pub use socket::SocketOptions;
pub use tcp::TcpOptions;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub use tcp_info::{TcpInfo, TcpState};
#[cfg(any(target_os = "linux", target_os = "android"))]
pub use udp::UdpOptions;

use crate::error;

/// What is an `int` to the kernel.
trait Int: Sized {
    fn from_int(int: libc::c_int) -> Self;
    fn to_int(self) -> io::Result<libc::c_int>;
}

impl Int for bool {
    fn from_int(int: libc::c_int) -> bool {
        int != 0
    }

    fn to_int(self) -> io::Result<libc::c_int> {
        Ok(libc::c_int::from(self))
    }
}

impl Int for u32 {
    fn from_int(int: libc::c_int) -> u32 {
        u32::try_from(int).unwrap_or(0)
    }

    fn to_int(self) -> io::Result<libc::c_int> {
        libc::c_int::try_from(self).map_err(|_| too_large())
    }
}

impl Int for u8 {
    fn from_int(int: libc::c_int) -> u8 {
        u8::try_from(int).unwrap_or(0)
    }

    fn to_int(self) -> io::Result<libc::c_int> {
        Ok(libc::c_int::from(self))
    }
}

fn too_large() -> io::Error {
    error::with(libc::EINVAL, "the value is larger than the kernel's int holds")
}

/// The units of the kernel's times, in nanoseconds.
const SECONDS: u64 = 1_000_000_000;
#[cfg(any(target_os = "linux", target_os = "android"))]
const MILLISECONDS: u64 = 1_000_000;
#[cfg(any(target_os = "linux", target_os = "android"))]
const MICROSECONDS: u64 = 1_000;

/// A time in such units: rounded up, so that it is never shorter than asked for.
fn units(time: Duration, nanos: u64) -> io::Result<libc::c_int> {
    libc::c_int::try_from(time.as_nanos().div_ceil(u128::from(nanos))).map_err(|_| too_large())
}

/// The example of an option, for both of its methods: it sets a value and reads it back (or what is behind `=>`), on a
/// socket of that kind. After `else` stands the error of a process or a system that is not allowed it.
macro_rules! example {
    (@tcp) => { "let socket = Socket::new(Family::V4, Kind::Stream)?;" };
    (@udp) => { "let socket = Socket::new(Family::V4, Kind::Datagram)?;" };
    (@udp_v6) => {
        "let Ok(socket) = Socket::new(Family::V6, Kind::Datagram) else { return Ok(()) }; // No IPv6 here."
    };
    (@unix) => { "let socket = Socket::new(Family::Unix, Kind::Stream)?;" };
    ($get:ident, $set:ident; $socket:ident: $value:expr) => {
        crate::net::options::example! { $get, $set; $socket: $value => $value }
    };
    ($get:ident, $set:ident; $socket:ident: $value:expr => $read:expr) => {
        concat!(
            "```\nuse fastsock::net::options::*;\nuse fastsock::net::{Family, Kind, Socket};\n",
            "# use std::time::Duration;\n# fn main() -> std::io::Result<()> {\n",
            crate::net::options::example!(@$socket),
            concat!("\nsocket.", stringify!($set), "(", stringify!($value), ")?;\n"),
            concat!("assert_eq!(socket.", stringify!($get), "()?, ", stringify!($read), ");\n"),
            "# Ok(())\n# }\n```"
        )
    };
    ($get:ident, $set:ident; $socket:ident: $value:expr, else $errno:ident) => {
        concat!(
            "```\nuse fastsock::net::options::*;\nuse fastsock::net::{Family, Kind, Socket};\n",
            "# use std::time::Duration;\n# fn main() -> std::io::Result<()> {\n",
            crate::net::options::example!(@$socket),
            concat!("\nmatch socket.", stringify!($set), "(", stringify!($value), ") {\n"),
            concat!("    Ok(()) => assert_eq!(socket.", stringify!($get), "()?, ", stringify!($value), "),\n"),
            concat!("    Err(error) => assert_eq!(fastsock::errno(&error), libc::", stringify!($errno), "),\n"),
            "}\n# Ok(())\n# }\n```"
        )
    };
}
use example;

/// A getter, and mostly a setter, in a trait over `AsFd`. The name is `libc`'s, or in brackets a number that `libc` lacks.
/// Behind it stands what [`example!`] takes.
macro_rules! option {
    ($(#[$doc:meta])* $get:ident, $set:ident: $type:ty = $level:ident, [$name:expr]; $($example:tt)+) => {
        $(#[$doc])*
        ///
        #[doc = crate::net::options::example!($get, $set; $($example)+)]
        ///
        /// # Errors
        /// As in [the module](crate::net::options#errors).
        fn $get(&self) -> io::Result<$type> {
            crate::sys::options::get(self.as_fd(), libc::$level, $name).map(Int::from_int)
        }

        #[doc = concat!("Sets [`", stringify!($get), "`](Self::", stringify!($get), ").")]
        ///
        #[doc = crate::net::options::example!($get, $set; $($example)+)]
        ///
        /// # Errors
        /// As there.
        fn $set(&self, value: $type) -> io::Result<()> {
            crate::sys::options::set(self.as_fd(), libc::$level, $name, Int::to_int(value)?)
        }
    };
    ($(#[$doc:meta])* $get:ident: $type:ty = $level:ident, $name:ident) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// As in [the module](crate::net::options#errors).
        fn $get(&self) -> io::Result<$type> {
            crate::sys::options::get(self.as_fd(), libc::$level, libc::$name).map(Int::from_int)
        }
    };
    ($(#[$doc:meta])* $get:ident, $set:ident: $type:ty = $level:ident, $name:ident; $($example:tt)+) => {
        option! { $(#[$doc])* $get, $set: $type = $level, [libc::$name]; $($example)+ }
    };
}
use option;

/// A time in whole units of so many nanoseconds, read and set; with an example as [`option!`].
#[cfg(any(target_os = "linux", target_os = "android"))]
macro_rules! time {
    ($(#[$doc:meta])* $get:ident, $set:ident = $nanos:expr, $level:ident, $name:ident; $($example:tt)+) => {
        $(#[$doc])*
        ///
        #[doc = crate::net::options::example!($get, $set; $($example)+)]
        ///
        /// # Errors
        /// As in [the module](crate::net::options#errors).
        fn $get(&self) -> io::Result<Duration> {
            let int = crate::sys::options::get(self.as_fd(), libc::$level, libc::$name)?;
            Ok(Duration::from_nanos(u64::from(u32::from_int(int)) * $nanos))
        }

        #[doc = concat!("Sets [`", stringify!($get), "`](Self::", stringify!($get), "), rounded up to its unit.")]
        ///
        #[doc = crate::net::options::example!($get, $set; $($example)+)]
        ///
        /// # Errors
        /// As there.
        fn $set(&self, time: Duration) -> io::Result<()> {
            crate::sys::options::set(self.as_fd(), libc::$level, libc::$name, units(time, $nanos)?)
        }
    };
}
#[cfg(any(target_os = "linux", target_os = "android"))]
use time;
