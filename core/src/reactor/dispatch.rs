use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use super::handler::Handler;
use super::{Called, Reactor, Turn};
use crate::{Event, Time, Token};

impl<'fd, C> Reactor<'fd, C> {
    /// Calls back for all that the last [`wait`](Self::wait) harvested and for the timers due now; never blocks. Returns the
    /// number of callbacks called, submitted closures included. Ends early after [`stop`](Self::stop); the rest waits for
    /// the next call.
    ///
    /// The timers due are listed at the start: one that a callback sets to "now" fires in the next turn, so that it
    /// starves nobody. What a dispatch that ended early has left over comes first, and nothing is listed anew before it is
    /// done.
    ///
    /// A callback that panics loses its source, timer or waker; the panic goes on to the caller, and the reactor can
    /// be used again. (One that has put another reactor in this one's place loses nothing.)
    ///
    /// A callback may even put another reactor in this one's place (`mem::replace`): the dispatch ends there, and each of
    /// the two goes on with its next.
    ///
    /// ```
    /// use fastsock::Reactor;
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// let mut reactor = Reactor::<u32>::new()?;
    /// reactor.timer(Duration::ZERO, |_, calls, _, _| *calls += 1)?;
    /// reactor.timer(Duration::ZERO, |_, calls, _, _| *calls += 1)?;
    /// reactor.wait(None)?;
    /// let mut calls = 0;
    /// assert_eq!(reactor.dispatch(&mut calls)?, 2);
    /// assert_eq!((calls, reactor.dispatch(&mut calls)?), (2, 0)); // It never blocks.
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `EBUSY`: called inside a callback.
    pub fn dispatch(&mut self, context: &mut C) -> io::Result<usize> {
        self.dispatch_and(context, |_, _| {})
    }

    /// As [`dispatch`](Self::dispatch), with something to do after each callback, when what that has removed is
    /// dropped and before the next one is chosen. It may do all that a callback may.
    ///
    /// ```
    /// use fastsock::Reactor;
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// let mut reactor = Reactor::<Vec<&str>>::new()?;
    /// reactor.timer(Duration::ZERO, |_, log, _, _| log.push("one"))?;
    /// reactor.timer(Duration::ZERO, |_, log, _, _| log.push("two"))?;
    /// reactor.wait(None)?;
    /// let mut log = Vec::new();
    /// reactor.dispatch_and(&mut log, |_, log| log.push("flushed"))?;
    /// assert_eq!(log, ["one", "flushed", "two", "flushed"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`dispatch`](Self::dispatch).
    pub fn dispatch_and(&mut self, context: &mut C, after: impl FnMut(&mut Self, &mut C)) -> io::Result<usize> {
        self.not_dispatching()?;
        self.poller.same_process()?;
        self.stopped = false;
        let count = self.deliver_guarded(context, after);
        // The host may be long in coming back, and what it is told of the next deadline counts from now.
        if self.streams.is_marked() {
            self.streams.stamp(Time::now());
        }
        Ok(count)
    }

    pub(super) fn deliver_guarded(&mut self, context: &mut C, after: impl FnMut(&mut Self, &mut C)) -> usize {
        let mut turn = Turn { running: self.dispatching.clone(), called: None };
        turn.running.now.set(true);
        let result = catch_unwind(AssertUnwindSafe(|| self.deliver(context, &mut turn, after)));
        turn.running.now.set(false);
        if self.embedded.is_some() {
            self.keep_in_step();
        }
        if !self.is_same(&turn) {
            // Even after a panic: its poller, which is elsewhere, watches the source still.
            turn.running.left_over.set(turn.called.take());
        }
        match result {
            Ok(count) => count,
            Err(panic) => {
                if let Some(called) = &turn.called {
                    // Out of the kernel's set first, then dropped.
                    self.remove(called.token());
                }
                if self.is_same(&turn) {
                    self.streams.note_all();
                }
                drop(turn);
                resume_unwind(panic)
            }
        }
    }

    fn deliver(&mut self, context: &mut C, turn: &mut Turn<'fd, C>, mut after: impl FnMut(&mut Self, &mut C)) -> usize {
        let mut count = 0;
        self.put_left_over_back();
        if !self.interrupted || !self.has_left_over() {
            self.begin_turn();
        }
        self.interrupted = true;
        while self.goes_on(turn) {
            let Some(&token) = self.due.get(self.due_cursor) else { break };
            self.due_cursor += 1;
            if self.fire(token, context, turn) {
                count += 1;
                self.follow_up(context, turn, &mut after);
            }
        }
        while self.goes_on(turn) {
            let Some(&event) = self.events.get(self.cursor) else { break };
            self.cursor += 1;
            count += self.deliver_event(event, context, turn, &mut after);
        }
        if self.streams.has_noted() && self.goes_on(turn) {
            count += self.settle_noted(context, turn, &mut after);
        }
        if self.poller.is_woken() && self.goes_on(turn) {
            count += self.tell_signals(context, turn, &mut after);
            count += self.notify(context, turn, &mut after);
            count += self.run_jobs(context, turn, &mut after);
            // It stays woken until all were called: a stop or a panic in between keeps the others for the next turn.
            if self.goes_on(turn) {
                self.poller.take_woken();
            }
        }
        if self.goes_on(turn) {
            self.interrupted = false;
        }
        count
    }

