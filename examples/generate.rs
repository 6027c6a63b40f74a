//! Asks a model and prints its answer as it is written:
//! `cargo run -p llama-rs-examples --example generate [MODEL.gguf [QUESTION]]`.
//!
//! A [`Runtime`] holds models, each with an engine thread of its own. A [`Request`] says what to do; what comes back is a
//! stream of [`Event`]s, which always ends with [`Event::Finished`]. It works with any executor; a program without one
//! waits with `block_on`, or reads the stream with `answer.blocking()` as an iterator.

#![allow(clippy::print_stdout, reason = "printing is what an example is for")]

use llama_runtime::blocking::block_on;
use llama_runtime::{Event, Message, ModelSpec, Request, Runtime};
use std::error::Error;
use std::io::Write;

/// The demo model of this repository.
const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/llama-cli/assets/demo-q8_0.gguf");

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let path = args.next().unwrap_or_else(|| DEMO.to_owned());
    let question = args.next().unwrap_or_else(|| "What is the capital of France?".to_owned());
    block_on(ask(path, question))
}

async fn ask(path: String, question: String) -> Result<(), Box<dyn Error>> {
    let runtime = Runtime::builder().model("default", ModelSpec::path(path)).build().await?;

    let messages = [Message::system("Answer in one sentence."), Message::user(question)];
    let mut answer = runtime.submit(Request::chat(messages).max_tokens(200))?;
    while let Some(event) = answer.next().await {
        match event {
            Event::Text(text) => print!("{text}"),
            // What a model thinks before it answers; the demo model does not.
            Event::Reasoning(thought) => eprint!("{thought}"),
            Event::Finished(end) => {
                let seconds = end.timings.total.as_secs_f64();
                println!("\n[{}: {} tokens in {seconds:.2} s]", end.reason.as_str(), end.usage.generated);
            }
            _ => {}
        }
        std::io::stdout().flush()?;
    }
    Ok(())
}
