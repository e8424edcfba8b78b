//! `fastsock-bench-core`: contenders in turn, as tables. `--help` says the rest.

mod args;
mod counts;
mod figures;
mod machine;
mod progress;
mod readme;
mod rounds;
mod tables;
mod targets;

use std::process::ExitCode;

use args::{Args, Command};
use fastsock_bench_core::{Workload, raise_open_file_limit};
use figures::Figures;

/// Bad usage, or something that could not be done.
const FAILED: u8 = 2;

fn main() -> ExitCode {
    match args::parse(std::env::args_os()) {
        Ok(Command::Help) => {
            print!("{}", args::HELP);
            ExitCode::SUCCESS
        }
        Ok(Command::List) => {
            Workload::ALL.iter().for_each(|workload| println!("{:15} {}", workload.name(), workload.what()));
            ExitCode::SUCCESS
        }
        Ok(Command::Single(single)) => match counts::single(&single) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&error.to_string()),
        },
        Ok(Command::Measure(args)) => measure(&args),
        Err(error) => failed(&format!("{error} (--help lists the options)")),
    }
}

fn failed(why: &str) -> ExitCode {
    eprintln!("fastsock-bench-core: {why}");
    ExitCode::from(FAILED)
}

/// How it was measured, and on what.
fn about(all: &[Figures], load: Option<f64>) -> String {
    let rounds = || all.iter().flat_map(|figures| figures.rows.iter().map(|row| row.nanos.len()));
    let (most, least) = (rounds().max().unwrap_or(0), rounds().min().unwrap_or(0));
    let fewer = if least < most { format!(" ({least} where a run is long)") } else { String::new() };
    let busy = load.map_or_else(String::new, |load| format!(" The machine was not quiet: its load was {load:.1}."));
    format!("Medians of {most} interleaved rounds{fewer} on {}.{busy}", machine::description())
}

fn measure(args: &Args) -> ExitCode {
    let open_files = match raise_open_file_limit() {
        Ok((before, now)) => {
            if now > before {
                eprintln!("open-file limit of this process raised from {before} to {now}");
            }
            now
        }
        Err(error) => return failed(&format!("could not raise the open-file limit: {error}")),
    };
    if !cfg!(feature = "libev") {
        eprintln!("LEAVING OUT libev: it is not in this build (install libev-dev; --features libev)");
    }
    let load = machine::load().filter(|&load| load > 0.5);
    if let Some(load) = load {
        eprintln!("the machine is not quiet (load {load:.1}): look at differences and ratios, not at times");
    }
    let mut all = rounds::measure(args, open_files);
    if args.counts {
        counts::count(&mut all);
    }
    let about = about(&all, load);
    println!("{about}\n{}", tables::long(&all));
    let verdicts = targets::verdicts(&all);
    if !verdicts.is_empty() {
        println!("{}", tables::targets(&verdicts));
    }
    if let Some(path) = &args.write {
        if let Err(error) = readme::write(path, &format!("{about}\n\n{}", tables::short(&all))) {
            return failed(&format!("{}: {error}", path.display()));
        }
        eprintln!("{} is up to date", path.display());
    }
    if args.check && verdicts.is_empty() {
        return failed("--check: nothing was measured that has a target");
    }
    if args.check && verdicts.iter().any(|verdict| !verdict.met) {
        eprintln!("a target was missed");
        return ExitCode::from(1);
    }
    ExitCode::SUCCESS
}
