//! No wait of a bench has a timeout, for that is what is measured; so a lost event would hang it.

use std::io;
use std::os::fd::RawFd;

/// No case takes longer than this, even under callgrind.
const SECONDS: libc::c_uint = 120;
const HUNG: &[u8] =
    b"\nnothing has come for two minutes: an event or a wake-up was lost, or the machine is overloaded\n";
const STDERR: RawFd = 2;

extern "C" fn hung(_: libc::c_int) {
    // SAFETY: write and _exit are async-signal-safe; the text is static.
    unsafe {
        libc::write(STDERR, HUNG.as_ptr().cast(), HUNG.len());
        libc::_exit(3);
    }
}

/// Does something, and ends the process with a sentence (and exit code 3) when that takes two minutes.
///
/// # Errors
/// Those of what is done, and of signal(2).
pub fn watched<R>(what: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
    let handler: extern "C" fn(libc::c_int) = hung;
    // SAFETY: the handler is async-signal-safe.
    if unsafe { libc::signal(libc::SIGALRM, handler as libc::sighandler_t) } == libc::SIG_ERR {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: takes an integer.
    unsafe { libc::alarm(SECONDS) };
    let result = what();
    // SAFETY: as above; 0 calls it off.
    unsafe { libc::alarm(0) };
    result
}
