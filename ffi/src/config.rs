//! How a loop is made.

use std::ffi::c_int;
use std::io;

use fastsock::Backend;

use crate::error::{Code, Result};
use crate::versioned::Versioned;

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
#[derive(Clone, Copy)]
pub struct fsock_config {
    /// sizeof(fsock_config): tells the library which version of the struct this is.
    pub size: u32,
    /// FSOCK_BACKEND_DEFAULT, _EPOLL, _POLL or _SELECT.
    pub backend: u32,
}

// SAFETY: two integers of one size.
unsafe impl Versioned for fsock_config {
    const DEFAULT: fsock_config = fsock_config { size: 0, backend: FSOCK_BACKEND_DEFAULT };
    const SHORTEST: usize = 4;
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
