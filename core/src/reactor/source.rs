use std::any::{Any, TypeId};
use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::rc::Rc;
use std::time::Duration;

use super::Reactor;
use super::handler::{Bound, Handler};
use crate::net::{Accept, Accepted, Listener, Socket};
use crate::{Event, Interest, Mode, Token, Trigger, error};

/// How soon a listener is put back when the kernel had no memory for that.
pub(super) const RESUME_AGAIN: Duration = Duration::from_millis(100);

/// A registration that failed, with the source that was not taken.
///
/// ```
/// use fastsock::{AddError, Interest, Reactor, Trigger};
/// # fn main() -> std::io::Result<()> {
/// let mut reactor = Reactor::<()>::new()?;
/// let file = std::fs::File::open("/etc/passwd")?;
/// let AddError { source, error } =
///     reactor.add(file, Interest::READABLE, Trigger::Level, |_, _, _, _| {}).unwrap_err();
/// assert_eq!(fastsock::errno(&error), libc::EPERM); // A regular file is always ready.
/// assert!(source.metadata()?.is_file()); // It is the caller's again.
/// # Ok(())
/// # }
/// ```
pub struct AddError<S> {
    /// The source, as it was given.
    pub source: S,
    /// Why.
    pub error: io::Error,
}

impl<S> fmt::Debug for AddError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<S> fmt::Display for AddError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<S> std::error::Error for AddError<S> {}

impl<S> From<AddError<S>> for io::Error {
    fn from(add: AddError<S>) -> io::Error {
        add.error
    }
}

