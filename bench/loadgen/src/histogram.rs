//! A histogram of latencies with under one per cent of error in constant memory.

/// Buckets for each power of two.
const SUB: u64 = 128;
const SUB_BITS: u32 = SUB.trailing_zeros();

/// Counts of durations in nanoseconds.
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
    longest: u64,
}

impl Histogram {
    pub(crate) fn new() -> Histogram {
        Histogram { counts: vec![0; (u64::from(u64::BITS - SUB_BITS + 1) * SUB) as usize], total: 0, longest: 0 }
    }

    pub(crate) fn add(&mut self, ns: u64) {
        self.counts[bucket(ns)] += 1;
        self.total += 1;
        self.longest = self.longest.max(ns);
    }

    /// The longest duration seen, in nanoseconds.
    pub(crate) fn longest(&self) -> u64 {
        self.longest
    }

    /// The duration that `share` (0 to 1) of all durations do not exceed; `None` without any.
    pub(crate) fn quantile(&self, share: f64) -> Option<u64> {
        if self.total == 0 {
            return None;
        }
        let wanted = ((self.total as f64 * share).ceil() as u64).clamp(1, self.total);
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Some(lower_bound(index as u64).min(self.longest));
            }
        }
        Some(self.longest)
    }
}

fn bucket(ns: u64) -> usize {
    if ns < SUB {
        return ns as usize;
    }
    let shift = ns.ilog2() - SUB_BITS;
    (u64::from(shift + 1) * SUB + (ns >> shift) - SUB) as usize
}

fn lower_bound(bucket: u64) -> u64 {
    if bucket < SUB {
        return bucket;
    }
    (bucket % SUB + SUB) << (bucket / SUB - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_right_within_one_per_cent() {
        let mut histogram = Histogram::new();
        for us in 1..=10_000 {
            histogram.add(us * 1_000);
        }
        for (share, want) in [(0.5, 5_000_000.0), (0.99, 9_900_000.0), (1.0, 10_000_000.0)] {
            let got = histogram.quantile(share).unwrap_or(0) as f64;
            assert!((got / want - 1.0).abs() < 0.01, "{share}: {got} for {want}");
        }
        assert_eq!(histogram.longest(), 10_000_000);
    }

    #[test]
    fn every_duration_has_a_bucket() {
        let mut histogram = Histogram::new();
        for bits in 0..64 {
            histogram.add(1 << bits);
        }
        histogram.add(u64::MAX);
        assert_eq!(Histogram::new().quantile(0.5), None);
        assert_eq!(histogram.quantile(0.0), Some(1));
    }
}
