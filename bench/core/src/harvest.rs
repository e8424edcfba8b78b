use std::hint::black_box;
use std::io;
use std::os::fd::OwnedFd;

use crate::case::all_came;
use crate::sources::{eventfd, lend, signal_eventfd};
use crate::{Case, Driver, Meter, Trigger, Work};

/// The least that a handler can do.
#[derive(Default)]
pub(crate) struct Count(u64);

impl Work for Count {
    #[inline]
    fn ready(&mut self, key: usize) {
        self.0 += 1;
        // Or the compiler would add up whole batches at once, for those whose handler it sees.
        black_box(key);
    }
}

/// So many sources, all of them ready at each wait: what it takes to harvest and dispatch their events.
pub(crate) struct Harvest<D> {
    driver: D,
    work: Count,
    trigger: Trigger,
    sources: Vec<OwnedFd>,
}

impl<D: Driver<Count>> Harvest<D> {
    pub(crate) fn new(ready: usize, trigger: Trigger) -> io::Result<Harvest<D>> {
        let sources = (0..ready).map(|_| eventfd(1)).collect::<io::Result<Vec<_>>>()?;
        let mut harvest = Harvest { driver: D::new()?, work: Count::default(), trigger, sources };
        for (key, source) in harvest.sources.iter().enumerate() {
            // SAFETY: the driver is the field above the sources.
            harvest.driver.add(unsafe { lend(source) }, key, trigger)?;
        }
        harvest.settle()?;
        Ok(harvest)
    }

    /// Until every source was seen once, which uses up the first edges, and whoever enlarges its buffer when it was full
    /// has done so.
    fn settle(&mut self) -> io::Result<()> {
        let mut seen = 0;
        while seen < self.sources.len() as u64 {
            self.work.0 = 0;
            self.driver.turn(&mut self.work)?;
            seen = match self.trigger {
                Trigger::Level => self.work.0,
                Trigger::Edge => seen + self.work.0,
            };
        }
        Ok(())
    }
}

impl<D: Driver<Count>> Case for Harvest<D> {
    fn run(&mut self, turns: u64, meter: &mut Meter) -> io::Result<()> {
        self.work.0 = 0;
        match self.trigger {
            // Nothing is read, so all of them stay ready.
            Trigger::Level => meter.time(0, || -> io::Result<()> {
                for _ in 0..turns {
                    self.driver.turn(&mut self.work)?;
                }
                Ok(())
            })?,
            // The writes that make the edges cost more than what is measured, and are left out.
            Trigger::Edge => {
                for _ in 0..turns {
                    self.sources.iter().try_for_each(signal_eventfd)?;
                    meter.time(0, || self.driver.turn(&mut self.work))?;
                }
            }
        }
        all_came(turns * self.sources.len() as u64, self.work.0)
    }
}