    /// Lists what is to be done in this turn, beside the events harvested. What a dispatch that ended early has left comes
    /// first: were it listed anew each time, who stops every dispatch would be the only one to be called.
    #[inline]
    fn begin_turn(&mut self) {
        if self.poller.is_woken() {
            self.jobs.take_queued();
            self.signals.take_pending();
            self.notified = 0;
        }
        if self.due_cursor == self.due.len() {
            self.due.clear();
            self.due_cursor = 0;
            if self.timers.next_deadline().is_some() {
                self.timers.take_due(Time::now(), &mut self.due);
            }
        }
        self.streams.begin_turn();
    }

    /// Puts the callback back that moved this reactor away when it was called.
    #[inline]
    pub(super) fn put_left_over_back(&mut self) {
        match self.dispatching.left_over.take() {
            None => {}
            Some(Called::Source(token, handler)) => self.put_back(token, handler),
            Some(Called::Stream(token, callback, error)) => self.put_stream_back(token, callback, error),
            Some(Called::Timer(token, callback)) => self.put_timer_back(token, callback),
            Some(Called::Waker(token, callback)) => self.put_waker_back(token, callback),
            Some(Called::Signal(token, callback)) => self.put_signal_back(token, callback),
        }
    }

    /// What is to be done after a callback, unless that has put another reactor here.
    #[inline]
    pub(super) fn follow_up(
        &mut self,
        context: &mut C,
        turn: &Turn<'fd, C>,
        after: &mut impl FnMut(&mut Self, &mut C),
    ) {
        if self.is_same(turn) {
            self.flush_cork();
            after(self, context);
        }
    }

    /// Neither stopped nor replaced by a callback.
    #[inline]
    pub(super) fn goes_on(&self, turn: &Turn<'fd, C>) -> bool {
        !self.stopped && self.is_same(turn)
    }

    /// Whether this is still the reactor whose dispatch runs.
    #[inline]
    pub(super) fn is_same(&self, turn: &Turn<'fd, C>) -> bool {
        Rc::ptr_eq(&self.dispatching, &turn.running)
    }

    #[inline]
    fn deliver_event(
        &mut self,
        event: Event,
        context: &mut C,
        turn: &mut Turn<'fd, C>,
        after: &mut impl FnMut(&mut Self, &mut C),
    ) -> usize {
        let token = event.token();
        let removals = self.poller.removals();
        // Removed since the wait, by an earlier callback?
        if removals != self.harvested_at && !self.poller.contains(token) {
            return 0;
        }
        let Some(handler) = self.take_handler(token) else { return self.deliver_stream(event, context, turn, after) };
        let mut out = Out { token, handler: Some(handler), called: &mut turn.called };
        let Some(handler) = &mut out.handler else { return 0 };
        let begun = self.measure.begin();
        handler.ready(self, context, event);
        if !Rc::ptr_eq(&self.dispatching, &turn.running) {
            return 1;
        }
        self.measure.called(begun);
        match out.handler.take() {
            handler if removals == self.poller.removals() || self.poller.contains(token) => {
                // It was taken out, and nothing is dropped here.
                let nothing = std::mem::replace(&mut self.handlers[token.slot() as usize], handler);
                std::mem::forget(nothing);
            }
            removed => drop(removed),
        }
        drop(out);
        self.flush_cork();
        after(self, context);
        1
    }

    /// After its callback, unless that has removed it.
    #[inline]
    fn put_back(&mut self, token: Token, handler: Box<dyn Handler<'fd, C> + 'fd>) {
        if self.poller.contains(token) {
            self.handlers[token.slot() as usize] = Some(handler);
        }
    }
}

/// A source's handler that is being called. It stays here, where the compiler can keep it in registers, as long as all
/// goes well; whatever else happens, a panic or another reactor in this one's place, it goes where that is seen to.
struct Out<'turn, 'fd, C> {
    token: Token,
    handler: Option<Box<dyn Handler<'fd, C> + 'fd>>,
    called: &'turn mut Option<Called<'fd, C>>,
}

impl<C> Drop for Out<'_, '_, C> {
    #[inline]
    fn drop(&mut self) {
        if let Some(handler) = self.handler.take() {
            *self.called = Some(Called::Source(self.token, handler));
        }
    }
}
