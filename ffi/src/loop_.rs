//! The loop's functions.

use std::ffi::c_int;
use std::time::Duration;

use fastsock::{Reactor, Time};

use crate::config::{self, fsock_config};
use crate::error::Code;
use crate::event::fsock_event;
use crate::guard::guard;
use crate::handle::{self, Handle};
use crate::home::fsock_loop;
use crate::turn::Turn;
use crate::versioned;

fn timeout(nanos: i64) -> Option<Duration> {
    u64::try_from(nanos).ok().map(Duration::from_nanos)
}

/// fsock_loop_wait and fsock_loop_run_once: no timeout.
pub const FSOCK_FOREVER: i64 = -1;

/// Makes a loop that belongs to the calling thread.
///
/// config may be NULL for the defaults; nothing of it is kept.
///
/// Returns: 0, and the loop in *out. Errors: -EINVAL (a null pointer, an unknown backend, or config->size not set),
/// -E2BIG (config has a part that this library does not know, and it is not zero), -EOPNOTSUPP (no such backend here),
/// -EMFILE, -ENFILE, -ENOMEM; *out is not written to then. Ownership: the loop is the caller's, until fsock_loop_free.
/// Thread: any; from then on the loop is used on this one. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_loop_new(config: *const fsock_config, out: *mut *mut fsock_loop) -> c_int {
    guard(|| {
        // SAFETY: C gave a place for a pointer, by the header's contract.
        let place = unsafe { handle::out(out) }?;
        // SAFETY: C gave a struct as large as it says, by the header's contract.
        let config = unsafe { versioned::read(config) }?;
        let reactor = Reactor::with_backend(config::backend(config.backend)?)?;
        *place = fsock_loop::new(reactor).give();
        Ok(0)
    })
}

