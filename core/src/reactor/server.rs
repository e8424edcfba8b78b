use std::fmt;
use std::io;
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::time::Duration;

use super::source::RESUME_AGAIN;
use super::{AddError, Reactor, Turn};
use crate::net::options::TcpOptions;
use crate::net::{Accepted, Listener, Socket};
use crate::server::{ServerOptions, ServerStats};
use crate::stream::{StreamEvent, StreamOptions};
use crate::{Interest, Token, Trigger, error};

/// Called when a server is drained.
type Drained<'fd, C> = Box<dyn FnOnce(&mut Reactor<'fd, C>, &mut C, ServerStats) + 'fd>;

/// A server, but for what makes the callbacks of its streams: its listener's callback has that.
pub(super) struct State<'fd, C> {
    /// `None` once it accepts no more.
    listener: Option<Token>,
    limit: u32,
    /// Whether the limit keeps the listener waiting.
    limited: bool,
    /// Whether it is among those to be looked after.
    noted: bool,
    options: Rc<StreamOptions>,
    /// The timer that ends a drain, and who is told when it is over.
    drain: Option<(Token, Drained<'fd, C>)>,
    stats: ServerStats,
}

/// A server of a reactor's, for as long as it is borrowed: from [`Reactor::server`].
///
/// ```
/// # use fastsock::{Reactor, net::Listener, stream::StreamEvent};
/// use fastsock::server::{Server, ServerOptions};
/// # fn main() -> std::io::Result<()> {
/// # let mut reactor = Reactor::<()>::new()?;
/// # let listener = Listener::bind("127.0.0.1:0".parse().unwrap())?;
/// let token = reactor.serve(listener, &ServerOptions::new(), |_, _, _| {
///     Ok(|_: &mut Reactor<'_, ()>, _: &mut (), _, _: StreamEvent<'_>| Ok(()))
/// })?;
/// let server: Server<'_, '_, ()> = reactor.server(token)?;
/// assert!(server.token() == token && server.streams().is_empty());
/// # Ok(())
/// # }
/// ```
pub struct Server<'r, 'fd, C> {
    reactor: &'r mut Reactor<'fd, C>,
    token: Token,
}

