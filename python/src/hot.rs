//! The two methods that a handler calls for every message, as plain C functions.
//!
//! A `#[pymethods]` function parses its arguments and guards against panics in frames of its own. Here there is one frame
//! between the interpreter and the switch: what is on the stack then is copied out and in at every switch, and kept for
//! every idle connection. So whatever can be done elsewhere is, and errors are one word ([`Slim`]).

use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::panic::PanicException;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyBytes;

use crate::channel::{Channel, Direction};
use crate::errors::Slim;
use crate::hub::Hub;
use crate::socket::PyChannel;
use crate::sys;

type Raw = *mut ffi::PyObject;
type Fast = unsafe extern "C" fn(Raw, *mut Raw, ffi::Py_ssize_t) -> Raw;

/// Bound to its channel, a method of `fastsock.Socket`.
pub(crate) struct Method {
    name: &'static CStr,
    doc: &'static CStr,
    call: Fast,
    definition: PyOnceLock<usize>,
}

pub(crate) static RECV: Method = Method {
    name: c"recv",
    doc: c"recv(bufsize, flags=0, /)\n--\n\nReceive up to bufsize bytes; b'' is the end. Waits on the loop.",
    call: recv,
    definition: PyOnceLock::new(),
};

pub(crate) static SENDALL: Method = Method {
    name: c"sendall",
    doc: c"sendall(data, flags=0, /)\n--\n\nSend all of it, in one piece whoever else sends. Waits on the loop.",
    call: sendall,
    definition: PyOnceLock::new(),
};

impl Method {
    /// A function object whose `self` is the channel.
    pub(crate) fn bind<'py>(&self, channel: &Bound<'py, PyChannel>) -> PyResult<Bound<'py, PyAny>> {
        let py = channel.py();
        let definition = *self.definition.get_or_init(py, || {
            let definition = Box::new(ffi::PyMethodDef {
                ml_name: self.name.as_ptr(),
                ml_meth: ffi::PyMethodDefPointer { PyCFunctionFast: self.call },
                ml_flags: ffi::METH_FASTCALL,
                ml_doc: self.doc.as_ptr(),
            });
            // Never freed, as the function objects demand.
            Box::into_raw(definition) as usize
        }) as *mut ffi::PyMethodDef;
        // SAFETY: a definition that lives for ever, and the object that the function expects as its first argument.
        unsafe {
            let function = ffi::PyCFunction_NewEx(definition, channel.as_ptr(), std::ptr::null_mut());
            Bound::from_owned_ptr_or_err(py, function)
        }
    }
}

/// A result or an exception, as C functions return them; a panic is an exception.
#[inline(always)]
fn guarded(py: Python<'_>, call: impl FnOnce() -> Slim<Raw>) -> Raw {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(object)) => object,
        Ok(Err(error)) => restore(py, *error),
        Err(_) => panicked(py),
    }
}

#[cold]
#[inline(never)]
fn restore(py: Python<'_>, error: PyErr) -> Raw {
    error.restore(py);
    std::ptr::null_mut()
}

#[cold]
#[inline(never)]
fn panicked(py: Python<'_>) -> Raw {
    restore(py, PanicException::new_err("a socket's method panicked"))
}

unsafe extern "C" fn recv(this: Raw, args: *mut Raw, count: ffi::Py_ssize_t) -> Raw {
    // SAFETY: Python calls this, so we are attached.
    let py = unsafe { Python::assume_attached() };
    guarded(py, || {
        // SAFETY: `bind` gave a channel as `self`, which the caller keeps alive.
        let this = unsafe { Bound::ref_from_ptr(py, &this).cast_unchecked::<PyChannel>() }.get();
        // SAFETY: the interpreter's own arguments.
        let (limit, flags) = unsafe { receive_arguments(py, args, count) }?;
        if flags != 0 || limit == 0 {
            return receive_slowly(py, this, limit, flags);
        }
        let channel = this.channel(py);
        let mut deadline = None;
        loop {
            if let Some(bytes) = receive_now(py, channel, limit)? {
                return Ok(bytes);
            }
            channel.take_turn(py, Direction::Read, &mut deadline)?;
        }
    })
}

#[cold]
#[inline(never)]
fn receive_slowly(py: Python<'_>, this: &PyChannel, limit: usize, flags: i32) -> Slim<Raw> {
    Ok(this.recv_slowly(py, limit, flags)?.into_any().into_ptr())
}

