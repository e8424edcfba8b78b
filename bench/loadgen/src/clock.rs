//! The clocks a run is measured by.

use libc::{CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, clockid_t, timespec};

/// Nanoseconds in a second.
pub(crate) const SECOND: u64 = 1_000_000_000;

/// Monotonic time in nanoseconds.
pub(crate) fn now() -> u64 {
    read(CLOCK_MONOTONIC).unwrap_or(0)
}

/// The CPU time this process has used, in nanoseconds.
pub(crate) fn own_cpu() -> u64 {
    read(CLOCK_PROCESS_CPUTIME_ID).unwrap_or(0)
}

/// The CPU time that process `pid` has used (all its threads, ended ones too), in nanoseconds.
pub(crate) fn cpu_of(pid: i32) -> Option<u64> {
    let mut id: clockid_t = 0;
    // SAFETY: `id` is a valid place for the call to write one clockid_t to.
    let failed = unsafe { libc::clock_getcpuclockid(pid, &mut id) };
    if failed == 0 { read(id) } else { None }
}

/// A number of seconds as nanoseconds.
pub(crate) fn nanoseconds(seconds: f64) -> u64 {
    (seconds * SECOND as f64) as u64
}

/// A number of nanoseconds as seconds.
pub(crate) fn seconds(ns: u64) -> f64 {
    ns as f64 / SECOND as f64
}

fn read(id: clockid_t) -> Option<u64> {
    let mut time = timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for the call to write one timespec to.
    let failed = unsafe { libc::clock_gettime(id, &mut time) };
    (failed == 0).then_some(time.tv_sec as u64 * SECOND + time.tv_nsec as u64)
}
