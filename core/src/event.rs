use crate::{Ready, Token};

/// One source that is ready.
///
/// ```
/// use fastsock::{Event, Interest, Poller, Trigger};
/// use std::os::fd::AsFd;
/// # fn main() -> std::io::Result<()> {
/// let (here, _there) = std::os::unix::net::UnixStream::pair()?;
/// let mut poller = Poller::new()?;
/// let token = poller.add(here.as_fd(), Interest::READABLE | Interest::WRITABLE, Trigger::Level)?;
/// let mut events: Vec<Event> = Vec::new();
/// poller.wait(&mut events, None)?;
/// assert_eq!(events[0].token(), token);
/// assert!(events[0].is_writable() && !events[0].is_readable());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    token: Token,
    ready: Ready,
}

impl Event {
    pub(crate) const fn new(token: Token, ready: Ready) -> Event {
        Event { token, ready }
    }

    /// Which source.
    ///
    /// ```
    /// use fastsock::{Interest, Poller, Trigger};
    /// use std::io::Write;
    /// use std::os::fd::AsFd;
    /// # fn main() -> std::io::Result<()> {
    /// # let (a, mut b) = std::os::unix::net::UnixStream::pair()?;
    /// # let (c, _d) = std::os::unix::net::UnixStream::pair()?;
    /// let mut poller = Poller::new()?;
    /// let first = poller.add(a.as_fd(), Interest::READABLE, Trigger::Level)?;
    /// let second = poller.add(c.as_fd(), Interest::READABLE, Trigger::Level)?;
    /// b.write_all(b"for the first")?;
    /// let mut events = Vec::new();
    /// poller.wait(&mut events, None)?;
    /// assert!(events[0].token() == first && first != second);
    /// # Ok(())
    /// # }
    /// ```
    pub const fn token(&self) -> Token {
        self.token
    }

    /// What for.
    ///
    /// ```
    /// use fastsock::{Interest, Poller, Ready, Trigger};
    /// use std::os::fd::AsFd;
    /// # fn main() -> std::io::Result<()> {
    /// let (here, _there) = std::os::unix::net::UnixStream::pair()?;
    /// let mut poller = Poller::new()?;
    /// poller.add(here.as_fd(), Interest::WRITABLE, Trigger::Level)?;
    /// let mut events = Vec::new();
    /// poller.wait(&mut events, None)?;
    /// assert_eq!(events[0].ready(), Ready::WRITE);
    /// # Ok(())
    /// # }
    /// ```
    pub const fn ready(&self) -> Ready {
        self.ready
    }

    /// [`Ready::is_readable`].
    ///
    /// ```
    /// use fastsock::{Interest, Poller, Trigger};
    /// use std::os::fd::AsFd;
    /// # fn main() -> std::io::Result<()> {
    /// # let (here, there) = std::os::unix::net::UnixStream::pair()?;
    /// let mut poller = Poller::new()?;
    /// poller.add(here.as_fd(), Interest::READABLE, Trigger::Level)?;
    /// drop(there);
    /// let mut events = Vec::new();
    /// poller.wait(&mut events, None)?;
    /// assert!(events[0].is_readable()); // The end of the stream is read, too.
    /// # Ok(())
    /// # }
    /// ```
    pub const fn is_readable(&self) -> bool {
        self.ready.is_readable()
    }

    /// [`Ready::is_writable`].
    ///
    /// ```
    /// use fastsock::{Interest, Poller, Trigger};
    /// use std::os::fd::AsFd;
    /// # fn main() -> std::io::Result<()> {
    /// # let (here, _there) = std::os::unix::net::UnixStream::pair()?;
    /// let mut poller = Poller::new()?;
    /// poller.add(here.as_fd(), Interest::WRITABLE, Trigger::Level)?;
    /// let mut events = Vec::new();
    /// poller.wait(&mut events, None)?;
    /// assert!(events[0].is_writable() && !events[0].is_readable());
    /// # Ok(())
    /// # }
    /// ```
    pub const fn is_writable(&self) -> bool {
        self.ready.is_writable()
    }
}
