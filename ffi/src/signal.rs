//! Signals.

use std::ffi::{c_int, c_void};

use fastsock::{Reactor, Token};

use crate::error::Code;
use crate::guard::guard;
use crate::home::fsock_loop;
use crate::registry::Kind;
use crate::turn::Turn;
use crate::user::{User, fsock_drop};

/// The process got this signal, times times since the last call (at least once; the kernel merges equal signals that are
/// pending at once, signal(7)).
///
/// It is called on the loop's thread as every other callback, not inside a signal handler: it may call any function of
/// the loop except those that wait, and any function of the C library.
pub type fsock_signal_callback = Option<
    unsafe extern "C-unwind" fn(r#loop: *mut fsock_loop, token: u64, signum: c_int, times: u64, user: *mut c_void),
>;

/// Calls back when the process gets this signal, instead of what the signal did before.
///
/// Any number of loops and callbacks may watch one signal, and each is told. The handler is set by sigaction(2) with
/// SA_RESTART, for this signal alone; when the last that watches it is stopped, the signal does again what it did
/// before, unless someone else has set a handler since. A wait that the signal interrupts ends with -EINTR,
/// and the next calls back; fsock_loop_run goes on by itself. After fork(2), see fsock_loop_reinit; exec(3) sets
/// the signal to its default. user, drop and token are as for fsock_add_callback.
///
/// Returns: 0. Errors: -EINVAL (a null pointer; no such signal; SIGKILL or SIGSTOP, which nobody can catch; or SIGSEGV,
/// SIGBUS, SIGFPE or SIGILL, which a loop cannot handle later), -EMFILE, -ENFILE, -ENOMEM, -ECHILD (see
/// fsock_loop_reinit), FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: on success user is the loop's, until drop; on any
/// error it stays the caller's, and drop is not called. Thread: the loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_signal_start(
    r#loop: *mut fsock_loop,
    signum: c_int,
    callback: fsock_signal_callback,
    user: *mut c_void,
    drop: fsock_drop,
    token: *mut u64,
) -> c_int {
    guard(|| {
        let callback = callback.ok_or(Code::INVALID)?;
        let start = |reactor: &mut Reactor<'static, Turn>, user: User| {
            let came = move |reactor: &mut Reactor<'static, Turn>, turn: &mut Turn, token: Token, times| {
                let token = token.to_bits();
                // SAFETY: the function and its argument came together from C, and drop was not called yet.
                turn.call(reactor, |r#loop| unsafe { callback(r#loop, token, signum, times, user.data()) });
            };
            reactor.signal(signum, came)
        };
        // SAFETY: one of ours and not freed yet, and a place for a token or none, by the header's contract.
        unsafe { fsock_loop::start(r#loop, user, drop, token, start) }
    })
}

/// Stops watching a signal. No call comes after this, not even for a signal that came before. drop is called as by
/// fsock_remove.
///
/// Returns: 0. Errors: FSOCK_E_STALE (it was stopped before), -EINVAL (a null pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED
/// (also when drop has freed the loop). Ownership: user goes back by drop. Thread: the loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_signal_stop(r#loop: *mut fsock_loop, token: u64) -> c_int {
    guard(|| {
        // SAFETY: one of ours and not freed yet, by the header's contract.
        unsafe { fsock_loop::end_one(r#loop, Kind::Signal, token) }
    })
}
