//! Timers: when a wait has lasted long enough.

use std::rc::Rc;

use fastsock::{Time, Token};
use pyo3::prelude::*;

use crate::channel::{Channel, Direction};
use crate::errors::from_io;
use crate::greenlet::Greenlet;
use crate::hub::Hub;
use crate::park::Why;

/// What a timer does.
pub(crate) enum Alarm {
    Channel(Rc<Channel>, Direction),
    Greenlet(Greenlet),
}

impl Hub {
    pub(crate) fn alarm(&self, deadline: Time, alarm: Alarm) -> PyResult<Token> {
        self.timers.borrow_mut().insert(deadline, alarm).map_err(from_io)
    }

    /// Whether it was still to ring.
    pub(crate) fn cancel(&self, token: Token) -> bool {
        let alarm = self.timers.borrow_mut().cancel(token);
        alarm.is_some()
    }

    pub(crate) fn ring(&self) {
        if self.timers.borrow().next_deadline().is_none() {
            return;
        }
        let mut due = Vec::new();
        self.timers.borrow_mut().take_due(Time::now(), &mut due);
        for token in due {
            let alarm = self.timers.borrow_mut().cancel(token);
            match alarm {
                Some(Alarm::Channel(channel, direction)) => channel.wake(self, direction, Why::TimedOut),
                Some(Alarm::Greenlet(greenlet)) => self.push(greenlet, Why::TimedOut),
                None => {}
            }
        }
    }
}
