//! What accepting gives: a `fastsock.Socket`.

use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyType;

use crate::socket::PyChannel;

/// What `Socket(family, type, proto, fd)` makes, without its Python code: there is one for each connection.
pub(crate) fn connected<'py>(
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
