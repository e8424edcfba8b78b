use std::cell::{Cell, RefCell};
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::mem::ManuallyDrop;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::ptr;

use fastsock::net::PeerAddress;

use super::*;
use crate::child::fsock_child_start;
use crate::event::FSOCK_READABLE;
use crate::home::fsock_loop;
use crate::listener::{fsock_listen, fsock_listener_fd};
use crate::log::{FSOCK_LOG_ERROR, fsock_set_log};
use crate::loop_::{fsock_loop_free, fsock_loop_new, fsock_loop_run_once};
use crate::signal::fsock_signal_start;
use crate::source::{FSOCK_LEVEL, fsock_add_callback, fsock_remove};
use crate::submitter::{fsock_submit, fsock_submitter_free, fsock_submitter_new};
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
    panic!("in a waker's callback, or what was submitted");
}

unsafe extern "C-unwind" fn on_signal(_: *mut fsock_loop, _: u64, _: c_int, _: u64, _: *mut c_void) {
    panic!("in a signal's callback");
}

unsafe extern "C-unwind" fn on_end(_: *mut fsock_loop, _: u64, _: c_int, _: *mut c_void) {
    panic!("in a child's callback");
}

unsafe extern "C-unwind" fn on_connection(
    _: *mut fsock_loop,
    _: u64,
    fd: c_int,
    _: *const libc::sockaddr,
    _: u32,
    _: *mut c_void,
) {
    // SAFETY: it is this callback's own.
    unsafe { libc::close(fd) };
    panic!("in a listener's callback");
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

fn new_loop() -> *mut fsock_loop {
    let mut r#loop = ptr::null_mut();
    // SAFETY: the place is on this frame.
    assert_eq!(unsafe { fsock_loop_new(ptr::null(), &mut r#loop) }, 0);
    r#loop
}

fn io(mut stream: &UnixStream) {
    std::io::Write::write_all(&mut stream, b"x").unwrap();
}

/// A turn that ends in a panic; a signal may come between.
fn panics(r#loop: *mut fsock_loop) {
    loop {
        // SAFETY: alive, and on its thread.
        match unsafe { fsock_loop_run_once(r#loop, -1) } {
            code if code == -libc::EINTR || code >= 0 => {}
            code => return assert_eq!(code, FSOCK_E_PANIC),
        }
    }
}

/// A panicking callback is an error code, its source is gone, its user data dropped once, and the loop goes on.
#[test]
fn a_callback_that_panics_is_an_error_code() {
    let (near, far) = UnixStream::pair().unwrap();
    io(&far);
    let (mut drops, mut token, mut waker) = (0u32, 0u64, ptr::null_mut());
    let user = (&raw mut drops).cast::<c_void>();
    let (r#loop, none) = (new_loop(), ptr::null_mut());
    // SAFETY: the pointers are to locals that outlive the loop, which is used on this thread alone.
    unsafe {
        let fd = near.as_raw_fd();
        let (readable, level) = (FSOCK_READABLE, FSOCK_LEVEL);
        assert_eq!(fsock_add_callback(r#loop, fd, readable, level, Some(on_ready), user, Some(count), &mut token), 0);
        panics(r#loop);
        assert_eq!(drops, 1);
        assert_eq!(fsock_remove(r#loop, token), crate::error::FSOCK_E_STALE);
        assert_eq!(fsock_timer_start(r#loop, 0, 0, FSOCK_TIMER_RATE, Some(on_time), user, Some(count), none), 0);
        panics(r#loop);
        assert_eq!(drops, 2);
        assert_eq!(fsock_waker_new(r#loop, Some(on_wake), user, Some(count_and_panic), &mut waker), 0);
        assert_eq!(fsock_waker_wake(waker), 0);
        panics(r#loop);
        assert_eq!(drops, 3);
        assert_eq!(fsock_waker_free(waker), 0);
        assert_eq!(fsock_loop_run_once(r#loop, 0), 0);
        assert_eq!(fsock_loop_free(r#loop), 0);
    }
    assert_eq!(drops, 3);
}

#[test]
fn so_it_is_for_signals_children_listeners_and_what_was_submitted() {
    let (mut drops, mut token, mut submitter) = (0u32, 0u64, ptr::null_mut());
    let user = (&raw mut drops).cast::<c_void>();
    let (r#loop, none) = (new_loop(), ptr::null_mut());
    // SAFETY: as above.
    unsafe {
        assert_eq!(fsock_signal_start(r#loop, libc::SIGUSR2, Some(on_signal), user, Some(count), none), 0);
        assert_eq!(libc::raise(libc::SIGUSR2), 0);
        panics(r#loop);
        assert_eq!(drops, 1);
        let mut child = Command::new("true").spawn().unwrap();
        assert_eq!(fsock_child_start(r#loop, child.id() as c_int, Some(on_end), user, Some(count), none), 0);
        panics(r#loop);
        assert_eq!(drops, 2);
        // It was waited for, all the same.
        assert_eq!(child.wait().unwrap_err().raw_os_error(), Some(libc::ECHILD));
        assert_eq!(fsock_submitter_new(r#loop, &mut submitter), 0);
        assert_eq!(fsock_submit(submitter, Some(on_wake), user, Some(count)), 0);
        panics(r#loop);
        assert_eq!(drops, 3);
        assert_eq!(fsock_submitter_free(submitter), 0);

        let address = PeerAddress::from(SocketAddr::from(([127, 0, 0, 1], 0)));
        let bytes = address.as_bytes();
        let (start, length) = (bytes.as_ptr().cast(), bytes.len() as u32);
        let (callback, drop) = (Some(on_connection as _), Some(count as _));
        assert_eq!(fsock_listen(r#loop, start, length, ptr::null(), callback, user, drop, &mut token), 0);
        let fd = fsock_listener_fd(r#loop, token);
        let listener = ManuallyDrop::new(TcpListener::from_raw_fd(fd));
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        panics(r#loop);
        assert_eq!(drops, 4);
        assert_eq!(fsock_loop_run_once(r#loop, 0), 0);
        assert_eq!(fsock_loop_free(r#loop), 0);
    }
    assert_eq!(drops, 4);
}

/// One drop function that panics keeps no other from being called.
#[test]
fn drop_functions_that_panic_are_contained() {
    let mut drops = 0u32;
    let user = (&raw mut drops).cast::<c_void>();
    let r#loop = new_loop();
    // SAFETY: as above.
    unsafe {
        for _ in 0..3 {
            let (callback, drop) = (Some(on_time as _), Some(count_and_panic as _));
            assert_eq!(fsock_timer_start(r#loop, i64::MAX, 0, 0, callback, user, drop, ptr::null_mut()), 0);
        }
        assert_eq!(fsock_loop_free(r#loop), 0);
    }
    assert_eq!(drops, 3);
}

thread_local! {
    /// What this test's thread was told; the log is the whole process's, and the other tests panic as well.
    static TOLD: RefCell<Vec<CString>> = const { RefCell::new(Vec::new()) };
    static LISTENS: Cell<bool> = const { Cell::new(false) };
}

unsafe extern "C-unwind" fn on_log(level: u32, text: *const c_char, _: *mut c_void) {
    if !LISTENS.get() {
        return;
    }
    assert_eq!(level, FSOCK_LOG_ERROR);
    // SAFETY: the library gives a string.
    TOLD.with_borrow_mut(|told| told.push(unsafe { CStr::from_ptr(text) }.to_owned()));
    assert_eq!(fsock_set_log(None, ptr::null_mut()), -libc::EBUSY);
    panic!("in the log, which ends there");
}

#[test]
fn the_log_is_told_of_panics() {
    LISTENS.set(true);
    assert_eq!(fsock_set_log(Some(on_log), ptr::null_mut()), 0);
    contain(|| panic!("first\nof all"));
    contain(|| panic!("the {}", "second"));
    contain(|| std::panic::panic_any(7));
    assert_eq!(fsock_set_log(None, ptr::null_mut()), 0);
    contain(|| panic!("nobody listens"));
    let told = TOLD.take();
    let ends = ["first of all", "the second", "(no text)"];
    assert_eq!(told.len(), ends.len(), "{told:?}");
    for (text, end) in told.iter().zip(ends) {
        assert!(text.to_str().unwrap().ends_with(end), "{text:?}");
    }
}
