//! The one place that calls libc. Nothing here knows a token, a callback or a policy.
//!
//! A backend supplies:
//!
//! | method | meaning |
//! |---|---|
//! | `new()` | an empty set, close-on-exec |
//! | `supports(mode)` | `Err` for a mode it cannot honour; never a silent downgrade |
//! | `add(fd, key, mode)` | watch `fd`; `EEXIST` when it is watched already |
//! | `modify(fd, key, mode)` | replace the mode, neither being exclusive; fires again when still ready |
//! | `remove(fd)` | stop watching; `ENOENT` or `EBADF` when it was not watched |
//! | `wait(limit, timeout, sink)` | one system call; `sink(key, ready)` for each event, at most `limit` of them |
//!
//! `sink` is called with an empty `Ready` when the backend found that a watched descriptor is no longer open.

pub(crate) mod busy_poll;
pub(crate) mod child;
pub(crate) mod clock;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) mod epoll;
pub(crate) mod fork;
pub(crate) mod memory;
pub(crate) mod message;
pub(crate) mod options;
pub(crate) mod poll;
pub(crate) mod select;
#[cfg_attr(fastsock_model, path = "../../checks/model/src/selector.rs")]
mod selector;
pub(crate) mod signal;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) mod sigpipe;
pub(crate) mod socket;
pub(crate) mod timerfd;
#[cfg_attr(fastsock_model, path = "../../checks/model/src/wake.rs")]
pub(crate) mod wake;

pub(crate) use selector::Selector;

/// Calls a libc function and turns its -1 into the errno. The only road to libc that can fail.
///
/// Every use has a `// SAFETY:` comment above it, for the `unsafe` is in here.
macro_rules! syscall {
    ($call:expr) => {{
        // SAFETY: the arguments' validity is argued where the macro is used.
        let result = unsafe { $call };
        if result == -1 { Err(::std::io::Error::last_os_error()) } else { Ok(result) }
    }};
}
pub(crate) use syscall;

/// `Duration` as a `timespec`, clamped to what `time_t` holds.
pub(crate) fn timespec(timeout: std::time::Duration) -> libc::timespec {
    libc::timespec {
        tv_sec: libc::time_t::try_from(timeout.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: timeout.subsec_nanos() as _,
    }
}

/// Milliseconds for the calls that know no finer unit: rounded up, so that a wait never ends early.
pub(crate) fn millis(timeout: Option<std::time::Duration>) -> libc::c_int {
    match timeout {
        None => -1,
        Some(t) => t.as_nanos().div_ceil(1_000_000).min(libc::c_int::MAX as u128) as libc::c_int,
    }
}
