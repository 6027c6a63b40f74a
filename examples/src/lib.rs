//! Small programs on `llama-runtime`, one per file in this folder; each runs without arguments, on the demo model of this
//! repository.
//!
//! | run | shows |
//! |---|---|
//! | `cargo run -p llama-rs-examples --example generate` | a question, and the answer as it is written; async |
//! | `cargo run -p llama-rs-examples --example stream_with_cancel` | three ways to stop an answer |
//! | `cargo run -p llama-rs-examples --example batch` | many requests at once, results in order, what they shared |
//! | `cargo run -p llama-rs-examples --example embed` | embeddings, and which sentences are alike |
//! | `cargo run -p llama-rs-examples --example structured_output` | answers that follow a JSON schema, as a Rust type |
//!
//! `demo-model/` holds the sources of the demo model.
