use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use super::PeerAddress;
use crate::Time;
use crate::sys::socket;

/// The first pause, the longest one, and how long clients are kept waiting before they are turned away.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(1);
/// How many are turned away at a time.
const REFUSALS: usize = 64;
/// How many connections that died in the queue are passed over at a time.
const ABORTS: usize = 64;

/// A connection, non-blocking and close-on-exec.
#[derive(Debug)]
pub struct Accepted {
    fd: OwnedFd,
    peer: PeerAddress,
}

impl Accepted {
    /// The peer's address.
    pub fn peer(&self) -> &PeerAddress {
        &self.peer
    }

    /// The socket, for `TcpStream::from` or `UnixStream::from`.
    pub fn into_fd(self) -> OwnedFd {
        self.fd
    }
}

/// What came of trying to accept.
#[derive(Debug)]
pub enum Accept {
    /// A connection.
    Connection(Accepted),
    /// None waits.
    WouldBlock,
    /// The process or the system has run out of descriptors or memory: do not try before this time.
    Paused(Time),
}

/// Counters of a listener.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AcceptStats {
    /// Connections accepted.
    pub accepted: u64,
    /// Times that accepting paused for want of descriptors or memory.
    pub pauses: u64,
    /// Connections closed unserved, after their clients had waited for a second of such pauses.
    pub refused: u64,
    /// Connections that were gone before they could be accepted.
    pub aborted: u64,
}

/// How to go on when accept(2) fails: the part of a listener that owns no socket.
///
/// `EMFILE`, `ENFILE`, `ENOBUFS` and `ENOMEM` leave the connection in the queue and the listener readable, so trying at
/// once again would spin. Instead accepting pauses, 10 ms at first and 500 ms at most; the clients wait in the kernel's
/// queue, and are served as soon as something is closed. When that has gone on for a second, a descriptor held in
/// reserve is given up to take the waiting connections and close them, so that their clients learn of it rather
/// than hang. (Another thread may snatch the reserve in that moment; then the clients wait on.)
///
/// Errors that are about one connection alone (`ECONNABORTED`, `EPROTO` and the network errors that accept(2) lists)
/// are passed over.
#[derive(Debug, Default)]
pub struct AcceptPolicy {
    spare: Option<OwnedFd>,
    pause: Duration,
    since: Option<Time>,
    until: Option<Time>,
    stats: AcceptStats,
}

impl AcceptPolicy {
    /// The policy, with a descriptor in reserve if one can be had.
    pub fn new() -> AcceptPolicy {
        AcceptPolicy { spare: socket::spare().ok(), ..AcceptPolicy::default() }
    }

    /// The counters.
    pub fn stats(&self) -> AcceptStats {
        self.stats
    }

    /// Until when accepting pauses.
    pub fn paused_until(&self) -> Option<Time> {
        self.until
    }

    /// Takes one connection from this listening, non-blocking socket.
    ///
    /// # Errors
    /// Those of accept(2) that are about the listener itself: `EBADF`, `EINVAL` (it does not listen), `ENOTSOCK`.
    pub fn accept(&mut self, listener: BorrowedFd<'_>) -> io::Result<Accept> {
        for _ in 0..ABORTS {
            let error = match socket::accept(listener.as_raw_fd()) {
                Ok((fd, peer)) => {
                    self.stats.accepted += 1;
                    self.recover();
                    return Ok(Accept::Connection(Accepted { fd, peer: PeerAddress::new(peer) }));
                }
                Err(error) => error,
            };
            match error.raw_os_error().unwrap_or(0) {
                e if e == libc::EAGAIN || e == libc::EWOULDBLOCK => return Ok(Accept::WouldBlock),
                libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM => {
                    return Ok(Accept::Paused(self.pause(listener)));
                }
                libc::EINTR => {}
                libc::ECONNABORTED
                | libc::EPROTO
                | libc::EPERM
                | libc::ENETDOWN
                | libc::ENETUNREACH
                | libc::EHOSTDOWN
                | libc::EHOSTUNREACH
                | libc::ENOPROTOOPT
                | libc::EOPNOTSUPP => self.stats.aborted += 1,
                _ => return Err(error),
            }
        }
        Ok(Accept::WouldBlock)
    }

    fn recover(&mut self) {
        if self.until.is_some() {
            (self.pause, self.since, self.until) = (Duration::ZERO, None, None);
        }
        if self.spare.is_none() {
            self.spare = socket::spare().ok();
        }
    }

    #[cold]
    fn pause(&mut self, listener: BorrowedFd<'_>) -> Time {
        let now = Time::now();
        self.stats.pauses += 1;
        let since = *self.since.get_or_insert(now);
        if now - since >= PATIENCE {
            self.refuse(listener);
        }
        self.pause = (self.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        let until = now + self.pause;
        self.until = Some(until);
        until
    }

    /// Takes and closes what waits, with the spare descriptor's place.
    fn refuse(&mut self, listener: BorrowedFd<'_>) {
        if self.spare.take().is_none() {
            return;
        }
        for _ in 0..REFUSALS {
            match socket::accept(listener.as_raw_fd()) {
                Ok(_closed) => self.stats.refused += 1,
                Err(_) => break,
            }
        }
        self.spare = socket::spare().ok();
    }
}
