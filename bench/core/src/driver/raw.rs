use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use super::{Driver, EVENTS, Trigger, Work};
use crate::sources::{checked, eventfd, signal_eventfd};

/// What the waking eventfd is known by.
const WAKE: u64 = u64::MAX;

/// epoll as one would write it by hand.
pub(crate) struct Raw {
    epoll: OwnedFd,
    buffer: Vec<libc::epoll_event>,
}

impl Raw {
    fn control(&self, operation: libc::c_int, fd: RawFd, events: libc::c_int, key: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: events as u32, u64: key };
        // SAFETY: the event outlives the call, which copies it.
        checked(unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), operation, fd, &mut event) }).map(drop)
    }
}

impl<W: Work> Driver<W> for Raw {
    type Registration = RawFd;
    type Waker = Arc<OwnedFd>;

    fn new() -> io::Result<Raw> {
        // SAFETY: takes an integer.
        let fd = checked(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: the kernel has just made this descriptor for us alone.
        let epoll = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Raw { epoll, buffer: vec![libc::epoll_event { events: 0, u64: 0 }; EVENTS] })
    }

    fn add(&mut self, fd: BorrowedFd<'static>, key: usize, trigger: Trigger) -> io::Result<RawFd> {
        let edge = if trigger == Trigger::Edge { libc::EPOLLET } else { 0 };
        self.control(libc::EPOLL_CTL_ADD, fd.as_raw_fd(), libc::EPOLLIN | libc::EPOLLRDHUP | edge, key as u64)?;
        Ok(fd.as_raw_fd())
    }

    fn remove(&mut self, fd: RawFd) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_DEL, fd, 0, 0)
    }

    #[inline]
    fn turn(&mut self, work: &mut W) -> io::Result<()> {
        let room = self.buffer.len() as libc::c_int;
        // SAFETY: the buffer has room for so many events.
        let count = checked(unsafe { libc::epoll_wait(self.epoll.as_raw_fd(), self.buffer.as_mut_ptr(), room, -1) })?;
        for event in &self.buffer[..count as usize] {
            // By value: the struct is packed on x86-64.
            let (events, key) = (event.events, event.u64);
            if key != WAKE && events & (libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLERR | libc::EPOLLHUP) as u32 != 0
            {
                work.ready(key as usize);
            }
        }
        Ok(())
    }

    /// Edge-triggered, so that it need not be read.
    fn waker(&mut self) -> io::Result<Arc<OwnedFd>> {
        let fd = Arc::new(eventfd(0)?);
        self.control(libc::EPOLL_CTL_ADD, fd.as_raw_fd(), libc::EPOLLIN | libc::EPOLLET, WAKE)?;
        Ok(fd)
    }

    #[inline]
    fn wake(waker: &Arc<OwnedFd>) -> io::Result<()> {
        signal_eventfd(waker)
    }
}
