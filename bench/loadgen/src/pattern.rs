//! The fixed byte pattern that every connection's stream is cut from.

use crate::args::Args;

/// An endless, repeating sequence of bytes. Each connection starts at a position of its own, so
/// that what belongs to one connection is wrong on every other.
pub(crate) struct Pattern {
    /// One period, followed by its own beginning: any slice up to `span` long is in one piece.
    bytes: Vec<u8>,
    period: usize,
    /// Positions are multiples of this: 1, or the length of a line.
    step: usize,
}

impl Pattern {
    pub(crate) fn new(args: &Args) -> Pattern {
        let span = args.size * args.depth;
        let (step, period) = if args.line {
            // More lines than connections, so that no two connections begin alike.
            let lines = (65_536 / args.size).max(args.conns + 1).max(4 * args.depth) | 1;
            (args.size, lines * args.size)
        } else {
            (1, 65_537.max(4 * span + 1))
        };
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut bytes: Vec<u8> = (0..period)
            .map(|at| {
                let random = xorshift(&mut state);
                match args.line {
                    false => random,
                    true if at % args.size == args.size - 1 => b'\n',
                    true => b' ' + random % 95, // any printable character
                }
            })
            .collect();
        bytes.extend_from_within(..span);
        Pattern { bytes, period, step }
    }

    /// Where the stream of connection number `index` begins.
    pub(crate) fn origin(&self, index: usize) -> usize {
        // A large prime: neighbours start far apart, and no two alike until all places are taken.
        (index * 7_919) % (self.period / self.step) * self.step
    }

    /// The `len` bytes from position `at` on.
    pub(crate) fn slice(&self, at: usize, len: usize) -> &[u8] {
        &self.bytes[at..at + len]
    }

    /// The position `by` bytes after `at`; `by` is at most one period.
    pub(crate) fn advance(&self, at: usize, by: usize) -> usize {
        let next = at + by;
        if next >= self.period { next - self.period } else { next }
    }
}

fn xorshift(state: &mut u64) -> u8 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 29) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_where_messages_end() {
        let args = Args { line: true, size: 64, conns: 3_000, ..Args::default() };
        let pattern = Pattern::new(&args);
        let mut origins: Vec<usize> = (0..args.conns).map(|i| pattern.origin(i)).collect();
        for &at in &origins {
            let line = pattern.slice(at, 64);
            assert_eq!(line.iter().position(|&byte| byte == b'\n'), Some(63));
        }
        origins.sort_unstable();
        origins.dedup();
        assert_eq!(origins.len(), args.conns);
    }

    #[test]
    fn every_connection_has_its_own_place() {
        let args = Args { conns: 20_000, ..Args::default() };
        let pattern = Pattern::new(&args);
        let mut origins: Vec<usize> = (0..args.conns).map(|i| pattern.origin(i)).collect();
        origins.sort_unstable();
        origins.dedup();
        assert_eq!(origins.len(), args.conns);
    }

    #[test]
    fn the_pattern_goes_on_past_its_end() {
        let args = Args::default();
        let pattern = Pattern::new(&args);
        let last = pattern.period - 1;
        assert_eq!(pattern.slice(last, 3)[1..], *pattern.slice(0, 2));
        assert_eq!(pattern.advance(last, 3), 2);
    }
}
