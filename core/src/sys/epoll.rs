//! epoll(7).

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use super::{millis, syscall, timespec};
use crate::{Interest, Mode, Ready, Trigger};

/// The event buffer starts here, doubles whenever a wait fills it, and stops at `MAX_EVENTS`: a buffer that stays
/// small makes thousands of ready sources wait for their turn (and costs a system call for each refill).
const FIRST_EVENTS: usize = 128;
const MAX_EVENTS: usize = 8192;

pub(crate) struct Epoll {
    fd: OwnedFd,
    buffer: Vec<libc::epoll_event>,
    /// epoll_pwait2 (Linux 5.11) is missing or forbidden here: found out once, then remembered.
    coarse: bool,
}

impl Epoll {
    pub(crate) fn new() -> io::Result<Epoll> {
        // SAFETY: takes an integer.
        let fd = syscall!(libc::epoll_create1(libc::EPOLL_CLOEXEC))?;
        // SAFETY: the kernel has just made this descriptor for us alone.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Epoll { fd, buffer: vec![libc::epoll_event { events: 0, u64: 0 }; FIRST_EVENTS], coarse: false })
    }

    pub(crate) fn raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    fn control(&self, op: libc::c_int, fd: RawFd, key: u64, events: u32) -> io::Result<()> {
        let mut event = libc::epoll_event { events, u64: key };
        // SAFETY: the event outlives the call; epoll copies it.
        syscall!(libc::epoll_ctl(self.fd.as_raw_fd(), op, fd, &mut event)).map(drop)
    }

    pub(crate) fn add(&mut self, fd: RawFd, key: u64, mode: Mode) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, key, bits(mode))
    }

    pub(crate) fn modify(&mut self, fd: RawFd, key: u64, mode: Mode) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, fd, key, bits(mode))
    }

    pub(crate) fn remove(&mut self, fd: RawFd) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_DEL, fd, 0, 0)
    }

    #[inline]
    pub(crate) fn wait(
        &mut self,
        limit: usize,
        timeout: Option<Duration>,
        mut sink: impl FnMut(u64, Ready),
    ) -> io::Result<()> {
        let room = self.buffer.len().min(limit);
        let count = self.harvest(room, timeout)?;
        for event in &self.buffer[..count] {
            // By value: the struct is packed on x86-64.
            let (events, key) = (event.events, event.u64);
            sink(key, ready(events));
        }
        if count == self.buffer.len() && count < MAX_EVENTS {
            self.buffer.resize(count * 2, libc::epoll_event { events: 0, u64: 0 });
        }
        Ok(())
    }

    fn harvest(&mut self, room: usize, timeout: Option<Duration>) -> io::Result<usize> {
        let epfd = self.fd.as_raw_fd();
        let events = self.buffer.as_mut_ptr();
        let room = room as libc::c_int;
        if let Some(t) = timeout {
            if !t.is_zero() && !self.coarse {
                let ts = timespec(t);
                // By number: glibc has the wrapper only since 2.35.
                // SAFETY: `events` has room for `room` entries, `ts` outlives the call, no signal mask is passed.
                let n = unsafe {
                    libc::syscall(
                        libc::SYS_epoll_pwait2,
                        epfd,
                        events,
                        room,
                        &ts as *const libc::timespec,
                        std::ptr::null::<libc::sigset_t>(),
                        0usize,
                    )
                };
                if n >= 0 {
                    return Ok(n as usize);
                }
                let error = io::Error::last_os_error();
                // ENOSYS: an old kernel. EPERM: a seccomp filter that does not know the call.
                if !matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) {
                    return Err(error);
                }
                self.coarse = true;
            }
        }
        // SAFETY: `events` has room for `room` entries.
        syscall!(libc::epoll_wait(epfd, events, room, millis(timeout))).map(|n| n as usize)
    }
}

fn bits(mode: Mode) -> u32 {
    let interest = mode.interest();
    let mut bits = 0;
    if interest.is_readable() {
        bits |= libc::EPOLLIN;
        // EPOLLEXCLUSIVE refuses it, and a listener has no use for it.
        if !mode.is_exclusive() {
            bits |= libc::EPOLLRDHUP;
        }
    }
    if interest.is_writable() {
        bits |= libc::EPOLLOUT;
    }
    if interest.contains(Interest::PRIORITY) {
        bits |= libc::EPOLLPRI;
    }
    bits |= match mode.trigger() {
        Trigger::Level => 0,
        Trigger::Edge => libc::EPOLLET,
        Trigger::OneShot => libc::EPOLLONESHOT,
    };
    if mode.is_exclusive() {
        bits |= libc::EPOLLEXCLUSIVE;
    }
    bits as u32
}

/// `Ready`'s bits are epoll's own, so this is a mask (checked by a test below).
#[inline]
fn ready(events: u32) -> Ready {
    Ready::from_bits(events)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_bits_are_those_of_the_kernel() {
        for (bit, ours) in [
            (libc::EPOLLIN, Ready::READ),
            (libc::EPOLLPRI, Ready::PRI),
            (libc::EPOLLOUT, Ready::WRITE),
            (libc::EPOLLERR, Ready::ERR),
            (libc::EPOLLHUP, Ready::HUP),
            (libc::EPOLLRDHUP, Ready::RDHUP),
        ] {
            assert_eq!(ready(bit as u32), ours);
        }
    }
}
