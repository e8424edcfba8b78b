//! The system calls of the sockets' hot methods.

use std::cell::RefCell;
use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

use fastsock::Time;
use pyo3::prelude::*;

use crate::channel::{Direction, Woken};
use crate::errors::{from_io, os_error};

/// The most that one receive takes.
pub(crate) const SCRATCH: usize = 64 * 1024;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH].into());
}

/// Lends the thread's receive buffer, so that a result can be copied out at its true length. Nothing in `f` may switch
/// coroutines.
#[inline]
pub(crate) fn with_scratch<T>(f: impl FnOnce(&mut [u8]) -> T) -> T {
    BUFFER.with_borrow_mut(|buffer| f(buffer))
}

fn result(n: isize) -> io::Result<usize> {
    usize::try_from(n).map_err(|_| io::Error::last_os_error())
}

/// recv(2) into this buffer.
#[inline]
pub(crate) fn recv(fd: RawFd, buffer: &mut [u8], flags: i32) -> io::Result<usize> {
    // SAFETY: the buffer is ours for the call.
    result(unsafe { libc::recv(fd, buffer.as_mut_ptr().cast(), buffer.len(), flags) })
}

/// send(2), never with a SIGPIPE.
#[inline]
pub(crate) fn send(fd: RawFd, data: &[u8], flags: i32) -> io::Result<usize> {
    // SAFETY: the data is readable for the call.
    result(unsafe { libc::send(fd, data.as_ptr().cast(), data.len(), flags | libc::MSG_NOSIGNAL) })
}

/// Makes a descriptor non-blocking.
pub(crate) fn set_nonblocking(fd: RawFd) -> PyResult<()> {
    let mut on: libc::c_int = 1;
    // SAFETY: FIONBIO reads one int, which lives on this frame.
    if unsafe { libc::ioctl(fd, libc::FIONBIO, &mut on) } == -1 {
        return Err(from_io(io::Error::last_os_error()));
    }
    Ok(())
}

/// Sends small messages at once instead of waiting for more (TCP_NODELAY, tcp(7)).
pub(crate) fn set_nodelay(fd: RawFd) {
    let on: libc::c_int = 1;
    let size = size_of_val(&on) as libc::socklen_t;
    // SAFETY: the option reads one int, which lives on this frame. A failure changes speed, not meaning.
    unsafe { libc::setsockopt(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, (&raw const on).cast(), size) };
}

/// Blocks this thread, and no other, in poll(2).
#[inline(never)]
pub(crate) fn wait(py: Python<'_>, fd: RawFd, direction: Direction, deadline: Option<Time>) -> PyResult<Woken> {
    let events = match direction {
        Direction::Read => libc::POLLIN,
        Direction::Write => libc::POLLOUT,
    };
    if fd < 0 {
        return Err(os_error(libc::EBADF));
    }
    loop {
        let timeout = deadline.map_or(-1, |deadline| millis(Time::now().until(deadline)));
        let result = py.detach(|| {
            let mut entry = libc::pollfd { fd, events, revents: 0 };
            // SAFETY: one entry, which lives on this frame.
            result(unsafe { libc::poll(&mut entry, 1, timeout) } as isize)
        });
        match result {
            Ok(0) if deadline.is_some_and(|deadline| Time::now() >= deadline) => return Ok(Woken::TimedOut),
            Ok(0) => {}
            Ok(_) => return Ok(Woken::Ready),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => py.check_signals()?,
            Err(error) => return Err(from_io(error)),
        }
    }
}

/// Reads a non-blocking descriptor empty.
pub(crate) fn discard(fd: RawFd) {
    let mut buffer = [0_u8; 512];
    // SAFETY: the buffer lives on this frame.
    while unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) } == buffer.len() as isize {}
}

/// Whether a read would not block now; what cannot be asked will tell when it is read.
pub(crate) fn is_readable(fd: RawFd) -> bool {
    let mut entry = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    // SAFETY: one entry, which lives on this frame.
    unsafe { libc::poll(&mut entry, 1, 0) != 0 }
}

/// Blocks this thread for a moment, and no other.
pub(crate) fn nap(py: Python<'_>, duration: Duration) -> PyResult<()> {
    py.detach(|| std::thread::sleep(duration));
    py.check_signals()
}

/// Rounded up: never early.
fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
}
