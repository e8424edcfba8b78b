//! Callbacks over a poller, timers, wakers, signals and children.

mod children;
mod dispatch;
mod embed;
mod handler;
mod measure;
mod server;
mod signals;
mod source;
mod stream;
mod submit;
mod timers;
mod wakers;

use std::cell::Cell;
use std::fmt;
use std::io;
use std::os::fd::RawFd;
use std::rc::Rc;
use std::time::Duration;

use crate::slab::Slab;
use crate::token::Kind;
use crate::{Backend, BusyPoll, Event, Poller, Stats, Time, TimerQueue, Token, error};
use embed::Embedded;
use handler::Handler;
use measure::Measure;
pub use server::Server;
use signals::Signals;
pub use source::AddError;
pub use stream::Stream;
use stream::Streams;
use submit::Jobs;
pub use submit::{SubmitError, Submitter};
use timers::Timer;
use wakers::Notify;

/// Calls back when sources are ready, timers are due, wakers are used, signals come or children end. One thread; the
/// only lock is that of a [`Submitter`]'s queue.
///
/// `'fd` is what its sources and callbacks may borrow: they are the reactor's own, or live longer than it does (as the
/// descriptors of a [`Poller`] do). It is mostly inferred; `Reactor<'static, C>` borrows nothing and goes anywhere.
/// `C` is a context of the caller's that every callback gets as `&mut C` (use `()` when there is none). Callbacks
/// also get the reactor itself, and may add, modify and remove anything, their own source included; a second
/// `run` from inside is an error (`EBUSY`). What a callback removes gets no further callback, not even for an event
/// that was harvested already.
///
/// It belongs to the thread that made it: what it holds, and so it itself, is not `Send`, as the compiler sees to.
/// Other threads have a [`Waker`](crate::Waker) or a [`Submitter`].
///
/// ```compile_fail,E0277
/// let mut reactor = fastsock::Reactor::<()>::new().unwrap();
/// std::thread::spawn(move || reactor.run(&mut ()));
/// ```
///
/// [`wait`](Self::wait) blocks and calls nothing; [`dispatch`](Self::dispatch) calls back and never blocks. A host with
/// a lock of its own (an interpreter's) lets go of it for the wait alone. [`run`](Self::run) is the two in turn.
///
/// | operation | cost |
/// |---|---|
/// | `add`, `modify`, `remove`, `rearm` | O(1), and an allocation for `add`; system calls as [`Poller`] |
/// | timers | see [`TimerQueue`]; no system call |
/// | `wait` | as [`Poller`] |
/// | dispatch of an event | O(1), no allocation |
///
/// An echo server:
///
/// ```
/// use fastsock::{Interest, Reactor, Trigger, net::Listener};
/// use std::io::{Read, Write};
/// use std::net::TcpStream;
///
/// fn main() -> std::io::Result<()> {
///     let mut reactor = Reactor::new()?;
///     let listener = Listener::bind("127.0.0.1:0".parse().unwrap())?; // Port 0: the kernel's choice.
/// #   let address = listener.local_addr()?.ip().unwrap();
/// #   let submitter = reactor.submitter()?;
/// #   let client = std::thread::spawn(move || -> std::io::Result<[u8; 5]> {
/// #       let mut stream = TcpStream::connect(address)?;
/// #       stream.write_all(b"hello")?;
/// #       let mut echo = [0; 5];
/// #       stream.read_exact(&mut echo)?;
/// #       submitter.submit(|reactor: &mut Reactor<'_, ()>, _| reactor.stop())?;
/// #       Ok(echo)
/// #   });
///     reactor.listen(listener, |reactor: &mut Reactor<'_, ()>, _, connection| {
///         let stream = TcpStream::from(connection?.into_fd());
///         reactor.add(stream, Interest::READABLE, Trigger::Level, |reactor, _, stream, event| {
///             let mut buffer = [0; 4096];
///             match stream.read(&mut buffer) {
///                 Ok(n) if n > 0 && stream.write_all(&buffer[..n]).is_ok() => {}
///                 Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {}
///                 _ => drop(reactor.remove(event.token())),
///             }
///         })?;
///         Ok(())
///     })?;
///     reactor.run(&mut ())?;
/// #   assert_eq!(&client.join().unwrap()?, b"hello");
///     Ok(())
/// }
/// ```
pub struct Reactor<'fd, C> {
    jobs: Jobs<'fd, C>,
    // Dropped in this order: the sources close before the set that watches them.
    handlers: Vec<Option<Box<dyn Handler<'fd, C> + 'fd>>>,
    streams: Streams<'fd, C>,
    servers: Slab<server::State<'fd, C>>,
    timers: TimerQueue<Timer<'fd, C>>,
    notifies: Slab<Notify<'fd, C>>,
    signals: Signals<'fd, C>,
    poller: Poller<'fd>,
    embedded: Option<Embedded>,
    /// What the last wait harvested, and how far dispatch has come.
    events: Vec<Event>,
    cursor: usize,
    /// The poller's removals at the last wait.
    harvested_at: u64,
    due: Vec<Token>,
    due_cursor: usize,
    /// How many wakers' places have been looked at in this turn.
    notified: u32,
    /// The last dispatch ended early.
    interrupted: bool,
    dispatching: Rc<Running<'fd, C>>,
    stopped: bool,
    timers_fired: u64,
    accept_failures: u64,
    closed_unasked: u64,
    measure: Measure,
}

