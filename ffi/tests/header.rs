//! The committed header is the one that the source makes. Needs the feature `header`; with FASTSOCK_BLESS=1 in the
//! environment the test writes the header instead of comparing it.
#![allow(missing_docs, clippy::unwrap_used)]

mod toolchain;

use std::fs;

use toolchain::header::items;

/// As the source makes it now.
const FRESH: &str = include_str!(concat!(env!("OUT_DIR"), "/fastsock.h"));

#[test]
fn the_committed_header_is_fresh() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../include/fastsock.h");
    if std::env::var_os("FASTSOCK_BLESS").is_some() {
        fs::write(path, FRESH).unwrap();
    }
    let committed = fs::read_to_string(path).unwrap_or_default();
    assert!(committed == FRESH, "include/fastsock.h is stale: make header");
}

/// What a reader of the header looks for in every function.
#[test]
fn every_function_says_what_it_returns_who_owns_what_and_where_it_may_be_called() {
    let items = items(FRESH);
    let functions: Vec<_> = items.iter().filter(|item| item.kind == "function").collect();
    assert!(functions.len() > 40, "{}", functions.len());
    for item in &items {
        assert!(item.comment.len() > 20, "{} has no comment", item.name);
    }
    let mut silent = Vec::new();
    for item in functions {
        for word in ["Returns: ", "Errors: ", "Ownership: ", "Thread: ", "Since "] {
            if !item.comment.contains(word) {
                silent.push(format!("{}: {word}", item.name));
            }
        }
        // Of what is passed by pointer, null is an error or allowed, and that is said.
        let takes_pointers = item.text.contains(" *") && !item.text.starts_with("const char");
        let says_null = ["null pointer", "NULL", "as fsock_"].iter().any(|word| item.comment.contains(word));
        if takes_pointers && !says_null {
            silent.push(format!("{}: what of NULL?", item.name));
        }
    }
    assert!(silent.is_empty(), "these comments do not say: {silent:#?}");
}
