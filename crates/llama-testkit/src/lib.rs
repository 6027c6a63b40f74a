//! Test fixtures for llama-rs: tiny deterministic GGUF models, broken ones, and golden answers.
//!
//! For tests and benches only; never published. Pure Rust, depends on no other crate of the workspace, so it can also
//! judge them. Everything is generated from seeds: the same bytes on every run and platform.
//!
//! - [`fixtures`]: paths of ready-made files, written on first use and shared; start here.
//! - [`models`], [`adapters`], [`vocab`], [`chat`]: the recipes behind them, with knobs.
//! - [`gguf`]: the writer; [`mutate`]: files that must be refused.
//! - [`golden`]: reference answers of the demo model.
//!
//! ```
//! use llama_testkit::{fixtures, models::Llama};
//!
//! let shared = fixtures::tiny_llama();
//! assert!(shared.is_file());
//!
//! let own = fixtures::TempModels::new()?;
//! let deep = own.write("deep.gguf", &Llama { n_layer: 8, ..Llama::tiny() }.file())?;
//! assert!(deep.is_file());
//! # Ok::<(), std::io::Error>(())
//! ```

#![forbid(unsafe_code)]

pub mod adapters;
pub mod chat;
pub mod fixtures;
pub mod gguf;
pub mod golden;
pub mod models;
pub mod mutate;
pub mod random;
pub mod vocab;
