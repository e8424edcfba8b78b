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
//! # Errors
//! Everywhere: `ENOPROTOOPT` or `EOPNOTSUPP` for a socket of another kind, or a kernel too old; `ENOTSOCK`; `EINVAL` for a
//! value out of range.

mod ip;
mod socket;
mod tcp;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod udp;

use std::io;
use std::time::Duration;

pub use ip::IpOptions;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub use socket::PeerCredentials;
pub use socket::SocketOptions;
pub use tcp::TcpOptions;
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

/// A time in units of so many nanoseconds: rounded up, so that it is never shorter than asked for.
fn units(time: Duration, nanos: u128) -> io::Result<libc::c_int> {
    libc::c_int::try_from(time.as_nanos().div_ceil(nanos)).map_err(|_| too_large())
}

fn seconds(time: Duration) -> io::Result<libc::c_int> {
    units(time, 1_000_000_000)
}

/// A getter and a setter, in a trait over `AsFd`.
macro_rules! option {
    ($(#[$doc:meta])* $get:ident, $set:ident: $type:ty = $level:ident, $name:ident) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// As in [the module](crate::net::options#errors).
        fn $get(&self) -> io::Result<$type> {
            crate::sys::options::get(self.as_fd(), libc::$level, libc::$name).map(Int::from_int)
        }

        #[doc = concat!("Sets [`", stringify!($get), "`](Self::", stringify!($get), ").")]
        ///
        /// # Errors
        /// As in [the module](crate::net::options#errors).
        fn $set(&self, value: $type) -> io::Result<()> {
            crate::sys::options::set(self.as_fd(), libc::$level, libc::$name, Int::to_int(value)?)
        }
    };
}
use option;
