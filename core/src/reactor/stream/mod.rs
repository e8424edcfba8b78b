//! Streams on the reactor. Each is a source of the poller's, under the same token, with its state in a table of its own,
//! so that it can be reached while its callback is called.

mod connect;
mod deliver;
mod handle;
mod output;
mod settle;
mod state;

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::rc::Rc;

use super::{AddError, Reactor};
use crate::net::Socket;
use crate::stream::{StreamEvent, StreamOptions};
use crate::{Interest, Time, TimerQueue, Token, Trigger, error};
pub(super) use connect::is_stream;
pub use handle::Stream;
use output::Cork;
use state::{Flags, State};

pub(super) type Callback<'fd, C> =
    Box<dyn FnMut(&mut Reactor<'fd, C>, &mut C, Token, StreamEvent<'_>) -> io::Result<()> + 'fd>;

/// So much is read at a time.
const SCRATCH: usize = 64 * 1024;

/// The streams of a reactor, and what they share.
pub(super) struct Streams<'fd, C> {
    /// By the slot of their token, as the handlers are.
    slots: Vec<Option<Box<State<'fd, C>>>>,
    /// What the peers send is read into this, one at a time.
    scratch: Vec<u8>,
    /// What is written is gathered in this, for one at a time.
    cork: Cork,
    /// Their time-outs: one timer each, with their token.
    pub(super) timers: TimerQueue<Token>,
    due: Vec<Token>,
    /// The slots of those that have received or sent something in this turn.
    active: Vec<u32>,
    /// Those to be looked after in the next dispatch, apart from what the poller tells.
    noted: VecDeque<Token>,
    /// How many of them this turn began with.
    owed: usize,
}

impl<'fd, C> Streams<'fd, C> {
    pub(super) fn new() -> Streams<'fd, C> {
        Streams {
            slots: Vec::new(),
            scratch: Vec::new(),
            cork: Cork::new(),
            timers: TimerQueue::new(),
            due: Vec::new(),
            active: Vec::with_capacity(64),
            noted: VecDeque::new(),
            owed: 0,
        }
    }

    /// By its slot: whoever asks has made sure that the token is not stale.
    #[inline]
    fn at(&mut self, token: Token) -> Option<&mut State<'fd, C>> {
        self.slots.get_mut(token.slot() as usize)?.as_deref_mut()
    }

    /// Whether one is to be looked after.
    #[inline]
    pub(super) fn has_noted(&self) -> bool {
        !self.noted.is_empty()
    }

    /// Whether one that this turn began with has not had its turn. Those noted since come in the next: who is noted again
    /// each time would never let it come.
    pub(super) fn owes(&self) -> bool {
        self.owed > 0
    }

    /// A turn begins, with those whose time has come.
    pub(super) fn begin_turn(&mut self) {
        if self.timers.next_deadline().is_some() {
            self.take_due(Time::now());
        }
        self.owed = self.noted.len();
    }

    /// The next to be looked after.
    fn next_noted(&mut self) -> Option<Token> {
        self.owed = self.owed.saturating_sub(1);
        self.noted.pop_front()
    }

    /// Whether something is to be done that no descriptor and no timer tells of.
    #[inline]
    pub(super) fn has_pending(&self) -> bool {
        self.has_noted() || self.is_corked()
    }

    /// Has it looked after in the next dispatch; its own callback has it looked after anyway.
    fn note(&mut self, token: Token) {
        if let Some(state) = self.at(token) {
            if !state.flags.has(Flags::NOTED.and(Flags::CALLED)) {
                state.flags.set(Flags::NOTED);
                self.noted.push_back(token);
            }
        }
    }

    /// After a panic that may have come between what happened to a stream and what follows from it.
    #[cold]
    pub(super) fn note_all(&mut self) {
        let tokens: Vec<Token> = self.slots.iter().flatten().map(|state| state.token).collect();
        for token in tokens {
            self.note(token);
        }
    }

    /// Has a server looked after in the next dispatch.
    pub(super) fn note_other(&mut self, server: Token) {
        self.noted.push_back(server);
    }

    /// The tokens of a server's streams.
    pub(super) fn of_server(&self, server: Token) -> Vec<Token> {
        let states = self.slots.iter().flatten();
        states.filter(|state| state.server == Some(server)).map(|state| state.token).collect()
    }

    /// Takes the state of a stream out, with its timer.
    fn take(&mut self, token: Token) -> Option<Box<State<'fd, C>>> {
        let state = self.slots.get_mut(token.slot() as usize)?.take()?;
        if let Some(timer) = state.timer {
            self.timers.cancel(timer);
        }
        self.cork.forget(token);
        Some(state)
    }

    /// Something has happened to a stream whose time-outs count from that.
    #[inline]
    fn mark(&mut self, token: Token, what: Flags) {
        let Some(state) = self.at(token) else { return };
        if state.keeps_time() {
            let known = state.flags.has(Flags::READ.and(Flags::WROTE));
            state.flags.set(what);
            if !known {
                self.active.push(token.slot());
            }
        }
    }

    /// Whether the time of something is still to be noted.
    #[inline]
    pub(super) fn is_marked(&self) -> bool {
        !self.active.is_empty()
    }

    /// Notes the time of what has happened since the last wait: one look at the clock for all of it, and not before it
    /// happened, so that no time-out is early.
    pub(super) fn stamp(&mut self, now: Time) {
        let mut active = std::mem::take(&mut self.active);
        for slot in active.drain(..) {
            // One that has taken the slot since has marks of its own, or none.
            let Some(state) = self.slots[slot as usize].as_deref_mut() else { continue };
            if state.flags.take(Flags::READ) {
                state.last_read = now;
            }
            if state.flags.take(Flags::WROTE) {
                state.last_write = now;
            }
        }
        self.active = active;
    }

    /// Whose time has come is to be looked after.
    fn take_due(&mut self, now: Time) {
        self.timers.take_due(now, &mut self.due);
        while let Some(timer) = self.due.pop() {
            let Some(&mut token) = self.timers.get_mut(timer) else { continue };
            if let Some(state) = self.at(token) {
                state.flags.set(Flags::DUE);
            }
            self.note(token);
        }
    }
}

