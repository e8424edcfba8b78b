use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use crate::slab::Slab;
use crate::sys::{Selector, fork};
use crate::token::Kind;
use crate::waker::{Shared, Waker};
use crate::{Backend, Event, Interest, Mode, Stats, Token, Trigger, error};

/// The key of the waker's descriptor. No token has these bits.
const WAKER_KEY: u64 = 0;

struct Source {
    fd: RawFd,
    mode: Mode,
    /// Whether the backend watches it now: not while the interest is `NONE`.
    watched: bool,
    /// A one-shot source that has fired.
    spent: bool,
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
/// | `add`, `modify`, `remove`, `rearm` | O(1), one system call |
/// | `wait` | one system call, O(ready) with epoll |
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
    generation: u32,
    lifetime: PhantomData<BorrowedFd<'fd>>,
}

impl<'fd> Poller<'fd> {
    /// A poller on the backend that [`Backend::from_env`] names.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE` or `ENOMEM` from epoll_create1(2); `EINVAL` for an unknown word in `FASTSOCK_BACKEND`.
    pub fn new() -> io::Result<Poller<'fd>> {
        Poller::with_backend(Backend::from_env()?)
    }

    /// A poller on this backend.
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
            generation: fork::generation(),
            lifetime: PhantomData,
        })
    }

    /// Which backend it waits with.
    pub fn backend(&self) -> Backend {
        self.selector.backend()
    }

    /// Watches a descriptor for as long as it is borrowed.
    ///
    /// # Errors
    /// `EEXIST`: it is watched already (use [`modify`](Self::modify)). `EPERM`: a regular file or directory, which is
    /// always ready. `EOPNOTSUPP`: the backend has no such trigger. `EINVAL`: exclusive one-shot. Also those of
    /// epoll_ctl(2).
    pub fn add(&mut self, fd: BorrowedFd<'fd>, interest: Interest, mode: impl Into<Mode>) -> io::Result<Token> {
        // SAFETY: the borrow keeps the descriptor open for as long as this poller can be used.
        unsafe { self.add_raw(fd.as_raw_fd(), interest, mode) }
    }

    /// Watches a descriptor by its number.
    ///
    /// # Safety
    /// The descriptor stays open until [`remove`](Self::remove) is called with the token, or until the poller is
    /// dropped: the number may be someone else's descriptor after that.
    ///
    /// # Errors
    /// As [`add`](Self::add); `EBADF` when it is not open.
    pub unsafe fn add_raw(&mut self, fd: RawFd, interest: Interest, mode: impl Into<Mode>) -> io::Result<Token> {
        self.same_process()?;
        let mode = mode.into().with_interest(interest);
        self.selector.supports(mode)?;
        if fd < 0 {
            return Err(io::Error::from_raw_os_error(libc::EBADF));
        }
        let index = fd as usize;
        if self.slots.len() <= index {
            self.slots.resize(index + 1, 0);
        }
        let token = self.sources.insert(Source { fd, mode, watched: false, spent: false })?;
        if let Err(error) = self.enter(token, fd, mode) {
            self.sources.remove(token);
            return Err(error);
        }
        self.slots[index] = token.slot() + 1;
        Ok(token)
    }

    /// Puts a new source into the backend's set.
    fn enter(&mut self, token: Token, fd: RawFd, mode: Mode) -> io::Result<()> {
        let previous = self.slots[fd as usize].checked_sub(1).and_then(|slot| self.sources.token_at(slot));
        if mode.interest().is_none() {
            // The backend cannot tell of a second registration that it never sees: look it up.
            if previous.is_some() {
                return Err(duplicate());
            }
            return crate::sys::socket::pollable(fd);
        }
        if let Some(previous) = previous {
            if self.sources.get(previous).is_some_and(|s| !s.watched) {
                return Err(duplicate());
            }
        }
        match self.selector.add(fd, token.to_bits(), mode) {
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => return Err(duplicate()),
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
                return Err(error::with(
                    libc::EPERM,
                    "regular files and directories are always ready and cannot be watched (epoll_ctl(2), EPERM)",
                ));
            }
            other => other?,
        }
        if let Some(source) = self.sources.get_mut(token) {
            source.watched = true;
        }
        if let Some(previous) = previous {
            // The kernel took the number, so what we knew by it was closed behind our back: that token is stale now,
            // and removing it must not touch the newcomer.
            self.sources.remove(previous);
        }
        Ok(())
    }

    /// Changes interest, trigger or both. An edge or one-shot source that is ready now fires (again).
    ///
    /// # Errors
    /// `ENOENT`: stale token. `EOPNOTSUPP`, `EINVAL` as [`add`](Self::add).
    pub fn modify(&mut self, token: Token, interest: Interest, mode: impl Into<Mode>) -> io::Result<()> {
        self.same_process()?;
        let mode = mode.into().with_interest(interest);
        self.selector.supports(mode)?;
        let source = self.sources.get_mut(token).ok_or_else(error::stale)?;
        if interest.is_none() {
            if source.watched {
                self.selector.remove(source.fd)?;
            }
        } else if source.watched && source.mode.is_exclusive() == mode.is_exclusive() {
            self.selector.modify(source.fd, token.to_bits(), mode)?;
        } else {
            if source.watched {
                self.selector.remove(source.fd)?;
                source.watched = false;
            }
            self.selector.add(source.fd, token.to_bits(), mode)?;
        }
        source.watched = !interest.is_none();
        source.mode = mode;
        source.spent = false;
        Ok(())
    }

    /// Lets an edge or one-shot source fire again if it is still ready: for whoever stops before `EWOULDBLOCK`.
    /// Nothing changes for a level source.
    ///
    /// # Errors
    /// `ENOENT`: stale token.
    pub fn rearm(&mut self, token: Token) -> io::Result<()> {
        let source = self.sources.get(token).ok_or_else(error::stale)?;
        match source.mode.trigger() {
            Trigger::Level => Ok(()),
            _ => self.modify(token, source.mode.interest(), source.mode),
        }
    }

    /// Stops watching. No event of this token comes after this, not even one that was ready. Idempotent: `false`
    /// when the token was stale.
    pub fn remove(&mut self, token: Token) -> bool {
        let Some(source) = self.sources.remove(token) else { return false };
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
    #[inline]
    pub fn contains(&self, token: Token) -> bool {
        self.sources.contains(token)
    }

    /// How many sources are registered.
    pub fn len(&self) -> usize {
        self.sources.len()
    }

    /// Whether no source is registered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits until a source is ready, the waker is used, or the timeout (nanosecond resolution, never early) is over;
    /// `None` waits without end. Replaces what is in `events`; returns how many there are. 0 is a timeout or a
    /// wake-up ([`take_woken`](Self::take_woken) tells).
    ///
    /// # Errors
    /// `EINTR` (`ErrorKind::Interrupted`): a signal came. It is reported, so that a host can run its handlers; call
    /// again with what is left of the time. `ECHILD`: the process has forked since; see [`reinit`](Self::reinit).
    pub fn wait(&mut self, events: &mut Vec<Event>, timeout: Option<Duration>) -> io::Result<usize> {
        self.wait_at_most(events, usize::MAX, timeout)
    }

    /// As [`wait`](Self::wait), with at most `limit` events; the others stay for the next wait, in turn.
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
        let (mut stale, mut woken) = (0, false);
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
                    source.watched = false;
                    stale += 1;
                }
                None => stale += 1,
            }
        });
        self.stats.turns += 1;
        result?;
        self.stats.events += events.len() as u64;
        if woken {
            self.on_wake();
        }
        if stale > 0 {
            self.stats.stale_events += stale;
            self.rebuild()?;
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
    #[inline]
    pub fn take_woken(&mut self) -> bool {
        std::mem::take(&mut self.woken)
    }

    /// A handle by which any thread can end this poller's wait.
    ///
    /// # Errors
    /// `EMFILE` and the like from eventfd(2), the first time.
    pub fn waker(&mut self) -> io::Result<Waker> {
        self.same_process()?;
        if let Some(shared) = &self.waker {
            return Ok(Waker::new(shared.clone()));
        }
        let shared = Arc::new(Shared::new()?);
        self.watch_waker(&shared)?;
        self.waker = Some(shared.clone());
        Ok(Waker::new(shared))
    }

    fn watch_waker(&mut self, shared: &Shared) -> io::Result<()> {
        let trigger = if self.selector.backend().has_edge() { Trigger::Edge } else { Trigger::Level };
        let mode = Mode::from(trigger).with_interest(Interest::READABLE);
        self.selector.add(shared.raw_fd(), WAKER_KEY, mode)
    }

    /// The counters.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// The epoll descriptor, for watching this poller from another one; `None` on the other backends.
    pub fn raw_fd(&self) -> Option<RawFd> {
        self.selector.raw_fd()
    }

    /// Makes the kernel's set anew in a child after fork(2), and with it the waker's descriptor. Wakers given out
    /// before belong to the parent. Every source stays registered under its token; edges fire once more.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn reinit(&mut self) -> io::Result<()> {
        self.generation = fork::generation();
        self.woken = false;
        // Forgotten, not closed for: the parent has it too.
        self.waker = None;
        self.rebuild()
    }

    /// A fresh set with what we know of: nothing else can report to it. The old one is closed, never emptied by
    /// `EPOLL_CTL_DEL`: after a fork that would empty the parent's.
    #[cold]
    fn rebuild(&mut self) -> io::Result<()> {
        let mut fresh = Selector::new(self.selector.backend())?;
        for (token, source) in self.sources.iter_mut() {
            if source.watched && !source.spent {
                // Closed meanwhile: then there is nothing to watch.
                source.watched = fresh.add(source.fd, token.to_bits(), source.mode).is_ok();
            } else {
                source.watched = false;
            }
        }
        self.selector = fresh;
        self.stats.rebuilds += 1;
        if let Some(shared) = self.waker.clone() {
            self.watch_waker(&shared)?;
        }
        Ok(())
    }

    #[inline]
    fn same_process(&self) -> io::Result<()> {
        if self.generation == fork::generation() {
            return Ok(());
        }
        Err(error::with(
            libc::ECHILD,
            "this process was forked since the poller was made, and the poller is still the parent's: call reinit() first",
        ))
    }
}

fn duplicate() -> io::Error {
    error::with(libc::EEXIST, "this descriptor is registered already: use modify(), or remove() it first")
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
