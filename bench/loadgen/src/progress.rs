//! How far the run has got, on standard error.

use crate::args::Args;
use crate::clock;
use crate::report::grouped;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal as _, stderr};

/// Time between two looks of a bar, and between two plain lines.
const BAR_STEP: u64 = clock::SECOND / 10;
const LINE_STEP: u64 = 2 * clock::SECOND;

const OPENING: &str = "  {prefix} [{bar:30}] {pos}/{len} connections open";
const LOADING: &str = "  {prefix} [{bar:30}] {msg}";

enum Shown {
    Nothing,
    /// A line of its own every now and then: standard error goes to a file.
    Lines,
    Bar(ProgressBar),
}

pub(crate) struct Progress {
    shown: Shown,
    conns: usize,
    step: u64,
    next: u64,
    loading: bool,
    /// When the last look was, in the load's time, and the messages done by then.
    last: (u64, u64),
}

impl Progress {
    pub(crate) fn new(args: &Args) -> Progress {
        let shown = match (args.progress, stderr().is_terminal()) {
            (false, _) => Shown::Nothing,
            (true, false) => Shown::Lines,
            (true, true) => {
                let target = ProgressDrawTarget::stderr();
                let bar = ProgressBar::with_draw_target(Some(args.conns as u64), target);
                bar.set_style(style(OPENING));
                bar.set_prefix("opening ");
                Shown::Bar(bar)
            }
        };
        Progress {
            step: if matches!(shown, Shown::Bar(_)) { BAR_STEP } else { LINE_STEP },
            shown,
            conns: args.conns,
            next: 0,
            loading: false,
            last: (0, 0),
        }
    }

    /// So many connections are open.
    pub(crate) fn opening(&mut self, now: u64, open: usize) {
        if now < self.next && open < self.conns {
            return;
        }
        self.next = now + self.step;
        match &self.shown {
            Shown::Nothing => {}
            Shown::Lines if open == 0 => {}
            Shown::Lines => {
                eprintln!("  opening: {} of {} connections open", grouped(open as f64), grouped(self.conns as f64))
            }
            Shown::Bar(bar) => bar.set_position(open as u64),
        }
    }

    /// The load has gone on for `elapsed` of `length` ns; so many messages are done.
    #[inline]
    pub(crate) fn load(&mut self, elapsed: u64, length: u64, messages: u64) {
        if matches!(self.shown, Shown::Nothing) || (self.loading && elapsed < self.next) {
            return;
        }
        self.show_load(elapsed, length, messages);
    }

    #[cold]
    fn show_load(&mut self, elapsed: u64, length: u64, messages: u64) {
        if !self.loading {
            self.loading = true;
            if let Shown::Bar(bar) = &self.shown {
                bar.set_position(0);
                bar.set_length(length);
                bar.set_prefix("echoing ");
                bar.set_style(style(LOADING));
            }
        }
        self.next = elapsed + self.step;
        let since = clock::seconds(elapsed - self.last.0).max(1e-9);
        let rate = messages.saturating_sub(self.last.1) as f64 / since;
        self.last = (elapsed, messages);
        let elapsed = elapsed.min(length);
        let (done, all) = (clock::seconds(elapsed), clock::seconds(length));
        let mut text = format!("{done:.1}/{all:.1} s");
        if since > 0.01 {
            text = format!("{text}  {} req/s", grouped(rate));
        }
        match &self.shown {
            Shown::Nothing => {}
            Shown::Lines => eprintln!("  echoing: {text}"),
            Shown::Bar(bar) => {
                bar.set_position(elapsed);
                bar.set_message(text);
            }
        }
    }

    /// Takes the bar away; what comes next is the summary.
    pub(crate) fn end(&self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}

/// A template that does not parse would show as the plain bar.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("#>-")
}
