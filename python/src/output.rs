//! Output that was written and not yet sent.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use pyo3::prelude::*;

use crate::channel::Channel;
use crate::hub::Hub;

/// Beyond this, a write is sent at once.
pub(crate) const LIMIT: usize = 64 * 1024;
/// A buffer that has grown beyond this is given back to the allocator when it is empty.
const KEEP: usize = 4 * 1024;

#[derive(Default)]
pub(crate) struct Output {
    bytes: RefCell<Vec<u8>>,
    /// Whether the loop knows that there is something to flush.
    listed: Cell<bool>,
    /// A flush that nobody asked for has failed: told to the next write.
    error: Cell<i32>,
}

impl Output {
    /// Appends; returns how much waits now, and whether the loop is still to be told.
    pub(crate) fn append(&self, data: &[u8]) -> (usize, bool) {
        let mut bytes = self.bytes.borrow_mut();
        bytes.extend_from_slice(data);
        (bytes.len(), !self.listed.replace(true))
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.borrow().is_empty()
    }

    /// Whether a send may go ahead: nothing waits, and nothing has failed that is still to be told.
    #[inline]
    pub(crate) fn is_clean(&self) -> bool {
        self.is_empty() && self.error.get() == 0
    }

    /// What waits, to be sent; `give_back` afterwards.
    pub(crate) fn take(&self) -> Vec<u8> {
        self.listed.set(false);
        self.bytes.take()
    }

    /// The buffer of a `take`, sent or not, for its capacity.
    pub(crate) fn give_back(&self, mut buffer: Vec<u8>) {
        let mut bytes = self.bytes.borrow_mut();
        if bytes.is_empty() && buffer.capacity() <= KEEP {
            buffer.clear();
            *bytes = buffer;
        }
    }

    /// The rest of a `take`, to be sent before what is appended from now on.
    pub(crate) fn put_back(&self, buffer: Vec<u8>) {
        let mut bytes = self.bytes.borrow_mut();
        if bytes.is_empty() { *bytes = buffer } else { bytes.splice(..0, buffer).for_each(drop) }
    }

    /// Whether the loop is to be told (again) that something waits here.
    pub(crate) fn list(&self) -> bool {
        !self.is_empty() && !self.listed.replace(true)
    }

    pub(crate) fn clear(&self) {
        self.bytes.take();
        self.listed.set(false);
    }

    pub(crate) fn fail(&self, errno: i32) {
        self.error.set(errno);
    }

    /// The errno of a failed flush, once.
    pub(crate) fn take_error(&self) -> Option<i32> {
        match self.error.take() {
            0 => None,
            errno => Some(errno),
        }
    }
}

impl Hub {
    pub(crate) fn soil(&self, channel: &Rc<Channel>) {
        self.dirty.borrow_mut().push(channel.clone());
    }

    /// Sends what the current coroutine has written. Before every park, so that nobody waits for an answer to bytes
    /// that were never sent.
    #[inline]
    pub(crate) fn flush(&self, py: Python<'_>) -> PyResult<()> {
        if self.dirty.borrow().is_empty() { Ok(()) } else { self.flush_all(py) }
    }

    #[inline(never)]
    fn flush_all(&self, py: Python<'_>) -> PyResult<()> {
        let mut stuck = Vec::new();
        loop {
            let Some(channel) = self.dirty.borrow_mut().pop() else { break };
            if !channel.flush_at_once() {
                stuck.push(channel);
            }
        }
        if stuck.is_empty() { Ok(()) } else { self.flush_stuck(py, stuck) }
    }

    /// One after the other, after everyone who takes it at once. A wait in here flushes again, and finds none of these.
    #[cold]
    #[inline(never)]
    fn flush_stuck(&self, py: Python<'_>, mut stuck: Vec<Rc<Channel>>) -> PyResult<()> {
        while let Some(channel) = stuck.pop() {
            if let Err(error) = channel.flush_quietly(py) {
                // This coroutine ends; the next one that parks takes them over.
                stuck.iter().filter(|channel| channel.output.list()).for_each(|channel| self.soil(channel));
                return Err(error);
            }
        }
        Ok(())
    }
}
