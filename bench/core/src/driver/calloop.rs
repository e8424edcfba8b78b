use std::io;
use std::os::fd::BorrowedFd;

use calloop::generic::Generic;
use calloop::{EventLoop, Interest, LoopSignal, Mode, PostAction, RegistrationToken};

use super::{Driver, Trigger, Work};

pub(crate) struct Calloop<W: Work>(EventLoop<'static, W>);

impl<W: Work> Driver<W> for Calloop<W> {
    type Registration = RegistrationToken;
    type Waker = LoopSignal;

    fn new() -> io::Result<Calloop<W>> {
        Ok(Calloop(EventLoop::try_new()?))
    }

    fn add(&mut self, fd: BorrowedFd<'static>, key: usize, trigger: Trigger) -> io::Result<RegistrationToken> {
        let mode = match trigger {
            Trigger::Level => Mode::Level,
            Trigger::Edge => Mode::Edge,
        };
        let source = Generic::new(fd, Interest::READ, mode);
        let callback = move |readiness: calloop::Readiness, _: &mut _, work: &mut W| {
            if readiness.readable {
                work.ready(key);
            }
            Ok(PostAction::Continue)
        };
        self.0.handle().insert_source(source, callback).map_err(|insert| insert.error.into())
    }

    fn remove(&mut self, token: RegistrationToken) -> io::Result<()> {
        self.0.handle().remove(token);
        Ok(())
    }

    #[inline]
    fn turn(&mut self, work: &mut W) -> io::Result<()> {
        Ok(self.0.dispatch(None, work)?)
    }

    fn waker(&mut self) -> io::Result<LoopSignal> {
        Ok(self.0.get_signal())
    }

    #[inline]
    fn wake(waker: &LoopSignal) -> io::Result<()> {
        waker.wakeup();
        Ok(())
    }
}
