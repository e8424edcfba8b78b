//! Any bytes as a program that uses a reactor in every way that it can be used: `make fuzz`.
#![no_main]

#[path = "../program/mod.rs"]
mod program;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| program::run(bytes));
