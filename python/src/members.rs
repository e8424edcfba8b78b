//! Coroutines that belong together.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use fastsock::Time;
use pyo3::prelude::*;

use crate::alarm::Alarm;
use crate::errors::misuse;
use crate::greenlet::{self, Greenlet};
use crate::hub::Hub;
use crate::mailbox::Message;
use crate::park::Why;
use crate::socket::duration;

/// The coroutines of a group, and those who wait for them to end.
#[derive(Default)]
pub(crate) struct Members {
    /// The loop that they run on: one for all.
    hub: RefCell<Option<Rc<Hub>>>,
    places: RefCell<Vec<Option<Greenlet>>>,
    free: RefCell<Vec<usize>>,
    len: Cell<usize>,
    joiners: RefCell<Vec<Greenlet>>,
    /// `interrupt()` came: the next (or present) join ends at once.
    interrupted: Cell<bool>,
}

impl Members {
    pub(crate) fn hub(&self) -> Option<Rc<Hub>> {
        self.hub.borrow().clone()
    }

    /// Makes this the loop of the group, which must be so already or have no coroutine.
    #[inline]
    pub(crate) fn settle(self: &Rc<Members>, hub: &Rc<Hub>) -> PyResult<()> {
        match &*self.hub.borrow() {
            Some(other) if Rc::ptr_eq(other, hub) => return Ok(()),
            Some(other) if self.len.get() > 0 && !other.is_dead() => {
                return Err(misuse(
                    "this group's coroutines run on another thread's loop: use a group for each thread",
                ));
            }
            _ => {}
        }
        self.hub.replace(Some(hub.clone()));
        hub.know(self);
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.len.get()
    }

    /// Makes an interruptible `join` end early: the one that is under way, else the next. From any thread.
    pub(crate) fn interrupt(self: &Rc<Members>) {
        self.interrupted.set(true);
        match self.hub() {
            Some(hub) if hub.is_here() => self.wake_joiners(&hub),
            Some(hub) => hub.send(Message::WakeJoiners(self.clone())),
            None => {}
        }
    }

    pub(crate) fn leave_loop(&self) {
        self.hub.take();
    }

    pub(crate) fn contains(&self, greenlet: &Greenlet) -> bool {
        self.places.borrow().iter().flatten().any(|place| place.is(greenlet))
    }

    pub(crate) fn wake_joiners(&self, hub: &Hub) {
        for joiner in self.joiners.take() {
            hub.push(joiner, Why::Ready);
        }
    }

    /// Waits until fewer than `below` are left, `timeout` seconds, or (if so wanted) an interruption; whether it came to
    /// that.
    pub(crate) fn join(
        &self,
        py: Python<'_>,
        below: usize,
        timeout: Option<f64>,
        interruptible: bool,
    ) -> PyResult<bool> {
        let deadline = duration(timeout)?.map(|timeout| Time::now() + timeout);
        while self.len.get() >= below {
            if interruptible && self.interrupted.take() || deadline.is_some_and(|deadline| Time::now() >= deadline) {
                return Ok(false);
            }
            let Some(hub) = Hub::running(py) else {
                return Err(misuse("join() waits on the loop: call it in a coroutine"));
            };
            let me = hub.parkable(py)?;
            if self.hub().is_some_and(|own| !Rc::ptr_eq(&own, &hub)) {
                return Err(misuse("this group's coroutines run on another thread's loop: join them there"));
            }
            hub.flush(py)?;
            let alarm = deadline.map(|deadline| hub.alarm(deadline, Alarm::Greenlet(me.clone_ref(py)))).transpose()?;
            self.joiners.borrow_mut().push(me.clone_ref(py));
            let result = hub.park(py);
            if let Some(alarm) = alarm {
                hub.cancel(alarm);
            }
            self.joiners.borrow_mut().retain(|joiner| !joiner.is(&me));
            result?;
        }
        Ok(true)
    }

    /// Raises `GreenletExit` in each but the current one; how many there were.
    pub(crate) fn kill(&self, py: Python<'_>, hub: &Hub) -> PyResult<usize> {
        let me = Greenlet::current(py)?;
        let mut others = Vec::new();
        for greenlet in self.places.borrow().iter().flatten() {
            if !greenlet.is(&me) {
                others.push(greenlet.clone_ref(py));
            }
        }
        let count = others.len();
        for greenlet in others {
            hub.push(greenlet, Why::Throw(Box::new(greenlet::exit(py)?)));
        }
        Ok(count)
    }

    pub(crate) fn enter(&self, greenlet: Greenlet) -> usize {
        self.len.set(self.len.get() + 1);
        let mut places = self.places.borrow_mut();
        if let Some(id) = self.free.borrow_mut().pop() {
            places[id] = Some(greenlet);
            return id;
        }
        places.push(Some(greenlet));
        places.len() - 1
    }

    pub(crate) fn leave(&self, hub: &Hub, id: usize) {
        let greenlet = self.places.borrow_mut()[id].take();
        drop(greenlet);
        self.free.borrow_mut().push(id);
        self.len.set(self.len.get() - 1);
        self.wake_joiners(hub);
    }
}
