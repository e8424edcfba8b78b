//! Accepting with limits: a listener whose connections are [streams](crate::stream).
//!
//! [`Reactor::serve`](crate::Reactor::serve) accepts, as [`Reactor::listen`](crate::Reactor::listen) does (when the process has
//! run out of descriptors, accepting pauses), and makes each connection a stream. With as many connections as the
//! [limit](ServerOptions::connection_limit) allows, the others wait in the kernel's queue.
//! [`Server::drain`] ends it in good order.
//!
//! | operation | time | system calls |
//! |---|---|---|
//! | accept a connection | O(1), two allocations | accept4(2), and epoll_ctl(2) with epoll |
//! | reach the limit, fall below it | O(1) | one epoll_ctl(2) each with epoll |
//! | drain, remove, list the streams | O(streams of the reactor) | those of closing each |
//!
//! ```
//! use fastsock::server::ServerOptions;
//! use fastsock::stream::{StreamEvent, StreamOptions};
//! use fastsock::{Reactor, net::Listener};
//! use std::io::{Read, Write};
//! use std::time::Duration;
//!
//! fn main() -> std::io::Result<()> {
//!     let listener = Listener::bind("127.0.0.1:0".parse().unwrap())?;
//!     let address = listener.local_addr()?.ip().unwrap();
//!     let mut reactor = Reactor::<()>::new()?;
//!     let options = ServerOptions::new()
//!         .connection_limit(10_000)
//!         .streams(StreamOptions::new().idle_timeout(Duration::from_secs(60)));
//!     // Called once for each connection, to make its callback.
//!     let server = reactor.serve(listener, &options, |reactor, _, token| {
//!         reactor.stream(token)?.write(b"Name? ")?;
//!         let mut name = Vec::new();
//!         Ok(move |reactor: &mut Reactor<'_, ()>, _: &mut (), token, event: StreamEvent<'_>| {
//!             if let StreamEvent::Data(bytes) = event {
//!                 name.extend_from_slice(bytes);
//!                 if bytes.contains(&b'\n') {
//!                     let mut stream = reactor.stream(token)?;
//!                     stream.write(&[b"Hello, ", &*name].concat())?;
//!                     stream.close();
//!                 }
//!             }
//!             Ok(())
//!         })
//!     })?;
//!     reactor.signal(libc::SIGTERM, move |reactor, _, _, _| {
//!         if let Ok(mut server) = reactor.server(server) {
//!             // Ten seconds for those that are connected; then `run` returns.
//!             let _ = server.drain(Duration::from_secs(10), |reactor, _, _| reactor.stop());
//!         }
//!     })?;
//!     let client = std::thread::spawn(move || -> std::io::Result<String> {
//!         let mut stream = std::net::TcpStream::connect(address)?;
//!         stream.write_all(b"world\n")?;
//!         let mut answer = String::new();
//!         stream.read_to_string(&mut answer)?;
//! #       std::process::Command::new("kill").arg(std::process::id().to_string()).status()?;
//!         Ok(answer)
//!     });
//!     reactor.run(&mut ())?; // Until SIGTERM comes.
//!     assert_eq!(client.join().unwrap()?, "Name? Hello, world\n");
//!     Ok(())
//! }
//! ```

pub use crate::reactor::Server;

use crate::stream::StreamOptions;

/// Limits of a server, and the options of its streams.
///
/// ```
/// use fastsock::server::ServerOptions;
/// use fastsock::stream::StreamOptions;
/// use fastsock::{Reactor, net::Listener, stream::StreamEvent};
/// use std::time::Duration;
/// # fn main() -> std::io::Result<()> {
/// let options = ServerOptions::new()
///     .connection_limit(1000)
///     .streams(StreamOptions::new().idle_timeout(Duration::from_secs(60)));
/// let mut reactor = Reactor::<()>::new()?;
/// let listener = Listener::bind("127.0.0.1:0".parse().unwrap())?;
/// let server = reactor.serve(listener, &options, |_, _, _| {
///     Ok(|_: &mut Reactor<'_, ()>, _: &mut (), _, _: StreamEvent<'_>| Ok(()))
/// })?;
/// assert_eq!(reactor.server(server)?.stats().connections, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "they are for `serve`"]
pub struct ServerOptions {
    pub(crate) limit: u32,
    pub(crate) streams: StreamOptions,
}

impl ServerOptions {
    /// No limit but the process's own, and the defaults of [`StreamOptions`].
    ///
    /// ```
    /// use fastsock::server::ServerOptions;
    /// let unlimited = ServerOptions::new().connection_limit(u32::MAX);
    /// assert_eq!(format!("{:?}", ServerOptions::new()), format!("{unlimited:?}"));
    /// ```
    pub fn new() -> ServerOptions {
        ServerOptions { limit: u32::MAX, streams: StreamOptions::new() }
    }

