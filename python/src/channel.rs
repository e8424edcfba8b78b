//! One descriptor on the loop: what it is ready for, and who waits for it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::os::fd::RawFd;
use std::rc::Rc;
use std::time::Duration;

use fastsock::{Interest, Ready, Time, Token};
use pyo3::prelude::*;

use crate::alarm::Alarm;
use crate::errors::{Slim, misuse, os_error};
use crate::greenlet::Greenlet;
use crate::hub::Hub;
use crate::mailbox::Message;
use crate::park::Why;
use crate::sys;
use crate::turns::Sender;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Direction {
    Read = 1,
    Write = 2,
}

/// What a wait came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Woken {
    Ready,
    TimedOut,
    Interrupted,
}

/// What kind of descriptor it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// A TCP socket of ours: after a short read or write nothing is left to be had until the next edge. (Not a Unix
    /// stream: its reads also end where descriptors were passed.)
    Stream,
    /// Another socket of ours: only `EAGAIN` tells that nothing is left.
    Other,
    /// Someone else's descriptor, whose reads and writes we do not see: asked about anew for each wait.
    Foreign,
    /// A pipe whose bytes only end the wait.
    Bell,
}

/// What came of preparing to park.
///
/// Parking is taken apart like this so that only one small frame lies between an operation and the switch: whatever is on
/// the stack then is kept in memory for every idle connection.
pub(crate) enum Prepared {
    /// There is no need.
    Done(Woken),
    Park(Parked),
}

/// A wait that has been registered.
pub(crate) struct Parked {
    hub: Rc<Hub>,
    direction: Direction,
    /// The timer of the deadline.
    alarm: Option<Token>,
    /// Where to switch to.
    pub(crate) next: Greenlet,
}

pub(crate) struct Channel {
    fd: Cell<RawFd>,
    kind: Kind,
    hub: RefCell<Option<Rc<Hub>>>,
    token: Cell<Option<Token>>,
    /// Bits of `Direction`. Set at first: the first attempt is made before anything is asked.
    ready: Cell<u8>,
    /// Urgent data was seen: a read may stop short at its mark with more behind it (tcp(7)).
    urgent: Cell<bool>,
    /// The peer has hung up or failed: reads give the rest and then the end without waiting.
    ended: Cell<bool>,
    reader: RefCell<Option<Greenlet>>,
    writer: RefCell<Option<Greenlet>>,
    /// `interrupt()` came while nobody waited: the next wait for reading ends at once.
    interrupted: Cell<bool>,
    /// Never wait inside a read or accept: the server's own listener, whose loop waits elsewhere.
    impatient: Cell<bool>,
    /// Nanoseconds; negative: none. What the user set, whatever the descriptor's own mode.
    timeout: Cell<i64>,
    pub(crate) output: crate::output::Output,
    /// The thread that is in the middle of a send, or 0; and who waits for its end.
    pub(crate) sending: Cell<usize>,
    pub(crate) senders: RefCell<VecDeque<Sender>>,
}

impl Channel {
    pub(crate) fn new(fd: RawFd, kind: Kind) -> Rc<Channel> {
        Rc::new(Channel {
            fd: Cell::new(fd),
            kind,
            hub: RefCell::new(None),
            token: Cell::new(None),
            ready: Cell::new(Direction::Read as u8 | Direction::Write as u8),
            urgent: Cell::new(false),
            ended: Cell::new(false),
            reader: RefCell::new(None),
            writer: RefCell::new(None),
            interrupted: Cell::new(false),
            impatient: Cell::new(false),
            timeout: Cell::new(-1),
            output: crate::output::Output::default(),
            sending: Cell::new(0),
            senders: RefCell::default(),
        })
    }

    #[inline]
    pub(crate) fn fd(&self) -> RawFd {
        self.fd.get()
    }

    pub(crate) fn is_open(&self) -> bool {
        self.fd.get() >= 0
    }

    pub(crate) fn is_edge(&self) -> bool {
        matches!(self.kind, Kind::Stream | Kind::Other)
    }

    pub(crate) fn is_bell(&self) -> bool {
        self.kind == Kind::Bell
    }

    pub(crate) fn timeout(&self) -> Option<Duration> {
        u64::try_from(self.timeout.get()).ok().map(Duration::from_nanos)
    }

    pub(crate) fn set_timeout(&self, timeout: Option<Duration>) {
        let nanos = timeout.map(|t| i64::try_from(t.as_nanos()).unwrap_or(i64::MAX));
        self.timeout.set(nanos.unwrap_or(-1));
    }

    /// Whether an operation in this direction must not wait.
    pub(crate) fn is_impatient(&self, direction: Direction) -> bool {
        self.timeout.get() == 0 || (self.impatient.get() && direction == Direction::Read)
    }

    pub(crate) fn set_impatient(&self, impatient: bool) {
        self.impatient.set(impatient);
        self.interrupted.set(false);
    }

