//! How far it has got, on standard error.

use std::io::{IsTerminal as _, stderr};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

pub(crate) struct Progress {
    /// On a terminal; else lines.
    bar: Option<ProgressBar>,
    what: &'static str,
    steps: usize,
    done: usize,
}

impl Progress {
    pub(crate) fn new(what: &'static str, steps: usize) -> Progress {
        let bar = stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(steps as u64), ProgressDrawTarget::stderr());
            // A template that does not parse would show as the plain bar.
            let style = ProgressStyle::with_template("  {prefix} [{bar:30}] {eta} left  {msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            bar.set_style(style.progress_chars("#>-"));
            bar.set_prefix(what);
            bar
        });
        Progress { bar, what, steps, done: 0 }
    }

    /// This comes next.
    pub(crate) fn step(&mut self, next: &str) {
        match &self.bar {
            Some(bar) => {
                bar.set_position(self.done as u64);
                bar.set_message(next.to_owned());
            }
            // About ten lines in all.
            None if self.done % self.steps.div_ceil(10) == 0 => {
                eprintln!("  {}, {} of {}: {next}", self.what, self.done, self.steps);
            }
            None => {}
        }
        self.done += 1;
    }

    /// A line of its own.
    pub(crate) fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
