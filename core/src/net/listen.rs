use std::io;
use std::os::fd::{AsFd, AsRawFd};

use super::{Kind, Listener, PeerAddress, Socket};
use crate::error;
use crate::sys::{options, socket};

/// The kernel cuts it to `net.core.somaxconn` (listen(2)).
pub(super) const LONGEST_BACKLOG: u32 = 4096;

/// How to listen, where [`Listener::bind`] is not enough.
///
/// ```
/// use fastsock::net::{ListenOptions, Socket};
/// use std::net::{Ipv6Addr, SocketAddr};
/// # fn main() -> std::io::Result<()> {
/// // IPv6 and IPv4 on one socket, where the machine has both:
/// let anywhere = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
/// # if Socket::new(fastsock::net::Family::V6, fastsock::net::Kind::Stream).is_ok() {
/// let listener = ListenOptions::new().only_v6(false).listen(anywhere)?;
/// # }
/// // Two listeners on one port, between which the kernel divides the connections:
/// let shared = ListenOptions::new().reuse_port(true);
/// let first = shared.listen(SocketAddr::from(([127, 0, 0, 1], 0)))?;
/// let second = shared.listen(first.local_addr()?)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "nothing listens before `listen`"]
pub struct ListenOptions {
    kind: Kind,
    only_v6: Option<bool>,
    reuse_address: bool,
    reuse_port: bool,
    backlog: u32,
}

impl ListenOptions {
    /// As [`Listener::bind`]: a stream, `SO_REUSEADDR` on, the longest queue, and the system's choice of the rest.
    ///
    /// ```
    /// use fastsock::net::ListenOptions;
    /// use std::net::SocketAddr;
    /// # fn main() -> std::io::Result<()> {
    /// let listener = ListenOptions::new().listen(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    /// assert!(listener.local_addr()?.ip().unwrap().ip().is_loopback());
    /// # Ok(())
    /// # }
    /// ```
    pub fn new() -> ListenOptions {
        ListenOptions {
            kind: Kind::Stream,
            only_v6: None,
            reuse_address: true,
            reuse_port: false,
            backlog: LONGEST_BACKLOG,
        }
    }

    /// What the connections carry: [`Kind::Stream`], or [`Kind::SeqPacket`] at a Unix address.
    ///
    /// ```
    /// use fastsock::net::options::SocketOptions;
    /// use fastsock::net::{Kind, ListenOptions, PeerAddress};
    /// use std::path::Path;
    /// # fn main() -> std::io::Result<()> {
    /// # let name = format!("\0fastsock-doc-kind-{}", std::process::id());
    /// let address = PeerAddress::try_from(Path::new(&name))?;
    /// let listener = ListenOptions::new().kind(Kind::SeqPacket).listen(address)?;
    /// assert_eq!(listener.kind()?, Some(Kind::SeqPacket));
    /// # Ok(())
    /// # }
    /// ```
    pub fn kind(mut self, kind: Kind) -> ListenOptions {
        self.kind = kind;
        self
    }

    /// Whether an IPv6 listener leaves IPv4 alone; `false` is dual stack, where IPv4 peers have addresses such as
    /// `::ffff:192.0.2.1`. `IPV6_V6ONLY`, ipv6(7). Unset, `net.ipv6.bindv6only` decides, which is mostly 0: dual stack.
    ///
    /// ```
    /// use fastsock::net::ListenOptions;
    /// use fastsock::net::options::IpOptions;
    /// use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
    /// # fn main() -> std::io::Result<()> {
    /// let options = ListenOptions::new().only_v6(true);
    /// if let Ok(listener) = options.listen(SocketAddr::from((Ipv6Addr::LOCALHOST, 0))) { // Where there is IPv6.
    ///     assert!(listener.only_v6()?);
    /// }
    /// let error = options.listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap_err();
    /// assert_eq!(fastsock::errno(&error), libc::EINVAL);
    /// # Ok(())
    /// # }
    /// ```
    pub fn only_v6(mut self, only: bool) -> ListenOptions {
        self.only_v6 = Some(only);
        self
    }

