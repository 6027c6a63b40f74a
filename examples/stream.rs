//! Streams answers: `cargo run -p llama-rs-examples --example stream [MODEL.gguf]`.
//!
//! `llama-runtime`: an engine thread answers, this thread reads. Two questions wait in the queue at once; the third
//! answer is cancelled by leaving the loop. Without an argument the demo model is asked.

#![allow(clippy::print_stdout, reason = "printing is what an example is for")]

use std::io::Write;
use std::path::PathBuf;

use llama_runtime::{EngineOptions, Event, Message, ModelSpec, Request, Runtime, SamplingParams};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).map_or_else(demo_model, PathBuf::from);
    let runtime = Runtime::start(ModelSpec::path(path), EngineOptions::default())?;

    let questions = ["What is the capital of France?", "List five animals."];
    let answers = questions.map(|question| runtime.submit(ask(question)));
    for (question, answer) in questions.into_iter().zip(answers) {
        println!("> {question}");
        for event in answer? {
            match event {
                Event::Text(text) => print!("{text}"),
                Event::Finished(end) => println!("\n[{:?} after {} tokens]\n", end.reason, end.usage.generated),
                _ => {}
            }
            std::io::stdout().flush()?;
        }
    }

    println!("> Tell me a story. (only its beginning)");
    for event in runtime.submit(ask("Tell me a story."))?.take(10) {
        if let Event::Text(text) = event {
            print!("{text}");
        }
    }
    println!("\n[left early: dropping the answer cancels it]");
    Ok(())
}

fn ask(question: &str) -> Request {
    let mut request = Request::chat([Message::user(question)]);
    request.sampling = SamplingParams::greedy();
    request.max_tokens = Some(200);
    request
}

fn demo_model() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "crates", "llama-cli", "assets", "demo-q8_0.gguf"].iter().collect()
}
