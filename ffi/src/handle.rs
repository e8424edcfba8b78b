//! Pointers that C holds: who owns what they point at, and on which thread they may be used.

use std::cell::UnsafeCell;
use std::ffi::c_int;
use std::os::fd::BorrowedFd;

use crate::error::{Code, Result};

/// Something that C owns by pointer: made by `give`, ended by `take`, looked at by `borrow` in between.
pub(crate) trait Handle: Sized {
    fn give(self) -> *mut Self {
        Box::into_raw(Box::new(self))
    }

    /// # Safety
    /// Null, or from `give` and not taken yet; nothing else uses it any more.
    unsafe fn take(pointer: *mut Self) -> Option<Box<Self>> {
        // SAFETY: promised by the caller.
        (!pointer.is_null()).then(|| unsafe { Box::from_raw(pointer) })
    }

    /// # Safety
    /// Null, or from `give` and not taken for as long as the borrow lasts.
    #[inline]
    unsafe fn borrow<'a>(pointer: *const Self) -> Result<&'a Self> {
        // SAFETY: promised by the caller.
        unsafe { pointer.as_ref() }.ok_or(Code::INVALID)
    }
}

/// A place that C wants a result written to.
///
/// # Safety
/// Null, or valid for a write.
pub(crate) unsafe fn out<'a, T>(pointer: *mut T) -> Result<&'a mut T> {
    // SAFETY: promised by the caller.
    unsafe { pointer.as_mut() }.ok_or(Code::INVALID)
}

/// A descriptor of C's, for system calls: these tell if it is not open, or nothing that they can work with.
pub(crate) fn descriptor<'a>(fd: c_int) -> Result<BorrowedFd<'a>> {
    if fd < 0 {
        return Err(Code(-libc::EBADF));
    }
    // SAFETY: not -1, which is all that the type rests on; nobody closes it here, nor touches memory by it.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}

thread_local! {
    /// Asked for its address only, which no two living threads share: a thread's identity without a call.
    static HERE: UnsafeCell<u8> = const { UnsafeCell::new(0) };
}

/// The thread that something belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Thread(usize);

impl Thread {
    /// The calling one.
    #[inline]
    pub(crate) fn here() -> Thread {
        Thread(HERE.with(|here| here.get() as usize))
    }

    #[inline]
    pub(crate) fn check(self) -> Result<()> {
        if self == Thread::here() { Ok(()) } else { Err(Code::THREAD) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_knows_itself_and_no_other() {
        let here = Thread::here();
        assert!(here.check().is_ok());
        std::thread::spawn(move || assert!(here.check().is_err())).join().unwrap();
    }
}
