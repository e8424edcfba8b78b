//! The one panic guard: an unwinding panic that reached a C frame would end the process.

use std::ffi::{CStr, c_char, c_int};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::{Code, FSOCK_E_PANIC};
use crate::log;

/// What an export returns, in Rust's terms and in C's.
pub(crate) trait Answer {
    type C;
    /// What C gets instead when the body has panicked.
    const PANICKED: Self::C;
    fn into_c(self) -> Self::C;
}

impl Answer for Result<c_int, Code> {
    type C = c_int;
    const PANICKED: c_int = FSOCK_E_PANIC;
    fn into_c(self) -> c_int {
        self.unwrap_or_else(|code| code.0)
    }
}

impl Answer for Result<i64, Code> {
    type C = i64;
    const PANICKED: i64 = FSOCK_E_PANIC as i64;
    fn into_c(self) -> i64 {
        self.unwrap_or_else(|code| code.0.into())
    }
}

impl Answer for u32 {
    type C = u32;
    const PANICKED: u32 = 0;
    fn into_c(self) -> u32 {
        self
    }
}

impl Answer for &'static CStr {
    type C = *const c_char;
    const PANICKED: *const c_char = c"".as_ptr();
    fn into_c(self) -> *const c_char {
        self.as_ptr()
    }
}

/// The body of every export.
#[inline]
pub(crate) fn guard<A: Answer>(body: impl FnOnce() -> A) -> A::C {
    contain(body).map_or(A::PANICKED, A::into_c)
}

/// Runs something that may panic; `None` when it did.
#[inline]
pub(crate) fn contain<T>(body: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(value) => Some(value),
        Err(payload) => {
            log::panicked(&*payload);
            // Its destructor is someone else's code, and may panic as well.
            mem::forget(payload);
            None
        }
    }
}

#[cfg(test)]
mod tests;