impl<'fd, C> Reactor<'fd, C> {
    /// Watches a source, which the reactor owns from now on, and calls back when it is ready.
    ///
    /// The source's descriptor is asked for once, here: the callback may use the source, but must not put another in its
    /// place (remove it and add the other). Make it non-blocking. Register a TCP socket after `connect` or
    /// `listen` has begun: before, the kernel reports it as hung up.
    ///
    /// ```
    /// use fastsock::{Interest, Reactor, Trigger};
    /// use std::io::{Read, Write};
    /// # fn main() -> std::io::Result<()> {
    /// let (here, mut there) = std::os::unix::net::UnixStream::pair()?;
    /// here.set_nonblocking(true)?;
    /// let mut reactor = Reactor::<Vec<u8>>::new()?;
    /// reactor.add(here, Interest::READABLE, Trigger::Level, |reactor, bytes, stream, event| {
    ///     let mut buffer = [0; 1024];
    ///     match stream.read(&mut buffer) {
    ///         Ok(n) if n > 0 => bytes.extend_from_slice(&buffer[..n]),
    ///         _ => drop(reactor.remove(event.token())), // The end: closes it.
    ///     }
    /// })?;
    /// there.write_all(b"hello")?;
    /// drop(there);
    /// let mut bytes = Vec::new();
    /// reactor.run(&mut bytes)?;
    /// assert_eq!(bytes, b"hello");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Poller::add`](crate::Poller::add); the source comes back in the error.
    pub fn add<S, F>(
        &mut self,
        source: S,
        interest: Interest,
        mode: impl Into<Mode>,
        callback: F,
    ) -> Result<Token, AddError<S>>
    where
        S: AsFd + 'static,
        F: FnMut(&mut Reactor<'fd, C>, &mut C, &mut S, Event) + 'fd,
        C: 'fd,
    {
        let fd = source.as_fd().as_raw_fd();
        // SAFETY: the source owns the descriptor and lives in `handlers`, from where it is dropped only after the
        // poller has let go of it (or after the poller itself).
        match unsafe { self.poller.replace_raw(fd, interest, mode) } {
            Ok((token, evicted)) => {
                self.put_handler(token, Box::new(Bound { source, callback }), evicted);
                Ok(token)
            }
            Err(error) => Err(AddError { source, error }),
        }
    }

    /// As [`add`](Self::add), for a source that need not be the reactor's own: a reference to it, or a
    /// [`BorrowedFd`](std::os::fd::BorrowedFd), or whatever else lives at least as long as the reactor. It cannot be had
    /// back by [`take`](Self::take).
    ///
    /// ```
    /// use fastsock::{Interest, Reactor, Trigger};
    /// use std::io::{Read, Write};
    /// # fn main() -> std::io::Result<()> {
    /// // Before the reactor, so that it outlives it.
    /// let (here, mut there) = std::os::unix::net::UnixStream::pair()?;
    /// let mut reactor = Reactor::<String>::new()?;
    /// reactor.add_borrowed(&here, Interest::READABLE, Trigger::Level, |_, text, stream, _| {
    ///     let mut buffer = [0; 100];
    ///     let n = stream.read(&mut buffer).unwrap();
    ///     text.push_str(&String::from_utf8_lossy(&buffer[..n]));
    /// })?;
    /// there.write_all(b"hello")?;
    /// let mut text = String::new();
    /// reactor.turn(&mut text, None)?;
    /// assert_eq!(text, "hello");
    /// (&here).write_all(b"it is ours still")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A source that would be closed before the reactor is does not compile:
    ///
    /// ```compile_fail,E0597
    /// # use fastsock::{Interest, Reactor, Trigger};
    /// let mut reactor = Reactor::<()>::new().unwrap();
    /// {
    ///     let (here, _there) = std::os::unix::net::UnixStream::pair().unwrap();
    ///     reactor.add_borrowed(&here, Interest::READABLE, Trigger::Level, |_, _, _, _| {}).unwrap();
    /// }
    /// reactor.run(&mut ()).unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn add_borrowed<S, F>(
        &mut self,
        source: S,
        interest: Interest,
        mode: impl Into<Mode>,
        mut callback: F,
    ) -> io::Result<Token>
    where
        S: AsFd + 'fd,
        F: FnMut(&mut Reactor<'fd, C>, &mut C, &mut S, Event) + 'fd,
        C: 'fd,
    {
        let fd = source.as_fd().as_raw_fd();
        let mut source = source;
        // SAFETY: the source, which the callback keeps, holds the descriptor open; the callback is dropped only after the
        // poller has let go of it (or after the poller itself).
        unsafe {
            self.add_raw(fd, interest, mode, move |reactor, context, event| {
                callback(reactor, context, &mut source, event)
            })
        }
    }

    /// Watches a descriptor by its number, for hosts that own it elsewhere.
    ///
    /// ```
    /// use fastsock::{Interest, Reactor, Trigger};
    /// use std::os::fd::AsRawFd;
    /// # fn main() -> std::io::Result<()> {
    /// let (here, _there) = std::os::unix::net::UnixStream::pair()?;
    /// let mut reactor = Reactor::<u32>::new()?;
    /// // SAFETY: removed before `here` is closed.
    /// let token = unsafe {
    ///     reactor.add_raw(here.as_raw_fd(), Interest::WRITABLE, Trigger::Level, |_, calls, _| *calls += 1)
    /// }?;
    /// let mut calls = 0;
    /// reactor.turn(&mut calls, None)?;
    /// assert!(reactor.remove(token));
    /// drop(here);
    /// assert_eq!(calls, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Safety
    /// The descriptor stays open until [`remove`](Self::remove) is called with the token or the reactor is dropped.
    ///
    /// # Errors
    /// As [`Poller::add_raw`](crate::Poller::add_raw).
    pub unsafe fn add_raw<F>(
        &mut self,
        fd: RawFd,
        interest: Interest,
        mode: impl Into<Mode>,
        mut callback: F,
    ) -> io::Result<Token>
    where
        F: FnMut(&mut Reactor<'fd, C>, &mut C, Event) + 'fd,
        C: 'fd,
    {
        // SAFETY: promised by the caller.
        let (token, evicted) = unsafe { self.poller.replace_raw(fd, interest, mode) }?;
        let callback = move |r: &mut Reactor<'fd, C>, c: &mut C, _: &mut (), e: Event| callback(r, c, e);
        self.put_handler(token, Box::new(Bound { source: (), callback }), evicted);
        Ok(token)
    }

    /// `evicted`: the source that was known by the same number until now; what was given with it is dropped.
    fn put_handler(&mut self, token: Token, handler: Box<dyn Handler<'fd, C> + 'fd>, evicted: Option<Token>) {
        let slot = token.slot() as usize;
        if self.handlers.len() <= slot {
            self.handlers.resize_with(slot + 1, || None);
        }
        self.handlers[slot] = Some(handler);
        self.evict(evicted);
    }

    /// Drops what was known by a number that is another's now. The newcomer is in its place already, for the destructor
    /// may be the user's code. Its own callback may be the one that runs: that is dropped after it.
    pub(super) fn evict(&mut self, evicted: Option<Token>) {
        let Some(evicted) = evicted else { return };
        self.closed_unasked += 1;
        self.evict_stream(evicted);
        drop(self.take_handler(evicted));
    }

    /// Out of its slot; `None` for a stream's.
    #[inline]
    pub(super) fn take_handler(&mut self, token: Token) -> Option<Box<dyn Handler<'fd, C> + 'fd>> {
        self.handlers.get_mut(token.slot() as usize)?.take()
    }

    /// Accepts connections and hands each to the callback, which may return an error to have it dropped.
    ///
    /// One connection is accepted for each event, unless [`Listener::set_budget`] says otherwise: others that wait are
    /// reported again, in turn with everything else. When the process runs out of descriptors or memory, accepting
    /// pauses and resumes by itself; see [`Listener`]. To pause it yourself (a limit of connections, say), `modify` it to
    /// [`Interest::NONE`] and back. Errors that end the listening reach the callback once, and the listener is removed.
    ///
    /// ```
    /// use fastsock::{Reactor, net::Listener};
    /// use std::io::{Read, Write};
    /// use std::net::TcpStream;
    /// # fn main() -> std::io::Result<()> {
    /// let listener = Listener::bind("127.0.0.1:0".parse().unwrap())?;
    /// let mut client = TcpStream::connect(listener.local_addr()?.ip().unwrap())?;
    /// let mut reactor = Reactor::<u32>::new()?;
    /// reactor.listen(listener, |_, clients, connection| {
    ///     *clients += 1;
    ///     let mut stream = TcpStream::from(connection?.into_fd()); // Non-blocking.
    ///     stream.write_all(b"bye")
    /// })?;
    /// let mut clients = 0;
    /// reactor.turn(&mut clients, None)?;
    /// let mut text = String::new();
    /// client.read_to_string(&mut text)?;
    /// assert_eq!((clients, &*text), (1, "bye"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn listen<F>(&mut self, listener: Listener, mut callback: F) -> Result<Token, AddError<Listener>>
    where
        F: FnMut(&mut Reactor<'fd, C>, &mut C, io::Result<Accepted>) -> io::Result<()> + 'fd,
        C: 'fd,
    {
        self.add(listener, Interest::READABLE, Trigger::Level, move |reactor, context, listener, event| {
            let token = event.token();
            let running = reactor.dispatching.clone();
            for _ in 0..listener.budget() {
                let goes_on = Rc::ptr_eq(&reactor.dispatching, &running) && !reactor.stopped;
                if !goes_on || !reactor.poller.is_watched(token) {
                    return; // Moved away, stopped, removed or paused: by this callback, or by another in this turn.
                }
                match listener.accept() {
                    Ok(Accept::Connection(connection)) => {
                        // The callback's error is about this connection, which it has dropped.
                        let _ = callback(reactor, context, Ok(connection));
                    }
                    Ok(Accept::WouldBlock) => return,
                    Ok(Accept::Paused(until)) => {
                        reactor.accept_failures += 1;
                        let resume = move |reactor: &mut Reactor<'fd, C>, _: &mut C, timer, _| {
                            // Fails for a listener removed meanwhile; or for want of memory, and then tries again.
                            if reactor.poller.resume(token).is_err() && reactor.contains(token) {
                                let _ = reactor.rearm_timer(timer, RESUME_AGAIN);
                            }
                        };
                        if reactor.timer_at(until, resume).is_ok() {
                            let _ = reactor.poller.pause(token);
                        }
                        return;
                    }
                    Err(error) => {
                        reactor.accept_failures += 1;
                        reactor.remove(token);
                        let _ = callback(reactor, context, Err(error));
                        return;
                    }
                }
            }
        })
    }

    /// Changes interest and trigger; see [`Poller::modify`](crate::Poller::modify).
    ///
    /// ```
    /// use fastsock::{Interest, Reactor, Trigger};
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// # let (here, _there) = std::os::unix::net::UnixStream::pair()?;
    /// let mut reactor = Reactor::<u32>::new()?;
    /// let token = reactor.add(here, Interest::READABLE, Trigger::Level, |_, calls, _, _| *calls += 1)?;
    /// let mut calls = 0;
    /// reactor.turn(&mut calls, Some(Duration::ZERO))?;
    /// reactor.modify(token, Interest::WRITABLE, Trigger::Level)?;
    /// reactor.turn(&mut calls, Some(Duration::ZERO))?;
    /// reactor.modify(token, Interest::NONE, Trigger::Level)?; // A pause: it stays registered.
    /// reactor.turn(&mut calls, Some(Duration::ZERO))?;
    /// assert_eq!(calls, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As there; `EINVAL` for a stream, which is [paused](crate::stream::Stream::pause) and resumed instead.
    pub fn modify(&mut self, token: Token, interest: Interest, mode: impl Into<Mode>) -> io::Result<()> {
        if self.is_stream(token) && self.poller.contains(token) {
            return Err(error::with(
                libc::EINVAL,
                "this is a stream, which knows what it waits for: pause() and resume() it",
            ));
        }
        self.poller.modify(token, interest, mode)
    }

    /// Lets an edge or one-shot source fire again if it is still ready; see [`Poller::rearm`](crate::Poller::rearm).
    ///
    /// ```
    /// use fastsock::{Interest, Reactor, Trigger};
    /// # fn main() -> std::io::Result<()> {
    /// # let (here, _there) = std::os::unix::net::UnixStream::pair()?;
    /// let mut reactor = Reactor::<u32>::new()?;
    /// reactor.add(here, Interest::WRITABLE, Trigger::OneShot, |reactor, calls, _, event| {
    ///     *calls += 1;
    ///     match *calls {
    ///         3 => reactor.stop(),
    ///         _ => reactor.rearm(event.token()).unwrap(),
    ///     }
    /// })?;
    /// let mut calls = 0;
    /// reactor.run(&mut calls)?;
    /// assert_eq!(calls, 3);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As there.
    pub fn rearm(&mut self, token: Token) -> io::Result<()> {
        self.poller.rearm(token)
    }

    /// Removes a source, stream, server, timer, waker or signal, and drops what was given with it. Synchronous and idempotent: no
    /// callback for it comes after this, and a stale token gives `false`. Inside its own callback the dropping waits for
    /// the callback's return.
    ///
    /// ```
    /// use fastsock::{Interest, Reactor, Trigger};
    /// use std::io::Read;
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// let (here, mut there) = std::os::unix::net::UnixStream::pair()?;
    /// let mut reactor = Reactor::<()>::new()?;
    /// let source = reactor.add(here, Interest::READABLE, Trigger::Level, |_, _, _, _| {})?;
    /// let timer = reactor.timer(Duration::from_secs(30), |_, _, _, _| {})?;
    /// assert!(reactor.remove(source) && reactor.remove(timer));
    /// assert!(!reactor.remove(source)); // Stale.
    /// assert_eq!(there.read(&mut [0; 1])?, 0); // It was closed.
    /// # Ok(())
    /// # }
    /// ```
    pub fn remove(&mut self, token: Token) -> bool {
        // Most of what there is of something, and the most short-lived.
        if token.is_timer() {
            return self.timers.cancel(token).is_some();
        }
        if token.is_source() {
            if !self.poller.contains(token) {
                return false;
            }
            if self.is_stream(token) {
                self.remove_stream(token);
                return true;
            }
            self.poller.remove(token);
            // Out of the slot first: its destructor may be the user's code.
            drop(self.take_handler(token));
            return true;
        }
        if token.is_server() {
            return self.remove_server(token);
        }
        self.notifies.remove(token).is_some() || self.signals.remove(token)
    }

    /// Looks at a source: a listener's counters, say. `None`: the token is stale, or the source is of another type, or
    /// this is its own callback (which holds it as `&mut S` already).
    ///
    /// ```
    /// use fastsock::{Reactor, net::Listener};
    /// # fn main() -> std::io::Result<()> {
    /// let mut reactor = Reactor::<()>::new()?;
    /// let token = reactor.listen(Listener::bind("127.0.0.1:0".parse().unwrap())?, |_, _, _| Ok(()))?;
    /// assert_eq!(reactor.source::<Listener>(token).map(|listener| listener.stats().accepted), Some(0));
    /// # Ok(())
    /// # }
    /// ```
    pub fn source<S: 'static>(&self, token: Token) -> Option<&S> {
        if !self.poller.contains(token) {
            return None;
        }
        self.handlers.get(token.slot() as usize)?.as_ref()?.source().downcast_ref()
    }

    /// Removes a source and gives it back; of a stream, its [`Socket`]. `None`, and nothing is removed: the token is stale, or the source is of
    /// another type, or this is its own callback (which holds it as `&mut S` already).
    ///
    /// ```
    /// use fastsock::{Interest, Reactor, Trigger};
    /// use std::io::Write;
    /// use std::os::unix::net::UnixStream;
    /// # fn main() -> std::io::Result<()> {
    /// let (here, mut there) = UnixStream::pair()?;
    /// let mut reactor = Reactor::<()>::new()?;
    /// let token = reactor.add(here, Interest::READABLE, Trigger::Level, |_, _, _, _| {})?;
    /// assert!(reactor.take::<std::net::TcpStream>(token).is_none()); // It is no such thing.
    /// let here: UnixStream = reactor.take(token).unwrap();
    /// there.write_all(b"open still")?;
    /// drop(here);
    /// # Ok(())
    /// # }
    /// ```
    pub fn take<S: 'static>(&mut self, token: Token) -> Option<S> {
        if !self.poller.contains(token) {
            return None;
        }
        if self.is_stream(token) {
            if TypeId::of::<S>() != TypeId::of::<Socket>() {
                return None;
            }
            let socket: Box<dyn Any> = Box::new(self.take_stream(token)?);
            return socket.downcast().ok().map(|source| *source);
        }
        if !self.handlers.get(token.slot() as usize)?.as_ref()?.source().is::<S>() {
            return None;
        }
        let handler = self.take_handler(token)?;
        self.poller.remove(token);
        handler.into_source().downcast().ok().map(|source| *source)
    }
}
