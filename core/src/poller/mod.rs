mod renew;

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

use crate::slab::Slab;
use crate::sync::Arc;
use crate::sys::socket::pollable;
use crate::sys::{Selector, busy_poll, fork};
use crate::token::Kind;
use crate::waker::{Shared, Waker};
use crate::{Backend, BusyPoll, Event, Interest, Mode, Stats, Token, Trigger, error};

struct Source {
    fd: RawFd,
    mode: Mode,
    /// Whether the backend watches it now: not while the interest is `NONE`.
    watched: bool,
    /// A one-shot source that has fired.
    spent: bool,
    /// The backend found its descriptor closed: the number may be another file's by now.
    gone: bool,
}

/// Waits for many descriptors at once, poll-style: [`add`](Self::add) some, [`wait`](Self::wait), look at the events.
///
/// The lifetime is that of the descriptors it watches; with [`add_raw`](Self::add_raw) alone it is `Poller<'static>`.
/// A poller belongs to one thread at a time (it is `Send`, and everything takes `&mut self`); only its
/// [`Waker`] may be used from others. For callbacks, timers and sources that the loop owns, see
/// [`Reactor`](crate::Reactor).
///
/// | operation | cost |
/// |---|---|
/// | `add`, `modify`, `remove`, `rearm` | O(1); one system call with epoll, with poll and select one for `add` |
/// | `wait` | one system call; O(ready) with epoll, O(watched) with poll, O(highest descriptor) with select |
///
/// ```
/// use fastsock::{Interest, Poller, Trigger};
/// use std::io::Write;
/// use std::os::fd::AsFd;
/// # fn main() -> std::io::Result<()> {
/// let (a, mut b) = std::os::unix::net::UnixStream::pair()?;
/// let mut poller = Poller::new()?;
/// let token = poller.add(a.as_fd(), Interest::READABLE, Trigger::Level)?;
/// b.write_all(b"hello")?;
/// let mut events = Vec::new();
/// poller.wait(&mut events, None)?;
/// assert_eq!(events[0].token(), token);
/// assert!(events[0].is_readable());
/// # Ok(())
/// # }
/// ```
pub struct Poller<'fd> {
    selector: Selector,
    sources: Slab<Source>,
    /// Descriptor -> slot + 1 of its source.
    slots: Vec<u32>,
    waker: Option<Arc<Shared>>,
    woken: bool,
    stats: Stats,
    /// What was asked for, for the next set; `None`: nothing.
    busy_poll: Option<BusyPoll>,
    generation: u32,
    removals: u64,
    lifetime: PhantomData<BorrowedFd<'fd>>,
}

