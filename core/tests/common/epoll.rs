//! epoll(7) by hand, for the tests of what the kernel does.
#![allow(dead_code, clippy::unwrap_used)]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Instant;

use crate::common::LONG;

pub(crate) struct Epoll(pub(crate) OwnedFd);

impl AsRawFd for Epoll {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl Epoll {
    pub(crate) fn new() -> Epoll {
        // SAFETY: a new descriptor, ours alone.
        Epoll(unsafe { OwnedFd::from_raw_fd(libc::epoll_create1(libc::EPOLL_CLOEXEC)) })
    }

    /// The errno, 0 for none.
    pub(crate) fn control(&self, op: i32, fd: RawFd, events: i32) -> i32 {
        let mut event = libc::epoll_event { events: events as u32, u64: fd as u64 };
        // SAFETY: the event lives on this frame.
        errno_of(unsafe { libc::epoll_ctl(self.0.as_raw_fd(), op, fd, &mut event) })
    }

    pub(crate) fn add(&self, fd: &impl AsRawFd, events: i32) -> i32 {
        self.control(libc::EPOLL_CTL_ADD, fd.as_raw_fd(), events)
    }

    pub(crate) fn modify(&self, fd: &impl AsRawFd, events: i32) -> i32 {
        self.control(libc::EPOLL_CTL_MOD, fd.as_raw_fd(), events)
    }

    pub(crate) fn remove(&self, fd: &impl AsRawFd) -> i32 {
        self.control(libc::EPOLL_CTL_DEL, fd.as_raw_fd(), 0)
    }

    /// Descriptors and bits of the events that there are now, `most` at most.
    pub(crate) fn look_at_most(&self, most: usize) -> Vec<(RawFd, i32)> {
        let mut events = vec![libc::epoll_event { events: 0, u64: 0 }; most];
        // SAFETY: room for so many.
        let n = unsafe { libc::epoll_wait(self.0.as_raw_fd(), events.as_mut_ptr(), most as i32, 0) };
        events.truncate(usize::try_from(n).unwrap());
        events.iter().map(|event| (event.u64 as RawFd, event.events as i32)).collect()
    }

    /// The bits of the one event there is now; 0 for none.
    pub(crate) fn look(&self) -> i32 {
        let events = self.look_at_most(8);
        assert!(events.len() <= 1, "{events:?}");
        events.first().map_or(0, |event| event.1)
    }

    /// The bits of the one event, once they are these: what comes over TCP takes its time.
    pub(crate) fn wait_for(&self, bits: i32) {
        let start = Instant::now();
        loop {
            let seen = self.look();
            if seen == bits {
                return;
            }
            assert!(start.elapsed() < LONG, "{seen:#x}, and not {bits:#x}");
            std::thread::yield_now();
        }
    }
}

/// The errno of a call that returned this, 0 for none.
pub(crate) fn errno_of(result: i32) -> i32 {
    if result == -1 { io::Error::last_os_error().raw_os_error().unwrap() } else { 0 }
}
