//! The loop of one thread.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::time::Duration;

use fastsock::{Event, Interest, Poller, Time, TimerQueue, Token, Trigger, Waker};
use pyo3::prelude::*;

use crate::channel::{Channel, Direction};
use crate::errors::{Slim, from_io, misuse};
use crate::farewell::Farewell;
use crate::greenlet::Greenlet;
use crate::members::Members;
use crate::task::Job;

/// How much I/O a coroutine may do before the others get their turn: one for each call, and one for each 4 KiB.
const BUDGET: i32 = 128;

/// Why a parked coroutine goes on.
pub(crate) enum Why {
    /// What it waited for has come, or may have: look again.
    Ready,
    TimedOut,
    /// `interrupt()` was called.
    Interrupted,
    /// A worker gets something to do.
    Start(Box<Job>),
    /// An exception is raised where it waits.
    Throw(Box<PyErr>),
}

pub(crate) struct Resume {
    pub(crate) greenlet: Greenlet,
    pub(crate) why: Why,
}

impl Resume {
    /// Whether this enters a greenlet for the first time.
    fn is_birth(&self) -> bool {
        matches!(&self.why, Why::Start(job) if job.is_first())
    }
}

/// What a timer does.
pub(crate) enum Alarm {
    Channel(Rc<Channel>, Direction),
    Greenlet(Greenlet),
}

/// What another thread asks for.
pub(crate) enum Message {
    Interrupt(Rc<Channel>),
    Forget(Token),
    Resume(Greenlet),
    WakeJoiners(Rc<Members>),
}

pub(crate) struct Hub {
    thread: usize,
    poller: RefCell<Poller<'static>>,
    waker: Waker,
    /// By the slot of their tokens.
    channels: RefCell<Vec<Option<Rc<Channel>>>>,
    timers: RefCell<TimerQueue<Alarm>>,
    ready: RefCell<VecDeque<Resume>>,
    /// How many of `ready` may still run before the loop looks at the kernel again.
    slice: Cell<usize>,
    /// The greenlet that runs the loop, while it runs.
    home: RefCell<Option<Greenlet>>,
    /// Handed over at a switch.
    why: RefCell<Option<Why>>,
    budget: Cell<i32>,
    /// Channels with output that waits for the next park.
    pub(crate) dirty: RefCell<Vec<Rc<Channel>>>,
    /// Workers without work.
    pub(crate) idle: RefCell<Vec<Greenlet>>,
    /// Every group with coroutines on this loop.
    groups: RefCell<Vec<Weak<Members>>>,
    messages: RefCell<Vec<Message>>,
    /// Nothing parks here any more: forked away from, or its thread ends.
    dead: Cell<bool>,
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
    static RUNNING: Cell<*const Hub> = const { Cell::new(std::ptr::null()) };
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

    // ---- descriptors

    pub(crate) fn watch(&self, channel: &Rc<Channel>) -> PyResult<Token> {
        // A number that another thread has closed may be this very one.
        self.read_messages();
        let (interest, trigger) = if channel.is_bell() {
            (Interest::READABLE, Trigger::Level)
        } else if self.edge && channel.is_edge() {
            (Interest::READABLE | Interest::WRITABLE | Interest::PRIORITY, Trigger::Edge)
        } else {
            (Interest::NONE, Trigger::OneShot)
        };
        // SAFETY: the channel's owner calls `close` before it closes the descriptor; see `Channel::close`.
        let token = unsafe { self.poller.borrow_mut().add_raw(channel.fd(), interest, trigger) }.map_err(from_io)?;
        let slot = token.to_bits() as u32 as usize;
        let mut channels = self.channels.borrow_mut();
        if channels.len() <= slot {
            channels.resize_with(slot + 1, || None);
        }
        channels[slot] = Some(channel.clone());
        Ok(token)
    }

    /// Ends this thread's loop with the thread: everything parked has been ended before, as far as it would.
    pub(crate) fn end(_py: Python<'_>) {
        if let Some(hub) = HUB.with(|place| place.0.take()) {
            hub.dismantle();
        }
    }

    /// Asks for one event, where there are no edges.
    pub(crate) fn ask(&self, token: Token, interest: Interest) -> PyResult<()> {
        self.poller.borrow_mut().modify(token, interest, Trigger::OneShot).map_err(from_io)
    }

    pub(crate) fn forget(&self, token: Token) {
        if self.dead.get() {
            return;
        }
        if !self.is_here() {
            return self.send(Message::Forget(token));
        }
        if self.poller.borrow_mut().remove(token) {
            let slot = token.to_bits() as u32 as usize;
            let channel = self.channels.borrow_mut()[slot].take();
            if let Some(channel) = channel {
                channel.forgotten(self);
            }
        }
    }

    // ---- other threads

