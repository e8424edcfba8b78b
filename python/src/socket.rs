//! The methods of a cooperative socket, as `fastsock.Socket` binds them.

use std::rc::Rc;
use std::time::Duration;

use fastsock::Time;
use fastsock::net::AcceptPolicy;
use pyo3::exceptions::{PyOverflowError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyType};
use std::cell::{Cell, OnceCell, RefCell};

use crate::address::numeric;
use crate::attached::Attached;
use crate::buffer::{Data, View};
use crate::channel::{Channel, Direction, Kind, Woken};
use crate::errors::os_error;
use crate::hot;
use crate::hub::Hub;
use crate::inbox::Inbox;
use crate::rarely::at_once;
use crate::sys;

/// One descriptor on the loop. `fastsock.Socket` keeps one and binds its methods; it owns no descriptor.
#[pyclass(frozen, name = "Channel", module = "fastsock._fastsock")]
pub(crate) struct PyChannel(pub(crate) Attached<Inner>);

pub(crate) struct Inner {
    pub(crate) channel: Rc<Channel>,
    /// Family, type and protocol, as socket(2) takes them.
    pub(crate) form: (i32, i32, i32),
    /// Of a datagram socket whose server receives in batches.
    pub(crate) inbox: OnceCell<Box<Inbox>>,
    /// For listeners.
    pub(crate) policy: RefCell<Option<Box<AcceptPolicy>>>,
    /// Accepting pauses for want of descriptors until then.
    pub(crate) paused: Cell<Option<Time>>,
}

impl Inner {
    fn new(channel: Rc<Channel>, form: (i32, i32, i32)) -> Inner {
        Inner { channel, form, inbox: OnceCell::new(), policy: RefCell::new(None), paused: Cell::new(None) }
    }
}

impl PyChannel {
    pub(crate) fn of(fd: i32, form: (i32, i32, i32)) -> PyChannel {
        let is_tcp = form.1 == libc::SOCK_STREAM && form.0 != libc::AF_UNIX;
        let kind = if is_tcp { Kind::Stream } else { Kind::Other };
        PyChannel(Attached::new(Inner::new(Channel::new(fd, kind), form)))
    }

    #[inline]
    pub(crate) fn channel<'a>(&'a self, py: Python<'a>) -> &'a Rc<Channel> {
        &self.0.get(py).channel
    }
}

/// Seconds as Python gives them; `None` for no limit.
pub(crate) fn duration(seconds: Option<f64>) -> PyResult<Option<Duration>> {
    match seconds {
        None => Ok(None),
        Some(s) if s.is_nan() => Err(PyValueError::new_err("Invalid value NaN (not a number)")),
        Some(s) if s < 0.0 => Err(PyValueError::new_err("Timeout value out of range")),
        // Longer than anyone waits: the same as none. Shorter than the clock can tell is not nothing: 0 has a meaning.
        Some(s) => {
            let duration = Duration::try_from_secs_f64(s).unwrap_or(Duration::MAX);
            Ok(Some(if s > 0.0 { duration.max(Duration::from_nanos(1)) } else { duration }))
        }
    }
}

