//! `rfile`: buffered reads from a socket.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use memchr::memchr;
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::attached::Attached;
use crate::buffer::View;
use crate::channel::Channel;
use crate::socket::PyChannel;
use crate::sys;

/// The reading half of a connection, with the methods of `io.BufferedReader`.
///
/// A line that arrives whole is copied once, from the receive buffer that all connections share into its `bytes`; only what
/// comes after it is kept here, so an idle connection has no buffer.
#[pyclass(frozen, module = "fastsock._fastsock")]
pub(crate) struct Reader(Attached<Inner>);

struct Inner {
    channel: Rc<Channel>,
    /// Received and not yet read: from `start` on.
    kept: RefCell<Vec<u8>>,
    start: Cell<usize>,
    closed: Cell<bool>,
    /// Called once by `close`: gives the socket its reference back.
    on_close: RefCell<Option<Py<PyAny>>>,
}

impl Inner {
    fn check(&self) -> PyResult<()> {
        if self.closed.get() {
            return Err(PyValueError::new_err("I/O operation on closed file."));
        }
        Ok(())
    }

    fn len(&self) -> usize {
        self.kept.borrow().len() - self.start.get()
    }

    /// Takes `n` bytes of what is kept.
    fn take<'py>(&self, py: Python<'py>, n: usize) -> Bound<'py, PyBytes> {
        let mut kept = self.kept.borrow_mut();
        let start = self.start.get();
        // Another coroutine may have read meanwhile.
        let n = n.min(kept.len() - start);
        let bytes = PyBytes::new(py, &kept[start..start + n]);
        if start + n == kept.len() {
            self.start.set(0);
            // Large ones are given back: most connections are idle.
            if kept.capacity() > 4096 { *kept = Vec::new() } else { kept.clear() }
        } else {
            self.start.set(start + n);
        }
        bytes
    }

    fn keep(&self, bytes: &[u8]) {
        let mut kept = self.kept.borrow_mut();
        let start = self.start.replace(0);
        kept.drain(..start);
        kept.extend_from_slice(bytes);
    }

    /// Receives once and keeps it. 0: the end.
    fn fill(&self, py: Python<'_>) -> PyResult<usize> {
        self.channel.receive(py, sys::SCRATCH, |bytes| {
            self.keep(bytes);
            bytes.len()
        })
    }

    /// A line with its end, or what comes before the end of the stream, or `limit` bytes.
    #[inline]
    fn line<'py>(&self, py: Python<'py>, limit: usize) -> PyResult<Bound<'py, PyBytes>> {
        self.check()?;
        // How much of what is kept has been looked through.
        let mut seen = 0;
        if self.len() == 0 && limit == usize::MAX {
            // Straight out of the receive buffer, if a whole line comes at once.
            let first = self.channel.receive(py, sys::SCRATCH, |bytes| match memchr(b'\n', bytes) {
                Some(at) => {
                    if at + 1 < bytes.len() {
                        self.keep(&bytes[at + 1..]);
                    }
                    Some(PyBytes::new(py, &bytes[..=at]))
                }
                None if bytes.is_empty() => Some(PyBytes::new(py, b"")),
                None => {
                    self.keep(bytes);
                    None
                }
            })?;
            if let Some(line) = first {
                return Ok(line);
            }
            seen = self.len();
        }
        loop {
            let found = {
                let kept = self.kept.borrow();
                let fresh = kept.get(self.start.get() + seen..).unwrap_or_default();
                memchr(b'\n', fresh).map(|at| seen + at + 1)
            };
            let have = self.len();
            match found {
                Some(end) => return Ok(self.take(py, end.min(limit))),
                None if have >= limit => return Ok(self.take(py, limit)),
                None => {}
            }
            let n = self.fill(py)?;
            if n == 0 {
                return Ok(self.take(py, have));
            }
            // From the start, should another coroutine have read meanwhile.
            seen = if self.len() == have + n { have } else { 0 };
        }
    }

    /// Reads into a buffer: until it is full or the stream ends, or at most one receive.
    fn fill_buffer(&self, py: Python<'_>, target: &Bound<'_, PyAny>, once: bool) -> PyResult<usize> {
        self.check()?;
        let buffer = View::writable(target)?;
        let wanted = buffer.len();
        let mut done = 0;
        while done < wanted {
            if self.len() == 0 && (once && done > 0 || self.fill(py)? == 0) {
                break;
            }
            let n = self.len().min(wanted - done);
            let bytes = self.take(py, n);
            // SAFETY: `done + n` bytes fit; the export keeps the memory where it is, the source is a `bytes` of ours,
            // and no Rust reference to the target is made.
            unsafe {
                let place = buffer.place().add(done);
                std::ptr::copy_nonoverlapping(bytes.as_bytes().as_ptr(), place, bytes.as_bytes().len());
            }
            done += bytes.as_bytes().len();
        }
        Ok(done)
    }
}

/// `None` and negative numbers mean "all".
fn amount(size: Option<isize>) -> usize {
    size.and_then(|size| usize::try_from(size).ok()).unwrap_or(usize::MAX)
}

