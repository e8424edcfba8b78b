use std::io::{self, IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use super::PeerAddress;
use crate::error;
use crate::sys::{message, options, socket};

/// The family of a socket's addresses.
///
/// ```
/// use fastsock::net::{Family, Kind, Socket};
/// # fn main() -> std::io::Result<()> {
/// for (family, number) in [(Family::V4, libc::AF_INET), (Family::Unix, libc::AF_UNIX)] {
///     let socket = Socket::new(family, Kind::Datagram)?;
///     assert_eq!(socket.local_addr()?.family(), number);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Family {
    /// `AF_INET`, ip(7).
    V4,
    /// `AF_INET6`, ipv6(7).
    V6,
    /// `AF_UNIX`, unix(7).
    Unix,
}

impl Family {
    pub(crate) fn number(self) -> libc::c_int {
        match self {
            Family::V4 => libc::AF_INET,
            Family::V6 => libc::AF_INET6,
            Family::Unix => libc::AF_UNIX,
        }
    }
}

/// What a socket carries.
///
/// ```
/// use fastsock::net::{Kind, Socket};
/// # fn main() -> std::io::Result<()> {
/// for (kind, received) in [(Kind::Stream, 6), (Kind::Datagram, 3), (Kind::SeqPacket, 3)] {
///     let (a, b) = Socket::pair(kind)?;
///     a.send(b"one")?;
///     a.send(b"two")?;
///     assert_eq!(b.recv(&mut [0; 100])?, received); // All the bytes, or one message.
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Bytes in order, without boundaries: `SOCK_STREAM`; TCP, or a Unix stream.
    #[default]
    Stream,
    /// Messages, each by itself: `SOCK_DGRAM`; UDP, or Unix datagrams.
    Datagram,
    /// Messages in order over a connection: `SOCK_SEQPACKET`; Unix only (over IP: `ESOCKTNOSUPPORT`).
    SeqPacket,
}

impl Kind {
    pub(crate) fn number(self) -> libc::c_int {
        match self {
            Kind::Stream => libc::SOCK_STREAM,
            Kind::Datagram => libc::SOCK_DGRAM,
            Kind::SeqPacket => libc::SOCK_SEQPACKET,
        }
    }
}

/// How far a connection has come.
///
/// ```
/// use fastsock::net::{Connect, Family, Kind, Listener, Socket};
/// use fastsock::{Interest, Poller, Trigger};
/// use std::os::fd::AsFd;
/// # fn main() -> std::io::Result<()> {
/// let listener = Listener::bind("127.0.0.1:0".parse().unwrap())?;
/// let socket = Socket::new(Family::V4, Kind::Stream)?;
/// if socket.connect(listener.local_addr()?)? == Connect::InProgress {
///     let mut poller = Poller::new()?;
///     poller.add(socket.as_fd(), Interest::WRITABLE, Trigger::Level)?;
///     poller.wait(&mut Vec::new(), None)?;
///     assert_eq!(socket.finish_connect()?, Connect::Done);
/// }
/// assert_eq!(socket.peer_addr()?.ip(), listener.local_addr()?.ip());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a connection in progress is not one yet"]
pub enum Connect {
    /// Connected.
    Done,
    /// Not yet: when the socket is writable, ask [`Socket::finish_connect`] what came of it.
    InProgress,
}

/// A non-blocking, close-on-exec socket of any [`Family`] and [`Kind`].
///
/// What cannot be done at once is `EAGAIN` ([`WouldBlock`](io::ErrorKind::WouldBlock)): wait for the socket on a
/// [`Reactor`](crate::Reactor) or a [`Poller`](crate::Poller). A write to a peer that is gone is `EPIPE`, never
/// `SIGPIPE`. Options are in [`options`](super::options).
///
/// Connecting takes two steps, for "writable" alone does not mean "connected":
///
/// ```
/// use fastsock::net::{Connect, Family, Kind, Listener, Socket};
/// use fastsock::{Interest, Reactor, Trigger};
/// # fn main() -> std::io::Result<()> {
/// # let listener = Listener::bind("127.0.0.1:0".parse().unwrap())?;
/// # let address = listener.local_addr()?;
/// let socket = Socket::new(Family::V4, Kind::Stream)?;
/// let mut reactor = Reactor::<bool>::new()?;
/// let mut connected = socket.connect(address)? == Connect::Done;
/// // After `connect`: a fresh TCP socket counts as hung up.
/// reactor.add(socket, Interest::WRITABLE, Trigger::Level, |reactor, connected, socket, event| {
///     match socket.finish_connect() {
///         Ok(Connect::Done) => *connected = true,
///         Ok(Connect::InProgress) => return,
///         Err(error) => eprintln!("{error}"), // Refused, unreachable, timed out.
///     }
///     reactor.remove(event.token());
/// })?;
/// reactor.run(&mut connected)?;
/// assert!(connected);
/// # Ok(())
/// # }
/// ```
///
/// To give up sooner than the kernel (which takes about two minutes), start a timer with the connection, and remove the
/// socket when it comes: that closes it.
#[derive(Debug)]
pub struct Socket {
    pub(super) fd: OwnedFd,
}

