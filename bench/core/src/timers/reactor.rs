use std::hint::black_box;
use std::io;
use std::time::Duration;

use fastsock::Token;

use super::Timers;

/// With a callback each, and a look at the clock for each deadline.
pub(crate) struct Reactor(fastsock::Reactor<'static, ()>);

impl Timers for Reactor {
    type Handle = Token;

    fn new(_: usize) -> io::Result<Reactor> {
        Ok(Reactor(fastsock::Reactor::new()?))
    }

    #[inline]
    fn set(&mut self, index: usize, millis: u32) -> io::Result<Token> {
        self.0.timer(Duration::from_millis(millis.into()), move |_, _, _, _| {
            black_box(index);
        })
    }

    #[inline]
    fn set_anew(&mut self, timer: Token, millis: u32) -> io::Result<()> {
        self.0.rearm_timer(timer, Duration::from_millis(millis.into()))
    }

    #[inline]
    fn cancel(&mut self, timer: Token) -> io::Result<()> {
        self.0.remove(timer);
        Ok(())
    }

    fn left(&self) -> usize {
        usize::from(!self.0.is_empty())
    }
}
