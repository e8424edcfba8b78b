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
                fsock_stats s = FSOCK_STATS_INIT; return c.size == s.size ? FSOCK_E_STALE : FSOCK_E_PANIC; }\n";
    let common = "-fsyntax-only -pedantic -Wall -Wextra -Werror -Wundef -Wconversion -Wshadow";
    for (compiler, suffix, dialect, more) in [
        ("cc", "c", "c99", "-Wstrict-prototypes"),
        ("cc", "c", "c11", "-Wstrict-prototypes"),
        ("c++", "cpp", "c++11", "-Wold-style-cast -Wzero-as-null-pointer-constant"),
        ("c++", "cpp", "c++20", "-Wold-style-cast -Wzero-as-null-pointer-constant"),
    ] {
        let source = dir.join(format!("dialect-{dialect}.{suffix}"));
        fs::write(&source, body).unwrap();
        let flags = format!("{common} {more} -std={dialect} -I{}", toolchain::INCLUDE);
        run(Command::new(compiler).args(flags.split(' ')).arg(&source));
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

#[test]
fn the_library_exports_what_the_header_declares_and_nothing_else() {
    let so = library().join("libfastsock.so");
    let symbols = run(Command::new("nm").args(["-D", "--defined-only"]).arg(&so));
    let mut exported: Vec<&str> = symbols.lines().filter_map(|line| line.split(' ').next_back()).collect();
    let header = fs::read_to_string(format!("{}/fastsock.h", toolchain::INCLUDE)).unwrap();
    let code = header.lines().filter(|line| !line.starts_with([' ', '#', '/']) && !line.starts_with("typedef"));
    let mut declared: Vec<&str> = code.filter_map(|line| line.split_once('(')?.0.rsplit([' ', '*']).next()).collect();
    declared.sort();
    exported.sort();
    assert!(exported.iter().all(|name| name.starts_with("fsock_")), "{exported:?}");
    assert_eq!(exported, declared);
}

#[test]
fn the_library_has_a_soname() {
    let dynamic = run(Command::new("readelf").arg("-d").arg(library().join("libfastsock.so")));
    assert!(dynamic.contains("soname: [libfastsock.so.0]"), "{dynamic}");
}
