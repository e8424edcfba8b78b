//! CLOCK_MONOTONIC.

#[cfg(any(target_os = "linux", target_os = "android"))]
use std::sync::OnceLock;

/// Nanoseconds since an arbitrary start, never going back (clock_gettime(2)).
#[inline]
pub(crate) fn now() -> u64 {
    let mut ts = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `ts` is a valid place to write to. The call cannot fail for CLOCK_MONOTONIC.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut ts) };
    ts.tv_sec as u64 * 1_000_000_000 + ts.tv_nsec as u64
}

/// A time that is not before now and hardly after it, at a fraction of the price: the kernel's last tick, and the length of
/// one (CLOCK_MONOTONIC_COARSE).
#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline]
pub(crate) fn soon() -> u64 {
    static TICK: OnceLock<u64> = OnceLock::new();
    let tick = *TICK.get_or_init(|| {
        let mut tick = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `tick` is a valid place to write to.
        match unsafe { libc::clock_getres(libc::CLOCK_MONOTONIC_COARSE, &mut tick) } {
            0 => tick.tv_sec as u64 * 1_000_000_000 + tick.tv_nsec as u64,
            _ => 10_000_000,
        }
    });
    let mut ts = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `ts` is a valid place to write to.
    match unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &mut ts) } {
        0 => ts.tv_sec as u64 * 1_000_000_000 + ts.tv_nsec as u64 + tick,
        _ => now(),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn soon() -> u64 {
    now()
}
