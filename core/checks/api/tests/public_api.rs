//! The core's public interface, as rustdoc sees it, beside what was agreed on: core/public-api.txt.
//!
//! Of what every type has or has not by itself (blanket and auto traits) only `Send` and `Sync` are listed.

use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The version of rustdoc's JSON that this can read: that of Rust 1.93 to 1.97. To be raised with the `public-api` crate.
const FORMAT: &str = "\"format_version\":57}";

fn core() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What rustdoc of a toolchain says of the core; `None` if there is no such toolchain, or it speaks another version.
fn rustdoc(toolchain: Option<&str>) -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join(toolchain.unwrap_or("default"));
    // `cargo` and not `$CARGO`: only rustup's own knows what `+nightly` is.
    let output = Command::new("cargo")
        .args(toolchain.map(|toolchain| format!("+{toolchain}")))
        .args(["rustdoc", "--locked", "--quiet", "--lib", "--package", "fastsock", "--manifest-path"])
        .arg(core().join("../Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .args(["--", "-Zunstable-options", "--output-format", "json"])
        // The format is not a stable one, for which the version above is asked.
        .env("RUSTC_BOOTSTRAP", "1")
        // Of the toolchain that runs this test.
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("RUSTC")
        .env_remove("RUSTDOC")
        .env_remove("RUSTFLAGS")
        .env_remove("RUSTDOCFLAGS")
        .output()
        .expect("cargo");
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        // A toolchain that is not there is no failure; a core that does not compile is one.
        assert!(toolchain.is_some() && !error.contains("could not"), "{error}");
        return None;
    }
    let json = target.join("doc/fastsock.json");
    let text = std::fs::read_to_string(&json).expect("rustdoc's output");
    text.ends_with(FORMAT).then_some(json)
}

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
    let file = core().join("public-api.txt");
    let Some(json) = [None, Some("1.95.0"), Some("nightly")].into_iter().find_map(rustdoc) else {
        // Not by a macro, whose output cargo test keeps back.
        let text =
            "SKIPPED: the check of core/public-api.txt needs Rust 1.93 to 1.97: rustup toolchain install 1.95.0\n";
        std::io::stderr().write_all(text.as_bytes()).expect("stderr");
        return;
    };
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
