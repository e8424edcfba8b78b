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
///
/// ```
/// use fastsock::net::{Accept, Listener};
/// use std::net::TcpStream;
/// # fn main() -> std::io::Result<()> {
/// let mut listener = Listener::bind("127.0.0.1:0".parse().unwrap())?;
/// let client = TcpStream::connect(listener.local_addr()?.ip().unwrap())?;
/// let Accept::Connection(accepted) = listener.accept()? else { panic!("nobody there") };
/// assert_eq!(accepted.peer().ip(), Some(client.local_addr()?));
/// let stream = TcpStream::from(accepted.into_fd());
/// assert_eq!(stream.peer_addr()?, client.local_addr()?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Accepted {
    fd: OwnedFd,
    peer: PeerAddress,
}

impl Accepted {
    /// The peer's address.
    ///
    /// ```
    /// use fastsock::net::{Accept, Listener, Socket};
    /// # fn main() -> std::io::Result<()> {
    /// # let path = format!("\0fastsock-doc-peer-{}", std::process::id());
    /// let mut listener = Listener::bind_unix(&path)?;
    /// let client = Socket::for_address(listener.local_addr()?, Default::default())?;
    /// let _ = client.connect(listener.local_addr()?)?;
    /// let Accept::Connection(accepted) = listener.accept()? else { panic!("nobody there") };
    /// assert_eq!(accepted.peer().unix_bytes(), Some(&b""[..])); // Unix clients mostly have no name.
    /// # Ok(())
    /// # }
    /// ```
    pub fn peer(&self) -> &PeerAddress {
        &self.peer
    }

    /// The socket, for `TcpStream::from` or `UnixStream::from`.
    ///
    /// ```
    /// use fastsock::net::{Accept, Listener};
    /// use std::io::{ErrorKind, Read};
    /// use std::net::TcpStream;
    /// # fn main() -> std::io::Result<()> {
    /// let mut listener = Listener::bind("127.0.0.1:0".parse().unwrap())?;
    /// let _client = TcpStream::connect(listener.local_addr()?.ip().unwrap())?;
    /// let Accept::Connection(accepted) = listener.accept()? else { panic!("nobody there") };
    /// let mut stream = TcpStream::from(accepted.into_fd());
    /// assert_eq!(stream.read(&mut [0; 9]).unwrap_err().kind(), ErrorKind::WouldBlock); // Non-blocking.
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_fd(self) -> OwnedFd {
        self.fd
    }
}

/// What came of trying to accept.
///
/// ```
/// use fastsock::net::{Accept, Listener};
/// # fn main() -> std::io::Result<()> {
/// let mut listener = Listener::bind("127.0.0.1:0".parse().unwrap())?;
/// match listener.accept()? {
///     Accept::Connection(accepted) => unreachable!("{accepted:?}"),
///     Accept::WouldBlock => {} // Wait until it is readable.
///     Accept::Paused(until) => eprintln!("no descriptors: again at {until:?}"),
/// }
/// # Ok(())
/// # }
/// ```
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
///
/// ```
/// use fastsock::net::{AcceptStats, Listener};
/// # fn main() -> std::io::Result<()> {
/// let mut listener = Listener::bind("127.0.0.1:0".parse().unwrap())?;
/// let _client = std::net::TcpStream::connect(listener.local_addr()?.ip().unwrap())?;
/// listener.accept()?;
/// let AcceptStats { accepted, pauses, refused, .. } = listener.stats();
/// assert_eq!((accepted, pauses, refused), (1, 0, 0));
/// # Ok(())
/// # }
/// ```
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
///
/// ```
/// use fastsock::net::{Accept, AcceptPolicy};
/// use std::os::fd::AsFd;
/// # fn main() -> std::io::Result<()> {
/// let listener = std::net::TcpListener::bind("127.0.0.1:0")?; // The host's own.
/// listener.set_nonblocking(true)?;
/// let mut policy = AcceptPolicy::new();
/// let _client = std::net::TcpStream::connect(listener.local_addr()?)?;
/// assert!(matches!(policy.accept(listener.as_fd())?, Accept::Connection(_)));
/// assert!(matches!(policy.accept(listener.as_fd())?, Accept::WouldBlock));
/// # Ok(())
/// # }
/// ```
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
    ///
    /// ```
    /// use fastsock::net::{AcceptPolicy, AcceptStats};
    /// let policy = AcceptPolicy::new();
    /// assert_eq!(policy.stats(), AcceptStats::default());
    /// assert_eq!(policy.paused_until(), None);
    /// ```
    pub fn new() -> AcceptPolicy {
        AcceptPolicy { spare: socket::spare().ok(), ..AcceptPolicy::default() }
    }

    /// The counters.
    ///
    /// ```
    /// use fastsock::net::AcceptPolicy;
    /// use std::os::fd::AsFd;
    /// # fn main() -> std::io::Result<()> {
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let _client = std::net::TcpStream::connect(listener.local_addr()?)?;
    /// let mut policy = AcceptPolicy::new();
    /// policy.accept(listener.as_fd())?;
    /// assert_eq!(policy.stats().accepted, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn stats(&self) -> AcceptStats {
        self.stats
    }

    /// Until when accepting pauses.
    ///
    /// ```
    /// use fastsock::Time;
    /// use fastsock::net::{Accept, AcceptPolicy};
    /// use std::os::fd::AsFd;
    /// # fn main() -> std::io::Result<()> {
    /// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # let _client = std::net::TcpStream::connect(listener.local_addr()?)?;
    /// let mut policy = AcceptPolicy::new();
    /// let mut hoard = Vec::new(); // Takes every descriptor that this process may have.
    /// # let limit = libc::rlimit { rlim_cur: 64, rlim_max: 64 };
    /// # assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }, 0);
    /// while let Ok(file) = std::fs::File::open("/dev/null") {
    ///     hoard.push(file);
    /// }
    /// let Accept::Paused(until) = policy.accept(listener.as_fd())? else { panic!("room for one more") };
    /// assert!(policy.paused_until() == Some(until) && until > Time::from_nanos(0));
    /// hoard.clear();
    /// assert!(matches!(policy.accept(listener.as_fd())?, Accept::Connection(_)));
    /// assert_eq!(policy.paused_until(), None);
    /// # Ok(())
    /// # }
    /// ```
    pub fn paused_until(&self) -> Option<Time> {
        self.until
    }

    /// Takes one connection from this listening, non-blocking socket.
    ///
    /// ```
    /// use fastsock::net::{Accept, AcceptPolicy};
    /// use std::os::fd::AsFd;
    /// # fn main() -> std::io::Result<()> {
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let client = std::net::TcpStream::connect(listener.local_addr()?)?;
    /// let mut policy = AcceptPolicy::new();
    /// let Accept::Connection(accepted) = policy.accept(listener.as_fd())? else { panic!("nobody there") };
    /// assert_eq!(accepted.peer().ip(), Some(client.local_addr()?));
    /// let error = policy.accept(client.as_fd()).unwrap_err(); // It does not listen.
    /// assert_eq!(fastsock::errno(&error), libc::EINVAL);
    /// # Ok(())
    /// # }
    /// ```
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
