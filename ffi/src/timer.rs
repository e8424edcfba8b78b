//! Timers.

use std::ffi::{c_int, c_void};
use std::time::Duration;

use fastsock::{Reactor, Repeat, Time, Token};

use crate::error::{Code, Result};
use crate::guard::guard;
use crate::home::fsock_loop;
use crate::registry::Kind;
use crate::turn::Turn;
use crate::user::{User, fsock_drop};

/// Timer flag: repeats at whole multiples of the period after the first deadline, however long the callback takes.
/// Periods that were missed are told of, not made up for. The default.
pub const FSOCK_TIMER_RATE: u32 = 0;
/// Timer flag: repeats a period after each callback has returned.
pub const FSOCK_TIMER_DELAY: u32 = 1;

/// A timer is due. passed is the number of deadlines that have passed since the last call: 1, or more when a
/// fixed-rate timer was held up.
///
/// It may call any function of the loop except those that wait, and may stop any timer, its own included.
pub type fsock_timer_callback =
    Option<unsafe extern "C-unwind" fn(r#loop: *mut fsock_loop, token: u64, passed: u64, user: *mut c_void)>;

pub(crate) type TimerCallback = unsafe extern "C-unwind" fn(*mut fsock_loop, u64, u64, *mut c_void);

fn nanos(value: i64) -> Result<Duration> {
    u64::try_from(value).map(Duration::from_nanos).map_err(|_| Code::INVALID)
}

fn repeat(period: i64, flags: u32) -> Result<Repeat> {
    let period = nanos(period)?;
    match flags {
        FSOCK_TIMER_RATE | FSOCK_TIMER_DELAY if period.is_zero() => Ok(Repeat::Once),
        FSOCK_TIMER_RATE => Ok(Repeat::FixedRate(period)),
        FSOCK_TIMER_DELAY => Ok(Repeat::FixedDelay(period)),
        _ => Err(Code::INVALID),
    }
}

/// Calls back after_ns nanoseconds from now, and then every period_ns nanoseconds; once only if period_ns is 0.
///
/// Never early, on CLOCK_MONOTONIC; timers of one deadline are called in the order in which they were started. flags is
/// FSOCK_TIMER_RATE or FSOCK_TIMER_DELAY. A timer that was called for the last time is gone, unless its
/// callback has called fsock_timer_again. user, drop and token are as for fsock_add_callback: drop is called exactly
/// once, after the last call.
///
/// Returns: 0. Errors: -EINVAL (a null pointer, a negative time or an unknown flag), -ENOSPC (2^29 timers),
/// FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: on success user is the loop's, until drop; on any error it stays the
/// caller's, and drop is not called. Thread: the loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_timer_start(
    r#loop: *mut fsock_loop,
    after_ns: i64,
    period_ns: i64,
    flags: u32,
    callback: fsock_timer_callback,
    user: *mut c_void,
    drop: fsock_drop,
    token: *mut u64,
) -> c_int {
    guard(|| {
        let callback = callback.ok_or(Code::INVALID)?;
        let (after, repeat) = (nanos(after_ns)?, repeat(period_ns, flags)?);
        let start = |reactor: &mut Reactor<'static, Turn>, user: User| {
            // It captures nothing, and so takes no memory.
            let due = |reactor: &mut Reactor<'static, Turn>, turn: &mut Turn, token: Token, passed| {
                turn.ring(reactor, token, passed);
            };
            let token = reactor.timer_repeating(Time::now() + after, repeat, due)?;
            // SAFETY: the loop that is started on, alive.
            unsafe { &*user.home() }.put_alarm(token, callback, user);
            Ok(token)
        };
        // SAFETY: one of ours and not freed yet, and a place for a token or none, by the header's contract.
        unsafe { fsock_loop::start(r#loop, user, drop, token, start) }
    })
}

/// Stops a timer. No call of it comes after this, not even one that was due. drop is called as by fsock_remove.
///
/// Returns: 0. Errors: FSOCK_E_STALE (it was stopped, or called for the last time, before), -EINVAL (a null
/// pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED (also when drop has freed the loop). Ownership: user goes back by drop.
/// Thread: the loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_timer_stop(r#loop: *mut fsock_loop, token: u64) -> c_int {
    guard(|| {
        // SAFETY: one of ours and not freed yet, by the header's contract.
        let home = unsafe { fsock_loop::enter(r#loop) }?;
        let token = home.with(|reactor| {
            Kind::Timer.find(reactor, token).inspect(|&token| {
                reactor.remove(token);
            })
        })??;
        drop(home.take_alarm(token));
        // SAFETY: alive, on its thread.
        unsafe { fsock_loop::settle(r#loop) }?;
        Ok(0)
    })
}

/// Gives a timer another deadline, after_ns nanoseconds from now; a repeating one goes on from there. Also in its own
/// callback, where it gives a one-shot timer another shot.
///
/// Returns: 0. Errors: FSOCK_E_STALE, -EINVAL (a null pointer or a negative time), FSOCK_E_THREAD, FSOCK_E_CLOSED.
/// Ownership: nothing changes hands. Thread: the loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_timer_again(r#loop: *mut fsock_loop, token: u64, after_ns: i64) -> c_int {
    guard(|| {
        let again = |reactor: &mut Reactor<'static, Turn>, token| Ok(reactor.rearm_timer(token, nanos(after_ns)?)?);
        // SAFETY: one of ours and not freed yet, by the header's contract.
        unsafe { fsock_loop::on(r#loop, Kind::Timer, token, again) }?;
        Ok(0)
    })
}
