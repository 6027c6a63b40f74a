//! Behaviour of the safe layer on real models, one module per subject.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(clippy::print_stdout, reason = "figures that are shown, not judged")]

mod setup;

mod abort;
mod adapter;
mod bad_files;
mod decode;
mod embeddings;
mod memory;
mod model;
mod other_kinds;
mod parity;
mod plan;
mod session;
mod soundness;
mod state;
mod suggested;
mod threads;
mod vocab;
