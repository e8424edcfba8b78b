//! Accepting: what it gives is a `fastsock.Socket`.

use std::os::fd::{AsRawFd, BorrowedFd, IntoRawFd, OwnedFd};

use fastsock::Time;
use fastsock::net::Accept;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyType;

use crate::address::address;
use crate::channel::{Direction, Woken};
use crate::errors::{from_io, os_error};
use crate::socket::PyChannel;
use crate::sys;

/// What `Socket(family, type, proto, fd)` makes, without its Python code: there is one for each connection.
fn connected<'py>(
    py: Python<'py>,
    class: &Bound<'py, PyType>,
    init: &Bound<'py, PyAny>,
    form: (i32, i32, i32),
    fd: OwnedFd,
) -> PyResult<Bound<'py, PyAny>> {
    let channel = Bound::new(py, PyChannel::of(fd.as_raw_fd(), form))?;
    let socket = class.call_method1(intern!(py, "__new__"), (class,))?;
    init.call1((&socket, form.0, form.1, form.2, fd.as_raw_fd()))?;
    // The Python object owns it from here.
    let _ = fd.into_raw_fd();
    socket.setattr(intern!(py, "_io_refs"), 0)?;
    socket.setattr(intern!(py, "_closed"), false)?;
    bind(py, &socket, &channel)?;
    Ok(socket)
}

/// Binds a channel's hot methods to its socket.
fn bind(py: Python<'_>, socket: &Bound<'_, PyAny>, channel: &Bound<'_, PyChannel>) -> PyResult<()> {
    socket.setattr(intern!(py, "_channel"), channel)?;
    let names = [intern!(py, "recv"), intern!(py, "recv_into"), intern!(py, "send"), intern!(py, "sendall")];
    for (name, method) in names.into_iter().zip(PyChannel::methods(channel)?) {
        socket.setattr(name, method)?;
    }
    Ok(())
}

impl PyChannel {
    /// The next connection as `(socket, address)`.
    pub(crate) fn next_connection<'py>(
        &self,
        py: Python<'py>,
        class: &Bound<'py, PyType>,
        init: &Bound<'py, PyAny>,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        let inner = self.0.get(py);
        let channel = &inner.channel;
        let mut deadline = None;
        self.in_order(py)?;
        loop {
            if channel.fd() < 0 {
                return Err(os_error(libc::EBADF));
            }
            if channel.may(Direction::Read) || channel.loop_here(py).is_none() {
                let outcome = {
                    let mut policy = inner.policy.borrow_mut();
                    // SAFETY: open, and nothing closes it while we hold the GIL.
                    let fd = unsafe { BorrowedFd::borrow_raw(channel.fd()) };
                    policy.get_or_insert_with(Box::default).accept(fd).map_err(from_io)?
                };
                match outcome {
                    Accept::Connection(connection) => {
                        let address = address(py, connection.peer())?;
                        let is_tcp = connection.peer().ip().is_some();
                        let fd = connection.into_fd();
                        if is_tcp {
                            sys::set_nodelay(fd.as_raw_fd());
                        }
                        return Ok((connected(py, class, init, inner.form, fd)?, address));
                    }
                    Accept::WouldBlock => channel.exhausted(Direction::Read),
                    Accept::Paused(until) => {
                        inner.paused.set(Some(until));
                        return Err(os_error(libc::EMFILE));
                    }
                }
            }
            channel.wait_for_turn(py, Direction::Read, &mut deadline)?;
        }
    }

    /// Waits until accepting may go on, or the deadline; whether it may.
    pub(crate) fn sit_out(&self, py: Python<'_>, until: Time, deadline: Option<Time>) -> PyResult<bool> {
        let inner = self.0.get(py);
        let channel = &inner.channel;
        let first = deadline.map_or(until, |deadline| deadline.min(until));
        let mut woken = Woken::Ready;
        // Whoever comes meanwhile makes no difference: do not even look.
        while woken == Woken::Ready && Time::now() < first {
            woken = match channel.loop_here(py) {
                Some(hub) => channel.pause(py, hub, first)?,
                None => sys::nap(py, Time::now().until(first)).map(|()| Woken::TimedOut)?,
            };
        }
        channel.set_ready(Direction::Read);
        if woken == Woken::Interrupted || Time::now() < until {
            inner.paused.set(Some(until));
            return Ok(false);
        }
        Ok(true)
    }
}
