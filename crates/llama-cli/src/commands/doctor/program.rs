//! What the program is, and what it was built with.

use llama_core::{llama_cpp_build, llama_cpp_source, llama_cpp_version};
use serde::Serialize;

const FEATURES: [(&str, bool); 7] = [
    ("native", cfg!(feature = "native")),
    ("openmp", cfg!(feature = "openmp")),
    ("metal", cfg!(feature = "metal")),
    ("cuda", cfg!(feature = "cuda")),
    ("vulkan", cfg!(feature = "vulkan")),
    ("rpc", cfg!(feature = "rpc")),
    ("dynamic-backends", cfg!(feature = "dynamic-backends")),
];

/// This program.
#[derive(Debug, Serialize)]
pub(super) struct Program {
    pub(super) version: &'static str,
    /// As `rustc --version` says it.
    pub(super) rustc: &'static str,
    pub(super) target: &'static str,
    /// `release` or `debug`.
    pub(super) profile: &'static str,
    /// Cargo features.
    pub(super) features: Vec<&'static str>,
}

/// The llama.cpp in it.
#[derive(Debug, Serialize)]
pub(super) struct LlamaCpp {
    pub(super) version: String,
    /// `pinned`, or where else it came from.
    pub(super) source: &'static str,
    pub(super) build: &'static str,
}

impl Program {
    pub(super) fn new() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            rustc: env!("LLAMA_CLI_RUSTC"),
            target: env!("LLAMA_CLI_TARGET"),
            profile: env!("LLAMA_CLI_PROFILE"),
            features: FEATURES.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect(),
        }
    }
}

impl LlamaCpp {
    pub(super) fn new() -> Self {
        Self { version: llama_cpp_version(), source: llama_cpp_source(), build: llama_cpp_build() }
    }
}
