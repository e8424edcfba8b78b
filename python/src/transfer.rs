//! Receiving and sending: try, wait, try again.

use std::io;
use std::rc::Rc;

use fastsock::Time;
use pyo3::prelude::*;

use crate::channel::{Channel, Direction, Prepared, Woken};
use crate::errors::{Slim, errno, from_io, os_error, timed_out};
use crate::hub::Hub;
use crate::sys;

fn ended(woken: Woken) -> Slim<()> {
    match woken {
        Woken::TimedOut => Err(timed_out().into()),
        Woken::Ready | Woken::Interrupted => Ok(()),
    }
}

impl Channel {
    /// Does `attempt` until it is done, and waits while the kernel says `EAGAIN`: on the loop, or in poll(2) where
    /// there is none, or not at all for a socket that is set not to block.
    #[inline]
    pub(crate) fn transfer<T>(
        self: &Rc<Channel>,
        py: Python<'_>,
        direction: Direction,
        mut attempt: impl FnMut() -> io::Result<T>,
    ) -> PyResult<T> {
        // A socket that belongs to another thread's loop, or to none that runs: then its readiness is not known.
        let known = self.loop_now(py).is_some();
        let mut deadline = None;
        loop {
            if !known || self.may(direction) {
                match attempt() {
                    Ok(value) => return Ok(value),
                    Err(error) => self.failed(py, direction, error).map_err(|error| *error)?,
                }
            }
            self.wait_for_turn(py, direction, &mut deadline)?;
        }
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn failed(&self, py: Python<'_>, direction: Direction, error: io::Error) -> Slim<()> {
        match error.raw_os_error() {
            Some(libc::EAGAIN) => {
                self.exhausted(direction);
                Ok(())
            }
            Some(libc::EINTR) => Ok(py.check_signals()?),
            Some(errno) => Err(os_error(errno).into()),
            None => Err(from_io(error).into()),
        }
    }

    /// Waits as long as the socket's timeout allows. The deadline is set at the first wait.
    pub(crate) fn wait_for_turn(
        self: &Rc<Channel>,
        py: Python<'_>,
        direction: Direction,
        deadline: &mut Option<Time>,
    ) -> PyResult<()> {
        self.take_turn(py, direction, deadline).map_err(|error| *error)
    }

    /// As `wait`, without its frame.
    #[inline(always)]
    pub(crate) fn take_turn(
        self: &Rc<Channel>,
        py: Python<'_>,
        direction: Direction,
        deadline: &mut Option<Time>,
    ) -> Slim<()> {
        match self.prepare_turn(py, direction, deadline)? {
            Prepared::Done(woken) => ended(woken),
            Prepared::Park(parked) => {
                let switched = parked.next.switch(py);
                ended(self.finish(py, parked, switched)?)
            }
        }
    }

    #[inline(never)]
    fn prepare_turn(
        self: &Rc<Channel>,
        py: Python<'_>,
        direction: Direction,
        deadline: &mut Option<Time>,
    ) -> Slim<Prepared> {
        if self.is_impatient(direction) {
            // Not before what was written earlier is on its way.
            if let Some(hub) = Hub::running(py) {
                hub.flush(py)?;
                // Who polls never waits: without a turn of the loop, it would never hear that something has come.
                hub.spend(py, 0)?;
            }
            return Err(os_error(libc::EAGAIN).into());
        }
        if let Some(timeout) = self.timeout() {
            deadline.get_or_insert_with(|| Time::now() + timeout);
        }
        self.prepare(py, direction, *deadline)
    }

    /// recv(2) of up to `limit` bytes through the thread's buffer; `take` copies out what it wants and cannot wait.
    #[inline]
    pub(crate) fn receive<T>(
        self: &Rc<Channel>,
        py: Python<'_>,
        limit: usize,
        mut take: impl FnMut(&[u8]) -> T,
    ) -> PyResult<T> {
        let limit = limit.min(sys::SCRATCH);
        let (n, value) = self.transfer(py, Direction::Read, || {
            sys::with_scratch(|buffer| {
                let n = sys::recv(self.fd(), &mut buffer[..limit], 0)?;
                Ok((n, take(&buffer[..n])))
            })
        })?;
        self.moved(Direction::Read, n, limit);
        self.pay(py, n)?;
        Ok(value)
    }

    /// Counts I/O that may not have waited.
    #[inline]
    pub(crate) fn pay(&self, py: Python<'_>, bytes: usize) -> PyResult<()> {
        match Hub::here(py) {
            Some(hub) => hub.spend(py, bytes),
            None => Ok(()),
        }
    }

    /// Sends all of it; two coroutines' data never mix.
    pub(crate) fn send_all(self: &Rc<Channel>, py: Python<'_>, data: &[u8], flags: i32) -> PyResult<()> {
        self.begin_send(py)?;
        let result = self.send_rest(py, data, flags);
        self.end_send(py);
        result?;
        self.pay(py, data.len())
    }

    fn send_rest(self: &Rc<Channel>, py: Python<'_>, mut data: &[u8], flags: i32) -> PyResult<()> {
        let known = self.loop_now(py).is_some();
        let mut deadline = None;
        while !data.is_empty() {
            if !known || self.may(Direction::Write) {
                match sys::send(self.fd(), data, flags) {
                    Ok(n) => {
                        self.moved(Direction::Write, n, data.len());
                        data = &data[n..];
                        continue;
                    }
                    Err(error) => self.failed(py, Direction::Write, error).map_err(|error| *error)?,
                }
            }
            self.wait_for_turn(py, Direction::Write, &mut deadline)?;
        }
        Ok(())
    }

    /// Sends what the writer has kept back.
    pub(crate) fn flush(self: &Rc<Channel>, py: Python<'_>) -> PyResult<()> {
        if let Some(errno) = self.output.take_error() {
            return Err(os_error(errno));
        }
        if self.output.is_empty() {
            return Ok(());
        }
        let buffer = self.output.take();
        let result = self.send_all(py, &buffer, 0);
        self.output.give_back(buffer);
        result
    }

    /// As far as it goes without waiting; whether that is all that can be done now.
    pub(crate) fn flush_at_once(&self) -> bool {
        let buffer = self.output.take();
        if buffer.is_empty() {
            self.output.give_back(buffer);
            return true;
        }
        if self.is_sending() {
            // Behind what is being sent, by whoever sends it: that may be this very coroutine, about to wait.
            self.output.put_back(buffer);
            return true;
        }
        if self.may(Direction::Write) {
            if let Ok(n) = sys::send(self.fd(), &buffer, 0) {
                self.moved(Direction::Write, n, buffer.len());
                if n == buffer.len() {
                    self.output.give_back(buffer);
                    return true;
                }
                self.output.put_back(buffer[n..].to_vec());
                return false;
            }
        }
        self.output.put_back(buffer);
        false
    }

    /// For the one who did not ask for it: a failure is told to the channel's next write.
    #[cold]
    #[inline(never)]
    pub(crate) fn flush_quietly(self: &Rc<Channel>, py: Python<'_>) -> PyResult<()> {
        let buffer = self.output.take();
        match self.send_all(py, &buffer, 0) {
            Err(error) if error.is_instance_of::<pyo3::exceptions::PyOSError>(py) => {
                self.output.fail(errno(py, &error));
                Ok(())
            }
            other => other,
        }
    }
}
