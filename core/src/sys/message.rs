//! What goes through a socket: bytes, datagrams, descriptors, files. No call here raises SIGPIPE unless it says so.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

#[cfg(any(target_os = "linux", target_os = "android"))]
use super::sigpipe::without_sigpipe;
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

/// The kernel's `SCM_MAX_FD`: the most descriptors that one message carries.
pub(crate) const MOST_FDS: usize = 253;

/// Room for that many descriptors and for the sender's credentials, aligned as a `cmsghdr`.
type FdControl = [u64; 136];

pub(crate) fn send_fds(fd: BorrowedFd<'_>, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let fds = &fds[..fds.len().min(MOST_FDS)];
    let mut control: FdControl = [0; 136];
    let mut buffer = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let mut header = empty_header();
    header.msg_iov = &mut buffer;
    header.msg_iovlen = 1;
    if !fds.is_empty() {
        let len = size_of_val(fds) as libc::c_uint;
        header.msg_control = control.as_mut_ptr().cast();
        // SAFETY: arithmetic; then one header and `len` bytes behind it, for which the control data has room. A
        // `BorrowedFd` has the layout of the descriptor that it holds.
        unsafe {
            header.msg_controllen = libc::CMSG_SPACE(len) as _;
            let first = libc::CMSG_FIRSTHDR(&header);
            (*first).cmsg_level = libc::SOL_SOCKET;
            (*first).cmsg_type = libc::SCM_RIGHTS;
            (*first).cmsg_len = libc::CMSG_LEN(len) as _;
            libc::CMSG_DATA(first).copy_from_nonoverlapping(fds.as_ptr().cast(), len as usize);
        }
    }
    // SAFETY: the header names the bytes and the control data, which outlive the call; nothing is written to the bytes.
    let sent = syscall!(libc::sendmsg(fd.as_raw_fd(), &header, libc::MSG_NOSIGNAL))?;
    Ok(sent as usize)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
const CLOEXEC: libc::c_int = libc::MSG_CMSG_CLOEXEC;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const CLOEXEC: libc::c_int = 0;

/// The kernel's `SCM_PIDFD`, which comes with every message where `SO_PASSPIDFD` is set (Linux 6.5).
const PIDFD: libc::c_int = 4;

/// The descriptors that came with a message; those that nobody sent (a pidfd) are closed.
///
/// # Safety
/// The kernel has written the control data that the header names, and nobody has taken its descriptors yet.
unsafe fn take_fds(header: &libc::msghdr) -> Vec<OwnedFd> {
    let mut fds = Vec::new();
    // SAFETY: the kernel wrote `msg_controllen` bytes of control data, as promised.
    let mut message = unsafe { libc::CMSG_FIRSTHDR(header) };
    while !message.is_null() {
        // SAFETY: the two functions give headers that lie whole inside the control data, with `cmsg_len` bytes each; of
        // these kinds they are descriptors, which the kernel has made for us alone.
        unsafe {
            let kind = ((*message).cmsg_level, (*message).cmsg_type);
            if kind == (libc::SOL_SOCKET, libc::SCM_RIGHTS)
                || (cfg!(target_os = "linux") && kind == (libc::SOL_SOCKET, PIDFD))
            {
                let len = (*message).cmsg_len as usize - libc::CMSG_LEN(0) as usize;
                let data = libc::CMSG_DATA(message).cast::<RawFd>();
                for n in 0..len / size_of::<RawFd>() {
                    let fd = OwnedFd::from_raw_fd(data.add(n).read_unaligned());
                    if kind.1 == libc::SCM_RIGHTS {
                        fds.push(fd);
                    }
                }
            }
            message = libc::CMSG_NXTHDR(header, message);
        }
    }
    fds
}

/// How many bytes came, which descriptors (a few more than `limit`, perhaps), and the message's flags.
pub(crate) fn recv_fds(
    fd: BorrowedFd<'_>,
    bytes: &mut [u8],
    limit: usize,
) -> io::Result<(usize, Vec<OwnedFd>, libc::c_int)> {
    let limit = limit.min(MOST_FDS);
    // Before the kernel makes descriptors that nobody owns yet.
    let mut fds = Vec::with_capacity(limit + 8);
    let mut control: FdControl = [0; 136];
    let mut buffer = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    let mut header = empty_header();
    header.msg_iov = &mut buffer;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    // SAFETY: arithmetic.
    let room = unsafe { libc::CMSG_SPACE(3 * 4) + libc::CMSG_LEN((limit * size_of::<RawFd>()) as _) };
    header.msg_controllen = room as _;
    // SAFETY: the header names the buffer and the control data, which have room for what it says and outlive the call.
    let received = syscall!(libc::recvmsg(fd.as_raw_fd(), &mut header, CLOEXEC))? as usize;
    // SAFETY: the kernel has just written the control data, and nobody has looked at it.
    fds.extend(unsafe { take_fds(&header) });
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    for fd in &fds {
        super::socket::set_cloexec(fd.as_raw_fd())?;
    }
    Ok((received, fds, header.msg_flags))
}

/// sendfile(2). It knows no flag against SIGPIPE, so that is kept away from the process by hand.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn send_file(fd: BorrowedFd<'_>, file: BorrowedFd<'_>, offset: u64, count: usize) -> io::Result<usize> {
    let mut offset =
        libc::off_t::try_from(offset).map_err(|_| crate::error::with(libc::EOVERFLOW, "no file is as long as that"))?;
    // Linux moves no more than this in one call, and takes counts beyond `isize` for negative ones.
    let count = count.min(0x7fff_f000);
    without_sigpipe(count, || {
        // SAFETY: the offset lives on this frame.
        syscall!(libc::sendfile(fd.as_raw_fd(), file.as_raw_fd(), &mut offset, count)).map(|sent| sent as usize)
    })
}

