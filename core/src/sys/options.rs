//! getsockopt(2) and setsockopt(2).

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::syscall;

/// What the kernel reads and writes as the value of an option.
///
/// # Safety
/// Plain data without padding that the kernel might read, and every pattern of bits is a value.
pub(crate) unsafe trait Value: Copy {}

// SAFETY: integers, and C structs of nothing but integers.
unsafe impl Value for libc::c_int {}
// SAFETY: as above.
unsafe impl Value for libc::linger {}
// SAFETY: as above.
unsafe impl Value for libc::in_addr {}
// SAFETY: as above.
unsafe impl Value for libc::ip_mreq {}
// SAFETY: as above.
unsafe impl Value for libc::ipv6_mreq {}
// SAFETY: as above.
unsafe impl Value for libc::timeval {}
#[cfg(any(target_os = "linux", target_os = "android"))]
// SAFETY: as above.
unsafe impl Value for libc::ip_mreq_source {}
#[cfg(any(target_os = "linux", target_os = "android"))]
// SAFETY: as above.
unsafe impl Value for libc::ucred {}

pub(crate) fn get<T: Value>(fd: BorrowedFd<'_>, level: libc::c_int, name: libc::c_int) -> io::Result<T> {
    let mut value = MaybeUninit::<T>::zeroed();
    let mut len = size_of::<T>() as libc::socklen_t;
    // SAFETY: the value has room for `len` bytes.
    syscall!(libc::getsockopt(fd.as_raw_fd(), level, name, value.as_mut_ptr().cast(), &mut len))?;
    // SAFETY: what the kernel did not write is zero, and every pattern of bits is a value.
    Ok(unsafe { value.assume_init() })
}

pub(crate) fn set<T: Value>(fd: BorrowedFd<'_>, level: libc::c_int, name: libc::c_int, value: T) -> io::Result<()> {
    let len = size_of::<T>() as libc::socklen_t;
    // SAFETY: the value lives on this frame and is `len` bytes long.
    syscall!(libc::setsockopt(fd.as_raw_fd(), level, name, (&raw const value).cast(), len)).map(drop)
}

/// The value's bytes, as many as the kernel gave.
pub(crate) fn get_bytes<'v>(
    fd: BorrowedFd<'_>,
    level: libc::c_int,
    name: libc::c_int,
    value: &'v mut [u8],
) -> io::Result<&'v [u8]> {
    let mut len = value.len() as libc::socklen_t;
    // SAFETY: the value has room for `len` bytes.
    syscall!(libc::getsockopt(fd.as_raw_fd(), level, name, value.as_mut_ptr().cast(), &mut len))?;
    Ok(&value[..(len as usize).min(value.len())])
}

pub(crate) fn set_bytes(fd: BorrowedFd<'_>, level: libc::c_int, name: libc::c_int, value: &[u8]) -> io::Result<()> {
    // SAFETY: the value is valid for its length.
    syscall!(libc::setsockopt(fd.as_raw_fd(), level, name, value.as_ptr().cast(), value.len() as _)).map(drop)
}