impl<'fd, C> Reactor<'fd, C> {
    /// Accepts connections as [streams](crate::stream), within limits; see [`server`](crate::server). For each
    /// connection `accepted` is called with its token, to make its callback; it may write to the stream already. With an
    /// error it closes the connection. TCP is set to send at once (`TCP_NODELAY`). A panic there costs the listener, as it
    /// costs any source; the connections go on.
    ///
    /// [`remove`](Self::remove) with the server's token ends it at once, its connections included, with no further call.
    ///
    /// ```
    /// use fastsock::{Reactor, net::Listener, server::ServerOptions, stream::StreamEvent};
    /// use std::io::{Read, Write};
    /// # fn main() -> std::io::Result<()> {
    /// let mut reactor = Reactor::<u32>::new()?;
    /// let listener = Listener::bind("127.0.0.1:0".parse().unwrap())?;
    /// let mut client = std::net::TcpStream::connect(listener.local_addr()?.ip().unwrap())?;
    /// reactor.serve(listener, &ServerOptions::new(), |reactor, clients: &mut u32, token| {
    ///     *clients += 1;
    ///     reactor.stream(token)?.write(b"Your name? ")?;
    ///     // What it captures is this connection's own.
    ///     let greeting = format!("You are number {clients}, ");
    ///     Ok(move |reactor: &mut Reactor<'_, u32>, _: &mut u32, token, event: StreamEvent<'_>| match event {
    ///         StreamEvent::Data(name) => reactor.stream(token)?.write(&[greeting.as_bytes(), name].concat()),
    ///         StreamEvent::Closed(_) => Ok(reactor.stop()),
    ///         _ => Ok(()),
    ///     })
    /// })?;
    /// client.write_all(b"Ann")?;
    /// client.shutdown(std::net::Shutdown::Write)?;
    /// reactor.run(&mut 0)?;
    /// let mut text = String::new();
    /// client.read_to_string(&mut text)?;
    /// assert_eq!(text, "Your name? You are number 1, Ann");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `EPROTOTYPE`: the connections would carry messages, not a stream of bytes. Those of [`listen`](Self::listen).
    pub fn serve<A, F>(
        &mut self,
        listener: Listener,
        options: &ServerOptions,
        mut accepted: A,
    ) -> Result<Token, AddError<Listener>>
    where
        A: FnMut(&mut Reactor<'fd, C>, &mut C, Token) -> io::Result<F> + 'fd,
        F: FnMut(&mut Reactor<'fd, C>, &mut C, Token, StreamEvent<'_>) -> io::Result<()> + 'fd,
        C: 'fd,
    {
        if let Err(error) = prepare(&listener) {
            return Err(AddError { source: listener, error });
        }
        let state = State {
            listener: None,
            limit: options.limit,
            limited: false,
            noted: false,
            options: Rc::new(options.streams.clone()),
            drain: None,
            stats: ServerStats::default(),
        };
        let server = match self.servers.insert(state) {
            Ok(server) => server,
            Err(error) => return Err(AddError { source: listener, error }),
        };
        let added = self.listen(listener, move |reactor, context, connection| {
            match connection {
                Ok(connection) => reactor.accept_stream(server, connection, &mut accepted, context),
                Err(error) => {
                    // The listener is gone, and the server is when its last connection is.
                    if let Some(state) = reactor.servers.get_mut(server) {
                        state.listener = None;
                        state.stats.failure = crate::errno(&error);
                    }
                    reactor.note_server(server);
                    Ok(())
                }
            }
        });
        match added {
            Ok(listener) => {
                if let Some(state) = self.servers.get_mut(server) {
                    state.listener = Some(listener);
                }
                Ok(server)
            }
            Err(error) => {
                self.servers.remove(server);
                Err(error)
            }
        }
    }

    /// A server by its token: to drain it, or to ask about it.
    ///
    /// ```
    /// # use fastsock::{Reactor, net::Listener, server::ServerOptions, stream::StreamEvent};
    /// # fn main() -> std::io::Result<()> {
    /// # let mut reactor = Reactor::<()>::new()?;
    /// # let listener = Listener::bind("127.0.0.1:0".parse().unwrap())?;
    /// let token = reactor.serve(listener, &ServerOptions::new(), |_, _, _| {
    ///     Ok(|_: &mut Reactor<'_, ()>, _: &mut (), _, _: StreamEvent<'_>| Ok(()))
    /// })?;
    /// assert_eq!(reactor.server(token)?.stats().accepted, 0);
    /// reactor.remove(token); // At once, and with all its connections.
    /// assert_eq!(fastsock::errno(&reactor.server(token).unwrap_err()), libc::ENOENT);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `ENOENT`: the token is stale, or is not a server's.
    pub fn server(&mut self, token: Token) -> io::Result<Server<'_, 'fd, C>> {
        if !self.servers.contains(token) {
            return Err(error::stale());
        }
        Ok(Server { reactor: self, token })
    }

    fn accept_stream<A, F>(
        &mut self,
        server: Token,
        connection: Accepted,
        accepted: &mut A,
        context: &mut C,
    ) -> io::Result<()>
    where
        A: FnMut(&mut Reactor<'fd, C>, &mut C, Token) -> io::Result<F>,
        F: FnMut(&mut Reactor<'fd, C>, &mut C, Token, StreamEvent<'_>) -> io::Result<()> + 'fd,
    {
        let running = self.dispatching.clone();
        let state = self.servers.get_mut(server).ok_or_else(error::stale)?;
        state.stats.accepted += 1;
        let options = state.options.clone();
        let stream = self.put_accepted(Socket::from(connection), options, server)?;
        if let Some(state) = self.servers.get_mut(server) {
            state.stats.connections += 1;
        }
        self.heed_limit(server);
        let callback = catch_unwind(AssertUnwindSafe(|| accepted(self, context, stream)));
        let is_same = Rc::ptr_eq(&self.dispatching, &running);
        match callback {
            // The stream is in another reactor, which finds out that it has no callback.
            Ok(result) if !is_same => result.map(drop),
            Err(panic) if !is_same => resume_unwind(panic),
            Ok(Ok(callback)) => {
                self.put_stream_callback(stream, Box::new(callback));
                Ok(())
            }
            Ok(Err(error)) => {
                if let Some(state) = self.servers.get_mut(server) {
                    state.stats.refused += 1;
                }
                self.remove(stream);
                Err(error)
            }
            Err(panic) => {
                // That costs the listener, as a panic costs any source.
                if let Some(state) = self.servers.get_mut(server) {
                    state.listener = None;
                }
                self.note_server(server);
                self.remove(stream);
                resume_unwind(panic)
            }
        }
    }

    /// Keeps the listener waiting when there are as many connections as there may be.
    fn heed_limit(&mut self, server: Token) {
        let Some(state) = self.servers.get_mut(server) else { return };
        if state.limited || state.stats.connections < state.limit {
            return;
        }
        state.limited = true;
        state.stats.limited += 1;
        if let Some(listener) = state.listener {
            let _ = self.modify(listener, Interest::NONE, Trigger::Level);
        }
    }

    /// A stream of this server is gone.
    pub(super) fn left_server(&mut self, server: Token) {
        let Some(state) = self.servers.get_mut(server) else { return };
        state.stats.connections -= 1;
        let listens = state.listener.is_some_and(|listener| self.poller.contains(listener));
        if state.limited || !listens {
            self.note_server(server);
        }
    }

    fn note_server(&mut self, server: Token) {
        let Some(state) = self.servers.get_mut(server) else { return };
        if !std::mem::replace(&mut state.noted, true) {
            self.streams.note_other(server);
            self.timer_was_set();
        }
    }

    /// Accepts again when there is room; ends when there is nothing left to wait for. Returns how many callbacks were called.
    pub(super) fn settle_server(
        &mut self,
        server: Token,
        context: &mut C,
        turn: &mut Turn<'fd, C>,
        after: &mut impl FnMut(&mut Self, &mut C),
    ) -> usize {
        let Some(state) = self.servers.get_mut(server) else { return 0 };
        state.noted = false;
        if let Some(listener) = state.listener.filter(|&listener| self.poller.contains(listener)) {
            if state.limited && state.stats.connections < state.limit {
                state.limited = false;
                if self.modify(listener, Interest::READABLE, Trigger::Level).is_err() && self.contains(listener) {
                    self.resume_later(server);
                }
            }
            return 0;
        }
        if state.stats.connections > 0 {
            return 0;
        }
        let Some(state) = self.servers.remove(server) else { return 0 };
        let Some((deadline, drained)) = state.drain else { return 0 };
        self.remove(deadline);
        drained(self, context, state.stats);
        self.follow_up(context, turn, after);
        1
    }

    #[cold]
    fn resume_later(&mut self, server: Token) {
        if let Some(state) = self.servers.get_mut(server) {
            state.limited = true;
        }
        let _ = self.timer(RESUME_AGAIN, move |reactor, _, _, _| reactor.note_server(server));
    }

    /// Ends it at once.
    pub(super) fn remove_server(&mut self, server: Token) -> bool {
        let Some(state) = self.servers.remove(server) else { return false };
        // All are out before the first is dropped: a destructor of the user's may panic.
        let streams = self.detach_streams_of(server);
        if let Some((deadline, _)) = state.drain {
            self.remove(deadline);
        }
        if let Some(listener) = state.listener {
            self.remove(listener);
        }
        drop(streams);
        true
    }
}

impl<'fd, C> Server<'_, 'fd, C> {
    /// The token.
    ///
    /// ```
    /// # use fastsock::{Reactor, net::Listener, server::ServerOptions, stream::StreamEvent};
    /// # fn main() -> std::io::Result<()> {
    /// # let mut reactor = Reactor::<()>::new()?;
    /// # let listener = Listener::bind("127.0.0.1:0".parse().unwrap())?;
    /// let token = reactor.serve(listener, &ServerOptions::new(), |_, _, _| {
    ///     Ok(|_: &mut Reactor<'_, ()>, _: &mut (), _, _: StreamEvent<'_>| Ok(()))
    /// })?;
    /// assert_eq!(reactor.server(token)?.token(), token);
    /// # Ok(())
    /// # }
    /// ```
    pub fn token(&self) -> Token {
        self.token
    }

    /// The counters.
    ///
    /// ```
    /// # use fastsock::{Reactor, net::Listener, server::ServerOptions, stream::StreamEvent};
    /// # fn main() -> std::io::Result<()> {
    /// # let mut reactor = Reactor::<()>::new()?;
    /// # let listener = Listener::bind("127.0.0.1:0".parse().unwrap())?;
    /// let client = std::net::TcpStream::connect(listener.local_addr()?.ip().unwrap())?;
    /// let token = reactor.serve(listener, &ServerOptions::new(), |_, _, _| {
    ///     Ok(|reactor: &mut Reactor<'_, ()>, _: &mut (), _, event: StreamEvent<'_>| {
    ///         if let StreamEvent::Closed(_) = event {
    ///             reactor.stop();
    ///         }
    ///         Ok(())
    ///     })
    /// })?;
    /// drop(client);
    /// reactor.run(&mut ())?;
    /// let stats = reactor.server(token)?.stats();
    /// assert_eq!((stats.accepted, stats.connections), (1, 0));
    /// # Ok(())
    /// # }
    /// ```
    pub fn stats(&self) -> ServerStats {
        self.reactor.servers.get(self.token).map_or_else(ServerStats::default, |state| state.stats)
    }

    /// The tokens of the connections that are open now. O(streams).
    ///
    /// ```
    /// # use fastsock::{Reactor, net::Listener, server::ServerOptions, stream::StreamEvent};
    /// # fn main() -> std::io::Result<()> {
    /// # let mut reactor = Reactor::<()>::new()?;
    /// # let listener = Listener::bind("127.0.0.1:0".parse().unwrap())?;
    /// let mut client = std::net::TcpStream::connect(listener.local_addr()?.ip().unwrap())?;
    /// let server = reactor.serve(listener, &ServerOptions::new(), |_, _, _| {
    ///     Ok(|_: &mut Reactor<'_, ()>, _: &mut (), _, _: StreamEvent<'_>| Ok(()))
    /// })?;
    /// reactor.turn(&mut (), None)?;
    /// for stream in reactor.server(server)?.streams() {
    ///     reactor.stream(stream)?.write(b"to all")?;
    /// }
    /// reactor.turn(&mut (), Some(std::time::Duration::ZERO))?;
    /// assert_eq!(std::io::Read::read(&mut client, &mut [0; 9])?, 6);
    /// # Ok(())
    /// # }
    /// ```
    pub fn streams(&self) -> Vec<Token> {
        self.reactor.streams.of_server(self.token)
    }

    /// Another limit of connections, at least 1. Those over it stay open.
    ///
    /// ```
    /// # use fastsock::{Reactor, net::Listener, server::ServerOptions, stream::StreamEvent};
    /// # fn main() -> std::io::Result<()> {
    /// # let mut reactor = Reactor::<()>::new()?;
    /// # let listener = Listener::bind("127.0.0.1:0".parse().unwrap())?;
    /// # let address = listener.local_addr()?.ip().unwrap();
    /// let _clients = [std::net::TcpStream::connect(address)?, std::net::TcpStream::connect(address)?];
    /// let server = reactor.serve(listener, &ServerOptions::new().connection_limit(1), |_, _, _| {
    ///     Ok(|_: &mut Reactor<'_, ()>, _: &mut (), _, _: StreamEvent<'_>| Ok(()))
    /// })?;
    /// reactor.turn(&mut (), None)?;
    /// reactor.server(server)?.set_connection_limit(2);
    /// while reactor.server(server)?.stats().connections < 2 {
    ///     reactor.turn(&mut (), None)?;
    /// }
    /// assert_eq!(reactor.server(server)?.stats().limited, 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_connection_limit(&mut self, most: u32) {
        if let Some(state) = self.reactor.servers.get_mut(self.token) {
            state.limit = most.max(1);
        }
        self.reactor.heed_limit(self.token);
        self.reactor.note_server(self.token);
    }

