//! The rare ways to receive and to send: with flags, what has come already, what was written before.

use pyo3::exceptions::{PyMemoryError, PyOSError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::buffer::Data;
use crate::channel::Direction;
use crate::errors::from_io;
use crate::hub::Hub;
use crate::socket::PyChannel;
use crate::sys;

impl PyChannel {
    /// A datagram that has been received already.
    #[inline]
    pub(crate) fn held<'py>(
        &self,
        py: Python<'py>,
        limit: usize,
        flags: i32,
    ) -> PyResult<Option<(Bound<'py, PyBytes>, Bound<'py, PyAny>)>> {
        match self.0.get(py).inbox.get() {
            Some(inbox) if !inbox.is_empty() && flags & libc::MSG_ERRQUEUE == 0 => {
                // Before it is taken: this may raise.
                self.channel(py).pay(py, 0)?;
                inbox.take(py, limit, flags & libc::MSG_PEEK != 0)
            }
            _ => Ok(None),
        }
    }

    /// What was written before goes out before.
    pub(crate) fn send_earlier(&self, py: Python<'_>) -> PyResult<()> {
        let channel = self.channel(py);
        if let Some(hub) = Hub::here(py) {
            hub.send_posts_of(py, channel);
        }
        channel.flush(py)
    }

    /// `recv` of nothing, or with flags.
    #[cold]
    #[inline(never)]
    pub(crate) fn recv_slowly<'py>(&self, py: Python<'py>, limit: usize, flags: i32) -> PyResult<Bound<'py, PyBytes>> {
        if limit == 0 {
            return Ok(PyBytes::new(py, b""));
        }
        self.in_order(py)?;
        self.recv_with_flags(py, limit, flags)
    }

    /// `sendall` that may wait, of what comes after the first `done` bytes.
    #[inline(never)]
    pub(crate) fn send_slowly(&self, py: Python<'_>, data: &Bound<'_, PyAny>, done: usize, flags: i32) -> PyResult<()> {
        let channel = self.channel(py);
        let data = Data::new(data)?;
        channel.flush(py)?;
        channel.send_all(py, &data.as_slice()[done..], flags)
    }

    /// The rare way, with a buffer of its own.
    #[cold]
    #[inline(never)]
    fn recv_with_flags<'py>(&self, py: Python<'py>, limit: usize, flags: i32) -> PyResult<Bound<'py, PyBytes>> {
        let fd = || self.channel(py).fd();
        let mut buffer = Vec::new();
        if limit > isize::MAX as usize || buffer.try_reserve_exact(limit).is_err() {
            return Err(PyMemoryError::new_err(()));
        }
        // For all of it only as much memory as comes; a part of a datagram would lose the rest.
        let grows = flags & libc::MSG_WAITALL != 0;
        buffer.resize(if grows { limit.min(sys::SCRATCH) } else { limit }, 0);
        let n = self.with_flags(py, limit, flags, |done| {
            if done == buffer.len() {
                buffer.resize(limit.min(2 * done), 0);
            }
            sys::recv(fd(), &mut buffer[done..], flags)
        })?;
        Ok(PyBytes::new(py, &buffer[..n]))
    }

    /// A receive with the flags of recv(2) that say how to wait: `attempt` gets how much there is already.
    #[cold]
    #[inline(never)]
    pub(crate) fn with_flags(
        &self,
        py: Python<'_>,
        limit: usize,
        flags: i32,
        mut attempt: impl FnMut(usize) -> std::io::Result<usize>,
    ) -> PyResult<usize> {
        let channel = self.channel(py);
        // The error queue never has anything to wait for.
        if flags & (libc::MSG_DONTWAIT | libc::MSG_ERRQUEUE) != 0 {
            channel.pay(py, 0)?;
            return at_once(attempt(0));
        }
        let mut done = 0;
        channel.pay(py, 0)?;
        loop {
            match channel.transfer(py, Direction::Read, || attempt(done)) {
                Ok(0) => return Ok(done),
                Ok(n) => done += n,
                // What has come is not lost: the next call will tell.
                Err(error) if done > 0 && error.is_instance_of::<PyOSError>(py) => return Ok(done),
                Err(error) => return Err(error),
            }
            // A non-blocking descriptor gives what there is; the flag asks for all, up to the end of the stream.
            let is_stream = self.0.get(py).form.1 == libc::SOCK_STREAM;
            let all = flags & libc::MSG_WAITALL != 0 && flags & libc::MSG_PEEK == 0 && is_stream;
            if !all || done == limit || channel.is_impatient(Direction::Read) {
                return Ok(done);
            }
            channel.pay(py, 0)?;
        }
    }

    /// What was written before goes out before.
    #[inline]
    pub(crate) fn in_order(&self, py: Python<'_>) -> PyResult<()> {
        let channel = self.channel(py);
        // With a loop, the park does it; without, nobody would.
        if !channel.output.is_empty() && channel.loop_here(py).is_none() { channel.flush(py) } else { Ok(()) }
    }
}

/// The outcome of a call that was asked not to wait.
#[cold]
pub(crate) fn at_once(result: std::io::Result<usize>) -> PyResult<usize> {
    result.map_err(from_io)
}
