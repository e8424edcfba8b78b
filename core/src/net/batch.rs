use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use super::options::UdpOptions;
use super::{PeerAddress, Socket};
use crate::sys::message::{Headers, MOST_MESSAGES, Outgoing};

/// No datagram is longer, over any family (udp(7): 65,507 bytes; unix(7): `net.core.wmem_max`, mostly 208 KiB).
const LONGEST: usize = 1 << 20;

/// Room for datagrams that come several at a time: recvmmsg(2). Allocated once, used again and again. See [`SendBatch`]
/// for an example.
///
/// ```
/// use fastsock::net::{Kind, RecvBatch, Socket};
/// # fn main() -> std::io::Result<()> {
/// let (here, there) = Socket::pair(Kind::Datagram)?;
/// there.send(b"one")?;
/// there.send(b"two")?;
/// let mut batch = RecvBatch::new(64, 1500);
/// assert_eq!(here.recv_batch(&mut batch)?, 2); // One system call.
/// let texts: Vec<_> = batch.iter().map(|datagram| datagram.bytes()).collect();
/// assert_eq!(texts, [b"one", b"two"]);
/// # Ok(())
/// # }
/// ```
pub struct RecvBatch {
    bytes: Box<[u8]>,
    size: usize,
    received: usize,
    headers: Headers,
}

impl RecvBatch {
    /// Room for so many datagrams at a time (1 to 1024) of so many bytes each (1 to 2^20); other numbers are moved there. With
    /// [`gro`](UdpOptions::gro), give each 65,535.
    ///
    /// ```
    /// use fastsock::net::{Kind, RecvBatch, Socket};
    /// # fn main() -> std::io::Result<()> {
    /// let (here, there) = Socket::pair(Kind::Datagram)?;
    /// there.send(b"12345")?;
    /// there.send(b"67")?;
    /// let mut batch = RecvBatch::new(1, 4); // One at a time, of which four bytes.
    /// here.recv_batch(&mut batch)?;
    /// let datagram = batch.iter().next().unwrap();
    /// assert_eq!((datagram.bytes(), datagram.is_truncated()), (&b"1234"[..], true));
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(datagrams: usize, size: usize) -> RecvBatch {
        let (count, size) = (datagrams.clamp(1, MOST_MESSAGES), size.clamp(1, LONGEST));
        RecvBatch { bytes: vec![0; count * size].into(), size, received: 0, headers: Headers::new(count) }
    }

    /// How many datagrams came last.
    ///
    /// ```
    /// use fastsock::net::{Kind, RecvBatch, Socket};
    /// # fn main() -> std::io::Result<()> {
    /// let (here, there) = Socket::pair(Kind::Datagram)?;
    /// there.send(b"hello")?;
    /// let mut batch = RecvBatch::new(64, 1500);
    /// here.recv_batch(&mut batch)?;
    /// assert_eq!(batch.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn len(&self) -> usize {
        self.received
    }

    /// Whether none came.
    ///
    /// ```
    /// use fastsock::net::{Kind, RecvBatch, Socket};
    /// # fn main() -> std::io::Result<()> {
    /// let (here, there) = Socket::pair(Kind::Datagram)?;
    /// let mut batch = RecvBatch::new(64, 1500);
    /// there.send(b"")?;
    /// here.recv_batch(&mut batch)?;
    /// assert!(!batch.is_empty()); // A datagram without a byte is one.
    /// assert!(here.recv_batch(&mut batch).is_err() && batch.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub fn is_empty(&self) -> bool {
        self.received == 0
    }

    /// As [`Socket::recv_batch`], from a socket that someone else owns. A blocking one waits until the batch is full.
    ///
    /// ```
    /// use fastsock::net::RecvBatch;
    /// use std::net::UdpSocket;
    /// use std::os::fd::AsFd;
    /// # fn main() -> std::io::Result<()> {
    /// let (here, there) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    /// here.set_nonblocking(true)?;
    /// there.send_to(b"hello", here.local_addr()?)?;
    /// let mut batch = RecvBatch::new(64, 1500);
    /// assert_eq!(batch.recv(here.as_fd())?, 1);
    /// assert_eq!(batch.iter().next().unwrap().from().ip(), Some(there.local_addr()?));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As there.
    pub fn recv(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        self.received = 0;
        self.received = self.headers.recv(socket, &mut self.bytes, self.size)?;
        Ok(self.received)
    }

    /// The datagrams that came last, in order; empty ones too.
    ///
    /// ```
    /// use fastsock::net::{Kind, RecvBatch, Socket};
    /// # fn main() -> std::io::Result<()> {
    /// let (here, there) = Socket::pair(Kind::Datagram)?;
    /// there.send(b"one")?;
    /// there.send(b"three")?;
    /// let mut batch = RecvBatch::new(64, 1500);
    /// here.recv_batch(&mut batch)?;
    /// let lengths: Vec<_> = batch.iter().map(|datagram| datagram.bytes().len()).collect();
    /// assert_eq!(lengths, [3, 5]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = Datagram<'_>> {
        let rooms = self.bytes.chunks_exact(self.size).take(self.received);
        rooms.enumerate().map(|(n, room)| {
            let (len, is_truncated, from) = self.headers.received(n);
            let bytes = &room[..len.min(room.len())];
            Datagram { bytes, from: PeerAddress::new(from), is_truncated, segment: self.headers.segment(n) }
        })
    }
}