impl<'fd> Poller<'fd> {
    /// A poller on the backend that [`Backend::from_env`] names.
    ///
    /// ```
    /// use fastsock::Poller;
    /// # fn main() -> std::io::Result<()> {
    /// let poller = Poller::new()?;
    /// assert!(poller.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE` or `ENOMEM` from epoll_create1(2); `EINVAL` for an unknown word in `FASTSOCK_BACKEND`.
    pub fn new() -> io::Result<Poller<'fd>> {
        Poller::with_backend(Backend::from_env()?)
    }

    /// A poller on this backend.
    ///
    /// ```
    /// use fastsock::{Backend, Poller};
    /// # fn main() -> std::io::Result<()> {
    /// for &backend in Backend::ALL {
    ///     assert_eq!(Poller::with_backend(backend)?.backend(), backend);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`new`](Self::new); `EOPNOTSUPP` for epoll where there is none.
    pub fn with_backend(backend: Backend) -> io::Result<Poller<'fd>> {
        fork::watch();
        Ok(Poller {
            selector: Selector::new(backend)?,
            sources: Slab::new(Kind::Source),
            slots: Vec::new(),
            waker: None,
            woken: false,
            stats: Stats::default(),
            busy_poll: None,
            generation: fork::generation(),
            removals: 0,
            lifetime: PhantomData,
        })
    }

    /// Which backend it waits with.
    ///
    /// ```
    /// use fastsock::{Backend, Poller};
    /// # fn main() -> std::io::Result<()> {
    /// let poller = Poller::with_backend(Backend::Poll)?;
    /// assert_eq!(poller.backend(), Backend::Poll);
    /// assert!(!poller.backend().has_edge());
    /// # Ok(())
    /// # }
    /// ```
    pub fn backend(&self) -> Backend {
        self.selector.backend()
    }

    /// Watches a descriptor for as long as it is borrowed.
    ///
    /// ```
    /// use fastsock::{Interest, Poller, Trigger};
    /// use std::os::fd::AsFd;
    /// # fn main() -> std::io::Result<()> {
    /// let (here, _there) = std::os::unix::net::UnixStream::pair()?;
    /// let mut poller = Poller::new()?;
    /// let token = poller.add(here.as_fd(), Interest::READABLE, Trigger::Level)?;
    /// assert!(poller.contains(token));
    /// let error = poller.add(here.as_fd(), Interest::WRITABLE, Trigger::Level).unwrap_err();
    /// assert_eq!(fastsock::errno(&error), libc::EEXIST);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `EEXIST`: it is watched already (use [`modify`](Self::modify)). `EPERM`: a regular file or directory, which is
    /// always ready (epoll alone refuses devices like /dev/null as well). `EOPNOTSUPP`: the backend has no such
    /// trigger. `EINVAL`: exclusive one-shot, or exclusive with `PRIORITY`. `ECHILD`: see [`reinit`](Self::reinit).
    /// `ENOSPC`, `ENOMEM` and the like: epoll_ctl(2).
    pub fn add(&mut self, fd: BorrowedFd<'fd>, interest: Interest, mode: impl Into<Mode>) -> io::Result<Token> {
        // SAFETY: the borrow keeps the descriptor open for as long as this poller can be used.
        unsafe { self.add_raw(fd.as_raw_fd(), interest, mode) }
    }

    /// Watches a descriptor by its number.
    ///
    /// ```
    /// use fastsock::{Interest, Poller, Trigger};
    /// use std::os::fd::AsRawFd;
    /// # fn main() -> std::io::Result<()> {
    /// let (here, there) = std::os::unix::net::UnixStream::pair()?;
    /// let mut poller = Poller::new()?;
    /// // SAFETY: removed before `here` is closed.
    /// let token = unsafe { poller.add_raw(here.as_raw_fd(), Interest::READABLE, Trigger::Level) }?;
    /// drop(there);
    /// let mut events = Vec::new();
    /// assert_eq!(poller.wait(&mut events, None)?, 1);
    /// assert!(poller.remove(token));
    /// drop(here);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Safety
    /// The descriptor stays open until [`remove`](Self::remove) is called with the token, or until the poller is
    /// dropped: the number may be someone else's descriptor after that.
    ///
    /// # Errors
    /// As [`add`](Self::add); `EBADF` when it is not open.
    pub unsafe fn add_raw(&mut self, fd: RawFd, interest: Interest, mode: impl Into<Mode>) -> io::Result<Token> {
        // SAFETY: promised by the caller.
        unsafe { self.replace_raw(fd, interest, mode) }.map(|(token, _)| token)
    }

    /// As [`add_raw`](Self::add_raw); tells also which token went stale by it, for the number was known already and has
    /// been closed since.
    ///
    /// # Safety
    /// As there.
    pub(crate) unsafe fn replace_raw(
        &mut self,
        fd: RawFd,
        interest: Interest,
        mode: impl Into<Mode>,
    ) -> io::Result<(Token, Option<Token>)> {
        self.same_process()?;
        let mode = mode.into().with_interest(interest);
        self.selector.supports(mode)?;
        let previous = self.token_of(fd);
        let watched = !interest.is_none();
        let token = self.sources.insert(Source { fd, mode, watched, spent: false, gone: false })?;
        if let Err(error) = self.enter(token, previous) {
            self.sources.remove(token);
            return Err(error);
        }
        if let Some(previous) = previous {
            // The number is open anew, so what we knew by it was closed behind our back: that token is stale now, and
            // removing it must not touch the newcomer.
            self.sources.remove(previous);
            self.removals += 1;
        }
        // Only now, for a number that is not open may be any number.
        let index = fd as usize;
        if self.slots.len() <= index {
            self.slots.resize(index + 1, 0);
        }
        self.slots[index] = token.slot() + 1;
        Ok((token, previous))
    }

    fn token_of(&self, fd: RawFd) -> Option<Token> {
        let slot = *self.slots.get(usize::try_from(fd).ok()?)?;
        self.sources.token_at(slot.checked_sub(1)?)
    }

    /// Puts a new source into the backend's set, or finds out what speaks against it.
    fn enter(&mut self, token: Token, previous: Option<Token>) -> io::Result<()> {
        let Some(&Source { fd, mode, watched, .. }) = self.sources.get(token) else { return Err(error::stale()) };
        if let Some(known) = previous.and_then(|previous| self.sources.get(previous)) {
            // Of what the backend watches, it knows best whether the number was closed meanwhile.
            if !known.gone && (!known.watched || !watched) {
                return Err(explain(io::Error::from_raw_os_error(libc::EEXIST)));
            }
        }
        let mut result = if watched { self.selector.add(fd, token.to_bits(), mode) } else { pollable(fd) };
        if previous.is_none() && matches!(&result, Err(error) if error.raw_os_error() == Some(libc::EEXIST)) {
            // The backend knows what we do not: a source removed only after its number was closed, whose file a
            // duplicate kept open, and has now brought back to that number.
            result = self.selector.remove(fd).and_then(|()| self.selector.add(fd, token.to_bits(), mode));
        }
        result.map_err(explain)
    }

    /// Changes interest, trigger or both. An edge or one-shot source that is ready now fires (again).
    ///
    /// ```
    /// use fastsock::{Interest, Poller, Trigger};
    /// use std::os::fd::AsFd;
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// # let (here, _there) = std::os::unix::net::UnixStream::pair()?;
    /// let mut poller = Poller::new()?;
    /// let token = poller.add(here.as_fd(), Interest::READABLE, Trigger::Level)?;
    /// let mut events = Vec::new();
    /// assert_eq!(poller.wait(&mut events, Some(Duration::ZERO))?, 0);
    /// poller.modify(token, Interest::READABLE | Interest::WRITABLE, Trigger::Level)?; // There is something to write.
    /// assert_eq!(poller.wait(&mut events, None)?, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `ENOENT`: stale token. `EBADF`: the descriptor was closed while it was registered (poll and select know that only
    /// after a wait). `EOPNOTSUPP`, `EINVAL`, `ECHILD` as [`add`](Self::add).
    pub fn modify(&mut self, token: Token, interest: Interest, mode: impl Into<Mode>) -> io::Result<()> {
        self.same_process()?;
        let mode = mode.into().with_interest(interest);
        self.selector.supports(mode)?;
        let source = self.sources.get_mut(token).ok_or_else(error::stale)?;
        if source.gone {
            return Err(closed());
        }
        // EPOLL_CTL_MOD refuses what is or was exclusive (epoll_ctl(2)).
        let in_place = source.watched && !interest.is_none() && !source.mode.is_exclusive() && !mode.is_exclusive();
        if in_place {
            self.selector.modify(source.fd, token.to_bits(), mode).map_err(or_closed)?;
        } else {
            if source.watched {
                self.selector.remove(source.fd).map_err(or_closed)?;
                source.watched = false;
            }
            if !interest.is_none() {
                self.selector.add(source.fd, token.to_bits(), mode).map_err(or_closed)?;
                source.watched = true;
            }
        }
        source.mode = mode;
        source.spent = false;
        Ok(())
    }

    /// Takes a source out of the kernel's set until [`resume`](Self::resume), whatever its interest, which stays.
    pub(crate) fn pause(&mut self, token: Token) -> io::Result<()> {
        self.same_process()?;
        let source = self.sources.get_mut(token).ok_or_else(error::stale)?;
        if source.watched {
            self.selector.remove(source.fd)?;
            source.watched = false;
        }
        Ok(())
    }

    /// Ends a [`pause`](Self::pause), unless a `modify` has done so, or has taken the interest away.
    pub(crate) fn resume(&mut self, token: Token) -> io::Result<()> {
        self.same_process()?;
        let source = self.sources.get_mut(token).ok_or_else(error::stale)?;
        if !source.watched && !source.gone && !source.mode.interest().is_none() {
            self.selector.add(source.fd, token.to_bits(), source.mode)?;
            source.watched = true;
        }
        Ok(())
    }

    /// Whether events of this source are reported now.
    pub(crate) fn is_watched(&self, token: Token) -> bool {
        self.sources.get(token).is_some_and(|source| source.watched)
    }

    /// Lets an edge or one-shot source fire again if it is still ready: for whoever stops before `EWOULDBLOCK`.
    /// Nothing changes for a level source.
    ///
    /// ```
    /// use fastsock::{Interest, Poller, Trigger};
    /// use std::os::fd::AsFd;
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// # let (here, _there) = std::os::unix::net::UnixStream::pair()?;
    /// let mut poller = Poller::new()?;
    /// let token = poller.add(here.as_fd(), Interest::WRITABLE, Trigger::OneShot)?;
    /// let mut events = Vec::new();
    /// assert_eq!(poller.wait(&mut events, None)?, 1);
    /// assert_eq!(poller.wait(&mut events, Some(Duration::ZERO))?, 0); // It has had its one shot.
    /// poller.rearm(token)?;
    /// assert_eq!(poller.wait(&mut events, None)?, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`modify`](Self::modify).
    pub fn rearm(&mut self, token: Token) -> io::Result<()> {
        let source = self.sources.get(token).ok_or_else(error::stale)?;
        match source.mode.trigger() {
            Trigger::Level => Ok(()),
            _ => self.modify(token, source.mode.interest(), source.mode),
        }
    }

    /// Stops watching. No event of this token comes after this, not even one that was ready. Idempotent: `false`
    /// when the token was stale.
    ///
    /// ```
    /// use fastsock::{Interest, Poller, Trigger};
    /// use std::os::fd::AsFd;
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// # let (here, _there) = std::os::unix::net::UnixStream::pair()?;
    /// let mut poller = Poller::new()?;
    /// let token = poller.add(here.as_fd(), Interest::WRITABLE, Trigger::Level)?;
    /// assert!(poller.remove(token));
    /// assert!(!poller.remove(token)); // Stale now.
    /// assert_eq!(poller.wait(&mut Vec::new(), Some(Duration::ZERO))?, 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn remove(&mut self, token: Token) -> bool {
        let Some(source) = self.sources.remove(token) else { return false };
        self.removals += 1;
        self.slots[source.fd as usize] = 0;
        // After an unannounced fork the set is the parent's as well: a removal here would be a removal there.
        if source.watched && self.generation == fork::generation() {
            // Closed already (EBADF, ENOENT): then the kernel has forgotten it by itself, or its stale events will be
            // recognised and cured in `wait`.
            let _ = self.selector.remove(source.fd);
        }
        true
    }

    /// Whether the token names a source that is watched now.
    ///
    /// ```
    /// use fastsock::{Interest, Poller, Trigger};
    /// use std::os::fd::AsFd;
    /// # fn main() -> std::io::Result<()> {
    /// # let (here, _there) = std::os::unix::net::UnixStream::pair()?;
    /// let mut poller = Poller::new()?;
    /// let token = poller.add(here.as_fd(), Interest::NONE, Trigger::Level)?;
    /// assert!(poller.contains(token));
    /// poller.remove(token);
    /// assert!(!poller.contains(token));
    /// # Ok(())
    /// # }
    /// ```
    #[inline]
    pub fn contains(&self, token: Token) -> bool {
        self.sources.contains(token)
    }

    /// How often a token went stale: while this stays the same, a token that was good still is.
    #[inline]
    pub(crate) fn removals(&self) -> u64 {
        self.removals
    }

    /// How many sources are registered.
    ///
    /// ```
    /// use fastsock::{Interest, Poller, Trigger};
    /// use std::os::fd::AsFd;
    /// # fn main() -> std::io::Result<()> {
    /// # let (here, there) = std::os::unix::net::UnixStream::pair()?;
    /// let mut poller = Poller::new()?;
    /// poller.waker()?; // Does not count.
    /// poller.add(here.as_fd(), Interest::READABLE, Trigger::Level)?;
    /// poller.add(there.as_fd(), Interest::NONE, Trigger::Level)?;
    /// assert_eq!(poller.len(), 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn len(&self) -> usize {
        self.sources.len()
    }

    /// Whether no source is registered.
    ///
    /// ```
    /// use fastsock::{Interest, Poller, Trigger};
    /// use std::os::fd::AsFd;
    /// # fn main() -> std::io::Result<()> {
    /// # let (here, _there) = std::os::unix::net::UnixStream::pair()?;
    /// let mut poller = Poller::new()?;
    /// assert!(poller.is_empty());
    /// poller.add(here.as_fd(), Interest::READABLE, Trigger::Level)?;
    /// assert!(!poller.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits until a source is ready, the waker is used, or the timeout (nanosecond resolution, never early) is over;
    /// `None` waits without end. Replaces what is in `events`; returns how many there are. 0 is a timeout, a wake-up
    /// ([`take_woken`](Self::take_woken) tells), or an event that turned out to be stale ([`Stats::stale_events`]).
    ///
    /// ```
    /// use fastsock::{Interest, Poller, Trigger};
    /// use std::io::Write;
    /// use std::os::fd::AsFd;
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// # let (here, mut there) = std::os::unix::net::UnixStream::pair()?;
    /// let mut poller = Poller::new()?;
    /// let token = poller.add(here.as_fd(), Interest::READABLE, Trigger::Level)?;
    /// let mut events = Vec::with_capacity(64); // Used again for every wait.
    /// assert_eq!(poller.wait(&mut events, Some(Duration::from_millis(1)))?, 0); // Timed out.
    /// there.write_all(b"hello")?;
    /// assert_eq!(poller.wait(&mut events, Some(Duration::MAX))?, 1);
    /// assert_eq!(events[0].token(), token);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `EINTR` (`ErrorKind::Interrupted`): a signal came. It is reported, so that a host can run its handlers; call
    /// again with what is left of the time. `ECHILD`: the process has forked since; see [`reinit`](Self::reinit).
    pub fn wait(&mut self, events: &mut Vec<Event>, timeout: Option<Duration>) -> io::Result<usize> {
        self.wait_at_most(events, usize::MAX, timeout)
    }

    /// As [`wait`](Self::wait), with at most `limit` events; the others stay for the next wait, in turn.
    ///
    /// ```
    /// use fastsock::{Interest, Poller, Trigger};
    /// use std::os::fd::AsFd;
    /// # fn main() -> std::io::Result<()> {
    /// # let (a, b) = std::os::unix::net::UnixStream::pair()?;
    /// let mut poller = Poller::new()?;
    /// poller.add(a.as_fd(), Interest::WRITABLE, Trigger::OneShot)?;
    /// poller.add(b.as_fd(), Interest::WRITABLE, Trigger::OneShot)?;
    /// let mut events = Vec::new();
    /// assert_eq!(poller.wait_at_most(&mut events, 1, None)?, 1);
    /// let first = events[0].token();
    /// assert_eq!(poller.wait_at_most(&mut events, 1, None)?, 1);
    /// assert_ne!(events[0].token(), first); // In turn.
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`wait`](Self::wait); `EINVAL` for a limit of 0.
    pub fn wait_at_most(
        &mut self,
        events: &mut Vec<Event>,
        limit: usize,
        timeout: Option<Duration>,
    ) -> io::Result<usize> {
        events.clear();
        if limit == 0 {
            return Err(error::with(libc::EINVAL, "room for no event: the limit must be at least 1"));
        }
        self.same_process()?;
        let (mut closed, mut unknown, mut woken) = (0, 0, false);
        let sources = &mut self.sources;
        let result = self.selector.wait(limit, timeout, |key, ready| {
            let Some(token) = Token::from_bits(key) else {
                woken = true;
                return;
            };
            match sources.get_mut(token) {
                Some(source) if !ready.is_none() => {
                    source.spent = source.mode.trigger() == Trigger::OneShot;
                    events.push(Event::new(token, ready));
                }
                Some(source) => {
                    (source.watched, source.gone) = (false, true);
                    closed += 1;
                }
                None => unknown += 1,
            }
        });
        self.stats.turns += 1;
        result?;
        self.stats.events += events.len() as u64;
        if woken {
            self.on_wake();
        }
        self.stats.stale_events += closed + unknown;
        if unknown > 0 {
            // Should there be no room for a second set now, the old one goes on, and the next stale event tries again:
            // an error here would lose the events beside it.
            let _ = self.rebuild();
        }
        Ok(events.len())
    }

    #[cold]
    fn on_wake(&mut self) {
        self.woken = true;
        self.stats.wakeups += 1;
        if let Some(shared) = &self.waker {
            // An edge is used up by being reported; a level must be taken down.
            if !self.selector.backend().has_edge() {
                shared.drain();
            }
            shared.rest();
        }
    }

    /// Whether the waker has been used since the last call.
    ///
    /// ```
    /// use fastsock::Poller;
    /// # fn main() -> std::io::Result<()> {
    /// let mut poller = Poller::new()?;
    /// poller.waker()?.wake()?;
    /// assert_eq!(poller.wait(&mut Vec::new(), None)?, 0);
    /// assert!(poller.take_woken());
    /// assert!(!poller.take_woken()); // Told once.
    /// # Ok(())
    /// # }
    /// ```
    #[inline]
    pub fn take_woken(&mut self) -> bool {
        std::mem::take(&mut self.woken)
    }

    #[inline]
    pub(crate) fn is_woken(&self) -> bool {
        self.woken
    }

    /// A handle by which any thread can end this poller's wait.
    ///
    /// ```
    /// use fastsock::Poller;
    /// # fn main() -> std::io::Result<()> {
    /// let mut poller = Poller::new()?;
    /// let waker = poller.waker()?;
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| waker.wake());
    ///     poller.wait(&mut Vec::new(), None) // Without end, but for the waker.
    /// })?;
    /// assert!(poller.take_woken());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `EMFILE` and the like from eventfd(2), the first time.
    pub fn waker(&mut self) -> io::Result<Waker> {
        self.same_process()?;
        if let Some(shared) = &self.waker {
            return Ok(Waker::new(shared.clone()));
        }
        let shared = Arc::new(Shared::new()?);
        self.take_number(shared.raw_fd());
        renew::watch_waker(&mut self.selector, &shared)?;
        self.waker = Some(shared.clone());
        Ok(Waker::new(shared))
    }

    /// A number that is a new descriptor of ours: whatever was known by it was closed behind our back, and neither its removal
    /// nor a change of it must touch what is ours.
    pub(crate) fn take_number(&mut self, fd: RawFd) {
        let Some(source) = self.token_of(fd).and_then(|token| self.sources.get_mut(token)) else { return };
        if source.watched {
            // Fails where the backend knows already that it is gone.
            let _ = self.selector.remove(fd);
        }
        (source.watched, source.gone) = (false, true);
    }

    /// The counters.
    ///
    /// ```
    /// use fastsock::Poller;
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// let mut poller = Poller::new()?;
    /// poller.wait(&mut Vec::new(), Some(Duration::ZERO))?;
    /// assert_eq!((poller.stats().turns, poller.stats().events), (1, 0));
    /// # Ok(())
    /// # }
    /// ```
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// How its waits poll network devices, as the kernel has it now.
    ///
    /// ```
    /// use fastsock::{Backend, BusyPoll, Poller};
    /// # fn main() -> std::io::Result<()> {
    /// let poller = Poller::with_backend(Backend::Epoll)?;
    /// match poller.busy_poll() {
    ///     Ok(busy) => assert_eq!(busy, BusyPoll::default()),
    ///     Err(error) => assert!([libc::ENOTTY, libc::EOPNOTSUPP].contains(&fastsock::errno(&error))),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `EOPNOTSUPP`: another backend than epoll, or a kernel without busy polling. `ENOTTY`: a kernel older than Linux 6.9.
    /// `ECHILD`: see [`reinit`](Self::reinit).
    pub fn busy_poll(&self) -> io::Result<BusyPoll> {
        self.same_process()?;
        let fd = self.raw_fd().ok_or_else(BusyPoll::no_backend)?;
        busy_poll::get(fd).map(BusyPoll::from_params).map_err(BusyPoll::explain)
    }

    /// Sets [`busy_poll`](Self::busy_poll), from the next wait on. [`reinit`](Self::reinit) keeps it.
    ///
    /// ```
    /// use fastsock::{Backend, BusyPoll, Poller};
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// let mut poller = Poller::with_backend(Backend::Epoll)?;
    /// let busy = BusyPoll { time: Duration::from_micros(20), ..BusyPoll::default() };
    /// match poller.set_busy_poll(busy) {
    ///     Ok(()) => assert_eq!(poller.busy_poll()?.time, Duration::from_micros(20)),
    ///     Err(error) => assert!([libc::ENOTTY, libc::EOPNOTSUPP].contains(&fastsock::errno(&error))),
    /// }
    /// let error = poller.set_busy_poll(BusyPoll { time: Duration::MAX, ..busy }).unwrap_err();
    /// assert_eq!(fastsock::errno(&error), libc::EINVAL);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As there. `EINVAL`: a time beyond 35 minutes. `EPERM`: a budget above 64 without `CAP_NET_ADMIN`.
    pub fn set_busy_poll(&mut self, busy: BusyPoll) -> io::Result<()> {
        self.same_process()?;
        let fd = self.raw_fd().ok_or_else(BusyPoll::no_backend)?;
        busy_poll::set(fd, busy.params()?).map_err(BusyPoll::explain)?;
        self.busy_poll = Some(busy);
        Ok(())
    }

    /// The epoll descriptor, for watching this poller from another one; `None` on the other backends.
    ///
    /// ```
    /// use fastsock::{Backend, Interest, Poller, Trigger};
    /// use std::os::fd::{AsFd, BorrowedFd};
    /// # fn main() -> std::io::Result<()> {
    /// # let (here, _there) = std::os::unix::net::UnixStream::pair()?;
    /// let mut inner = Poller::with_backend(Backend::Epoll)?;
    /// inner.add(here.as_fd(), Interest::WRITABLE, Trigger::Level)?;
    /// // SAFETY: the inner poller outlives the outer one.
    /// let fd = unsafe { BorrowedFd::borrow_raw(inner.raw_fd().unwrap()) };
    /// let mut outer = Poller::new()?;
    /// outer.add(fd, Interest::READABLE, Trigger::Level)?;
    /// assert_eq!(outer.wait(&mut Vec::new(), None)?, 1); // Something is ready in the inner one.
    /// assert_eq!(Poller::with_backend(Backend::Poll)?.raw_fd(), None);
    /// # Ok(())
    /// # }
    /// ```
    pub fn raw_fd(&self) -> Option<RawFd> {
        self.selector.raw_fd()
    }
}

fn closed() -> io::Error {
    error::with(libc::EBADF, "this descriptor was closed while it was registered: remove() its token")
}

/// What the kernel says of the number of a source that is registered: it is not open, or it is another file's now.
fn or_closed(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(libc::EBADF | libc::ENOENT) => closed(),
        _ => error,
    }
}

/// The sentence for an errno that a registration can mend.
fn explain(error: io::Error) -> io::Error {
    let sentence = match error.raw_os_error() {
        Some(libc::EEXIST) => "this descriptor is registered already: use modify(), or remove() it first",
        Some(libc::EPERM) => {
            "regular files and directories are always ready and cannot be watched (epoll_ctl(2), EPERM)"
        }
        Some(libc::EBADF) => "this descriptor is not open",
        _ => return error,
    };
    error::with(error.raw_os_error().unwrap_or(libc::EIO), sentence)
}

impl Drop for Poller<'_> {
    fn drop(&mut self) {
        if let Some(shared) = &self.waker {
            shared.close();
        }
    }
}

impl std::fmt::Debug for Poller<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Poller").field("backend", &self.backend()).field("sources", &self.len()).finish()
    }
}
