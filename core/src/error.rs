//! Errors: always an `io::Error`; where we say more than the system does, the errno is kept beside the sentence.

use std::fmt;
use std::io;

struct Explained {
    errno: i32,
    sentence: &'static str,
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (os error {})", self.sentence, self.errno)
    }
}

/// The sentence as well: it is what `main` shows when it returns an error.
impl fmt::Debug for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Explained {}

/// An error with an errno and a sentence that says how to mend it.
pub(crate) fn with(errno: i32, sentence: &'static str) -> io::Error {
    io::Error::new(io::Error::from_raw_os_error(errno).kind(), Explained { errno, sentence })
}

/// `ENOENT`: the token was never ours, or what it named is gone.
pub(crate) fn stale() -> io::Error {
    with(libc::ENOENT, "this token is stale: what it named has been removed")
}

/// The errno behind an error of this crate, or of the system; `EIO` where there is none.
///
/// [`io::Error::raw_os_error`] knows only the system's own errors; the ones that carry a sentence of ours come with
/// an errno too, and this finds both.
///
/// ```
/// use fastsock::{Backend, Interest, Poller, Trigger};
/// # fn main() -> std::io::Result<()> {
/// let (a, _b) = std::os::unix::net::UnixStream::pair()?;
/// let mut poller = Poller::with_backend(Backend::Select)?;
/// let error = poller.add(std::os::fd::AsFd::as_fd(&a), Interest::READABLE, Trigger::Edge).unwrap_err();
/// assert_eq!(fastsock::errno(&error), libc::EOPNOTSUPP);
/// # Ok(())
/// # }
/// ```
pub fn errno(error: &io::Error) -> i32 {
    if let Some(errno) = error.raw_os_error() {
        return errno;
    }
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Explained>()) {
        Some(explained) => explained.errno,
        None => libc::EIO,
    }
}
