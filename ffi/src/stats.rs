//! A loop's counters.

use std::ffi::c_int;
use std::slice;

use crate::error::{Code, Result};
use crate::guard::guard;
use crate::home::fsock_loop;

/// Counters of a loop, from its beginning; they never go back. Set it up with FSOCK_STATS_INIT.
#[repr(C)]
#[derive(Clone, Copy, Default)]
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
}

/// No struct of ours will ever be longer: a size beyond it is a mistake and is not written through.
const LONGEST: usize = 4096;

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
            size: 0,
            reserved: 0,
            turns: from.turns,
            events: from.events,
            wakeups: from.wakeups,
            stale_events: from.stale_events,
            rebuilds: from.rebuilds,
            timers_fired: from.timers_fired,
        };
        // SAFETY: C gave a struct as large as it says, by the header's contract.
        unsafe { write(known, stats) }
    })
}

/// # Safety
/// Null, or valid for as many bytes as its first member tells.
unsafe fn write(mut known: fsock_stats, stats: *mut fsock_stats) -> Result<c_int> {
    if stats.is_null() {
        return Err(Code::INVALID);
    }
    // SAFETY: promised by the caller.
    known.size = unsafe { (*stats).size };
    let size = known.size as usize;
    if !(8..=LONGEST).contains(&size) {
        return Err(Code::INVALID);
    }
    // SAFETY: promised by the caller; C has initialised its first member only, so the bytes are zeroed before a
    // slice is made of them.
    let place = unsafe {
        std::ptr::write_bytes(stats.cast::<u8>(), 0, size);
        slice::from_raw_parts_mut(stats.cast::<u8>(), size)
    };
    // SAFETY: integers throughout, with no padding between them.
    let bytes = unsafe { slice::from_raw_parts((&raw const known).cast::<u8>(), size_of::<fsock_stats>()) };
    let length = size.min(bytes.len());
    place[..length].copy_from_slice(&bytes[..length]);
    Ok(0)
}
