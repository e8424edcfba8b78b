//! A thin cover over epoll, level-triggered.

use crate::failure::Failure;
use std::io;
use std::net::TcpStream;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Events taken from the kernel at once.
const BATCH: usize = 512;

/// What a connection waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interest {
    /// Bytes to read, or the end of the stream.
    Read,
    /// Room to write, as well as bytes to read.
    ReadWrite,
}

impl Interest {
    fn bits(self) -> u32 {
        match self {
            Interest::Read => libc::EPOLLIN as u32,
            Interest::ReadWrite => (libc::EPOLLIN | libc::EPOLLOUT) as u32,
        }
    }
}

/// One connection that is ready.
#[derive(Clone, Copy)]
pub(crate) struct Ready {
    /// The number the connection was added with.
    pub(crate) index: usize,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
}

/// The set of watched connections. A closed one leaves it by itself.
pub(crate) struct Poller {
    epoll: OwnedFd,
    events: Vec<libc::epoll_event>,
    count: usize,
}

impl Poller {
    pub(crate) fn new() -> Result<Poller, Failure> {
        // SAFETY: the call takes no pointers.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if fd < 0 {
            return Err(failed("epoll_create1", &io::Error::last_os_error()));
        }
        Ok(Poller {
            // SAFETY: `fd` was just opened and belongs to nobody else.
            epoll: unsafe { OwnedFd::from_raw_fd(fd) },
            events: vec![libc::epoll_event { events: 0, u64: 0 }; BATCH],
            count: 0,
        })
    }

    pub(crate) fn add(&self, stream: &TcpStream, index: usize, interest: Interest) -> Result<(), Failure> {
        self.control(libc::EPOLL_CTL_ADD, stream, index, interest)
    }

    pub(crate) fn change(&self, stream: &TcpStream, index: usize, interest: Interest) -> Result<(), Failure> {
        self.control(libc::EPOLL_CTL_MOD, stream, index, interest)
    }

    pub(crate) fn remove(&self, stream: &TcpStream) -> Result<(), Failure> {
        self.control(libc::EPOLL_CTL_DEL, stream, 0, Interest::Read)
    }

    fn control(
        &self,
        operation: libc::c_int,
        stream: &TcpStream,
        index: usize,
        interest: Interest,
    ) -> Result<(), Failure> {
        let mut event = libc::epoll_event { events: interest.bits(), u64: index as u64 };
        let (epoll, fd) = (self.epoll.as_raw_fd(), stream.as_raw_fd());
        // SAFETY: both descriptors are open, and `event` lives through the call.
        if unsafe { libc::epoll_ctl(epoll, operation, fd, &mut event) } != 0 {
            return Err(failed("epoll_ctl", &io::Error::last_os_error()));
        }
        Ok(())
    }

    /// Waits until something is ready, `timeout_ms` at most; returns how many are. A signal ends
    /// the wait early.
    pub(crate) fn wait(&mut self, timeout_ms: i32) -> Result<usize, Failure> {
        // SAFETY: the kernel writes BATCH events at most, and `events` has room for so many.
        let count = unsafe {
            libc::epoll_wait(self.epoll.as_raw_fd(), self.events.as_mut_ptr(), BATCH as libc::c_int, timeout_ms)
        };
        self.count = usize::try_from(count).unwrap_or(0);
        if count < 0 {
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(failed("epoll_wait", &error));
            }
        }
        Ok(self.count)
    }

    /// The event number `nth` of those that the last wait returned.
    pub(crate) fn ready(&self, nth: usize) -> Ready {
        let event = self.events[nth];
        let bits = event.events;
        let ended = (libc::EPOLLHUP | libc::EPOLLERR) as u32;
        Ready {
            index: event.u64 as usize,
            readable: bits & (libc::EPOLLIN as u32 | ended) != 0,
            writable: bits & (libc::EPOLLOUT as u32 | ended) != 0,
        }
    }
}

fn failed(call: &str, error: &io::Error) -> Failure {
    Failure::new(format!("{call} failed: {error}"))
}
