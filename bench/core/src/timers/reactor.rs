use std::hint::black_box;
use std::io;
use std::time::Duration;

use fastsock::Token;

use super::Timers;

/// With a callback each, and a look at the clock for each deadline.
pub(crate) struct Reactor {
    reactor: fastsock::Reactor<'static, ()>,
    tokens: Vec<Option<Token>>,
}

impl Timers for Reactor {
    fn new(room: usize) -> io::Result<Reactor> {
        Ok(Reactor { reactor: fastsock::Reactor::new()?, tokens: vec![None; room] })
    }

    #[inline]
    fn set(&mut self, index: usize, millis: u32) -> io::Result<()> {
        let after = Duration::from_millis(millis.into());
        let token = self.reactor.timer(after, move |_, _, _, _| {
            black_box(index);
        })?;
        self.tokens[index] = Some(token);
        Ok(())
    }

    #[inline]
    fn set_anew(&mut self, index: usize, millis: u32) -> io::Result<()> {
        let after = Duration::from_millis(millis.into());
        self.tokens[index].map_or(Ok(()), |token| self.reactor.rearm_timer(token, after))
    }

    #[inline]
    fn cancel(&mut self, index: usize) -> io::Result<()> {
        self.tokens[index].take().map(|token| self.reactor.remove(token));
        Ok(())
    }

    fn left(&self) -> usize {
        usize::from(!self.reactor.is_empty())
    }
}
