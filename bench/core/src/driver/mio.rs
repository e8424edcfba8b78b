use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};

use super::{Driver, EVENTS, Trigger, Work};

const WAKE: Token = Token(usize::MAX);

pub(crate) struct Mio {
    poll: Poll,
    events: Events,
}

impl<W: Work> Driver<W> for Mio {
    type Registration = RawFd;
    type Waker = Waker;
    const HAS_LEVEL: bool = false;

    fn new() -> io::Result<Mio> {
        Ok(Mio { poll: Poll::new()?, events: Events::with_capacity(EVENTS) })
    }

    fn add(&mut self, fd: BorrowedFd<'static>, key: usize, trigger: Trigger) -> io::Result<RawFd> {
        if trigger != Trigger::Edge {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "mio is edge-triggered only"));
        }
        let fd = fd.as_raw_fd();
        self.poll.registry().register(&mut SourceFd(&fd), Token(key), Interest::READABLE)?;
        Ok(fd)
    }

    fn remove(&mut self, fd: RawFd) -> io::Result<()> {
        self.poll.registry().deregister(&mut SourceFd(&fd))
    }

    #[inline]
    fn turn(&mut self, work: &mut W) -> io::Result<()> {
        self.poll.poll(&mut self.events, None)?;
        for event in &self.events {
            if event.token() != WAKE && event.is_readable() {
                work.ready(event.token().0);
            }
        }
        Ok(())
    }

    fn waker(&mut self) -> io::Result<Waker> {
        Waker::new(self.poll.registry(), WAKE)
    }

    #[inline]
    fn wake(waker: &Waker) -> io::Result<()> {
        waker.wake()
    }
}
