use std::hint::black_box;
use std::io;
use std::time::Duration;

use fastsock::{Time, Token};

use super::Timers;

/// One function for all, which is told the token. (A closure that captures something costs an allocation more.) The clock is
/// looked at once, as in libev, which looks once a turn.
pub(crate) struct Reactor {
    reactor: fastsock::Reactor<'static, ()>,
    start: Time,
}

impl Timers for Reactor {
    type Handle = Token;

    fn new(_: usize) -> io::Result<Reactor> {
        Ok(Reactor { reactor: fastsock::Reactor::new()?, start: Time::now() })
    }

    #[inline]
    fn set(&mut self, _: usize, millis: u32) -> io::Result<Token> {
        let deadline = self.start + Duration::from_millis(millis.into());
        self.reactor.timer_at(deadline, |_, _, token, _| {
            black_box(token);
        })
    }

    #[inline]
    fn set_anew(&mut self, timer: Token, millis: u32) -> io::Result<()> {
        self.reactor.rearm_timer_at(timer, self.start + Duration::from_millis(millis.into()))
    }

    #[inline]
    fn cancel(&mut self, timer: Token) -> io::Result<()> {
        self.reactor.remove(timer);
        Ok(())
    }

    fn left(&self) -> usize {
        usize::from(!self.reactor.is_empty())
    }
}
