//! Tells a forked child from its parent without a system call.

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

static GENERATION: AtomicU32 = AtomicU32::new(0);
static WATCH: Once = Once::new();

extern "C" fn in_child() {
    // Async-signal-safe: one atomic add.
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

/// A number that differs in a child made by fork(2) from the one in its parent.
#[inline]
pub(crate) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// Starts counting forks. A process forked by the bare system call goes unnoticed.
pub(crate) fn watch() {
    // SAFETY: the handler touches one atomic and stays mapped: a shared object with a pthread_atfork handler in it
    // has it removed by the C library at dlclose.
    WATCH.call_once(|| unsafe {
        libc::pthread_atfork(None, None, Some(in_child));
    });
}
