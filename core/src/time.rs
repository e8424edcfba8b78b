use std::ops::{Add, Sub};
use std::time::Duration;

use crate::sys::clock;

/// A point in time: nanoseconds on `CLOCK_MONOTONIC`, which does not count time spent in suspend and is never set back.
///
/// Sums are clamped: 584 years after boot is "never".
///
/// ```
/// use fastsock::Time;
/// use std::time::Duration;
/// let start = Time::now();
/// let deadline = start + Duration::from_millis(1500);
/// assert_eq!(deadline - start, Duration::from_millis(1500));
/// assert_eq!(start + Duration::MAX, Time::NEVER);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// Later than any deadline.
    pub const NEVER: Time = Time(u64::MAX);

    /// Asks the clock (clock_gettime(2), about 20 ns).
    ///
    /// ```
    /// use fastsock::Time;
    /// let first = Time::now();
    /// let second = Time::now();
    /// assert!(second >= first && first > Time::from_nanos(0));
    /// ```
    #[inline]
    pub fn now() -> Time {
        Time(clock::now())
    }

    /// Nanoseconds since the clock's start.
    ///
    /// ```
    /// use fastsock::Time;
    /// use std::time::Duration;
    /// let time = Time::from_nanos(7) + Duration::from_micros(1);
    /// assert_eq!(time.as_nanos(), 1007);
    /// ```
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// From nanoseconds since the clock's start.
    ///
    /// ```
    /// use fastsock::Time;
    /// let now = Time::now();
    /// assert_eq!(Time::from_nanos(now.as_nanos()), now); // Through C, and back.
    /// assert_eq!(Time::from_nanos(u64::MAX), Time::NEVER);
    /// ```
    pub const fn from_nanos(nanos: u64) -> Time {
        Time(nanos)
    }

    /// How long from `self` until `later`; zero when that has passed.
    ///
    /// ```
    /// use fastsock::Time;
    /// use std::time::Duration;
    /// let (early, late) = (Time::from_nanos(100), Time::from_nanos(250));
    /// assert_eq!(early.until(late), Duration::from_nanos(150));
    /// assert_eq!(late.until(early), Duration::ZERO);
    /// ```
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