#[pymethods]
impl PyChannel {
    /// For a socket whose every read and write goes through here. `nonblocking`: the descriptor is so already.
    #[new]
    fn new(fd: i32, family: i32, r#type: i32, proto: i32, nonblocking: bool) -> PyResult<PyChannel> {
        if !nonblocking && fd >= 0 {
            sys::set_nonblocking(fd)?;
        }
        Ok(PyChannel::of(fd, (family, r#type, proto)))
    }

    /// For someone else's descriptor, which is only waited for.
    #[staticmethod]
    fn foreign(fd: i32) -> PyChannel {
        PyChannel(Attached::new(Inner::new(Channel::new(fd, Kind::Foreign), (0, 0, 0))))
    }

    /// `(recv, recv_into, send, sendall)`, bound: what `fastsock.Socket` keeps in its slots.
    pub(crate) fn methods<'py>(slf: &Bound<'py, Self>) -> PyResult<[Bound<'py, PyAny>; 4]> {
        let py = slf.py();
        let is_datagram = slf.get().0.get(py).form.1 == libc::SOCK_DGRAM;
        Ok([
            if is_datagram { slf.getattr(intern!(py, "recv"))? } else { hot::RECV.bind(slf)? },
            slf.getattr(intern!(py, "recv_into"))?,
            slf.getattr(intern!(py, "send"))?,
            hot::SENDALL.bind(slf)?,
        ])
    }

    /// `recv` of a datagram socket, which may have been received already.
    #[pyo3(signature = (bufsize, flags = 0, /))]
    fn recv<'py>(&self, py: Python<'py>, bufsize: isize, flags: i32) -> PyResult<Bound<'py, PyBytes>> {
        let limit = usize::try_from(bufsize).map_err(|_| PyValueError::new_err("negative buffersize in recv"))?;
        match self.held(py, limit, flags)? {
            Some((bytes, _)) => Ok(bytes),
            None => self.recv_slowly(py, limit, flags),
        }
    }

