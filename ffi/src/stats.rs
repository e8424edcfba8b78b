//! A loop's counters.

use std::ffi::c_int;
use std::time::Duration;

use crate::guard::guard;
use crate::home::fsock_loop;
use crate::versioned::{self, Versioned};

/// Counters of a loop, from its beginning; they never go back. Set it up with FSOCK_STATS_INIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct fsock_stats {
    /// sizeof(fsock_stats): tells the library which version of the struct this is.
    pub size: u32,
    /// 0.
    pub reserved: u32,
    /// Waits that have returned.
    pub turns: u64,
    /// Events harvested.
    pub events: u64,
    /// Waits ended by a waker.
    pub wakeups: u64,
    /// Events of a registration that is gone: a descriptor was closed while a duplicate of it lived on. Dropped.
    pub stale_events: u64,
    /// Times the kernel's set was made anew to be rid of such a duplicate.
    pub rebuilds: u64,
    /// Timer callbacks called.
    pub timers_fired: u64,
    /// Times that a listener could not accept: for want of descriptors or memory, and then it pauses; or for good, and
    /// then it is removed.
    pub accept_failures: u64,
    /// Sources given up because a descriptor of the same number was added: theirs was closed before they were removed.
    pub closed_unasked: u64,
    /// Nanoseconds spent in waits. 0 unless fsock_loop_measure is on.
    pub idle_ns: u64,
    /// Nanoseconds that the longest callback took until it returned. 0 unless fsock_loop_measure is on.
    pub longest_callback_ns: u64,
}

// SAFETY: two u32, then u64 throughout: no padding.
unsafe impl Versioned for fsock_stats {
    const DEFAULT: fsock_stats = fsock_stats {
        size: 0,
        reserved: 0,
        turns: 0,
        events: 0,
        wakeups: 0,
        stale_events: 0,
        rebuilds: 0,
        timers_fired: 0,
        accept_failures: 0,
        closed_unasked: 0,
        idle_ns: 0,
        longest_callback_ns: 0,
    };
    const SHORTEST: usize = 8;
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Reads the counters of a loop.
///
/// stats->size must be set (FSOCK_STATS_INIT does that): as many bytes are written, zeroes where this library counts
/// nothing.
///
/// Returns: 0. Errors: -EINVAL (a null pointer, or a size below 8 or beyond 4096), FSOCK_E_THREAD, FSOCK_E_CLOSED.
/// Ownership: nothing is kept. Thread: the loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_loop_stats(r#loop: *mut fsock_loop, stats: *mut fsock_stats) -> c_int {
    guard(|| {
        // SAFETY: the loop is one of ours by the header's contract.
        let home = unsafe { fsock_loop::enter(r#loop) }?;
        let from = home.with(|reactor| reactor.stats())?;
        let known = fsock_stats {
            turns: from.turns,
            events: from.events,
            wakeups: from.wakeups,
            stale_events: from.stale_events,
            rebuilds: from.rebuilds,
            timers_fired: from.timers_fired,
            accept_failures: from.accept_failures,
            closed_unasked: from.closed_unasked,
            idle_ns: nanos(from.idle),
            longest_callback_ns: nanos(from.longest_callback),
            ..fsock_stats::DEFAULT
        };
        // SAFETY: C gave a struct as large as it says, by the header's contract.
        unsafe { versioned::write(known, stats) }?;
        Ok(0)
    })
}

/// Begins (on is not 0), or ends, to measure the times in fsock_stats. Off at first: it costs two looks at the clock,
/// some 20 ns each, for each wait and each callback.
///
/// Returns: 0. Errors: -EINVAL (a null pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED.
/// Ownership: nothing changes hands. Thread: the loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_loop_measure(r#loop: *mut fsock_loop, on: c_int) -> c_int {
    guard(|| {
        // SAFETY: the loop is one of ours by the header's contract.
        let home = unsafe { fsock_loop::enter(r#loop) }?;
        home.with(|reactor| reactor.measure(on != 0))?;
        Ok(0)
    })
}
