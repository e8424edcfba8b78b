//! Wakers: the one thing that other threads may use.

use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use fastsock::{Reactor, Token, Waker};

use crate::guard::guard;
use crate::handle::{self, Handle, Thread};
use crate::home::fsock_loop;
use crate::turn::Turn;
use crate::user::{User, fsock_drop};

/// A waker was used, once or more often, since the last call.
///
/// It may call any function of the loop except those that wait, and may free its own waker.
pub type fsock_waker_callback = Option<unsafe extern "C-unwind" fn(r#loop: *mut fsock_loop, user: *mut c_void)>;

/// Wakes a loop from any thread. Made by fsock_waker_new, ended by fsock_waker_free.
pub struct fsock_waker {
    waker: Waker,
    token: Token,
    thread: Thread,
    shared: Arc<Shared>,
}

impl Handle for fsock_waker {}

/// What the handle and its callback in the loop know of each other, for either may go first.
struct Shared {
    /// Freed on another thread: the callback must not be called again, and removes itself at the next chance.
    retired: AtomicBool,
    /// The loop, until it gives up the callback. Read and written on the loop's thread.
    home: AtomicPtr<fsock_loop>,
}

/// What the loop holds for a waker.
struct Seat {
    shared: Arc<Shared>,
    user: User,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.shared.home.store(ptr::null_mut(), Ordering::Relaxed);
    }
}

impl Seat {
    fn woken(&self, reactor: &mut Reactor<'static, Turn>, turn: &Turn, token: Token, callback: fsock_waker_callback) {
        if self.shared.retired.load(Ordering::Acquire) {
            // Its own callback is running, this one: it is dropped, and buried, when this has returned.
            reactor.remove(token);
            return;
        }
        if let Some(callback) = callback {
            // SAFETY: the function and its argument came together from C, and drop was not called yet.
            turn.call(reactor, |r#loop| unsafe { callback(r#loop, self.user.data()) });
        }
    }
}

/// Makes a waker, by which any thread ends the loop's wait and has the callback called on the loop's thread.
///
/// However often it is used between two turns, there is one call. callback may be NULL: then it ends the wait and no more.
/// user and drop are as for fsock_add_callback. Until it is freed, fsock_loop_run goes on.
///
/// Returns: 0, and the waker in *out. Errors: -EINVAL (a null pointer), -EMFILE, -ENFILE, -ENOMEM, -ECHILD (see
/// fsock_loop_reinit), FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: the waker is the caller's, until fsock_waker_free; on
/// success user is the loop's, until drop; on any error it stays the caller's, and drop is not called. Thread: the
/// loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_waker_new(
    r#loop: *mut fsock_loop,
    callback: fsock_waker_callback,
    user: *mut c_void,
    drop: fsock_drop,
    out: *mut *mut fsock_waker,
) -> c_int {
    guard(|| {
        // SAFETY: one of ours and not freed yet, by the header's contract.
        let home = unsafe { fsock_loop::enter(r#loop) }?;
        // SAFETY: C gave a place for a pointer, by the header's contract.
        let place = unsafe { handle::out(out) }?;
        let shared = Arc::new(Shared { retired: AtomicBool::new(false), home: AtomicPtr::new(r#loop) });
        let (token, waker) = home.register(|reactor| {
            let seat = Seat { shared: shared.clone(), user: User::new(r#loop, user, drop) };
            reactor.add_waker(move |reactor, turn, token| seat.woken(reactor, turn, token, callback))
        })?;
        *place = fsock_waker { waker, token, thread: Thread::here(), shared }.give();
        Ok(0)
    })
}

/// Makes the loop's wait return, and the callback be called. What this thread wrote to memory before is visible there.
///
/// Cheap when the loop is awake: one write to an eventfd(2) for each time that it sleeps. For as long as the loop is
/// alive, a signal handler may call this.
///
/// Returns: 0. Errors: FSOCK_E_CLOSED (the loop has been freed: nothing happens), -EINVAL (a null pointer).
/// Ownership: nothing changes hands. Thread: any, at any time between fsock_waker_new and fsock_waker_free, also when
/// the loop is gone. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_waker_wake(waker: *const fsock_waker) -> c_int {
    guard(|| {
        // SAFETY: one of ours and not freed yet, by the header's contract.
        let waker = unsafe { fsock_waker::borrow(waker) }?;
        waker.waker.wake()?;
        Ok(0)
    })
}

/// Ends a waker. No wake may come after this, nor at the same time. NULL is fine.
///
/// On the loop's thread the callback is not called again and drop is called before this returns (in the waker's own
/// callback: after that has returned). On another thread no call begins after this, one that has begun may still
/// run, and drop is called on the loop's thread, in its next turn or when it is freed. When the loop is gone, drop has
/// been called already.
///
/// Returns: 0. Errors: FSOCK_E_CLOSED (drop has freed the loop; the waker is freed all the same).
/// Ownership: the waker is the library's again. Thread: any. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_waker_free(waker: *mut fsock_waker) -> c_int {
    guard(|| {
        // SAFETY: one of ours and not freed yet, by the header's contract.
        let Some(waker) = (unsafe { fsock_waker::take(waker) }) else { return Ok(0) };
        if waker.thread.check().is_err() {
            waker.shared.retired.store(true, Ordering::Release);
            // So that the loop sees to it. One that is gone has seen to it already.
            let _ = waker.waker.wake();
            return Ok(0);
        }
        let pointer = waker.shared.home.load(Ordering::Relaxed);
        // SAFETY: null, or alive: the loop takes itself out of `shared` on this thread before it ends.
        match unsafe { fsock_loop::enter(pointer) } {
            // `Err`: it ends already, and drops what it has by itself.
            Ok(home) if home.with(|reactor| reactor.remove(waker.token)).is_ok() => {}
            _ => return Ok(0),
        }
        // SAFETY: alive, on its thread.
        unsafe { fsock_loop::settle(pointer) }?;
        Ok(0)
    })
}