    /// Ends the server in good order: the listener is closed, and every stream is told
    /// [`Stopping`](StreamEvent::Stopping), after which it is closed when what is queued has been sent, unless its callback
    /// wants to [keep](crate::stream::Stream::keep) it for a while. Closing waits for the peer to close as well, for as long as
    /// [`close_timeout`](StreamOptions::close_timeout) allows. Those left after `longest` are cut off with
    /// `ETIMEDOUT`. When the last is gone, `drained` is called, and the token is stale.
    ///
    /// ```
    /// # use fastsock::{Reactor, net::Listener, server::ServerOptions, stream::StreamEvent};
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// # let mut reactor = Reactor::<u64>::new()?;
    /// # let listener = Listener::bind("127.0.0.1:0".parse().unwrap())?;
    /// let mut client = std::net::TcpStream::connect(listener.local_addr()?.ip().unwrap())?;
    /// let server = reactor.serve(listener, &ServerOptions::new(), |_, _: &mut u64, _| {
    ///     Ok(|reactor: &mut Reactor<'_, u64>, _: &mut u64, token, event: StreamEvent<'_>| match event {
    ///         StreamEvent::Stopping => reactor.stream(token)?.write(b"bye"), // And then it is closed.
    ///         _ => Ok(()),
    ///     })
    /// })?;
    /// reactor.turn(&mut 0, None)?;
    /// reactor.server(server)?.drain(Duration::from_secs(10), |_, served, stats| *served = stats.accepted)?;
    /// let reader = std::thread::spawn(move || std::io::read_to_string(&mut client));
    /// let mut served = 0;
    /// reactor.run(&mut served)?; // Until the client is gone, too.
    /// assert_eq!((served, &*reader.join().unwrap()?), (1, "bye"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `EALREADY`: it is being drained. `ENOSPC`: 2^29 timers.
    pub fn drain<F>(&mut self, longest: Duration, drained: F) -> io::Result<()>
    where
        F: FnOnce(&mut Reactor<'fd, C>, &mut C, ServerStats) + 'fd,
        C: 'fd,
    {
        let server = self.token;
        let state = self.reactor.servers.get_mut(server).ok_or_else(error::stale)?;
        if state.drain.is_some() {
            return Err(error::with(libc::EALREADY, "this server is being drained already"));
        }
        let listener = state.listener;
        let deadline = self.reactor.timer(longest, move |reactor, _, _, _| {
            let cut_off = reactor.cut_streams_off(server);
            if let Some(state) = reactor.servers.get_mut(server) {
                state.stats.cut_off += cut_off;
            }
        })?;
        if let Some(state) = self.reactor.servers.get_mut(server) {
            state.listener = None;
            state.drain = Some((deadline, Box::new(drained)));
        }
        if let Some(listener) = listener {
            self.reactor.remove(listener);
        }
        self.reactor.stop_streams_of(server);
        self.reactor.note_server(server);
        Ok(())
    }
}

impl<C> fmt::Debug for Server<'_, '_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("token", &self.token).field("stats", &self.stats()).finish()
    }
}

/// Options that the connections inherit.
fn prepare(listener: &Listener) -> io::Result<()> {
    super::stream::is_stream(listener.as_fd())?;
    match listener.local_addr()?.ip() {
        Some(_) => listener.set_no_delay(true),
        None => Ok(()),
    }
}
