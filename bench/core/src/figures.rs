//! What was measured.

use fastsock_bench_core::{Contender, Workload};

/// One contender's figures for one part of a workload.
pub(crate) struct Row {
    pub(crate) contender: Contender,
    /// ns per unit, one for each round.
    pub(crate) nanos: Vec<f64>,
    /// In user space, per unit.
    pub(crate) instructions: Option<f64>,
}

/// One part of a workload, for all contenders that could take part in all rounds.
pub(crate) struct Figures {
    pub(crate) workload: Workload,
    pub(crate) part: usize,
    /// The first is what the others are compared with.
    pub(crate) rows: Vec<Row>,
}

impl Figures {
    pub(crate) fn row(&self, contender: Contender) -> Option<&Row> {
        self.rows.iter().find(|row| row.contender == contender)
    }

    /// ns per unit.
    pub(crate) fn nanos(&self, row: &Row) -> f64 {
        median(row.nanos.iter().copied())
    }

    /// ns per unit above the first row's, in the same round.
    pub(crate) fn above(&self, row: &Row) -> f64 {
        median(self.pairs(row).map(|(ours, theirs)| ours - theirs))
    }

    /// As a multiple of the first row's, in the same round.
    pub(crate) fn times(&self, row: &Row) -> f64 {
        median(self.pairs(row).map(|(ours, theirs)| ours / theirs))
    }

    fn pairs(&self, row: &Row) -> impl Iterator<Item = (f64, f64)> {
        let first = self.rows.first().map_or(&[][..], |first| &first.nanos);
        row.nanos.iter().copied().zip(first.iter().copied())
    }
}

/// The middle one; the mean of the two in the middle where there are two; not a number where there are none.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[half],
        _ => (values[half - 1] + values[half]) / 2.0,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Figures of two contenders.
    pub(crate) fn figures(workload: Workload, raw: &[f64], poller: &[f64]) -> Figures {
        let row = |contender, nanos: &[f64]| Row { contender, nanos: nanos.to_vec(), instructions: Some(12.3) };
        Figures { workload, part: 0, rows: vec![row(Contender::Raw, raw), row(Contender::Poller, poller)] }
    }

    #[test]
    fn medians() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
        assert!(median(std::iter::empty()).is_nan());
    }

    #[test]
    fn only_runs_of_the_same_round_are_compared() {
        // Everything took ten times as long in the second round.
        let figures = figures(Workload::Level(64), &[100.0, 1000.0, 100.0], &[104.0, 1040.0, 103.0]);
        let ours = &figures.rows[1];
        assert_eq!((figures.nanos(ours), figures.above(ours), figures.times(ours)), (104.0, 4.0, 1.04));
    }
}
