//! Why a run could not be made or finished.

use std::fmt;

/// One sentence for the person who started the run: what happened and what to do about it.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(sentence: impl Into<String>) -> Failure {
        Failure(sentence.into())
    }

    /// The failure as one line of JSON.
    pub(crate) fn json(&self) -> String {
        let text: String = self
            .0
            .chars()
            .map(|c| if c < ' ' { ' ' } else { c })
            .flat_map(|c| {
                let escape = matches!(c, '"' | '\\').then_some('\\');
                escape.into_iter().chain([c])
            })
            .collect();
        format!("{{\"fatal\":\"{text}\",\"errors\":1}}")
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
