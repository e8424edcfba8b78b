//! How a loop is made.

use std::ffi::c_int;
use std::io;
use std::slice;

use fastsock::Backend;

use crate::error::{Code, Result};

/// The backend that the environment variable FASTSOCK_BACKEND names (epoll, poll or select), else the best.
pub const FSOCK_BACKEND_DEFAULT: u32 = 0;
/// epoll(7): every trigger; a wait costs by what is ready.
pub const FSOCK_BACKEND_EPOLL: u32 = 1;
/// poll(2): level and one-shot; a wait costs by what is watched.
pub const FSOCK_BACKEND_POLL: u32 = 2;
/// select(2): level and one-shot; FD_SETSIZE is no limit on Linux.
pub const FSOCK_BACKEND_SELECT: u32 = 3;

/// How to make a loop. Set it up with FSOCK_CONFIG_INIT, then change what matters: zero means the default throughout.
#[repr(C)]
pub struct fsock_config {
    /// sizeof(fsock_config): tells the library which version of the struct this is.
    pub size: u32,
    /// FSOCK_BACKEND_DEFAULT, _EPOLL, _POLL or _SELECT.
    pub backend: u32,
}

/// No struct of ours will ever be longer: a size beyond it is a mistake and is not read through.
const LONGEST: usize = 4096;

/// Reads what C gave, by the rule of copy_struct_from_user: a shorter, older struct has zeroes for the rest; a longer,
/// newer one must have zeroes where we know nothing.
///
/// # Safety
/// Null, or valid for reads of its first four bytes, and of as many as these tell.
pub(crate) unsafe fn read(config: *const fsock_config) -> Result<fsock_config> {
    let mut known = fsock_config { size: 0, backend: FSOCK_BACKEND_DEFAULT };
    if config.is_null() {
        return Ok(known);
    }
    // SAFETY: promised by the caller.
    let size = unsafe { (*config).size } as usize;
    if size < size_of::<u32>() {
        return Err(Code::INVALID);
    }
    if size > LONGEST {
        return Err(Code::TOO_BIG);
    }
    // SAFETY: promised by the caller.
    let given = unsafe { slice::from_raw_parts(config.cast::<u8>(), size) };
    let (head, tail) = given.split_at(size.min(size_of::<fsock_config>()));
    if tail.iter().any(|&byte| byte != 0) {
        return Err(Code::TOO_BIG);
    }
    // SAFETY: `head` is no longer than the struct, of whose fields every pattern of bytes is a value.
    unsafe { std::ptr::copy_nonoverlapping(head.as_ptr(), (&raw mut known).cast(), head.len()) };
    Ok(known)
}

pub(crate) fn backend(number: u32) -> Result<Backend> {
    match number {
        FSOCK_BACKEND_DEFAULT => Backend::from_env().map_err(|error: io::Error| error.into()),
        FSOCK_BACKEND_EPOLL => Ok(Backend::Epoll),
        FSOCK_BACKEND_POLL => Ok(Backend::Poll),
        FSOCK_BACKEND_SELECT => Ok(Backend::Select),
        _ => Err(Code::INVALID),
    }
}

pub(crate) fn number(backend: Backend) -> c_int {
    match backend {
        Backend::Epoll => FSOCK_BACKEND_EPOLL as c_int,
        Backend::Poll => FSOCK_BACKEND_POLL as c_int,
        Backend::Select => FSOCK_BACKEND_SELECT as c_int,
        // One that was added to the core and not here.
        _ => -libc::EOPNOTSUPP,
    }
}
