//! Descriptors that are watched.

use std::ffi::{c_int, c_void};

use fastsock::{Event, Mode, Reactor, Trigger};

use crate::error::{Code, Result};
use crate::event;
use crate::guard::guard;
use crate::handle;
use crate::home::fsock_loop;
use crate::registry::Kind;
use crate::turn::Turn;
use crate::user::{User, fsock_drop};

/// Flag: reported at every wait for as long as it is ready. The default, and the one that forgives.
pub const FSOCK_LEVEL: u32 = 0;
/// Flag: reported once for each time that it becomes ready. Go on until EAGAIN (or, on a stream, a short read or
/// write), or call fsock_rearm: what is left gives no second event. epoll only.
pub const FSOCK_EDGE: u32 = 1;
/// Flag: reported once, and then not until fsock_rearm or fsock_modify.
pub const FSOCK_ONESHOT: u32 = 2;
/// Flag: of several loops that watch this listener, wake at least one but not all (EPOLLEXCLUSIVE). epoll only; goes
/// with FSOCK_LEVEL and FSOCK_EDGE, FSOCK_READABLE and FSOCK_WRITABLE.
pub const FSOCK_EXCLUSIVE: u32 = 4;

/// A source is ready. ready is a sum of FSOCK_READY_ bits.
///
/// It may call any function of the loop except those that wait, and may remove anything, its own source included.
pub type fsock_callback =
    Option<unsafe extern "C-unwind" fn(r#loop: *mut fsock_loop, token: u64, ready: u32, user: *mut c_void)>;

fn mode(flags: u32) -> Result<Mode> {
    let trigger = match flags & !FSOCK_EXCLUSIVE {
        FSOCK_LEVEL => Trigger::Level,
        FSOCK_EDGE => Trigger::Edge,
        FSOCK_ONESHOT => Trigger::OneShot,
        _ => return Err(Code::INVALID),
    };
    let mode = Mode::from(trigger);
    Ok(if flags & FSOCK_EXCLUSIVE != 0 { mode.exclusive() } else { mode })
}

/// Watches a descriptor, whose events fsock_loop_wait puts into its array.
///
/// interest is a sum of FSOCK_READABLE, FSOCK_WRITABLE and FSOCK_PRIORITY, or 0 for nothing yet. flags is FSOCK_LEVEL,
/// FSOCK_EDGE or FSOCK_ONESHOT, with FSOCK_EXCLUSIVE or without. Make the descriptor non-blocking. Add a TCP
/// socket after connect or listen has begun: before, the kernel reports it as hung up.
///
/// Returns: 0, and in *token what names the source in events and calls; never 0, and never used twice. Errors: -EINVAL
/// (a null pointer or an unknown bit), -EBADF (not open), -EEXIST (watched already), -EPERM (a regular file or
/// directory), -EOPNOTSUPP (the backend has no such trigger), -ENOSPC, -ENOMEM, -ECHILD (see fsock_loop_reinit),
/// FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: the descriptor stays the caller's; remove the source before closing it.
/// Thread: the loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_add(
    r#loop: *mut fsock_loop,
    fd: c_int,
    interest: u32,
    flags: u32,
    token: *mut u64,
) -> c_int {
    guard(|| {
        // SAFETY: one of ours and not freed yet, by the header's contract.
        let home = unsafe { fsock_loop::enter(r#loop) }?;
        // SAFETY: C gave a place for a token, by the header's contract.
        let place = unsafe { handle::out(token) }?;
        let (interest, mode) = (event::interest(interest)?, mode(flags)?);
        let added = home.with(|reactor| {
            let push = |reactor: &mut Reactor<'static, Turn>, turn: &mut Turn, event| turn.push(reactor, event);
            // SAFETY: the descriptor stays open until it is removed, by the header's contract.
            unsafe { reactor.add_raw(fd, interest, mode, push) }
        })?;
        *place = added?.to_bits();
        // What was known by the same number, closed unasked, may have been given up for it. The source is in, whatever
        // becomes of the loop by that.
        // SAFETY: alive, on its thread.
        let _ = unsafe { fsock_loop::settle(r#loop) };
        Ok(0)
    })
}

/// Watches a descriptor, and calls back when it is ready.
///
/// interest and flags are as for fsock_add. The callback is called by fsock_loop_run, fsock_loop_run_once and
/// fsock_loop_wait, on the loop's thread, never from in here. user comes back in every call. drop, if it is not NULL, is
/// called exactly once with user, after the last call: inside fsock_remove, or after the callback's return when that
/// removes itself, or inside fsock_loop_free. token may be NULL: the callback gets it as well.
///
/// Returns: 0. Errors: as fsock_add. Ownership: on success user is the loop's, until drop; on any error it stays
/// the caller's, and drop is not called. The descriptor stays the caller's; drop is a good place to close it. Thread:
/// the loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_add_callback(
    r#loop: *mut fsock_loop,
    fd: c_int,
    interest: u32,
    flags: u32,
    callback: fsock_callback,
    user: *mut c_void,
    drop: fsock_drop,
    token: *mut u64,
) -> c_int {
    guard(|| {
        let callback = callback.ok_or(Code::INVALID)?;
        let (interest, mode) = (event::interest(interest)?, mode(flags)?);
        let add = |reactor: &mut Reactor<'static, Turn>, user: User| {
            let ready = move |reactor: &mut Reactor<'static, Turn>, turn: &mut Turn, event: Event| {
                let (token, ready) = (event.token().to_bits(), event.ready().bits());
                // SAFETY: the function and its argument came together from C, and drop was not called yet.
                turn.call(reactor, |r#loop| unsafe { callback(r#loop, token, ready, user.data()) });
            };
            // SAFETY: the descriptor stays open until it is removed, by the header's contract.
            unsafe { reactor.add_raw(fd, interest, mode, ready) }
        };
        // SAFETY: one of ours and not freed yet, and a place for a token or none, by the header's contract.
        unsafe { fsock_loop::start(r#loop, user, drop, token, add) }
    })
}

/// Changes interest and flags. An edge or one-shot source that is ready now fires (again).
///
/// With interest 0 the source stays registered and nothing is reported, not even a hang-up.
///
/// Returns: 0. Errors: FSOCK_E_STALE, -EINVAL (a null pointer or an unknown bit), -EOPNOTSUPP, -ENOMEM, -ECHILD (see
/// fsock_loop_reinit), FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: nothing changes hands. Thread: the loop's own.
/// Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_modify(r#loop: *mut fsock_loop, token: u64, interest: u32, flags: u32) -> c_int {
    guard(|| {
        let change = |reactor: &mut Reactor<'static, Turn>, token| {
            Ok(reactor.modify(token, event::interest(interest)?, mode(flags)?)?)
        };
        // SAFETY: one of ours and not freed yet, by the header's contract.
        unsafe { fsock_loop::on(r#loop, Kind::Source, token, change) }?;
        Ok(0)
    })
}

/// Lets an edge or one-shot source fire again if it is still ready: for whoever stops before EAGAIN. Nothing changes for a
/// level source.
///
/// Returns: 0. Errors: FSOCK_E_STALE, -EINVAL (a null pointer), -ECHILD (see fsock_loop_reinit), FSOCK_E_THREAD,
/// FSOCK_E_CLOSED. Ownership: nothing changes hands. Thread: the loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_rearm(r#loop: *mut fsock_loop, token: u64) -> c_int {
    guard(|| {
        // SAFETY: one of ours and not freed yet, by the header's contract.
        unsafe { fsock_loop::on(r#loop, Kind::Source, token, |reactor, token| Ok(reactor.rearm(token)?)) }?;
        Ok(0)
    })
}

/// Stops watching. No callback and no event of this source comes after this, not even one that was ready.
///
/// drop is called before this returns; for the source whose callback is running, after that has returned and before
/// the next callback. Do this before the descriptor is closed.
///
/// Returns: 0. Errors: FSOCK_E_STALE (nothing was removed), -EINVAL (a null pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED (also
/// when drop has freed the loop). Ownership: user goes back by drop. Thread: the loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_remove(r#loop: *mut fsock_loop, token: u64) -> c_int {
    guard(|| {
        // SAFETY: one of ours and not freed yet, by the header's contract.
        unsafe { fsock_loop::end_one(r#loop, Kind::Source, token) }
    })
}
