//! What is worth telling and has no caller to be told: the log.

use std::any::Any;
use std::borrow::Cow;
use std::cell::Cell;
use std::ffi::{CString, c_char, c_int, c_void};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use fastsock::Stats;

use crate::error::Code;
use crate::guard::guard;

/// Log level: a bug, in the library or in a callback.
pub const FSOCK_LOG_ERROR: u32 = 1;
/// Log level: something that the program or its host should see to.
pub const FSOCK_LOG_WARNING: u32 = 2;

/// Something is worth telling. level is one of FSOCK_LOG_; a reader should let unknown ones pass. text is one sentence,
/// without a newline; it is the library's, and gone when this returns.
///
/// Called on the thread that it happens on. It may call any function of the library but fsock_set_log and those that wait,
/// but what these would tell is not told.
pub type fsock_log_callback = Option<unsafe extern "C-unwind" fn(level: u32, text: *const c_char, user: *mut c_void)>;

struct Log {
    callback: unsafe extern "C-unwind" fn(u32, *const c_char, *mut c_void),
    user: *mut c_void,
}

// SAFETY: whoever gives the user data is told that it is used on any thread.
unsafe impl Send for Log {}
// SAFETY: as above.
unsafe impl Sync for Log {}

static LOG: RwLock<Option<Log>> = RwLock::new(None);
/// Whether there is one: asked at every turn.
static ON: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// The log callback runs on this thread.
    static TELLING: Cell<bool> = const { Cell::new(false) };
}

#[inline]
pub(crate) fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

#[cold]
fn tell(level: u32, text: &str) {
    if TELLING.replace(true) {
        return;
    }
    let log = LOG.read().unwrap_or_else(PoisonError::into_inner);
    if let (Some(log), Ok(text)) = (&*log, CString::new(text.replace(['\0', '\n'], " "))) {
        // A panic in it must not be told, nor go on.
        let result = catch_unwind(AssertUnwindSafe(|| {
            // SAFETY: the function and its argument came together from C, which keeps them until fsock_set_log has
            // returned; that waits for the lock.
            unsafe { (log.callback)(level, text.as_ptr(), log.user) }
        }));
        mem::forget(result);
    }
    drop(log);
    TELLING.set(false);
}

/// Tells of a panic that ends here.
pub(crate) fn panicked(payload: &(dyn Any + Send)) {
    if !is_on() {
        return;
    }
    let what = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => Cow::Borrowed(*text),
        (_, Some(text)) => Cow::Borrowed(text.as_str()),
        _ => Cow::Borrowed("(no text)"),
    };
    tell(FSOCK_LOG_ERROR, &format!("panic in the library or in a callback written in Rust: {what}"));
}

/// Tells of what a loop's counters have counted since they were looked at last.
#[cold]
pub(crate) fn compare(before: &Stats, now: &Stats) {
    if now.stale_events > before.stale_events {
        let count = now.stale_events - before.stale_events;
        tell(
            FSOCK_LOG_WARNING,
            &format!(
                "{count} events of a descriptor that was closed while a duplicate of it lives on, dropped: call \
                 fsock_remove before close"
            ),
        );
    }
    if now.closed_unasked > before.closed_unasked {
        let count = now.closed_unasked - before.closed_unasked;
        tell(
            FSOCK_LOG_WARNING,
            &format!(
                "{count} sources whose descriptor was closed before they were removed, given up: call fsock_remove before close"
            ),
        );
    }
    if now.accept_failures > before.accept_failures {
        tell(
            FSOCK_LOG_WARNING,
            "a listener could not accept: out of descriptors (RLIMIT_NOFILE) or memory, and it pauses; or its socket is broken",
        );
    }
}

/// Has the callback told what is worth telling and has no caller to be told: panics that were contained, descriptors that
/// were closed before their source was removed, listeners that cannot accept. One for the whole process; NULL for
/// none, as at first. A panic writes to the standard error as well.
///
/// What the loop counts is told after a turn; the counters themselves are in fsock_stats.
///
/// Returns: 0; from then on the one before is not called any more, nor running. Errors: -EBUSY (inside the log
/// callback). Ownership: user stays the caller's; it is used until another call of this has returned. Thread: any.
/// Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn fsock_set_log(callback: fsock_log_callback, user: *mut c_void) -> c_int {
    guard(|| {
        if TELLING.get() {
            return Err(Code::BUSY);
        }
        let log = callback.map(|callback| Log { callback, user });
        let is_on = log.is_some();
        *LOG.write().unwrap_or_else(PoisonError::into_inner) = log;
        ON.store(is_on, Ordering::Relaxed);
        Ok(0)
    })
}
