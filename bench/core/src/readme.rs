//! Figures in a file, between markers.

use std::fs;
use std::io;
use std::path::Path;

const BEGIN: &str = "<!-- bench-core:begin -->";
const END: &str = "<!-- bench-core:end -->";

/// Replaces what is between the markers of a file.
pub(crate) fn write(path: &Path, figures: &str) -> io::Result<()> {
    let text = fs::read_to_string(path)?;
    let new = splice(&text, figures)
        .ok_or_else(|| io::Error::other(format!("it has no {BEGIN} with a {END} after it to write between")))?;
    fs::write(path, new)
}

fn splice(text: &str, figures: &str) -> Option<String> {
    let begin = text.find(BEGIN)? + BEGIN.len();
    let end = begin + text[begin..].find(END)?;
    Some(format!("{}\n{}\n{}", &text[..begin], figures.trim(), &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_markers_changes() {
        let text = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        assert_eq!(splice(&text, "\nnew\n\n"), Some(format!("before\n{BEGIN}\nnew\n{END}\nafter\n")));
    }

    #[test]
    fn markers_that_are_missing_or_swapped_are_refused() {
        for text in ["", BEGIN, END, &format!("{END}\n{BEGIN}")] {
            assert_eq!(splice(text, "new"), None, "{text}");
        }
    }
}
