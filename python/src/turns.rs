//! One sender at a time: what one coroutine sends goes out in one piece.

use std::rc::Rc;
use std::time::Duration;

use fastsock::Time;
use pyo3::prelude::*;

use crate::alarm::Alarm;
use crate::channel::{Channel, Direction};
use crate::errors::{misuse, os_error, timed_out};
use crate::greenlet::Greenlet;
use crate::hub::{Hub, thread_id};
use crate::mailbox::Message;
use crate::park::Why;
use crate::sys;

/// A coroutine that waits for its turn to send, maybe on another loop than the one that sends now.
pub(crate) struct Sender {
    hub: Rc<Hub>,
    greenlet: Greenlet,
}

impl Channel {
    /// Waits until no other coroutine is in the middle of a send.
    #[inline]
    pub(crate) fn begin_send(&self, py: Python<'_>) -> PyResult<()> {
        if self.is_sending() {
            self.await_turn(py)?;
        }
        self.sending.set(thread_id());
        Ok(())
    }

    /// Until nobody sends; the caller goes on at once, before anyone else can begin.
    #[inline(never)]
    pub(crate) fn await_turn(&self, py: Python<'_>) -> PyResult<()> {
        let deadline = self.timeout().map(|timeout| Time::now() + timeout);
        while self.is_sending() {
            if self.is_impatient(Direction::Write) {
                return Err(os_error(libc::EAGAIN));
            }
            if deadline.is_some_and(|deadline| Time::now() >= deadline) {
                return Err(timed_out());
            }
            match Hub::running(py) {
                Some(hub) => self.queue_up(py, hub, deadline)?,
                None if self.sending.get() == thread_id() => {
                    return Err(misuse(
                        "a coroutine is in the middle of a send on this socket, and its loop does not run",
                    ));
                }
                // Another thread's loop sends. This is rare enough for looking now and then.
                None => sys::nap(py, Duration::from_millis(1))?,
            }
            if !self.is_open() {
                return Err(os_error(libc::EBADF));
            }
        }
        Ok(())
    }

    fn queue_up(&self, py: Python<'_>, hub: Rc<Hub>, deadline: Option<Time>) -> PyResult<()> {
        let me = hub.parkable(py)?;
        hub.flush(py)?;
        if !self.is_sending() {
            return Ok(());
        }
        let alarm = deadline.map(|deadline| hub.alarm(deadline, Alarm::Greenlet(me.clone_ref(py)))).transpose()?;
        self.senders.borrow_mut().push_back(Sender { hub: hub.clone(), greenlet: me.clone_ref(py) });
        let result = hub.park(py);
        if let Some(alarm) = alarm {
            hub.cancel(alarm);
        }
        self.senders.borrow_mut().retain(|sender| !sender.greenlet.is(&me));
        if result.is_err() && !self.is_sending() {
            // It was this one's turn, maybe, and it ends instead: the next one's, then.
            self.wake_sender();
        }
        result.map(drop)
    }

    #[inline]
    pub(crate) fn end_send(self: &Rc<Channel>, py: Python<'_>) {
        self.sending.set(0);
        if !self.senders.borrow().is_empty() {
            self.wake_sender();
        }
        if !self.output.is_empty() {
            self.take_along(py);
        }
    }

    /// What others have written meanwhile, and have not waited for.
    #[cold]
    #[inline(never)]
    fn take_along(self: &Rc<Channel>, py: Python<'_>) {
        match Hub::running(py) {
            Some(hub) if self.output.list() => hub.soil(self),
            Some(_) => {}
            // Another thread's loop knows nothing of it; and an error would be told to the next write.
            None => drop(self.flush_quietly(py)),
        }
    }

    /// Lets the first who waits to send go on; whether there was one.
    pub(crate) fn wake_sender(&self) -> bool {
        let next = self.senders.borrow_mut().pop_front();
        match next {
            Some(Sender { hub, greenlet }) if hub.is_here() => hub.push(greenlet, Why::Ready),
            Some(Sender { hub, greenlet }) => hub.send(Message::Resume(greenlet)),
            None => return false,
        }
        true
    }

    #[inline]
    pub(crate) fn is_sending(&self) -> bool {
        self.sending.get() != 0
    }
}
