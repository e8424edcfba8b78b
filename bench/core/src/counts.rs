//! Instructions, counted by callgrind.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use fastsock_bench_core::{Contender, Meter, Workload, watched};

use crate::args::Single;
use crate::figures::Figures;
use crate::progress::Progress;

/// About so many units lie between the two points of the slope: each costs the same, so more would tell no more.
const UNITS: u64 = 2000;

/// Counts for all figures, as far as it can be done.
pub(crate) fn count(all: &mut [Figures]) {
    if Command::new("valgrind").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        eprintln!("LEAVING OUT the instructions: valgrind is missing (apt-get install valgrind)");
        return;
    }
    let steps =
        all.iter().filter(|figures| figures.workload.counted().is_some()).map(|figures| figures.rows.len()).sum();
    let mut progress = Progress::new("counting", steps);
    for figures in all {
        let Some(workload) = figures.workload.counted() else { continue };
        for row in &mut figures.rows {
            progress.step(&format!("{}, {}", figures.workload.name(), row.contender.name()));
            match slope(workload, row.contender, figures.part) {
                Ok(instructions) => row.instructions = Some(instructions),
                Err(error) => progress.say(&format!(
                    "LEAVING OUT the instructions of {} in {}: {error}",
                    row.contender.name(),
                    workload.name()
                )),
            }
        }
    }
    progress.end();
}

/// Instructions per unit: what more turns cost more.
fn slope(workload: Workload, contender: Contender, part: usize) -> io::Result<f64> {
    let more = UNITS.div_ceil(workload.units());
    let few = run(workload, contender, part, 1)?;
    let many = run(workload, contender, part, 1 + more)?;
    Ok(many.saturating_sub(few) as f64 / (more * workload.units()) as f64)
}

/// Runs this very program under callgrind.
fn run(workload: Workload, contender: Contender, part: usize, turns: u64) -> io::Result<u64> {
    let profile = Profile::new();
    let output = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--toggle-collect={}", Meter::COUNTED))
        .arg(format!("--callgrind-out-file={}", profile.0.display()))
        .arg(std::env::current_exe()?)
        .args(["--case", &workload.name(), "--contender", contender.name()])
        .args(["--part", &part.to_string(), "--turns", &turns.to_string()])
        .stdin(Stdio::null())
        .output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(io::Error::other(format!("valgrind ended with {}: {}", output.status, said.trim())));
    }
    let profile = fs::read_to_string(&profile.0)?;
    total(&profile).ok_or_else(|| io::Error::other("callgrind's output has no total"))
}

/// The output of callgrind, removed when it has been read.
struct Profile(PathBuf);

impl Profile {
    fn new() -> Profile {
        Profile(std::env::temp_dir().join(format!("fastsock-bench-core.{}.callgrind", std::process::id())))
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        // Not there when callgrind has failed.
        let _ = fs::remove_file(&self.0);
    }
}

/// The sum over all functions.
fn total(profile: &str) -> Option<u64> {
    profile.lines().find_map(|line| line.strip_prefix("totals:"))?.trim().parse().ok()
}

/// What runs under callgrind.
pub(crate) fn single(single: &Single) -> io::Result<()> {
    watched(|| {
        let mut case = single.workload.build(single.contender)?;
        // Counts no part: memory is allocated, and symbols are bound, by then.
        case.run(1, &mut Meter::counting(usize::MAX))?;
        case.run(single.turns, &mut Meter::counting(single.part))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_found() {
        assert_eq!(total("version: 1\nevents: Ir\nfn=x\n12 34\n\ntotals: 5678\n"), Some(5678));
        assert_eq!(total("events: Ir\n"), None);
    }
}
