use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use super::listen::{LONGEST_BACKLOG, explain};
use super::{Accept, AcceptPolicy, AcceptStats, ListenOptions, PeerAddress};
use crate::sys::socket;

/// A non-blocking listening socket, TCP or Unix, with a policy for bad times; see [`AcceptPolicy`]. Dual stack, a shared
/// port, a queue of a chosen length: [`ListenOptions`].
///
/// ```
/// use fastsock::net::{Accept, Listener};
/// use std::net::TcpStream;
/// # fn main() -> std::io::Result<()> {
/// let mut listener = Listener::bind("127.0.0.1:0".parse().unwrap())?;
/// let address = listener.local_addr()?.ip().unwrap();
/// let _clients = [TcpStream::connect(address)?, TcpStream::connect(address)?];
/// let mut connections = Vec::new();
/// while let Accept::Connection(connection) = listener.accept()? {
///     connections.push(connection); // Until `WouldBlock`, or a pause.
/// }
/// assert_eq!(connections.len(), 2);
/// # Ok(())
/// # }
/// ```
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
    /// ```
    /// use fastsock::net::Listener;
    /// # fn main() -> std::io::Result<()> {
    /// let listener = Listener::bind("127.0.0.1:0".parse().unwrap())?;
    /// let address = listener.local_addr()?.ip().unwrap();
    /// assert!(std::net::TcpStream::connect(address).is_ok());
    /// assert_eq!(fastsock::errno(&Listener::bind(address).unwrap_err()), libc::EADDRINUSE);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `EADDRINUSE`, `EADDRNOTAVAIL`, `EACCES` (a port below 1024), `EMFILE`; see bind(2) and ip(7).
    pub fn bind(address: SocketAddr) -> io::Result<Listener> {
        ListenOptions::new().listen(address)
    }

    /// Listens on a Unix stream socket. The path must not exist, and is not removed afterwards; one that starts with
    /// NUL is abstract (unix(7)).
    ///
    /// ```
    /// use fastsock::net::Listener;
    /// use std::os::unix::net::UnixStream;
    /// # fn main() -> std::io::Result<()> {
    /// let path = std::env::temp_dir().join(format!("fastsock-doc-{}.sock", std::process::id()));
    /// let listener = Listener::bind_unix(&path)?;
    /// assert!(UnixStream::connect(&path).is_ok());
    /// drop(listener);
    /// std::fs::remove_file(&path)?; // Nobody else does.
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `EADDRINUSE`: the path exists. `ENOENT`, `EACCES`: the folder. `ENAMETOOLONG`: beyond 107 bytes.
    pub fn bind_unix(path: impl AsRef<Path>) -> io::Result<Listener> {
        ListenOptions::new().listen(PeerAddress::try_from(path.as_ref())?)
    }

    /// Takes over a socket that was bound elsewhere, makes it non-blocking and listens on it.
    ///
    /// ```
    /// use fastsock::net::{Accept, Listener};
    /// # fn main() -> std::io::Result<()> {
    /// let bound = std::net::TcpListener::bind("127.0.0.1:0")?; // Or handed over by a service manager.
    /// let address = bound.local_addr()?;
    /// let mut listener = Listener::from_fd(bound.into())?;
    /// let _client = std::net::TcpStream::connect(address)?;
    /// assert!(matches!(listener.accept()?, Accept::Connection(_)));
    /// assert!(matches!(listener.accept()?, Accept::WouldBlock)); // Non-blocking.
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `ENOTSOCK`: it is no socket. `EOPNOTSUPP`: it is for datagrams. Others of fcntl(2) and listen(2).
    pub fn from_fd(fd: OwnedFd) -> io::Result<Listener> {
        socket::set_nonblocking(fd.as_raw_fd(), true)?;
        socket::listen(fd.as_raw_fd(), LONGEST_BACKLOG as libc::c_int).map_err(explain)?;
        Ok(Listener::new(fd))
    }

    pub(super) fn new(listening: OwnedFd) -> Listener {
        Listener { fd: listening, policy: AcceptPolicy::new(), budget: 1 }
    }

    /// Takes one connection, or tells why there is none.
    ///
    /// ```
    /// use fastsock::net::{Accept, Listener};
    /// # fn main() -> std::io::Result<()> {
    /// let mut listener = Listener::bind("127.0.0.1:0".parse().unwrap())?;
    /// assert!(matches!(listener.accept()?, Accept::WouldBlock));
    /// let client = std::net::TcpStream::connect(listener.local_addr()?.ip().unwrap())?;
    /// let Accept::Connection(connection) = listener.accept()? else { panic!("nobody there") };
    /// assert_eq!(connection.peer().ip(), Some(client.local_addr()?));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`AcceptPolicy::accept`].
    pub fn accept(&mut self) -> io::Result<Accept> {
        self.policy.accept(self.fd.as_fd())
    }

    /// How many connections [`Reactor::listen`](crate::Reactor::listen) takes for each event: 1 at first, which spares
    /// the accept(2) that finds none; more for connections that come in bursts.
    ///
    /// ```
    /// use fastsock::{Reactor, net::Listener};
    /// use std::net::TcpStream;
    /// # fn main() -> std::io::Result<()> {
    /// let mut listener = Listener::bind("127.0.0.1:0".parse().unwrap())?;
    /// listener.set_budget(16);
    /// let address = listener.local_addr()?.ip().unwrap();
    /// let _clients = [TcpStream::connect(address)?, TcpStream::connect(address)?];
    /// let mut reactor = Reactor::<u32>::new()?;
    /// reactor.listen(listener, |_, accepted, connection| connection.map(|_| *accepted += 1))?;
    /// let mut accepted = 0;
    /// reactor.turn(&mut accepted, None)?;
    /// assert_eq!(accepted, 2); // Both for one event.
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_budget(&mut self, connections: u32) {
        self.budget = connections.max(1);
    }

    /// See [`set_budget`](Self::set_budget).
    ///
    /// ```
    /// use fastsock::net::Listener;
    /// # fn main() -> std::io::Result<()> {
    /// let mut listener = Listener::bind("127.0.0.1:0".parse().unwrap())?;
    /// assert_eq!(listener.budget(), 1);
    /// listener.set_budget(0);
    /// assert_eq!(listener.budget(), 1); // The least that makes sense.
    /// # Ok(())
    /// # }
    /// ```
    pub fn budget(&self) -> u32 {
        self.budget
    }

    /// The counters.
    ///
    /// ```
    /// use fastsock::net::Listener;
    /// # fn main() -> std::io::Result<()> {
    /// let mut listener = Listener::bind("127.0.0.1:0".parse().unwrap())?;
    /// let _client = std::net::TcpStream::connect(listener.local_addr()?.ip().unwrap())?;
    /// listener.accept()?;
    /// assert_eq!(listener.stats().accepted, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn stats(&self) -> AcceptStats {
        self.policy.stats()
    }

    /// Where it listens.
    ///
    /// ```
    /// use fastsock::net::Listener;
    /// # fn main() -> std::io::Result<()> {
    /// let listener = Listener::bind("127.0.0.1:0".parse().unwrap())?;
    /// assert_ne!(listener.local_addr()?.ip().unwrap().port(), 0); // The kernel's choice.
    /// # Ok(())
    /// # }
    /// ```
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
