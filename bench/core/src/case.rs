use std::io;

use crate::Meter;

/// One workload set up for one contender: its sources, timers or threads, ready to run.
pub trait Case {
    /// Does the work `turns` times; what counts is done inside [`Meter::time`].
    ///
    /// # Errors
    /// Those of the system calls, and one of its own when an event was lost or came too often.
    fn run(&mut self, turns: u64, meter: &mut Meter) -> io::Result<()>;
}

/// What a case returns when its events do not add up: a figure for work that was not done would be worth nothing.
pub(crate) fn all_came(expected: u64, came: u64) -> io::Result<()> {
    if expected == came {
        return Ok(());
    }
    Err(io::Error::other(format!("{came} events came where {expected} should have")))
}
