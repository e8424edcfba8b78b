//! The core's public interface, as rustdoc sees it, beside what was agreed on: core/public-api.txt.
//!
//! Of what every type has or has not by itself (blanket and auto traits) only `Send` and `Sync` are listed.

mod rustdoc;

use std::collections::HashSet;
use std::path::Path;

fn listing(json: &Path) -> String {
    let api = public_api::Builder::from_rustdoc_json(json).omit_blanket_impls(true).build().expect("rustdoc's output");
    let auto = |line: &str| {
        ["Freeze", "StructuralPartialEq", "Unpin", "UnsafeUnpin"]
            .iter()
            .any(|name| line.contains(&format!(" core::marker::{name} for ")))
            || line.contains(" core::panic::unwind_safe::")
    };
    let lines = api.items().map(ToString::to_string).filter(|line| !auto(line));
    lines.map(|line| line + "\n").collect()
}

#[test]
fn the_public_interface_is_what_was_agreed_on() {
    let file = rustdoc::core().join("public-api.txt");
    let Some(json) = rustdoc::json() else { return };
    let now = listing(&json);
    if std::env::var_os("FASTSOCK_BLESS").is_some() {
        std::fs::write(&file, now).expect("core/public-api.txt");
        return;
    }
    let agreed = std::fs::read_to_string(&file).expect("core/public-api.txt");
    if now == agreed {
        return;
    }
    let (before, after): (HashSet<_>, HashSet<_>) = (agreed.lines().collect(), now.lines().collect());
    let gone = agreed.lines().filter(|line| !after.contains(line)).map(|line| format!("- {line}\n"));
    let new = now.lines().filter(|line| !before.contains(line)).map(|line| format!("+ {line}\n"));
    panic!(
        "the public interface has changed; if that was meant, `make public-api` and commit core/public-api.txt\n{}",
        gone.chain(new).collect::<String>()
    );
}