impl Socket {
    /// A socket without an address: socket(2).
    ///
    /// ```
    /// use fastsock::net::{Family, Kind, Socket};
    /// # fn main() -> std::io::Result<()> {
    /// let socket = Socket::new(Family::Unix, Kind::SeqPacket)?;
    /// assert_eq!(socket.recv(&mut [0; 9]).unwrap_err().raw_os_error(), Some(libc::ENOTCONN));
    /// let error = Socket::new(Family::V4, Kind::SeqPacket).unwrap_err();
    /// assert_eq!(fastsock::errno(&error), libc::ESOCKTNOSUPPORT);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `ESOCKTNOSUPPORT`: [`Kind::SeqPacket`] over IP. `EAFNOSUPPORT`: the machine has no IPv6. `EMFILE`, `ENFILE`.
    pub fn new(family: Family, kind: Kind) -> io::Result<Socket> {
        socket::socket(family.number(), kind.number()).map(|fd| Socket { fd })
    }

    /// A socket of the family that the address is of.
    ///
    /// ```
    /// use fastsock::net::{Kind, PeerAddress, Socket};
    /// # fn main() -> std::io::Result<()> {
    /// let address = PeerAddress::try_from(std::path::Path::new("\0an abstract name, of doc tests"))?;
    /// let socket = Socket::for_address(address, Kind::Datagram)?;
    /// socket.bind(address)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`new`](Self::new); `EAFNOSUPPORT` for an address without a family.
    pub fn for_address(address: impl Into<PeerAddress>, kind: Kind) -> io::Result<Socket> {
        socket::socket(address.into().family(), kind.number()).map(|fd| Socket { fd })
    }

    /// Two connected Unix sockets: socketpair(2).
    ///
    /// ```
    /// use fastsock::net::{Kind, Socket};
    /// # fn main() -> std::io::Result<()> {
    /// let (a, b) = Socket::pair(Kind::SeqPacket)?;
    /// a.send(b"one")?;
    /// a.send(b"two")?;
    /// assert_eq!(b.recv(&mut [0; 100])?, 3); // One message at a time.
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE`.
    pub fn pair(kind: Kind) -> io::Result<(Socket, Socket)> {
        socket::pair(kind.number()).map(|(a, b)| (Socket { fd: a }, Socket { fd: b }))
    }

    /// Takes over a socket made elsewhere (a `TcpStream`, a `UdpSocket`, an `OwnedFd`), and makes it non-blocking: for
    /// every descriptor that shares it, too.
    ///
    /// ```
    /// use fastsock::net::Socket;
    /// # fn main() -> std::io::Result<()> {
    /// let (a, _b) = std::os::unix::net::UnixStream::pair()?;
    /// let socket = Socket::from_fd(a)?;
    /// let error = socket.recv(&mut [0; 9]).unwrap_err(); // It would have blocked for ever.
    /// assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of fcntl(2).
    pub fn from_fd(fd: impl Into<OwnedFd>) -> io::Result<Socket> {
        let fd = fd.into();
        socket::set_nonblocking(fd.as_raw_fd(), true)?;
        Ok(Socket { fd })
    }

    /// Gives the socket its address: bind(2). Port 0 is the kernel's choice, which [`local_addr`](Self::local_addr)
    /// tells.
    ///
    /// ```
    /// use fastsock::net::{Family, Kind, Socket};
    /// use std::net::SocketAddr;
    /// # fn main() -> std::io::Result<()> {
    /// let socket = Socket::new(Family::V4, Kind::Datagram)?;
    /// socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    /// assert_ne!(socket.local_addr()?.ip().unwrap().port(), 0);
    /// let error = socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap_err(); // It has an address.
    /// assert_eq!(fastsock::errno(&error), libc::EINVAL);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `EADDRINUSE`, `EADDRNOTAVAIL`, `EACCES` (a port below 1024), `EINVAL` (it has one, or one of another family).
    pub fn bind(&self, address: impl Into<PeerAddress>) -> io::Result<()> {
        socket::bind(self.fd.as_raw_fd(), address.into().raw())
    }

