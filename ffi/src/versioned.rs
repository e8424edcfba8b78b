//! Structs that grow: their first member says how large the caller's is.

use std::slice;

use crate::error::{Code, Result};

/// A struct of the header that may get more members in a later version.
///
/// # Safety
/// `repr(C)`, of integers alone, without padding; the first is a `u32` that holds the struct's size.
pub(crate) unsafe trait Versioned: Copy {
    /// All zero.
    const DEFAULT: Self;
    /// As many bytes as the first version had that anyone may have been compiled with.
    const SHORTEST: usize;
}

/// No struct of ours will ever be longer: a size beyond it is a mistake and is not read or written through.
const LONGEST: usize = 4096;

/// Reads what C gave, by the rule of copy_struct_from_user: a shorter, older struct has zeroes for the rest; a longer,
/// newer one must have zeroes where we know nothing. Null stands for the defaults.
///
/// # Safety
/// Null, or valid for reads of its first four bytes, and of as many as these tell.
pub(crate) unsafe fn read<T: Versioned>(from: *const T) -> Result<T> {
    let mut known = T::DEFAULT;
    if from.is_null() {
        return Ok(known);
    }
    // SAFETY: promised by the caller; the first member is a u32.
    let size = unsafe { from.cast::<u32>().read() } as usize;
    if size < T::SHORTEST {
        return Err(Code::INVALID);
    }
    if size > LONGEST {
        return Err(Code::TOO_BIG);
    }
    // SAFETY: promised by the caller.
    let given = unsafe { slice::from_raw_parts(from.cast::<u8>(), size) };
    let (head, tail) = given.split_at(size.min(size_of::<T>()));
    if tail.iter().any(|&byte| byte != 0) {
        return Err(Code::TOO_BIG);
    }
    // SAFETY: `head` is no longer than the struct, of whose members every pattern of bytes is a value.
    unsafe { std::ptr::copy_nonoverlapping(head.as_ptr(), (&raw mut known).cast(), head.len()) };
    Ok(known)
}

/// Writes as much as C has room for, and zeroes where we know nothing.
///
/// # Safety
/// Null, or valid for reads of its first four bytes, and for writes of as many as these tell.
pub(crate) unsafe fn write<T: Versioned>(known: T, to: *mut T) -> Result<()> {
    if to.is_null() {
        return Err(Code::INVALID);
    }
    // SAFETY: promised by the caller; the first member is a u32.
    let told = unsafe { to.cast::<u32>().read() };
    let size = told as usize;
    if !(T::SHORTEST..=LONGEST).contains(&size) {
        return Err(Code::INVALID);
    }
    let length = size.min(size_of::<T>());
    // SAFETY: promised by the caller; `known` is at least as long as what is copied of it. The size stays as it was.
    unsafe {
        std::ptr::write_bytes(to.cast::<u8>(), 0, size);
        std::ptr::copy_nonoverlapping((&raw const known).cast::<u8>(), to.cast::<u8>(), length);
        to.cast::<u32>().write(told);
    }
    Ok(())
}
