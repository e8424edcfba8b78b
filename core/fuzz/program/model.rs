//! What a reactor should do, as far as the program's own calls tell.

use std::collections::HashSet;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fastsock::{Backend, Interest, Mode, Reactor, Submitter, Token, Trigger, Waker};

use super::R;

/// How often something was dropped. Atomic, because a closure that is submitted must be `Send`.
#[derive(Clone, Debug, Default)]
pub(super) struct Drops(Arc<AtomicUsize>);

impl Drops {
    pub(super) fn times(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Goes with a callback or a source, and may wake a loop when it goes.
pub(super) struct Guard {
    drops: Drops,
    pub(super) wakes: Option<Waker>,
}

impl Guard {
    pub(super) fn drops(&self) -> Drops {
        self.drops.clone()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.drops.0.fetch_add(1, Ordering::Relaxed);
        if let Some(waker) = &self.wakes {
            let _ = waker.wake();
        }
    }
}

/// A source that the reactor owns.
pub(super) struct Source {
    pub(super) stream: UnixStream,
    pub(super) guard: Guard,
}

impl AsFd for Source {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// A [`Source`], by `add`.
    Owned(Watch),
    /// A descriptor of the program's, by `add_raw`.
    Raw(Watch),
    Stream,
    Timer {
        once: bool,
    },
    Waker {
        asked: bool,
    },
    Signal {
        raised: u64,
        told: u64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Watch {
    pub(super) fd: RawFd,
    pub(super) interest: Interest,
    pub(super) mode: Mode,
    /// The number was closed, or is another file's.
    pub(super) closed: bool,
}

/// One registration, from its beginning to after its end.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) token: Token,
    pub(super) kind: Kind,
    /// The number of its reactor.
    pub(super) home: usize,
    /// Registered, as far as the model knows.
    pub(super) alive: bool,
    /// Its callback has moved the reactor away: what that leaves open is decided in the reactor's next dispatch.
    pub(super) unsettled: bool,
    /// For the program's own use: no operation finds it.
    pub(super) hidden: bool,
    /// Its callback is running.
    pub(super) running: bool,
    /// A timer that was set anew while its callback ran.
    pub(super) rearmed: bool,
    pub(super) calls: u64,
    pub(super) drops: Drops,
}

#[derive(Debug, Default)]
pub(super) struct Jobs {
    pub(super) submitted: u64,
    pub(super) run: u64,
}

/// The context that every callback gets.
pub(crate) struct World {
    bytes: Vec<u8>,
    at: usize,
    pub(super) backend: Backend,
    /// The number of the reactor that is in the place that every call is made to.
    pub(super) current: usize,
    /// The others. (Before the descriptors that they watch, for the order of dropping.)
    pub(super) parked: Vec<(usize, R)>,
    /// Which reactors dispatch now, innermost last.
    pub(super) dispatching: Vec<usize>,
    /// In which of them `run` was called.
    pub(super) runs: Vec<usize>,
    pub(super) entries: Vec<Entry>,
    pub(super) wakers: Vec<(usize, Option<usize>, Waker)>,
    pub(super) submitters: Vec<(usize, Submitter<'static, World>)>,
    /// By the number of the reactor.
    pub(super) jobs: Vec<Jobs>,
    pub(super) dead: HashSet<usize>,
    tokens: HashSet<(usize, Token)>,
    all_drops: Vec<Drops>,
    /// The program's own ends, and descriptors that keep a file open.
    pub(super) peers: Vec<UnixStream>,
    pub(super) raw: Vec<UnixStream>,
    pub(super) duplicates: Vec<OwnedFd>,
}

impl World {
    pub(super) fn new(backend: Backend, bytes: &[u8]) -> World {
        World {
            bytes: bytes.to_vec(),
            at: 0,
            backend,
            current: 0,
            parked: Vec::new(),
            dispatching: Vec::new(),
            runs: Vec::new(),
            entries: Vec::new(),
            wakers: Vec::new(),
            submitters: Vec::new(),
            jobs: Vec::new(),
            dead: HashSet::new(),
            tokens: HashSet::new(),
            all_drops: Vec::new(),
            peers: Vec::new(),
            raw: Vec::new(),
            duplicates: Vec::new(),
        }
    }

    /// The program's next byte; `None` at its end.
    pub(super) fn next(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.at).copied();
        self.at += 1;
        byte
    }

    /// The same, as a number below `limit`; 0 at the end.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        usize::from(self.next().unwrap_or(0)) % limit.max(1)
    }

    /// A reactor with a number of its own, which is the current one from now on.
    pub(super) fn new_reactor(&mut self) -> R {
        self.current = self.jobs.len();
        self.jobs.push(Jobs::default());
        Reactor::with_backend(self.backend).expect("a reactor")
    }

    pub(super) fn drops(&self) -> Vec<Drops> {
        self.all_drops.clone()
    }

    pub(super) fn guard(&mut self) -> Guard {
        let drops = Drops::default();
        self.all_drops.push(drops.clone());
        Guard { drops, wakes: None }
    }

    /// A registration that is about to be made: its number, and what its callback keeps.
    pub(super) fn begin(&mut self) -> (usize, Guard) {
        (self.entries.len(), self.guard())
    }

    /// It was made.
    pub(super) fn enter(&mut self, token: Token, kind: Kind, drops: Drops) -> &mut Entry {
        let home = self.current;
        assert!(self.tokens.insert((home, token)), "{token:?} was used before");
        if let Kind::Owned(Watch { fd, .. }) | Kind::Raw(Watch { fd, .. }) = kind {
            self.evict(fd);
        }
        self.entries.push(Entry {
            token,
            kind,
            home,
            alive: true,
            unsettled: false,
            hidden: false,
            running: false,
            rearmed: false,
            calls: 0,
            drops,
        });
        let last = self.entries.len() - 1;
        &mut self.entries[last]
    }

    /// A number that was taken again: whoever was known by it must have been closed, and is gone.
    pub(super) fn evict(&mut self, fd: RawFd) {
        let home = self.current;
        if let Some(entry) = self.by_fd(home, fd) {
            let (Kind::Owned(watch) | Kind::Raw(watch)) = entry.kind else { return };
            assert!(watch.closed, "a source was pushed out that is still open: {entry:?}");
            entry.alive = false;
        }
    }

    pub(super) fn by_fd(&mut self, home: usize, fd: RawFd) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| {
            entry.home == home
                && entry.alive
                && matches!(entry.kind, Kind::Owned(watch) | Kind::Raw(watch) if watch.fd == fd)
        })
    }

