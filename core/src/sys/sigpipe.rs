use std::io;
use std::mem::MaybeUninit;
use std::ptr;

use super::syscall;

/// Calls something that may write to a peer that is gone, and keeps the SIGPIPE of that away from the process, for the
/// calls that know no `MSG_NOSIGNAL`. The signal is the thread's own (signal(7)): no other thread sees any of this.
/// `call` is to move `count` bytes, and returns how many it has.
pub(crate) fn without_sigpipe(count: usize, call: impl FnOnce() -> io::Result<usize>) -> io::Result<usize> {
    let mut pipe = MaybeUninit::<libc::sigset_t>::uninit();
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset writes the whole set; the others write or read sets that were written, on this frame.
    let (pipe, was_pending) = unsafe {
        libc::sigemptyset(pipe.as_mut_ptr());
        libc::sigaddset(pipe.as_mut_ptr(), libc::SIGPIPE);
        libc::pthread_sigmask(libc::SIG_BLOCK, pipe.as_ptr(), before.as_mut_ptr());
        // Only what is blocked can be pending.
        let was_blocked = libc::sigismember(before.as_ptr(), libc::SIGPIPE) == 1;
        (pipe.assume_init(), was_blocked && is_pending())
    };
    let result = call();
    // Also when it has moved some bytes: the kernel sends a file piece by piece, and the peer may go between two of them.
    let stopped_short = match &result {
        Ok(moved) => *moved < count,
        Err(error) => error.raw_os_error() == Some(libc::EPIPE),
    };
    if stopped_short && !was_pending {
        let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the set and the time live on this frame. It fails when no signal came: it may be ignored.
        let _ = syscall!(libc::sigtimedwait(&pipe, ptr::null_mut(), &at_once));
    }
    // SAFETY: the mask that pthread_sigmask gave before.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut()) };
    result
}

fn is_pending() -> bool {
    let mut pending = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigpending writes the whole set.
    unsafe { libc::sigpending(pending.as_mut_ptr()) == 0 && libc::sigismember(pending.as_ptr(), libc::SIGPIPE) == 1 }
}
