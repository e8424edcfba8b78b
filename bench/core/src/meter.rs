use std::time::Duration;

/// What a workload is timed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// CPU time of the thread (`CLOCK_THREAD_CPUTIME_ID`): what other processes do beside it does not count.
    Cpu,
    /// `CLOCK_MONOTONIC`, where the waiting itself is measured.
    Wall,
}

/// Adds up what the parts of a workload take.
pub struct Meter {
    mode: Mode,
    spent: Vec<Duration>,
}

enum Mode {
    Timed(libc::clockid_t),
    Counted(usize),
}

impl Meter {
    /// A meter that times each of so many parts.
    pub fn timing(clock: Clock, parts: usize) -> Meter {
        let clock = match clock {
            Clock::Cpu => libc::CLOCK_THREAD_CPUTIME_ID,
            Clock::Wall => libc::CLOCK_MONOTONIC,
        };
        Meter { mode: Mode::Timed(clock), spent: vec![Duration::ZERO; parts] }
    }

    /// A meter for callgrind, which then counts the instructions of this part alone: see [`Meter::COUNTED`].
    pub fn counting(part: usize) -> Meter {
        Meter { mode: Mode::Counted(part), spent: Vec::new() }
    }

    /// The function, as a pattern for `callgrind --toggle-collect`, in which all that is measured happens.
    pub const COUNTED: &'static str = "*measured_by_callgrind*";

    /// Does something that belongs to a part.
    pub fn time<R>(&mut self, part: usize, work: impl FnOnce() -> R) -> R {
        match self.mode {
            Mode::Timed(clock) => {
                let begun = now(clock);
                let result = measured_by_callgrind(work);
                self.spent[part] += now(clock).saturating_sub(begun);
                result
            }
            Mode::Counted(counted) if counted == part => measured_by_callgrind(work),
            Mode::Counted(_) => work(),
        }
    }

    /// What a part took so far.
    pub fn spent(&self, part: usize) -> Duration {
        self.spent.get(part).copied().unwrap_or_default()
    }
}

/// Timed or counted, it is the same machine code.
#[inline(never)]
fn measured_by_callgrind<R>(work: impl FnOnce() -> R) -> R {
    work()
}

fn now(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for one timespec. Both clocks exist on every Linux.
    unsafe { libc::clock_gettime(clock, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
