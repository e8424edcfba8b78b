//! Errors as Python knows them.
//!
//! Never inlined: each caller's stack is saved for every coroutine that is parked above it.

use std::io;

use pyo3::exceptions::{PyOSError, PyRuntimeError, PyTimeoutError};
use pyo3::prelude::*;

/// A result whose error is one word: for what lies between an operation and its switch, where a `PyErr` by value would
/// take its room on the stack of every parked coroutine, over and over.
pub(crate) type Slim<T> = Result<T, Box<PyErr>>;

/// An errno as the right subclass of `OSError`, with the system's text.
#[cold]
#[inline(never)]
pub(crate) fn os_error(errno: i32) -> PyErr {
    let text = io::Error::from_raw_os_error(errno).to_string();
    // The text ends in " (os error N)", which Python shows in its own way.
    let text = text.split(" (os error").next().unwrap_or_default().to_owned();
    PyOSError::new_err((errno, text))
}

/// An error of the core crate: errno, and the sentence if there is one.
#[cold]
#[inline(never)]
pub(crate) fn from_io(error: io::Error) -> PyErr {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default().to_owned();
    PyOSError::new_err((fastsock::errno(&error), text))
}

/// What a socket raises when `settimeout` runs out.
#[cold]
#[inline(never)]
pub(crate) fn timed_out() -> PyErr {
    PyTimeoutError::new_err("timed out")
}

/// The errno of an `OSError`; of a `TimeoutError` that has none, `ETIMEDOUT`.
#[cold]
#[inline(never)]
pub(crate) fn errno(py: Python<'_>, error: &PyErr) -> i32 {
    let number = error.value(py).getattr("errno").and_then(|errno| errno.extract()).unwrap_or(0);
    match number {
        0 if error.is_instance_of::<PyTimeoutError>(py) => libc::ETIMEDOUT,
        0 => libc::EPIPE,
        number => number,
    }
}

#[cold]
#[inline(never)]
pub(crate) fn misuse(sentence: &'static str) -> PyErr {
    PyRuntimeError::new_err(sentence)
}
