use std::io;
use std::os::fd::AsFd;

use super::Int;
use crate::error;
use crate::sys::options;

/// What this kernel or this socket has not is `EOPNOTSUPP`, whatever the kernel calls it.
fn or_unsupported<T>(result: io::Result<T>, sentence: &'static str) -> io::Result<T> {
    result.map_err(|error| match error.raw_os_error() {
        Some(libc::ENOPROTOOPT | libc::EOPNOTSUPP) => error::with(libc::EOPNOTSUPP, sentence),
        _ => error,
    })
}

const NO_GSO: &str = "UDP_SEGMENT needs a UDP socket and Linux 4.18: send the datagrams one by one";
const NO_GRO: &str = "UDP_GRO needs a UDP socket and Linux 5.0: receive the datagrams one by one";

/// The options of UDP: udp(7). See [`SendBatch`](crate::net::SendBatch) for an example.
///
/// ```
/// use fastsock::net::options::UdpOptions;
/// # fn main() -> std::io::Result<()> {
/// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
/// match socket.set_segment_size(1200) {
///     Ok(()) => assert_eq!(socket.segment_size()?, 1200),
///     Err(error) => assert_eq!(fastsock::errno(&error), libc::EOPNOTSUPP), // Before Linux 4.18.
/// }
/// # Ok(())
/// # }
/// ```
pub trait UdpOptions: AsFd {
    /// `UDP_SEGMENT`: every message that is sent is cut into datagrams of this many bytes (the last may be shorter), which
    /// costs one system call and one way through the kernel for all of them; 0, as at first: not cut. For single
    /// messages: [`SendBatch::push_segments`](crate::net::SendBatch::push_segments).
    ///
    /// ```
    /// use fastsock::net::options::UdpOptions;
    /// # fn main() -> std::io::Result<()> {
    /// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    /// if let Ok(size) = socket.segment_size() {
    ///     assert_eq!(size, 0); // Not cut, at first.
    /// }
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// assert_eq!(fastsock::errno(&listener.segment_size().unwrap_err()), libc::EOPNOTSUPP);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `EOPNOTSUPP`: no UDP socket, or a kernel older than 4.18.
    fn segment_size(&self) -> io::Result<u32> {
        or_unsupported(options::get(self.as_fd(), libc::SOL_UDP, libc::UDP_SEGMENT), NO_GSO).map(u32::from_int)
    }

    /// Sets [`segment_size`](Self::segment_size): 0 to 65,535 bytes.
    ///
    /// ```
    /// use fastsock::net::options::UdpOptions;
    /// # fn main() -> std::io::Result<()> {
    /// let (here, there) = (std::net::UdpSocket::bind("127.0.0.1:0")?, std::net::UdpSocket::bind("127.0.0.1:0")?);
    /// # if here.segment_size().is_err() { return Ok(()) }
    /// here.set_segment_size(1000)?;
    /// here.send_to(&[7; 2500], there.local_addr()?)?; // One system call, three datagrams.
    /// let mut buffer = [0; 9000];
    /// let sizes = [there.recv(&mut buffer)?, there.recv(&mut buffer)?, there.recv(&mut buffer)?];
    /// assert_eq!(sizes, [1000, 1000, 500]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As there; `EINVAL`: larger.
    fn set_segment_size(&self, bytes: u32) -> io::Result<()> {
        or_unsupported(options::set(self.as_fd(), libc::SOL_UDP, libc::UDP_SEGMENT, bytes.to_int()?), NO_GSO)
    }

    /// `UDP_GRO`: datagrams of one size from one sender may come joined, as one message of 65,535 bytes at most; receive
    /// with a [`RecvBatch`](crate::net::RecvBatch), which tells where to part them.
    ///
    /// ```
    /// use fastsock::net::options::UdpOptions;
    /// # fn main() -> std::io::Result<()> {
    /// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    /// match socket.gro() {
    ///     Ok(on) => assert!(!on), // Off, at first.
    ///     Err(error) => assert_eq!(fastsock::errno(&error), libc::EOPNOTSUPP), // Before Linux 5.0.
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `EOPNOTSUPP`: no UDP socket, or a kernel older than 5.0.
    fn gro(&self) -> io::Result<bool> {
        or_unsupported(options::get(self.as_fd(), libc::SOL_UDP, libc::UDP_GRO), NO_GRO).map(bool::from_int)
    }

    /// Sets [`gro`](Self::gro).
    ///
    /// ```
    /// use fastsock::net::options::UdpOptions;
    /// # fn main() -> std::io::Result<()> {
    /// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    /// match socket.set_gro(true) {
    ///     Ok(()) => assert!(socket.gro()?),
    ///     Err(error) => assert_eq!(fastsock::errno(&error), libc::EOPNOTSUPP), // Before Linux 5.0.
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As there.
    fn set_gro(&self, on: bool) -> io::Result<()> {
        or_unsupported(options::set(self.as_fd(), libc::SOL_UDP, libc::UDP_GRO, on.to_int()?), NO_GRO)
    }
}

impl<T: AsFd + ?Sized> UdpOptions for T {}
