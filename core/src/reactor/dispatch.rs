use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::Reactor;
use crate::{Event, Time};

impl<C> Reactor<C> {
    /// Calls back for all that the last [`wait`](Self::wait) harvested and for the timers due now; never blocks. Returns the
    /// number of callbacks called. Ends early after [`stop`](Self::stop); the rest waits for the next call.
    ///
    /// The timers due are listed at the start: one that a callback sets to "now" fires in the next turn, so that it
    /// starves nobody.
    ///
    /// A callback that panics loses its source, timer or waker; the panic goes on to the caller, and the reactor can
    /// be used again.
    ///
    /// # Errors
    /// `EBUSY`: called inside a callback.
    pub fn dispatch(&mut self, context: &mut C) -> io::Result<usize> {
        self.not_dispatching()?;
        self.dispatching = true;
        let result = catch_unwind(AssertUnwindSafe(|| self.deliver(context)));
        self.dispatching = false;
        match result {
            Ok(count) => Ok(count),
            Err(panic) => resume_unwind(panic),
        }
    }

    fn deliver(&mut self, context: &mut C) -> usize {
        let mut count = 0;
        if self.due_cursor == self.due.len() {
            self.due.clear();
            self.due_cursor = 0;
            if self.timers.next_deadline().is_some() {
                self.timers.take_due(Time::now(), &mut self.due);
            }
        }
        while let Some(&token) = self.due.get(self.due_cursor) {
            if self.stopped {
                return count;
            }
            self.due_cursor += 1;
            count += usize::from(self.fire(token, context));
        }
        while let Some(&event) = self.events.get(self.cursor) {
            if self.stopped {
                return count;
            }
            self.cursor += 1;
            count += usize::from(self.deliver_event(event, context));
        }
        if self.poller.take_woken() {
            count += self.notify(context);
        }
        count
    }

    #[inline]
    fn deliver_event(&mut self, event: Event, context: &mut C) -> bool {
        let token = event.token();
        // Removed since the wait, by an earlier callback?
        if !self.poller.contains(token) {
            return false;
        }
        let slot = token.slot() as usize;
        // Out of its place while it runs: it may remove itself, and may reach everything else in here.
        let Some(mut handler) = self.handlers[slot].take() else { return false };
        let result = catch_unwind(AssertUnwindSafe(|| handler.ready(self, context, event)));
        if let Err(panic) = result {
            self.remove(token);
            drop(handler);
            resume_unwind(panic);
        }
        if self.poller.contains(token) {
            self.handlers[slot] = Some(handler);
        }
        true
    }
}
