//! Small programs, one per file in this folder; each runs without arguments, on the demo model of this repository.
//!
//! | run | shows |
//! |---|---|
//! | `cargo run -p llama-rs-examples --example generate` | `llama-core`: load a model, continue a text |
//! | `cargo run -p llama-rs-examples --example stream` | `llama-runtime`: several questions, streamed answers, a cancel |
//!
//! `demo-model/` holds the sources of the demo model.
