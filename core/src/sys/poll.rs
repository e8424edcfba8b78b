//! poll(2): level and one-shot, on every Unix.

use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

use super::syscall;
use crate::{Interest, Mode, Ready, Trigger};

/// Marks a descriptor that has no place in `fds`.
const NONE: u32 = u32::MAX;

pub(crate) struct Poll {
    fds: Vec<libc::pollfd>,
    /// Beside `fds`: the caller's key, and whether the source goes silent after one event.
    keys: Vec<(u64, bool)>,
    /// Descriptor -> place in `fds`.
    places: Vec<u32>,
    /// Where the scan of the next wait begins, so that a small limit starves no one.
    start: usize,
}

impl Poll {
    pub(crate) fn new() -> Poll {
        Poll { fds: Vec::new(), keys: Vec::new(), places: Vec::new(), start: 0 }
    }

    fn place(&self, fd: RawFd) -> io::Result<usize> {
        match usize::try_from(fd).ok().and_then(|fd| self.places.get(fd)) {
            Some(&place) if place != NONE => Ok(place as usize),
            _ => Err(io::Error::from_raw_os_error(libc::ENOENT)),
        }
    }

    pub(crate) fn add(&mut self, fd: RawFd, key: u64, mode: Mode) -> io::Result<()> {
        super::socket::pollable(fd)?;
        if self.place(fd).is_ok() {
            return Err(io::Error::from_raw_os_error(libc::EEXIST));
        }
        let index = fd as usize;
        if self.places.len() <= index {
            self.places.resize(index + 1, NONE);
        }
        self.places[index] = self.fds.len() as u32;
        self.fds.push(libc::pollfd { fd, events: events(mode), revents: 0 });
        self.keys.push((key, mode.trigger() == Trigger::OneShot));
        Ok(())
    }

    pub(crate) fn modify(&mut self, fd: RawFd, key: u64, mode: Mode) -> io::Result<()> {
        let place = self.place(fd)?;
        self.fds[place] = libc::pollfd { fd, events: events(mode), revents: 0 };
        self.keys[place] = (key, mode.trigger() == Trigger::OneShot);
        Ok(())
    }

    pub(crate) fn remove(&mut self, fd: RawFd) -> io::Result<()> {
        let place = self.place(fd)?;
        self.places[fd as usize] = NONE;
        self.fds.swap_remove(place);
        self.keys.swap_remove(place);
        if let Some(moved) = self.fds.get(place) {
            self.places[number(moved.fd) as usize] = place as u32;
        }
        Ok(())
    }

    pub(crate) fn wait(
        &mut self,
        limit: usize,
        timeout: Option<Duration>,
        mut sink: impl FnMut(u64, Ready),
    ) -> io::Result<()> {
        let mut left = self.ask(timeout)?.min(limit);
        let len = self.fds.len();
        if left == 0 || len == 0 {
            return Ok(());
        }
        let mut closed = Vec::new();
        let first = self.start % len;
        for i in (first..len).chain(0..first) {
            let revents = self.fds[i].revents;
            if revents == 0 {
                continue;
            }
            self.start = i + 1;
            if revents & libc::POLLNVAL != 0 {
                closed.push(number(self.fds[i].fd));
                sink(self.keys[i].0, Ready::NONE);
            } else {
                if self.keys[i].1 {
                    // A negative descriptor is passed over by poll(2), HUP and ERR included.
                    self.fds[i].fd = !number(self.fds[i].fd);
                }
                sink(self.keys[i].0, ready(revents));
            }
            left -= 1;
            if left == 0 {
                break;
            }
        }
        for fd in closed {
            let _ = self.remove(fd);
        }
        Ok(())
    }

    #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
    fn ask(&mut self, timeout: Option<Duration>) -> io::Result<usize> {
        let ts = timeout.map(super::timespec);
        let ts = ts.as_ref().map_or(std::ptr::null(), |t| t as *const libc::timespec);
        // SAFETY: `fds` is ours for the whole call, `ts` is null or lives on this frame.
        syscall!(libc::ppoll(self.fds.as_mut_ptr(), self.fds.len() as _, ts, std::ptr::null())).map(|n| n as usize)
    }

    #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
    fn ask(&mut self, timeout: Option<Duration>) -> io::Result<usize> {
        // SAFETY: `fds` is ours for the whole call.
        syscall!(libc::poll(self.fds.as_mut_ptr(), self.fds.len() as _, super::millis(timeout))).map(|n| n as usize)
    }
}

/// The descriptor's number, silenced or not.
fn number(fd: RawFd) -> RawFd {
    if fd < 0 { !fd } else { fd }
}

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
const RDHUP: libc::c_short = libc::POLLRDHUP;
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
const RDHUP: libc::c_short = 0;

fn events(mode: Mode) -> libc::c_short {
    let interest = mode.interest();
    let mut bits = 0;
    if interest.is_readable() {
        bits |= libc::POLLIN | RDHUP;
    }
    if interest.is_writable() {
        bits |= libc::POLLOUT;
    }
    if interest.contains(Interest::PRIORITY) {
        bits |= libc::POLLPRI;
    }
    bits
}

fn ready(revents: libc::c_short) -> Ready {
    let mut ready = Ready::NONE;
    for (bit, ours) in [
        (libc::POLLIN, Ready::READ),
        (libc::POLLOUT, Ready::WRITE),
        (libc::POLLPRI, Ready::PRI),
        (RDHUP, Ready::RDHUP),
        (libc::POLLHUP, Ready::HUP),
        (libc::POLLERR, Ready::ERR),
    ] {
        if revents & bit != 0 {
            ready = ready | ours;
        }
    }
    ready
}
