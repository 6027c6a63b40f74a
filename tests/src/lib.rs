//! Tests that need more than one of our crates.
//!
//! `layers/` holds the layers against each other. The tests of the built program are with the program, in
//! `crates/llama-cli/tests/`: cargo tells only a program's own package where it was built.

/// The programs in the README are compiled as its readers would.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