    /// Whether an address may be taken again while connections of a listener before this one linger: `SO_REUSEADDR`,
    /// socket(7). On at first; Unix addresses know nothing of it.
    ///
    /// ```
    /// use fastsock::net::ListenOptions;
    /// use fastsock::net::options::SocketOptions;
    /// use std::net::SocketAddr;
    /// # fn main() -> std::io::Result<()> {
    /// let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    /// assert!(ListenOptions::new().listen(anywhere)?.reuse_address()?);
    /// assert!(!ListenOptions::new().reuse_address(false).listen(anywhere)?.reuse_address()?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn reuse_address(mut self, reuse: bool) -> ListenOptions {
        self.reuse_address = reuse;
        self
    }

    /// Whether several listeners of one user may share the address, each with a queue of its own: `SO_REUSEPORT`,
    /// socket(7). Every one of them must ask for it. When one closes, the connections in its queue are reset.
    ///
    /// ```
    /// use fastsock::net::ListenOptions;
    /// use std::net::SocketAddr;
    /// # fn main() -> std::io::Result<()> {
    /// let shared = ListenOptions::new().reuse_port(true);
    /// let first = shared.listen(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    /// let address = first.local_addr()?;
    /// shared.listen(address)?;
    /// let error = ListenOptions::new().listen(address).unwrap_err(); // This one did not ask for it.
    /// assert_eq!(fastsock::errno(&error), libc::EADDRINUSE);
    /// # Ok(())
    /// # }
    /// ```
    pub fn reuse_port(mut self, reuse: bool) -> ListenOptions {
        self.reuse_port = reuse;
        self
    }

    /// How many connections wait to be accepted, from 0 (one may wait) to `net.core.somaxconn` (mostly 4096), to which the
    /// kernel cuts it without a word: listen(2).
    ///
    /// ```
    /// use fastsock::net::{Connect, Family, Kind, ListenOptions, PeerAddress, Socket};
    /// use std::path::Path;
    /// # fn main() -> std::io::Result<()> {
    /// # let name = format!("\0fastsock-doc-backlog-{}", std::process::id());
    /// let address = PeerAddress::try_from(Path::new(&name))?;
    /// let _listener = ListenOptions::new().backlog(0).listen(address)?;
    /// let (first, second) = (Socket::new(Family::Unix, Kind::Stream)?, Socket::new(Family::Unix, Kind::Stream)?);
    /// assert_eq!(first.connect(address)?, Connect::Done); // One may wait.
    /// assert_eq!(fastsock::errno(&second.connect(address).unwrap_err()), libc::EAGAIN);
    /// # Ok(())
    /// # }
    /// ```
    pub fn backlog(mut self, connections: u32) -> ListenOptions {
        self.backlog = connections;
        self
    }

    /// Listens on this address. Port 0: the kernel's choice, which [`Listener::local_addr`] tells.
    ///
    /// ```
    /// use fastsock::net::{Kind, ListenOptions};
    /// use std::net::SocketAddr;
    /// # fn main() -> std::io::Result<()> {
    /// let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    /// let listener = ListenOptions::new().backlog(16).listen(anywhere)?;
    /// std::net::TcpStream::connect(listener.local_addr()?.ip().unwrap())?;
    /// let error = ListenOptions::new().kind(Kind::Datagram).listen(anywhere).unwrap_err();
    /// assert_eq!(fastsock::errno(&error), libc::EOPNOTSUPP);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Listener::bind`] and [`Listener::bind_unix`]. `EINVAL`: `only_v6` at an address that is not IPv6.
    /// `EOPNOTSUPP`: `reuse_port` at a Unix address, or [`Kind::Datagram`].
    pub fn listen(&self, address: impl Into<PeerAddress>) -> io::Result<Listener> {
        let address = address.into();
        let socket = Socket::for_address(address, self.kind)?;
        let is_ip = matches!(address.family(), libc::AF_INET | libc::AF_INET6);
        if self.reuse_address && is_ip {
            options::set(socket.as_fd(), libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)?;
        }
        if self.reuse_port {
            if !is_ip {
                return Err(error::with(
                    libc::EOPNOTSUPP,
                    "SO_REUSEPORT is for IP addresses: Unix ones are not shared",
                ));
            }
            options::set(socket.as_fd(), libc::SOL_SOCKET, libc::SO_REUSEPORT, 1)?;
        }
        if let Some(only) = self.only_v6 {
            if address.family() != libc::AF_INET6 {
                return Err(error::with(
                    libc::EINVAL,
                    "only_v6 is for IPv6 addresses: listen on [::], or leave it out",
                ));
            }
            options::set(socket.as_fd(), libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, libc::c_int::from(only))?;
        }
        socket.bind(address)?;
        let backlog = libc::c_int::try_from(self.backlog).unwrap_or(libc::c_int::MAX);
        socket::listen(socket.fd.as_raw_fd(), backlog).map_err(explain)?;
        Ok(Listener::new(socket.fd))
    }
}

/// The sentence for what cannot listen.
pub(super) fn explain(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(libc::ENOTSOCK) => error::with(libc::ENOTSOCK, "only a socket can listen, and this is none"),
        Some(libc::EOPNOTSUPP) => {
            error::with(libc::EOPNOTSUPP, "datagrams come without a connection: do not listen, receive them")
        }
        _ => error,
    }
}

impl Default for ListenOptions {
    fn default() -> ListenOptions {
        ListenOptions::new()
    }
}
