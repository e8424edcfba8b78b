//! Contenders in turn.

use std::io;
use std::time::Duration;

use fastsock_bench_core::{Contender, Meter, Workload, watched};

use crate::args::Args;
use crate::figures::{Figures, Row};
use crate::progress::Progress;

/// A workload while it is measured.
struct Running {
    workload: Workload,
    contenders: Vec<Contender>,
    turns: u64,
    rounds: usize,
    /// One for each part.
    figures: Vec<Figures>,
}

/// Measures all workloads; what cannot be measured is said aloud and left out.
pub(crate) fn measure(args: &Args, open_files: u64) -> Vec<Figures> {
    let mut all: Vec<Running> =
        args.workloads.iter().filter_map(|&workload| begin(workload, args, open_files)).collect();
    let steps = all.iter().map(|running| running.rounds).sum::<usize>();
    let mut progress = Progress::new("timing", steps);
    for round in 0..args.rounds {
        for running in all.iter_mut().filter(|running| round < running.rounds) {
            progress.step(&format!("round {} of {}: {}", round + 1, running.rounds, running.workload.name()));
            run(running, round, &progress);
        }
    }
    progress.end();
    all.into_iter().flat_map(|running| running.figures).collect()
}

fn begin(workload: Workload, args: &Args, open_files: u64) -> Option<Running> {
    if workload.open_files() > open_files {
        eprintln!(
            "SKIPPING {}: it needs {} open files, and {open_files} are allowed (ulimit -Hn)",
            workload.name(),
            workload.open_files()
        );
        return None;
    }
    let contenders = workload.contenders();
    let turns = match calibrate(workload, contenders[0], args.slice) {
        Ok(turns) => turns,
        Err(error) => {
            eprintln!("SKIPPING {}: {}: {error}", workload.name(), contenders[0].name());
            return None;
        }
    };
    // What is measured at once is as long as many slices, and steadier.
    let rounds = if turns == 1 { args.rounds.div_ceil(3) } else { args.rounds };
    let rows =
        || contenders.iter().map(|&contender| Row { contender, nanos: Vec::new(), instructions: None }).collect();
    let figures = (0..workload.parts().len()).map(|part| Figures { workload, part, rows: rows() }).collect();
    Some(Running { workload, contenders, turns, rounds, figures })
}

/// How many turns take about as long as a slice.
fn calibrate(workload: Workload, contender: Contender, slice: Duration) -> io::Result<u64> {
    watched(|| {
        let mut case = workload.build(contender)?;
        let mut turns = 1;
        loop {
            let mut meter = Meter::timing(workload.clock(), workload.parts().len());
            case.run(turns, &mut meter)?;
            let spent: Duration = (0..workload.parts().len()).map(|part| meter.spent(part)).sum();
            // A short run tells little: its caches are cold.
            if spent * 4 >= slice {
                let share = slice.as_secs_f64() / spent.as_secs_f64();
                return Ok(((turns as f64 * share) as u64).max(1));
            }
            turns *= 2;
        }
    })
}

/// Every contender once, every other round backwards.
fn run(running: &mut Running, round: usize, progress: &Progress) {
    let workload = running.workload;
    let mut order = running.contenders.clone();
    if round % 2 == 1 {
        order.reverse();
    }
    for contender in order {
        match one(workload, contender, running.turns) {
            Ok(meter) => {
                let units = (running.turns * workload.units()) as f64;
                for figures in &mut running.figures {
                    let nanos = meter.spent(figures.part).as_nanos() as f64 / units;
                    figures
                        .rows
                        .iter_mut()
                        .filter(|row| row.contender == contender)
                        .for_each(|row| row.nanos.push(nanos));
                }
            }
            Err(error) => {
                progress.say(&format!("LEAVING OUT {} in {}: {error}", contender.name(), workload.name()));
                running.contenders.retain(|&other| other != contender);
                running.figures.iter_mut().for_each(|figures| figures.rows.retain(|row| row.contender != contender));
            }
        }
    }
}

/// A fresh case each time, so that no luck with addresses lasts.
fn one(workload: Workload, contender: Contender, turns: u64) -> io::Result<Meter> {
    watched(|| {
        let parts = workload.parts().len();
        let mut case = workload.build(contender)?;
        case.run(turns.div_ceil(10), &mut Meter::timing(workload.clock(), parts))?;
        let mut meter = Meter::timing(workload.clock(), parts);
        case.run(turns, &mut meter)?;
        Ok(meter)
    })
}
