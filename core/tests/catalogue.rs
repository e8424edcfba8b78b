//! The table of behaviours in README.md names tests that are there.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The names of the tests of a file.
fn tests(file: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut names = BTreeSet::new();
    let mut marked = false;
    for line in text.lines().map(str::trim) {
        if line == "#[test]" {
            marked = true;
        } else if let Some(rest) = line.strip_prefix("fn ") {
            if marked {
                names.insert(rest.split('(').next().unwrap().to_owned());
            }
            marked = false;
        }
    }
    names
}

#[test]
fn every_test_of_the_table_is_there_and_named_once() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let table = fs::read_to_string(folder.join("README.md")).unwrap();
    let mut seen = BTreeSet::new();
    for line in table.lines().filter(|line| line.starts_with('|')) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 3, "{line}");
        let Some((file, test)) = cells[1].trim_matches('`').split_once("::") else {
            assert!(matches!(cells[1], "test" | "---"), "no file::test in {line}");
            continue;
        };
        assert!(tests(&folder.join(file)).contains(test), "{file} has no test {test}");
        assert!(seen.insert(cells[1]), "{} is named twice", cells[1]);
    }
    assert!(!seen.is_empty(), "the table has another form by now");
}
