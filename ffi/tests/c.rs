//! Builds the C tests against the library as a C user would, as C99 and as C++11, and runs them: plain, under valgrind and
//! under AddressSanitizer, on every backend.
#![allow(missing_docs, clippy::unwrap_used)]

mod toolchain;

use std::fs;
use std::path::Path;
use std::process::Command;

use toolchain::{C, CPP, Language, SANITIZED, TESTS, compile, library, limited, run, sanitized};

const BACKENDS: [&str; 3] = ["epoll", "poll", "select"];

/// One behaviour: a file of C.
fn behaviour(name: &str) {
    let source = format!("{TESTS}/{name}.c");
    let program = compile(&source, &format!("{name}-asan"), SANITIZED, &[]);
    for backend in BACKENDS {
        run(sanitized(&program).env("FASTSOCK_BACKEND", backend));
    }
    for language in [C, CPP] {
        let program = compile(&source, &format!("{name}-{}", language.name), language, &[]);
        for backend in BACKENDS {
            run(limited(&program).env("FASTSOCK_BACKEND", backend));
            if language.name == C.name {
                toolchain::valgrind(&program, backend);
            }
        }
    }
}

macro_rules! behaviours {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                behaviour(stringify!($name));
            }
        )*

        /// A file that nobody runs tests nothing.
        #[test]
        fn every_c_file_is_run() {
            let listed = [$(concat!(stringify!($name), ".c")),*];
            for entry in fs::read_dir(TESTS).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                assert!(!name.ends_with(".c") || listed.contains(&name.as_str()), "{name} is not listed in c.rs");
            }
        }
    };
}

behaviours! {
    addresses callbacks children closed_unasked config datagrams drop_once embed fork free_in_callback listener measure misuse
    remove_in_batch remove_in_drop remove_orders server signals stream submit timers triggers version wait_level waker
}

/// What the sanitizers are there to find is found: else their silence would mean nothing.
#[test]
fn the_sanitizers_are_on() {
    for (name, finding) in [
        ("use_after_free", "AddressSanitizer: heap-use-after-free"),
        ("overflow", "AddressSanitizer: heap-buffer-overflow"),
        ("leak", "LeakSanitizer: detected memory leaks"),
    ] {
        let source = format!("{TESTS}/planted/{name}.c");
        let program = compile(&source, &format!("planted-{name}"), SANITIZED, &["-I", TESTS]);
        let output = sanitized(&program).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && text.contains(finding), "{name}: {text}");
    }
}

/// Every dialect that a user's compiler may be set to, with the warnings that strict projects have on.
#[test]
fn the_header_is_clean_in_every_dialect() {
    let dir = Path::new(toolchain::OUT);
    let body = "#include \"fastsock.h\"\nint use(void);\nint use(void) { fsock_config c = FSOCK_CONFIG_INIT;\n\
                fsock_stats s = FSOCK_STATS_INIT; fsock_accept_stats a = FSOCK_ACCEPT_STATS_INIT;\n\
                fsock_listen_options l = FSOCK_LISTEN_OPTIONS_INIT; l.flags = FSOCK_LISTEN_SEQPACKET;\n\
                return c.size + a.size == s.size + l.size ? FSOCK_E_STALE : FSOCK_E_PANIC; }\n";
    let common = "-fsyntax-only -pedantic -Wall -Wextra -Werror -Wundef -Wconversion -Wshadow -Wmissing-declarations";
    let (c, cpp) = ("-Wstrict-prototypes", "-Wold-style-cast -Wzero-as-null-pointer-constant");
    let has_clang = toolchain::has("clang", "clang", "the header is not tried with it");
    for (dialect, suffix, compilers, more) in [
        ("c99", "c", ["cc", "clang"], c),
        ("c11", "c", ["cc", "clang"], c),
        ("c17", "c", ["cc", "clang"], c),
        ("c2x", "c", ["cc", "clang"], c),
        ("c++11", "cpp", ["c++", "clang++"], cpp),
        ("c++17", "cpp", ["c++", "clang++"], cpp),
        ("c++20", "cpp", ["c++", "clang++"], cpp),
    ] {
        let source = dir.join(format!("dialect-{dialect}.{suffix}"));
        fs::write(&source, body).unwrap();
        for compiler in compilers {
            let flags = format!("{common} {more} -std={dialect} -I{}", toolchain::INCLUDE);
            if has_clang || !compiler.starts_with("clang") {
                run(Command::new(compiler).args(flags.split(' ')).arg(&source));
            }
        }
    }
}

/// The program in the header's title comment.
#[test]
fn the_header_s_example_runs() {
    let header = fs::read_to_string(format!("{}/fastsock.h", toolchain::INCLUDE)).unwrap();
    let example: Vec<&str> = header.lines().filter_map(|line| line.strip_prefix(" *     ")).collect();
    assert!(example.len() >= 15, "{example:?}");
    let source = format!("{}/title.c", toolchain::OUT);
    fs::write(&source, format!("#include \"check.h\"\n{}\n", example.join("\n"))).unwrap();
    for language in [C, CPP] {
        let program = compile(&source, &format!("title-{}", language.name), language, &["-I", TESTS]);
        let output = Command::new("sh").arg("-c").arg(format!("echo hello | {}", program.display())).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(output.stdout, b"6 bytes\n");
    }
}

/// The fuzz target's own inputs, the same each time.
#[test]
fn whatever_bytes_drive_it_the_promises_hold() {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/fuzz.c");
    let program = compile(source, "fuzz", SANITIZED, &["-DREPLAY"]);
    for backend in BACKENDS {
        run(sanitized(&program).env("FASTSOCK_BACKEND", backend));
    }
}

/// What the header says of callbacks that panic: an error where the program and the library share Rust's runtime, the end
/// of the process where each has its own.
#[test]
fn a_panic_in_a_callback_of_a_rust_program() {
    let dir = library();
    let archive = dir.join("archive");
    fs::create_dir_all(&archive).unwrap();
    fs::copy(dir.join("libfastsock.a"), archive.join("libfastsock.a")).unwrap();
    let build = |name: &str, libraries: &Path| {
        let program = dir.join(name);
        let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        rustc.args(["--edition=2024", "-L"]).arg(libraries).arg("-o").arg(&program);
        rustc.arg(format!("-Clink-arg=-Wl,-rpath,{}", dir.display()));
        run(rustc.arg(format!("{TESTS}/planted/panicking_callback.rs")));
        limited(&program).output().unwrap()
    };
    let output = build("panicking-static", &archive);
    assert!(output.status.success() && output.stdout == b"-10003\n", "{output:?}");
    let output = build("panicking-shared", dir);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("cannot catch foreign exceptions"), "{said}");
}

/// The archive alone, with the libraries that rustc names for it.
#[test]
fn the_static_library_links() {
    let archive = library().join("libfastsock.a");
    let archive = archive.to_str().unwrap();
    let source = format!("{TESTS}/callbacks.c");
    let language = Language { link: false, ..C };
    let program = compile(
        &source,
        "callbacks-static",
        language,
        &[archive, "-lgcc_s", "-lutil", "-lrt", "-lpthread", "-lm", "-ldl"],
    );
    run(&mut limited(&program));
}
