//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use fastsock_bench_core::{Contender, Workload};
use lexopt::prelude::*;

pub(crate) const HELP: &str = "\
fastsock-bench-core: what the core crate costs beside raw epoll, mio, polling, calloop and libev

usage: fastsock-bench-core [options]

  --rounds N      each contender runs once in each round          [15]
  --slice MS      about how long raw epoll runs in a round        [20]
  --only NAME     this workload alone, or all whose names begin so; may be given again
  --no-counts     leave out the instructions that callgrind counts
  --check         exit code 1 when a target is missed, which is named
  --write[=FILE]  also put the figures between the bench-core markers of FILE   [core/README.md]
  --list          the names of the workloads
  -h, --help      this text

In a round the contenders of a workload run one after the other, every other round backwards. A difference or a ratio
compares two runs of the same round; a table shows the medians over the rounds. Times are CPU time of the thread, but
for round-trip, which is on the wall clock. Instructions are those in user space: callgrind runs the same case with two
counts of turns, and the slope between them is what one event takes.

For callgrind itself:
  --case NAME --contender NAME --part N --turns N   run one case and print nothing

exit code: 0 all went well; 1 a target was missed; 2 bad usage, or a run could not be made; 3 a run hung
";

pub(crate) struct Args {
    pub(crate) rounds: usize,
    pub(crate) slice: Duration,
    pub(crate) workloads: Vec<Workload>,
    pub(crate) counts: bool,
    pub(crate) check: bool,
    pub(crate) write: Option<PathBuf>,
}

/// One run under callgrind.
pub(crate) struct Single {
    pub(crate) workload: Workload,
    pub(crate) contender: Contender,
    pub(crate) part: usize,
    pub(crate) turns: u64,
}

pub(crate) enum Command {
    Help,
    List,
    Measure(Args),
    Single(Single),
}

pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, lexopt::Error> {
    let mut args = Args {
        rounds: 15,
        slice: Duration::from_millis(20),
        workloads: Vec::new(),
        counts: true,
        check: false,
        write: None,
    };
    let (mut case, mut contender, mut part, mut turns) = (None, None, 0, 1);
    let mut parser = lexopt::Parser::from_iter(arguments);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("rounds") => args.rounds = parser.value()?.parse_with(positive)?,
            Long("slice") => args.slice = Duration::from_millis(parser.value()?.parse_with(positive)? as u64),
            Long("only") => args.workloads.extend(parser.value()?.parse_with(beginning)?),
            Long("no-counts") => args.counts = false,
            Long("check") => args.check = true,
            Long("write") => {
                args.write = Some(parser.optional_value().map_or_else(|| "core/README.md".into(), PathBuf::from));
            }
            Long("list") => return Ok(Command::List),
            Short('h') | Long("help") => return Ok(Command::Help),
            Long("case") => case = Some(parser.value()?.parse_with(countable)?),
            Long("contender") => {
                let by_name = |name: &str| Contender::by_name(name).ok_or("no such contender");
                contender = Some(parser.value()?.parse_with(by_name)?);
            }
            Long("part") => part = parser.value()?.parse()?,
            Long("turns") => turns = parser.value()?.parse()?,
            other => return Err(other.unexpected()),
        }
    }
    if let (Some(workload), Some(contender)) = (case, contender) {
        return Ok(Command::Single(Single { workload, contender, part, turns }));
    }
    if args.write.is_some() && !args.workloads.is_empty() {
        return Err("--write is for all workloads: leave out --only".into());
    }
    if args.workloads.is_empty() {
        args.workloads = Workload::ALL.to_vec();
    }
    Ok(Command::Measure(args))
}

fn positive(text: &str) -> Result<usize, &'static str> {
    text.parse().ok().filter(|&number| number > 0).ok_or("a whole number above 0 is wanted")
}

/// All workloads whose names begin so.
fn beginning(name: &str) -> Result<Vec<Workload>, &'static str> {
    let all: Vec<Workload> = Workload::ALL.into_iter().filter(|workload| workload.name().starts_with(name)).collect();
    if all.is_empty() { Err("no such workload: --list names them") } else { Ok(all) }
}

/// A workload by the name of the one that its instructions are counted in.
fn countable(name: &str) -> Result<Workload, &'static str> {
    let mut counted = Workload::ALL.into_iter().filter_map(Workload::counted);
    counted.find(|workload| workload.name() == name).ok_or("no such workload")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, lexopt::Error> {
        parse(std::iter::once("bench").chain(line.split_whitespace()).map(OsString::from))
    }

    #[test]
    fn only_takes_the_beginning_of_a_name() {
        let Command::Measure(args) = parsed("--only level --only register --rounds 3").unwrap() else { panic!() };
        let names: Vec<String> = args.workloads.iter().map(|workload| workload.name()).collect();
        assert_eq!(names, ["level-1", "level-64", "level-1000", "register"]);
        assert_eq!(args.rounds, 3);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in ["--only nonsense", "--rounds 0", "--rounds x", "--write --only level", "--bogus"] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }

    #[test]
    fn every_case_that_is_counted_can_be_asked_for() {
        for workload in Workload::ALL.into_iter().filter_map(Workload::counted) {
            let line = format!("--case {} --contender reactor --turns 3", workload.name());
            assert!(matches!(parsed(&line).unwrap(), Command::Single(single) if single.workload == workload));
        }
    }
}
