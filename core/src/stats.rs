use std::time::Duration;

/// Plain counters of a poller or reactor, from its beginning. Read any time; they never go back.
///
/// ```
/// use fastsock::{Interest, Poller, Stats, Trigger};
/// use std::os::fd::AsFd;
/// # fn main() -> std::io::Result<()> {
/// # let (here, _there) = std::os::unix::net::UnixStream::pair()?;
/// let mut poller = Poller::new()?;
/// poller.add(here.as_fd(), Interest::WRITABLE, Trigger::Level)?;
/// poller.wait(&mut Vec::new(), None)?;
/// let Stats { turns, events, stale_events, .. } = poller.stats();
/// assert_eq!((turns, events, stale_events), (1, 1, 0));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Waits that have returned.
    pub turns: u64,
    /// Events delivered.
    pub events: u64,
    /// Waits ended by a [`Waker`](crate::Waker).
    pub wakeups: u64,
    /// Events of a registration that is gone: a descriptor was closed while a duplicate of it lived on. Dropped.
    pub stale_events: u64,
    /// Times the kernel's set was made anew to be rid of such a duplicate.
    pub rebuilds: u64,
    /// Timer callbacks called.
    pub timers_fired: u64,
    /// Times that a listener of [`Reactor::listen`](crate::Reactor::listen) could not accept: for want of descriptors or
    /// memory, and then it pauses; or for good, and then it is removed.
    pub accept_failures: u64,
    /// Sources of a [`Reactor`](crate::Reactor) given up because a descriptor of the same number was added: theirs was
    /// closed before they were removed.
    pub closed_unasked: u64,
    /// Time spent in waits. Zero unless [`Reactor::measure`](crate::Reactor::measure) is on.
    pub idle: Duration,
    /// The longest time that one callback, or submitted closure, took until it returned. Zero unless
    /// [`Reactor::measure`](crate::Reactor::measure) is on.
    pub longest_callback: Duration,
}