    /// Connects, or begins to: connect(2). For datagrams it sets whom [`send`](Self::send) sends to and whom alone
    /// [`recv`](Self::recv) hears, which is done at once.
    ///
    /// ```
    /// use fastsock::net::{Connect, Family, Kind, Socket};
    /// # fn main() -> std::io::Result<()> {
    /// let (here, there) = (Socket::new(Family::V4, Kind::Datagram)?, Socket::new(Family::V4, Kind::Datagram)?);
    /// there.bind(std::net::SocketAddr::from(([127, 0, 0, 1], 0)))?;
    /// assert_eq!(here.connect(there.local_addr()?)?, Connect::Done); // Datagrams: at once.
    /// here.send(b"hello")?; // To no one else.
    /// assert_eq!(there.recv(&mut [0; 9])?, 5);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `ECONNREFUSED`, `ENETUNREACH`, `EISCONN`, `EALREADY` (one is in progress), `ENOENT` (a Unix path), and more in
    /// connect(2). `EAGAIN` for a Unix listener whose queue is full: no event tells when that has passed, so try again
    /// on a timer.
    pub fn connect(&self, address: impl Into<PeerAddress>) -> io::Result<Connect> {
        let Err(error) = socket::connect(self.fd.as_raw_fd(), address.into().raw()) else {
            return Ok(Connect::Done);
        };
        match error.raw_os_error() {
            // An interrupted connection goes on by itself.
            Some(libc::EINPROGRESS | libc::EINTR) => Ok(Connect::InProgress),
            Some(libc::EAGAIN) => Err(error::with(
                libc::EAGAIN,
                "the queue of that Unix listener is full (or no local port is free): try again later, on a timer",
            )),
            _ => Err(error),
        }
    }

    /// What came of a connection that was in progress. Ask when the socket is writable; asking sooner does no harm.
    ///
    /// ```
    /// use fastsock::net::{Connect, Family, Kind, Listener, Socket};
    /// # fn main() -> std::io::Result<()> {
    /// # let listener = Listener::bind("127.0.0.1:0".parse().unwrap())?;
    /// # let address = listener.local_addr()?;
    /// let socket = Socket::new(Family::V4, Kind::Stream)?;
    /// assert_eq!(fastsock::errno(&socket.finish_connect().unwrap_err()), libc::ENOTCONN); // Not begun.
    /// let _ = socket.connect(address)?;
    /// while socket.finish_connect()? == Connect::InProgress {} // A loop waits until it is writable.
    /// assert_eq!(socket.peer_addr()?.ip(), address.ip());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Why it failed, which is told once (`SO_ERROR`, socket(7)): `ECONNREFUSED`, `ETIMEDOUT`, `EHOSTUNREACH`…
    /// `ENOTCONN`: no connection has begun, or its error has been told.
    pub fn finish_connect(&self) -> io::Result<Connect> {
        if let Some(connect) = self.is_connected()? {
            return Ok(connect);
        }
        if !socket::is_settled(self.fd.as_raw_fd())? {
            return Ok(Connect::InProgress);
        }
        // It was settled either before the first look, or between the two.
        match self.is_connected()? {
            Some(connect) => Ok(connect),
            None => Err(error::with(libc::ENOTCONN, "no connection has begun on this socket, or it has failed before")),
        }
    }

