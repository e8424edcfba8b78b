//! One wait and what follows from it: the only place from which C's callbacks are reached.

use std::ffi::c_void;
use std::time::Duration;

use fastsock::{Event, Reactor, Token};

use crate::error::{Code, Result};
use crate::event::fsock_event;
use crate::guard::contain;
use crate::home::fsock_loop;
use crate::log;
use crate::user::{User, fsock_drop};

/// The context of every callback: whose turn it is, and where events without a callback go.
pub(crate) struct Turn {
    home: *mut fsock_loop,
    out: *mut fsock_event,
    room: usize,
    pub(crate) len: usize,
}

impl Turn {
    /// A turn in which nobody takes events.
    ///
    /// # Safety
    /// The loop is alive, on its own thread and not inside a callback; see [`take`](Self::take).
    pub(crate) unsafe fn of(home: *mut fsock_loop) -> Turn {
        Turn { home, out: std::ptr::null_mut(), room: 0, len: 0 }
    }

    /// A turn whose events go to C's array.
    ///
    /// # Safety
    /// As [`of`](Self::of); `out` has room for that many.
    pub(crate) unsafe fn into_array(home: *mut fsock_loop, out: *mut fsock_event, room: usize) -> Turn {
        Turn { home, out, room, len: 0 }
    }

    /// Takes an event that has no callback. One that has no place either is kept for the next wait, and the
    /// dispatch ends there: what was harvested with it stays in the reactor.
    #[inline]
    pub(crate) fn push(&mut self, reactor: &mut Reactor<'static, Turn>, event: Event) {
        if self.len < self.room {
            // SAFETY: below the array's length, as promised to `into_array`.
            unsafe { self.out.add(self.len).write(event.into()) };
            self.len += 1;
        } else {
            // SAFETY: the loop is alive for the whole turn.
            unsafe { &*self.home }.kept.set(Some(event));
            reactor.stop();
        }
    }

    /// Calls into C, from where this loop is used through `reactor` until the call returns.
    #[inline]
    pub(crate) fn call(&self, reactor: &mut Reactor<'static, Turn>, callback: impl FnOnce(*mut fsock_loop)) {
        // SAFETY: the loop is alive for the whole turn: `fsock_loop_free` only marks it while it is busy.
        let home = unsafe { &*self.home };
        home.reactor.set(reactor);
        callback(self.home);
    }

    /// Calls what a timer of C's was started with.
    pub(crate) fn ring(&self, reactor: &mut Reactor<'static, Turn>, token: Token, passed: u64) {
        // SAFETY: as in `call`.
        let home = unsafe { &*self.home };
        // Out of its place first: its callback may stop it, and start another that gets its slot.
        let Some((callback, user)) = home.take_alarm(token) else { return };
        // SAFETY: the function and its argument came together from C, and drop was not called yet.
        self.call(reactor, |r#loop| unsafe { callback(r#loop, token.to_bits(), passed, user.data()) });
        if reactor.contains(token) {
            home.put_alarm(token, callback, user);
            // A one-shot that was not re-armed is removed only now, before `after`.
            home.rung.set(Some(token));
        }
    }

    /// User data of C's, for a callback that is registered now.
    pub(crate) fn user(&self, data: *mut c_void, drop: fsock_drop) -> User {
        User::new(self.home, data, drop)
    }

    /// Runs what this listener's callback does.
    pub(crate) fn listening(&self, token: u64, body: impl FnOnce()) {
        // SAFETY: as in `call`.
        let home = unsafe { &*self.home };
        home.listening.set(token);
        body();
        home.listening.set(0);
    }

    /// After a callback: what it has removed, itself included, is given back before the next one is chosen, for the
    /// drop functions may remove that one or free the loop.
    #[inline]
    pub(crate) fn after(&self, reactor: &mut Reactor<'static, Turn>) {
        // SAFETY: as in `call`.
        let home = unsafe { &*self.home };
        if let Some(token) = home.rung.take() {
            if !reactor.contains(token) {
                drop(home.take_alarm(token));
            }
        }
        if home.has_buried() && !home.freed.get() {
            home.reactor.set(reactor);
            home.call_buried();
        }
    }

    /// Waits and calls back.
    ///
    /// `Err(CLOSED)` means that a callback has freed the loop: it must not be touched again.
    ///
    /// # Safety
    /// As promised to [`of`](Self::of).
    pub(crate) unsafe fn take(&mut self, timeout: Option<Duration>) -> Result<usize> {
        // SAFETY: alive, as promised.
        let home = unsafe { &*self.home };
        let (root, room) = (home.root, if self.out.is_null() { usize::MAX } else { self.room - self.len });
        // SAFETY: nothing else uses the reactor outside of callbacks, and `wait` makes none.
        unsafe { &mut *root }.wait_at_most(room, timeout)?;
        home.busy.set(true);
        // SAFETY: callbacks reach the reactor through the reference that it hands to them (see `call`), never through
        // `root`, so this is the only path to it for as long as dispatch runs.
        let result = contain(|| unsafe { &mut *root }.dispatch_and(self, |reactor, turn| turn.after(reactor)));
        if !home.freed.get() {
            home.reactor.set(root);
        }
        if log::is_on() {
            // Busy still: what is told of may make C free the loop.
            home.report();
        }
        home.busy.set(false);
        // SAFETY: alive, as promised, and `home` is not used after this when it says that the loop is gone.
        unsafe { fsock_loop::settle(self.home) }?;
        Ok(result.ok_or(Code::PANIC)??)
    }
}
