//! Every case does all of its work; cases count their events themselves.
#![allow(clippy::unwrap_used)]

use fastsock_bench_core::{Clock, Contender, Meter, Workload, raise_open_file_limit, watched};

/// Small enough for a build without optimization.
fn small(workload: Workload) -> Workload {
    match workload {
        Workload::Timers(count) => Workload::Timers(count.min(2000)),
        other => other,
    }
}

#[test]
fn every_contender_does_every_workload() {
    let (_, open_files) = raise_open_file_limit().unwrap();
    for workload in Workload::ALL.map(small) {
        if workload.open_files() > open_files {
            eprintln!("SKIPPING {}: {open_files} open files are not enough", workload.name());
            continue;
        }
        assert!(workload.contenders().len() >= 2);
        for contender in workload.contenders() {
            let mut case = workload.build(contender).unwrap();
            let mut meter = Meter::timing(workload.clock(), workload.parts().len());
            for turns in [1, 3] {
                watched(|| case.run(turns, &mut meter))
                    .unwrap_or_else(|error| panic!("{}, {}: {error}", workload.name(), contender.name()));
            }
            for part in 0..workload.parts().len() {
                assert!(!meter.spent(part).is_zero(), "{}, {}", workload.name(), contender.name());
            }
        }
    }
}

#[test]
fn a_contender_without_a_part_is_refused() {
    for (workload, contender) in [
        (Workload::Level(1), Contender::Mio),
        (Workload::Timers(1_000_000), Contender::Calloop),
        (Workload::Timers(10), Contender::Raw),
        (Workload::Wake, Contender::Queue),
    ] {
        let Err(error) = workload.build(contender) else { panic!("{workload:?}, {contender:?}") };
        assert_eq!(error.kind(), std::io::ErrorKind::Unsupported);
    }
}

#[test]
fn a_part_that_is_not_measured_takes_no_time() {
    let mut meter = Meter::timing(Clock::Wall, 2);
    assert_eq!(meter.time(1, || 7), 7);
    assert!(meter.spent(0).is_zero() && !meter.spent(1).is_zero());
}
