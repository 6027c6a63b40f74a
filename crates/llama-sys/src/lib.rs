//! Raw declarations of the pinned llama.cpp and of the C++ shim that keeps its exceptions out of Rust.
//!
//! Everything here is unsafe and unchecked; programs use `llama-core`. The build script compiles llama.cpp,
//! see this crate's README for its features and variables.
#![allow(
    missing_docs,
    missing_debug_implementations,
    non_camel_case_types,
    non_upper_case_globals,
    non_snake_case,
    unnameable_types,
    clippy::all,
    reason = "the declarations are generated: names and shapes are C's"
)]

/// A C enum without negative values: signed for MSVC, unsigned everywhere else.
#[cfg(target_env = "msvc")]
pub type CEnum = core::ffi::c_int;
/// A C enum without negative values: signed for MSVC, unsigned everywhere else.
#[cfg(not(target_env = "msvc"))]
pub type CEnum = core::ffi::c_uint;

/// What was linked: `pinned`, `checkout PATH` (`LLAMA_CPP_DIR`) or `installed PATH` (`LLAMA_LIB_DIR`).
pub const SOURCE: &str = env!("LLAMA_SYS_SOURCE");

/// Version of the package that carries the pinned llama.cpp source.
pub const PINNED_VERSION: &str = env!("LLAMA_SYS_PINNED_VERSION");

/// How llama.cpp was compiled, for people: CPU profile, backends, library kind.
pub const BUILD_INFO: &str = env!("LLAMA_SYS_BUILD_INFO");

#[cfg(not(feature = "bindgen"))]
#[rustfmt::skip]
mod bindings;

#[cfg(feature = "bindgen")]
mod bindings {
    include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
}

pub use bindings::*;
