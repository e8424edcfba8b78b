//! Child processes.

use std::ffi::{c_int, c_void};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use fastsock::{Reactor, Token};

use crate::error::Code;
use crate::guard::guard;
use crate::home::fsock_loop;
use crate::turn::Turn;
use crate::user::{User, fsock_drop};

/// A child process has ended. status is what waitpid(2) would have given: for WIFEXITED, WEXITSTATUS, WIFSIGNALED and the
/// like. Or it is negative: -ECHILD, the child has ended, but someone else has waited for it, or SIGCHLD is ignored.
///
/// Called once; the token is stale by then. It may call any function of the loop except those that wait.
pub type fsock_child_callback =
    Option<unsafe extern "C-unwind" fn(r#loop: *mut fsock_loop, token: u64, status: c_int, user: *mut c_void)>;

/// Calls back once when this child process ends, also if it has ended already and was not waited for.
///
/// The loop waits for this child (waitid(2)) and for no other, once it has ended; so do not wait for it yourself, nor
/// kill it by its number after the callback, when the number may be another's. SIGCHLD is not touched. It costs one
/// descriptor (pidfd_open(2)). The token is that of a source: fsock_remove gives the child up, which is then yours to wait
/// for again. user, drop and token are as for fsock_add_callback; drop is called after the callback, or by fsock_remove.
///
/// Returns: 0. Errors: -ESRCH (no such process, or it was waited for already), -ECHILD (not a child of this process; or see
/// fsock_loop_reinit), -EINVAL (a null pointer, or no process number), -EOPNOTSUPP (before Linux 5.4, or elsewhere),
/// -EMFILE, -ENFILE, -ENOMEM, FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: on success user is the loop's, until drop; on any
/// error it stays the caller's, and drop is not called. Thread: the loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_child_start(
    r#loop: *mut fsock_loop,
    pid: c_int,
    callback: fsock_child_callback,
    user: *mut c_void,
    drop: fsock_drop,
    token: *mut u64,
) -> c_int {
    guard(|| {
        let callback = callback.ok_or(Code::INVALID)?;
        let pid = u32::try_from(pid).map_err(|_| Code::INVALID)?;
        let start = |reactor: &mut Reactor<'static, Turn>, user: User| {
            let ended = move |reactor: &mut Reactor<'static, Turn>,
                              turn: &mut Turn,
                              token: Token,
                              status: io::Result<ExitStatus>| {
                let status = status.map_or_else(|error| Code::from(error).0, |status| status.into_raw());
                let token = token.to_bits();
                // SAFETY: the function and its argument came together from C, and drop was not called yet.
                turn.call(reactor, |r#loop| unsafe { callback(r#loop, token, status, user.data()) });
            };
            reactor.child(pid, ended)
        };
        // SAFETY: one of ours and not freed yet, and a place for a token or none, by the header's contract.
        unsafe { fsock_loop::start(r#loop, user, drop, token, start) }
    })
}
