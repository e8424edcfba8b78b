//! Sockets and descriptors, as far as the reactor itself needs them.

use std::io;
use std::mem;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use super::syscall;

/// EPERM for what epoll refuses as well (regular files and directories are always ready), EBADF for what is not open.
pub(crate) fn pollable(fd: RawFd) -> io::Result<()> {
    // SAFETY: all-zero bytes are a valid `stat`.
    let mut stat: libc::stat = unsafe { mem::zeroed() };
    // SAFETY: `stat` is a valid place to write to; any number may be asked about.
    syscall!(libc::fstat(fd, &mut stat))?;
    match stat.st_mode & libc::S_IFMT {
        libc::S_IFREG | libc::S_IFDIR | libc::S_IFBLK => Err(io::Error::from_raw_os_error(libc::EPERM)),
        _ => Ok(()),
    }
}

pub(crate) fn set_nonblocking(fd: RawFd, on: bool) -> io::Result<()> {
    // SAFETY: F_GETFL and F_SETFL take an integer, and any number may be asked about.
    let flags = syscall!(libc::fcntl(fd, libc::F_GETFL))?;
    let wanted = if on { flags | libc::O_NONBLOCK } else { flags & !libc::O_NONBLOCK };
    if wanted != flags {
        // SAFETY: as above.
        syscall!(libc::fcntl(fd, libc::F_SETFL, wanted))?;
    }
    Ok(())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn set_cloexec(fd: RawFd) -> io::Result<()> {
    // SAFETY: F_SETFD takes an integer.
    syscall!(libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC)).map(drop)
}

/// A socket address as the kernel gives and takes it.
#[derive(Clone, Copy)]
pub(crate) struct RawAddress {
    pub(crate) storage: libc::sockaddr_storage,
    pub(crate) len: libc::socklen_t,
}

impl RawAddress {
    pub(crate) fn empty() -> RawAddress {
        // SAFETY: all-zero bytes are a valid `sockaddr_storage`.
        RawAddress { storage: unsafe { mem::zeroed() }, len: mem::size_of::<libc::sockaddr_storage>() as _ }
    }
}

/// A close-on-exec, non-blocking socket.
pub(crate) fn socket(family: libc::c_int, kind: libc::c_int) -> io::Result<OwnedFd> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    // SAFETY: three integers.
    let fd = syscall!(libc::socket(family, kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0))?;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    // SAFETY: three integers.
    let fd = syscall!(libc::socket(family, kind, 0))?;
    // SAFETY: the kernel has just made this descriptor for us alone.
    let owned = unsafe { OwnedFd::from_raw_fd(fd) };
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        set_nonblocking(fd, true)?;
        set_cloexec(fd)?;
    }
    Ok(owned)
}

/// Two connected, close-on-exec, non-blocking Unix sockets.
pub(crate) fn pair(kind: libc::c_int) -> io::Result<(OwnedFd, OwnedFd)> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let kind = kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    let mut fds = [-1; 2];
    // SAFETY: the array has room for both.
    syscall!(libc::socketpair(libc::AF_UNIX, kind, 0, fds.as_mut_ptr()))?;
    // SAFETY: the kernel has just made these descriptors for us alone.
    let pair = unsafe { (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])) };
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    for fd in fds {
        set_nonblocking(fd, true)?;
        set_cloexec(fd)?;
    }
    Ok(pair)
}

pub(crate) fn bind(fd: RawFd, address: &RawAddress) -> io::Result<()> {
    // SAFETY: the address is valid for `len` bytes.
    syscall!(libc::bind(fd, (&raw const address.storage).cast(), address.len)).map(drop)
}

pub(crate) fn listen(fd: RawFd, backlog: libc::c_int) -> io::Result<()> {
    // SAFETY: any number may be asked about.
    syscall!(libc::listen(fd, backlog)).map(drop)
}

pub(crate) fn local_address(fd: RawFd) -> io::Result<RawAddress> {
    let mut address = RawAddress::empty();
    // SAFETY: the storage has room for `len` bytes.
    syscall!(libc::getsockname(fd, (&raw mut address.storage).cast(), &mut address.len))?;
    Ok(address)
}

pub(crate) fn peer_address(fd: RawFd) -> io::Result<RawAddress> {
    let mut address = RawAddress::empty();
    // SAFETY: the storage has room for `len` bytes.
    syscall!(libc::getpeername(fd, (&raw mut address.storage).cast(), &mut address.len))?;
    Ok(address)
}

pub(crate) fn connect(fd: RawFd, address: &RawAddress) -> io::Result<()> {
    // SAFETY: the address is valid for `len` bytes.
    syscall!(libc::connect(fd, (&raw const address.storage).cast(), address.len)).map(drop)
}

pub(crate) fn shutdown(fd: RawFd, how: libc::c_int) -> io::Result<()> {
    // SAFETY: two integers.
    syscall!(libc::shutdown(fd, how)).map(drop)
}

/// Whether the socket could be written to, or has failed: asked, not waited for.
pub(crate) fn is_settled(fd: RawFd) -> io::Result<bool> {
    let mut entry = libc::pollfd { fd, events: libc::POLLOUT, revents: 0 };
    // SAFETY: one entry, on this frame.
    syscall!(libc::poll(&mut entry, 1, 0)).map(|ready| ready != 0)
}

/// accept4(2): the new socket is non-blocking and close-on-exec from the start.
pub(crate) fn accept(fd: RawFd) -> io::Result<(OwnedFd, RawAddress)> {
    let mut address = RawAddress::empty();
    #[cfg(any(target_os = "linux", target_os = "android"))]
    // SAFETY: the storage has room for `len` bytes.
    let new = syscall!(libc::accept4(
        fd,
        (&raw mut address.storage).cast(),
        &mut address.len,
        libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK
    ))?;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    // SAFETY: the storage has room for `len` bytes.
    let new = syscall!(libc::accept(fd, (&raw mut address.storage).cast(), &mut address.len))?;
    // SAFETY: the kernel has just made this descriptor for us alone.
    let new_fd = unsafe { OwnedFd::from_raw_fd(new) };
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        set_nonblocking(new, true)?;
        set_cloexec(new)?;
    }
    Ok((new_fd, address))
}

/// A descriptor held in reserve, to be given up when the process has run out of them.
pub(crate) fn spare() -> io::Result<OwnedFd> {
    // SAFETY: the path is NUL-terminated.
    let fd = syscall!(libc::open(c"/dev/null".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC))?;
    // SAFETY: the kernel has just made this descriptor for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
