//! ioctl_eventpoll(2): the parameters of busy polling of an epoll set.

use std::io;
use std::os::fd::RawFd;

#[cfg(target_os = "linux")]
use super::syscall;

/// As the kernel has them: microseconds, packets, and whether interrupts stay off.
#[derive(Clone, Copy)]
pub(crate) struct Params {
    pub(crate) micros: u32,
    pub(crate) budget: u16,
    pub(crate) prefer: bool,
}

#[cfg(target_os = "linux")]
pub(crate) fn get(epoll: RawFd) -> io::Result<Params> {
    let mut params = libc::epoll_params { busy_poll_usecs: 0, busy_poll_budget: 0, prefer_busy_poll: 0, __pad: 0 };
    // SAFETY: the kernel writes one `epoll_params`, which lives on this frame.
    syscall!(libc::ioctl(epoll, libc::EPIOCGPARAMS, &raw mut params))?;
    Ok(Params { micros: params.busy_poll_usecs, budget: params.busy_poll_budget, prefer: params.prefer_busy_poll != 0 })
}

#[cfg(target_os = "linux")]
pub(crate) fn set(epoll: RawFd, params: Params) -> io::Result<()> {
    let params = libc::epoll_params {
        busy_poll_usecs: params.micros,
        busy_poll_budget: params.budget,
        prefer_busy_poll: u8::from(params.prefer),
        __pad: 0,
    };
    // SAFETY: the kernel reads one `epoll_params`, which lives on this frame.
    syscall!(libc::ioctl(epoll, libc::EPIOCSPARAMS, &raw const params)).map(drop)
}

// As a kernel that is too old would.
#[cfg(not(target_os = "linux"))]
pub(crate) fn get(_epoll: RawFd) -> io::Result<Params> {
    Err(io::Error::from_raw_os_error(libc::ENOTTY))
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn set(_epoll: RawFd, _params: Params) -> io::Result<()> {
    Err(io::Error::from_raw_os_error(libc::ENOTTY))
}
