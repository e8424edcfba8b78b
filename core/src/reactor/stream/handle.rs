use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use super::super::Reactor;
use super::state::{Flags, State};
use crate::net::{PeerAddress, Socket};
use crate::stream::StreamOptions;
use crate::{Time, Token};

/// A stream of a reactor's, for as long as it is borrowed: from [`Reactor::stream`].
///
/// Everything here is legal in its own callback, in any other, and between turns; nothing here calls back.
///
/// ```
/// use fastsock::net::{Kind, Socket};
/// use fastsock::stream::{Stream, StreamOptions};
/// use fastsock::Reactor;
/// # fn main() -> std::io::Result<()> {
/// let (here, there) = Socket::pair(Kind::Stream)?;
/// let mut reactor = Reactor::<()>::new()?;
/// let token = reactor.add_stream(here, &StreamOptions::new(), |_, _, _, _| Ok(()))?;
/// let mut stream: Stream<'_, '_, ()> = reactor.stream(token)?;
/// stream.write(b"bye")?;
/// stream.close(); // When that has been sent.
/// there.shutdown(std::net::Shutdown::Write)?; // The peer closes, too.
/// reactor.run(&mut ())?;
/// assert!(!reactor.contains(token) && there.recv(&mut [0; 9])? == 3);
/// # Ok(())
/// # }
/// ```
pub struct Stream<'r, 'fd, C> {
    pub(super) reactor: &'r mut Reactor<'fd, C>,
    pub(super) token: Token,
}

