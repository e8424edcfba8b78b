//! `wfile`: writes to a socket, sent together.

use std::cell::Cell;
use std::rc::Rc;

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;

use crate::attached::Attached;
use crate::buffer::Data;
use crate::channel::Channel;
use crate::errors::os_error;
use crate::hub::Hub;
use crate::output::LIMIT;
use crate::socket::PyChannel;

/// The writing half of a connection, with the methods of the stdlib's unbuffered `wfile`.
///
/// On the loop, what is written is kept and sent together: before the coroutine waits for anything at all, at its end,
/// beyond 64 KiB, and at `flush()`. Off the loop every write is sent at once.
#[pyclass(frozen, module = "fastsock._fastsock")]
pub(crate) struct Writer(Attached<Inner>);

struct Inner {
    channel: Rc<Channel>,
    closed: Cell<bool>,
}

impl Inner {
    #[inline]
    fn check(&self) -> PyResult<()> {
        if self.closed.get() {
            return Err(PyValueError::new_err("I/O operation on closed file."));
        }
        Ok(())
    }

    #[inline]
    fn write(&self, py: Python<'_>, bytes: &[u8]) -> PyResult<usize> {
        let channel = &self.channel;
        if let Some(errno) = channel.output.take_error() {
            return Err(os_error(errno));
        }
        if !channel.is_open() {
            return Err(os_error(libc::EBADF));
        }
        let nonblocking = channel.timeout().is_some_and(|timeout| timeout.is_zero());
        match Hub::running(py) {
            Some(hub) if bytes.len() < LIMIT && !nonblocking => {
                let (waiting, tell) = channel.output.append(bytes);
                if tell {
                    hub.soil(channel);
                }
                if waiting >= LIMIT {
                    channel.flush(py)?;
                }
            }
            _ => {
                channel.flush(py)?;
                channel.send_all(py, bytes, 0)?;
            }
        }
        Ok(bytes.len())
    }
}

#[pymethods]
impl Writer {
    #[new]
    fn new(py: Python<'_>, channel: &PyChannel) -> Writer {
        Writer(Attached::new(Inner { channel: channel.channel(py).clone(), closed: Cell::new(false) }))
    }

    /// Takes all of it and returns its length in bytes.
    #[pyo3(signature = (data, /))]
    fn write(&self, py: Python<'_>, data: &Bound<'_, PyAny>) -> PyResult<usize> {
        let inner = self.0.get(py);
        inner.check()?;
        inner.write(py, Data::new(data)?.as_slice())
    }

    fn writelines(&self, py: Python<'_>, lines: &Bound<'_, PyAny>) -> PyResult<()> {
        for line in lines.try_iter()? {
            self.write(py, &line?)?;
        }
        Ok(())
    }

    /// Sends what is kept, now.
    fn flush(&self, py: Python<'_>) -> PyResult<()> {
        let inner = self.0.get(py);
        inner.check()?;
        inner.channel.flush(py)
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let inner = self.0.get(py);
        if inner.closed.get() {
            return Ok(());
        }
        let result = inner.channel.flush(py);
        inner.closed.set(true);
        result
    }

    #[getter]
    fn closed(&self, py: Python<'_>) -> bool {
        self.0.get(py).closed.get()
    }

    #[getter]
    fn mode(&self) -> &'static str {
        "wb"
    }

    fn fileno(&self, py: Python<'_>) -> i32 {
        self.0.get(py).channel.fd()
    }

    fn writable(&self) -> bool {
        true
    }

    fn readable(&self) -> bool {
        false
    }

    fn seekable(&self) -> bool {
        false
    }

    fn isatty(&self) -> bool {
        false
    }

    #[pyo3(signature = (*_args))]
    fn seek(&self, _args: &Bound<'_, pyo3::types::PyTuple>) -> PyResult<()> {
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
