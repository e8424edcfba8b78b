//! What a run showed, for people and for programs.

use crate::args::{Args, Mode};
use crate::clock;
use crate::faults::Faults;
use crate::histogram::Histogram;
use crate::interrupt;
use crate::window::Spent;
use std::fmt::Write as _;

/// Latencies in microseconds.
struct Latency {
    p50: f64,
    p99: f64,
    p999: f64,
    longest: f64,
}

/// What idle connections cost.
struct Cost {
    rss_before_kib: Option<u64>,
    bytes_per_conn: Option<f64>,
    opening_us_per_conn: Option<f64>,
}

pub(crate) struct Report {
    mode: Mode,
    conns: usize,
    held: usize,
    size: usize,
    depth: usize,
    faults: Faults,
    interrupted: bool,
    messages: u64,
    /// Messages of the whole run: opening, warming up, measuring and draining.
    total: u64,
    spent: Option<Spent>,
    latency: Option<Latency>,
    cost: Option<Cost>,
}

impl Report {
    pub(crate) fn new(args: &Args, held: usize, faults: Faults) -> Report {
        Report {
            mode: args.mode,
            conns: args.conns,
            held,
            size: args.size,
            depth: args.depth,
            faults,
            interrupted: interrupt::asked(),
            messages: 0,
            total: 0,
            spent: None,
            latency: None,
            cost: None,
        }
    }

    /// Adds what the measured part of the run showed.
    pub(crate) fn measured(&mut self, spent: Spent, messages: u64, histogram: &Histogram) {
        let us = |share| Some(histogram.quantile(share)? as f64 / 1e3);
        self.spent = Some(spent);
        self.messages = messages;
        self.latency = us(0.5).zip(us(0.99)).zip(us(0.999)).map(|((p50, p99), p999)| Latency {
            p50,
            p99,
            p999,
            longest: histogram.longest() as f64 / 1e3,
        });
    }

    /// Adds how many messages came back from beginning to end.
    pub(crate) fn whole_run(&mut self, total: u64) {
        self.total = total;
    }

    /// Adds what `opened` idle connections cost; call it after `measured`.
    pub(crate) fn idle(&mut self, opened: usize, before: Option<u64>, cpu: Option<u64>) {
        let after = self.spent.and_then(|spent| spent.server_rss_kib);
        let each = |total: f64| total / opened.max(1) as f64;
        self.cost = Some(Cost {
            rss_before_kib: before,
            bytes_per_conn: after.zip(before).map(|(after, before)| each((after as f64 - before as f64) * 1024.0)),
            opening_us_per_conn: cpu.map(|ns| each(clock::seconds(ns) * 1e6)),
        });
    }

    pub(crate) fn faults(&self) -> &Faults {
        &self.faults
    }

    pub(crate) fn interrupted(&self) -> bool {
        self.interrupted
    }

    fn rate(&self) -> Option<f64> {
        let seconds = self.spent?.seconds;
        (self.mode != Mode::Idle && seconds > 0.0).then(|| self.messages as f64 / seconds)
    }

    /// CPU microseconds of the server for each message.
    fn server_us(&self) -> Option<f64> {
        let cpu = self.spent?.server_cpu?;
        (self.messages > 0).then(|| cpu * 1e6 / self.messages as f64)
    }

