//! The contenders, in one form.

mod calloop;
mod mio;
mod poller;
mod polling;
mod raw;
mod reactor;

use std::io;
use std::os::fd::BorrowedFd;

pub(crate) use self::calloop::Calloop;
pub(crate) use self::mio::Mio;
pub(crate) use self::poller::Poller;
pub(crate) use self::polling::Polling;
pub(crate) use self::raw::Raw;
pub(crate) use self::reactor::Reactor;

/// So many events fit into one wait of those who do not choose for themselves.
pub(crate) const EVENTS: usize = 1024;

/// When a source that is ready is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// At every wait.
    Level,
    /// Once each time that it becomes ready.
    Edge,
}

/// What is done for each event.
pub trait Work: 'static {
    /// The source that was added with this key is readable.
    fn ready(&mut self, key: usize);
}

/// A contender: each waits, and finds its way from an event to the caller's key, as its users do.
pub trait Driver<W: Work>: Sized + 'static {
    /// What an added source is removed by.
    type Registration;
    /// What ends its wait from another thread.
    type Waker: Send + 'static;
    /// Whether it knows [`Trigger::Level`].
    const HAS_LEVEL: bool = true;

    /// An empty one.
    ///
    /// # Errors
    /// Those of epoll_create1(2) and the like.
    fn new() -> io::Result<Self>;

    /// Watches a descriptor for reading.
    ///
    /// # Errors
    /// Those of epoll_ctl(2).
    fn add(&mut self, fd: BorrowedFd<'static>, key: usize, trigger: Trigger) -> io::Result<Self::Registration>;

    /// Stops watching it.
    ///
    /// # Errors
    /// Those of epoll_ctl(2).
    fn remove(&mut self, registration: Self::Registration) -> io::Result<()>;

    /// Waits once, without end, and does the work for each event.
    ///
    /// # Errors
    /// Those of epoll_wait(2).
    fn turn(&mut self, work: &mut W) -> io::Result<()>;

    /// To be asked for once.
    ///
    /// # Errors
    /// Those of eventfd(2).
    fn waker(&mut self) -> io::Result<Self::Waker>;

    /// Ends the wait that is under way, or the next one.
    ///
    /// # Errors
    /// Those of write(2).
    fn wake(waker: &Self::Waker) -> io::Result<()>;
}