    /// The most connections at a time, at least 1. Others wait in the listener's queue, to be accepted as soon as one is
    /// closed.
    ///
    /// ```
    /// # use fastsock::{Reactor, net::Listener, stream::StreamEvent};
    /// use fastsock::net::{Family, Kind, Socket};
    /// use fastsock::server::ServerOptions;
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// # let name = format!("\0fastsock-doc-limit-{}", std::process::id());
    /// let listener = Listener::bind_unix(&name)?;
    /// let clients = [Socket::new(Family::Unix, Kind::Stream)?, Socket::new(Family::Unix, Kind::Stream)?];
    /// for client in &clients {
    ///     let _ = client.connect(listener.local_addr()?)?;
    /// }
    /// let mut reactor = Reactor::<()>::new()?;
    /// let options = ServerOptions::new().connection_limit(1);
    /// let server = reactor.serve(listener, &options, |_, _, _| {
    ///     Ok(|_: &mut Reactor<'_, ()>, _: &mut (), _, _: StreamEvent<'_>| Ok(()))
    /// })?;
    /// for _ in 0..3 {
    ///     reactor.turn(&mut (), Some(Duration::ZERO))?;
    /// }
    /// let stats = reactor.server(server)?.stats();
    /// assert_eq!((stats.accepted, stats.limited), (1, 1)); // The other waits in the queue.
    /// # Ok(())
    /// # }
    /// ```
    pub fn connection_limit(mut self, most: u32) -> ServerOptions {
        self.limit = most.max(1);
        self
    }

    /// The options of the streams.
    ///
    /// ```
    /// # use fastsock::{Reactor, net::Listener, stream::StreamEvent};
    /// use fastsock::server::ServerOptions;
    /// use fastsock::stream::StreamOptions;
    /// use std::io::Read;
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// let impatient = StreamOptions::new().read_timeout(Duration::from_millis(1));
    /// let options = ServerOptions::new().streams(impatient);
    /// # let mut reactor = Reactor::<()>::new()?;
    /// # let listener = Listener::bind("127.0.0.1:0".parse().unwrap())?;
    /// # let mut client = std::net::TcpStream::connect(listener.local_addr()?.ip().unwrap())?;
    /// reactor.serve(listener, &options, |_, _, _| {
    ///     Ok(|reactor: &mut Reactor<'_, ()>, _: &mut (), _, event: StreamEvent<'_>| {
    ///         if let StreamEvent::Closed(Err(error)) = event {
    ///             assert_eq!(fastsock::errno(&error), libc::ETIMEDOUT);
    ///             reactor.stop();
    ///         }
    ///         Ok(())
    ///     })
    /// })?;
    /// reactor.run(&mut ())?;
    /// assert_eq!(client.read(&mut [0; 1])?, 0); // It has said nothing, and was closed.
    /// # Ok(())
    /// # }
    /// ```
    pub fn streams(mut self, options: StreamOptions) -> ServerOptions {
        self.streams = options;
        self
    }
}

impl Default for ServerOptions {
    fn default() -> ServerOptions {
        ServerOptions::new()
    }
}

/// Counters of a server. They never go back, but for `connections`.
///
/// ```
/// # use fastsock::{Reactor, net::Listener, stream::StreamEvent};
/// use fastsock::server::{ServerOptions, ServerStats};
/// # fn main() -> std::io::Result<()> {
/// # let mut reactor = Reactor::<()>::new()?;
/// # let listener = Listener::bind("127.0.0.1:0".parse().unwrap())?;
/// let _client = std::net::TcpStream::connect(listener.local_addr()?.ip().unwrap())?;
/// let server = reactor.serve(listener, &ServerOptions::new(), |_, _, _| {
///     Ok(|_: &mut Reactor<'_, ()>, _: &mut (), _, _: StreamEvent<'_>| Ok(()))
/// })?;
/// reactor.turn(&mut (), None)?;
/// let ServerStats { connections, accepted, refused, failure, .. } = reactor.server(server)?.stats();
/// assert_eq!((connections, accepted, refused, failure), (1, 1, 0, 0));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerStats {
    /// Connections that are open now.
    pub connections: u32,
    /// Connections accepted.
    pub accepted: u64,
    /// Of these, the ones that were closed at once, for the callback that makes their callbacks has returned an error.
    pub refused: u64,
    /// Times that the limit of connections was reached.
    pub limited: u64,
    /// Connections that were cut off at the end of a drain.
    pub cut_off: u64,
    /// The errno for which the listener was given up, or 0.
    pub failure: i32,
}
