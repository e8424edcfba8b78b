//! The programs that fuzzing has found worth keeping (`make fuzz`), and some that it began with, run once more.
#![allow(clippy::unwrap_used)]

#[path = "../fuzz/program/mod.rs"]
mod program;

#[test]
fn every_program_of_the_corpus_does_as_the_model_says() {
    let folder = |name: &str| std::fs::read_dir(format!("{}/fuzz/{name}/reactor", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let mut files: Vec<_> = folder("corpus").chain(folder("seeds")).map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 100, "{} programs", files.len());
    for file in files {
        eprintln!("{}", file.display());
        program::run(&std::fs::read(&file).unwrap());
    }
}