impl<'fd, C> Reactor<'fd, C> {
    /// Takes a connected socket, for a buffered connection with a callback; see [`stream`](crate::stream). What the
    /// callback returns as an error closes the connection.
    ///
    /// ```
    /// use fastsock::net::{Kind, Socket};
    /// use fastsock::stream::{StreamEvent, StreamOptions};
    /// use fastsock::Reactor;
    /// # fn main() -> std::io::Result<()> {
    /// let (here, there) = Socket::pair(Kind::Stream)?;
    /// let mut reactor = Reactor::<Vec<u8>>::new()?;
    /// reactor.add_stream(here, &StreamOptions::new(), |_, received, _, event| {
    ///     if let StreamEvent::Data(bytes) = event {
    ///         received.extend_from_slice(bytes);
    ///     }
    ///     Ok(())
    /// })?;
    /// there.send(b"hello")?;
    /// drop(there);
    /// let mut received = Vec::new();
    /// reactor.run(&mut received)?; // Until the stream is closed.
    /// assert_eq!(received, b"hello");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `EPROTOTYPE`: the socket carries messages, not a stream of bytes. `ENOTSOCK`: it is none, but what was given to
    /// [`Socket::from_fd`]. `ENOTCONN`: it is not connected: see
    /// [`connect`](Self::connect). Those of [`Poller::add`](crate::Poller::add). The socket comes back in the error.
    pub fn add_stream<F>(
        &mut self,
        socket: Socket,
        options: &StreamOptions,
        callback: F,
    ) -> Result<Token, AddError<Socket>>
    where
        F: FnMut(&mut Reactor<'fd, C>, &mut C, Token, StreamEvent<'_>) -> io::Result<()> + 'fd,
    {
        let connected = is_stream(socket.as_fd()).and_then(|()| match socket.peer_addr() {
            Err(error) if error.raw_os_error() == Some(libc::ENOTCONN) => Err(error::with(
                libc::ENOTCONN,
                "this socket is not connected: wait until it is, or let the reactor connect()",
            )),
            result => result.map(drop),
        });
        if let Err(error) = connected {
            return Err(AddError { source: socket, error });
        }
        self.put_stream(socket, Rc::new(options.clone()), Flags::NONE, Some(Box::new(callback)), None)
    }

    /// A stream by its token: to write to it, to pause or close it, or to ask about it.
    ///
    /// ```
    /// use fastsock::net::{Kind, Socket};
    /// use fastsock::{Reactor, stream::StreamOptions};
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// let (here, there) = Socket::pair(Kind::Stream)?;
    /// let mut reactor = Reactor::<()>::new()?;
    /// let token = reactor.add_stream(here, &StreamOptions::new(), |_, _, _, _| Ok(()))?;
    /// reactor.stream(token)?.write(b"hello")?;
    /// reactor.turn(&mut (), Some(Duration::ZERO))?;
    /// assert_eq!(there.recv(&mut [0; 9])?, 5);
    /// reactor.remove(token);
    /// assert_eq!(fastsock::errno(&reactor.stream(token).unwrap_err()), libc::ENOENT);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `ENOENT`: the token is stale, or is not a stream's.
    pub fn stream(&mut self, token: Token) -> io::Result<Stream<'_, 'fd, C>> {
        match self.live(token) {
            Some(_) => Ok(Stream { reactor: self, token }),
            None => Err(error::stale()),
        }
    }

