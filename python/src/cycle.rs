//! The loop's turns: run who is ready, wait, deliver what came.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use fastsock::{Event, Poller, Time};
use pyo3::prelude::*;

use crate::errors::{from_io, misuse};
use crate::greenlet::Greenlet;
use crate::hub::{Hub, RUNNING};
use crate::park::Why;
use crate::task::flush_soon;

impl Hub {
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
            self.send_posts(py);
            if done() {
                return Ok(());
            }
            if let Err(error) = py.check_signals() {
                // Where the program waits, as if it had blocked there.
                self.push(main.clone_ref(py), Why::Throw(Box::new(error)));
                continue;
            }
            // Written by a signal's handler, just now: nobody who would send it is about to wait.
            if !self.dirty.borrow().is_empty() {
                flush_soon(py)?;
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
