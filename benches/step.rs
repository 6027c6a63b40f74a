//! What stands between one stream and the bare decode loop: `cargo bench --bench step -- [--threads N] [--model NAME]`, see
//! `README.md`.
//!
//! Table `stream`: tokens per second of a single answer, the same number of tokens in turns, as a share of a loop that does nothing
//! but `Context::decode`; with our kernels on. The last rows are the program itself (`cargo build --release -p llama-cli` before),
//! which writes its text into a pipe and says how fast it was. Table `sampling`: choosing a token of 151 936, ours and llama.cpp's.
#![allow(clippy::print_stdout, reason = "a benchmark's result is its output")]

#[path = "step/sampling.rs"]
mod sampling;
#[path = "step/stream.rs"]
mod stream;

use llama_rs_benches::models::{Shape, TYPES};
use llama_rs_benches::{Failure, Options, load_warning};
use llama_testkit::{fixtures, golden};
use std::path::PathBuf;

fn main() -> Result<(), Failure> {
    let options = Options::parse(std::env::args().skip(1))?;
    let wanted = |table: &str| options.profile.as_ref().is_none_or(|wanted| wanted == table);
    if let Some(warning) = load_warning().filter(|_| !options.quick) {
        println!("{warning}");
    }
    println!("kernels: {}", llama_core::kernels_in_use().unwrap_or("off"));
    if wanted("sampling") {
        sampling::print(&options)?;
    }
    if wanted("stream") {
        for (name, path) in models(&options)? {
            stream::print(name, &path, &options)?;
        }
    }
    Ok(())
}

/// The demo model, whose step is short, and one of 0.2 billion parameters with 100 k tokens.
fn models(options: &Options) -> Result<Vec<(&'static str, PathBuf)>, Failure> {
    if options.quick {
        return Ok(vec![("tiny_llama", fixtures::tiny_llama().to_owned())]);
    }
    let mut models = Vec::new();
    if options.wants_model("demo-q8_0") {
        models.push(("demo-q8_0", golden::demo_model_path()));
    }
    if options.wants_model("0.2b") {
        models.push(("0.2b", Shape::Small.file(TYPES[0])?));
    }
    Ok(models)
}
