//! Buffered connections: bytes come by callback, and what is written goes out as the peer takes it.
//!
//! [`Reactor::add_stream`](crate::Reactor::add_stream) takes a connected socket, [`Reactor::connect`](crate::Reactor::connect)
//! makes one, and [`Reactor::serve`](crate::Reactor::serve) takes all that a listener accepts. Each has a callback, which is
//! told of [`StreamEvent`]s; and a token, by which [`Reactor::stream`](crate::Reactor::stream) gives a [`Stream`]: in this
//! callback, in any other, or between turns.
//!
//! ```
//! use fastsock::stream::{StreamEvent, StreamOptions};
//! use fastsock::{Reactor, net::Socket};
//! use std::io::{Read, Write};
//! use std::time::Duration;
//!
//! fn main() -> std::io::Result<()> {
//!     let (mut client, connection) = std::os::unix::net::UnixStream::pair()?;
//!     let mut reactor = Reactor::<()>::new()?;
//!     let options = StreamOptions::new().idle_timeout(Duration::from_secs(60));
//!     reactor.add_stream(Socket::from_fd(connection)?, &options, |reactor, _, token, event| match event {
//!         StreamEvent::Data(bytes) => reactor.stream(token)?.write(bytes), // An echo.
//!         _ => Ok(()), // The end, a time-out: the stream is closed after it.
//!     })?;
//!     client.write_all(b"hello")?;
//!     client.shutdown(std::net::Shutdown::Write)?;
//!     reactor.run(&mut ())?; // Until no stream is left.
//!     let mut echo = String::new();
//!     client.read_to_string(&mut echo)?;
//!     assert_eq!(echo, "hello");
//!     Ok(())
//! }
//! ```
//!
//! # Writing
//! What a callback writes is gathered, and sent when it returns, so that ten small writes are one system call and one
//! packet. What the kernel does not take is queued, and goes out as the peer reads (writev(2), sendfile(2)).
//!
//! # Back-pressure
//! When the queue has grown to the [high-water mark](StreamOptions::water_marks), [`Stream::is_full`] says so, and the
//! stream is not read: a peer that asks and does not read the answers is made to wait. When the queue has fallen to the
//! low-water mark, [`StreamEvent::Writable`] comes and reading goes on. Nothing is refused in between: it is for the
//! writer to ask. A callback that writes more than the high-water mark at once finds the stream full as well, though the
//! kernel may have taken it all, so that the others have their turn.
//!
//! # The end
//! After [`StreamEvent::End`], [`TimedOut`](StreamEvent::TimedOut) and [`Stopping`](StreamEvent::Stopping) the stream is
//! closed, unless the callback calls [`Stream::keep`]. [`Stream::close`] sends what is queued, then tells the peer that
//! nothing more comes (shutdown(2)), and waits a while for it to do the same, reading and dropping what still comes: closed
//! with bytes unread, TCP would reset the connection and destroy what is on its way. [`StreamEvent::Closed`] is the last,
//! always; only [`Reactor::remove`](crate::Reactor::remove) closes at once and without a word.
//!
//! # Memory
//! An idle stream takes some 200 bytes, and the captured variables of its callback. It has no buffer: bytes are read into
//! one that all streams of a reactor share.
//!
//! # Costs
//!
//! | operation | time | system calls |
//! |---|---|---|
//! | add, connect, remove | O(1) | a few |
//! | receive | O(bytes) | one recv(2) for each [`Data`](StreamEvent::Data) |
//! | write | O(bytes): less than 16 KiB are copied once | one for up to 64 KiB that a callback writes, while the peer keeps up |
//! | write a file | O(1), no copy | sendfile(2), 1 MiB at most for each event |
//! | pause, resume, become full or not | O(1) | one epoll_ctl(2), none with poll and select |
//! | put a time-out off | O(1) | none |

mod options;
mod queue;

pub use crate::reactor::Stream;
pub use options::StreamOptions;
pub(crate) use queue::WriteQueue;

use std::io;

/// What the callback of a stream is told.
///
/// ```
/// use fastsock::net::{Kind, Socket};
/// use fastsock::stream::{StreamEvent, StreamOptions};
/// use fastsock::Reactor;
/// # fn main() -> std::io::Result<()> {
/// let (here, there) = Socket::pair(Kind::Stream)?;
/// let mut reactor = Reactor::<Vec<String>>::new()?;
/// reactor.add_stream(here, &StreamOptions::new(), |_, log, _, event| {
///     log.push(match event {
///         StreamEvent::Data(bytes) => format!("{} bytes", bytes.len()),
///         StreamEvent::End => "the end".to_owned(),
///         StreamEvent::Closed(Ok(())) => "closed".to_owned(),
///         other => format!("{other:?}"),
///     });
///     Ok(())
/// })?;
/// there.send(b"hello")?;
/// drop(there);
/// let mut log = Vec::new();
/// reactor.run(&mut log)?;
/// assert_eq!(log, ["5 bytes", "the end", "closed"]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum StreamEvent<'a> {
    /// The connection that [`Reactor::connect`](crate::Reactor::connect) began is there. (Or failed: then `Closed` comes,
    /// and this does not.)
    Connected,
    /// Bytes from the peer, at least one, at most 64 KiB. What is wanted later is to be copied.
    Data(&'a [u8]),
    /// The peer has sent all that it will. Unless the callback calls [`Stream::keep`], the stream is closed when what
    /// is queued has been sent.
    End,
    /// The queue was full, and has fallen to the low-water mark. (Not after [`Stream::shutdown`], when nothing can be
    /// written.)
    Writable,
    /// A time-out is over. Unless the callback calls [`Stream::keep`] (which starts it anew) or [`Stream::close`] (which
    /// sends what is queued first), the stream is closed with the error `ETIMEDOUT`.
    TimedOut(Timeout),
    /// The server that accepted this connection is being [drained](crate::server::Server::drain). Unless the callback
    /// calls [`Stream::keep`], to finish what it is at and close then, the stream is closed when what is queued has
    /// been sent.
    Stopping,
    /// The last event: the token is stale, the socket is closed. `Ok`: both sides were done. An error is the
    /// connection's (`ECONNRESET`, `EPIPE`, `ETIMEDOUT`, `ECONNREFUSED`…), or the one that the callback has returned.
    Closed(io::Result<()>),
}

/// Which time was over.
///
/// ```
/// use fastsock::net::{Kind, Socket};
/// use fastsock::stream::{StreamEvent, StreamOptions, Timeout};
/// use fastsock::Reactor;
/// use std::time::Duration;
/// # fn main() -> std::io::Result<()> {
/// # let (here, _there) = Socket::pair(Kind::Stream)?;
/// let mut reactor = Reactor::<Option<Timeout>>::new()?;
/// let options = StreamOptions::new().read_timeout(Duration::from_millis(1)).idle_timeout(Duration::from_secs(60));
/// reactor.add_stream(here, &options, |_, which, _, event| {
///     if let StreamEvent::TimedOut(timeout) = event {
///         *which = Some(timeout);
///     }
///     Ok(())
/// })?;
/// let mut which = None;
/// reactor.run(&mut which)?;
/// assert_eq!(which, Some(Timeout::Read));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Timeout {
    /// [`StreamOptions::idle_timeout`].
    Idle,
    /// [`StreamOptions::read_timeout`].
    Read,
    /// [`StreamOptions::write_timeout`].
    Write,
}
