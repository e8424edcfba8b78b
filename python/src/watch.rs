//! The descriptors that a loop watches.

use std::rc::Rc;

use fastsock::{Interest, Token, Trigger};
use pyo3::prelude::*;

use crate::channel::Channel;
use crate::errors::from_io;
use crate::hub::Hub;
use crate::mailbox::Message;

impl Hub {
    pub(crate) fn watch(&self, channel: &Rc<Channel>) -> PyResult<Token> {
        // A number that another thread has closed may be this very one.
        self.read_messages();
        let (interest, trigger) = if channel.is_bell() {
            (Interest::READABLE, Trigger::Level)
        } else if self.has_edge() && channel.is_edge() {
            (Interest::READABLE | Interest::WRITABLE | Interest::PRIORITY, Trigger::Edge)
        } else {
            (Interest::NONE, Trigger::OneShot)
        };
        // SAFETY: the channel's owner calls `close` before it closes the descriptor; see `Channel::close`.
        let token = unsafe { self.poller.borrow_mut().add_raw(channel.fd(), interest, trigger) }.map_err(from_io)?;
        let slot = token.to_bits() as u32 as usize;
        let mut channels = self.channels.borrow_mut();
        if channels.len() <= slot {
            channels.resize_with(slot + 1, || None);
        }
        channels[slot] = Some(channel.clone());
        Ok(token)
    }

    /// Asks for one event, where there are no edges.
    pub(crate) fn ask(&self, token: Token, interest: Interest) -> PyResult<()> {
        self.poller.borrow_mut().modify(token, interest, Trigger::OneShot).map_err(from_io)
    }

    pub(crate) fn forget(&self, token: Token) {
        if self.dead.get() {
            return;
        }
        if !self.is_here() {
            return self.send(Message::Forget(token));
        }
        if self.poller.borrow_mut().remove(token) {
            let slot = token.to_bits() as u32 as usize;
            let channel = self.channels.borrow_mut()[slot].take();
            if let Some(channel) = channel {
                channel.forgotten(self);
            }
        }
    }
}
