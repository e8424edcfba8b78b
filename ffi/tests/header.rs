//! The committed header is the one that the source makes. Needs the feature `header`; with FASTSOCK_BLESS=1 in the
//! environment the test writes the header instead of comparing it.
#![allow(missing_docs, clippy::unwrap_used)]

use std::fs;

#[test]
fn the_committed_header_is_fresh() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../include/fastsock.h");
    let fresh = include_str!(concat!(env!("OUT_DIR"), "/fastsock.h"));
    if std::env::var_os("FASTSOCK_BLESS").is_some() {
        fs::write(path, fresh).unwrap();
    }
    let committed = fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == fresh,
        "include/fastsock.h is stale: FASTSOCK_BLESS=1 cargo test -p fastsock-ffi --features header --test header"
    );
}
