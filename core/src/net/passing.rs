//! What goes through a socket beside bytes of one's own: descriptors and files.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::Socket;
use crate::error;
use crate::sys::{message, options};

/// What [`Socket::recv_fds`] received.
///
/// ```
/// use fastsock::net::{Kind, ReceivedFds, Socket};
/// use std::os::fd::AsFd;
/// # fn main() -> std::io::Result<()> {
/// let (here, there) = Socket::pair(Kind::Stream)?;
/// here.send_fds(b"two", &[here.as_fd(), there.as_fd()])?;
/// let ReceivedFds { bytes, fds, fds_truncated, .. } = there.recv_fds(&mut [0; 16], 1)?;
/// assert_eq!((bytes, fds.len(), fds_truncated), (3, 1, true)); // The second has been closed.
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct ReceivedFds {
    /// How many bytes; 0 at the end of a stream, or for an empty message.
    pub bytes: usize,
    /// The descriptors, close-on-exec; dropping them closes them.
    pub fds: Vec<OwnedFd>,
    /// Whether a message was longer than the buffer, and its rest is lost.
    pub bytes_truncated: bool,
    /// Whether more descriptors were sent than the limit, or than this process may open: those are closed.
    pub fds_truncated: bool,
}

impl Socket {
    /// Sends bytes, and with the first of them copies of descriptors, over a Unix socket: `SCM_RIGHTS`, unix(7). Returns how
    /// many bytes: when it is not an error, the descriptors are on their way, and what is left of the bytes follows without.
    ///
    /// ```
    /// use fastsock::net::{Kind, Socket};
    /// use std::os::fd::AsFd;
    /// # fn main() -> std::io::Result<()> {
    /// let (here, there) = Socket::pair(Kind::Stream)?;
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// here.send_fds(b"!", &[listener.as_fd()])?;
    ///
    /// let mut received = there.recv_fds(&mut [0; 16], 1)?;
    /// let theirs = std::net::TcpListener::from(received.fds.remove(0));
    /// assert_eq!(theirs.local_addr()?, listener.local_addr()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`send`](Self::send). `EINVAL`: more than 253 descriptors; or no byte to go with them, over a stream.
    /// `EOPNOTSUPP`: no Unix socket. `ETOOMANYREFS`: too many are on their way, unreceived.
    pub fn send_fds(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
        if fds.is_empty() {
            return self.send(bytes);
        }
        if fds.len() > message::MOST_FDS {
            return Err(error::with(libc::EINVAL, "one message carries 253 descriptors at most: send several"));
        }
        // In both cases the kernel would drop the descriptors without a word.
        if self.local_addr()?.family() != libc::AF_UNIX {
            return Err(error::with(libc::EOPNOTSUPP, "only Unix sockets carry descriptors"));
        }
        if bytes.is_empty() {
            let kind: libc::c_int = options::get(self.as_fd(), libc::SOL_SOCKET, libc::SO_TYPE)?;
            if kind == libc::SOCK_STREAM {
                return Err(error::with(libc::EINVAL, "over a stream, descriptors need a byte to go with: send one"));
            }
        }
        message::send_fds(self.as_fd(), bytes, fds)
    }

    /// Receives bytes as [`recv`](Self::recv), and the descriptors that came with them, so many at most (up to 253). Over a
    /// stream it stops before bytes that came with others. Descriptors that come while [`recv`](Self::recv) is used
    /// instead are closed by the kernel.
    ///
    /// ```
    /// use fastsock::net::{Kind, Socket};
    /// use std::fs::File;
    /// use std::io::Read;
    /// use std::os::fd::AsFd;
    /// # fn main() -> std::io::Result<()> {
    /// let (here, there) = Socket::pair(Kind::Stream)?;
    /// here.send_fds(b"file", &[File::open("/proc/self/comm")?.as_fd()])?;
    /// let mut buffer = [0; 16];
    /// let mut received = there.recv_fds(&mut buffer, 1)?;
    /// assert_eq!(&buffer[..received.bytes], b"file");
    /// let mut text = String::new();
    /// File::from(received.fds.remove(0)).read_to_string(&mut text)?;
    /// assert!(text.ends_with('\n'));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As there.
    pub fn recv_fds(&self, buffer: &mut [u8], limit: usize) -> io::Result<ReceivedFds> {
        let (bytes, mut fds, flags) = message::recv_fds(self.as_fd(), buffer, limit)?;
        let excess = fds.len() > limit;
        fds.truncate(limit);
        Ok(ReceivedFds {
            bytes,
            fds,
            bytes_truncated: flags & libc::MSG_TRUNC != 0,
            fds_truncated: excess || flags & libc::MSG_CTRUNC != 0,
        })
    }

    /// Sends a part of a file, as much as the kernel takes now, without a copy through this process: sendfile(2). The file
    /// keeps its position. Returns how many bytes, by which to move the offset on: 0 at the file's end.
    ///
    /// ```
    /// use fastsock::net::{Kind, Socket};
    /// # fn main() -> std::io::Result<()> {
    /// # let path = std::env::temp_dir().join(format!("fastsock-doc-{}", std::process::id()));
    /// std::fs::write(&path, "Hello, world.")?;
    /// let file = std::fs::File::open(&path)?;
    /// # std::fs::remove_file(&path)?;
    /// let (here, there) = Socket::pair(Kind::Stream)?;
    /// assert_eq!(here.send_file(&file, 7, 5)?, 5);
    /// let mut buffer = [0; 100];
    /// let length = there.recv(&mut buffer)?;
    /// assert_eq!(&buffer[..length], b"world");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `EAGAIN`: wait until it is writable. `EPIPE`, `ECONNRESET`: the peer is gone (`SIGPIPE` is kept away). `EINVAL`: the
    /// file is something that cannot be read this way (a socket, a terminal). `EIO`: the disk.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn send_file(&self, file: impl AsFd, offset: u64, count: usize) -> io::Result<usize> {
        message::send_file(self.as_fd(), file.as_fd(), offset, count)
    }
}
