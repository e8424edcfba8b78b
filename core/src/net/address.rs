use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::mem::offset_of;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::error;
use crate::sys::socket::RawAddress;

/// The address of a peer or of a socket of one's own: IPv4, IPv6 or Unix.
///
/// ```
/// use fastsock::net::PeerAddress;
/// use std::net::SocketAddr;
/// use std::path::Path;
/// # fn main() -> std::io::Result<()> {
/// let ip = PeerAddress::from(SocketAddr::from(([192, 0, 2, 1], 80)));
/// assert_eq!(format!("{ip:?}"), "192.0.2.1:80");
/// let unix = PeerAddress::try_from(Path::new("/run/app.sock"))?;
/// assert_eq!(format!("{unix:?}"), "unix:\"/run/app.sock\"");
/// let error = PeerAddress::try_from(Path::new(&"x".repeat(108))).unwrap_err();
/// assert_eq!(fastsock::errno(&error), libc::ENAMETOOLONG);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct PeerAddress(RawAddress);

impl PeerAddress {
    pub(crate) fn new(raw: RawAddress) -> PeerAddress {
        PeerAddress(raw)
    }

    pub(crate) fn raw(&self) -> &RawAddress {
        &self.0
    }

    /// The bytes of the `sockaddr` of its family, aligned as one: for C's functions. Empty when the kernel gave none.
    ///
    /// ```
    /// use fastsock::net::PeerAddress;
    /// use std::net::SocketAddr;
    /// let address = PeerAddress::from(SocketAddr::from(([127, 0, 0, 1], 0x1234)));
    /// let bytes = address.as_bytes(); // A `sockaddr_in`: family, port, address, padding.
    /// assert_eq!(bytes.len(), size_of::<libc::sockaddr_in>());
    /// assert_eq!(bytes[2..8], [0x12, 0x34, 127, 0, 0, 1]);
    /// ```
    pub fn as_bytes(&self) -> &[u8] {
        let len = (self.0.len as usize).min(size_of::<libc::sockaddr_storage>());
        // SAFETY: the storage has that many bytes, none of them padding.
        unsafe { std::slice::from_raw_parts((&raw const self.0.storage).cast(), len) }
    }

    /// From the bytes of a `sockaddr` of C's: the inverse of [`as_bytes`](Self::as_bytes).
    ///
    /// ```
    /// use fastsock::net::PeerAddress;
    /// use std::net::SocketAddr;
    /// # fn main() -> std::io::Result<()> {
    /// let address = PeerAddress::from(SocketAddr::from(([127, 0, 0, 1], 80)));
    /// let copy = PeerAddress::from_bytes(address.as_bytes())?;
    /// assert_eq!(copy.ip(), address.ip());
    /// let error = PeerAddress::from_bytes(&address.as_bytes()[..4]).unwrap_err();
    /// assert_eq!(fastsock::errno(&error), libc::EINVAL);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `EINVAL`: longer than a `sockaddr_storage`, or shorter than the family's own (or than the family).
    pub fn from_bytes(bytes: &[u8]) -> io::Result<PeerAddress> {
        let mut address = PeerAddress(RawAddress::empty());
        if bytes.len() > size_of::<libc::sockaddr_storage>() || bytes.len() < offset_of!(libc::sockaddr_un, sun_path) {
            return Err(error::with(libc::EINVAL, "this is as long as no socket's address"));
        }
        let to = (&raw mut address.0.storage).cast::<u8>();
        // SAFETY: no longer than the storage, in which every pattern of bytes is a value.
        unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        address.0.len = bytes.len() as libc::socklen_t;
        let shortest = match address.family() {
            libc::AF_INET => size_of::<libc::sockaddr_in>(),
            libc::AF_INET6 => size_of::<libc::sockaddr_in6>(),
            _ => 0,
        };
        if bytes.len() < shortest {
            return Err(error::with(libc::EINVAL, "this is shorter than an address of its family"));
        }
        Ok(address)
    }

    /// The address family, `AF_INET` and so on; `AF_UNSPEC` when the kernel gave none.
    ///
    /// ```
    /// use fastsock::net::{Kind, Socket};
    /// # fn main() -> std::io::Result<()> {
    /// let (socket, _other) = Socket::pair(Kind::Stream)?;
    /// assert_eq!(socket.local_addr()?.family(), libc::AF_UNIX);
    /// # Ok(())
    /// # }
    /// ```
    pub fn family(&self) -> i32 {
        if self.0.len == 0 { libc::AF_UNSPEC } else { i32::from(self.0.storage.ss_family) }
    }

    /// The IP address and port; `None` for a Unix socket.
    ///
    /// ```
    /// use fastsock::net::{Kind, Listener, Socket};
    /// # fn main() -> std::io::Result<()> {
    /// let listener = Listener::bind("127.0.0.1:0".parse().unwrap())?;
    /// assert_ne!(listener.local_addr()?.ip().unwrap().port(), 0);
    /// let (unix, _other) = Socket::pair(Kind::Stream)?;
    /// assert_eq!(unix.local_addr()?.ip(), None);
    /// # Ok(())
    /// # }
    /// ```
    pub fn ip(&self) -> Option<SocketAddr> {
        match self.family() {
            libc::AF_INET => {
                // SAFETY: the family says that a sockaddr_in is there, and the storage is large and aligned enough.
                let v4 = unsafe { *(&raw const self.0.storage).cast::<libc::sockaddr_in>() };
                let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
                Some(SocketAddr::V4(SocketAddrV4::new(ip, u16::from_be(v4.sin_port))))
            }
            libc::AF_INET6 => {
                // SAFETY: as above, for sockaddr_in6.
                let v6 = unsafe { *(&raw const self.0.storage).cast::<libc::sockaddr_in6>() };
                let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
                let port = u16::from_be(v6.sin6_port);
                Some(SocketAddr::V6(SocketAddrV6::new(ip, port, u32::from_be(v6.sin6_flowinfo), v6.sin6_scope_id)))
            }
            _ => None,
        }
    }

