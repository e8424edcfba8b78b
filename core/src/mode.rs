use crate::Interest;

/// When a source that is ready is reported.
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
    pub const fn exclusive(mut self) -> Mode {
        self.exclusive = true;
        self
    }

    pub(crate) const fn with_interest(mut self, interest: Interest) -> Mode {
        self.interest = interest;
        self
    }

    /// The trigger.
    pub const fn trigger(self) -> Trigger {
        self.trigger
    }

    /// Whether [`exclusive`](Self::exclusive) was asked for.
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
