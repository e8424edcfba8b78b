//! Descriptors to watch.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// -1 becomes the errno.
#[inline]
pub(crate) fn checked(result: libc::c_int) -> io::Result<libc::c_int> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// An eventfd(2) with a count; readable unless that is 0.
pub(crate) fn eventfd(count: u32) -> io::Result<OwnedFd> {
    // SAFETY: takes integers.
    let fd = checked(unsafe { libc::eventfd(count, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
    // SAFETY: the kernel has just made this descriptor for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Adds one to the count, which is an edge each time.
#[inline]
pub(crate) fn signal_eventfd(fd: &OwnedFd) -> io::Result<()> {
    let one = 1u64.to_ne_bytes();
    // SAFETY: eight bytes are what an eventfd takes, and they outlive the call.
    let written = unsafe { libc::write(fd.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    if written == 8 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Two stream sockets joined to each other, non-blocking.
pub(crate) fn socket_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds = [0; 2];
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: `fds` has room for two descriptors.
    checked(unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, fds.as_mut_ptr()) })?;
    // SAFETY: the kernel has just made both for us alone.
    Ok(unsafe { (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])) })
}

/// Lends a descriptor to a driver that lives beside it in one struct, which the borrow checker cannot express.
///
/// # Safety
/// Whoever gets the borrow is dropped before the descriptor: in a struct it is the field above.
pub(crate) unsafe fn lend(fd: &OwnedFd) -> BorrowedFd<'static> {
    // SAFETY: promised by the caller.
    unsafe { BorrowedFd::borrow_raw(fd.as_fd().as_raw_fd()) }
}

/// Raises the soft limit on open files to the hard one. Returns what it was and what it is.
///
/// # Errors
/// Those of setrlimit(2).
pub fn raise_open_file_limit() -> io::Result<(u64, u64)> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid place for one rlimit.
    checked(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) })?;
    let before = limit.rlim_cur;
    if before < limit.rlim_max {
        limit.rlim_cur = limit.rlim_max;
        // SAFETY: `limit` is initialized; the soft limit is not above the hard one.
        checked(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) })?;
    }
    Ok((before, limit.rlim_cur))
}
