//! Non-blocking connects from chosen loopback addresses.

use std::io;
use std::mem::size_of;
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Connections from one source address: safely fewer than the ports the kernel has for them.
pub(crate) const PER_ADDRESS: usize = 10_000;

/// The source addresses 127.0.0.2 to 127.0.0.251 in turn.
pub(crate) fn source(number: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, 2 + (number % 250) as u8)
}

/// Begins to connect; whether it came about shows when the stream gets writable.
pub(crate) fn begin(from: Option<Ipv4Addr>, to: SocketAddrV4) -> io::Result<TcpStream> {
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: the call takes no pointers.
    let fd = check(unsafe { libc::socket(libc::AF_INET, kind, 0) })?;
    // SAFETY: `fd` was just opened and belongs to nobody else.
    let stream = TcpStream::from(unsafe { OwnedFd::from_raw_fd(fd) });
    stream.set_nodelay(true)?;
    if let Some(from) = from {
        bind(&stream, from)?;
    }
    let address = raw(to);
    // SAFETY: `address` is an initialized sockaddr_in of the size given.
    let result = unsafe {
        libc::connect(
            stream.as_raw_fd(),
            (&raw const address).cast(),
            size_of::<libc::sockaddr_in>() as libc::socklen_t,
        )
    };
    match check(result) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        _ => Ok(stream),
    }
}

/// Binds to an address and leaves the port to the connect, which knows more of them to be free.
fn bind(stream: &TcpStream, from: Ipv4Addr) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: `on` is an initialized c_int of the size given.
    check(unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::SOL_IP,
            libc::IP_BIND_ADDRESS_NO_PORT,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    })?;
    let address = raw(SocketAddrV4::new(from, 0));
    // SAFETY: `address` is an initialized sockaddr_in of the size given.
    check(unsafe {
        libc::bind(stream.as_raw_fd(), (&raw const address).cast(), size_of::<libc::sockaddr_in>() as libc::socklen_t)
    })?;
    Ok(())
}

fn raw(address: SocketAddrV4) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: address.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from(*address.ip()).to_be() },
        sin_zero: [0; 8],
    }
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
