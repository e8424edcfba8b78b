//! Ctrl-C: the run ends early, the summary is still printed.

use std::sync::atomic::{AtomicBool, Ordering};

static ASKED_TO_STOP: AtomicBool = AtomicBool::new(false);

extern "C" fn stop(_signal: libc::c_int) {
    ASKED_TO_STOP.store(true, Ordering::Relaxed);
}

/// From now on SIGINT and SIGTERM only set a flag (and end a wait for events early).
pub(crate) fn watch() {
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: an all-zero sigaction is a valid value (no flags, empty mask).
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        let handler: extern "C" fn(libc::c_int) = stop;
        action.sa_sigaction = handler as libc::sighandler_t;
        // A second signal ends the process the ordinary way, should the first be of no use.
        action.sa_flags = libc::SA_RESETHAND;
        // SAFETY: `action` is initialized, and its handler only stores to an atomic flag.
        unsafe { libc::sigaction(signal, &action, std::ptr::null_mut()) };
    }
}

/// Whether the run was asked to end.
pub(crate) fn asked() -> bool {
    ASKED_TO_STOP.load(Ordering::Relaxed)
}
