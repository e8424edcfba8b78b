//! A program of a Rust user's: its callback panics. Prints what the run returns.

use std::ffi::{c_int, c_void};
use std::ptr::{null, null_mut};

type Callback = unsafe extern "C-unwind" fn(*mut c_void, u64, u64, *mut c_void);

#[link(name = "fastsock")]
unsafe extern "C-unwind" {
    fn fsock_loop_new(config: *const c_void, out: *mut *mut c_void) -> c_int;
    fn fsock_timer_start(
        r#loop: *mut c_void,
        after: i64,
        period: i64,
        flags: u32,
        callback: Callback,
        user: *mut c_void,
        drop: *const c_void,
        token: *mut u64,
    ) -> c_int;
    fn fsock_loop_run(r#loop: *mut c_void) -> c_int;
    fn fsock_loop_free(r#loop: *mut c_void) -> c_int;
}

unsafe extern "C-unwind" fn on_time(_: *mut c_void, _: u64, _: u64, _: *mut c_void) {
    panic!("in the callback");
}

fn main() {
    let mut r#loop = null_mut();
    // SAFETY: the pointers are null where the header allows it, or to a local; the loop is used on this thread alone.
    unsafe {
        assert_eq!(fsock_loop_new(null(), &mut r#loop), 0);
        assert_eq!(fsock_timer_start(r#loop, 0, 0, 0, on_time, null_mut(), null(), null_mut()), 0);
        println!("{}", fsock_loop_run(r#loop));
        assert_eq!(fsock_loop_run(r#loop), 0);
        assert_eq!(fsock_loop_free(r#loop), 0);
    }
}
