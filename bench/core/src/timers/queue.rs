use std::io;
use std::time::Duration;

use fastsock::{Time, TimerQueue, Token};

use super::Timers;

pub(crate) struct Queue {
    queue: TimerQueue<usize>,
    start: Time,
    tokens: Vec<Option<Token>>,
}

impl Timers for Queue {
    fn new(room: usize) -> io::Result<Queue> {
        Ok(Queue { queue: TimerQueue::new(), start: Time::now(), tokens: vec![None; room] })
    }

    #[inline]
    fn set(&mut self, index: usize, millis: u32) -> io::Result<()> {
        let deadline = self.start + Duration::from_millis(millis.into());
        self.tokens[index] = Some(self.queue.insert(deadline, index)?);
        Ok(())
    }

    #[inline]
    fn set_anew(&mut self, index: usize, millis: u32) -> io::Result<()> {
        let deadline = self.start + Duration::from_millis(millis.into());
        self.tokens[index].map_or(Ok(()), |token| self.queue.rearm(token, deadline))
    }

    #[inline]
    fn cancel(&mut self, index: usize) -> io::Result<()> {
        self.tokens[index].take().and_then(|token| self.queue.cancel(token));
        Ok(())
    }

    fn left(&self) -> usize {
        self.queue.len()
    }
}