    /// The path's bytes of a Unix address: empty when it has no name, starting with NUL when the name is abstract
    /// (unix(7)); `None` for other families, and when the kernel gave none.
    ///
    /// ```
    /// use fastsock::net::{Listener, PeerAddress};
    /// # fn main() -> std::io::Result<()> {
    /// # let name = format!("\0fastsock-doc-unix-{}", std::process::id());
    /// let listener = Listener::bind_unix(&name)?; // Abstract: it starts with NUL.
    /// assert_eq!(listener.local_addr()?.unix_bytes(), Some(name.as_bytes()));
    /// let ip = PeerAddress::from(std::net::SocketAddr::from(([127, 0, 0, 1], 80)));
    /// assert_eq!(ip.unix_bytes(), None);
    /// # Ok(())
    /// # }
    /// ```
    pub fn unix_bytes(&self) -> Option<&[u8]> {
        if self.family() != libc::AF_UNIX {
            return None;
        }
        let start = offset_of!(libc::sockaddr_un, sun_path);
        let len = (self.0.len as usize).saturating_sub(start);
        let whole = (&raw const self.0.storage).cast::<u8>();
        // SAFETY: the kernel wrote `len` bytes at most, all inside the storage, which is larger than a sockaddr_un.
        let path = unsafe { std::slice::from_raw_parts(whole.add(start), len) };
        if path.first() == Some(&0) {
            return Some(path);
        }
        // The kernel counts the terminating NUL of a path.
        Some(path.split(|&byte| byte == 0).next().unwrap_or(path))
    }
}

impl From<SocketAddr> for PeerAddress {
    fn from(address: SocketAddr) -> PeerAddress {
        let mut raw = RawAddress::empty();
        match address {
            SocketAddr::V4(v4) => {
                let to = (&raw mut raw.storage).cast::<libc::sockaddr_in>();
                // SAFETY: the storage is large and aligned enough for every family's address.
                unsafe {
                    (*to).sin_family = libc::AF_INET as libc::sa_family_t;
                    (*to).sin_port = v4.port().to_be();
                    (*to).sin_addr.s_addr = u32::from(*v4.ip()).to_be();
                }
                raw.len = size_of::<libc::sockaddr_in>() as libc::socklen_t;
            }
            SocketAddr::V6(v6) => {
                let to = (&raw mut raw.storage).cast::<libc::sockaddr_in6>();
                // SAFETY: as above.
                unsafe {
                    (*to).sin6_family = libc::AF_INET6 as libc::sa_family_t;
                    (*to).sin6_port = v6.port().to_be();
                    (*to).sin6_addr.s6_addr = v6.ip().octets();
                    (*to).sin6_flowinfo = v6.flowinfo().to_be();
                    (*to).sin6_scope_id = v6.scope_id();
                }
                raw.len = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
            }
        }
        PeerAddress(raw)
    }
}

impl TryFrom<&Path> for PeerAddress {
    type Error = io::Error;

    /// A Unix address. One that starts with NUL is abstract.
    ///
    /// # Errors
    /// `ENAMETOOLONG` beyond 107 bytes; `EINVAL` for a NUL inside.
    fn try_from(path: &Path) -> io::Result<PeerAddress> {
        let bytes = path.as_os_str().as_bytes();
        let mut raw = RawAddress::empty();
        let to = (&raw mut raw.storage).cast::<libc::sockaddr_un>();
        // SAFETY: the storage is larger than a sockaddr_un.
        let to = unsafe { &mut *to };
        if bytes.len() >= to.sun_path.len() {
            return Err(error::with(libc::ENAMETOOLONG, "a Unix socket's path has at most 107 bytes (unix(7))"));
        }
        let is_abstract = bytes.first() == Some(&0);
        if !is_abstract && bytes.contains(&0) {
            return Err(error::with(libc::EINVAL, "a Unix socket's path has no NUL in it"));
        }
        to.sun_family = libc::AF_UNIX as libc::sa_family_t;
        for (place, &byte) in to.sun_path.iter_mut().zip(bytes) {
            *place = byte as libc::c_char;
        }
        let nul = usize::from(!is_abstract && !bytes.is_empty());
        raw.len = (offset_of!(libc::sockaddr_un, sun_path) + bytes.len() + nul) as libc::socklen_t;
        Ok(PeerAddress(raw))
    }
}

impl fmt::Debug for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.ip(), self.unix_bytes()) {
            (Some(ip), _) => ip.fmt(f),
            (None, Some(path)) => write!(f, "unix:{:?}", OsStr::from_bytes(path)),
            (None, None) => write!(f, "family {}", self.family()),
        }
    }
}
