//! Error codes, their names and what to do about them: one table.

use std::borrow::Cow;
use std::ffi::{CStr, c_char, c_int};
use std::io;

use crate::guard::guard;
use crate::text;

/// The token names nothing: what it named was removed, or it was never a token of that kind on this loop.
pub const FSOCK_E_STALE: c_int = -10001;
/// The call came from another thread than the loop's own. Only a waker may be used from anywhere.
pub const FSOCK_E_THREAD: c_int = -10002;
/// A panic inside the library, or inside a callback written in Rust of a program that has the library linked in statically. The
/// loop can be used again. (Of a Rust program that uses the shared library a panic must not leave a callback: the two have
/// a runtime each, and the process ends.)
pub const FSOCK_E_PANIC: c_int = -10003;
/// The loop has been freed, or is about to be.
pub const FSOCK_E_CLOSED: c_int = -10004;
/// A source without a callback is ready while nobody takes events: the call wanted was fsock_loop_wait.
pub const FSOCK_E_NOCALLBACK: c_int = -10005;

struct Entry {
    code: c_int,
    name: &'static CStr,
    text: &'static CStr,
}

/// One line a code: its number, its name and its sentence.
macro_rules! table {
    (own: { $($own:ident $own_text:literal)* } system: { $($errno:ident $text:literal)* }) => {
        const TABLE: &[Entry] = &[
            $(Entry { code: $own, name: name(concat!(stringify!($own), "\0")), text: $own_text },)*
            $(Entry { code: -libc::$errno, name: name(concat!(stringify!($errno), "\0")), text: $text },)*
        ];
    };
}

const fn name(with_nul: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(with_nul.as_bytes()) {
        Ok(name) => name,
        Err(_) => panic!("a name ends in its only NUL"),
    }
}

table! {
own: {
    FSOCK_E_STALE c"stale token: what it named was removed, or it is of another kind or another loop"
    FSOCK_E_THREAD c"wrong thread: a loop is used on the thread that made it; from others, use a waker"
    FSOCK_E_PANIC c"panic: the library or a callback written in Rust failed; the loop can be used again"
    FSOCK_E_CLOSED c"the loop has been freed: do not use it again"
    FSOCK_E_NOCALLBACK c"a source without a callback is ready: take its event with fsock_loop_wait, or add it with a callback"
}
system: {
    EPERM c"not permitted: regular files and directories are always ready and cannot be watched"
    ENOENT c"the kernel does not know this descriptor: was it closed before it was removed?"
    EINTR c"interrupted by a signal: see to it and wait again"
    ESRCH c"no such process: it has ended and was waited for already"
    EIO c"input/output error"
    E2BIG c"the struct is larger than this library knows, and the part it does not know is not zero"
    EBADF c"bad descriptor: it is not open"
    ECHILD c"the process was forked, and the loop is the parent's: call fsock_loop_reinit in the child first"
    EAGAIN c"not now: wait until the descriptor is ready, and try again"
    ENOMEM c"out of memory"
    EACCES c"permission denied: a port below 1024, or a folder that is not yours"
    EBUSY c"the loop is running: inside a callback, return instead of waiting"
    EEXIST c"this descriptor is registered already: use fsock_modify, or fsock_remove first"
    EINVAL c"invalid argument: a null pointer, an unknown bit, a capacity of 0, or a struct whose size is not set"
    ENFILE c"the system has no more descriptors"
    EMFILE c"the process has no more descriptors: raise RLIMIT_NOFILE"
    ENOSPC c"too many: the limit of the kernel (fs.epoll.max_user_watches) or of the library (2^29) is reached"
    ELOOP c"epoll descriptors watch each other in a circle, or too deep"
    EMSGSIZE c"the datagram is larger than the network takes: fsock_send_batch_skip gives it up"
    EADDRINUSE c"the address is in use: another program listens there, or the path exists"
    EADDRNOTAVAIL c"no network interface of this machine has that address"
    ENOTSOCK c"this descriptor is not a socket"
    ENAMETOOLONG c"the path is too long: a Unix socket's has at most 107 bytes"
    ENOBUFS c"the batch has no room for it: send first"
    EPIPE c"the peer takes nothing more, or this side was shut down or closed: write before that"
    ECONNRESET c"the peer has reset the connection"
    ECONNREFUSED c"nobody listens at that address"
    ECONNABORTED c"the connection was given up"
    ETIMEDOUT c"a time-out is over, or the peer does not answer"
    ENOTCONN c"the socket is not connected: see fsock_stream_connect"
    EPROTOTYPE c"the socket carries messages, not a stream of bytes: see fsock_add_callback"
    EALREADY c"that is under way already"
    EOVERFLOW c"no file is as long as that: ask it for its length"
    ENETUNREACH c"no network leads to that address"
    EHOSTUNREACH c"no way leads to that host"
    EAFNOSUPPORT c"the system knows no addresses of that kind"
    EOPNOTSUPP c"this backend, system or socket cannot do that: poll and select have no edge, no exclusive, no descriptor"
}
}

