//! Datagrams that are sent several at a time, at the end of the loop's turn: sendmmsg(2).

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::os::fd::BorrowedFd;
use std::rc::Rc;

use fastsock::net::{PeerAddress, SendBatch};
use pyo3::prelude::*;

use crate::channel::Channel;
use crate::hub::Hub;

/// The most that are sent at a time, and the most bytes.
const BATCH: usize = 64;
const ROOM: usize = 128 * 1024;

/// What is to be sent through one socket.
struct Pile {
    channel: Rc<Channel>,
    batch: SendBatch,
    /// For each: called when it could not be sent at once, to send it in the ordinary way.
    again: VecDeque<Py<PyAny>>,
}

#[derive(Default)]
pub(crate) struct Posts {
    waiting: Cell<bool>,
    pile: RefCell<Option<Pile>>,
}

impl Hub {
    /// Puts a datagram aside until the turn ends; `false`: it must be sent in the ordinary way, now.
    pub(crate) fn post(
        &self,
        py: Python<'_>,
        channel: &Rc<Channel>,
        bytes: &[u8],
        to: PeerAddress,
        again: Py<PyAny>,
    ) -> bool {
        // Another socket's, or no room: those before it go first.
        let is_other = |pile: &Pile| !Rc::ptr_eq(&pile.channel, channel);
        if self.posts.waiting.get() && self.posts.pile.borrow().as_ref().is_some_and(is_other) {
            self.send_posts(py);
        }
        for _ in 0..2 {
            let mut place = self.posts.pile.borrow_mut();
            let pile = place.get_or_insert_with(|| Pile {
                channel: channel.clone(),
                batch: SendBatch::new(BATCH, ROOM),
                again: VecDeque::new(),
            });
            if pile.again.is_empty() && !Rc::ptr_eq(&pile.channel, channel) {
                pile.channel = channel.clone();
            }
            if pile.batch.push(bytes, Some(to)) {
                pile.again.push_back(again);
                self.posts.waiting.set(true);
                return true;
            }
            drop(place);
            self.send_posts(py);
        }
        false
    }

    /// Sends what was put aside.
    #[inline]
    pub(crate) fn send_posts(&self, py: Python<'_>) {
        if self.posts.waiting.get() {
            self.send_pile(py);
        }
    }

    /// Before something else is sent through this socket, or it is closed.
    #[inline]
    pub(crate) fn send_posts_of(&self, py: Python<'_>, channel: &Channel) {
        let is_its = |pile: &Pile| std::ptr::eq(Rc::as_ptr(&pile.channel), channel);
        if self.posts.waiting.get() && self.posts.pile.borrow().as_ref().is_some_and(is_its) {
            self.send_pile(py);
        }
    }

    #[inline(never)]
    fn send_pile(&self, py: Python<'_>) {
        self.posts.waiting.set(false);
        let Some(mut pile) = self.posts.pile.take() else { return };
        let mut failed = Vec::new();
        while !pile.batch.is_empty() {
            let sent = if pile.channel.is_open() {
                // SAFETY: open, and nothing closes it while we hold the GIL.
                pile.batch.send(unsafe { BorrowedFd::borrow_raw(pile.channel.fd()) })
            } else {
                Err(std::io::Error::from_raw_os_error(libc::EBADF))
            };
            match sent {
                Ok(sent) => drop(pile.again.drain(..sent)),
                Err(error) if error.raw_os_error() == Some(libc::EINTR) => {}
                Err(_) => {
                    pile.batch.skip();
                    failed.extend(pile.again.pop_front());
                }
            }
        }
        // The memory, for the next time; unless something has been put aside while references were dropped.
        let mut place = self.posts.pile.borrow_mut();
        if place.is_none() {
            *place = Some(pile);
        }
        drop(place);
        for again in failed {
            if let Err(error) = again.call0(py) {
                error.write_unraisable(py, None);
            }
        }
    }
}
