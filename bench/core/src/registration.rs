use std::io;
use std::os::fd::OwnedFd;

use crate::harvest::Count;
use crate::sources::{eventfd, lend};
use crate::{Case, Driver, Meter, Trigger};

/// So many sources are registered beside the one that comes and goes.
const OTHERS: usize = 1000;

/// A source is registered and removed again.
pub(crate) struct Registration<D> {
    driver: D,
    trigger: Trigger,
    newcomer: OwnedFd,
    _others: Vec<OwnedFd>,
}

impl<D: Driver<Count>> Registration<D> {
    pub(crate) fn new() -> io::Result<Registration<D>> {
        let trigger = if D::HAS_LEVEL { Trigger::Level } else { Trigger::Edge };
        let others = (0..OTHERS).map(|_| eventfd(0)).collect::<io::Result<Vec<_>>>()?;
        let mut case = Registration { driver: D::new()?, trigger, newcomer: eventfd(0)?, _others: others };
        for (key, source) in case._others.iter().enumerate() {
            // SAFETY: the driver is the field above the sources.
            case.driver.add(unsafe { lend(source) }, key, trigger)?;
        }
        Ok(case)
    }
}

impl<D: Driver<Count>> Case for Registration<D> {
    fn run(&mut self, turns: u64, meter: &mut Meter) -> io::Result<()> {
        meter.time(0, || {
            for _ in 0..turns {
                // SAFETY: the driver is the field above the source.
                let registration = self.driver.add(unsafe { lend(&self.newcomer) }, OTHERS, self.trigger)?;
                self.driver.remove(registration)?;
            }
            Ok(())
        })
    }
}
