//! In the model: a descriptor of the modelled kernel.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

pub(crate) struct WakeFd(RawFd);

impl WakeFd {
    pub(crate) fn new() -> io::Result<WakeFd> {
        Ok(WakeFd(modelled_kernel::eventfd()))
    }

    pub(crate) fn renew(&self) -> io::Result<()> {
        unimplemented!("no model forks")
    }

    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: never given to a system call: only its number is asked for, and no number is -1.
        unsafe { BorrowedFd::borrow_raw(self.0) }
    }

    pub(crate) fn wake(&self) -> io::Result<()> {
        WakeFd::write_to(self.0)
    }

    pub(crate) fn write_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }

    pub(crate) fn write_to(fd: RawFd) -> io::Result<()> {
        if modelled_kernel::write(fd) { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::ENOMEM)) }
    }

    pub(crate) fn drain(&self) {
        modelled_kernel::read(self.0);
    }
}

impl Drop for WakeFd {
    fn drop(&mut self) {
        modelled_kernel::close(self.0);
    }
}
