//! Work that other threads give to a loop.

use std::ffi::{c_int, c_void};
use std::mem;

use fastsock::{Reactor, Submitter};

use crate::error::Code;
use crate::guard::guard;
use crate::handle::{self, Handle};
use crate::home::fsock_loop;
use crate::turn::Turn;
use crate::user::{User, fsock_drop};

/// A function that was submitted to a loop, and runs on its thread. It may call any function of the loop except those
/// that wait.
pub type fsock_submit_callback = Option<unsafe extern "C-unwind" fn(r#loop: *mut fsock_loop, user: *mut c_void)>;

/// Sends functions to a loop from any thread. Made by fsock_submitter_new, ended by fsock_submitter_free.
pub struct fsock_submitter {
    submitter: Submitter<'static, Turn>,
    /// For what is submitted, to find its way back; not looked at here.
    home: *const fsock_loop,
}

impl Handle for fsock_submitter {}

/// Any thread may submit: the compiler sees to it that this is so.
const _: fn() = || {
    fn is_for_all_threads<T: Send + Sync>() {}
    is_for_all_threads::<Submitter<'static, Turn>>();
};

/// A function of C's on its way.
struct Job {
    callback: unsafe extern "C-unwind" fn(*mut fsock_loop, *mut c_void),
    user: User,
}

// SAFETY: C gives the user data away for use on the loop's thread, where the job runs and is dropped.
unsafe impl Send for Job {}

impl Job {
    fn run(self, reactor: &mut Reactor<'static, Turn>, turn: &Turn) {
        // SAFETY: the function and its argument came together from C, and drop was not called yet.
        turn.call(reactor, |r#loop| unsafe { (self.callback)(r#loop, self.user.data()) });
    }
}

/// Makes a submitter, by which any thread has functions called on the loop's.
///
/// Until it is freed, fsock_loop_run goes on, for work may come.
///
/// Returns: 0, and the submitter in *out. Errors: -EINVAL (a null pointer), -EMFILE, -ENFILE, -ENOMEM, -ECHILD (see
/// fsock_loop_reinit), FSOCK_E_THREAD, FSOCK_E_CLOSED; *out is not written to then. Ownership: the submitter is the
/// caller's, until fsock_submitter_free. Thread: the loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_submitter_new(r#loop: *mut fsock_loop, out: *mut *mut fsock_submitter) -> c_int {
    guard(|| {
        // SAFETY: one of ours and not freed yet, by the header's contract.
        let home = unsafe { fsock_loop::enter(r#loop) }?;
        // SAFETY: C gave a place for a pointer, by the header's contract.
        let place = unsafe { handle::out(out) }?;
        let submitter = home.with(|reactor| reactor.submitter())??;
        *place = fsock_submitter { submitter, home: r#loop }.give();
        Ok(0)
    })
}

/// Has callback(loop, user) called once on the loop's thread, in one of its next turns; never in this call.
///
/// What one thread submits is called in the order in which it did so. What was written to memory before is visible there. A
/// turn calls what was submitted when it began, no more: whoever submits without end starves nobody; the queue
/// has no bound. However much is submitted while the loop sleeps, it is woken by one write(2). drop, if it is not NULL,
/// is called exactly once with user, on the loop's thread: after the callback, or, when the loop is freed before that,
/// instead of it.
///
/// Returns: 0. Errors: FSOCK_E_CLOSED (the loop has been freed), -EINVAL (a null pointer). Ownership: on success user is the
/// loop's, until drop; on any error it stays the caller's, and drop is not called. Thread: any, several at a time,
/// between fsock_submitter_new and fsock_submitter_free, also when the loop is gone; not in a signal handler, nor in a child
/// after fork(2) when other threads submit. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_submit(
    submitter: *const fsock_submitter,
    callback: fsock_submit_callback,
    user: *mut c_void,
    drop: fsock_drop,
) -> c_int {
    guard(|| {
        // SAFETY: one of ours and not freed yet, by the header's contract.
        let submitter = unsafe { fsock_submitter::borrow(submitter) }?;
        let job = Job { callback: callback.ok_or(Code::INVALID)?, user: User::new(submitter.home, user, drop) };
        match submitter.submitter.submit(move |reactor, turn: &mut Turn| job.run(reactor, turn)) {
            Ok(()) => Ok(0),
            Err(failed) => {
                // C keeps what it gave, and there is no loop to give it back by.
                mem::forget(failed.job);
                Err(failed.error.into())
            }
        }
    })
}

/// Ends a submitter. No fsock_submit may come after this, nor at the same time. What was submitted is still called. NULL is
/// fine.
///
/// Returns: 0. Errors: none. Ownership: the submitter is the library's again. Thread: any, also when the loop is gone.
/// Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_submitter_free(submitter: *mut fsock_submitter) -> c_int {
    guard(|| {
        // SAFETY: one of ours and not freed yet, by the header's contract.
        mem::drop(unsafe { fsock_submitter::take(submitter) });
        Ok(0)
    })
}