    pub(crate) fn send(&self, message: Message) {
        if self.dead.get() {
            return;
        }
        self.messages.borrow_mut().push(message);
        // The poller lives as long as the hub.
        let _ = self.waker.wake();
    }

    fn read_messages(&self) {
        if self.messages.borrow().is_empty() {
            return;
        }
        for message in self.messages.take() {
            match message {
                Message::Interrupt(channel) => channel.interrupt(self),
                Message::Forget(token) => self.forget(token),
                Message::Resume(greenlet) => self.push(greenlet, Why::Ready),
                Message::WakeJoiners(members) => members.wake_joiners(self),
            }
        }
    }

    // ---- timers

    pub(crate) fn alarm(&self, deadline: Time, alarm: Alarm) -> PyResult<Token> {
        self.timers.borrow_mut().insert(deadline, alarm).map_err(from_io)
    }

    /// Whether it was still to ring.
    pub(crate) fn cancel(&self, token: Token) -> bool {
        let alarm = self.timers.borrow_mut().cancel(token);
        alarm.is_some()
    }

    fn ring(&self) {
        if self.timers.borrow().next_deadline().is_none() {
            return;
        }
        let mut due = Vec::new();
        self.timers.borrow_mut().take_due(Time::now(), &mut due);
        for token in due {
            let alarm = self.timers.borrow_mut().cancel(token);
            match alarm {
                Some(Alarm::Channel(channel, direction)) => channel.wake(self, direction, Why::TimedOut),
                Some(Alarm::Greenlet(greenlet)) => self.push(greenlet, Why::TimedOut),
                None => {}
            }
        }
    }

    // ---- coroutines

    /// Lets a greenlet go on, in its turn.
    pub(crate) fn push(&self, greenlet: Greenlet, why: Why) {
        self.ready.borrow_mut().push_back(Resume { greenlet, why });
    }

    /// Takes back an exception that was to be raised in a greenlet and has not been.
    pub(crate) fn take_throw(&self, greenlet: &Greenlet) -> Option<Box<PyErr>> {
        let mut ready = self.ready.borrow_mut();
        let place = ready.iter().position(|r| r.greenlet.is(greenlet) && matches!(r.why, Why::Throw(_)))?;
        match ready.remove(place)?.why {
            Why::Throw(error) => Some(error),
            _ => None,
        }
    }

    /// The greenlet that is about to wait: never the loop's own.
    #[inline(never)]
    pub(crate) fn parkable(&self, py: Python<'_>) -> PyResult<Greenlet> {
        let current = Greenlet::current(py)?;
        if self.home.borrow().as_ref().is_some_and(|home| home.is(&current)) {
            return Err(misuse("this call would wait on the loop's own greenlet, and nothing could ever wake it"));
        }
        Ok(current)
    }

    pub(crate) fn home(&self, py: Python<'_>) -> Option<Greenlet> {
        self.home.borrow().as_ref().map(|home| home.clone_ref(py))
    }

    // From here to the switch, frames are kept small: they are saved for every parked coroutine.

    /// Gives way until someone resumes the current greenlet (which has seen to that) and says why.
    ///
    /// Goes straight to the next coroutine that is ready, and to the loop only when there is none.
    pub(crate) fn park(&self, py: Python<'_>) -> PyResult<Why> {
        let switched = self.leave(py);
        self.back(switched).map_err(|error| *error)
    }

    /// What comes after a switch away and back: the reason for the return.
    #[inline(never)]
    pub(crate) fn back(&self, switched: Slim<()>) -> Slim<Why> {
        switched?;
        self.budget.set(BUDGET);
        match self.why.take() {
            Some(Why::Throw(error)) => Err(error),
            Some(why) => Ok(why),
            // Someone else switched here: let the caller look again.
            None => Ok(Why::Ready),
        }
    }

    /// Away from the current greenlet; returns when it is switched to again.
    pub(crate) fn leave(&self, py: Python<'_>) -> Slim<()> {
        self.next(py)?.switch(py)
    }

    /// Where to go on, which is told why.
    #[inline(never)]
    pub(crate) fn next(&self, py: Python<'_>) -> PyResult<Greenlet> {
        if self.slice.get() > 0 {
            let mut ready = self.ready.borrow_mut();
            // A greenlet lies for its whole life where it was first entered, and counts its recursion from there: each
            // begins on the loop, not on top of another coroutine.
            if ready.front().is_some_and(|resume| !resume.is_birth()) {
                if let Some(resume) = ready.pop_front() {
                    drop(ready);
                    self.slice.set(self.slice.get() - 1);
                    self.why.replace(Some(resume.why));
                    return Ok(resume.greenlet);
                }
            }
        }
        self.home(py).ok_or_else(|| misuse("the loop has ended"))
    }

