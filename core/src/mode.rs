use crate::Interest;

/// When a source that is ready is reported.
///
/// ```
/// use fastsock::{Backend, Interest, Poller, Trigger};
/// use std::io::Write;
/// use std::os::fd::AsFd;
/// use std::time::Duration;
/// # fn main() -> std::io::Result<()> {
/// # let (here, mut there) = std::os::unix::net::UnixStream::pair()?;
/// let mut poller = Poller::with_backend(Backend::Epoll)?;
/// let token = poller.add(here.as_fd(), Interest::READABLE, Trigger::default())?;
/// there.write_all(b"stays unread")?;
/// let mut reported = |trigger| -> std::io::Result<Vec<usize>> {
///     poller.modify(token, Interest::READABLE, trigger)?;
///     let mut events = Vec::new();
///     (0..2).map(|_| poller.wait(&mut events, Some(Duration::ZERO))).collect()
/// };
/// assert_eq!(reported(Trigger::Level)?, [1, 1]);
/// assert_eq!(reported(Trigger::Edge)?, [1, 0]);
/// assert_eq!(reported(Trigger::OneShot)?, [1, 0]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Trigger {
    /// At every wait for as long as it is ready. The default, and the one that forgives: read some, come back later.
    #[default]
    Level,
    /// Once for each time that it becomes ready. Go on until `EWOULDBLOCK` (or, on a stream, a short read or write)
    /// before the next wait, or call `rearm`: what was left gives no second event. epoll only.
    Edge,
    /// Once, and then never until `rearm` or `modify`.
    OneShot,
}

/// A trigger, an interest and whether the source is watched exclusively: all that a backend needs to know.
///
/// Built by conversion from [`Trigger`], so that `Trigger::Level` can be given where a `Mode` is taken:
///
/// ```
/// use fastsock::{Interest, Mode, Trigger};
/// let mode = Mode::from(Trigger::Level).exclusive();
/// assert!(mode.is_exclusive());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Mode {
    interest: Interest,
    trigger: Trigger,
    exclusive: bool,
}

impl Mode {
    /// Of several pollers (in several threads or processes) that watch this listener, wake at least one but not all
    /// (`EPOLLEXCLUSIVE`). epoll only; level or edge; for READABLE and WRITABLE; no `RDHUP` is reported.
    ///
    /// ```
    /// use fastsock::{Backend, Interest, Mode, Poller, Trigger, net::Listener};
    /// use std::os::fd::AsFd;
    /// # fn main() -> std::io::Result<()> {
    /// let listener = Listener::bind("127.0.0.1:0".parse().unwrap())?;
    /// let mut poller = Poller::with_backend(Backend::Epoll)?; // One of these in each thread.
    /// poller.add(listener.as_fd(), Interest::READABLE, Mode::from(Trigger::Level).exclusive())?;
    /// let client = std::net::TcpStream::connect(listener.local_addr()?.ip().unwrap())?;
    /// let mut events = Vec::new();
    /// assert_eq!(poller.wait(&mut events, None)?, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub const fn exclusive(mut self) -> Mode {
        self.exclusive = true;
        self
    }

    pub(crate) const fn with_interest(mut self, interest: Interest) -> Mode {
        self.interest = interest;
        self
    }

    /// The trigger.
    ///
    /// ```
    /// use fastsock::{Mode, Trigger};
    /// assert_eq!(Mode::from(Trigger::Edge).exclusive().trigger(), Trigger::Edge);
    /// assert_eq!(Mode::default().trigger(), Trigger::Level);
    /// ```
    pub const fn trigger(self) -> Trigger {
        self.trigger
    }

    /// Whether [`exclusive`](Self::exclusive) was asked for.
    ///
    /// ```
    /// use fastsock::{Mode, Trigger};
    /// let mode = Mode::from(Trigger::Level);
    /// assert!(!mode.is_exclusive() && mode.exclusive().is_exclusive());
    /// ```
    pub const fn is_exclusive(self) -> bool {
        self.exclusive
    }

    pub(crate) const fn interest(self) -> Interest {
        self.interest
    }
}

impl From<Trigger> for Mode {
    fn from(trigger: Trigger) -> Mode {
        Mode { interest: Interest::NONE, trigger, exclusive: false }
    }
}