/// The most messages that sendmmsg(2) takes at a time.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) const MOST_MESSAGES: usize = MOST_BUFFERS;

/// Room for control data: a segment size, and some others that the user may have asked the kernel for.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[derive(Clone, Copy)]
#[repr(C, align(8))] // As a `cmsghdr`.
struct Control([u8; 128]);

/// One message of a batch to be sent.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[derive(Clone, Copy)]
pub(crate) struct Outgoing {
    /// Where in the batch's bytes it is.
    pub(crate) start: usize,
    pub(crate) len: usize,
    pub(crate) to: Option<RawAddress>,
    /// Cut into datagrams of this size (`UDP_SEGMENT`); 0: whole.
    pub(crate) segment: u16,
}

/// What recvmmsg(2) and sendmmsg(2) want beside the bytes: allocated once, written anew before every call.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) struct Headers {
    messages: Box<[libc::mmsghdr]>,
    buffers: Box<[libc::iovec]>,
    addresses: Box<[RawAddress]>,
    controls: Box<[Control]>,
}

// SAFETY: the pointers inside are followed in `recv` and `send` alone, which write them first, and which need `&mut`.
#[cfg(any(target_os = "linux", target_os = "android"))]
unsafe impl Send for Headers {}
// SAFETY: as above.
#[cfg(any(target_os = "linux", target_os = "android"))]
unsafe impl Sync for Headers {}

#[cfg(any(target_os = "linux", target_os = "android"))]
impl Headers {
    pub(crate) fn new(count: usize) -> Headers {
        let message = libc::mmsghdr { msg_hdr: empty_header(), msg_len: 0 };
        let buffer = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
        Headers {
            messages: vec![message; count].into(),
            buffers: vec![buffer; count].into(),
            addresses: vec![RawAddress::empty(); count].into(),
            controls: vec![Control([0; 128]); count].into(),
        }
    }

