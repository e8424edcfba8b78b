//! The backend chosen at run time.

use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

#[cfg(any(target_os = "linux", target_os = "android"))]
use super::epoll::Epoll;
use super::poll::Poll;
use super::select::Select;
use crate::error;
use crate::{Backend, Mode, Ready};

pub(crate) enum Selector {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    Epoll(Epoll),
    Poll(Poll),
    Select(Select),
}

/// Sends a call to whichever backend it is.
macro_rules! each {
    ($self:expr, $backend:ident => $call:expr) => {
        match $self {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Selector::Epoll($backend) => $call,
            Selector::Poll($backend) => $call,
            Selector::Select($backend) => $call,
        }
    };
}

impl Selector {
    pub(crate) fn new(backend: Backend) -> io::Result<Selector> {
        match backend {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Backend::Epoll => Epoll::new().map(Selector::Epoll),
            #[cfg(not(any(target_os = "linux", target_os = "android")))]
            Backend::Epoll => Err(error::with(libc::EOPNOTSUPP, "epoll exists on Linux only: choose poll or select")),
            Backend::Poll => Ok(Selector::Poll(Poll::new())),
            Backend::Select => Ok(Selector::Select(Select::new())),
        }
    }

    pub(crate) fn backend(&self) -> Backend {
        match self {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Selector::Epoll(_) => Backend::Epoll,
            Selector::Poll(_) => Backend::Poll,
            Selector::Select(_) => Backend::Select,
        }
    }

    /// Refuses what the backend cannot do.
    pub(crate) fn supports(&self, mode: Mode) -> io::Result<()> {
        if self.backend() == Backend::Epoll {
            if mode.is_exclusive() && (mode.trigger() == crate::Trigger::OneShot || mode.interest().is_priority()) {
                return Err(error::with(
                    libc::EINVAL,
                    "exclusive goes with READABLE and WRITABLE interest and the level or edge trigger only (epoll_ctl(2))",
                ));
            }
            return Ok(());
        }
        if mode.trigger() == crate::Trigger::Edge {
            return Err(error::with(
                libc::EOPNOTSUPP,
                "the poll and select backends have no edge trigger: use level or one-shot, or the epoll backend",
            ));
        }
        if mode.is_exclusive() {
            return Err(error::with(
                libc::EOPNOTSUPP,
                "the poll and select backends cannot watch exclusively: use the epoll backend, or SO_REUSEPORT",
            ));
        }
        Ok(())
    }

    pub(crate) fn add(&mut self, fd: RawFd, key: u64, mode: Mode) -> io::Result<()> {
        each!(self, s => s.add(fd, key, mode))
    }

    pub(crate) fn modify(&mut self, fd: RawFd, key: u64, mode: Mode) -> io::Result<()> {
        each!(self, s => s.modify(fd, key, mode))
    }

    pub(crate) fn remove(&mut self, fd: RawFd) -> io::Result<()> {
        each!(self, s => s.remove(fd))
    }

    #[inline]
    pub(crate) fn wait(
        &mut self,
        limit: usize,
        timeout: Option<Duration>,
        sink: impl FnMut(u64, Ready),
    ) -> io::Result<()> {
        each!(self, s => s.wait(limit, timeout, sink))
    }

    /// The epoll descriptor; the other backends have none.
    pub(crate) fn raw_fd(&self) -> Option<RawFd> {
        match self {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Selector::Epoll(e) => Some(e.raw_fd()),
            _ => None,
        }
    }
}
