use std::io;
use std::os::fd::AsFd;

use super::Int;
use crate::error;
use crate::sys::options;

/// What this kernel or this socket has not is `EOPNOTSUPP`, whatever the kernel calls it.
fn or_unsupported<T>(result: io::Result<T>, sentence: &'static str) -> io::Result<T> {
    result.map_err(|error| match error.raw_os_error() {
        Some(libc::ENOPROTOOPT | libc::EOPNOTSUPP) => error::with(libc::EOPNOTSUPP, sentence),
        _ => error,
    })
}

const NO_GSO: &str = "UDP_SEGMENT needs a UDP socket and Linux 4.18: send the datagrams one by one";
const NO_GRO: &str = "UDP_GRO needs a UDP socket and Linux 5.0: receive the datagrams one by one";

/// The options of UDP: udp(7). See [`SendBatch`](crate::net::SendBatch) for an example.
pub trait UdpOptions: AsFd {
    /// `UDP_SEGMENT`: every message that is sent is cut into datagrams of this many bytes (the last may be shorter), which
    /// costs one system call and one way through the kernel for all of them; 0, as at first: not cut. For single
    /// messages: [`SendBatch::push_segments`](crate::net::SendBatch::push_segments).
    ///
    /// # Errors
    /// `EOPNOTSUPP`: no UDP socket, or a kernel older than 4.18.
    fn segment_size(&self) -> io::Result<u32> {
        or_unsupported(options::get(self.as_fd(), libc::SOL_UDP, libc::UDP_SEGMENT), NO_GSO).map(u32::from_int)
    }

    /// Sets [`segment_size`](Self::segment_size): 0 to 65,535 bytes.
    ///
    /// # Errors
    /// As there; `EINVAL`: larger.
    fn set_segment_size(&self, bytes: u32) -> io::Result<()> {
        or_unsupported(options::set(self.as_fd(), libc::SOL_UDP, libc::UDP_SEGMENT, bytes.to_int()?), NO_GSO)
    }

    /// `UDP_GRO`: datagrams of one size from one sender may come joined, as one message of 65,535 bytes at most; receive
    /// with a [`RecvBatch`](crate::net::RecvBatch), which tells where to part them.
    ///
    /// # Errors
    /// `EOPNOTSUPP`: no UDP socket, or a kernel older than 5.0.
    fn gro(&self) -> io::Result<bool> {
        or_unsupported(options::get(self.as_fd(), libc::SOL_UDP, libc::UDP_GRO), NO_GRO).map(bool::from_int)
    }

    /// Sets [`gro`](Self::gro).
    ///
    /// # Errors
    /// As there.
    fn set_gro(&self, on: bool) -> io::Result<()> {
        or_unsupported(options::set(self.as_fd(), libc::SOL_UDP, libc::UDP_GRO, on.to_int()?), NO_GRO)
    }
}

impl<T: AsFd + ?Sized> UdpOptions for T {}
