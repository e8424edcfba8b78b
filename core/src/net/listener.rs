use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use super::listen::LONGEST_BACKLOG;
use super::{Accept, AcceptPolicy, AcceptStats, ListenOptions, PeerAddress};
use crate::sys::socket;

/// A non-blocking listening socket, TCP or Unix, with a policy for bad times; see [`AcceptPolicy`]. Dual stack, a shared
/// port, a queue of a chosen length: [`ListenOptions`].
#[derive(Debug)]
pub struct Listener {
    fd: OwnedFd,
    policy: AcceptPolicy,
    budget: u32,
}

impl Listener {
    /// Listens on a TCP address, with `SO_REUSEADDR` and the longest queue that the system allows. Port 0: the
    /// kernel's choice, which [`local_addr`](Self::local_addr) tells.
    ///
    /// # Errors
    /// `EADDRINUSE`, `EADDRNOTAVAIL`, `EACCES` (a port below 1024), `EMFILE`; see bind(2) and ip(7).
    pub fn bind(address: SocketAddr) -> io::Result<Listener> {
        ListenOptions::new().listen(address)
    }

    /// Listens on a Unix stream socket. The path must not exist, and is not removed afterwards; one that starts with
    /// NUL is abstract (unix(7)).
    ///
    /// # Errors
    /// `EADDRINUSE`: the path exists. `ENOENT`, `EACCES`: the folder. `ENAMETOOLONG`: beyond 107 bytes.
    pub fn bind_unix(path: impl AsRef<Path>) -> io::Result<Listener> {
        ListenOptions::new().listen(PeerAddress::try_from(path.as_ref())?)
    }

    /// Takes over a socket that was bound elsewhere, makes it non-blocking and listens on it.
    ///
    /// # Errors
    /// Those of fcntl(2) and listen(2).
    pub fn from_fd(fd: OwnedFd) -> io::Result<Listener> {
        socket::set_nonblocking(fd.as_raw_fd(), true)?;
        socket::listen(fd.as_raw_fd(), LONGEST_BACKLOG as libc::c_int)?;
        Ok(Listener::new(fd))
    }

    pub(super) fn new(listening: OwnedFd) -> Listener {
        Listener { fd: listening, policy: AcceptPolicy::new(), budget: 1 }
    }

    /// Takes one connection, or tells why there is none.
    ///
    /// # Errors
    /// As [`AcceptPolicy::accept`].
    pub fn accept(&mut self) -> io::Result<Accept> {
        self.policy.accept(self.fd.as_fd())
    }

    /// How many connections [`Reactor::listen`](crate::Reactor::listen) takes for each event: 1 at first, which spares
    /// the accept(2) that finds none; more for connections that come in bursts.
    pub fn set_budget(&mut self, connections: u32) {
        self.budget = connections.max(1);
    }

    /// See [`set_budget`](Self::set_budget).
    pub fn budget(&self) -> u32 {
        self.budget
    }

    /// The counters.
    pub fn stats(&self) -> AcceptStats {
        self.policy.stats()
    }

    /// Where it listens.
    ///
    /// # Errors
    /// Those of getsockname(2).
    pub fn local_addr(&self) -> io::Result<PeerAddress> {
        socket::local_address(self.fd.as_raw_fd()).map(PeerAddress::new)
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
