//! What went wrong in a run, counted.

use crate::conn::Fault;

/// Faults described in words; the others are only counted.
const DESCRIBED: usize = 3;

#[derive(Default)]
pub(crate) struct Faults {
    pub(crate) wrong: u64,
    pub(crate) closed: u64,
    pub(crate) io: u64,
    /// Messages that never came back.
    pub(crate) unreturned: u64,
    /// The first few, in words.
    pub(crate) first: Vec<String>,
}

impl Faults {
    pub(crate) fn add(&mut self, index: usize, fault: &Fault) {
        match fault {
            Fault::Wrong { .. } | Fault::Surplus(_) => self.wrong += 1,
            Fault::Closed => self.closed += 1,
            Fault::Io(_) => self.io += 1,
        }
        self.describe(format!("connection {index}: {fault}"));
    }

    /// Messages that were waited for in vain, and how many seconds the wait may last.
    pub(crate) fn add_unreturned(&mut self, messages: usize, waited: f64) {
        if messages > 0 {
            self.unreturned += messages as u64;
            self.describe(format!(
                "the server stopped answering: {messages} messages were not back after a wait \
                 of {waited} s"
            ));
        }
    }

    pub(crate) fn total(&self) -> u64 {
        self.wrong + self.closed + self.io + self.unreturned
    }

    fn describe(&mut self, sentence: String) {
        if self.first.len() < DESCRIBED {
            self.first.push(sentence);
        }
    }
}
