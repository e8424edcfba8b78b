//! What is behind `fsock_loop *`, and the ways into it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::time::Duration;

use fastsock::{Event, Reactor, Stats, Token};

use crate::alarms::Alarms;
use crate::error::{Code, Result};
use crate::guard::contain;
use crate::handle::{Handle, Thread};
use crate::log;
use crate::turn::Turn;
use crate::user::Last;

/// A loop: the sources, timers and wakers of one thread. Made by fsock_loop_new, ended by fsock_loop_free.
pub struct fsock_loop {
    thread: Thread,
    /// The reactor, as it was allocated. For turns and the end only.
    pub(crate) root: *mut Reactor<'static, Turn>,
    /// The way to the reactor now: `root`, or inside a callback what the reactor has lent to that; null once freed.
    pub(crate) reactor: Cell<*mut Reactor<'static, Turn>>,
    /// Code of C's is running that has to find the loop when it returns.
    pub(crate) busy: Cell<bool>,
    /// `fsock_loop_free` was called while busy.
    pub(crate) freed: Cell<bool>,
    /// `fsock_loop_stop` was called, and nothing has ended by it yet.
    pub(crate) stopped: Cell<bool>,
    /// The listener whose callback runs, else 0.
    pub(crate) listening: Cell<u64>,
    /// An event that found no place.
    pub(crate) kept: Cell<Option<Event>>,
    /// The counters when the log was told of them last.
    told: Cell<Stats>,
    /// What the timers of C's call.
    pub(crate) alarms: Alarms,
    /// A timer that was called just now, and may be gone since.
    pub(crate) rung: Cell<Option<Token>>,
    /// Drop functions to call, in this order.
    buried: RefCell<VecDeque<Last>>,
}

impl Handle for fsock_loop {}

impl fsock_loop {
    pub(crate) fn new(reactor: Reactor<'static, Turn>) -> fsock_loop {
        let root = Box::into_raw(Box::new(reactor));
        fsock_loop {
            thread: Thread::here(),
            root,
            reactor: Cell::new(root),
            busy: Cell::new(false),
            freed: Cell::new(false),
            stopped: Cell::new(false),
            listening: Cell::new(0),
            kept: Cell::new(None),
            told: Cell::default(),
            alarms: Alarms::default(),
            rung: Cell::new(None),
            buried: RefCell::default(),
        }
    }

    /// The loop behind C's pointer, on the right thread.
    ///
    /// # Safety
    /// Null, or a loop that has not been freed.
    #[inline]
    pub(crate) unsafe fn enter<'a>(pointer: *const fsock_loop) -> Result<&'a fsock_loop> {
        // SAFETY: promised by the caller.
        let home = unsafe { fsock_loop::borrow(pointer) }?;
        home.thread.check()?;
        Ok(home)
    }

    /// Uses the reactor. The body calls nothing of C's.
    #[inline]
    pub(crate) fn with<T>(&self, body: impl FnOnce(&mut Reactor<'static, Turn>) -> T) -> Result<T> {
        // SAFETY: the pointer is null or the only way to the reactor at this moment, and this is its thread.
        let reactor = unsafe { self.reactor.get().as_mut() }.ok_or(Code::CLOSED)?;
        Ok(body(reactor))
    }

    /// As [`with`](Self::with), for a body that registers something of C's: when it fails, C keeps what it gave.
    pub(crate) fn register<T>(
        &self,
        body: impl FnOnce(&mut Reactor<'static, Turn>) -> std::io::Result<T>,
    ) -> Result<T> {
        let before = self.buried.borrow().len();
        let result = self.with(body)?;
        if result.is_err() {
            // What failed to be registered was dropped on the way, and nothing else was.
            self.buried.borrow_mut().truncate(before);
        }
        Ok(result?)
    }

    pub(crate) fn bury(&self, last: Last) {
        self.buried.borrow_mut().push_back(last);
    }

    #[inline]
    pub(crate) fn has_buried(&self) -> bool {
        !self.buried.borrow().is_empty()
    }

    /// Calls the drop functions that are due, and those that come due by it.
    #[cold]
    pub(crate) fn call_buried(&self) {
        loop {
            let next = self.buried.borrow_mut().pop_front();
            let Some(last) = next else { return };
            // It answers to nobody: a panic in it ends here.
            contain(|| last.call());
        }
    }

    /// To be called last by whatever may have removed something: calls the drop functions, and ends the loop if it was
    /// freed meanwhile (`Err(CLOSED)`, and it must not be touched again).
    ///
    /// # Safety
    /// The loop is alive, and this is its thread.
    #[inline]
    pub(crate) unsafe fn settle(pointer: *mut fsock_loop) -> Result<()> {
        // SAFETY: alive, as promised.
        let home = unsafe { &*pointer };
        if home.has_buried() {
            let outer = home.busy.replace(true);
            home.call_buried();
            home.busy.set(outer);
        }
        if home.freed.get() && !home.busy.get() {
            // SAFETY: alive, and no frame but this one uses it.
            unsafe { fsock_loop::end(pointer) };
            return Err(Code::CLOSED);
        }
        Ok(())
    }

    /// The end of a loop.
    ///
    /// # Safety
    /// The loop is alive, and nothing uses it after this.
    pub(crate) unsafe fn end(pointer: *mut fsock_loop) {
        // SAFETY: alive, as promised.
        let home = unsafe { &*pointer };
        home.freed.set(true);
        home.busy.set(true);
        home.reactor.set(std::ptr::null_mut());
        // SAFETY: `root` came from a box and is given up here, once: no turn is going on. Dropping it calls nothing of
        // C's: that is what `buried` is for.
        drop(unsafe { Box::from_raw(home.root) });
        home.end_alarms();
        home.call_buried();
        // SAFETY: promised by the caller.
        drop(unsafe { fsock_loop::take(pointer) });
    }

    /// Tells the log what was counted since the last time. Not inside a callback.
    #[cold]
    pub(crate) fn report(&self) {
        let Ok(now) = self.with(|reactor| reactor.stats()) else { return };
        log::compare(&self.told.replace(now), &now);
    }

    /// Whether an event waits that an earlier turn had no place for. Forgets it if its source was removed since.
    pub(crate) fn take_kept(&self) -> Result<Option<Event>> {
        let kept = self.kept.take();
        self.with(|reactor| kept.filter(|event| reactor.contains(event.token())))
    }

    /// Whether such an event waits.
    pub(crate) fn has_kept(&self) -> Result<bool> {
        let kept = self.take_kept()?;
        self.kept.set(kept);
        Ok(kept.is_some())
    }

    /// Whether a stop is pending; it is not any more after this.
    pub(crate) fn take_stop(&self) -> bool {
        self.stopped.take()
    }

    /// A turn without an array.
    ///
    /// # Safety
    /// As [`Turn::of`].
    pub(crate) unsafe fn turn(pointer: *mut fsock_loop, timeout: Option<Duration>) -> Result<usize> {
        // SAFETY: alive, as promised.
        let home = unsafe { &*pointer };
        if home.has_kept()? {
            return Err(Code::NO_CALLBACK);
        }
        // SAFETY: as promised.
        let count = unsafe { Turn::of(pointer).take(timeout) }?;
        match home.kept.take() {
            None => Ok(count),
            kept => {
                home.kept.set(kept);
                Err(Code::NO_CALLBACK)
            }
        }
    }

    pub(crate) fn not_busy(&self) -> Result<()> {
        if self.busy.get() { Err(Code::BUSY) } else { Ok(()) }
    }
}