    /// One line of JSON; what was not measured is null.
    pub(crate) fn json(&self) -> String {
        let spent = self.spent;
        let seconds = spent.map(|spent| spent.seconds);
        let per_second = |cpu: f64| Some(cpu / seconds.filter(|&seconds| seconds > 0.0)?);
        let latency = self.latency.as_ref();
        let cost = self.cost.as_ref();
        let whole = |value: Option<u64>| value.map(|value| value as f64);
        let faults = &self.faults;
        let mut line = format!(
            "{{\"mode\":\"{}\",\"conns\":{},\"held\":{},\"size\":{},\"depth\":{},\"msgs\":{},\"total_msgs\":{},\
             \"errors\":{},\"wrong\":{},\"closed\":{},\"io_errors\":{},\"unreturned\":{},\
             \"interrupted\":{}",
            self.mode.name(),
            self.conns,
            self.held,
            self.size,
            self.depth,
            self.messages,
            self.total,
            faults.total(),
            faults.wrong,
            faults.closed,
            faults.io,
            faults.unreturned,
            self.interrupted,
        );
        for (key, value) in [
            ("secs", seconds),
            ("rate", self.rate()),
            ("p50_us", latency.map(|latency| latency.p50)),
            ("p99_us", latency.map(|latency| latency.p99)),
            ("p999_us", latency.map(|latency| latency.p999)),
            ("max_us", latency.map(|latency| latency.longest)),
            ("server_us_per_msg", self.server_us()),
            ("server_busy", spent.and_then(|spent| per_second(spent.server_cpu?))),
            ("load_busy", spent.and_then(|spent| per_second(spent.own_cpu))),
            ("server_threads", whole(spent.and_then(|spent| spent.server_threads))),
            ("rss_kib", whole(spent.and_then(|spent| spent.server_rss_kib))),
            ("rss_before_kib", whole(cost.and_then(|cost| cost.rss_before_kib))),
            ("bytes_per_conn", cost.and_then(|cost| cost.bytes_per_conn)),
            ("open_us_per_conn", cost.and_then(|cost| cost.opening_us_per_conn)),
        ] {
            // Writing to a String does not fail.
            match value {
                Some(value) => write!(line, ",\"{key}\":{}", rounded(value)).ok(),
                None => write!(line, ",\"{key}\":null").ok(),
            };
        }
        line.push('}');
        line
    }

    /// A few lines for people.
    pub(crate) fn summary(&self) -> String {
        let mut lines = vec![format!(
            "{}: {} of {} connections, messages of {} bytes, {} under way on each{}",
            self.mode.name(),
            grouped(self.held as f64),
            grouped(self.conns as f64),
            grouped(self.size as f64),
            self.depth,
            if self.interrupted { " (interrupted: the figures so far)" } else { "" },
        )];
        if let (Some(rate), Some(spent)) = (self.rate(), self.spent) {
            lines.push(format!(
                "  messages   {} in {:.2} s: {} per second, {:.1} MB/s",
                grouped(self.messages as f64),
                spent.seconds,
                grouped(rate),
                rate * self.size as f64 / 1e6,
            ));
        }
        if let Some(latency) = &self.latency {
            lines.push(format!(
                "  latency    p50 {:.3} ms, p99 {:.3} ms, p99.9 {:.3} ms, longest {:.3} ms",
                latency.p50 / 1e3,
                latency.p99 / 1e3,
                latency.p999 / 1e3,
                latency.longest / 1e3,
            ));
        }
        lines.extend(self.server_line());
        if let Some(bytes) = self.cost.as_ref().and_then(|cost| cost.bytes_per_conn) {
            lines.push(format!("  memory     {} bytes per connection", grouped(bytes)));
        }
        let faults = &self.faults;
        lines.push(match faults.total() {
            0 => "  errors     0 (every byte that came back was compared)".to_owned(),
            total => format!(
                "  errors     {total}: {} wrong bytes, {} closed, {} I/O errors, {} unreturned",
                faults.wrong, faults.closed, faults.io, faults.unreturned
            ),
        });
        lines.join("\n")
    }

    fn server_line(&self) -> Option<String> {
        let spent = self.spent?;
        let mut parts = Vec::new();
        parts.extend(self.server_us().map(|us| format!("{us:.2} us CPU per message")));
        let busy = spent.server_cpu.map(|cpu| cpu / spent.seconds.max(1e-9) * 100.0);
        parts.extend(busy.map(|busy| format!("{busy:.0} % of one CPU")));
        parts.extend(spent.server_threads.map(|count| format!("threads: {count}")));
        let memory = spent.server_rss_kib.map(|kib| kib as f64 / 1024.0);
        parts.extend(memory.map(|mib| format!("{mib:.1} MiB")));
        (!parts.is_empty()).then(|| format!("  server     {}", parts.join(", ")))
    }
}

/// To four decimals, as a JSON number.
fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

/// A whole number with commas between thousands.
pub(crate) fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::from(if value <= -0.5 { "-" } else { "" });
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        for (value, text) in [(0.4, "0"), (999.0, "999"), (-1000.0, "-1,000"), (1e6, "1,000,000")] {
            assert_eq!(grouped(value), text);
        }
    }

    #[test]
    fn what_was_not_measured_is_null() {
        let report = Report::new(&Args::default(), 100, Faults::default());
        let json = report.json();
        assert!(json.starts_with("{\"mode\":\"echo\",\"conns\":100,\"held\":100,"));
        assert!(json.contains("\"rate\":null") && json.ends_with('}'));
    }
}
