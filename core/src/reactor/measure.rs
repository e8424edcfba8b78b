use std::time::Duration;

use super::Reactor;
use crate::Time;

/// Times waits and callbacks, when asked to; otherwise no clock is looked at.
#[derive(Default)]
pub(super) struct Measure {
    on: bool,
    pub(super) idle: Duration,
    pub(super) longest_callback: Duration,
}

impl Measure {
    /// Now, if it is to be measured from here.
    #[inline]
    pub(super) fn begin(&self) -> Option<Time> {
        if self.on { Some(Time::now()) } else { None }
    }

    #[inline]
    pub(super) fn waited(&mut self, begun: Option<Time>) {
        if let Some(begun) = begun {
            self.idle += Time::now() - begun;
        }
    }

    #[inline]
    pub(super) fn called(&mut self, begun: Option<Time>) {
        if let Some(begun) = begun {
            self.longest_callback = self.longest_callback.max(Time::now() - begun);
        }
    }
}

impl<'fd, C> Reactor<'fd, C> {
    /// Begins, or ends, to measure [`Stats::idle`](crate::Stats::idle) and
    /// [`Stats::longest_callback`](crate::Stats::longest_callback). Off at first: it costs two looks at the clock (some 20 ns
    /// each) for each wait and each callback.
    ///
    /// ```
    /// use fastsock::Reactor;
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// let mut reactor = Reactor::<()>::new()?;
    /// reactor.measure(true);
    /// reactor.timer(Duration::from_millis(2), |_, _, _, _| std::thread::sleep(Duration::from_millis(1)))?;
    /// reactor.run(&mut ())?;
    /// assert!(reactor.stats().longest_callback >= Duration::from_millis(1));
    /// assert!(reactor.stats().idle >= Duration::from_millis(1));
    /// # Ok(())
    /// # }
    /// ```
    pub fn measure(&mut self, on: bool) {
        self.measure.on = on;
    }
}