impl fmt::Debug for RecvBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// A datagram of a [`RecvBatch`].
///
/// ```
/// use fastsock::net::{Datagram, Kind, RecvBatch, Socket};
/// # fn main() -> std::io::Result<()> {
/// let (here, there) = Socket::pair(Kind::Datagram)?;
/// there.send(b"hello")?;
/// let mut batch = RecvBatch::new(64, 1500);
/// here.recv_batch(&mut batch)?;
/// let datagram: Datagram<'_> = batch.iter().next().unwrap();
/// assert_eq!(datagram.bytes(), b"hello");
/// assert_eq!(datagram.from().family(), libc::AF_UNSPEC); // From a Unix socket without a name.
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'b> {
    bytes: &'b [u8],
    from: PeerAddress,
    is_truncated: bool,
    segment: Option<usize>,
}

impl<'b> Datagram<'b> {
    /// What is in it. With [`gro`](UdpOptions::gro) it may be several, joined: then ask for
    /// [`segments`](Self::segments).
    ///
    /// ```
    /// use fastsock::net::{Kind, RecvBatch, Socket};
    /// # fn main() -> std::io::Result<()> {
    /// let (here, there) = Socket::pair(Kind::Datagram)?;
    /// there.send(b"ping")?;
    /// let mut batch = RecvBatch::new(64, 1500);
    /// here.recv_batch(&mut batch)?;
    /// for datagram in batch.iter() {
    ///     assert_eq!(datagram.bytes(), b"ping");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn bytes(&self) -> &'b [u8] {
        self.bytes
    }

    /// Who sent it; empty (`AF_UNSPEC`) for a Unix socket without a name.
    ///
    /// ```
    /// use fastsock::net::{Family, Kind, RecvBatch, Socket};
    /// # fn main() -> std::io::Result<()> {
    /// let (here, there) = (Socket::new(Family::V4, Kind::Datagram)?, Socket::new(Family::V4, Kind::Datagram)?);
    /// here.bind(std::net::SocketAddr::from(([127, 0, 0, 1], 0)))?;
    /// there.send_to(b"ping", here.local_addr()?)?;
    /// let mut batch = RecvBatch::new(64, 1500);
    /// here.recv_batch(&mut batch)?;
    /// for datagram in batch.iter() {
    ///     here.send_to(b"pong", datagram.from())?;
    /// }
    /// let mut answer = [0; 9];
    /// assert_eq!(there.recv(&mut answer)?, 4);
    /// # Ok(())
    /// # }
    /// ```
    pub fn from(&self) -> PeerAddress {
        self.from
    }

    /// Whether it was longer than its room, and the rest is lost.
    ///
    /// ```
    /// use fastsock::net::{Kind, RecvBatch, Socket};
    /// # fn main() -> std::io::Result<()> {
    /// let (here, there) = Socket::pair(Kind::Datagram)?;
    /// there.send(&[0; 100])?;
    /// there.send(&[0; 101])?;
    /// let mut batch = RecvBatch::new(64, 100);
    /// here.recv_batch(&mut batch)?;
    /// let cut: Vec<_> = batch.iter().map(|datagram| datagram.is_truncated()).collect();
    /// assert_eq!(cut, [false, true]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn is_truncated(&self) -> bool {
        self.is_truncated
    }

    /// The datagrams as they were sent: one, which may be empty, unless the kernel has joined several.
    ///
    /// ```
    /// use fastsock::net::options::UdpOptions;
    /// use fastsock::net::{Family, Kind, RecvBatch, SendBatch, Socket};
    /// # fn main() -> std::io::Result<()> {
    /// let (here, there) = (Socket::new(Family::V4, Kind::Datagram)?, Socket::new(Family::V4, Kind::Datagram)?);
    /// here.bind(std::net::SocketAddr::from(([127, 0, 0, 1], 0)))?;
    /// # if here.set_gro(true).is_err() || there.segment_size().is_err() { return Ok(()) }
    /// here.set_gro(true)?;
    /// let mut outgoing = SendBatch::new(1, 2500);
    /// assert!(outgoing.push_segments(&[7; 2500], 1000, Some(here.local_addr()?)));
    /// there.send_batch(&mut outgoing)?;
    /// let mut batch = RecvBatch::new(8, 65_535);
    /// here.recv_batch(&mut batch)?;
    /// let sizes: Vec<_> = batch.iter().flat_map(|datagram| datagram.segments()).map(<[u8]>::len).collect();
    /// assert_eq!(sizes, [1000, 1000, 500]); // Joined on the way or not.
    /// # Ok(())
    /// # }
    /// ```
    pub fn segments(&self) -> impl Iterator<Item = &'b [u8]> + use<'b> {
        let bytes = self.bytes;
        let size = self.segment.unwrap_or(bytes.len()).max(1);
        bytes.chunks(size).chain(bytes.is_empty().then_some(bytes))
    }
}

