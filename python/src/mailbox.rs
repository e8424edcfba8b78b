//! What other threads ask of a loop.

use std::rc::Rc;

use fastsock::Token;

use crate::channel::Channel;
use crate::greenlet::Greenlet;
use crate::hub::Hub;
use crate::members::Members;
use crate::park::Why;

/// What another thread asks for.
pub(crate) enum Message {
    Interrupt(Rc<Channel>),
    Forget(Token),
    Resume(Greenlet),
    WakeJoiners(Rc<Members>),
}

impl Hub {
    pub(crate) fn send(&self, message: Message) {
        if self.dead.get() {
            return;
        }
        self.messages.borrow_mut().push(message);
        // The poller lives as long as the hub.
        let _ = self.waker.wake();
    }

    pub(crate) fn read_messages(&self) {
        if self.messages.borrow().is_empty() {
            return;
        }
        for message in self.messages.take() {
            match message {
                Message::Interrupt(channel) => channel.interrupt(self),
                Message::Forget(token) => self.forget(token),
                Message::Resume(greenlet) => self.push(greenlet, Why::Ready),
                Message::WakeJoiners(members) => members.wake_joiners(self),
            }
        }
    }
}