    fn is_connected(&self) -> io::Result<Option<Connect>> {
        if let Some(error) = self.take_error()? {
            return Err(error);
        }
        match socket::peer_address(self.fd.as_raw_fd()) {
            Ok(_) => Ok(Some(Connect::Done)),
            Err(error) if error.raw_os_error() == Some(libc::ENOTCONN) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes the error that waits on the socket, if there is one: `SO_ERROR`, socket(7). Taking it clears it.
    ///
    /// ```
    /// use fastsock::net::{Family, Kind, Socket};
    /// # fn main() -> std::io::Result<()> {
    /// let socket = Socket::new(Family::V4, Kind::Datagram)?;
    /// # let gone = Socket::new(Family::V4, Kind::Datagram)?;
    /// # gone.bind(std::net::SocketAddr::from(([127, 0, 0, 1], 0)))?;
    /// # let nobody_there = gone.local_addr()?;
    /// # drop(gone);
    /// let _ = socket.connect(nobody_there)?;
    /// socket.send(b"hello?")?; // The answer is an ICMP error, which over loopback has come already.
    /// let error = socket.take_error()?.unwrap();
    /// assert_eq!(error.raw_os_error(), Some(libc::ECONNREFUSED));
    /// assert!(socket.take_error()?.is_none()); // Told once.
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of getsockopt(2), which are about the asking.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        match options::get(self.fd.as_fd(), libc::SOL_SOCKET, libc::SO_ERROR)? {
            0 => Ok(None),
            errno => Ok(Some(io::Error::from_raw_os_error(errno))),
        }
    }

    /// The socket's own address: getsockname(2).
    ///
    /// ```
    /// use fastsock::net::{Family, Kind, Socket};
    /// # fn main() -> std::io::Result<()> {
    /// let socket = Socket::new(Family::V4, Kind::Datagram)?;
    /// assert!(socket.local_addr()?.ip().unwrap().ip().is_unspecified());
    /// socket.bind(std::net::SocketAddr::from(([127, 0, 0, 1], 0)))?;
    /// assert!(socket.local_addr()?.ip().unwrap().ip().is_loopback());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of getsockname(2).
    pub fn local_addr(&self) -> io::Result<PeerAddress> {
        socket::local_address(self.fd.as_raw_fd()).map(PeerAddress::new)
    }

    /// The address that it is connected to: getpeername(2).
    ///
    /// ```
    /// use fastsock::net::Socket;
    /// # fn main() -> std::io::Result<()> {
    /// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # let address = listener.local_addr()?;
    /// let socket = Socket::from_fd(std::net::TcpStream::connect(address)?)?;
    /// assert_eq!(socket.peer_addr()?.ip(), Some(address));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `ENOTCONN`.
    pub fn peer_addr(&self) -> io::Result<PeerAddress> {
        socket::peer_address(self.fd.as_raw_fd()).map(PeerAddress::new)
    }

    /// Sends what the kernel takes now: some of the bytes, or the whole of a message. Returns how many bytes.
    ///
    /// ```
    /// use fastsock::net::{Kind, Socket};
    /// # fn main() -> std::io::Result<()> {
    /// let (a, b) = Socket::pair(Kind::Stream)?;
    /// assert_eq!(a.send(b"hello")?, 5);
    /// drop(b);
    /// assert_eq!(fastsock::errno(&a.send(b"?").unwrap_err()), libc::EPIPE); // An error, and no signal.
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `EAGAIN`, `EPIPE`, `ECONNRESET`, `ENOTCONN`, `EDESTADDRREQ`; `EMSGSIZE` (a message too large); see send(2).
    pub fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        message::send(self.fd.as_fd(), bytes)
    }

