//! What goes through a socket: bytes, datagrams, descriptors, files. No call here raises SIGPIPE unless it says so.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::socket::RawAddress;
use super::syscall;

/// The kernel's `UIO_MAXIOV`: more buffers than this in one call are an error, so the rest is left for the next.
const MOST_BUFFERS: usize = 1024;

pub(crate) fn send(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    // SAFETY: the bytes are valid for their length.
    let sent = syscall!(libc::send(fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL))?;
    Ok(sent as usize)
}

pub(crate) fn recv(fd: BorrowedFd<'_>, buffer: &mut [u8], flags: libc::c_int) -> io::Result<usize> {
    // SAFETY: the buffer has room for its length.
    let received = syscall!(libc::recv(fd.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), flags))?;
    Ok(received as usize)
}

pub(crate) fn send_to(fd: BorrowedFd<'_>, bytes: &[u8], to: &RawAddress) -> io::Result<usize> {
    // SAFETY: the bytes are valid for their length, and so is the address for its.
    let sent = syscall!(libc::sendto(
        fd.as_raw_fd(),
        bytes.as_ptr().cast(),
        bytes.len(),
        libc::MSG_NOSIGNAL,
        (&raw const to.storage).cast(),
        to.len
    ))?;
    Ok(sent as usize)
}

pub(crate) fn recv_from(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, RawAddress)> {
    let mut from = RawAddress::empty();
    // SAFETY: the buffer has room for its length, and so has the address for its.
    let received = syscall!(libc::recvfrom(
        fd.as_raw_fd(),
        buffer.as_mut_ptr().cast(),
        buffer.len(),
        0,
        (&raw mut from.storage).cast(),
        &mut from.len
    ))?;
    Ok((received as usize, from))
}

/// A header that names no address, no buffers and no control data.
fn empty_header() -> libc::msghdr {
    // SAFETY: all-zero bytes are a valid `msghdr`; some systems pad it, so it cannot be written out.
    unsafe { mem::zeroed() }
}

pub(crate) fn send_vectored(fd: BorrowedFd<'_>, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
    let mut header = empty_header();
    // `IoSlice` has the layout of an `iovec`, and the kernel does not write to this one.
    header.msg_iov = buffers.as_ptr().cast_mut().cast();
    header.msg_iovlen = buffers.len().min(MOST_BUFFERS) as _;
    // SAFETY: the header names the buffers, which outlive the call.
    let sent = syscall!(libc::sendmsg(fd.as_raw_fd(), &header, libc::MSG_NOSIGNAL))?;
    Ok(sent as usize)
}

pub(crate) fn recv_vectored(fd: BorrowedFd<'_>, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
    let mut header = empty_header();
    header.msg_iov = buffers.as_mut_ptr().cast();
    header.msg_iovlen = buffers.len().min(MOST_BUFFERS) as _;
    // SAFETY: the header names the buffers, which have room for their lengths and outlive the call.
    let received = syscall!(libc::recvmsg(fd.as_raw_fd(), &mut header, 0))?;
    Ok(received as usize)
}