    /// `recvfrom` of a datagram socket, while `batching`.
    #[pyo3(signature = (bufsize, flags = 0, /))]
    fn recvfrom<'py>(
        &self,
        py: Python<'py>,
        bufsize: isize,
        flags: i32,
    ) -> PyResult<Option<(Bound<'py, PyBytes>, Bound<'py, PyAny>)>> {
        let limit = usize::try_from(bufsize).map_err(|_| PyValueError::new_err("negative buffersize in recvfrom"))?;
        self.next_datagram(py, limit, flags)
    }

    /// Whether datagrams may be received before they are asked for, or have been: then ask `recvfrom` here. For sockets of
    /// the families that have addresses as `fastsock.Socket` gives them.
    #[getter]
    fn batching(&self, py: Python<'_>) -> bool {
        self.0.get(py).inbox.get().is_some_and(|inbox| inbox.is_open() || !inbox.is_empty())
    }

    #[setter]
    fn set_batching(&self, py: Python<'_>, on: bool) {
        let inner = self.0.get(py);
        let (family, kind, _) = inner.form;
        if kind == libc::SOCK_DGRAM && matches!(family, libc::AF_INET | libc::AF_INET6 | libc::AF_UNIX) {
            inner.inbox.get_or_init(Box::default).set_open(on);
        }
    }

    /// Puts a datagram aside, to be sent with others at the end of the loop's turn; `again()` is called then if that could
    /// not be done at once. `False`: it is for `sendto`, now.
    fn post(&self, py: Python<'_>, data: &Bound<'_, PyBytes>, address: &Bound<'_, PyAny>, again: Py<PyAny>) -> bool {
        let inner = self.0.get(py);
        let (family, kind, _) = inner.form;
        if kind != libc::SOCK_DGRAM || inner.channel.loop_now(py).is_none() {
            return false;
        }
        match (Hub::here(py), numeric(family, address)) {
            (Some(hub), Some(to)) => hub.post(py, &inner.channel, data.as_bytes(), to, again),
            _ => false,
        }
    }

    /// Counts a call that this channel did not make, and that may not have waited: who never waits gives way now and then.
    fn pay(&self, py: Python<'_>, bytes: usize) -> PyResult<()> {
        self.channel(py).pay(py, bytes)
    }

    #[pyo3(signature = (buffer, nbytes = 0, flags = 0))]
    fn recv_into(&self, py: Python<'_>, buffer: &Bound<'_, PyAny>, nbytes: isize, flags: i32) -> PyResult<usize> {
        let channel = self.channel(py);
        let nbytes = usize::try_from(nbytes).map_err(|_| PyValueError::new_err("negative buffersize in recv_into"))?;
        let buffer = View::writable(buffer)?;
        let len = if nbytes == 0 { buffer.len() } else { nbytes };
        if len > buffer.len() {
            return Err(PyValueError::new_err("buffer too small for requested bytes"));
        }
        if len == 0 {
            return Ok(0);
        }
        if let Some((bytes, _)) = self.held(py, len, flags)? {
            // SAFETY: room for `len` bytes, which is the most that there are.
            unsafe { buffer.place().copy_from_nonoverlapping(bytes.as_bytes().as_ptr(), bytes.as_bytes().len()) };
            return Ok(bytes.as_bytes().len());
        }
        self.in_order(py)?;
        // SAFETY: writable and contiguous, and the export keeps the memory where it is. No Rust reference to it outlives
        // the system call, during which the GIL is held.
        let rest = |done: usize| unsafe { std::slice::from_raw_parts_mut(buffer.place().add(done), len - done) };
        if flags != 0 {
            return self.with_flags(py, len, flags, |done| sys::recv(channel.fd(), rest(done), flags));
        }
        let n = channel.transfer(py, Direction::Read, || sys::recv(channel.fd(), rest(0), 0))?;
        channel.moved(Direction::Read, n, len);
        channel.pay(py, n)?;
        Ok(n)
    }

    #[pyo3(signature = (data, flags = 0, /))]
    fn send(&self, py: Python<'_>, data: &Bound<'_, PyAny>, flags: i32) -> PyResult<usize> {
        let channel = self.channel(py);
        let data = Data::new(data)?;
        let bytes = data.as_slice();
        self.send_earlier(py)?;
        if flags & libc::MSG_DONTWAIT != 0 {
            channel.pay(py, 0)?;
            return if channel.is_sending() {
                Err(os_error(libc::EAGAIN))
            } else {
                at_once(sys::send(channel.fd(), bytes, flags))
            };
        }
        channel.begin_send(py)?;
        let result = channel.transfer(py, Direction::Write, || sys::send(channel.fd(), bytes, flags));
        channel.end_send(py);
        let n = result?;
        channel.moved(Direction::Write, n, bytes.len());
        channel.pay(py, n)?;
        Ok(n)
    }

    /// Before a send that this channel does not make: after what was written, and not into another coroutine's.
    fn in_turn(&self, py: Python<'_>) -> PyResult<()> {
        let channel = self.channel(py);
        self.send_earlier(py)?;
        if channel.is_sending() {
            channel.await_turn(py)?;
            // It takes no turn of its own, so the next one's is now.
            channel.end_send(py);
        }
        Ok(())
    }

    /// The next connection as `(socket, address)`. `class` is `fastsock.Socket`, `init` is `_socket.socket.__init__`.
    fn accept<'py>(
        &self,
        py: Python<'py>,
        class: &Bound<'py, PyType>,
        init: &Bound<'py, PyAny>,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        self.next_connection(py, class, init)
    }

    /// `(accepted, pauses, refused, aborted)` of a listener.
    fn accept_stats(&self, py: Python<'_>) -> (u64, u64, u64, u64) {
        let stats = self.0.get(py).policy.borrow().as_ref().map(|policy| policy.stats()).unwrap_or_default();
        (stats.accepted, stats.pauses, stats.refused, stats.aborted)
    }

    /// Waits until a read is worth an attempt; `False` after `timeout` seconds or an `interrupt()`. `sure`: until one would
    /// not block.
    #[pyo3(signature = (timeout = None, sure = false))]
    fn wait_read(&self, py: Python<'_>, timeout: Option<f64>, sure: bool) -> PyResult<bool> {
        let inner = self.0.get(py);
        let channel = &inner.channel;
        if inner.inbox.get().is_some_and(|inbox| !inbox.is_empty()) {
            channel.pay(py, 0)?;
            return Ok(true);
        }
        let deadline = duration(timeout)?.map(|timeout| Time::now() + timeout);
        if let Some(until) = inner.paused.take().filter(|until| *until > Time::now()) {
            return self.sit_out(py, until, deadline);
        }
        if channel.is_edge() && channel.is_ready(Direction::Read) && channel.loop_here(py).is_some() {
            if !sure || sys::is_readable(channel.fd()) {
                channel.pay(py, 0)?;
                return Ok(true);
            }
            channel.exhausted(Direction::Read);
        }
        Ok(channel.wait(py, Direction::Read, deadline)? == Woken::Ready)
    }

    /// Waits until a write would not block; `False` after `timeout` seconds.
    #[pyo3(signature = (timeout = None))]
    fn wait_write(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        let channel = self.channel(py);
        let deadline = duration(timeout)?.map(|timeout| Time::now() + timeout);
        Ok(channel.wait(py, Direction::Write, deadline)? == Woken::Ready)
    }

    /// After a connect that has begun: waits for its outcome. `False` after `timeout` seconds.
    #[pyo3(signature = (timeout = None))]
    fn await_connect(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        self.channel(py).exhausted(Direction::Write);
        self.wait_write(py, timeout)
    }

    /// After a call that this channel did not make has met `EAGAIN`: waits for the direction, `timeout` seconds or as long as
    /// the socket's allows.
    #[pyo3(signature = (write, timeout = None))]
    fn blocked(&self, py: Python<'_>, write: bool, timeout: Option<f64>) -> PyResult<()> {
        let channel = self.channel(py);
        let direction = if write { Direction::Write } else { Direction::Read };
        channel.exhausted(direction);
        let mut deadline = duration(timeout)?.map(|timeout| Time::now() + timeout);
        channel.wait_for_turn(py, direction, &mut deadline)
    }

    /// Waits until no other coroutine is in the middle of a send that this channel does not make, and begins one.
    fn begin_send(&self, py: Python<'_>) -> PyResult<()> {
        self.channel(py).begin_send(py)
    }

    fn end_send(&self, py: Python<'_>) {
        self.channel(py).end_send(py);
    }

    /// Ends a `wait_read` early, from any thread.
    fn interrupt(&self, py: Python<'_>) {
        self.channel(py).interrupt_from_anywhere();
    }

    /// Sends what `Writer`s have kept back.
    fn flush(&self, py: Python<'_>) -> PyResult<()> {
        self.send_earlier(py)
    }

    fn settimeout(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<()> {
        let timeout = duration(timeout)?;
        if timeout.is_some_and(|t| t.as_secs() > i64::MAX as u64 / 1_000_000_000) && timeout != Some(Duration::MAX) {
            return Err(PyOverflowError::new_err("timeout doesn't fit into C timeval"));
        }
        self.channel(py).set_timeout(timeout);
        Ok(())
    }

    fn gettimeout(&self, py: Python<'_>) -> Option<f64> {
        self.channel(py).timeout().map(|timeout| timeout.as_secs_f64())
    }

    /// Off the loop, before the descriptor is closed or given away.
    fn close(&self, py: Python<'_>) {
        let policy = self.0.get(py).policy.take();
        drop(policy);
        if let Some(hub) = Hub::here(py) {
            hub.send_posts_of(py, self.channel(py));
        }
        self.channel(py).close();
    }

    fn fileno(&self, py: Python<'_>) -> i32 {
        self.channel(py).fd()
    }

    /// After something has made the descriptor blocking.
    fn set_nonblocking(&self, py: Python<'_>) -> PyResult<()> {
        sys::set_nonblocking(self.channel(py).fd())
    }

    /// While true, no operation of the socket waits: its server waits elsewhere.
    #[setter]
    fn set_impatient(&self, py: Python<'_>, impatient: bool) {
        self.channel(py).set_impatient(impatient);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // A socket that nobody closed: its descriptor is gone, and so must its registration be.
        self.channel.close();
    }
}
