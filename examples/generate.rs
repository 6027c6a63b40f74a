//! Continues a text: `cargo run -p llama-rs-examples --example generate [MODEL.gguf [TEXT]]`.
//!
//! `llama-core` alone, on this thread: a model, a context, a session. Without arguments the demo model tells a story.

#![allow(clippy::print_stdout, reason = "printing is what an example is for")]

use std::io::Write;
use std::path::PathBuf;

use llama_core::{Context, ContextParams, Model, ModelParams, SamplingParams, Session};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let path = args.next().map_or_else(demo_model, PathBuf::from);
    let text = args.next().unwrap_or_else(|| "Once upon a time".to_owned());

    let model = Model::load(path, ModelParams::default())?;
    eprintln!("{}, {} tokens of context", model.facts().description, model.facts().n_ctx_train);

    let mut params = ContextParams::default();
    params.n_ctx = Some(512);
    let context = Context::new(&model, params)?;
    let mut session = Session::new(context, SamplingParams::default().seed(1))?;

    print!("{text}");
    for piece in session.generate(&text)?.take(200) {
        print!("{}", piece?);
        std::io::stdout().flush()?;
    }
    println!();
    Ok(())
}

fn demo_model() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "crates", "llama-cli", "assets", "demo-q8_0.gguf"].iter().collect()
}
