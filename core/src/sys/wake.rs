//! A descriptor that another thread can make readable: an eventfd(2), or a pipe where there is none.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use super::syscall;

pub(crate) struct WakeFd {
    read: OwnedFd,
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    write: OwnedFd,
}

impl WakeFd {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn new() -> io::Result<WakeFd> {
        // SAFETY: takes two integers.
        let fd = syscall!(libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK))?;
        // SAFETY: the kernel has just made this descriptor for us alone.
        Ok(WakeFd { read: unsafe { OwnedFd::from_raw_fd(fd) } })
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(crate) fn new() -> io::Result<WakeFd> {
        let mut fds = [0; 2];
        // SAFETY: `fds` has room for both ends.
        syscall!(libc::pipe(fds.as_mut_ptr()))?;
        // SAFETY: both descriptors were made just now for us alone.
        let (read, write) = unsafe { (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])) };
        for fd in [&read, &write] {
            super::socket::set_nonblocking(fd.as_raw_fd(), true)?;
            super::socket::set_cloexec(fd.as_raw_fd())?;
        }
        Ok(WakeFd { read, write })
    }

    /// Puts a new, unread one in the place of this one, under the same number: whoever holds it holds the new one.
    pub(crate) fn renew(&self) -> io::Result<()> {
        let new = WakeFd::new()?;
        put_over(&new.read, &self.read)?;
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        put_over(&new.write, &self.write)?;
        Ok(())
    }

    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        use std::os::fd::AsFd;
        self.read.as_fd()
    }

    /// Makes the descriptor readable. A full counter or pipe is readable already: no error.
    pub(crate) fn wake(&self) -> io::Result<()> {
        WakeFd::write_to(self.write_fd())
    }

    /// What `write_to` takes.
    pub(crate) fn write_fd(&self) -> RawFd {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let fd = self.read.as_raw_fd();
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let fd = self.write.as_raw_fd();
        fd
    }

    /// As [`wake`](Self::wake), by number. Async-signal-safe: one write(2), no allocation.
    pub(crate) fn write_to(fd: RawFd) -> io::Result<()> {
        let one = 1u64.to_ne_bytes();
        // SAFETY: eight bytes are what an eventfd takes, and they live on this frame.
        match syscall!(libc::write(fd, one.as_ptr().cast(), one.len())) {
            Err(e) if e.kind() != io::ErrorKind::WouldBlock => Err(e),
            _ => Ok(()),
        }
    }

    /// Makes it unreadable again, for the backends that report a level.
    pub(crate) fn drain(&self) {
        let mut buffer = [0u8; 64];
        // SAFETY: `buffer` is valid for its length. One read empties an eventfd; a pipe may take more.
        while matches!(
            syscall!(libc::read(self.read.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len())),
            Ok(n) if n as usize == buffer.len()
        ) {}
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn put_over(new: &OwnedFd, old: &OwnedFd) -> io::Result<()> {
    // SAFETY: both are open; `old` keeps its owner and its number.
    syscall!(libc::dup3(new.as_raw_fd(), old.as_raw_fd(), libc::O_CLOEXEC)).map(drop)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn put_over(new: &OwnedFd, old: &OwnedFd) -> io::Result<()> {
    // SAFETY: both are open; `old` keeps its owner and its number.
    syscall!(libc::dup2(new.as_raw_fd(), old.as_raw_fd()))?;
    super::socket::set_cloexec(old.as_raw_fd())
}
