use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, RawFd};

use crate::error;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use crate::sys::wake::WakeFd;

const PENDING: u8 = 1;
const CLOSED: u8 = 2;

/// What a poller and its wakers share.
pub(crate) struct Shared {
    /// Shared on with the signal handler, which writes to it.
    fd: Arc<WakeFd>,
    state: AtomicU8,
}

impl Shared {
    pub(crate) fn new() -> io::Result<Shared> {
        Ok(Shared { fd: Arc::new(WakeFd::new()?), state: AtomicU8::new(0) })
    }

    pub(crate) fn raw_fd(&self) -> RawFd {
        self.fd.as_fd().as_raw_fd()
    }

    pub(crate) fn drain(&self) {
        self.fd.drain();
    }

    /// The loop has seen the wake-up. To be called before it looks at what it was woken for.
    pub(crate) fn rest(&self) {
        // Acquire: what a waker wrote before `wake` is visible after this. A read-modify-write, as in `wake`, so that
        // even a wake-up that found PENDING set, and wrote nothing, is ordered before it.
        self.state.fetch_and(!PENDING, Ordering::AcqRel);
    }

    /// After a fork, in the child: another descriptor under the same number, not shared with the parent.
    pub(crate) fn renew(&self) -> io::Result<()> {
        self.fd.renew()?;
        self.rest();
        Ok(())
    }

    pub(crate) fn close(&self) {
        self.state.fetch_or(CLOSED, Ordering::AcqRel);
    }

    fn wake(&self) -> io::Result<()> {
        let before = self.state.fetch_or(PENDING, Ordering::AcqRel);
        if before & CLOSED != 0 {
            return Err(error::with(libc::ESHUTDOWN, "the loop that this waker belongs to is gone"));
        }
        if before & PENDING != 0 {
            return Ok(());
        }
        // Were PENDING left standing after a failure, no later wake-up would try again.
        self.fd.wake().inspect_err(|_| self.rest())
    }
}

/// Ends a wait from any thread, any time, as often as you like; also after the loop is gone.
///
/// Clones and clones of clones wake the same poller. However many wakes come between two waits, one `write` to an
/// eventfd(2) is made and one wake-up is seen; a wake-up before the wait makes the wait return at once. What was
/// written to memory before `wake` is visible to the loop after it. In a child after fork(2) it wakes the parent's loop
/// until the child has called `reinit`, and then the child's.
///
/// ```
/// use fastsock::{Poller, Waker};
/// # fn main() -> std::io::Result<()> {
/// let mut poller = Poller::new()?;
/// let waker: Waker = poller.waker()?;
/// let thread = std::thread::spawn(move || waker.wake());
/// assert_eq!(poller.wait(&mut Vec::new(), None)?, 0); // Until the other thread wakes it.
/// assert!(poller.take_woken());
/// # thread.join().unwrap()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Waker {
    shared: Arc<Shared>,
    /// Which callback was meant, where there are several.
    flag: Option<Arc<AtomicBool>>,
}

impl Waker {
    pub(crate) fn new(shared: Arc<Shared>) -> Waker {
        Waker { shared, flag: None }
    }

    pub(crate) fn with_flag(mut self, flag: Arc<AtomicBool>) -> Waker {
        self.flag = Some(flag);
        self
    }

    pub(crate) fn fd(&self) -> Arc<WakeFd> {
        self.shared.fd.clone()
    }

    /// Makes the wait return.
    ///
    /// ```
    /// use fastsock::Poller;
    /// # fn main() -> std::io::Result<()> {
    /// let mut poller = Poller::new()?;
    /// let waker = poller.waker()?;
    /// waker.wake()?;
    /// waker.wake()?; // One wake-up, however often.
    /// poller.wait(&mut Vec::new(), None)?;
    /// assert_eq!(poller.stats().wakeups, 1);
    /// drop(poller);
    /// assert_eq!(fastsock::errno(&waker.wake().unwrap_err()), libc::ESHUTDOWN);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `ESHUTDOWN`: the poller has been dropped.
    pub fn wake(&self) -> io::Result<()> {
        if let Some(flag) = &self.flag {
            flag.store(true, Ordering::Release);
        }
        self.shared.wake()
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waker")
    }
}
