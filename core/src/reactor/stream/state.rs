use std::io;
use std::rc::Rc;

use super::Callback;
use crate::net::Socket;
use crate::stream::{StreamOptions, Timeout, WriteQueue};
use crate::{Interest, Time, Token};

/// What a stream has been through, a bit each.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Flags(u32);

impl Flags {
    pub(super) const NONE: Flags = Flags(0);
    /// connect(2) is in progress.
    pub(super) const CONNECTING: Flags = Flags(1);
    /// It has succeeded, and nobody was told.
    pub(super) const CONNECTED: Flags = Flags(1 << 1);
    /// The user wants to read nothing for now.
    pub(super) const PAUSED: Flags = Flags(1 << 2);
    /// The peer has sent all that it will.
    pub(super) const ENDED: Flags = Flags(1 << 3);
    /// Over the high-water mark, and not yet back under the low one.
    pub(super) const FULL: Flags = Flags(1 << 4);
    /// Full only because one callback wrote so much: the kernel may have taken it.
    pub(super) const BURST: Flags = Flags(1 << 5);
    /// Our side is to be shut down when the queue is empty.
    pub(super) const SHUTTING: Flags = Flags(1 << 6);
    /// It is.
    pub(super) const SHUT: Flags = Flags(1 << 7);
    /// The stream is to be closed when our side is shut down.
    pub(super) const CLOSING: Flags = Flags(1 << 8);
    /// It is, but for the peer, which may close as well.
    pub(super) const LINGERING: Flags = Flags(1 << 9);
    /// Its callback is being called.
    pub(super) const CALLED: Flags = Flags(1 << 10);
    /// It is in the list of those to be looked after.
    pub(super) const NOTED: Flags = Flags(1 << 11);
    /// Its timer has come.
    pub(super) const DUE: Flags = Flags(1 << 12);
    /// To be closed after its callback, unless that wants to keep it.
    pub(super) const DOOMED: Flags = Flags(1 << 13);
    /// Its server is being drained, and it was not told.
    pub(super) const STOPPING: Flags = Flags(1 << 14);
    /// Something was queued that the kernel may take at once.
    pub(super) const UNTRIED: Flags = Flags(1 << 15);
    /// It has received something, and the time of that is still to be noted; see [`Streams::stamp`](super::Streams::stamp).
    pub(super) const READ: Flags = Flags(1 << 16);
    /// The kernel has taken something, or something has begun to wait, and the time of that is still to be noted.
    pub(super) const WROTE: Flags = Flags(1 << 17);
    /// The poller watches for what can be read.
    const WATCHED_READ: Flags = Flags(1 << 18);
    /// The poller watches for room to write.
    const WATCHED_WRITE: Flags = Flags(1 << 19);

    pub(super) fn has(self, any: Flags) -> bool {
        self.0 & any.0 != 0
    }

    pub(super) fn set(&mut self, flags: Flags) {
        self.0 |= flags.0;
    }

    /// Clears them, and tells whether one was set.
    pub(super) fn take(&mut self, flags: Flags) -> bool {
        let had = self.has(flags);
        self.0 &= !flags.0;
        had
    }

    pub(super) const fn and(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

/// Which deadline is the next.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Deadline {
    /// One that the user is told of.
    Timeout(Timeout),
    Connect,
    Close,
}

/// A stream, all but its callback while that is called.
pub(super) struct State<'fd, C> {
    pub(super) token: Token,
    pub(super) socket: Socket,
    pub(super) flags: Flags,
    /// `None` while it is called, and before a server has made it.
    pub(super) callback: Option<Callback<'fd, C>>,
    /// Shared by the streams of a server.
    pub(super) options: Rc<StreamOptions>,
    /// There is one only while something is in it.
    pub(super) queue: Option<Box<WriteQueue>>,
    /// Why the connection is at its end.
    pub(super) failure: Option<io::Error>,
    pub(super) server: Option<Token>,
    /// One for all time-outs, set when there is one, and moved late.
    pub(super) timer: Option<Token>,
    pub(super) armed: Time,
    /// When something was last received, or reading began again; or when connecting began.
    pub(super) last_read: Time,
    /// When the kernel last took something, or what waits began to wait; or when closing or lingering began.
    pub(super) last_write: Time,
}