/// One attempt.
#[inline(never)]
fn receive_now(py: Python<'_>, channel: &Rc<Channel>, limit: usize) -> Slim<Option<Raw>> {
    let hub = channel.loop_now(py);
    if hub.is_some() && !channel.may(Direction::Read) {
        return Ok(None);
    }
    if hub.is_none() && !channel.output.is_empty() {
        // With a loop, the park sends it; without, nobody would.
        channel.flush(py)?;
    }
    let limit = limit.min(sys::SCRATCH);
    let received = sys::with_scratch(|buffer| {
        let n = sys::recv(channel.fd(), &mut buffer[..limit], 0)?;
        Ok((n, PyBytes::new(py, &buffer[..n])))
    });
    match received {
        Ok((n, bytes)) => {
            channel.moved(Direction::Read, n, limit);
            if let Some(hub) = hub {
                hub.spend(py, n)?;
            }
            Ok(Some(bytes.into_any().into_ptr()))
        }
        Err(error) => channel.failed(py, Direction::Read, error).map(|()| None),
    }
}

/// # Safety
/// `count` valid arguments.
#[inline(never)]
unsafe fn receive_arguments(py: Python<'_>, args: *mut Raw, count: ffi::Py_ssize_t) -> Slim<(usize, i32)> {
    if !(1..=2).contains(&count) {
        return Err(arity("recv", count));
    }
    // SAFETY: there is one.
    let limit = unsafe { ffi::PyNumber_AsSsize_t(*args, ffi::PyExc_OverflowError) };
    if limit < 0 {
        return Err(negative(py));
    }
    // SAFETY: as above.
    Ok((limit as usize, unsafe { flags(py, args, count) }?))
}

/// The second argument.
///
/// # Safety
/// `count` valid arguments.
#[inline]
unsafe fn flags(py: Python<'_>, args: *mut Raw, count: ffi::Py_ssize_t) -> Slim<i32> {
    if count < 2 {
        return Ok(0);
    }
    // SAFETY: there are two.
    Ok(unsafe { Bound::ref_from_ptr(py, &*args.add(1)) }.extract()?)
}

#[cold]
#[inline(never)]
fn arity(name: &str, count: ffi::Py_ssize_t) -> Box<PyErr> {
    Box::new(PyTypeError::new_err(format!("{name}() takes 1 or 2 arguments ({count} given)")))
}

#[cold]
#[inline(never)]
fn negative(py: Python<'_>) -> Box<PyErr> {
    Box::new(PyErr::take(py).unwrap_or_else(|| PyValueError::new_err("negative buffersize in recv")))
}

unsafe extern "C" fn sendall(this: Raw, args: *mut Raw, count: ffi::Py_ssize_t) -> Raw {
    // SAFETY: as in `recv`.
    let py = unsafe { Python::assume_attached() };
    guarded(py, || {
        if !(1..=2).contains(&count) {
            return Err(arity("sendall", count));
        }
        // SAFETY: `bind` gave a channel as `self`; the arguments are the interpreter's.
        let (this, data, flags) = unsafe {
            let this = Bound::ref_from_ptr(py, &this).cast_unchecked::<PyChannel>().get();
            (this, Bound::ref_from_ptr(py, &*args), flags(py, args, count)?)
        };
        let channel = this.channel(py);
        let mut done = 0;
        if let (0, Some(hub), Ok(bytes)) = (flags, channel.loop_now(py), data.cast_exact::<PyBytes>()) {
            let bytes = bytes.as_bytes();
            done = send_now(py, hub, channel, bytes)?;
            if done == bytes.len() {
                return Ok(py.None().into_ptr());
            }
        }
        this.send_slowly(py, data, done, flags)?;
        Ok(py.None().into_ptr())
    })
}

/// The common case, in which nothing waits to be sent before: one attempt. How much it has sent.
#[inline(never)]
fn send_now(py: Python<'_>, hub: &Hub, channel: &Channel, data: &[u8]) -> Slim<usize> {
    if data.is_empty() {
        // Nothing to do, but a turn like any other.
        hub.spend(py, 0)?;
    } else if channel.may(Direction::Write) && !channel.is_sending() && channel.output.is_clean() {
        return attempt(py, hub, channel, data);
    }
    Ok(0)
}

fn attempt(py: Python<'_>, hub: &Hub, channel: &Channel, data: &[u8]) -> Slim<usize> {
    match sys::send(channel.fd(), data, 0) {
        Ok(n) => {
            channel.moved(Direction::Write, n, data.len());
            if n == data.len() {
                hub.spend(py, n)?;
            }
            Ok(n)
        }
        Err(error) => channel.failed(py, Direction::Write, error).map(|()| 0),
    }
}
