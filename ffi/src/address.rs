//! Socket addresses as text.

use std::ffi::{CStr, OsStr, c_char, c_int};
use std::fmt::Write;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::slice;

use fastsock::net::PeerAddress;

use crate::error::{Code, Result};
use crate::guard::guard;
use crate::handle;
use crate::text;

/// The address that C gave.
///
/// # Safety
/// `address` is null or valid for reads of `length` bytes.
pub(crate) unsafe fn read(address: *const libc::sockaddr, length: u32) -> Result<PeerAddress> {
    let length = length as usize;
    if address.is_null() || length > size_of::<libc::sockaddr_storage>() {
        return Err(Code::INVALID);
    }
    // SAFETY: as promised.
    let bytes = unsafe { slice::from_raw_parts(address.cast::<u8>(), length) };
    Ok(PeerAddress::from_bytes(bytes)?)
}

fn parse(text: &[u8]) -> Result<PeerAddress> {
    match text {
        [b'/' | b'.', ..] => Ok(PeerAddress::try_from(Path::new(OsStr::from_bytes(text)))?),
        [b'@', name @ ..] => {
            let name = [b"\0", name].concat();
            Ok(PeerAddress::try_from(Path::new(OsStr::from_bytes(&name)))?)
        }
        _ => {
            let text = std::str::from_utf8(text).map_err(|_| Code::INVALID)?;
            Ok(text.parse::<SocketAddr>().map_err(|_| Code::INVALID)?.into())
        }
    }
}

fn format(address: &PeerAddress) -> Vec<u8> {
    if let Some(ip) = address.ip() {
        return ip.to_string().into_bytes();
    }
    match address.unix_bytes() {
        Some([0, name @ ..]) => [b"@", name].concat(),
        Some([]) => b"unnamed".to_vec(),
        Some(path) => path.to_vec(),
        None => {
            let mut text = String::new();
            // Writing to a String cannot fail.
            let _ = write!(text, "family {}", address.family());
            text.into_bytes()
        }
    }
}

/// Makes an address of text: "127.0.0.1:80", "[::1]:80", "/a/path" or "./a/path" for a Unix socket, "@name" for an abstract
/// one (unix(7)). No names are looked up: for those there is getaddrinfo(3).
///
/// Returns: 0, the address in *address (a struct sockaddr_storage of the caller's, from <sys/socket.h>) and how many bytes
/// of it count in *length, which is a socklen_t. Errors: -EINVAL (a null pointer, or no such address), -ENAMETOOLONG (a
/// path beyond 107 bytes). Ownership: nothing is kept. Thread: any. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_address_parse(
    text: *const c_char,
    address: *mut libc::sockaddr_storage,
    length: *mut u32,
) -> c_int {
    guard(|| {
        // SAFETY: C gave places for both, by the header's contract.
        let (to, length) = unsafe { (handle::out(address)?, handle::out(length)?) };
        if text.is_null() {
            return Err(Code::INVALID);
        }
        // SAFETY: C gave a string, by the header's contract.
        let parsed = parse(unsafe { CStr::from_ptr(text) }.to_bytes())?;
        let bytes = parsed.as_bytes();
        // SAFETY: no address is longer than the storage.
        unsafe { (&raw mut *to).cast::<u8>().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        *length = bytes.len() as u32;
        Ok(0)
    })
}

/// An address as text, as fsock_address_parse takes it; "unnamed" for a Unix socket without a name.
///
/// Writes at most cap bytes to text, the last a NUL; 128 are always enough. text may be NULL when cap is 0.
///
/// Returns: the length of the whole text without the NUL; if that is cap or more, it was cut short. Errors: -EINVAL (a null
/// pointer, or a length that no address has). Ownership: nothing is kept. Thread: any. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_address_format(
    address: *const libc::sockaddr,
    length: u32,
    text: *mut c_char,
    cap: usize,
) -> c_int {
    guard(|| {
        if text.is_null() && cap > 0 {
            return Err(Code::INVALID);
        }
        // SAFETY: C gave an address of that length, by the header's contract.
        let address = unsafe { read(address, length) }?;
        // SAFETY: C gave a buffer of that length, by the header's contract.
        Ok(unsafe { text::copy(&format(&address), text, cap) })
    })
}
