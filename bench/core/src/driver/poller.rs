use std::io;
use std::os::fd::BorrowedFd;

use fastsock::{Backend, Event, Interest, Token, Waker};

use super::{Driver, Trigger, Work};

pub(crate) struct Poller {
    poller: fastsock::Poller<'static>,
    events: Vec<Event>,
    /// By slot: the poller chooses the token, the user finds what it stands for.
    keys: Vec<usize>,
}

/// The low half of a token, see [`Token`].
#[inline]
fn slot(token: Token) -> usize {
    token.to_bits() as u32 as usize
}

impl<W: Work> Driver<W> for Poller {
    type Registration = Token;
    type Waker = Waker;

    fn new() -> io::Result<Poller> {
        let poller = fastsock::Poller::with_backend(Backend::Epoll)?;
        Ok(Poller { poller, events: Vec::new(), keys: Vec::new() })
    }

    fn add(&mut self, fd: BorrowedFd<'static>, key: usize, trigger: Trigger) -> io::Result<Token> {
        let token = self.poller.add(fd, Interest::READABLE, trigger.of_fastsock())?;
        if self.keys.len() <= slot(token) {
            self.keys.resize(slot(token) + 1, 0);
        }
        self.keys[slot(token)] = key;
        Ok(token)
    }

    fn remove(&mut self, token: Token) -> io::Result<()> {
        if self.poller.remove(token) { Ok(()) } else { Err(io::Error::other("a token was stale")) }
    }

    #[inline]
    fn turn(&mut self, work: &mut W) -> io::Result<()> {
        self.poller.wait(&mut self.events, None)?;
        for event in &self.events {
            if event.is_readable() {
                work.ready(self.keys[slot(event.token())]);
            }
        }
        Ok(())
    }

    fn waker(&mut self) -> io::Result<Waker> {
        self.poller.waker()
    }

    #[inline]
    fn wake(waker: &Waker) -> io::Result<()> {
        waker.wake()
    }
}

impl Trigger {
    pub(super) fn of_fastsock(self) -> fastsock::Trigger {
        match self {
            Trigger::Level => fastsock::Trigger::Level,
            Trigger::Edge => fastsock::Trigger::Edge,
        }
    }
}
