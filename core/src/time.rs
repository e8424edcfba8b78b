use std::ops::{Add, Sub};
use std::time::Duration;

use crate::sys::clock;

/// A point in time: nanoseconds on `CLOCK_MONOTONIC`, which does not count time spent in suspend and is never set back.
///
/// Sums are clamped: 584 years after boot is "never".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// Later than any deadline.
    pub const NEVER: Time = Time(u64::MAX);

    /// Asks the clock (clock_gettime(2), about 20 ns).
    #[inline]
    pub fn now() -> Time {
        Time(clock::now())
    }

    /// Nanoseconds since the clock's start.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// From nanoseconds since the clock's start.
    pub const fn from_nanos(nanos: u64) -> Time {
        Time(nanos)
    }

    /// How long from `self` until `later`; zero when that has passed.
    pub const fn until(self, later: Time) -> Duration {
        Duration::from_nanos(later.0.saturating_sub(self.0))
    }
}

/// A duration in nanoseconds, clamped to 64 bits.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Add<Duration> for Time {
    type Output = Time;
    fn add(self, after: Duration) -> Time {
        Time(self.0.saturating_add(nanos(after)))
    }
}

impl Sub<Time> for Time {
    type Output = Duration;
    /// Zero when `earlier` is not earlier.
    fn sub(self, earlier: Time) -> Duration {
        earlier.until(self)
    }
}