    /// Receives what is there, at most the buffer's length; what is left of a message is lost. Returns how many bytes: 0 at
    /// the end of a stream, or for an empty message. An empty buffer takes nothing from a stream (0 or `EAGAIN`, whatever
    /// waits there), and a whole message from the others.
    ///
    /// ```
    /// use fastsock::net::{Kind, Socket};
    /// # fn main() -> std::io::Result<()> {
    /// let (a, b) = Socket::pair(Kind::Stream)?;
    /// a.send(b"hello")?;
    /// drop(a);
    /// let mut buffer = [0; 100];
    /// assert_eq!(b.recv(&mut buffer)?, 5);
    /// assert_eq!(&buffer[..5], b"hello");
    /// assert_eq!(b.recv(&mut buffer)?, 0); // The end.
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `EAGAIN`, `ECONNRESET`, `ENOTCONN`; `ECONNREFUSED` (an earlier datagram found no one); see recv(2).
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        message::recv(self.fd.as_fd(), buffer, 0)
    }

    /// As [`recv`](Self::recv), and leaves it there: `MSG_PEEK`.
    ///
    /// ```
    /// use fastsock::net::{Kind, Socket};
    /// # fn main() -> std::io::Result<()> {
    /// let (a, b) = Socket::pair(Kind::Stream)?;
    /// a.send(b"\x16\x03")?; // What a TLS client begins with.
    /// let mut first = [0; 1];
    /// assert_eq!((b.peek(&mut first)?, first), (1, [0x16]));
    /// assert_eq!(b.recv(&mut [0; 9])?, 2); // It is there still.
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As there.
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        message::recv(self.fd.as_fd(), buffer, libc::MSG_PEEK)
    }

    /// Sends a datagram to an address: sendto(2).
    ///
    /// ```
    /// use fastsock::net::{Family, Kind, Socket};
    /// # fn main() -> std::io::Result<()> {
    /// let (a, b) = (Socket::new(Family::V4, Kind::Datagram)?, Socket::new(Family::V4, Kind::Datagram)?);
    /// b.bind(std::net::SocketAddr::from(([127, 0, 0, 1], 0)))?;
    /// a.send_to(b"hello", b.local_addr()?)?;
    /// let mut buffer = [0; 100];
    /// let (length, from) = b.recv_from(&mut buffer)?;
    /// assert_eq!(&buffer[..length], b"hello");
    /// assert_eq!(from.ip().unwrap().port(), a.local_addr()?.ip().unwrap().port());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`send`](Self::send); `EISCONN` for a connected Unix socket; `ECONNREFUSED`, `ENOENT` (no Unix socket there).
    pub fn send_to(&self, bytes: &[u8], to: impl Into<PeerAddress>) -> io::Result<usize> {
        message::send_to(self.fd.as_fd(), bytes, to.into().raw())
    }

    /// As [`recv`](Self::recv), and says who sent it; the address of a stream, or of a Unix socket without a name, is empty.
    ///
    /// ```
    /// use fastsock::net::{Family, Kind, Socket};
    /// # fn main() -> std::io::Result<()> {
    /// let (a, b) = (Socket::new(Family::V4, Kind::Datagram)?, Socket::new(Family::V4, Kind::Datagram)?);
    /// a.bind(std::net::SocketAddr::from(([127, 0, 0, 1], 0)))?;
    /// b.send_to(b"ping", a.local_addr()?)?;
    /// let (length, from) = a.recv_from(&mut [0; 100])?;
    /// a.send_to(b"pong", from)?;
    /// assert_eq!((length, b.recv(&mut [0; 100])?), (4, 4));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As there.
    pub fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, PeerAddress)> {
        message::recv_from(self.fd.as_fd(), buffer).map(|(n, from)| (n, PeerAddress::new(from)))
    }

    /// As [`send`](Self::send), from several buffers as if they were one (1024 at most: the rest is not sent).
    ///
    /// ```
    /// use fastsock::net::{Kind, Socket};
    /// use std::io::IoSlice;
    /// # fn main() -> std::io::Result<()> {
    /// let (a, b) = Socket::pair(Kind::Datagram)?;
    /// let (header, body) = ([1, 4], b"body");
    /// assert_eq!(a.send_vectored(&[IoSlice::new(&header), IoSlice::new(body)])?, 6);
    /// let mut message = [0; 100];
    /// assert_eq!(b.recv(&mut message)?, 6); // One message.
    /// assert_eq!(&message[..6], b"\x01\x04body");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As there.
    pub fn send_vectored(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        message::send_vectored(self.fd.as_fd(), buffers)
    }

    /// As [`recv`](Self::recv), into several buffers as if they were one (1024 at most are filled).
    ///
    /// ```
    /// use fastsock::net::{Kind, Socket};
    /// use std::io::IoSliceMut;
    /// # fn main() -> std::io::Result<()> {
    /// let (a, b) = Socket::pair(Kind::Datagram)?;
    /// a.send(b"\x01\x04body")?;
    /// let (mut header, mut body) = ([0; 2], [0; 100]);
    /// let length = b.recv_vectored(&mut [IoSliceMut::new(&mut header), IoSliceMut::new(&mut body)])?;
    /// assert_eq!((header, &body[..length - 2]), ([1, 4], &b"body"[..]));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As there.
    pub fn recv_vectored(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        message::recv_vectored(self.fd.as_fd(), buffers)
    }

    /// Ends one direction or both: shutdown(2). The peer reads to the end of what was sent.
    ///
    /// ```
    /// use fastsock::net::{Kind, Socket};
    /// use std::net::Shutdown;
    /// # fn main() -> std::io::Result<()> {
    /// let (a, b) = Socket::pair(Kind::Stream)?;
    /// a.send(b"the last")?;
    /// a.shutdown(Shutdown::Write)?;
    /// assert_eq!(b.recv(&mut [0; 100])?, 8);
    /// assert_eq!(b.recv(&mut [0; 100])?, 0); // The end.
    /// b.send(b"an answer")?; // The other direction is open still.
    /// assert_eq!(a.recv(&mut [0; 100])?, 9);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `ENOTCONN`.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        let how = match how {
            Shutdown::Read => libc::SHUT_RD,
            Shutdown::Write => libc::SHUT_WR,
            Shutdown::Both => libc::SHUT_RDWR,
        };
        socket::shutdown(self.fd.as_raw_fd(), how)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
