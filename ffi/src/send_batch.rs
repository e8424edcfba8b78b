//! Datagrams that are sent several at a time. Linux.

use std::ffi::{c_int, c_void};
use std::slice;

use fastsock::net::SendBatch;

use crate::address;
use crate::error::Code;
use crate::guard::guard;
use crate::handle::{self, Handle};
use crate::recv_batch::checked;

/// Datagrams to be sent several at a time. Made by fsock_send_batch_new, ended by fsock_send_batch_free.
pub struct fsock_send_batch(SendBatch);

impl Handle for fsock_send_batch {}

/// Makes room for so many datagrams (1 to 1024) that have so many bytes in all. Allocated once, here, and used again and
/// again.
///
/// Returns: 0, and the batch in *out. Errors: -EINVAL (a null pointer, or a number out of range), -ENOMEM (more than
/// 1 GiB in all). Ownership: the batch is the caller's, until fsock_send_batch_free. Thread: any; a batch is used on one
/// thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_send_batch_new(
    datagrams: usize,
    bytes: usize,
    out: *mut *mut fsock_send_batch,
) -> c_int {
    guard(|| {
        // SAFETY: C gave a place for a pointer, by the header's contract.
        let place = unsafe { handle::out(out) }?;
        checked(datagrams, bytes)?;
        *place = fsock_send_batch(SendBatch::new(datagrams, bytes)).give();
        Ok(0)
    })
}

/// Copies a datagram in, for this address, or, if to is NULL, for the one that the socket is connected to.
///
/// bytes may be NULL when length is 0: an empty datagram. With a segment size that is not 0 the kernel cuts it into
/// datagrams of that many bytes, the last may be shorter: UDP_SEGMENT, udp(7); at most 64 of them and 65507 bytes in all.
///
/// Returns: 0. Errors: -ENOBUFS (there is no room: send first, room comes back when all have been sent; in an empty batch:
/// it is larger than the batch), -EINVAL (a null pointer, a segment beyond 65535, or a length that no address has).
/// Ownership: nothing is kept. Thread: any, one at a time for each batch. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_send_batch_push(
    batch: *mut fsock_send_batch,
    bytes: *const c_void,
    length: usize,
    segment: u32,
    to: *const libc::sockaddr,
    to_length: u32,
) -> c_int {
    guard(|| {
        // SAFETY: one of ours, not freed yet and used by nobody else now, by the header's contract.
        let batch = unsafe { handle::out(batch) }?;
        let segment = u16::try_from(segment).map_err(|_| Code::INVALID)?;
        let bytes = match (bytes.is_null(), length) {
            (_, 0) => &[][..],
            (true, _) => return Err(Code::INVALID),
            // No memory is that long.
            (false, _) if length > isize::MAX as usize => return Err(Code::NO_ROOM),
            // SAFETY: C gave bytes of that length, by the header's contract.
            (false, _) => unsafe { slice::from_raw_parts(bytes.cast::<u8>(), length) },
        };
        // SAFETY: C gave an address of that length, by the header's contract.
        let to = if to.is_null() { None } else { Some(unsafe { address::read(to, to_length) }?) };
        if batch.0.push_segments(bytes, segment, to) { Ok(0) } else { Err(Code::NO_ROOM) }
    })
}

/// Sends what the kernel takes now, in one sendmmsg(2). No SIGPIPE comes of it.
///
/// Returns: how many datagrams have left the batch, which keeps the others for the next call; 0 for an empty batch.
/// Errors: about the first that is still to be sent: -EAGAIN (wait until it is writable), -ECONNREFUSED (news of an
/// earlier one: call again), -EMSGSIZE, -ENETUNREACH, -EDESTADDRREQ (fsock_send_batch_skip gives it up), -EOPNOTSUPP
/// (segments, on a socket or a kernel that cannot cut them), -EBADF, -ENOTSOCK, -EINVAL (a null pointer).
/// Ownership: nothing changes hands. Thread: any, one at a time for each batch. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_send_batch_send(batch: *mut fsock_send_batch, fd: c_int) -> c_int {
    guard(|| {
        // SAFETY: one of ours, not freed yet and used by nobody else now, by the header's contract.
        let batch = unsafe { handle::out(batch) }?;
        Ok(batch.0.send(handle::descriptor(fd)?)? as c_int)
    })
}

/// How many datagrams are still to be sent; one that is to be cut counts as one.
///
/// Returns: the number. Errors: -EINVAL (a null pointer). Ownership: nothing changes hands. Thread: any, one at a time for each batch. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_send_batch_length(batch: *const fsock_send_batch) -> c_int {
    guard(|| {
        // SAFETY: one of ours and not freed yet, by the header's contract.
        let batch = unsafe { fsock_send_batch::borrow(batch) }?;
        Ok(batch.0.len() as c_int)
    })
}

/// Gives up the first datagram that is still to be sent: the one that an error of fsock_send_batch_send is about. Nothing
/// happens to an empty batch.
///
/// Returns: 0. Errors: -EINVAL (a null pointer). Ownership: nothing changes hands. Thread: any, one at a time for each
/// batch. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_send_batch_skip(batch: *mut fsock_send_batch) -> c_int {
    guard(|| {
        // SAFETY: one of ours, not freed yet and used by nobody else now, by the header's contract.
        unsafe { handle::out(batch) }?.0.skip();
        Ok(0)
    })
}

/// Gives up all that is still to be sent.
///
/// Returns: 0. Errors: -EINVAL (a null pointer). Ownership: nothing changes hands. Thread: any, one at a time for each
/// batch. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_send_batch_clear(batch: *mut fsock_send_batch) -> c_int {
    guard(|| {
        // SAFETY: one of ours, not freed yet and used by nobody else now, by the header's contract.
        unsafe { handle::out(batch) }?.0.clear();
        Ok(0)
    })
}

/// Ends a batch; what is still to be sent is not. NULL is fine.
///
/// Returns: 0. Errors: none. Ownership: the batch is the library's again. Thread: any. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_send_batch_free(batch: *mut fsock_send_batch) -> c_int {
    guard(|| {
        // SAFETY: one of ours and not freed yet, by the header's contract.
        drop(unsafe { fsock_send_batch::take(batch) });
        Ok(0)
    })
}