    /// The loop to wait on, if this thread's loop runs and the channel belongs to no other.
    #[inline]
    pub(crate) fn loop_here(&self, py: Python<'_>) -> Option<Rc<Hub>> {
        let hub = Hub::running(py)?;
        match &*self.hub.borrow() {
            Some(other) if !Rc::ptr_eq(other, &hub) => None,
            _ => Some(hub),
        }
    }

    /// As `loop_here`, without a share in it.
    #[inline]
    pub(crate) fn loop_now<'a>(&self, py: Python<'a>) -> Option<&'a Hub> {
        let hub = Hub::here(py)?;
        match &*self.hub.borrow() {
            Some(other) if !std::ptr::eq(Rc::as_ptr(other), hub) => None,
            _ => Some(hub),
        }
    }

    /// Whether an attempt is worth a system call. Without a registration nobody would tell us otherwise.
    #[inline]
    pub(crate) fn may(&self, direction: Direction) -> bool {
        self.token.get().is_none() || self.is_ready(direction)
    }

    /// Whether an attempt has not failed since the kernel last spoke of it.
    pub(crate) fn is_ready(&self, direction: Direction) -> bool {
        self.ready.get() & direction as u8 != 0
    }

    #[inline]
    pub(crate) fn exhausted(&self, direction: Direction) {
        self.ready.set(self.ready.get() & !(direction as u8));
    }

    /// After a transfer of `done` of `asked` bytes: a short one has emptied (or filled) the kernel's buffer, so that
    /// the next edge will tell, and no `EAGAIN` is needed to find out (epoll(7), question 9).
    #[inline]
    pub(crate) fn moved(&self, direction: Direction, done: usize, asked: usize) {
        let sure = direction == Direction::Write || !(self.ended.get() || self.urgent.get());
        if done < asked && self.kind == Kind::Stream && sure {
            self.exhausted(direction);
        }
    }

    pub(crate) fn set_ready(&self, direction: Direction) {
        self.ready.set(self.ready.get() | direction as u8);
    }

    fn waiter(&self, direction: Direction) -> &RefCell<Option<Greenlet>> {
        match direction {
            Direction::Read => &self.reader,
            Direction::Write => &self.writer,
        }
    }

    /// Waits for the direction, on the loop if it runs here, else in poll(2) with the GIL let go of.
    ///
    /// Waits from one moment to the deadline; `None` is for ever.
    pub(crate) fn wait(
        self: &Rc<Channel>,
        py: Python<'_>,
        direction: Direction,
        deadline: Option<Time>,
    ) -> PyResult<Woken> {
        loop {
            let woken = match self.prepare(py, direction, deadline).map_err(|error| *error)? {
                Prepared::Done(woken) => return Ok(woken),
                Prepared::Park(parked) => {
                    let switched = parked.next.switch(py);
                    self.finish(py, parked, switched).map_err(|error| *error)?
                }
            };
            // Who makes an attempt sees for itself that it was woken for nothing; here nobody does.
            if woken != Woken::Ready || self.is_ready(direction) {
                return Ok(woken);
            }
        }
    }

    /// Waits for the deadline or an interruption, and asks the kernel nothing. On the loop only; `Ready`: look again.
    pub(crate) fn pause(self: &Rc<Channel>, py: Python<'_>, hub: Rc<Hub>, deadline: Time) -> PyResult<Woken> {
        let current = hub.parkable(py)?;
        hub.flush(py)?;
        if self.interrupted.take() {
            return Ok(Woken::Interrupted);
        }
        let alarm = Some(hub.alarm(deadline, Alarm::Channel(self.clone(), Direction::Read))?);
        self.reader.replace(Some(current));
        let next = hub.next(py)?;
        let switched = next.switch(py);
        self.finish(py, Parked { hub, direction: Direction::Read, alarm, next }, switched).map_err(|error| *error)
    }

    /// All that comes before the switch.
    #[inline(never)]
    pub(crate) fn prepare(
        self: &Rc<Channel>,
        py: Python<'_>,
        direction: Direction,
        deadline: Option<Time>,
    ) -> Slim<Prepared> {
        let Some(hub) = self.loop_here(py) else {
            return Ok(Prepared::Done(sys::wait(py, self.fd(), direction, deadline)?));
        };
        let current = hub.parkable(py)?;
        hub.flush(py)?;
        if !self.is_open() {
            return Err(os_error(libc::EBADF).into());
        }
        if self.token.get().is_some() && self.is_edge() && self.is_ready(direction) {
            return Ok(Prepared::Done(Woken::Ready));
        }
        if self.waiter(direction).borrow().is_some() {
            return Err(Box::new(misuse(match direction {
                Direction::Read => "another coroutine waits to read from this socket already: one reader at a time",
                Direction::Write => {
                    "another coroutine waits to write to this socket already: use sendall, which takes turns"
                }
            })));
        }
        if direction == Direction::Read && self.interrupted.take() {
            return Ok(Prepared::Done(Woken::Interrupted));
        }
        // From here on, only the kernel's word makes it so.
        self.exhausted(direction);
        self.enroll(&hub)?;
        let alarm = match deadline {
            Some(deadline) => Some(hub.alarm(deadline, Alarm::Channel(self.clone(), direction))?),
            None => None,
        };
        self.waiter(direction).replace(Some(current));
        if let Err(error) = self.ask(&hub) {
            self.waiter(direction).take();
            if let Some(alarm) = alarm {
                hub.cancel(alarm);
            }
            return Err(error.into());
        }
        let next = hub.next(py)?;
        Ok(Prepared::Park(Parked { hub, direction, alarm, next }))
    }

    /// All that comes after it.
    #[inline(never)]
    pub(crate) fn finish(&self, py: Python<'_>, parked: Parked, switched: Slim<()>) -> Slim<Woken> {
        let Parked { hub, direction, alarm, .. } = parked;
        let result = hub.back(switched);
        // An alarm that is still set has not rung: then the reason is a left-over of some earlier wait.
        let early = alarm.is_none_or(|alarm| hub.cancel(alarm));
        // Still there when something else than `wake` ended the wait.
        let mut waiter = self.waiter(direction).borrow_mut();
        if let Some(greenlet) = waiter.take() {
            if !greenlet.is(&Greenlet::current(py)?) {
                *waiter = Some(greenlet);
            }
        }
        match result? {
            Why::TimedOut if !early => Ok(Woken::TimedOut),
            Why::Interrupted => Ok(Woken::Interrupted),
            _ if !self.is_open() => Err(os_error(libc::EBADF).into()),
            _ => Ok(Woken::Ready),
        }
    }

    /// Registers with the loop: once, for life.
    fn enroll(self: &Rc<Channel>, hub: &Rc<Hub>) -> PyResult<()> {
        if self.token.get().is_none() {
            self.token.set(Some(hub.watch(self)?));
            self.hub.replace(Some(hub.clone()));
        }
        Ok(())
    }

    /// Without edges: asks for what is waited for now.
    fn ask(&self, hub: &Hub) -> PyResult<()> {
        if self.is_edge() && hub.has_edge() {
            return Ok(());
        }
        let Some(token) = self.token.get() else { return Ok(()) };
        let mut interest = Interest::NONE;
        if self.reader.borrow().is_some() {
            interest |= Interest::READABLE;
        }
        if self.writer.borrow().is_some() {
            interest |= Interest::WRITABLE;
        }
        hub.ask(token, interest)
    }

    /// The kernel's word.
    pub(crate) fn on_event(&self, hub: &Hub, ready: Ready) {
        if self.is_bell() {
            return sys::discard(self.fd());
        }
        if ready.is_hangup() || ready.is_read_hangup() || ready.is_error() {
            self.ended.set(true);
        }
        if ready.is_priority() {
            self.urgent.set(true);
        }
        if ready.is_readable() {
            self.set_ready(Direction::Read);
            self.wake(hub, Direction::Read, Why::Ready);
        }
        if ready.is_writable() {
            self.set_ready(Direction::Write);
            self.wake(hub, Direction::Write, Why::Ready);
        }
        let waiting = self.reader.borrow().is_some() || self.writer.borrow().is_some();
        if waiting {
            // The other direction's waiter. A failure would be found by its own next attempt.
            let _ = self.ask(hub);
        }
    }

    /// Makes who waits for this direction go on.
    pub(crate) fn wake(&self, hub: &Hub, direction: Direction, why: Why) {
        let waiter = self.waiter(direction).take();
        if let Some(greenlet) = waiter {
            hub.push(greenlet, why);
        }
    }

    /// Ends a wait for reading early, from any thread.
    pub(crate) fn interrupt_from_anywhere(self: &Rc<Channel>) {
        self.interrupted.set(true);
        let hub = self.hub.borrow().clone();
        match hub {
            Some(hub) if hub.is_here() => self.interrupt(&hub),
            Some(hub) => hub.send(Message::Interrupt(self.clone())),
            None => {}
        }
    }

    pub(crate) fn interrupt(&self, hub: &Hub) {
        if self.reader.borrow().is_some() {
            self.interrupted.set(false);
            self.wake(hub, Direction::Read, Why::Interrupted);
        }
    }

    /// Before the descriptor is closed: takes it off the loop, and lets whoever waits for it go on to find `EBADF`.
    ///
    /// From any thread; the loop hears of it before it watches the next descriptor.
    pub(crate) fn close(&self) {
        self.fd.set(-1);
        while self.wake_sender() {}
        if let (Some(hub), Some(token)) = (self.hub.take(), self.token.take()) {
            hub.forget(token);
        }
    }

    /// The loop has let go of it.
    pub(crate) fn forgotten(&self, hub: &Hub) {
        self.wake(hub, Direction::Read, Why::Ready);
        self.wake(hub, Direction::Write, Why::Ready);
    }

    /// The loop is no more: as if it had never been registered.
    pub(crate) fn leave_loop(&self) {
        self.token.take();
        self.hub.take();
    }

    pub(crate) fn forget_output(&self) {
        self.output.clear();
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.close();
    }
}