    /// Receives at most as many messages as there are headers, the n-th into the n-th `size` bytes.
    pub(crate) fn recv(&mut self, fd: BorrowedFd<'_>, bytes: &mut [u8], size: usize) -> io::Result<usize> {
        let mut count = 0;
        for (n, room) in bytes.chunks_exact_mut(size).take(self.messages.len()).enumerate() {
            self.buffers[n] = libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: size };
            let header = &mut self.messages[n].msg_hdr;
            header.msg_name = (&raw mut self.addresses[n].storage).cast();
            header.msg_namelen = size_of::<libc::sockaddr_storage>() as _;
            header.msg_iov = &raw mut self.buffers[n];
            header.msg_iovlen = 1;
            header.msg_control = (&raw mut self.controls[n]).cast();
            header.msg_controllen = size_of::<Control>() as _;
            header.msg_flags = 0;
            count = n + 1;
        }
        let messages = self.messages.as_mut_ptr();
        // SAFETY: `count` headers were written above, and all that they name is alive and has room.
        let received =
            syscall!(libc::recvmmsg(fd.as_raw_fd(), messages, count as _, CLOEXEC as _, std::ptr::null_mut()))?
                as usize;
        for (message, address) in self.messages.iter().zip(&mut self.addresses).take(received) {
            address.len = message.msg_hdr.msg_namelen;
            // Any sender may send descriptors along, over a Unix socket, and they are ours now.
            // SAFETY: the kernel has just written this message's control data, and nobody has looked at it.
            drop(unsafe { take_fds(&message.msg_hdr) });
        }
        Ok(received)
    }

    /// Of the n-th message received: its length, whether it was cut short, and who sent it.
    pub(crate) fn received(&self, n: usize) -> (usize, bool, RawAddress) {
        let message = &self.messages[n];
        (message.msg_len as usize, message.msg_hdr.msg_flags & libc::MSG_TRUNC != 0, self.addresses[n])
    }

    /// The size of the datagrams that the kernel joined to make the n-th message (`UDP_GRO`).
    pub(crate) fn segment(&self, n: usize) -> Option<usize> {
        let mut header = self.messages[n].msg_hdr;
        // A pointer of this borrow, in place of the one that `recv` made from its own.
        header.msg_control = (&raw const self.controls[n]).cast_mut().cast();
        // SAFETY: the kernel wrote `msg_controllen` bytes of control data to `controls`, which the header names.
        let mut control = unsafe { libc::CMSG_FIRSTHDR(&header) };
        while !control.is_null() {
            // SAFETY: the two functions give headers that lie whole inside the control data.
            let (level, kind) = unsafe { ((*control).cmsg_level, (*control).cmsg_type) };
            if (level, kind) == (libc::SOL_UDP, libc::UDP_GRO) {
                // SAFETY: this kind's data is one int.
                let size = unsafe { libc::CMSG_DATA(control).cast::<libc::c_int>().read_unaligned() };
                return usize::try_from(size).ok().filter(|&size| size > 0);
            }
            // SAFETY: as above.
            control = unsafe { libc::CMSG_NXTHDR(&header, control) };
        }
        None
    }

    /// Sends these messages, as many as there are headers at most; how many were sent.
    pub(crate) fn send(&mut self, fd: BorrowedFd<'_>, bytes: &[u8], outgoing: &[Outgoing]) -> io::Result<usize> {
        let count = outgoing.len().min(self.messages.len());
        for (n, out) in outgoing.iter().take(count).enumerate() {
            let part = &bytes[out.start..out.start + out.len];
            // The kernel does not write to what is sent.
            self.buffers[n] = libc::iovec { iov_base: part.as_ptr().cast_mut().cast(), iov_len: part.len() };
            let header = &mut self.messages[n].msg_hdr;
            *header = empty_header();
            header.msg_iov = &raw mut self.buffers[n];
            header.msg_iovlen = 1;
            if let Some(to) = out.to {
                self.addresses[n] = to;
                header.msg_name = (&raw mut self.addresses[n].storage).cast();
                header.msg_namelen = to.len;
            }
            if out.segment > 0 {
                header.msg_control = (&raw mut self.controls[n]).cast();
                // SAFETY: the control data has room for one header with two bytes, aligned as it wants.
                unsafe {
                    header.msg_controllen = libc::CMSG_SPACE(size_of::<u16>() as _) as _;
                    let control = libc::CMSG_FIRSTHDR(header);
                    (*control).cmsg_level = libc::SOL_UDP;
                    (*control).cmsg_type = libc::UDP_SEGMENT;
                    (*control).cmsg_len = libc::CMSG_LEN(size_of::<u16>() as _) as _;
                    libc::CMSG_DATA(control).cast::<u16>().write_unaligned(out.segment);
                }
            }
        }
        // SAFETY: `count` headers were written above, and all that they name is alive.
        let sent =
            syscall!(libc::sendmmsg(fd.as_raw_fd(), self.messages.as_mut_ptr(), count as _, libc::MSG_NOSIGNAL as _))?;
        Ok(sent as usize)
    }
}
