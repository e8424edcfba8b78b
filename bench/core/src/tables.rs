//! The figures as Markdown.

use std::fmt::Write as _;

use fastsock_bench_core::{Contender, Workload};

use crate::figures::{Figures, Row};
use crate::targets::Verdict;

/// One table for each part of each workload.
pub(crate) fn long(all: &[Figures]) -> String {
    let mut text = String::new();
    for (index, figures) in all.iter().enumerate() {
        let workload = figures.workload;
        if index == 0 || all[index - 1].workload != workload {
            let _ = write!(text, "\n### {}: {}\n", workload.name(), workload.what());
            if let Some(note) = workload.note() {
                let _ = write!(text, "\n{note}\n");
            }
        }
        table(&mut text, figures);
    }
    text
}

fn table(text: &mut String, figures: &Figures) {
    let (workload, Some(first)) = (figures.workload, figures.rows.first()) else { return };
    let unit = workload.unit();
    let part = workload.parts()[figures.part];
    // A turn of the timers is no turn of a loop.
    let by_turn = workload.units() > 1 && part.is_empty();
    let counted = figures.rows.iter().any(|row| row.instructions.is_some());
    let _ = write!(text, "\n| {part} | ns per {unit} | to {} | ratio |", first.contender);
    text.push_str(if by_turn { " ns per turn |" } else { "" });
    if counted {
        let _ = write!(text, " instructions per {unit} |");
    }
    let columns = 3 + usize::from(by_turn) + usize::from(counted);
    let _ = write!(text, "\n|---|{}", "--:|".repeat(columns));
    for row in &figures.rows {
        let nanos = figures.nanos(row);
        let _ = write!(text, "\n| {} | {nanos:.1} |", row.contender);
        if row.contender == first.contender {
            text.push_str(" | 1.00 |");
        } else {
            let _ = write!(text, " {:+.1} | {:.2} |", figures.above(row), figures.times(row));
        }
        if by_turn {
            let _ = write!(text, " {:.0} |", nanos * workload.units() as f64);
        }
        if counted {
            let _ = write!(text, " {} |", instructions(row));
        }
    }
    text.push('\n');
}

fn instructions(row: &Row) -> String {
    row.instructions.map_or_else(String::new, |count| format!("{count:.1}"))
}

/// The targets beside what was measured.
pub(crate) fn targets(verdicts: &[Verdict]) -> String {
    let mut text =
        String::from("\n### Against the targets\n\n| workload | | target | measured | |\n|---|---|--:|--:|---|\n");
    for verdict in verdicts {
        let _ = writeln!(text, "{verdict}");
    }
    text
}

/// Two tables, of the loops and of the timers, with a line for each part of a workload.
pub(crate) fn short(all: &[Figures]) -> String {
    use Contender::*;
    let (timers, loops): (Vec<&Figures>, Vec<&Figures>) =
        all.iter().partition(|figures| matches!(figures.workload, Workload::Timers(_)));
    let mut text = compact("", &[Raw, Poller, Reactor, Mio, Polling, Calloop], &loops);
    text.push('\n');
    text += &compact("timers", &[Libev, Queue, Reactor, Calloop], &timers);
    text
}

fn compact(title: &str, contenders: &[Contender], all: &[&Figures]) -> String {
    let mut text = format!("| {title} |");
    for contender in contenders {
        let _ = write!(text, " {contender} |");
    }
    let _ = write!(text, "\n|---|{}", "--:|".repeat(contenders.len()));
    for figures in all {
        let part = figures.workload.parts()[figures.part];
        let _ = write!(text, "\n| {} |", brief(figures.workload, part));
        for &contender in contenders {
            match figures.row(contender) {
                Some(row) => {
                    let _ = write!(text, " {} |", cell(figures.nanos(row), row.instructions));
                }
                None => text.push_str(" |"),
            }
        }
    }
    text.push('\n');
    text
}

fn cell(nanos: f64, instructions: Option<f64>) -> String {
    let nanos = if nanos < 100.0 { format!("{nanos:.1}") } else { format!("{nanos:.0}") };
    instructions.map_or_else(|| nanos.clone(), |count| format!("{nanos} ({count:.0})"))
}

/// A workload in a few words.
fn brief(workload: Workload, part: &str) -> String {
    match workload {
        Workload::Level(ready) => format!("event, {} ready", grouped(ready)),
        Workload::Edge(ready) => format!("event, {} edges", grouped(ready)),
        Workload::Register => "register and remove".into(),
        Workload::WakePending => "wake, again".into(),
        Workload::Wake => "wake and turn".into(),
        Workload::RoundTrip => "round trip of two threads".into(),
        Workload::Chain(pairs) => format!("event, chain of {}", grouped(pairs)),
        Workload::Timers(count) => format!("{part}, {}", grouped(count)),
    }
}

/// 1,000,000.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::tests::figures;

    #[test]
    fn one_table_a_workload() {
        let text = long(&[figures(Workload::Level(64), &[100.0], &[104.0])]);
        let wanted = "\
| | ns per event | to raw epoll | ratio | ns per turn | instructions per event |
|---|--:|--:|--:|--:|--:|
| raw epoll | 100.0 | | 1.00 | 6400 | 12.3 |
| `Poller` | 104.0 | +4.0 | 1.04 | 6656 | 12.3 |
";
        assert!(text.replace("|  |", "| |").ends_with(wanted), "{text}");
    }

    #[test]
    fn one_line_a_workload() {
        let text = short(&[figures(Workload::Edge(1000), &[1234.5], &[34.56])]);
        assert!(text.contains("\n| event, 1,000 edges | 1234 (12) | 34.6 (12) | | | | |\n"), "{text}");
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!([1, 100, 1000, 1_000_000].map(grouped), ["1", "100", "1,000", "1,000,000"]);
    }
}
