//! Datagrams that come several at a time. Linux.

use std::ffi::c_int;
use std::ptr;

use fastsock::net::{PeerAddress, RecvBatch};

use crate::error::{Code, Result};
use crate::guard::guard;
use crate::handle::{self, Handle};

/// Datagram flag: it was longer than its room, and the rest is lost.
pub const FSOCK_DATAGRAM_TRUNCATED: u32 = 1;

/// A datagram that came: an element of fsock_recv_batch_recv's array. It and what it points at are valid until the batch is
/// used again.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct fsock_datagram {
    /// What is in it.
    pub bytes: *const u8,
    /// How many bytes that is: 0 for an empty datagram.
    pub length: usize,
    /// Who sent it, as from_length bytes of a struct sockaddr.
    pub from: *const libc::sockaddr,
    /// A socklen_t: 0 when the sender has no address.
    pub from_length: u32,
    /// 0, or FSOCK_DATAGRAM_TRUNCATED.
    pub flags: u32,
    /// Of datagrams that the kernel has joined (UDP_GRO, udp(7)) the size of each, the last may be shorter; else 0.
    pub segment: u32,
    /// 0.
    pub reserved: u32,
}

/// Room for datagrams that come several at a time. Made by fsock_recv_batch_new, ended by fsock_recv_batch_free.
pub struct fsock_recv_batch {
    batch: RecvBatch,
    /// Where the senders' addresses are kept for C.
    senders: Vec<PeerAddress>,
    datagrams: Vec<fsock_datagram>,
}

impl Handle for fsock_recv_batch {}

/// Makes room for so many datagrams at a time (1 to 1024) of so many bytes each (at least 1). With UDP_GRO give each
/// 65535. Allocated once, here, and used again and again.
///
/// Returns: 0, and the batch in *out. Errors: -EINVAL (a null pointer, or a number out of range), -ENOMEM (more than
/// 1 GiB in all). Ownership: the batch is the caller's, until fsock_recv_batch_free. Thread: any; a batch is used on one
/// thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_recv_batch_new(datagrams: usize, size: usize, out: *mut *mut fsock_recv_batch) -> c_int {
    guard(|| {
        // SAFETY: C gave a place for a pointer, by the header's contract.
        let place = unsafe { handle::out(out) }?;
        checked(datagrams, datagrams.saturating_mul(size))?;
        if size == 0 {
            return Err(Code::INVALID);
        }
        let batch = RecvBatch::new(datagrams, size);
        let (senders, datagrams) = (Vec::with_capacity(datagrams), Vec::with_capacity(datagrams));
        *place = fsock_recv_batch { batch, senders, datagrams }.give();
        Ok(0)
    })
}

/// A batch of a size that can be allocated.
pub(crate) fn checked(datagrams: usize, bytes: usize) -> Result<()> {
    if !(1..=1024).contains(&datagrams) {
        return Err(Code::INVALID);
    }
    // Rust ends the process when memory is short, so that a mistake must not get that far.
    if bytes > 1 << 30 { Err(Code(-libc::ENOMEM)) } else { Ok(()) }
}

/// Receives the datagrams that are there, as many as the batch has room for, in one recvmmsg(2). Make the socket
/// non-blocking, or this waits until the batch is full.
///
/// Returns: how many, at least 1, and in *datagrams the first of an array of so many; what the batch held before is gone.
/// Errors: -EAGAIN (there is none: wait until it is readable), -ECONNREFUSED (news of one sent earlier), -EBADF, -ENOTSOCK,
/// -EINVAL (a null pointer); an error after the first datagram is told by the next call.
/// Ownership: the array is the batch's, until that is used again or freed. Thread: any, one at a time for each batch.
/// Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_recv_batch_recv(
    batch: *mut fsock_recv_batch,
    fd: c_int,
    datagrams: *mut *const fsock_datagram,
) -> c_int {
    guard(|| {
        // SAFETY: one of ours, not freed yet and used by nobody else now, by the header's contract; so is the place.
        let (batch, place) = unsafe { (handle::out(batch)?, handle::out(datagrams)?) };
        let count = batch.batch.recv(handle::descriptor(fd)?)?;
        batch.senders.clear();
        batch.senders.extend(batch.batch.iter().map(|datagram| datagram.from()));
        let rows = batch.batch.iter().zip(&batch.senders).map(|(datagram, sender)| {
            let (bytes, from) = (datagram.bytes(), sender.as_bytes());
            let first = datagram.segments().next().map_or(0, <[u8]>::len);
            fsock_datagram {
                bytes: bytes.as_ptr(),
                length: bytes.len(),
                from: if from.is_empty() { ptr::null() } else { from.as_ptr().cast() },
                from_length: from.len() as u32,
                flags: if datagram.is_truncated() { FSOCK_DATAGRAM_TRUNCATED } else { 0 },
                segment: if first < bytes.len() { first as u32 } else { 0 },
                reserved: 0,
            }
        });
        batch.datagrams.clear();
        batch.datagrams.extend(rows);
        *place = batch.datagrams.as_ptr();
        Ok(count as c_int)
    })
}

/// Ends a batch. NULL is fine.
///
/// Returns: 0. Errors: none. Ownership: the batch is the library's again. Thread: any. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_recv_batch_free(batch: *mut fsock_recv_batch) -> c_int {
    guard(|| {
        // SAFETY: one of ours and not freed yet, by the header's contract.
        drop(unsafe { fsock_recv_batch::take(batch) });
        Ok(0)
    })
}
