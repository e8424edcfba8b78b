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
mod tests {
    use std::ffi::c_void;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;
    use std::ptr;

    use super::*;
    use crate::event::FSOCK_READABLE;
    use crate::home::fsock_loop;
    use crate::loop_::{fsock_loop_free, fsock_loop_new, fsock_loop_run_once};
    use crate::source::{FSOCK_LEVEL, fsock_add_callback, fsock_remove};
    use crate::timer::{FSOCK_TIMER_RATE, fsock_timer_start};
    use crate::waker::{fsock_waker_free, fsock_waker_new, fsock_waker_wake};

    /// A payload whose destructor panics as well.
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("the payload's destructor");
        }
    }

    #[test]
    fn each_return_type_has_its_answer_to_a_panic() {
        assert_eq!(guard(|| -> Result<c_int, Code> { std::panic::panic_any(Bomb) }), FSOCK_E_PANIC);
        assert_eq!(guard(|| -> Result<i64, Code> { panic!() }), FSOCK_E_PANIC.into());
        assert_eq!(guard(|| -> u32 { panic!() }), 0);
        let text = guard(|| -> &'static CStr { panic!() });
        // SAFETY: the answer is a static string.
        assert_eq!(unsafe { CStr::from_ptr(text) }, c"");
    }

    unsafe extern "C-unwind" fn on_ready(_: *mut fsock_loop, _: u64, _: u32, _: *mut c_void) {
        panic!("in a source's callback");
    }

    unsafe extern "C-unwind" fn on_time(_: *mut fsock_loop, _: u64, _: u64, _: *mut c_void) {
        panic!("in a timer's callback");
    }

    unsafe extern "C-unwind" fn on_wake(_: *mut fsock_loop, _: *mut c_void) {
        panic!("in a waker's callback");
    }

    unsafe extern "C-unwind" fn count(user: *mut c_void) {
        // SAFETY: every `user` in here points at a counter that outlives the loop.
        unsafe { *user.cast::<u32>() += 1 };
    }

    unsafe extern "C-unwind" fn count_and_panic(user: *mut c_void) {
        // SAFETY: as above.
        unsafe { *user.cast::<u32>() += 1 };
        panic!("in a drop function");
    }

    /// A panicking callback is an error code, its source is gone, its user data dropped once, and the loop goes on.
    #[test]
    fn a_callback_that_panics_is_an_error_code() {
        let (near, far) = UnixStream::pair().unwrap();
        io(&far);
        let (mut drops, mut token, mut r#loop, mut waker) = (0u32, 0u64, ptr::null_mut(), ptr::null_mut());
        let user = (&raw mut drops).cast::<c_void>();
        // SAFETY: the pointers are to locals that outlive the loop, which is used on this thread alone.
        unsafe {
            assert_eq!(fsock_loop_new(ptr::null(), &mut r#loop), 0);
            let fd = near.as_raw_fd();
            let (readable, level) = (FSOCK_READABLE, FSOCK_LEVEL);
            assert_eq!(
                fsock_add_callback(r#loop, fd, readable, level, Some(on_ready), user, Some(count), &mut token),
                0
            );
            assert_eq!(fsock_loop_run_once(r#loop, 0), FSOCK_E_PANIC);
            assert_eq!(drops, 1);
            assert_eq!(fsock_remove(r#loop, token), crate::error::FSOCK_E_STALE);
            let none = ptr::null_mut();
            assert_eq!(fsock_timer_start(r#loop, 0, 0, FSOCK_TIMER_RATE, Some(on_time), user, Some(count), none), 0);
            assert_eq!(fsock_loop_run_once(r#loop, -1), FSOCK_E_PANIC);
            assert_eq!(drops, 2);
            assert_eq!(fsock_waker_new(r#loop, Some(on_wake), user, Some(count_and_panic), &mut waker), 0);
            assert_eq!(fsock_waker_wake(waker), 0);
            assert_eq!(fsock_loop_run_once(r#loop, -1), FSOCK_E_PANIC);
            assert_eq!(drops, 3);
            assert_eq!(fsock_waker_free(waker), 0);
            assert_eq!(fsock_loop_run_once(r#loop, 0), 0);
            assert_eq!(fsock_loop_free(r#loop), 0);
        }
        assert_eq!(drops, 3);
    }

    /// One drop function that panics keeps no other from being called.
    #[test]
    fn drop_functions_that_panic_are_contained() {
        let (mut drops, mut r#loop) = (0u32, ptr::null_mut());
        let user = (&raw mut drops).cast::<c_void>();
        // SAFETY: as above.
        unsafe {
            assert_eq!(fsock_loop_new(ptr::null(), &mut r#loop), 0);
            for _ in 0..3 {
                let (callback, drop) = (Some(on_time as _), Some(count_and_panic as _));
                assert_eq!(fsock_timer_start(r#loop, i64::MAX, 0, 0, callback, user, drop, ptr::null_mut()), 0);
            }
            assert_eq!(fsock_loop_free(r#loop), 0);
        }
        assert_eq!(drops, 3);
    }

    fn io(mut stream: &UnixStream) {
        std::io::Write::write_all(&mut stream, b"x").unwrap();
    }
}
