//! The loop of one thread.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use fastsock::{Poller, TimerQueue, Waker};
use pyo3::prelude::*;

use crate::alarm::Alarm;
use crate::channel::Channel;
use crate::errors::from_io;
use crate::farewell::Farewell;
use crate::greenlet::Greenlet;
use crate::mailbox::Message;
use crate::members::Members;
use crate::park::{BUDGET, Resume, Why};
use crate::posts::Posts;

pub(crate) struct Hub {
    thread: usize,
    pub(crate) poller: RefCell<Poller<'static>>,
    pub(crate) waker: Waker,
    /// By the slot of their tokens.
    pub(crate) channels: RefCell<Vec<Option<Rc<Channel>>>>,
    pub(crate) timers: RefCell<TimerQueue<Alarm>>,
    pub(crate) ready: RefCell<VecDeque<Resume>>,
    /// How many of `ready` may still run before the loop looks at the kernel again.
    pub(crate) slice: Cell<usize>,
    /// The greenlet that runs the loop, while it runs.
    pub(crate) home: RefCell<Option<Greenlet>>,
    /// Handed over at a switch.
    pub(crate) why: RefCell<Option<Why>>,
    pub(crate) budget: Cell<i32>,
    /// Channels with output that waits for the next park.
    pub(crate) dirty: RefCell<Vec<Rc<Channel>>>,
    /// Datagrams that wait for the end of the turn.
    pub(crate) posts: Posts,
    /// Workers without work.
    pub(crate) idle: RefCell<Vec<Greenlet>>,
    /// Every group with coroutines on this loop.
    groups: RefCell<Vec<Weak<Members>>>,
    pub(crate) messages: RefCell<Vec<Message>>,
    /// Nothing parks here any more: forked away from, or its thread ends.
    pub(crate) dead: Cell<bool>,
    edge: bool,
}

/// The thread's loop. When the thread ends with one still here, the GIL is not held and greenlets cannot be ended: then it
/// is left as it is.
struct Place(RefCell<Option<Rc<Hub>>>);

impl Drop for Place {
    fn drop(&mut self) {
        std::mem::forget(self.0.take());
    }
}

thread_local! {
    static HUB: Place = const { Place(RefCell::new(None)) };
    static THREAD: u8 = const { 0 };
    /// The loop that runs on this thread now, or null. It needs no destructor, so that looking is one load.
    pub(crate) static RUNNING: Cell<*const Hub> = const { Cell::new(std::ptr::null()) };
}

/// A number that no other living thread has; never 0.
pub(crate) fn thread_id() -> usize {
    THREAD.with(|place| std::ptr::from_ref(place) as usize)
}

impl Hub {
    /// This thread's loop, made when it is first asked for.
    pub(crate) fn of_thread(py: Python<'_>) -> PyResult<Rc<Hub>> {
        match Hub::present() {
            Some(hub) => Ok(hub),
            None => Hub::create(py),
        }
    }

    fn present() -> Option<Rc<Hub>> {
        HUB.with(|place| place.0.borrow().clone())
    }

    #[cold]
    #[inline(never)]
    fn create(py: Python<'_>) -> PyResult<Rc<Hub>> {
        let mut poller = Poller::new().map_err(from_io)?;
        let waker = poller.waker().map_err(from_io)?;
        let edge = poller.backend().has_edge();
        let hub = Rc::new(Hub {
            thread: thread_id(),
            poller: RefCell::new(poller),
            waker,
            channels: RefCell::default(),
            timers: RefCell::default(),
            ready: RefCell::default(),
            slice: Cell::new(0),
            home: RefCell::new(None),
            why: RefCell::new(None),
            budget: Cell::new(BUDGET),
            posts: Posts::default(),
            dirty: RefCell::default(),
            idle: RefCell::default(),
            groups: RefCell::default(),
            messages: RefCell::default(),
            dead: Cell::new(false),
            edge,
        });
        HUB.with(|place| place.0.replace(Some(hub.clone())));
        Farewell::install(py)?;
        Ok(hub)
    }

    /// This thread's loop if it is running and we are in one of its coroutines: then a wait parks instead of blocking.
    pub(crate) fn running(py: Python<'_>) -> Option<Rc<Hub>> {
        Hub::here(py)?;
        Hub::present()
    }

    /// As `running`, without a share in it.
    #[inline]
    pub(crate) fn here<'a>(_py: Python<'a>) -> Option<&'a Hub> {
        // SAFETY: set while `run` holds it, and the thread keeps it until the last of its coroutines has ended.
        unsafe { RUNNING.get().as_ref() }
    }

    /// After fork(2), in the child: the parent's loop is let go of, and every socket blocks like any other.
    pub(crate) fn abandon(_py: Python<'_>) {
        if let Some(hub) = HUB.with(|place| place.0.take()) {
            hub.dead.set(true);
            RUNNING.set(std::ptr::null());
            // Its output is the parent's to send.
            hub.dirty.take().iter().for_each(|channel| channel.forget_output());
            // Parked coroutines, the channels and the poller stay as they are: to take them apart would run the
            // handlers' clean-up a second time.
            std::mem::forget(hub);
        }
    }

    #[inline]
    pub(crate) fn is_running(&self) -> bool {
        self.home.try_borrow().is_ok_and(|home| home.is_some()) && !self.dead.get()
    }

    pub(crate) fn is_here(&self) -> bool {
        self.thread == thread_id()
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.dead.get()
    }

    /// Whether descriptors are watched by edge, once for life; else one-shot, anew for each wait.
    pub(crate) fn has_edge(&self) -> bool {
        self.edge
    }

    /// Ends this thread's loop with the thread: everything parked has been ended before, as far as it would.
    pub(crate) fn end(_py: Python<'_>) {
        if let Some(hub) = HUB.with(|place| place.0.take()) {
            hub.dismantle();
        }
    }

    /// Remembers a group, for the end of the thread.
    pub(crate) fn know(&self, members: &Rc<Members>) {
        let mut groups = self.groups.borrow_mut();
        if groups.len() == groups.capacity() {
            groups.retain(|group| group.strong_count() > 0);
        }
        groups.push(Rc::downgrade(members));
    }

    pub(crate) fn groups(&self) -> Vec<Rc<Members>> {
        self.groups.borrow().iter().filter_map(Weak::upgrade).collect()
    }

    /// No coroutine begins here any more, and workers without work end when they are entered.
    pub(crate) fn retire(&self) {
        self.dead.set(true);
    }

    /// The thread ends. Nothing is parked here any more.
    fn dismantle(&self) {
        self.dead.set(true);
        for group in self.groups() {
            group.leave_loop();
        }
        let channels = self.channels.take();
        for channel in channels.into_iter().flatten() {
            channel.leave_loop();
        }
    }
}