/// Datagrams that are sent several at a time: sendmmsg(2). Allocated once, used again and again.
///
/// ```
/// use fastsock::net::options::UdpOptions;
/// use fastsock::net::{Family, Kind, RecvBatch, SendBatch, Socket};
/// # fn main() -> std::io::Result<()> {
/// let (here, there) = (Socket::new(Family::V4, Kind::Datagram)?, Socket::new(Family::V4, Kind::Datagram)?);
/// there.bind(std::net::SocketAddr::from(([127, 0, 0, 1], 0)))?;
/// let to = there.local_addr()?;
///
/// let mut outgoing = SendBatch::new(64, 64 * 1500);
/// assert!(outgoing.push(b"one", Some(to)) && outgoing.push(b"two", Some(to)));
/// while !outgoing.is_empty() {
///     here.send_batch(&mut outgoing)?; // On `WouldBlock`: go on when it is writable.
/// }
///
/// let mut incoming = RecvBatch::new(64, 1500);
/// there.recv_batch(&mut incoming)?;
/// let texts: Vec<_> = incoming.iter().map(|datagram| datagram.bytes()).collect();
/// assert_eq!(texts, [b"one", b"two"]);
///
/// // One message, cut by the kernel, and joined again if the receiver asks for it:
/// if there.set_gro(true).is_ok() && here.segment_size().is_ok() {
///     assert!(outgoing.push_segments(&[7; 2500], 1000, Some(to)));
///     here.send_batch(&mut outgoing)?;
///     let mut incoming = RecvBatch::new(8, 65_535);
///     there.recv_batch(&mut incoming)?;
///     let sizes: Vec<_> = incoming.iter().flat_map(|datagram| datagram.segments()).map(<[u8]>::len).collect();
///     assert_eq!(sizes, [1000, 1000, 500]);
/// }
/// # Ok(())
/// # }
/// ```
pub struct SendBatch {
    bytes: Vec<u8>,
    room: usize,
    most: usize,
    outgoing: Vec<Outgoing>,
    sent: usize,
    headers: Headers,
}

impl SendBatch {
    /// Room for so many datagrams (1 to 1024) that have so many bytes in all (up to 2^30); other numbers are moved there.
    ///
    /// ```
    /// use fastsock::net::SendBatch;
    /// let mut batch = SendBatch::new(2, 100);
    /// assert!(batch.push(&[0; 60], None));
    /// assert!(!batch.push(&[0; 41], None)); // Beyond 100 bytes.
    /// assert!(batch.push(&[0; 40], None));
    /// assert!(!batch.push(b"", None)); // Beyond two datagrams.
    /// ```
    pub fn new(datagrams: usize, bytes: usize) -> SendBatch {
        let (most, bytes) = (datagrams.clamp(1, MOST_MESSAGES), bytes.min(MOST_MESSAGES * LONGEST));
        SendBatch {
            bytes: Vec::with_capacity(bytes),
            room: bytes,
            most,
            outgoing: Vec::with_capacity(most),
            sent: 0,
            headers: Headers::new(most),
        }
    }

