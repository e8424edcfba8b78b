use std::io;
use std::time::Duration;

use fastsock::{Time, TimerQueue, Token};

use super::Timers;

pub(crate) struct Queue {
    queue: TimerQueue<usize>,
    start: Time,
}

impl Timers for Queue {
    type Handle = Token;

    fn new(_: usize) -> io::Result<Queue> {
        Ok(Queue { queue: TimerQueue::new(), start: Time::now() })
    }

    #[inline]
    fn set(&mut self, index: usize, millis: u32) -> io::Result<Token> {
        self.queue.insert(self.start + Duration::from_millis(millis.into()), index)
    }

    #[inline]
    fn set_anew(&mut self, timer: Token, millis: u32) -> io::Result<()> {
        self.queue.rearm(timer, self.start + Duration::from_millis(millis.into()))
    }

    #[inline]
    fn cancel(&mut self, timer: Token) -> io::Result<()> {
        self.queue.cancel(timer);
        Ok(())
    }

    fn left(&self) -> usize {
        self.queue.len()
    }
}