fn find(code: c_int) -> Option<&'static Entry> {
    TABLE.iter().find(|entry| entry.code == code)
}

/// What a result means, in a sentence that says what to do.
///
/// Takes any result of any function; what is not an error is "success". For an errno that the table has no sentence
/// for, use strerror(3) on its negation.
///
/// Returns: a static string, never NULL. Errors: none. Ownership: the string is the library's; do not free it.
/// Thread: any. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn fsock_strerror(code: c_int) -> *const c_char {
    guard(|| match find(code) {
        _ if code >= 0 => c"success",
        Some(entry) => entry.text,
        None => c"an error of the system: see strerror(3)",
    })
}

/// The name of a result: "EINTR" for -EINTR, "FSOCK_E_STALE", "OK", or "UNKNOWN".
///
/// Returns: a static string, never NULL. Errors: none. Ownership: the string is the library's; do not free it.
/// Thread: any. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn fsock_err_name(code: c_int) -> *const c_char {
    guard(|| match find(code) {
        _ if code >= 0 => c"OK",
        Some(entry) => entry.name,
        None => c"UNKNOWN",
    })
}

/// fsock_strerror into a buffer, and for an errno that the table has no sentence for, strerror_r(3)'s.
///
/// Writes at most cap bytes to text, the last a NUL; text may be NULL when cap is 0.
///
/// Returns: the length of the whole text without the NUL; if that is cap or more, it was cut short. Errors: -EINVAL (text is
/// NULL and cap is not 0). Ownership: the buffer is the caller's. Thread: any. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_strerror_r(code: c_int, text: *mut c_char, cap: usize) -> c_int {
    guard(|| {
        if text.is_null() && cap > 0 {
            return Err(Code::INVALID);
        }
        let sentence = match (find(code), code.checked_neg()) {
            _ if code >= 0 => Cow::Borrowed(c"success".to_bytes()),
            (Some(entry), _) => Cow::Borrowed(entry.text.to_bytes()),
            (None, errno) => Cow::Owned(io::Error::from_raw_os_error(errno.unwrap_or(0)).to_string().into_bytes()),
        };
        // SAFETY: C gave a buffer of that length, by the header's contract.
        Ok(unsafe { text::copy(&sentence, text, cap) })
    })
}

/// An error as C gets it: negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Code(pub(crate) c_int);

pub(crate) type Result<T> = std::result::Result<T, Code>;

impl Code {
    pub(crate) const INVALID: Code = Code(-libc::EINVAL);
    pub(crate) const INTERRUPTED: Code = Code(-libc::EINTR);
    pub(crate) const BUSY: Code = Code(-libc::EBUSY);
    pub(crate) const TOO_BIG: Code = Code(-libc::E2BIG);
    pub(crate) const STALE: Code = Code(FSOCK_E_STALE);
    pub(crate) const THREAD: Code = Code(FSOCK_E_THREAD);
    pub(crate) const PANIC: Code = Code(FSOCK_E_PANIC);
    pub(crate) const CLOSED: Code = Code(FSOCK_E_CLOSED);
    pub(crate) const NO_ROOM: Code = Code(-libc::ENOBUFS);
    pub(crate) const NO_CALLBACK: Code = Code(FSOCK_E_NOCALLBACK);
}

impl From<io::Error> for Code {
    fn from(error: io::Error) -> Code {
        match (error.raw_os_error(), fastsock::errno(&error)) {
            // With an errno of the core's own, not the kernel's: then these two mean one thing only.
            (None, libc::ENOENT) => Code::STALE,
            (None, libc::ESHUTDOWN) => Code::CLOSED,
            (_, errno) => Code(-errno),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_code_is_listed_twice() {
        for (i, entry) in TABLE.iter().enumerate() {
            assert!(entry.code < 0, "{:?}", entry.name);
            assert!(TABLE[i + 1..].iter().all(|other| other.code != entry.code), "{:?}", entry.name);
        }
    }

    #[test]
    fn a_system_error_keeps_its_number() {
        assert_eq!(Code::from(io::Error::from_raw_os_error(libc::ENOENT)), Code(-libc::ENOENT));
        assert_eq!(Code::from(io::Error::other("no errno")), Code(-libc::EIO));
    }
}