impl<'fd, C> Stream<'_, 'fd, C> {
    /// The token.
    ///
    /// ```
    /// use fastsock::net::{Kind, Socket};
    /// use fastsock::{Reactor, stream::StreamOptions};
    /// # fn main() -> std::io::Result<()> {
    /// # let (here, _there) = Socket::pair(Kind::Stream)?;
    /// let mut reactor = Reactor::<()>::new()?;
    /// let token = reactor.add_stream(here, &StreamOptions::new(), |_, _, _, _| Ok(()))?;
    /// assert_eq!(reactor.stream(token)?.token(), token);
    /// # Ok(())
    /// # }
    /// ```
    pub fn token(&self) -> Token {
        self.token
    }

    /// Sends bytes, behind what was written before: when the callback that is running returns, or another stream is
    /// written to, or the next wait begins. What the kernel does not take is queued. An error of the connection's comes by
    /// [`Closed`](crate::stream::StreamEvent::Closed).
    ///
    /// ```
    /// use fastsock::net::{Kind, Socket};
    /// use fastsock::{Reactor, stream::StreamOptions};
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// # let (here, there) = Socket::pair(Kind::Stream)?;
    /// let mut reactor = Reactor::<()>::new()?;
    /// let token = reactor.add_stream(here, &StreamOptions::new(), |_, _, _, _| Ok(()))?;
    /// let mut stream = reactor.stream(token)?;
    /// stream.write(b"one, ")?;
    /// stream.write(b"two")?;
    /// assert!(there.recv(&mut [0; 9]).is_err()); // Gathered, until the next wait.
    /// reactor.turn(&mut (), Some(Duration::ZERO))?;
    /// let mut buffer = [0; 9];
    /// assert_eq!(there.recv(&mut buffer)?, 8);
    /// assert_eq!(&buffer[..8], b"one, two");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `EPIPE`: this side was shut down or closed. Or the error that the connection has failed with.
    #[inline]
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.reactor.write_stream(self.token, bytes)
    }

    /// Sends a part of a file, behind what was written before, without a copy through this process (sendfile(2), Linux). The file
    /// must keep that much until it is sent: one that is cut shorter meanwhile ends the connection with `EIO`. Its
    /// position stays. Reading it may block, for as long as the disk takes.
    ///
    /// ```
    /// use fastsock::net::{Kind, Socket};
    /// use fastsock::{Reactor, stream::StreamOptions};
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// # let path = std::env::temp_dir().join(format!("fastsock-doc-write-file-{}", std::process::id()));
    /// # let (here, there) = Socket::pair(Kind::Stream)?;
    /// std::fs::write(&path, "<p>Hello</p>")?;
    /// let mut reactor = Reactor::<()>::new()?;
    /// let token = reactor.add_stream(here, &StreamOptions::new(), |_, _, _, _| Ok(()))?;
    /// let mut stream = reactor.stream(token)?;
    /// stream.write(b"length: 5\n\n")?;
    /// stream.write_file(std::fs::File::open(&path)?, 3, 5)?;
    /// reactor.turn(&mut (), Some(Duration::ZERO))?;
    /// # std::fs::remove_file(&path)?;
    /// let mut buffer = [0; 99];
    /// assert_eq!(there.recv(&mut buffer)?, 16);
    /// assert_eq!(&buffer[..16], b"length: 5\n\nHello");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_file(&mut self, file: impl Into<OwnedFd>, offset: u64, count: u64) -> io::Result<()> {
        self.reactor.write_file_to(self.token, file.into(), offset, count)
    }

    /// Sends now what was written, as much as the kernel takes.
    ///
    /// ```
    /// use fastsock::net::{Kind, Socket};
    /// use fastsock::{Reactor, stream::StreamOptions};
    /// # fn main() -> std::io::Result<()> {
    /// # let (here, there) = Socket::pair(Kind::Stream)?;
    /// let mut reactor = Reactor::<()>::new()?;
    /// let token = reactor.add_stream(here, &StreamOptions::new(), |_, _, _, _| Ok(()))?;
    /// let mut stream = reactor.stream(token)?;
    /// stream.write(b"now")?;
    /// stream.flush();
    /// assert_eq!(there.recv(&mut [0; 9])?, 3); // Without a wait.
    /// # Ok(())
    /// # }
    /// ```
    pub fn flush(&mut self) {
        self.reactor.flush_cork_of(self.token);
        if self.state().is_some_and(|state| state.flags.take(Flags::UNTRIED)) {
            self.reactor.streams.send_queued(self.token);
            self.reactor.note(self.token);
        }
    }

    /// How many bytes were written and not yet taken by the kernel.
    ///
    /// ```
    /// use fastsock::net::{Kind, Socket};
    /// use fastsock::{Reactor, stream::StreamOptions};
    /// # fn main() -> std::io::Result<()> {
    /// # let (here, _there) = Socket::pair(Kind::Stream)?;
    /// let mut reactor = Reactor::<()>::new()?;
    /// let token = reactor.add_stream(here, &StreamOptions::new(), |_, _, _, _| Ok(()))?;
    /// let mut stream = reactor.stream(token)?;
    /// stream.write(&[0; 8 << 20])?; // The peer reads nothing.
    /// stream.flush();
    /// assert!(stream.queued() > 0 && stream.queued() < 8 << 20);
    /// # Ok(())
    /// # }
    /// ```
    pub fn queued(&mut self) -> u64 {
        self.reactor.streams.queued(self.token)
    }

    /// Whether so much was written that the writer should wait for
    /// [`Writable`](crate::stream::StreamEvent::Writable). Until then the stream is not read.
    ///
    /// ```
    /// use fastsock::net::{Kind, Socket};
    /// use fastsock::{Reactor, stream::StreamOptions};
    /// # fn main() -> std::io::Result<()> {
    /// # let (here, _there) = Socket::pair(Kind::Stream)?;
    /// let mut reactor = Reactor::<()>::new()?;
    /// let options = StreamOptions::new().water_marks(1000, 8000);
    /// let token = reactor.add_stream(here, &options, |_, _, _, _| Ok(()))?;
    /// let mut stream = reactor.stream(token)?;
    /// let mut written = 0;
    /// while !stream.is_full() {
    ///     stream.write(&[0; 1000])?;
    ///     written += 1000;
    /// }
    /// assert_eq!(written, 8000);
    /// # Ok(())
    /// # }
    /// ```
    pub fn is_full(&mut self) -> bool {
        self.state().is_some_and(|state| state.flags.has(Flags::FULL))
    }

    /// Reads no more until [`resume`](Self::resume): what the peer sends waits in the kernel, and then at the peer. Its
    /// end is not noticed either.
    ///
    /// ```
    /// use fastsock::net::{Kind, Socket};
    /// use fastsock::{Reactor, stream::StreamEvent, stream::StreamOptions};
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// # let (here, there) = Socket::pair(Kind::Stream)?;
    /// let mut reactor = Reactor::<usize>::new()?;
    /// let token = reactor.add_stream(here, &StreamOptions::new(), |_, received, _, event| {
    ///     if let StreamEvent::Data(bytes) = event {
    ///         *received += bytes.len();
    ///     }
    ///     Ok(())
    /// })?;
    /// reactor.stream(token)?.pause();
    /// there.send(b"hello")?;
    /// let mut received = 0;
    /// reactor.turn(&mut received, Some(Duration::ZERO))?;
    /// reactor.turn(&mut received, Some(Duration::from_millis(1)))?;
    /// assert_eq!(received, 0); // It waits in the kernel.
    /// # Ok(())
    /// # }
    /// ```
    pub fn pause(&mut self) {
        self.change(|state| state.flags.set(Flags::PAUSED));
    }

    /// Reads again. The time-outs for reading and for idling begin anew.
    ///
    /// ```
    /// use fastsock::net::{Kind, Socket};
    /// use fastsock::{Reactor, stream::StreamEvent, stream::StreamOptions};
    /// # fn main() -> std::io::Result<()> {
    /// # let (here, there) = Socket::pair(Kind::Stream)?;
    /// let mut reactor = Reactor::<usize>::new()?;
    /// let token = reactor.add_stream(here, &StreamOptions::new(), |reactor, received, _, event| {
    ///     if let StreamEvent::Data(bytes) = event {
    ///         *received += bytes.len();
    ///         reactor.stop();
    ///     }
    ///     Ok(())
    /// })?;
    /// reactor.stream(token)?.pause();
    /// there.send(b"hello")?;
    /// reactor.stream(token)?.resume();
    /// let mut received = 0;
    /// reactor.run(&mut received)?;
    /// assert_eq!(received, 5);
    /// # Ok(())
    /// # }
    /// ```
    pub fn resume(&mut self) {
        self.change(|state| {
            if state.flags.take(Flags::PAUSED) && !state.flags.has(Flags::CONNECTING) {
                state.last_read = Time::now();
            }
        });
    }

    /// Whether it is [paused](Self::pause).
    ///
    /// ```
    /// use fastsock::net::{Kind, Socket};
    /// use fastsock::{Reactor, stream::StreamOptions};
    /// # fn main() -> std::io::Result<()> {
    /// # let (here, _there) = Socket::pair(Kind::Stream)?;
    /// let mut reactor = Reactor::<()>::new()?;
    /// let token = reactor.add_stream(here, &StreamOptions::new(), |_, _, _, _| Ok(()))?;
    /// let mut stream = reactor.stream(token)?;
    /// assert!(!stream.is_paused());
    /// stream.pause();
    /// assert!(stream.is_paused());
    /// # Ok(())
    /// # }
    /// ```
    pub fn is_paused(&mut self) -> bool {
        self.state().is_some_and(|state| state.flags.has(Flags::PAUSED))
    }

    /// Tells the peer that nothing more comes, when what is queued has been sent; what it sends is still read.
    ///
    /// ```
    /// use fastsock::net::{Kind, Socket};
    /// use fastsock::{Reactor, stream::StreamOptions};
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// # let (here, there) = Socket::pair(Kind::Stream)?;
    /// let mut reactor = Reactor::<()>::new()?;
    /// let token = reactor.add_stream(here, &StreamOptions::new(), |_, _, _, _| Ok(()))?;
    /// let mut stream = reactor.stream(token)?;
    /// stream.write(b"all I have")?;
    /// stream.shutdown();
    /// assert_eq!(fastsock::errno(&stream.write(b"more").unwrap_err()), libc::EPIPE);
    /// reactor.turn(&mut (), Some(Duration::ZERO))?;
    /// assert_eq!((there.recv(&mut [0; 99])?, there.recv(&mut [0; 99])?), (10, 0)); // And the end.
    /// assert!(reactor.contains(token)); // It reads on.
    /// # Ok(())
    /// # }
    /// ```
    pub fn shutdown(&mut self) {
        self.change(|state| state.flags.set(Flags::SHUTTING));
    }

    /// Closes the stream when what is queued has been sent; see [The end](crate::stream#the-end). Nothing is told after
    /// this but [`Closed`](crate::stream::StreamEvent::Closed). Done twice, it does nothing.
    ///
    /// ```
    /// use fastsock::net::{Kind, Socket};
    /// use fastsock::{Reactor, stream::StreamEvent, stream::StreamOptions};
    /// # fn main() -> std::io::Result<()> {
    /// # let (here, there) = Socket::pair(Kind::Stream)?;
    /// let mut reactor = Reactor::<bool>::new()?;
    /// let token = reactor.add_stream(here, &StreamOptions::new(), |_, closed, _, event| {
    ///     if let StreamEvent::Closed(how) = event {
    ///         *closed = how.is_ok();
    ///     }
    ///     Ok(())
    /// })?;
    /// let mut stream = reactor.stream(token)?;
    /// stream.write(b"bye")?;
    /// stream.close();
    /// there.shutdown(std::net::Shutdown::Write)?; // The peer closes, too.
    /// let mut closed = false;
    /// reactor.run(&mut closed)?;
    /// assert!(closed && there.recv(&mut [0; 9])? == 3);
    /// # Ok(())
    /// # }
    /// ```
    pub fn close(&mut self) {
        self.change(State::close);
    }

    /// In the callback of [`End`](crate::stream::StreamEvent::End), [`TimedOut`](crate::stream::StreamEvent::TimedOut) or
    /// [`Stopping`](crate::stream::StreamEvent::Stopping): the stream stays open, until it is [closed](Self::close).
    ///
    /// ```
    /// use fastsock::net::{Kind, Socket};
    /// use fastsock::{Reactor, stream::StreamEvent, stream::StreamOptions};
    /// # fn main() -> std::io::Result<()> {
    /// # let (here, there) = Socket::pair(Kind::Stream)?;
    /// let mut reactor = Reactor::<()>::new()?;
    /// let token = reactor.add_stream(here, &StreamOptions::new(), |reactor, _, token, event| {
    ///     if let StreamEvent::End = event {
    ///         reactor.stream(token)?.keep(); // The answer is still to come.
    ///         reactor.stop();
    ///     }
    ///     Ok(())
    /// })?;
    /// there.shutdown(std::net::Shutdown::Write)?;
    /// reactor.run(&mut ())?;
    /// reactor.stream(token)?.write(b"the answer")?;
    /// reactor.stream(token)?.close();
    /// reactor.run(&mut ())?;
    /// assert_eq!(there.recv(&mut [0; 99])?, 10);
    /// # Ok(())
    /// # }
    /// ```
    pub fn keep(&mut self) {
        self.change(|state| {
            state.flags.take(Flags::DOOMED);
        });
    }

    /// The socket: for its options. Reading and writing it is the stream's affair. (Time stamps of what was sent come by its
    /// error queue, which nobody reads here: leave `SO_TIMESTAMPING` alone.)
    ///
    /// ```
    /// use fastsock::net::options::SocketOptions;
    /// use fastsock::net::{Kind, Socket};
    /// use fastsock::{Reactor, stream::StreamOptions};
    /// # fn main() -> std::io::Result<()> {
    /// # let (here, _there) = Socket::pair(Kind::Stream)?;
    /// let mut reactor = Reactor::<()>::new()?;
    /// let token = reactor.add_stream(here, &StreamOptions::new(), |_, _, _, _| Ok(()))?;
    /// let peer = reactor.stream(token)?.socket().peer_credentials()?;
    /// assert_eq!(peer.unwrap().pid.unsigned_abs(), std::process::id());
    /// # Ok(())
    /// # }
    /// ```
    pub fn socket(&mut self) -> &Socket {
        match self.reactor.streams.slots[self.token.slot() as usize].as_deref() {
            Some(state) => &state.socket,
            None => unreachable!("a stream that is borrowed is there"),
        }
    }

    /// The peer's address: getpeername(2).
    ///
    /// ```
    /// use fastsock::{Reactor, net::Socket, stream::StreamOptions};
    /// # fn main() -> std::io::Result<()> {
    /// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # let address = listener.local_addr()?;
    /// let mut reactor = Reactor::<()>::new()?;
    /// let socket = Socket::from_fd(std::net::TcpStream::connect(address)?)?;
    /// let token = reactor.add_stream(socket, &StreamOptions::new(), |_, _, _, _| Ok(()))?;
    /// assert_eq!(reactor.stream(token)?.peer_addr()?.ip(), Some(address));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `ENOTCONN`: not yet connected, or the peer is gone.
    pub fn peer_addr(&mut self) -> io::Result<PeerAddress> {
        self.socket().peer_addr()
    }

    /// The stream's own address: getsockname(2).
    ///
    /// ```
    /// use fastsock::{Reactor, net::Socket, stream::StreamOptions};
    /// # fn main() -> std::io::Result<()> {
    /// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let client = std::net::TcpStream::connect(listener.local_addr()?)?;
    /// let address = client.local_addr()?;
    /// let mut reactor = Reactor::<()>::new()?;
    /// let token = reactor.add_stream(Socket::from_fd(client)?, &StreamOptions::new(), |_, _, _, _| Ok(()))?;
    /// assert_eq!(reactor.stream(token)?.local_addr()?.ip(), Some(address));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of getsockname(2).
    pub fn local_addr(&mut self) -> io::Result<PeerAddress> {
        self.socket().local_addr()
    }

    /// Other marks and time-outs. Those that are running are counted from when they would have been.
    ///
    /// ```
    /// use fastsock::net::{Kind, Socket};
    /// use fastsock::{Reactor, stream::StreamEvent, stream::StreamOptions};
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// # let (here, _there) = Socket::pair(Kind::Stream)?;
    /// let mut reactor = Reactor::<u32>::new()?;
    /// let token = reactor.add_stream(here, &StreamOptions::new(), |_, timeouts, _, event| {
    ///     *timeouts += u32::from(matches!(event, StreamEvent::TimedOut(_)));
    ///     Ok(())
    /// })?;
    /// let impatient = StreamOptions::new().idle_timeout(Duration::from_millis(1));
    /// reactor.stream(token)?.set_options(&impatient);
    /// let mut timeouts = 0;
    /// reactor.run(&mut timeouts)?; // Until it has timed out, and was closed.
    /// assert_eq!(timeouts, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_options(&mut self, options: &StreamOptions) {
        let options = Rc::new(options.clone());
        self.change(|state| {
            if !state.keeps_time() && !state.flags.has(Flags::CONNECTING) {
                state.refresh();
            }
            state.options = options;
            if state.queued() >= state.options.high as u64 {
                state.flags.set(Flags::FULL);
            }
            state.armed = Time::NEVER;
        });
    }

    /// The server that accepted it; `None` for another stream.
    ///
    /// ```
    /// use fastsock::net::{Kind, Socket};
    /// use fastsock::{Reactor, stream::StreamOptions};
    /// # fn main() -> std::io::Result<()> {
    /// # let (here, _there) = Socket::pair(Kind::Stream)?;
    /// let mut reactor = Reactor::<()>::new()?;
    /// let token = reactor.add_stream(here, &StreamOptions::new(), |_, _, _, _| Ok(()))?;
    /// assert_eq!(reactor.stream(token)?.server(), None); // Nobody has accepted it.
    /// # Ok(())
    /// # }
    /// ```
    pub fn server(&mut self) -> Option<Token> {
        self.state().and_then(|state| state.server)
    }

    fn state(&mut self) -> Option<&mut State<'fd, C>> {
        self.reactor.streams.at(self.token)
    }

    fn change(&mut self, change: impl FnOnce(&mut State<'fd, C>)) {
        if let Some(state) = self.state() {
            change(state);
        }
        self.reactor.note(self.token);
    }
}

impl<C> fmt::Debug for Stream<'_, '_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("token", &self.token).finish()
    }
}
