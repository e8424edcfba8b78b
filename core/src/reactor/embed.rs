use std::io;
use std::os::fd::RawFd;

use super::Reactor;
use crate::sys::fork;
use crate::sys::timerfd::TimerFd;
use crate::{Interest, Time, Token, Trigger, error};

/// No deadline.
const NEVER: u64 = u64::MAX;

/// The timers' stand-in in the kernel's set, for a host that waits there.
pub(super) struct Embedded {
    timer: TimerFd,
    token: Token,
    /// When it becomes readable, in nanoseconds: not after the next deadline, but before it when timers were put off.
    armed: u64,
    /// Of the process whose timer it is: a forked child must not set it.
    generation: u32,
}

impl<'fd, C> Reactor<'fd, C> {
    /// When the next timer is due: how long a host with a wait of its own may sleep. A time in the past: something that
    /// was harvested, or is due, waits for [`dispatch`](Self::dispatch) already. `None`: no timer is set.
    ///
    /// ```
    /// use fastsock::{Reactor, Time};
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// let mut reactor = Reactor::<()>::new()?;
    /// assert_eq!(reactor.next_deadline(), None);
    /// reactor.timer(Duration::from_secs(60), |_, _, _, _| {})?;
    /// let left = Time::now().until(reactor.next_deadline().unwrap()); // So long the host may sleep.
    /// assert!(left > Duration::from_secs(50) && left <= Duration::from_secs(60));
    /// # Ok(())
    /// # }
    /// ```
    pub fn next_deadline(&self) -> Option<Time> {
        if self.has_left_over() { Some(Time::from_nanos(0)) } else { self.next_due() }
    }

    /// The epoll descriptor, made readable for timers as well: for a host that waits in a loop of its own, and runs this
    /// reactor whenever the descriptor is readable, by a [`turn`](Self::turn) with a timeout of zero.
    ///
    /// The first call adds a timerfd_create(2) to the set; from then on it is set after a dispatch, or when a timer
    /// is set outside of one, if the earliest deadline has changed: one system call. It may become readable for a
    /// timer that has been cancelled or put off meanwhile, and counts among the events that a wait harvests, but
    /// calls nothing back. After [`reinit`](Self::reinit), and whenever [`Stats::rebuilds`](crate::Stats::rebuilds) has
    /// grown, the descriptor is another one: call this again, which costs nothing.
    ///
    /// ```
    /// use fastsock::{Backend, Reactor};
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// let mut reactor = Reactor::<u32>::with_backend(Backend::Epoll)?;
    /// reactor.timer(Duration::from_millis(5), |_, fired, _, _| *fired += 1)?;
    /// let mut fired = 0;
    /// while fired == 0 {
    ///     // The host's own descriptors would stand beside it.
    ///     let mut host = [libc::pollfd { fd: reactor.embed()?, events: libc::POLLIN, revents: 0 }];
    ///     unsafe { libc::poll(host.as_mut_ptr(), 1, -1) };
    ///     if host[0].revents != 0 {
    ///         reactor.turn(&mut fired, Some(Duration::ZERO))?;
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `EOPNOTSUPP`: the poll and select backends have no descriptor. `EMFILE` and the like from timerfd_create(2), the
    /// first time. `ECHILD`: see [`reinit`](Self::reinit).
    pub fn embed(&mut self) -> io::Result<RawFd> {
        let Some(fd) = self.raw_fd() else {
            return Err(error::with(
                libc::EOPNOTSUPP,
                "the poll and select backends have no descriptor to wait for: use the epoll backend, or call wait() with \
                 next_deadline() in mind",
            ));
        };
        if self.embedded.is_none() {
            let timer = TimerFd::new()?;
            self.poller.take_number(timer.raw_fd());
            // An edge is used up by being reported, so that the timer need not be read.
            // SAFETY: the descriptor is closed only after its token is removed, in `renew_embedded`, or with the reactor.
            let (token, evicted) =
                unsafe { self.poller.replace_raw(timer.raw_fd(), Interest::READABLE, Trigger::Edge) }?;
            self.embedded = Some(Embedded { timer, token, armed: NEVER, generation: fork::generation() });
            self.evict(evicted);
        }
        self.keep_in_step();
        Ok(fd)
    }

    /// A timer was set: outside of a dispatch, at whose end all is set right, the host must know now.
    #[inline]
    pub(super) fn timer_was_set(&mut self) {
        if self.embedded.is_some() && !self.dispatching.now.get() {
            self.keep_in_step();
        }
    }

    /// Sets the timer in the kernel's set if it would come too late, or has come.
    pub(super) fn keep_in_step(&mut self) {
        let left_over = self.has_left_over() || self.streams.has_pending();
        let next = self.next_deadline().map_or(NEVER, Time::as_nanos);
        let Some(embedded) = &mut self.embedded else { return };
        if embedded.generation != fork::generation() {
            return;
        }
        // What is left over shows in no descriptor, and has to be announced each time anew.
        let too_late = next < embedded.armed || left_over;
        if too_late || (next > embedded.armed && embedded.armed <= Time::now().as_nanos()) {
            // It can fail only for a time that is none.
            if next == NEVER || embedded.timer.set(next).is_ok() {
                embedded.armed = next;
            }
        }
    }

    /// After a fork, in the child: the timer is the parent's as well.
    pub(super) fn renew_embedded(&mut self) -> io::Result<()> {
        if let Some(embedded) = self.embedded.take() {
            self.poller.remove(embedded.token);
            self.embed()?;
        }
        Ok(())
    }
}
