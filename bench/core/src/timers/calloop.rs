use std::io;
use std::time::{Duration, Instant};

use calloop::timer::{TimeoutAction, Timer};
use calloop::{Dispatcher, EventLoop, RegistrationToken};

use super::Timers;

type Source = Dispatcher<'static, Timer, ()>;

/// Finds a free place, and cancels, in O(n).
pub(crate) struct Calloop {
    looped: EventLoop<'static, ()>,
    start: Instant,
    timers: Vec<Option<(Source, RegistrationToken)>>,
}

impl Timers for Calloop {
    /// Where it is in `timers`: what calloop gives cannot be copied.
    type Handle = usize;

    fn new(room: usize) -> io::Result<Calloop> {
        let timers = (0..room).map(|_| None).collect();
        Ok(Calloop { looped: EventLoop::try_new()?, start: Instant::now(), timers })
    }

    #[inline]
    fn set(&mut self, index: usize, millis: u32) -> io::Result<usize> {
        let timer = Timer::from_deadline(self.start + Duration::from_millis(millis.into()));
        let source = Dispatcher::new(timer, |_, _, _| TimeoutAction::Drop);
        let token = self.looped.handle().register_dispatcher(source.clone())?;
        self.timers[index] = Some((source, token));
        Ok(index)
    }

    #[inline]
    fn set_anew(&mut self, index: usize, millis: u32) -> io::Result<()> {
        let Some((source, token)) = &self.timers[index] else { return Ok(()) };
        source.as_source_mut().set_deadline(self.start + Duration::from_millis(millis.into()));
        Ok(self.looped.handle().update(token)?)
    }

    #[inline]
    fn cancel(&mut self, index: usize) -> io::Result<()> {
        if let Some((_, token)) = self.timers[index].take() {
            self.looped.handle().remove(token);
        }
        Ok(())
    }

    /// It does not tell; what we know of is as good.
    fn left(&self) -> usize {
        self.timers.iter().filter(|timer| timer.is_some()).count()
    }
}