    /// Every entry that watches this number, in whatever reactor.
    pub(super) fn closed(&mut self, fd: RawFd) {
        for entry in self.entries.iter_mut().filter(|entry| entry.alive) {
            if let Kind::Owned(watch) | Kind::Raw(watch) = &mut entry.kind {
                watch.closed |= watch.fd == fd;
            }
        }
    }

    /// One of the current reactor's registrations, stale or not.
    pub(super) fn pick(&mut self) -> Option<usize> {
        let number = self.next()?;
        let home = self.current;
        let own: Vec<usize> =
            (0..self.entries.len()).filter(|&id| self.entries[id].home == home && !self.entries[id].hidden).collect();
        // Late ones are picked by small numbers, so that what follows a registration finds it.
        own.iter().rev().nth(usize::from(number) % own.len().max(1)).copied()
    }

    /// A reactor is being dropped.
    pub(super) fn died(&mut self, home: usize) {
        self.dead.insert(home);
        for entry in self.entries.iter_mut().filter(|entry| entry.home == home) {
            (entry.alive, entry.unsettled) = (false, true);
        }
    }

    /// Sources of this reactor that a level trigger must report now, with the number of calls that they have had.
    pub(super) fn ready(&self, home: usize) -> Vec<(usize, u64)> {
        let level = |&(_, entry): &(usize, &Entry)| {
            let (Kind::Owned(watch) | Kind::Raw(watch)) = entry.kind else { return false };
            entry.home == home
                && entry.alive
                && !watch.closed
                && watch.mode.trigger() == Trigger::Level
                && is_ready(watch)
        };
        self.entries.iter().enumerate().filter(level).map(|(id, entry)| (id, entry.calls)).collect()
    }

    /// Between turns: what the reactor says of every registration, beside what it should.
    pub(super) fn check(&mut self, reactor: &mut R) {
        let home = self.current;
        let mut live = 0;
        let (mut certain, mut streams) = (true, false);
        for entry in self.entries.iter_mut().filter(|entry| entry.home == home) {
            if entry.unsettled {
                entry.alive &= reactor.contains(entry.token);
                certain &= !entry.alive;
            }
            live += usize::from(entry.alive);
            streams |= entry.kind == Kind::Stream;
            assert_eq!(reactor.contains(entry.token), entry.alive, "{entry:?}");
            let dropped = entry.drops.times();
            assert!(dropped <= 1 && (dropped == 0 || !entry.alive), "dropped too soon or twice: {entry:?}");
            assert!(dropped == 1 || entry.alive || entry.unsettled, "removed and not dropped: {entry:?}");
        }
        let submitters = self.submitters.iter().any(|&(at, _)| at == home);
        let jobs = &self.jobs[home];
        if certain {
            let empty = live == 0 && !submitters && jobs.submitted == jobs.run;
            // A stream that is gone may have left something to be looked after in the next dispatch.
            let is = reactor.is_empty();
            assert!(is == empty || (streams && empty), "{live} registered, {jobs:?}, and is_empty() is {is}");
        }
        let _ = (reactor.next_deadline(), reactor.stats());
    }
}

fn is_ready(watch: Watch) -> bool {
    let mut events = 0;
    for (part, bits) in [(Interest::READABLE, libc::POLLIN), (Interest::WRITABLE, libc::POLLOUT)] {
        events |= if watch.interest.contains(part) { bits } else { 0 };
    }
    let mut entry = libc::pollfd { fd: watch.fd.as_raw_fd(), events, revents: 0 };
    // SAFETY: one entry, which lives on this frame.
    events != 0 && unsafe { libc::poll(&mut entry, 1, 0) } == 1 && entry.revents & events != 0
}
