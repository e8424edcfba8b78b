use std::io;
use std::os::fd::BorrowedFd;

use fastsock::{Backend, Interest, Token, Waker};

use super::{Driver, Trigger, Work};

pub(crate) struct Reactor<W>(fastsock::Reactor<'static, W>);

impl<W: Work> Driver<W> for Reactor<W> {
    type Registration = Token;
    type Waker = Waker;

    fn new() -> io::Result<Reactor<W>> {
        fastsock::Reactor::with_backend(Backend::Epoll).map(Reactor)
    }

    fn add(&mut self, fd: BorrowedFd<'static>, key: usize, trigger: Trigger) -> io::Result<Token> {
        let token = self.0.add(fd, Interest::READABLE, trigger.of_fastsock(), move |_, work: &mut W, _, event| {
            if event.is_readable() {
                work.ready(key);
            }
        })?;
        Ok(token)
    }

    fn remove(&mut self, token: Token) -> io::Result<()> {
        if self.0.remove(token) { Ok(()) } else { Err(io::Error::other("a token was stale")) }
    }

    #[inline]
    fn turn(&mut self, work: &mut W) -> io::Result<()> {
        self.0.turn(work, None).map(drop)
    }

    fn waker(&mut self) -> io::Result<Waker> {
        self.0.waker()
    }

    #[inline]
    fn wake(waker: &Waker) -> io::Result<()> {
        waker.wake()
    }
}
