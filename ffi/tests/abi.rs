//! What a program that was compiled yesterday relies on, beside a committed record of it: symbols, prototypes, sizes, offsets
//! and constants. With FASTSOCK_BLESS=1 in the environment the record is written instead of compared; that is right for what is
//! added, and for what is changed or removed the soname has to change as well.
#![allow(missing_docs, clippy::unwrap_used)]

mod toolchain;

use std::fmt::Write;
use std::fs;
use std::process::Command;

use toolchain::header::{constants, items, members, text};
use toolchain::{C, compile, library, run};

/// The record that this library and this header make.
fn fresh() -> String {
    let header = text();
    let items = items(&header);
    let mut program = String::from("#include \"fastsock.h\"\n#include <stdio.h>\nint main(void) {\n");
    for item in items.iter().filter(|item| item.kind == "struct") {
        let name = &item.name;
        writeln!(program, "printf(\"struct {name} %zu\", sizeof({name}));").unwrap();
        for member in members(item) {
            let size = format!("sizeof((({name} *)0)->{member})");
            writeln!(program, "printf(\" {member}@%zu:%zu\", offsetof({name}, {member}), {size});").unwrap();
        }
        writeln!(program, "puts(\"\");").unwrap();
    }
    for name in constants(&header).iter().filter(|name| !name.starts_with("FSOCK_VERSION")) {
        writeln!(program, "printf(\"constant {name} %lld %zu\\n\", (long long)({name}), sizeof({name}));").unwrap();
    }
    program += "return 0;\n}\n";
    let source = format!("{}/abi.c", toolchain::OUT);
    fs::write(&source, program).unwrap();
    let mut record = String::from(
        "# The ABI of libfastsock on 64-bit systems: struct NAME SIZE MEMBER@OFFSET:SIZE..., constant NAME VALUE SIZE.\n",
    );
    let dynamic = run(Command::new("readelf").arg("-d").arg(library().join("libfastsock.so")));
    let soname = dynamic.split("soname: [").nth(1).unwrap().split(']').next().unwrap();
    writeln!(record, "soname {soname}").unwrap();
    record += &run(&mut Command::new(compile(&source, "abi", C, &[])));
    for item in items.iter().filter(|item| item.kind != "struct") {
        writeln!(record, "{} {}", item.kind, item.text).unwrap();
    }
    for symbol in exported() {
        writeln!(record, "symbol {symbol}").unwrap();
    }
    record
}

/// What the shared object exports, with the kind that nm gives it.
fn exported() -> Vec<String> {
    let symbols = run(Command::new("nm").args(["-D", "--defined-only"]).arg(library().join("libfastsock.so")));
    let mut symbols: Vec<String> =
        symbols.lines().filter_map(|line| line.split_once(' ').map(|(_, rest)| rest.into())).collect();
    symbols.sort();
    symbols
}

#[test]
#[cfg_attr(not(target_pointer_width = "64"), ignore = "the record is that of 64-bit systems")]
fn the_abi_is_the_recorded_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/abi.txt");
    let fresh = fresh();
    if std::env::var_os("FASTSOCK_BLESS").is_some() {
        fs::write(path, &fresh).unwrap();
    }
    let recorded = fs::read_to_string(path).unwrap_or_default();
    let without = |from: &str, of: &str| {
        let lines = from.lines().filter(|line| !of.lines().any(|other| other == *line));
        lines.map(|line| format!("    {line}\n")).collect::<String>()
    };
    assert!(
        recorded == fresh,
        "the ABI has changed.\n  gone: {}\n  new:\n{}\nWhat is gone breaks programs: it wants another soname. What is new \
         wants: make header",
        without(&recorded, &fresh),
        without(&fresh, &recorded)
    );
}

#[test]
fn the_library_exports_what_the_header_declares_and_nothing_else() {
    let header = text();
    let functions = items(&header).into_iter().filter(|item| item.kind == "function");
    let mut declared: Vec<String> = functions.map(|item| format!("T {}", item.name)).collect();
    declared.sort();
    assert_eq!(exported(), declared);
}

#[test]
fn the_library_asks_for_its_soname_and_nothing_unusual() {
    let dynamic = run(Command::new("readelf").arg("-d").arg(library().join("libfastsock.so")));
    assert!(dynamic.contains("soname: [libfastsock.so.0]"), "{dynamic}");
    for needed in dynamic.lines().filter(|line| line.contains("(NEEDED)")) {
        let usual = ["libc.so", "libgcc_s.so", "ld-linux", "libpthread.so", "libdl.so", "libm.so", "librt.so"];
        assert!(usual.iter().any(|name| needed.contains(name)), "{needed}");
    }
    assert!(!dynamic.contains("RPATH") && !dynamic.contains("RUNPATH") && !dynamic.contains("TEXTREL"), "{dynamic}");
}