/// What a reactor shares with its dispatch: a callback has `&mut Reactor` and may move the reactor elsewhere, with another
/// in its place.
struct Running<'fd, C> {
    /// Whether callbacks are being called.
    now: Cell<bool>,
    /// What moved the reactor away when it was called: it goes back to its place in the reactor's next dispatch.
    left_over: Cell<Option<Called<'fd, C>>>,
}

/// One dispatch.
struct Turn<'fd, C> {
    running: Rc<Running<'fd, C>>,
    called: Option<Called<'fd, C>>,
}

/// A callback that is being called, out of its place meanwhile: it may remove itself, and may reach everything else in
/// the reactor. Kept where a panic does not drop it before the kernel has let go of its source.
enum Called<'fd, C> {
    Source(Token, Box<dyn Handler<'fd, C> + 'fd>),
    /// With the error that it has returned.
    Stream(Token, stream::Callback<'fd, C>, Option<io::Error>),
    Timer(Token, timers::Callback<'fd, C>),
    Waker(Token, wakers::Callback<'fd, C>),
    Signal(Token, signals::Callback<'fd, C>),
}

impl<'fd, C> Called<'fd, C> {
    fn token(&self) -> Token {
        match *self {
            Called::Source(token, _)
            | Called::Stream(token, ..)
            | Called::Timer(token, _)
            | Called::Waker(token, _)
            | Called::Signal(token, _) => token,
        }
    }
}

impl<'fd, C> Reactor<'fd, C> {
    /// A reactor on the backend that [`Backend::from_env`] names.
    ///
    /// ```
    /// use fastsock::{Backend, Reactor};
    /// # fn main() -> std::io::Result<()> {
    /// let mut reactor = Reactor::<Vec<u8>>::new()?; // Every callback will get a `&mut Vec<u8>`.
    /// assert_eq!(reactor.backend(), Backend::from_env()?);
    /// reactor.run(&mut Vec::new())?; // Returns at once: nothing could ever call back.
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Poller::new`].
    pub fn new() -> io::Result<Reactor<'fd, C>> {
        Reactor::with_backend(Backend::from_env()?)
    }

    /// A reactor on this backend.
    ///
    /// ```
    /// use fastsock::{Backend, Reactor};
    /// # fn main() -> std::io::Result<()> {
    /// for &backend in Backend::ALL {
    ///     assert_eq!(Reactor::<()>::with_backend(backend)?.backend(), backend);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Poller::with_backend`].
    pub fn with_backend(backend: Backend) -> io::Result<Reactor<'fd, C>> {
        Ok(Reactor {
            jobs: Jobs::new(),
            handlers: Vec::new(),
            streams: Streams::new(),
            servers: Slab::new(Kind::Server),
            timers: TimerQueue::new(),
            notifies: Slab::new(Kind::Waker),
            signals: Signals::new(),
            poller: Poller::with_backend(backend)?,
            embedded: None,
            events: Vec::new(),
            cursor: 0,
            harvested_at: 0,
            due: Vec::new(),
            due_cursor: 0,
            notified: 0,
            interrupted: false,
            dispatching: Rc::new(Running { now: Cell::new(false), left_over: Cell::new(None) }),
            stopped: false,
            timers_fired: 0,
            accept_failures: 0,
            closed_unasked: 0,
            measure: Measure::default(),
        })
    }

    /// Which backend it waits with.
    ///
    /// ```
    /// use fastsock::{Backend, Reactor, Trigger};
    /// # fn main() -> std::io::Result<()> {
    /// let reactor = Reactor::<()>::with_backend(Backend::Select)?;
    /// let trigger = if reactor.backend().has_edge() { Trigger::Edge } else { Trigger::Level };
    /// assert_eq!(trigger, Trigger::Level);
    /// # Ok(())
    /// # }
    /// ```
    pub fn backend(&self) -> Backend {
        self.poller.backend()
    }

    /// The epoll descriptor, for watching this reactor from another loop; `None` on the other backends. Timers do not
    /// show in it, unless [`embed`](Self::embed) was called.
    ///
    /// ```
    /// use fastsock::{Backend, Interest, Poller, Reactor, Trigger};
    /// use std::os::fd::BorrowedFd;
    /// # fn main() -> std::io::Result<()> {
    /// # let (here, _there) = std::os::unix::net::UnixStream::pair()?;
    /// let mut reactor = Reactor::<()>::with_backend(Backend::Epoll)?;
    /// reactor.add(here, Interest::WRITABLE, Trigger::Level, |_, _, _, _| {})?;
    /// // SAFETY: the reactor outlives the poller.
    /// let fd = unsafe { BorrowedFd::borrow_raw(reactor.raw_fd().unwrap()) };
    /// let mut outer = Poller::new()?;
    /// outer.add(fd, Interest::READABLE, Trigger::Level)?;
    /// assert_eq!(outer.wait(&mut Vec::new(), None)?, 1); // Something is ready in the reactor.
    /// # Ok(())
    /// # }
    /// ```
    pub fn raw_fd(&self) -> Option<RawFd> {
        self.poller.raw_fd()
    }

    /// How its waits poll network devices; see [`Poller::busy_poll`].
    ///
    /// ```
    /// use fastsock::{Backend, Reactor};
    /// # fn main() -> std::io::Result<()> {
    /// let reactor = Reactor::<()>::with_backend(Backend::Poll)?;
    /// assert_eq!(fastsock::errno(&reactor.busy_poll().unwrap_err()), libc::EOPNOTSUPP);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As there.
    pub fn busy_poll(&self) -> io::Result<BusyPoll> {
        self.poller.busy_poll()
    }

    /// Sets [`busy_poll`](Self::busy_poll); see [`Poller::set_busy_poll`].
    ///
    /// ```
    /// use fastsock::{Backend, BusyPoll, Reactor};
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// let mut reactor = Reactor::<()>::with_backend(Backend::Epoll)?;
    /// let busy = BusyPoll { time: Duration::from_micros(50), ..BusyPoll::default() };
    /// match reactor.set_busy_poll(busy) {
    ///     Ok(()) => assert_eq!(reactor.busy_poll()?, busy),
    ///     Err(error) => assert!([libc::ENOTTY, libc::EOPNOTSUPP].contains(&fastsock::errno(&error))),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As there.
    pub fn set_busy_poll(&mut self, busy: BusyPoll) -> io::Result<()> {
        self.poller.set_busy_poll(busy)
    }

    /// Whether the token names a source, stream, server, timer, waker or signal of this reactor.
    ///
    /// ```
    /// use fastsock::Reactor;
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// let mut reactor = Reactor::<()>::new()?;
    /// let token = reactor.timer(Duration::ZERO, |_, _, _, _| {})?;
    /// assert!(reactor.contains(token));
    /// reactor.turn(&mut (), None)?;
    /// assert!(!reactor.contains(token)); // It has fired.
    /// # Ok(())
    /// # }
    /// ```
    pub fn contains(&self, token: Token) -> bool {
        self.poller.contains(token)
            || self.timers.contains(token)
            || self.notifies.contains(token)
            || self.signals.contains(token)
            || self.servers.contains(token)
    }

    /// Whether nothing is registered that could ever call back.
    ///
    /// ```
    /// use fastsock::Reactor;
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// let mut reactor = Reactor::<()>::new()?;
    /// let token = reactor.timer(Duration::from_secs(60), |_, _, _, _| {})?;
    /// assert!(!reactor.is_empty());
    /// reactor.remove(token);
    /// assert!(reactor.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub fn is_empty(&self) -> bool {
        let registered = self.poller.len() + self.timers.len() + self.notifies.len() + self.signals.len();
        registered == usize::from(self.embedded.is_some()) && self.jobs.is_empty() && !self.streams.has_noted()
    }

    /// Blocks until something is ready or due, or the timeout is over; calls nothing back. Returns the number of
    /// events harvested; timers that are due and wakers that were used come on top. What an earlier wait harvested
    /// and nobody dispatched makes it return at once, without a look at the kernel's set.
    ///
    /// ```
    /// use fastsock::{Interest, Reactor, Trigger};
    /// # fn main() -> std::io::Result<()> {
    /// # let (here, _there) = std::os::unix::net::UnixStream::pair()?;
    /// let mut reactor = Reactor::<u32>::new()?;
    /// reactor.add(here, Interest::WRITABLE, Trigger::Level, |_, calls, _, _| *calls += 1)?;
    /// assert_eq!(reactor.wait(None)?, 1); // Without the interpreter's lock, say.
    /// let mut calls = 0;
    /// reactor.dispatch(&mut calls)?; // With it.
    /// assert_eq!(calls, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `EINTR`: a signal came; see to it and wait again. `EBUSY`: called inside a callback. `ECHILD`: see
    /// [`reinit`](Self::reinit).
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<usize> {
        self.wait_at_most(usize::MAX, timeout)
    }

    /// As [`wait`](Self::wait), harvesting at most `limit` events.
    ///
    /// ```
    /// use fastsock::{Interest, Reactor, Trigger};
    /// # fn main() -> std::io::Result<()> {
    /// # let (a, b) = std::os::unix::net::UnixStream::pair()?;
    /// let mut reactor = Reactor::<u32>::new()?;
    /// reactor.add(a, Interest::WRITABLE, Trigger::Level, |_, calls, _, _| *calls += 1)?;
    /// reactor.add(b, Interest::WRITABLE, Trigger::Level, |_, calls, _, _| *calls += 1)?;
    /// assert_eq!(reactor.wait_at_most(1, None)?, 1);
    /// let mut calls = 0;
    /// assert_eq!(reactor.dispatch(&mut calls)?, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`wait`](Self::wait); `EINVAL` for a limit of 0.
    pub fn wait_at_most(&mut self, limit: usize, timeout: Option<Duration>) -> io::Result<usize> {
        self.not_dispatching()?;
        self.poller.same_process()?;
        self.put_left_over_back();
        if self.has_left_over() {
            return Ok(self.events.len() - self.cursor);
        }
        self.flush_cork();
        let mut timeout = timeout;
        if self.streams.is_marked() || self.next_due().is_some() {
            let now = Time::now();
            self.streams.stamp(now);
            if let Some(deadline) = self.next_due() {
                let left = now.until(deadline);
                timeout = Some(timeout.map_or(left, |t| t.min(left)));
            }
        }
        (self.cursor, self.interrupted) = (0, false);
        self.harvested_at = self.poller.removals();
        let begun = self.measure.begin();
        let result = self.poller.wait_at_most(&mut self.events, limit, timeout);
        self.measure.waited(begun);
        if result.is_err() {
            self.events.clear();
        }
        result
    }

    /// One `wait` and one `dispatch`. Returns the number of callbacks called.
    ///
    /// ```
    /// use fastsock::{Interest, Reactor, Trigger};
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// # let (here, _there) = std::os::unix::net::UnixStream::pair()?;
    /// let mut reactor = Reactor::<u32>::new()?;
    /// reactor.add(here, Interest::WRITABLE, Trigger::OneShot, |_, calls, _, _| *calls += 1)?;
    /// let mut calls = 0;
    /// assert_eq!(reactor.turn(&mut calls, None)?, 1);
    /// assert_eq!(reactor.turn(&mut calls, Some(Duration::ZERO))?, 0); // Nothing is ready: timed out.
    /// assert_eq!(calls, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`wait`](Self::wait).
    pub fn turn(&mut self, context: &mut C, timeout: Option<Duration>) -> io::Result<usize> {
        self.wait(timeout)?;
        self.dispatch(context)
    }

    /// Turns until [`stop`](Self::stop) is called or nothing is registered any more. A `stop` from before makes it
    /// return at once, whether it came from a callback of a [`turn`](Self::turn) or from outside.
    ///
    /// ```
    /// use fastsock::Reactor;
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// let mut reactor = Reactor::<Vec<&str>>::new()?;
    /// reactor.timer(Duration::from_millis(2), |_, log, _, _| log.push("second"))?;
    /// reactor.timer(Duration::from_millis(1), |_, log, _, _| log.push("first"))?;
    /// let mut log = Vec::new();
    /// reactor.run(&mut log)?; // Until both have fired, and nothing is left.
    /// assert_eq!(log, ["first", "second"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `EBUSY`: called inside a callback. `ECHILD`: see [`reinit`](Self::reinit). Interrupted waits are taken up again.
    pub fn run(&mut self, context: &mut C) -> io::Result<()> {
        while !self.stopped && !self.is_empty() {
            match self.wait(None) {
                Ok(_) => {
                    self.deliver_guarded(context, |_, _| {});
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.stopped = false;
        Ok(())
    }

    /// Makes [`run`](Self::run) return after the callback that is running, or at once the next time it is called; and
    /// makes a [`dispatch`](Self::dispatch) end after the callback that is running. What was harvested and not yet
    /// dispatched waits for the next `run` or `dispatch`.
    ///
    /// ```
    /// use fastsock::Reactor;
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// let mut reactor = Reactor::<()>::new()?;
    /// reactor.timer(Duration::ZERO, |reactor, _, _, _| reactor.stop())?;
    /// let never = reactor.timer(Duration::from_secs(3600), |_, _, _, _| unreachable!())?;
    /// reactor.run(&mut ())?;
    /// assert!(reactor.contains(never)); // It is there still, for another `run`.
    /// # Ok(())
    /// # }
    /// ```
    pub fn stop(&mut self) {
        self.stopped = true;
    }

    /// Whether [`stop`](Self::stop) was called and neither `run` nor `dispatch` since: for a host with a loop of its own.
    ///
    /// ```
    /// use fastsock::Reactor;
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// let mut reactor = Reactor::<u32>::new()?;
    /// reactor.timer(Duration::ZERO, |reactor, turns, _, _| {
    ///     *turns += 1;
    ///     reactor.stop();
    /// })?;
    /// let mut turns = 0;
    /// while !reactor.is_stopped() {
    ///     reactor.turn(&mut turns, None)?;
    /// }
    /// assert_eq!(turns, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// After fork(2), in the child: makes the kernel's set anew, and from then on gets the signals of this process; see
    /// [`Poller::reinit`].
    ///
    /// ```
    /// use fastsock::Reactor;
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// let mut reactor = Reactor::<bool>::new()?;
    /// reactor.timer(Duration::ZERO, |_, fired, _, _| *fired = true)?;
    /// // SAFETY: this process has one thread, and the child leaves by `_exit`.
    /// match unsafe { libc::fork() } {
    ///     0 => {
    ///         let mut fired = false;
    ///         let is_refused = reactor.run(&mut fired).is_err(); // It is the parent's.
    ///         let works = reactor.reinit().is_ok() && reactor.run(&mut fired).is_ok();
    ///         unsafe { libc::_exit(if is_refused && works && fired { 0 } else { 1 }) }
    ///     }
    ///     child => {
    ///         let mut status = 0;
    ///         assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    ///         assert_eq!(status, 0);
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Poller::reinit`].
    pub fn reinit(&mut self) -> io::Result<()> {
        self.poller.reinit()?;
        self.interrupted = false;
        self.signals.renew();
        self.renew_embedded()
    }

    /// The counters.
    ///
    /// ```
    /// use fastsock::Reactor;
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// let mut reactor = Reactor::<()>::new()?;
    /// reactor.timer(Duration::ZERO, |_, _, _, _| {})?;
    /// reactor.run(&mut ())?;
    /// let stats = reactor.stats();
    /// assert_eq!((stats.timers_fired, stats.events), (1, 0));
    /// assert!(stats.turns >= 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn stats(&self) -> Stats {
        Stats {
            timers_fired: self.timers_fired,
            accept_failures: self.accept_failures,
            closed_unasked: self.closed_unasked,
            idle: self.measure.idle,
            longest_callback: self.measure.longest_callback,
            ..self.poller.stats()
        }
    }

    /// When there is something to do, though the poller reports nothing.
    #[inline]
    fn next_due(&self) -> Option<Time> {
        if self.streams.has_pending() {
            return Some(Time::from_nanos(0));
        }
        match (self.timers.next_deadline(), self.streams.timers.next_deadline()) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }

    /// Whether something was harvested that nobody has dispatched yet.
    #[inline]
    fn has_left_over(&self) -> bool {
        self.cursor < self.events.len()
            || self.due_cursor < self.due.len()
            || if self.interrupted { self.has_unfinished() } else { self.poller.is_woken() }
    }

    /// Of a dispatch that ended early: whether anything but events and timers has not had its turn.
    #[cold]
    fn has_unfinished(&self) -> bool {
        let woken = self.poller.is_woken();
        let called = self.notified >= self.notifies.slots() && self.jobs.is_done() && !self.signals.has_pending();
        self.streams.owes() || (woken && !called)
    }

    fn not_dispatching(&self) -> io::Result<()> {
        if self.dispatching.now.get() {
            return Err(error::with(
                libc::EBUSY,
                "the reactor is running already: inside a callback, return instead of waiting",
            ));
        }
        Ok(())
    }
}

impl<'fd, C> fmt::Debug for Reactor<'fd, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor").field("poller", &self.poller).field("timers", &self.timers.len()).finish()
    }
}
