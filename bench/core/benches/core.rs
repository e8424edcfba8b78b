//! The same cases as in the table, under criterion: `cargo bench -p fastsock-bench-core -- level-64` for one of them.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use fastsock_bench_core::{Meter, Workload, raise_open_file_limit, watched};

/// Criterion takes at least ten samples, and each of a million timers is seconds of work.
const TIMERS: usize = 100_000;

fn cases(criterion: &mut Criterion) {
    let open_files = raise_open_file_limit().map_or(0, |(_, now)| now);
    for workload in Workload::ALL {
        let workload = match workload {
            Workload::Timers(count) => Workload::Timers(count.min(TIMERS)),
            other => other,
        };
        if workload.open_files() > open_files {
            eprintln!("SKIPPING {}: it needs {} open files (ulimit -Hn)", workload.name(), workload.open_files());
            continue;
        }
        let mut group = criterion.benchmark_group(workload.name());
        group.throughput(Throughput::Elements(workload.units()));
        for contender in workload.contenders() {
            for (part, name) in workload.parts().iter().enumerate() {
                let id = if name.is_empty() {
                    BenchmarkId::from_parameter(contender.name())
                } else {
                    BenchmarkId::new(*name, contender.name())
                };
                group.bench_function(id, |bencher| {
                    let mut case = workload.build(contender).expect("what the case is made of");
                    bencher.iter_custom(|turns| {
                        let mut meter = Meter::timing(workload.clock(), workload.parts().len());
                        watched(|| case.run(turns, &mut meter)).expect("every event comes");
                        meter.spent(part)
                    });
                });
            }
        }
        group.finish();
    }
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500))
        .configure_from_args();
    cases(&mut criterion);
    criterion.final_summary();
}
