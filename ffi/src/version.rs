//! Which library this is.

use std::ffi::{CStr, c_char};

use crate::guard::guard;

const TEXT: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(text) => text,
    Err(_) => panic!("a version has no NUL in it"),
};

/// A part of the version, as Cargo has it.
const fn part(digits: &str) -> u32 {
    match u32::from_str_radix(digits, 10) {
        Ok(number) if number < 256 => number,
        _ => panic!("each part of the version has a byte of the number"),
    }
}

const NUMBER: u32 = part(env!("CARGO_PKG_VERSION_MAJOR")) << 16
    | part(env!("CARGO_PKG_VERSION_MINOR")) << 8
    | part(env!("CARGO_PKG_VERSION_PATCH"));

/// The version of the library that runs: major << 16 | minor << 8 | patch. FSOCK_VERSION_NUMBER is that of the header.
///
/// Returns: the number. Errors: none. Ownership: nothing changes hands. Thread: any. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn fsock_version() -> u32 {
    guard(|| NUMBER)
}

/// The version of the library that runs, as text: "0.1.0". FSOCK_VERSION_STRING is that of the header.
///
/// Returns: a static string, never NULL. Errors: none. Ownership: the string is the library's; do not free it.
/// Thread: any. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn fsock_version_string() -> *const c_char {
    guard(|| TEXT)
}