/// Ends a loop: removes every source and timer, calls their drop functions, and closes what the library opened (the
/// descriptors that were watched stay open, they are the caller's). NULL is fine.
///
/// Inside a callback or a drop function the end comes when that has returned: nothing else is called back, and the
/// wait or run that is going on returns FSOCK_E_CLOSED. Wakers stay valid; each still wants its fsock_waker_free.
///
/// Returns: 0. Errors: FSOCK_E_THREAD, FSOCK_E_CLOSED (freed already, by the callback that is running).
/// Ownership: the loop is the library's again. Thread: the loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_loop_free(r#loop: *mut fsock_loop) -> c_int {
    guard(|| {
        if r#loop.is_null() {
            return Ok(0);
        }
        // SAFETY: one of ours and not freed yet, by the header's contract.
        let home = unsafe { fsock_loop::enter(r#loop) }?;
        if home.freed.get() {
            return Err(Code::CLOSED);
        }
        if home.busy.get() {
            home.with(|reactor| reactor.stop())?;
            home.freed.set(true);
            home.reactor.set(std::ptr::null_mut());
            return Ok(0);
        }
        // SAFETY: alive, and no frame below this one uses it: it is not busy.
        unsafe { fsock_loop::end(r#loop) };
        Ok(0)
    })
}

/// Waits until something is ready or due, calls back what has a callback, and puts the rest into the array.
///
/// events has room for cap; at most that many are harvested in one call, the others stay for the next. Sources added
/// with fsock_add land in the array; timers, wakers and sources added with a callback are called before it returns. A
/// negative timeout (FSOCK_FOREVER) waits without end, 0 does not wait; the resolution is a nanosecond, and a wait
/// never ends early for want of a finer clock. An event in the array may be out of date when a callback of this
/// call has removed its source: its token is stale then.
///
/// Returns: the number of events in the array. 0: the timeout is over, or only callbacks were called, or
/// fsock_loop_stop was. Errors: -EINTR (a signal came: wait again), -EINVAL (a null pointer, or cap 0), -EBUSY (inside a
/// callback), -ECHILD (see fsock_loop_reinit), FSOCK_E_THREAD, FSOCK_E_PANIC, FSOCK_E_CLOSED (a callback has freed the
/// loop). Ownership: the array is the caller's. Thread: the loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_loop_wait(
    r#loop: *mut fsock_loop,
    events: *mut fsock_event,
    cap: usize,
    timeout_ns: i64,
) -> c_int {
    guard(|| {
        // SAFETY: one of ours and not freed yet, by the header's contract.
        let home = unsafe { fsock_loop::enter(r#loop) }?;
        home.not_busy()?;
        if events.is_null() || cap == 0 {
            return Err(Code::INVALID);
        }
        if home.take_stop() {
            return Ok(0);
        }
        // The count has to fit in what is returned.
        let cap = cap.min(c_int::MAX as usize);
        // SAFETY: alive, on its thread, not busy; C gave an array of that length by the header's contract.
        let mut turn = unsafe { Turn::into_array(r#loop, events, cap) };
        let mut timeout = timeout(timeout_ns);
        let kept = home.take_kept()?;
        if let Some(event) = kept {
            home.with(|reactor| turn.push(reactor, event))?;
            timeout = Some(Duration::ZERO);
        }
        if turn.len < cap {
            // SAFETY: as above.
            match unsafe { turn.take(timeout) } {
                // A kept event must not be lost to a signal, nor to an error, for which C does not look at the array.
                Err(Code::INTERRUPTED) if turn.len > 0 => {}
                Err(code) if code != Code::CLOSED && kept.is_some() => {
                    home.kept.set(kept);
                    return Err(code);
                }
                other => drop(other?),
            }
            home.take_stop();
        }
        Ok(turn.len as c_int)
    })
}

/// Waits and calls back, over and over, until fsock_loop_stop is called or nothing is registered any more.
///
/// Every source should have a callback: one added with fsock_add ends the run with FSOCK_E_NOCALLBACK when it becomes
/// ready. Its event is not lost, the next fsock_loop_wait gives it. Signals do not end the run.
///
/// Returns: 0. Errors: -EBUSY (inside a callback), -ECHILD (see fsock_loop_reinit), FSOCK_E_NOCALLBACK, FSOCK_E_THREAD,
/// FSOCK_E_PANIC, FSOCK_E_CLOSED (a callback has freed the loop), -EINVAL (a null pointer).
/// Ownership: nothing changes hands. Thread: the loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_loop_run(r#loop: *mut fsock_loop) -> c_int {
    guard(|| {
        // SAFETY: one of ours and not freed yet, by the header's contract.
        let home = unsafe { fsock_loop::enter(r#loop) }?;
        home.not_busy()?;
        loop {
            if home.take_stop() || home.with(|reactor| reactor.is_empty())? {
                return Ok(0);
            }
            // SAFETY: alive, on its thread, not busy.
            match unsafe { fsock_loop::turn(r#loop, None) } {
                Err(Code::INTERRUPTED) => {}
                other => drop(other?),
            }
        }
    })
}

/// Waits once, no longer than the timeout, and calls back what is ready and due: fsock_loop_run's inside.
///
/// A negative timeout (FSOCK_FOREVER) waits without end, 0 does not wait.
///
/// Returns: the number of callbacks called; 0 after the timeout, or when a stop was pending. Errors: -EINTR (a signal
/// came), -EINVAL (a null pointer), and those of fsock_loop_run. Ownership: nothing changes hands. Thread: the loop's own.
/// Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_loop_run_once(r#loop: *mut fsock_loop, timeout_ns: i64) -> c_int {
    guard(|| {
        // SAFETY: one of ours and not freed yet, by the header's contract.
        let home = unsafe { fsock_loop::enter(r#loop) }?;
        home.not_busy()?;
        if home.take_stop() {
            return Ok(0);
        }
        // SAFETY: alive, on its thread, not busy.
        let count = unsafe { fsock_loop::turn(r#loop, timeout(timeout_ns)) }?;
        home.take_stop();
        Ok(c_int::try_from(count).unwrap_or(c_int::MAX))
    })
}

/// Waits until something is ready or due, no longer than the timeout, and calls nothing back: for a host with a lock of its
/// own (an interpreter's), which lets go of it for this call alone.
///
/// What was harvested is called back, or put into the array, by the next fsock_loop_run_once or fsock_loop_wait, which then
/// does not wait. A negative timeout (FSOCK_FOREVER) waits without end, 0 does not wait.
///
/// Returns: the number of events harvested; timers that are due, wakers and the like come on top; 0 at once when a stop is
/// pending. Errors: -EINTR (a signal came: wait again), -EBUSY (inside a callback), -ECHILD (see fsock_loop_reinit), -EINVAL
/// (a null pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: nothing changes hands. Thread: the loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_loop_harvest(r#loop: *mut fsock_loop, timeout_ns: i64) -> c_int {
    guard(|| {
        // SAFETY: one of ours and not freed yet, by the header's contract.
        let home = unsafe { fsock_loop::enter(r#loop) }?;
        home.not_busy()?;
        let has_kept = home.has_kept()?;
        if has_kept || home.stopped.get() {
            return Ok(c_int::from(has_kept));
        }
        let count = home.with(|reactor| reactor.wait(timeout(timeout_ns)))??;
        Ok(c_int::try_from(count).unwrap_or(c_int::MAX))
    })
}

/// Ends the wait or run that is going on, after the callback that is running; if none is, the next one returns at once.
/// Events that were harvested and not called back for wait for the next one.
///
/// From another thread, submit a function that calls this (fsock_submit).
///
/// Returns: 0. Errors: -EINVAL (a null pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED.
/// Ownership: nothing changes hands. Thread: the loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_loop_stop(r#loop: *mut fsock_loop) -> c_int {
    guard(|| {
        // SAFETY: one of ours and not freed yet, by the header's contract.
        let home = unsafe { fsock_loop::enter(r#loop) }?;
        home.with(|reactor| {
            if home.busy.get() {
                reactor.stop();
            }
        })?;
        home.stopped.set(true);
        Ok(0)
    })
}

/// After fork(2), in the child: makes the loop the child's own. Every source, timer and waker stays registered; a waker
/// wakes the parent's loop in the parent and this one in the child. Before this call, the loop answers -ECHILD to
/// whatever would touch what it shares with the parent.
///
/// Returns: 0. Errors: -EINVAL (a null pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED, and as fsock_loop_new.
/// Ownership: nothing changes hands. Thread: the loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_loop_reinit(r#loop: *mut fsock_loop) -> c_int {
    guard(|| {
        // SAFETY: one of ours and not freed yet, by the header's contract.
        let home = unsafe { fsock_loop::enter(r#loop) }?;
        home.with(|reactor| reactor.reinit())??;
        Ok(0)
    })
}

/// Which backend a loop waits with.
///
/// Returns: FSOCK_BACKEND_EPOLL, _POLL or _SELECT. Errors: -EINVAL (a null pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED.
/// Ownership: nothing changes hands. Thread: the loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_loop_backend(r#loop: *mut fsock_loop) -> c_int {
    guard(|| {
        // SAFETY: one of ours and not freed yet, by the header's contract.
        let home = unsafe { fsock_loop::enter(r#loop) }?;
        Ok(config::number(home.with(|reactor| reactor.backend())?))
    })
}

/// The descriptor that is readable when a source is ready, a timer is due, a waker was used or a signal came: for a host
/// that waits in a loop of its own, and calls fsock_loop_run_once or fsock_loop_wait with a timeout of 0 whenever the
/// descriptor is readable.
///
/// The first call makes timers show in it, by a timerfd_create(2). It may become readable for a timer that was stopped
/// meanwhile. After fsock_loop_reinit, and whenever rebuilds in fsock_stats has grown, the descriptor is another one:
/// call this again, which costs nothing.
///
/// Returns: the descriptor. Errors: -EOPNOTSUPP (the backend is not epoll: use fsock_loop_timeout), -EMFILE, -ENFILE,
/// -ENOMEM, -ECHILD (see fsock_loop_reinit), -EINVAL (a null pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED.
/// Ownership: it stays the loop's; do not close it. Thread: the loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_loop_fd(r#loop: *mut fsock_loop) -> c_int {
    guard(|| {
        // SAFETY: one of ours and not freed yet, by the header's contract.
        let home = unsafe { fsock_loop::enter(r#loop) }?;
        Ok(home.with(|reactor| reactor.embed())??)
    })
}

/// How long a host with a wait of its own may sleep before it calls this loop: until the next timer is due.
///
/// Returns: nanoseconds; 0 when something is due or was left by an earlier turn; FSOCK_FOREVER (-1) when no timer is
/// set. Errors: all below -1: -EINVAL (a null pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED.
/// Ownership: nothing changes hands. Thread: the loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_loop_timeout(r#loop: *mut fsock_loop) -> i64 {
    guard(|| {
        // SAFETY: one of ours and not freed yet, by the header's contract.
        let home = unsafe { fsock_loop::enter(r#loop) }?;
        let next = home.with(|reactor| reactor.next_deadline())?;
        if home.has_kept()? || home.stopped.get() {
            return Ok(0);
        }
        let left = next.map(|deadline| Time::now().until(deadline).as_nanos());
        Ok(left.map_or(FSOCK_FOREVER, |left| i64::try_from(left).unwrap_or(i64::MAX)))
    })
}
