//! Answers many questions at once: `cargo run -p llama-rs-examples --example batch [MODEL.gguf]`.
//!
//! All requests are submitted before the first answer is read. The engine computes up to
//! [`max_sequences`](llama_runtime::BatchConfig::max_sequences) of them together, and the beginning that their prompts
//! share only once. Results are read in the order of the questions, whichever is done first.

#![allow(clippy::print_stdout, reason = "printing is what an example is for")]

use std::time::Instant;

use llama_runtime::{EngineConfig, Message, ModelSpec, Request, Runtime, SamplingParams};

/// The demo model of this repository.
const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/llama-cli/assets/demo-q8_0.gguf");

const INSTRUCTIONS: &str = "You are a friendly assistant. Answer every question in one short and simple sentence.";
const COUNTRIES: [&str; 8] = ["France", "Italy", "Spain", "Japan", "Egypt", "Norway", "Peru", "India"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).unwrap_or_else(|| DEMO.to_owned());
    let mut engine = EngineConfig::default();
    engine.batch.max_sequences = 4;
    // Submitting never waits: what does not run yet is in the queue, and one more than this would be refused.
    engine.limits.queue = COUNTRIES.len();
    let runtime = Runtime::builder().model("default", ModelSpec::path(path)).engine(engine).build_blocking()?;

    let start = Instant::now();
    let answers = COUNTRIES.map(|country| runtime.submit(question(country)));
    for (country, answer) in COUNTRIES.into_iter().zip(answers) {
        let end = answer?.blocking().finish();
        let text = end.choices.first().map_or("", |choice| choice.text.trim());
        println!("{country:8} {text} [waited {:.0?}, {} tokens reused]", end.timings.queued, end.usage.reused);
    }

    let stats = runtime.stats();
    let totals = stats.models[0].totals;
    println!("{} answers in {:.2?}", totals.completed, start.elapsed());
    println!("{} prompt tokens, {} of them from the KV cache", totals.prompt_tokens, totals.reused_tokens);
    println!("{} tokens written", totals.generated_tokens);
    Ok(())
}

fn question(country: &str) -> Request {
    let question = format!("What is the capital of {country}?");
    Request::chat([Message::system(INSTRUCTIONS), Message::user(question)])
        .sampling(SamplingParams::greedy())
        .max_tokens(48)
}