impl<C> State<'_, C> {
    /// Bytes that the kernel did not take yet.
    pub(super) fn queued(&self) -> u64 {
        self.queue.as_ref().map_or(0, |queue| queue.len())
    }

    /// Whether what comes is to be read now.
    pub(super) fn reads(&self) -> bool {
        let mut against = Flags::CONNECTING.and(Flags::ENDED);
        if !self.flags.has(Flags::LINGERING) {
            against = against.and(Flags::PAUSED).and(Flags::FULL).and(Flags::CLOSING);
        }
        !self.flags.has(against)
    }

    /// Whether there is somebody to be told: not while it is told something, nor when it has failed.
    pub(super) fn hears(&self) -> bool {
        self.callback.is_some() && self.failure.is_none()
    }

    pub(super) fn wanted(&self) -> Interest {
        let mut wanted = Interest::NONE;
        if self.reads() {
            wanted |= Interest::READABLE;
        }
        if self.queue.is_some() || self.flags.has(Flags::CONNECTING) {
            wanted |= Interest::WRITABLE;
        }
        wanted
    }

    /// What the poller watches for.
    pub(super) fn interest(&self) -> Interest {
        let mut interest = Interest::NONE;
        if self.flags.has(Flags::WATCHED_READ) {
            interest |= Interest::READABLE;
        }
        if self.flags.has(Flags::WATCHED_WRITE) {
            interest |= Interest::WRITABLE;
        }
        interest
    }

    pub(super) fn set_interest(&mut self, interest: Interest) {
        self.flags.take(Flags::WATCHED_READ.and(Flags::WATCHED_WRITE));
        if interest.is_readable() {
            self.flags.set(Flags::WATCHED_READ);
        }
        if interest.is_writable() {
            self.flags.set(Flags::WATCHED_WRITE);
        }
    }

    pub(super) fn keeps_time(&self) -> bool {
        self.options.keeps_time() || self.flags.has(Flags::CLOSING)
    }

    /// The time-outs begin anew.
    pub(super) fn refresh(&mut self) {
        let now = Time::now();
        (self.last_read, self.last_write) = (now, now);
    }

    pub(super) fn close(&mut self) {
        if !self.flags.has(Flags::CLOSING) {
            self.flags.set(Flags::CLOSING.and(Flags::SHUTTING));
            self.last_write = Time::now();
        }
    }

    /// The next deadline, if there is one.
    pub(super) fn deadline(&self) -> Option<(Time, Deadline)> {
        let options = &*self.options;
        let noted = |time, flag| if self.flags.has(flag) { Time::now() } else { time };
        let (last_read, last_write) = (noted(self.last_read, Flags::READ), noted(self.last_write, Flags::WROTE));
        if self.flags.has(Flags::CONNECTING) {
            let connect = options.connect.map(|longest| (last_read + longest, Deadline::Connect));
            let close = self.flags.has(Flags::CLOSING).then(|| (last_write + options.close, Deadline::Close));
            return connect.into_iter().chain(close).min_by_key(|(time, _)| *time);
        }
        if self.flags.has(Flags::LINGERING) {
            return Some((last_write + options.close, Deadline::Close));
        }
        let last = last_read.max(last_write);
        [
            options.idle.map(|longest| (last + longest, Deadline::Timeout(Timeout::Idle))),
            options
                .read
                .filter(|_| self.reads())
                .map(|longest| (last_read + longest, Deadline::Timeout(Timeout::Read))),
            options
                .write
                .filter(|_| self.queue.is_some())
                .map(|longest| (last_write + longest, Deadline::Timeout(Timeout::Write))),
            self.flags.has(Flags::CLOSING).then(|| (last_write + options.close, Deadline::Close)),
        ]
        .into_iter()
        .flatten()
        .min_by_key(|(time, _)| *time)
    }
}