    /// Copies a datagram in, for this address, or for the one that the socket is connected to. `false`: there is no room,
    /// so send first; room comes back when all have been sent. (In an empty batch, it is larger than the batch.)
    ///
    /// ```
    /// use fastsock::net::{Kind, SendBatch, Socket};
    /// # fn main() -> std::io::Result<()> {
    /// let (here, there) = Socket::pair(Kind::Datagram)?;
    /// let mut batch = SendBatch::new(64, 64 * 1500);
    /// assert!(batch.push(b"one", None) && batch.push(b"two", None)); // `here` is connected.
    /// assert_eq!(here.send_batch(&mut batch)?, 2);
    /// assert_eq!(there.recv(&mut [0; 9])?, 3);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use = "false: there was no room"]
    pub fn push(&mut self, bytes: &[u8], to: Option<PeerAddress>) -> bool {
        self.push_segments(bytes, 0, to)
    }

    /// As [`push`](Self::push), to be cut by the kernel into datagrams of this many bytes (the last may be shorter, and 0
    /// leaves it whole): `UDP_SEGMENT`, udp(7). At most 64 of them and 65,507 bytes in all, for UDP over IPv4.
    ///
    /// ```
    /// use fastsock::net::options::UdpOptions;
    /// use fastsock::net::{Family, Kind, SendBatch, Socket};
    /// # fn main() -> std::io::Result<()> {
    /// let (here, there) = (Socket::new(Family::V4, Kind::Datagram)?, Socket::new(Family::V4, Kind::Datagram)?);
    /// there.bind(std::net::SocketAddr::from(([127, 0, 0, 1], 0)))?;
    /// # if here.segment_size().is_err() { return Ok(()) }
    /// let mut batch = SendBatch::new(1, 2500);
    /// assert!(batch.push_segments(&[7; 2500], 1000, Some(there.local_addr()?)));
    /// here.send_batch(&mut batch)?;
    /// let mut buffer = [0; 9000];
    /// let sizes = [there.recv(&mut buffer)?, there.recv(&mut buffer)?, there.recv(&mut buffer)?];
    /// assert_eq!(sizes, [1000, 1000, 500]);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use = "false: there was no room"]
    pub fn push_segments(&mut self, bytes: &[u8], segment_size: u16, to: Option<PeerAddress>) -> bool {
        let start = self.bytes.len();
        if self.outgoing.len() == self.most || bytes.len() > self.room - start {
            return false;
        }
        self.bytes.extend_from_slice(bytes);
        let to = to.map(|to| *to.raw());
        self.outgoing.push(Outgoing { start, len: bytes.len(), to, segment: segment_size });
        true
    }

