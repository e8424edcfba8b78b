//! What the core has promised.

use std::fmt;

use fastsock_bench_core::{Contender, Workload};

use crate::figures::Figures;

#[derive(Clone, Copy)]
enum Limit {
    /// So many ns above raw epoll.
    Above(f64),
    /// So many times raw epoll.
    Times(f64),
}

/// Each holds for the poller and the reactor.
const TARGETS: [(Workload, Limit); 4] = [
    (Workload::Level(1), Limit::Above(40.0)),
    (Workload::Level(64), Limit::Above(5.0)),
    (Workload::Level(1000), Limit::Above(5.0)),
    (Workload::Register, Limit::Times(1.1)),
];

/// A target beside what was measured.
pub(crate) struct Verdict {
    workload: Workload,
    contender: Contender,
    limit: Limit,
    measured: f64,
    pub(crate) met: bool,
}

/// Of all targets whose workload was measured.
pub(crate) fn verdicts(all: &[Figures]) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for (workload, limit) in TARGETS {
        for contender in [Contender::Poller, Contender::Reactor] {
            let Some(figures) = all.iter().find(|figures| figures.workload == workload) else { continue };
            let Some(row) = figures.row(contender) else { continue };
            let (measured, most) = match limit {
                Limit::Above(most) => (figures.above(row), most),
                Limit::Times(most) => (figures.times(row), most),
            };
            verdicts.push(Verdict { workload, contender, limit, measured, met: measured <= most });
        }
    }
    verdicts
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Verdict { workload, contender, measured, .. } = self;
        let met = if self.met { "met" } else { "**missed**" };
        let name = workload.name();
        match self.limit {
            Limit::Above(most) => {
                write!(f, "| {name} | {contender} | raw epoll + {most:.0} ns | {measured:+.1} ns | {met} |")
            }
            Limit::Times(most) => {
                write!(f, "| {name} | {contender} | raw epoll x {most:.2} | x {measured:.2} | {met} |")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::tests::figures;

    #[test]
    fn a_target_is_missed_by_the_median() {
        let met = figures(Workload::Level(64), &[100.0, 90.0, 110.0], &[104.0, 96.0, 114.0]);
        let missed = figures(Workload::Register, &[1000.0, 1000.0], &[1120.0, 1120.0]);
        let verdicts = verdicts(&[met, missed]);
        assert_eq!(verdicts.iter().map(|verdict| verdict.met).collect::<Vec<_>>(), [true, false]);
        assert_eq!(verdicts[0].to_string(), "| level-64 | `Poller` | raw epoll + 5 ns | +4.0 ns | met |");
        assert_eq!(verdicts[1].to_string(), "| register | `Poller` | raw epoll x 1.10 | x 1.12 | **missed** |");
    }
}
