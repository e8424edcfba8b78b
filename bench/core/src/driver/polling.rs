use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::Arc;

use polling::{Event, Events, PollMode, Poller};

use super::{Driver, EVENTS, Trigger, Work};

pub(crate) struct Polling {
    poller: Arc<Poller>,
    events: Events,
}

impl<W: Work> Driver<W> for Polling {
    type Registration = BorrowedFd<'static>;
    type Waker = Arc<Poller>;

    fn new() -> io::Result<Polling> {
        let room = NonZeroUsize::MIN.saturating_add(EVENTS - 1);
        Ok(Polling { poller: Arc::new(Poller::new()?), events: Events::with_capacity(room) })
    }

    fn add(&mut self, fd: BorrowedFd<'static>, key: usize, trigger: Trigger) -> io::Result<BorrowedFd<'static>> {
        let mode = match trigger {
            Trigger::Level => PollMode::Level,
            Trigger::Edge => PollMode::Edge,
        };
        // SAFETY: the borrow keeps the descriptor open for longer than the poller lives.
        unsafe { self.poller.add_with_mode(fd.as_raw_fd(), Event::readable(key), mode) }?;
        Ok(fd)
    }

    fn remove(&mut self, fd: BorrowedFd<'static>) -> io::Result<()> {
        self.poller.delete(fd)
    }

    #[inline]
    fn turn(&mut self, work: &mut W) -> io::Result<()> {
        self.events.clear();
        self.poller.wait(&mut self.events, None)?;
        for event in self.events.iter() {
            if event.readable {
                work.ready(event.key);
            }
        }
        Ok(())
    }

    fn waker(&mut self) -> io::Result<Arc<Poller>> {
        Ok(self.poller.clone())
    }

    #[inline]
    fn wake(waker: &Arc<Poller>) -> io::Result<()> {
        waker.notify()
    }
}
