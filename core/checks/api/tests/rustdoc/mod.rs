//! What rustdoc says of the core, in the form that is for programs.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The version of rustdoc's JSON that this can read: Rust 1.95 writes it. To be raised with the `public-api` crate.
const FORMAT: &str = "\"format_version\":57}";

pub(crate) fn core() -> PathBuf {
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

/// What rustdoc says of the core. `None`, and said aloud: no toolchain here speaks that version.
pub(crate) fn json() -> Option<PathBuf> {
    let json = [None, Some("1.95.0"), Some("nightly")].into_iter().find_map(rustdoc);
    if json.is_none() {
        // Not by a macro, whose output cargo test keeps back.
        let text = "SKIPPED: the checks of the core's public interface need Rust 1.93 to 1.97: rustup toolchain install 1.95.0\n";
        std::io::stderr().write_all(text.as_bytes()).expect("stderr");
    }
    json
}
