//! The memory of Python objects, as the sockets' methods take it.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// An export of contiguous bytes, whatever the items are: what the argument parser's `y*` and `w*` take.
///
/// The `Py_buffer` is on the heap, for exporters point into it and the stack of a parked coroutine is not there.
pub(crate) struct View(Box<ffi::Py_buffer>);

impl View {
    #[inline(never)]
    fn get(object: &Bound<'_, PyAny>, flags: i32) -> PyResult<View> {
        let mut raw = Box::new(ffi::Py_buffer::new());
        // SAFETY: an object and a structure to be filled, which stays where it is.
        let result = unsafe { ffi::PyObject_GetBuffer(object.as_ptr(), &raw mut *raw, flags) };
        if result == -1 { Err(PyErr::fetch(object.py())) } else { Ok(View(raw)) }
    }

    pub(crate) fn writable(object: &Bound<'_, PyAny>) -> PyResult<View> {
        View::get(object, ffi::PyBUF_WRITABLE)
    }

    /// Where the bytes are. They stay there until this is dropped; what is in them may change whenever Python code runs.
    pub(crate) fn place(&self) -> *mut u8 {
        // An empty export may have no place at all.
        if self.0.buf.is_null() { std::ptr::NonNull::dangling().as_ptr() } else { self.0.buf.cast() }
    }

    pub(crate) fn len(&self) -> usize {
        usize::try_from(self.0.len).unwrap_or(0)
    }
}

impl Drop for View {
    fn drop(&mut self) {
        // SAFETY: filled by PyObject_GetBuffer and released once. It lives in the frames of methods only, which end with
        // the GIL held.
        unsafe { ffi::PyBuffer_Release(&raw mut *self.0) }
    }
}

/// What was given to send: the bytes of a `bytes` as they are, other buffers through the buffer protocol.
pub(crate) enum Data<'a> {
    Bytes(&'a [u8]),
    View(View),
}

impl<'a> Data<'a> {
    #[inline]
    pub(crate) fn new(object: &'a Bound<'_, PyAny>) -> PyResult<Data<'a>> {
        match object.cast::<PyBytes>() {
            Ok(bytes) => Ok(Data::Bytes(bytes.as_bytes())),
            Err(_) => View::get(object, ffi::PyBUF_SIMPLE).map(Data::View),
        }
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Data::Bytes(bytes) => bytes,
            // SAFETY: contiguous, and the export keeps the memory where it is until the view is dropped. That someone
            // writes to it meanwhile is the caller's own race, as with the stdlib's sockets: the bytes are only handed
            // to the kernel.
            Data::View(view) => unsafe { std::slice::from_raw_parts(view.place(), view.len()) },
        }
    }
}
