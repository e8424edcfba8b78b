use std::fmt;
use std::io;
use std::str::FromStr;

use crate::error;

/// Which system call the reactor waits in.
///
/// | | level | one-shot | edge | exclusive | a wait costs |
/// |---|---|---|---|---|---|
/// | `Epoll` | yes | yes | yes | yes | O(ready) |
/// | `Poll` | yes | yes | no | no | O(watched) |
/// | `Select` | yes | yes | no | no | O(highest descriptor) |
///
/// A mode that a backend does not have is refused with `EOPNOTSUPP`, never silently made something else.
///
/// ```
/// use fastsock::{Backend, Interest, Poller, Trigger};
/// use std::os::fd::AsFd;
/// # fn main() -> std::io::Result<()> {
/// let (here, _there) = std::os::unix::net::UnixStream::pair()?;
/// for &backend in Backend::ALL {
///     let mut poller = Poller::with_backend(backend)?;
///     match poller.add(here.as_fd(), Interest::READABLE, Trigger::Edge) {
///         Ok(_) => assert!(backend.has_edge()),
///         Err(error) => assert_eq!(fastsock::errno(&error), libc::EOPNOTSUPP),
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// epoll(7), Linux.
    Epoll,
    /// poll(2).
    Poll,
    /// select(2), with bitmaps of its own: on Linux `FD_SETSIZE` is no limit.
    Select,
}

impl Backend {
    /// Every backend this system has, the best first.
    pub const ALL: &'static [Backend] = if cfg!(any(target_os = "linux", target_os = "android")) {
        &[Backend::Epoll, Backend::Poll, Backend::Select]
    } else {
        &[Backend::Poll, Backend::Select]
    };

    /// The one named by the environment variable `FASTSOCK_BACKEND` (`epoll`, `poll` or `select`), else the best.
    ///
    /// ```
    /// use fastsock::{Backend, Poller};
    /// # fn main() -> std::io::Result<()> {
    /// # if std::env::var_os("FASTSOCK_BACKEND").is_none() {
    /// assert_eq!(Backend::from_env()?, Backend::ALL[0]); // The variable is not set here.
    /// # }
    /// assert_eq!(Poller::new()?.backend(), Backend::from_env()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `EINVAL` when the variable holds another word.
    pub fn from_env() -> io::Result<Backend> {
        match std::env::var_os("FASTSOCK_BACKEND") {
            None => Ok(Backend::ALL[0]),
            Some(name) if name.is_empty() => Ok(Backend::ALL[0]),
            Some(name) => name.to_string_lossy().parse(),
        }
    }

    /// Whether [`Trigger::Edge`](crate::Trigger::Edge) and exclusive watching work on it.
    ///
    /// ```
    /// use fastsock::Backend;
    /// assert!(Backend::Epoll.has_edge());
    /// assert!(!Backend::Poll.has_edge() && !Backend::Select.has_edge());
    /// ```
    pub fn has_edge(self) -> bool {
        self == Backend::Epoll
    }

    /// `epoll`, `poll` or `select`.
    ///
    /// ```
    /// use fastsock::Backend;
    /// # fn main() -> std::io::Result<()> {
    /// for &backend in Backend::ALL {
    ///     assert_eq!(backend.name().parse::<Backend>()?, backend);
    /// }
    /// assert_eq!(Backend::Select.name(), "select");
    /// # Ok(())
    /// # }
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Backend::Epoll => "epoll",
            Backend::Poll => "poll",
            Backend::Select => "select",
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Backend {
    type Err = io::Error;

    fn from_str(name: &str) -> io::Result<Backend> {
        [Backend::Epoll, Backend::Poll, Backend::Select]
            .into_iter()
            .find(|b| b.name() == name)
            .ok_or_else(|| error::with(libc::EINVAL, "unknown backend: FASTSOCK_BACKEND takes epoll, poll or select"))
    }
}