#[pymethods]
impl Reader {
    #[new]
    #[pyo3(signature = (channel, on_close = None))]
    fn new(py: Python<'_>, channel: &PyChannel, on_close: Option<Py<PyAny>>) -> Reader {
        Reader(Attached::new(Inner {
            channel: channel.channel(py).clone(),
            kept: RefCell::default(),
            start: Cell::new(0),
            closed: Cell::new(false),
            on_close: RefCell::new(on_close),
        }))
    }

    /// Up to and with the next newline; `b""` at the end of the stream.
    #[pyo3(signature = (size = None, /))]
    fn readline<'py>(&self, py: Python<'py>, size: Option<isize>) -> PyResult<Bound<'py, PyBytes>> {
        match amount(size) {
            0 => self.0.get(py).check().map(|()| PyBytes::new(py, b"")),
            limit => self.0.get(py).line(py, limit),
        }
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyResult<PyRef<'_, Self>> {
        slf.0.get(slf.py()).check()?;
        Ok(slf)
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let line = self.0.get(py).line(py, usize::MAX)?;
        Ok(if line.as_bytes().is_empty() { None } else { Some(line) })
    }

    /// Every line until the end of the stream, or until more than `hint` bytes have come.
    #[pyo3(signature = (hint = None, /))]
    fn readlines<'py>(&self, py: Python<'py>, hint: Option<isize>) -> PyResult<Bound<'py, PyList>> {
        let lines = PyList::empty(py);
        let hint = match amount(hint) {
            0 => usize::MAX,
            hint => hint,
        };
        let mut size = 0;
        while size <= hint {
            let line = self.0.get(py).line(py, usize::MAX)?;
            if line.as_bytes().is_empty() {
                break;
            }
            size += line.as_bytes().len();
            lines.append(line)?;
        }
        Ok(lines)
    }

    /// Exactly `size` bytes, or fewer at the end of the stream; all of it without a size.
    #[pyo3(signature = (size = None, /))]
    fn read<'py>(&self, py: Python<'py>, size: Option<isize>) -> PyResult<Bound<'py, PyBytes>> {
        let inner = self.0.get(py);
        inner.check()?;
        let wanted = amount(size);
        while inner.len() < wanted && inner.fill(py)? > 0 {}
        Ok(inner.take(py, inner.len().min(wanted)))
    }

    /// What is there, up to `size` bytes; receives at most once.
    #[pyo3(signature = (size = None, /))]
    fn read1<'py>(&self, py: Python<'py>, size: Option<isize>) -> PyResult<Bound<'py, PyBytes>> {
        let inner = self.0.get(py);
        inner.check()?;
        let wanted = amount(size);
        if wanted == 0 {
            return Ok(PyBytes::new(py, b""));
        }
        if inner.len() == 0 {
            inner.fill(py)?;
        }
        Ok(inner.take(py, inner.len().min(wanted)))
    }

    fn readinto(&self, py: Python<'_>, buffer: &Bound<'_, PyAny>) -> PyResult<usize> {
        self.0.get(py).fill_buffer(py, buffer, false)
    }

    fn readinto1(&self, py: Python<'_>, buffer: &Bound<'_, PyAny>) -> PyResult<usize> {
        self.0.get(py).fill_buffer(py, buffer, true)
    }

    /// What is there without taking it; receives if nothing is.
    #[pyo3(signature = (size = 0, /))]
    #[allow(unused_variables)]
    fn peek<'py>(&self, py: Python<'py>, size: isize) -> PyResult<Bound<'py, PyBytes>> {
        let inner = self.0.get(py);
        inner.check()?;
        if inner.len() == 0 {
            inner.fill(py)?;
        }
        let kept = inner.kept.borrow();
        Ok(PyBytes::new(py, &kept[inner.start.get()..]))
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let inner = self.0.get(py);
        if !inner.closed.replace(true) {
            let on_close = inner.on_close.take();
            if let Some(call) = on_close {
                call.call0(py)?;
            }
        }
        Ok(())
    }

    #[getter]
    fn closed(&self, py: Python<'_>) -> bool {
        self.0.get(py).closed.get()
    }

    #[getter]
    fn mode(&self) -> &'static str {
        "rb"
    }

    fn fileno(&self, py: Python<'_>) -> PyResult<i32> {
        self.0.get(py).check()?;
        Ok(self.0.get(py).channel.fd())
    }

    fn readable(&self, py: Python<'_>) -> PyResult<bool> {
        self.0.get(py).check().map(|()| true)
    }

    fn writable(&self) -> bool {
        false
    }

    fn seekable(&self) -> bool {
        false
    }

    fn isatty(&self) -> bool {
        false
    }

    fn flush(&self, py: Python<'_>) -> PyResult<()> {
        self.0.get(py).check()
    }

    #[pyo3(signature = (*_args))]
    fn seek(&self, _args: &Bound<'_, pyo3::types::PyTuple>) -> PyResult<()> {
        Err(PyOSError::new_err("a socket's file is not seekable"))
    }

    fn tell(&self) -> PyResult<()> {
        Err(PyOSError::new_err("a socket's file is not seekable"))
    }

    fn __enter__(slf: PyRef<'_, Self>) -> PyResult<PyRef<'_, Self>> {
        slf.0.get(slf.py()).check()?;
        Ok(slf)
    }

    #[pyo3(signature = (*_args))]
    fn __exit__(&self, py: Python<'_>, _args: &Bound<'_, pyo3::types::PyTuple>) -> PyResult<()> {
        self.close(py)
    }
}
