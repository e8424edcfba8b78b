//! A descriptor that becomes readable at a time: timerfd_create(2).

use std::io;
use std::os::fd::OwnedFd;

/// On `CLOCK_MONOTONIC`.
pub(crate) struct TimerFd(OwnedFd);

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux {
    use std::os::fd::{AsRawFd, FromRawFd, RawFd};

    use super::*;
    use crate::sys::syscall;

    impl TimerFd {
        pub(crate) fn new() -> io::Result<TimerFd> {
            let flags = libc::TFD_CLOEXEC | libc::TFD_NONBLOCK;
            // SAFETY: takes two integers.
            let fd = syscall!(libc::timerfd_create(libc::CLOCK_MONOTONIC, flags))?;
            // SAFETY: the kernel has just made this descriptor for us alone.
            Ok(TimerFd(unsafe { OwnedFd::from_raw_fd(fd) }))
        }

        pub(crate) fn raw_fd(&self) -> RawFd {
            self.0.as_raw_fd()
        }

        /// Makes it readable at this time and no other; in nanoseconds, at once when it has passed.
        pub(crate) fn set(&self, nanos: u64) -> io::Result<()> {
            let zero = libc::timespec { tv_sec: 0, tv_nsec: 0 };
            // 0 would disarm it.
            let at = crate::sys::timespec(std::time::Duration::from_nanos(nanos.max(1)));
            let value = libc::itimerspec { it_interval: zero, it_value: at };
            // SAFETY: `value` outlives the call; the former one is not asked for.
            syscall!(libc::timerfd_settime(self.0.as_raw_fd(), libc::TFD_TIMER_ABSTIME, &value, std::ptr::null_mut()))
                .map(drop)
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod elsewhere {
    use std::os::fd::{AsRawFd, RawFd};

    use super::*;

    impl TimerFd {
        pub(crate) fn new() -> io::Result<TimerFd> {
            Err(crate::error::with(libc::EOPNOTSUPP, "timerfd exists on Linux only"))
        }

        pub(crate) fn raw_fd(&self) -> RawFd {
            self.0.as_raw_fd()
        }

        pub(crate) fn set(&self, _nanos: u64) -> io::Result<()> {
            Ok(())
        }
    }
}
