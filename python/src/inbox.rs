//! Datagrams that are received several at a time: recvmmsg(2).

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::os::fd::{BorrowedFd, RawFd};

use fastsock::net::{PeerAddress, RecvBatch};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::address::address;
use crate::channel::Direction;
use crate::errors::os_error;
use crate::socket::PyChannel;

/// The most that come at a time.
const BATCH: usize = 32;
/// No receive that asks for more takes part.
const LONGEST: usize = 64 * 1024;
/// Room for each. Not a power of two: the first lines of all would fall into the same few places of the cache.
const ROOM: usize = LONGEST + 192;

thread_local! {
    /// Memory is taken only where datagrams are written to.
    static ARRIVALS: RefCell<Option<RecvBatch>> = const { RefCell::new(None) };
}

struct Held {
    bytes: Py<PyBytes>,
    from: PeerAddress,
}

/// The datagrams of one socket that have been received and not yet been asked for.
#[derive(Default)]
pub(crate) struct Inbox {
    held: RefCell<VecDeque<Held>>,
    /// Whether more than was asked for may be received: while a server serves. What waits here is not in the kernel's
    /// queue, and who looks there (select(2), a child process) would not see it.
    open: Cell<bool>,
}

impl Inbox {
    pub(crate) fn set_open(&self, open: bool) {
        self.open.set(open);
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open.get()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.held.borrow().is_empty()
    }

    /// Receives what is there, up to a batch; whether that was all.
    pub(crate) fn fill(&self, py: Python<'_>, fd: RawFd) -> io::Result<bool> {
        ARRIVALS.with_borrow_mut(|batch| {
            let batch = batch.get_or_insert_with(|| RecvBatch::new(BATCH, ROOM));
            // SAFETY: open, and nothing closes it while we hold the GIL.
            let came = batch.recv(unsafe { BorrowedFd::borrow_raw(fd) })?;
            let mut held = self.held.borrow_mut();
            for datagram in batch.iter() {
                held.push_back(Held { bytes: PyBytes::new(py, datagram.bytes()).unbind(), from: datagram.from() });
            }
            // The call has met an empty queue; or an error, of which an event is on its way (sock_error wakes pollers).
            Ok(came < BATCH)
        })
    }

    /// The first, cut to `limit` bytes as recv(2) cuts it, and its sender; without taking it, if only to `look`.
    pub(crate) fn take<'py>(
        &self,
        py: Python<'py>,
        limit: usize,
        look: bool,
    ) -> PyResult<Option<(Bound<'py, PyBytes>, Bound<'py, PyAny>)>> {
        let mut held = self.held.borrow_mut();
        let Some(first) = held.front() else { return Ok(None) };
        let from = match first.from.family() {
            // A Unix socket without a name.
            libc::AF_UNSPEC => py.None().into_bound(py),
            _ => address(py, &first.from)?,
        };
        let mut bytes = first.bytes.bind(py).clone();
        if bytes.as_bytes().len() > limit {
            bytes = PyBytes::new(py, &bytes.as_bytes()[..limit]);
        }
        if !look {
            held.pop_front();
        }
        Ok(Some((bytes, from)))
    }
}

impl PyChannel {
    /// The next datagram and its sender, by way of the inbox if that is open or has one; `None`: it is not for this call.
    pub(crate) fn next_datagram<'py>(
        &self,
        py: Python<'py>,
        limit: usize,
        flags: i32,
    ) -> PyResult<Option<(Bound<'py, PyBytes>, Bound<'py, PyAny>)>> {
        let inner = self.0.get(py);
        let mut deadline = None;
        loop {
            if let Some(first) = self.held(py, limit, flags)? {
                return Ok(Some(first));
            }
            let Some(inbox) = inner.inbox.get().filter(|inbox| inbox.is_open() && limit <= LONGEST && flags == 0)
            else {
                return Ok(None);
            };
            let channel = &inner.channel;
            if !channel.is_open() {
                return Err(os_error(libc::EBADF));
            }
            if channel.may(Direction::Read) || channel.loop_here(py).is_none() {
                match inbox.fill(py, channel.fd()) {
                    Ok(all) => {
                        if all {
                            channel.exhausted(Direction::Read);
                        }
                        continue;
                    }
                    Err(error) => channel.failed(py, Direction::Read, error).map_err(|error| *error)?,
                }
            }
            channel.wait_for_turn(py, Direction::Read, &mut deadline)?;
        }
    }
}
