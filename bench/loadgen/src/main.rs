//! Load generator for echo servers on loopback.
//!
//! One thread, epoll, and every echoed byte compared with what that very connection must return:
//! see `fastsock-loadgen --help`.

mod args;
mod churn;
mod clock;
mod conn;
mod connect;
mod echo;
mod failure;
mod faults;
mod histogram;
mod idle;
mod interrupt;
mod limits;
mod open;
mod pattern;
mod poller;
mod progress;
mod report;
mod server;
mod window;

use args::{Args, Command, Mode};
use failure::Failure;
use progress::Progress;
use report::Report;
use server::Server;
use std::process::ExitCode;

const ERRORS: u8 = 1;
const USAGE: u8 = 2;
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let args = match args::parse() {
        Ok(Command::Run(args)) => args,
        Ok(Command::Help) => {
            print!("{}", args::HELP);
            return ExitCode::SUCCESS;
        }
        Ok(Command::Version) => {
            println!("fastsock-loadgen {}", env!("CARGO_PKG_VERSION"));
            return ExitCode::SUCCESS;
        }
        Err(failure) => {
            say(&failure.to_string());
            return ExitCode::from(USAGE);
        }
    };
    interrupt::watch();
    let mut progress = Progress::new(&args);
    let result = run(&args, &mut progress);
    progress.end();
    match result {
        Ok(report) => {
            print(&args, &report);
            match (report.faults().total(), report.interrupted()) {
                (0, false) => ExitCode::SUCCESS,
                (0, true) => ExitCode::from(INTERRUPTED),
                _ => ExitCode::from(ERRORS),
            }
        }
        Err(failure) => {
            if args.json {
                println!("{}", failure.json());
            }
            say(&failure.to_string());
            ExitCode::from(ERRORS)
        }
    }
}

fn run(args: &Args, progress: &mut Progress) -> Result<Report, Failure> {
    if let Some(change) = limits::make_room(args.conns)? {
        say(&change);
    }
    let server = Server::new(args.pid)?;
    match args.mode {
        Mode::Echo => echo::run(args, server, progress),
        Mode::Churn => churn::run(args, server, progress),
        Mode::Idle => idle::run(args, server, progress),
    }
}

fn print(args: &Args, report: &Report) {
    for fault in &report.faults().first {
        say(fault);
    }
    if args.json {
        println!("{}", report.json());
    } else {
        println!("{}", report.summary());
    }
}

fn say(sentence: &str) {
    eprintln!("fastsock-loadgen: {sentence}");
}
