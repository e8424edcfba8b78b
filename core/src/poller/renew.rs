//! A fresh set in the kernel: after a fork, or to be rid of what can no longer be removed from the old one.

use std::io;

use super::Poller;
use crate::sys::{Selector, busy_poll, fork};
use crate::waker::Shared;
use crate::{Interest, Mode, Trigger, error};

/// The key of the waker's descriptor. No token has these bits.
const WAKER_KEY: u64 = 0;

impl Poller<'_> {
    /// Makes the kernel's set anew in a child after fork(2), and with it the waker's descriptor: a waker given out
    /// before the fork wakes the parent's poller in the parent, and this one in the child. Every source stays
    /// registered under its token; edges that are ready fire once more.
    ///
    /// ```
    /// use fastsock::{Interest, Poller, Trigger};
    /// use std::os::fd::AsFd;
    /// # fn main() -> std::io::Result<()> {
    /// # let (here, _there) = std::os::unix::net::UnixStream::pair()?;
    /// let mut poller = Poller::new()?;
    /// poller.add(here.as_fd(), Interest::WRITABLE, Trigger::Level)?;
    /// // SAFETY: this process has one thread, and the child leaves by `_exit`.
    /// match unsafe { libc::fork() } {
    ///     0 => {
    ///         let error = poller.wait(&mut Vec::new(), None).unwrap_err();
    ///         let is_refused = fastsock::errno(&error) == libc::ECHILD;
    ///         let works = poller.reinit().is_ok() && poller.wait(&mut Vec::new(), None).unwrap_or(0) == 1;
    ///         unsafe { libc::_exit(if is_refused && works { 0 } else { 1 }) }
    ///     }
    ///     child => {
    ///         let mut status = 0;
    ///         assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    ///         assert_eq!(status, 0);
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`new`](Self::new); then the poller can not be used yet, and `reinit` may be called again.
    pub fn reinit(&mut self) -> io::Result<()> {
        if let Some(shared) = &self.waker {
            shared.renew()?;
            // A wake-up that was under way is not lost.
            self.woken = true;
        }
        self.rebuild()?;
        self.generation = fork::generation();
        Ok(())
    }

    /// A fresh set with what we know of: nothing else can report to it. The old one is closed, never emptied by
    /// `EPOLL_CTL_DEL`: after a fork that would empty the parent's. On an error everything is as before.
    #[cold]
    pub(super) fn rebuild(&mut self) -> io::Result<()> {
        let mut fresh = Selector::new(self.selector.backend())?;
        if let Some(shared) = &self.waker {
            watch_waker(&mut fresh, shared)?;
        }
        if let (Some(busy), Some(fd)) = (self.busy_poll, fresh.raw_fd()) {
            // A process that has lost the right to it meanwhile goes on without.
            let _ = busy.params().and_then(|params| busy_poll::set(fd, params));
        }
        let mut closed = Vec::new();
        for (token, source) in self.sources.iter_mut().filter(|(_, source)| source.watched && !source.spent) {
            match fresh.add(source.fd, token.to_bits(), source.mode) {
                Ok(()) => {}
                Err(error) if matches!(error.raw_os_error(), Some(libc::ENOMEM | libc::ENOSPC)) => return Err(error),
                Err(_) => closed.push(token),
            }
        }
        for (_, source) in self.sources.iter_mut() {
            source.watched &= !source.spent;
        }
        for token in closed {
            if let Some(source) = self.sources.get_mut(token) {
                (source.watched, source.gone) = (false, true);
            }
        }
        self.selector = fresh;
        self.stats.rebuilds += 1;
        Ok(())
    }

    #[inline]
    pub(crate) fn same_process(&self) -> io::Result<()> {
        if self.generation == fork::generation() {
            return Ok(());
        }
        Err(error::with(
            libc::ECHILD,
            "this process was forked since the poller was made, and the poller is still the parent's: call reinit() first",
        ))
    }
}

pub(super) fn watch_waker(selector: &mut Selector, shared: &Shared) -> io::Result<()> {
    let trigger = if selector.backend().has_edge() { Trigger::Edge } else { Trigger::Level };
    selector.add(shared.raw_fd(), WAKER_KEY, Mode::from(trigger).with_interest(Interest::READABLE))
}
