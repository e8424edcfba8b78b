use std::io;
use std::time::Duration;

use super::{Called, Reactor, Turn};
use crate::time::nanos;
use crate::{Repeat, Time, Token};

pub(super) type Callback<'fd, C> = Box<dyn FnMut(&mut Reactor<'fd, C>, &mut C, Token, u64) + 'fd>;

pub(super) struct Timer<'fd, C> {
    /// `None` while it runs.
    callback: Option<Callback<'fd, C>>,
    /// Elsewhere, because nearly all timers are one-shot ones (`None`), and there may be very many of them.
    repeat: Option<Box<Repeat>>,
}

impl<'fd, C> Reactor<'fd, C> {
    /// Calls back once, `after` from now: never early, and as late as the callbacks before it make it.
    ///
    /// The callback gets the timer's token and the number of deadlines that have passed (1 for a one-shot). A one-shot
    /// timer may be set again from its own callback by [`rearm_timer`](Self::rearm_timer); otherwise it is gone then.
    ///
    /// ```
    /// use fastsock::{Reactor, Time};
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// let mut reactor = Reactor::<u64>::new()?;
    /// let start = Time::now();
    /// reactor.timer(Duration::from_millis(5), |_, fired, _, passed| *fired += passed)?;
    /// let mut fired = 0;
    /// reactor.run(&mut fired)?;
    /// assert_eq!(fired, 1);
    /// assert!(Time::now() - start >= Duration::from_millis(5)); // Never early.
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `ENOSPC` at 2^29 timers.
    pub fn timer<F>(&mut self, after: Duration, callback: F) -> io::Result<Token>
    where
        F: FnMut(&mut Reactor<'fd, C>, &mut C, Token, u64) + 'fd,
    {
        self.timer_at(Time::now() + after, callback)
    }

    /// Calls back once, at `deadline`.
    ///
    /// ```
    /// use fastsock::{Reactor, Time};
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// let mut reactor = Reactor::<Vec<&str>>::new()?;
    /// let start = Time::now();
    /// reactor.timer_at(start + Duration::from_micros(20), |_, log, _, _| log.push("late"))?;
    /// reactor.timer_at(start + Duration::from_micros(10), |_, log, _, _| log.push("soon"))?;
    /// let mut log = Vec::new();
    /// reactor.run(&mut log)?;
    /// assert_eq!(log, ["soon", "late"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `ENOSPC` at 2^29 timers.
    pub fn timer_at<F>(&mut self, deadline: Time, callback: F) -> io::Result<Token>
    where
        F: FnMut(&mut Reactor<'fd, C>, &mut C, Token, u64) + 'fd,
    {
        self.timer_repeating(deadline, Repeat::Once, callback)
    }

    /// Calls back at `first` and then as `repeat` says. A period of zero means every turn.
    ///
    /// ```
    /// use fastsock::{Reactor, Repeat, Time};
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// let mut reactor = Reactor::<u32>::new()?;
    /// let start = Time::now();
    /// let pause = Duration::from_millis(1);
    /// reactor.timer_repeating(start + pause, Repeat::FixedDelay(pause), |reactor, calls, token, _| {
    ///     *calls += 1;
    ///     if *calls == 3 {
    ///         reactor.remove(token);
    ///     }
    /// })?;
    /// let mut calls = 0;
    /// reactor.run(&mut calls)?; // Until it has removed itself.
    /// assert!(calls == 3 && Time::now() - start >= 3 * pause);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `ENOSPC` at 2^29 timers.
    pub fn timer_repeating<F>(&mut self, first: Time, repeat: Repeat, callback: F) -> io::Result<Token>
    where
        F: FnMut(&mut Reactor<'fd, C>, &mut C, Token, u64) + 'fd,
    {
        let repeat = (repeat != Repeat::Once).then(|| Box::new(repeat));
        let timer = Timer { callback: Some(Box::new(callback)), repeat };
        let token = self.timers.insert(first, timer)?;
        self.timer_was_set();
        Ok(token)
    }

    /// Gives a timer another deadline, `after` from now; a repeating one goes on from there.
    ///
    /// ```
    /// use fastsock::Reactor;
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// let mut reactor = Reactor::<u32>::new()?;
    /// reactor.timer(Duration::ZERO, |reactor, tries, token, _| {
    ///     *tries += 1;
    ///     if *tries < 3 {
    ///         reactor.rearm_timer(token, Duration::from_millis(1)).unwrap(); // Try again.
    ///     }
    /// })?;
    /// let mut tries = 0;
    /// reactor.run(&mut tries)?;
    /// assert_eq!(tries, 3);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `ENOENT`: stale token.
    pub fn rearm_timer(&mut self, token: Token, after: Duration) -> io::Result<()> {
        self.rearm_timer_at(token, Time::now() + after)
    }

    /// Gives a timer another deadline; a repeating one goes on from there. One look at the clock serves many timers so.
    ///
    /// ```
    /// use fastsock::{Reactor, Time};
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// let mut reactor = Reactor::<()>::new()?;
    /// let timers = [1, 2].map(|n| reactor.timer(Duration::from_secs(n), |_, _, _, _| {}).unwrap());
    /// let later = Time::now() + Duration::from_secs(60);
    /// for timer in timers {
    ///     reactor.rearm_timer_at(timer, later)?;
    /// }
    /// assert_eq!(reactor.next_deadline(), Some(later));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `ENOENT`: stale token.
    pub fn rearm_timer_at(&mut self, token: Token, deadline: Time) -> io::Result<()> {
        self.timers.rearm(token, deadline)?;
        self.timer_was_set();
        Ok(())
    }

    /// Fires a timer, unless it was cancelled or set anew since it became due.
    pub(super) fn fire(&mut self, token: Token, context: &mut C, turn: &mut Turn<'fd, C>) -> bool {
        if !self.timers.is_due(token) {
            return false;
        }
        let Some(deadline) = self.timers.deadline(token) else { return false };
        let Some(timer) = self.timers.get_mut(token) else { return false };
        let Some(callback) = timer.callback.take() else { return false };
        let passed = match timer.repeat.as_deref() {
            // Counted from the deadlines' own grid, so that lateness does not add up.
            Some(&Repeat::FixedRate(period)) => {
                let late = nanos(deadline.until(Time::now()));
                let missed = late.checked_div(nanos(period)).unwrap_or(0);
                let step = u128::from(missed) + 1;
                let ahead = u64::try_from(u128::from(nanos(period)) * step).unwrap_or(u64::MAX);
                // Before the call, so that the callback may cancel or re-arm it.
                let _ = self.timers.rearm(token, deadline + Duration::from_nanos(ahead));
                missed + 1
            }
            _ => 1,
        };
        self.timers_fired += 1;
        let Called::Timer(_, callback) = turn.called.insert(Called::Timer(token, callback)) else { return false };
        let begun = self.measure.begin();
        callback(self, context, token, passed);
        if self.is_same(turn) {
            self.measure.called(begun);
            if let Some(Called::Timer(_, callback)) = turn.called.take() {
                self.put_timer_back(token, callback);
            }
        }
        true
    }

    pub(super) fn put_timer_back(&mut self, token: Token, callback: Callback<'fd, C>) {
        // Cancelled by its own callback: then `callback` is dropped here.
        let Some(timer) = self.timers.get_mut(token) else { return };
        timer.callback = Some(callback);
        let repeat = timer.repeat.as_deref().copied();
        if !self.timers.is_due(token) {
            return;
        }
        match repeat {
            Some(Repeat::FixedDelay(delay)) => drop(self.rearm_timer(token, delay)),
            _ => drop(self.timers.cancel(token)),
        }
    }
}