    fn put_stream(
        &mut self,
        socket: Socket,
        options: Rc<StreamOptions>,
        flags: Flags,
        callback: Option<Callback<'fd, C>>,
        server: Option<Token>,
    ) -> Result<Token, AddError<Socket>> {
        let connecting = flags.has(Flags::CONNECTING);
        let interest = if connecting { Interest::WRITABLE } else { Interest::READABLE };
        let fd = socket.as_fd().as_raw_fd();
        // SAFETY: the socket lives in `streams`, from where it is dropped only after the poller has let go of it (or
        // after the poller itself).
        let (token, evicted) = match unsafe { self.poller.replace_raw(fd, interest, Trigger::Level) } {
            Ok(added) => added,
            Err(error) => return Err(AddError { source: socket, error }),
        };
        let timed = connecting || options.keeps_time();
        let now = if timed { Time::now() } else { Time::from_nanos(0) };
        let mut state = State {
            token,
            socket,
            flags,
            callback,
            options,
            queue: None,
            failure: None,
            server,
            timer: None,
            armed: Time::NEVER,
            last_read: now,
            last_write: now,
        };
        state.set_interest(interest);
        let slot = token.slot() as usize;
        if self.streams.slots.len() <= slot {
            self.streams.slots.resize_with(slot + 1, || None);
        }
        self.streams.slots[slot] = Some(Box::new(state));
        if timed {
            self.arm(token);
        }
        self.evict(evicted);
        Ok(token)
    }

    /// A stream of a server's, whose callback is still to be made.
    pub(super) fn put_accepted(
        &mut self,
        socket: Socket,
        options: Rc<StreamOptions>,
        server: Token,
    ) -> io::Result<Token> {
        let token = self.put_stream(socket, options, Flags::NONE, None, Some(server))?;
        // Should it never get a callback, it is found out.
        self.note(token);
        Ok(token)
    }

    /// A stream, unless the token is stale.
    fn live(&mut self, token: Token) -> Option<&mut State<'fd, C>> {
        if self.poller.contains(token) { self.streams.at(token) } else { None }
    }

    /// Its callback, unless what made it has removed the stream.
    pub(super) fn put_stream_callback(&mut self, token: Token, callback: Callback<'fd, C>) {
        if let Some(state) = self.live(token) {
            state.callback = Some(callback);
        }
    }

    /// Has a server's streams told that it is being drained.
    pub(super) fn stop_streams_of(&mut self, server: Token) {
        for token in self.streams.of_server(server) {
            if let Some(state) = self.streams.at(token) {
                state.flags.set(Flags::STOPPING);
            }
            self.note(token);
        }
    }

    /// Has them closed with an error; tells how many.
    pub(super) fn cut_streams_off(&mut self, server: Token) -> u64 {
        let streams = self.streams.of_server(server);
        for &token in &streams {
            self.fail(
                token,
                error::with(libc::ETIMEDOUT, "the server was being drained, and the time for that is over"),
            );
            self.note(token);
        }
        streams.len() as u64
    }

    /// Its socket, of which it is no more than that from now on.
    pub(super) fn take_stream(&mut self, token: Token) -> Option<Socket> {
        self.detach(token).map(|state| state.socket)
    }

    /// Takes a server's streams out.
    pub(super) fn detach_streams_of(&mut self, server: Token) -> impl Sized + use<'fd, C> {
        let streams = self.streams.of_server(server);
        streams.into_iter().filter_map(|token| self.detach(token)).collect::<Vec<_>>()
    }

    /// Removes a stream, which must be there, at once and without a word.
    pub(super) fn remove_stream(&mut self, token: Token) {
        drop(self.detach(token));
    }

    /// Drops a stream whose descriptor's number is another's now.
    pub(super) fn evict_stream(&mut self, token: Token) {
        if let Some(State { socket, server, .. }) = self.streams.take(token).map(|state| *state) {
            // Not to be closed: it is not ours.
            std::mem::forget(socket);
            if let Some(server) = server {
                self.left_server(server);
            }
        }
    }

    /// Takes a stream out: what the kernel has not taken yet is lost.
    fn detach(&mut self, token: Token) -> Option<Box<State<'fd, C>>> {
        self.flush_cork_of(token);
        self.poller.remove(token);
        let state = self.streams.take(token)?;
        if let Some(server) = state.server {
            self.left_server(server);
        }
        Some(state)
    }

    /// Notes it, and tells a host that waits elsewhere.
    fn note(&mut self, token: Token) {
        let known = self.streams.has_pending();
        self.streams.note(token);
        if !known {
            self.timer_was_set();
        }
    }
}