    /// Into a greenlet that is ready.
    fn enter(&self, py: Python<'_>, resume: Resume) -> PyResult<()> {
        self.why.replace(Some(resume.why));
        let result = resume.greenlet.switch(py);
        // Still here when someone switched by hand, past us: nobody else's reason.
        let unclaimed = self.why.take();
        drop(unclaimed);
        result.map_err(|error| *error)
    }

    /// What `Start` brought to the worker that has just been entered.
    #[inline(never)]
    pub(crate) fn take_job(&self) -> Option<Box<Job>> {
        match self.why.take() {
            Some(Why::Start(job)) => Some(job),
            // Meant for what this worker did before.
            _ => None,
        }
    }

    /// Pays for I/O that did not wait. Who never waits gives way now and then.
    #[inline]
    pub(crate) fn spend(&self, py: Python<'_>, bytes: usize) -> PyResult<()> {
        let left = self.budget.get() - 1 - (bytes >> 12) as i32;
        self.budget.set(left);
        if left < 0 { self.give_way(py) } else { Ok(()) }
    }

    /// Behind everyone who is ready, and after a look at the kernel.
    #[cold]
    pub(crate) fn give_way(&self, py: Python<'_>) -> PyResult<()> {
        self.flush(py)?;
        self.budget.set(BUDGET);
        // On the loop's own greenlet (a signal handler) there is nobody to give way to.
        let Ok(current) = self.parkable(py) else { return Ok(()) };
        self.push(current, Why::Ready);
        self.park(py).map(drop)
    }

    // ---- groups

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

    // ---- the loop

    /// Runs until `done`. The current greenlet is the loop meanwhile.
    pub(crate) fn run(self: &Rc<Hub>, py: Python<'_>, main: &Greenlet, done: &dyn Fn() -> bool) -> PyResult<()> {
        /// Also when a turn panics.
        struct Running<'a>(&'a Hub);
        impl Drop for Running<'_> {
            fn drop(&mut self) {
                RUNNING.set(std::ptr::null());
                let home = self.0.home.take();
                drop(home);
            }
        }
        let home = Greenlet::current(py)?;
        self.home.replace(Some(home));
        let _running = Running(self);
        RUNNING.set(Rc::as_ptr(self));
        self.turns(py, main, done)
    }

    fn turns(&self, py: Python<'_>, main: &Greenlet, done: &dyn Fn() -> bool) -> PyResult<()> {
        let mut events = Vec::new();
        loop {
            self.read_messages();
            self.ring();
            let slice = self.ready.borrow().len();
            self.slice.set(slice);
            while self.slice.get() > 0 {
                let Some(resume) = self.ready.borrow_mut().pop_front() else { break };
                self.slice.set(self.slice.get() - 1);
                self.enter(py, resume)?;
                if self.dead.get() {
                    return Err(misuse("forked inside a handler: the child has left the loop"));
                }
            }
            if done() {
                return Ok(());
            }
            if let Err(error) = py.check_signals() {
                // Where the program waits, as if it had blocked there.
                self.push(main.clone_ref(py), Why::Throw(Box::new(error)));
                continue;
            }
            self.wait(py, &mut events)?;
            self.deliver(&events);
        }
    }

    fn wait(&self, py: Python<'_>, events: &mut Vec<Event>) -> PyResult<()> {
        let timeout = if !self.ready.borrow().is_empty() || !self.messages.borrow().is_empty() {
            Some(Duration::ZERO)
        } else {
            self.timers.borrow().next_deadline().map(|deadline| Time::now().until(deadline))
        };
        let result = if timeout == Some(Duration::ZERO) {
            self.poller.borrow_mut().wait(events, timeout)
        } else {
            let waiting = Waiting(&self.poller, events);
            py.detach(move || waiting.wait(timeout))
        };
        match result {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => events.clear(),
            Err(error) => return Err(from_io(error)),
        }
        Ok(())
    }

    fn deliver(&self, events: &[Event]) {
        for event in events {
            let slot = event.token().to_bits() as u32 as usize;
            let channels = self.channels.borrow();
            let Some(Some(channel)) = channels.get(slot) else { continue };
            let channel = channel.clone();
            drop(channels);
            // Closed by what an earlier event of this batch set going? Nothing has run since the wait, so no.
            channel.on_event(self, event.ready());
        }
    }
}

/// The wait, for which the GIL is let go of.
struct Waiting<'a>(&'a RefCell<Poller<'static>>, &'a mut Vec<Event>);

// SAFETY: nothing is sent: `detach` runs its closure on this very thread. The poller is touched by the hub's own thread
// alone; others send messages.
unsafe impl Send for Waiting<'_> {}

impl Waiting<'_> {
    fn wait(self, timeout: Option<Duration>) -> std::io::Result<usize> {
        self.0.borrow_mut().wait(self.1, timeout)
    }
}
