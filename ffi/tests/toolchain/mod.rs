//! The C compiler, valgrind, and the library as the user links it.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)]

pub mod header;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

pub const OUT: &str = env!("CARGO_TARGET_TMPDIR");
pub const TESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests");
pub const INCLUDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../include");
pub const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/c");

/// C under AddressSanitizer, with its leak checker, and UndefinedBehaviorSanitizer. The library is not instrumented, but its
/// heap is the sanitizer's as well, and so are the memcpy and memset that it calls.
pub const SANITIZED: Language = Language {
    name: "asan",
    compiler: "cc",
    flags: &["-std=c99", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer"],
    link: true,
};

#[derive(Clone, Copy)]
pub struct Language {
    pub name: &'static str,
    pub compiler: &'static str,
    pub flags: &'static [&'static str],
    /// Against the shared library.
    pub link: bool,
}

pub const C: Language = Language { name: "c99", compiler: "cc", flags: &["-std=c99"], link: true };
pub const CPP: Language = Language { name: "c++11", compiler: "c++", flags: &["-x", "c++", "-std=c++11"], link: true };

/// Runs a command that must succeed, and returns what it wrote to its standard output.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A program that fails when it hangs (timeout(1) is in every coreutils).
pub fn limited(program: &Path) -> Command {
    let mut command = Command::new("timeout");
    command.arg("60").arg(program);
    command
}

/// The directory with the library, in the profile of this test. Cargo does not build a shared object for tests by
/// itself.
pub fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        // target/<profile>/deps/<this test>
        let exe = std::env::current_exe().unwrap();
        let profile = exe.ancestors().nth(2).unwrap();
        let target = profile.parent().unwrap();
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")]);
        cargo.arg("--target-dir").arg(target);
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        run(&mut cargo);
        // As it is installed, in a directory of this test's own.
        let dir = Path::new(OUT).join(env!("CARGO_CRATE_NAME"));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        for (from, to) in [("so", "so.0"), ("a", "a")] {
            fs::copy(profile.join(format!("libfastsock.{from}")), dir.join(format!("libfastsock.{to}"))).unwrap();
        }
        symlink("libfastsock.so.0", dir.join("libfastsock.so")).unwrap();
        dir
    })
}

/// Compiles a program without a warning.
pub fn compile(source: &str, name: &str, language: Language, more: &[&str]) -> PathBuf {
    let program = library().join(name);
    let dir = library().display();
    let mut cc = Command::new(language.compiler);
    cc.args(language.flags).args(["-pedantic", "-Wall", "-Wextra", "-Werror", "-g", "-O1", "-I", INCLUDE]);
    // As strict dialects hide what is not ISO C's.
    cc.arg("-D_GNU_SOURCE=1");
    cc.arg(format!("-DCARGO_VERSION=\"{}\"", env!("CARGO_PKG_VERSION")));
    cc.args(["-o".as_ref(), program.as_os_str()]).arg(source).args(["-x", "none"]).args(more).arg("-pthread");
    if language.link {
        cc.args([format!("-L{dir}"), "-lfastsock".into(), format!("-Wl,-rpath,{dir}")]);
    }
    run(&mut cc);
    program
}

/// A program that was compiled as [`SANITIZED`].
pub fn sanitized(program: &Path) -> Command {
    let mut command = limited(program);
    command.env("ASAN_OPTIONS", "detect_leaks=1:detect_stack_use_after_return=1").env("UNDER_ASAN", "1");
    command
}

/// Runs a test once more under valgrind: no invalid access, no leak, no descriptor left open.
pub fn valgrind(program: &Path, backend: &str) {
    if !has_valgrind() {
        return;
    }
    let mut command = limited(Path::new("valgrind"));
    command.args(["--quiet", "--leak-check=full", "--error-exitcode=99", "--track-fds=yes", "--read-inline-info=no"]);
    let log = program.with_extension(format!("{backend}.log"));
    command.arg(format!("--log-file={}", log.display())).arg(program);
    command.env("FASTSOCK_BACKEND", backend).env("UNDER_VALGRIND", "1");
    // Its own descriptors only; what cargo left open in us is not the program's.
    command.stdin(Stdio::null());
    let output = command.output().unwrap();
    let log = fs::read_to_string(log).unwrap();
    let failed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{failed}{log}", output.status);
    let mut lines = log.lines().map(|line| line.trim_start_matches(|c: char| c != ' ').trim());
    while let Some(line) = lines.next() {
        let inherited = lines.clone().next().is_some_and(|next| next.starts_with("<inherited"));
        assert!(!line.starts_with("Open ") || inherited, "{command:?}: left open\n{log}");
    }
}

fn has_valgrind() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND.get_or_init(|| has("valgrind", "valgrind", "the C tests run without it"))
}

/// Whether there is such a program; says so if not.
pub fn has(program: &str, package: &str, loss: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        // Straight to the terminal: the test harness swallows what a passing test prints.
        let message = format!("{program} is missing (package: {package}): {loss}");
        let _ = Command::new("sh").args(["-c", "echo \"$0\" >&2", &message]).status();
    }
    found
}
