//! Text for C's buffers.

use std::ffi::{c_char, c_int};

/// Copies as snprintf(3) does: as much as there is room for, a NUL always, and the length of the whole is returned.
///
/// # Safety
/// `to` is valid for writes of `cap` bytes; it may be null when that is 0.
pub(crate) unsafe fn copy(text: &[u8], to: *mut c_char, cap: usize) -> c_int {
    if cap > 0 && !to.is_null() {
        let length = text.len().min(cap - 1);
        // SAFETY: `length` bytes and one more are at most `cap`, as promised.
        unsafe {
            to.cast::<u8>().copy_from_nonoverlapping(text.as_ptr(), length);
            to.add(length).write(0);
        }
    }
    c_int::try_from(text.len()).unwrap_or(c_int::MAX)
}