    /// How many are still to be sent; one to be cut counts as one.
    ///
    /// ```
    /// use fastsock::net::{Kind, SendBatch, Socket};
    /// # fn main() -> std::io::Result<()> {
    /// let (here, _there) = Socket::pair(Kind::Datagram)?;
    /// let mut batch = SendBatch::new(64, 64 * 1500);
    /// assert!(batch.push(b"one", None) && batch.push(b"two", None));
    /// assert_eq!(batch.len(), 2);
    /// here.send_batch(&mut batch)?;
    /// assert_eq!(batch.len(), 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn len(&self) -> usize {
        self.outgoing.len() - self.sent
    }

    /// Whether all have been sent.
    ///
    /// ```
    /// use fastsock::net::{Kind, SendBatch, Socket};
    /// # fn main() -> std::io::Result<()> {
    /// let (here, _there) = Socket::pair(Kind::Datagram)?;
    /// let mut batch = SendBatch::new(64, 64 * 1500);
    /// assert!(batch.push(b"hello", None));
    /// while !batch.is_empty() {
    ///     here.send_batch(&mut batch)?; // On `WouldBlock`: go on when it is writable.
    /// }
    /// assert_eq!(here.send_batch(&mut batch)?, 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Gives up the first that is still to be sent: it is the one that an error of
    /// [`send_batch`](Socket::send_batch) is about.
    ///
    /// ```
    /// use fastsock::net::{Kind, SendBatch, Socket};
    /// # fn main() -> std::io::Result<()> {
    /// let (here, there) = Socket::pair(Kind::Datagram)?;
    /// let mut batch = SendBatch::new(2, 2 << 20);
    /// assert!(batch.push(&vec![0; 1 << 20], None) && batch.push(b"small", None));
    /// let error = here.send_batch(&mut batch).unwrap_err();
    /// assert_eq!(fastsock::errno(&error), libc::EMSGSIZE);
    /// batch.skip();
    /// here.send_batch(&mut batch)?;
    /// assert_eq!(there.recv(&mut [0; 100])?, 5);
    /// # Ok(())
    /// # }
    /// ```
    pub fn skip(&mut self) {
        self.advance(self.len().min(1));
    }

    /// Gives up all that are still to be sent.
    ///
    /// ```
    /// use fastsock::net::SendBatch;
    /// let mut batch = SendBatch::new(2, 100);
    /// assert!(batch.push(b"out of date", None));
    /// batch.clear();
    /// assert!(batch.is_empty() && batch.push(&[0; 100], None)); // All its room is there again.
    /// ```
    pub fn clear(&mut self) {
        self.advance(self.len());
    }

    /// As [`Socket::send_batch`], through a socket that someone else owns. A blocking one waits until all are sent.
    ///
    /// ```
    /// use fastsock::net::SendBatch;
    /// use std::net::UdpSocket;
    /// use std::os::fd::AsFd;
    /// # fn main() -> std::io::Result<()> {
    /// let (here, there) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    /// let mut batch = SendBatch::new(64, 64 * 1500);
    /// assert!(batch.push(b"hello", Some(there.local_addr()?.into())));
    /// assert_eq!(batch.send(here.as_fd())?, 1);
    /// assert_eq!(there.recv_from(&mut [0; 9])?, (5, here.local_addr()?));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As there.
    pub fn send(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        let outgoing = &self.outgoing[self.sent..];
        if outgoing.is_empty() {
            return Ok(0);
        }
        if outgoing.iter().any(|out| out.segment > 0) {
            // Where this is unknown, control data is passed over, and the whole would go out as one datagram.
            socket.segment_size()?;
        }
        let sent = self.headers.send(socket, &self.bytes, outgoing)?;
        self.advance(sent);
        Ok(sent)
    }

    fn advance(&mut self, count: usize) {
        self.sent += count;
        if self.is_empty() {
            self.bytes.clear();
            self.outgoing.clear();
            self.sent = 0;
        }
    }
}

impl fmt::Debug for SendBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendBatch").field("len", &self.len()).field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

impl Socket {
    /// Receives the datagrams that are there, as many as the batch has room for, in one system call: recvmmsg(2).
    /// Returns how many, at least one; what the batch held before is gone.
    ///
    /// ```
    /// use fastsock::net::{Kind, RecvBatch, Socket};
    /// # fn main() -> std::io::Result<()> {
    /// let (here, there) = Socket::pair(Kind::Datagram)?;
    /// let mut batch = RecvBatch::new(64, 1500);
    /// let error = here.recv_batch(&mut batch).unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    /// there.send(b"hello")?;
    /// assert_eq!(here.recv_batch(&mut batch)?, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`recv`](Socket::recv): `EAGAIN` when there is none. An error after the first datagram is told by the next call.
    pub fn recv_batch(&self, batch: &mut RecvBatch) -> io::Result<usize> {
        batch.recv(self.as_fd())
    }

    /// Sends what the kernel takes now, in one system call: sendmmsg(2). Returns how many datagrams left the batch,
    /// which keeps the others for the next call; 0 for an empty batch.
    ///
    /// ```
    /// use fastsock::net::{Kind, SendBatch, Socket};
    /// # fn main() -> std::io::Result<()> {
    /// let (here, there) = Socket::pair(Kind::Datagram)?;
    /// let mut batch = SendBatch::new(1024, 1024);
    /// while batch.push(b"x", None) {}
    /// while !batch.is_empty() && here.send_batch(&mut batch).is_ok() {} // Until the peer's queue is full.
    /// let left = batch.len();
    /// assert!(left > 0 && left < 1024);
    /// there.recv(&mut [0; 9])?;
    /// assert_eq!(here.send_batch(&mut batch)?, 1); // It goes on where it stopped.
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`send_to`](Socket::send_to), about the first datagram that is still to be sent: `EAGAIN`, wait until it is writable;
    /// else call again (`ECONNREFUSED` is news of an earlier one) or [`skip`](SendBatch::skip) it (`EMSGSIZE`).
    /// `EOPNOTSUPP`: segments, on a socket or a kernel that cannot cut them.
    pub fn send_batch(&self, batch: &mut SendBatch) -> io::Result<usize> {
        batch.send(self.as_fd())
    }
}
