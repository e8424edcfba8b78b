use std::io;
use std::os::fd::AsFd;

use crate::sys::options;

/// Options that have no method of their own, by the level and the name of getsockopt(2): numbers from `libc`, or from the
/// kernel's headers. Nothing is checked but what the kernel checks.
///
/// ```
/// use fastsock::net::options::RawOptions;
/// # fn main() -> std::io::Result<()> {
/// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
/// # #[cfg(target_os = "linux")] {
/// socket.set_option(libc::SOL_SOCKET, libc::SO_RXQ_OVFL, 1)?;
/// assert_eq!(socket.option(libc::SOL_SOCKET, libc::SO_RXQ_OVFL)?, 1);
/// let cookie = socket.option_bytes(libc::SOL_SOCKET, libc::SO_COOKIE, 8)?;
/// assert_eq!(cookie.len(), 8);
/// # }
/// # Ok(())
/// # }
/// ```
pub trait RawOptions: AsFd {
    /// An option whose value is an `int`.
    ///
    /// ```
    /// use fastsock::net::options::RawOptions;
    /// # fn main() -> std::io::Result<()> {
    /// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    /// assert_eq!(socket.option(libc::SOL_SOCKET, libc::SO_TYPE)?, libc::SOCK_DGRAM);
    /// let error = socket.option(libc::SOL_SOCKET, 9999).unwrap_err();
    /// assert_eq!(fastsock::errno(&error), libc::ENOPROTOOPT);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As in [the module](super#errors).
    fn option(&self, level: i32, name: i32) -> io::Result<i32> {
        options::get(self.as_fd(), level, name)
    }

    /// Sets an option whose value is an `int`.
    ///
    /// ```
    /// use fastsock::net::options::{IpOptions, RawOptions};
    /// # fn main() -> std::io::Result<()> {
    /// let socket = fastsock::net::Socket::from_fd(std::net::UdpSocket::bind("127.0.0.1:0")?)?;
    /// socket.set_option(libc::IPPROTO_IP, libc::IP_TTL, 7)?;
    /// assert_eq!(socket.ttl()?, 7);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As in [the module](super#errors).
    fn set_option(&self, level: i32, name: i32, value: i32) -> io::Result<()> {
        options::set(self.as_fd(), level, name, value)
    }

    /// An option's value of `most` bytes at most, as many as the kernel gave. Where the kernel reads a request from there as
    /// well, it finds zeroes.
    ///
    /// ```
    /// use fastsock::net::options::RawOptions;
    /// # fn main() -> std::io::Result<()> {
    /// let socket = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # #[cfg(target_os = "linux")] {
    /// let cookie = socket.option_bytes(libc::SOL_SOCKET, libc::SO_COOKIE, 64)?;
    /// assert_eq!(cookie.len(), 8); // As many bytes as the kernel gave.
    /// # }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As in [the module](super#errors); mostly `EINVAL` when the value is longer.
    fn option_bytes(&self, level: i32, name: i32, most: usize) -> io::Result<Vec<u8>> {
        // The kernel knows no longer one.
        let mut value = vec![0; most.min(1 << 20)];
        let len = options::get_bytes(self.as_fd(), level, name, &mut value)?.len();
        value.truncate(len);
        Ok(value)
    }

    /// Sets an option to these bytes: a C struct, in the layout of this machine, or a name.
    ///
    /// ```
    /// use fastsock::net::options::{RawOptions, SocketOptions};
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// # let socket = fastsock::net::Socket::from_fd(std::net::UdpSocket::bind("127.0.0.1:0")?)?;
    /// let (on, seconds) = (1_i32.to_ne_bytes(), 5_i32.to_ne_bytes()); // The members of `struct linger`.
    /// // SAFETY: two integers, and no address.
    /// unsafe { socket.set_option_bytes(libc::SOL_SOCKET, libc::SO_LINGER, &[on, seconds].concat())? };
    /// assert_eq!(socket.linger()?, Some(Duration::from_secs(5)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Safety
    /// An address among the bytes is that of memory which the option may use as its manual says. The kernel writes to such
    /// memory for some options (`XDP_UMEM_REG` hands it over for good).
    ///
    /// # Errors
    /// As in [the module](super#errors).
    unsafe fn set_option_bytes(&self, level: i32, name: i32, value: &[u8]) -> io::Result<()> {
        options::set_bytes(self.as_fd(), level, name, value)
    }
}

impl<T: AsFd + ?Sized> RawOptions for T {}
