//! Finds the sentences that are alike: `cargo run -p llama-rs-examples --example embed [MODEL.gguf]`.
//!
//! An embedding model gives each text a vector; vectors of texts with a similar meaning point in similar directions. A
//! model that writes text, such as the demo model, can embed as well if it is told how to make one vector of the many
//! that it has, here their mean. What it finds alike is then mostly a matter of words.

#![allow(clippy::print_stdout, reason = "printing is what an example is for")]

use llama_runtime::{EmbedRequest, EngineConfig, ModelSpec, Pooling, Runtime};

/// The demo model of this repository.
const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/llama-cli/assets/demo-q8_0.gguf");

const SENTENCES: [&str; 5] = [
    "The cat sleeps on the warm sofa.",
    "A small cat is sleeping on the sofa.",
    "What is the capital of France?",
    "Tell me the capital of Italy.",
    "Two and three make five.",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1);
    let mut engine = EngineConfig::default();
    if path.is_none() {
        // Models made for embedding bring their own way, which is the default.
        engine.context.pooling = Pooling::Mean;
    }
    let spec = ModelSpec::path(path.unwrap_or_else(|| DEMO.to_owned())).config(engine);
    let runtime = Runtime::builder().model("default", spec).build_blocking()?;

    // All texts in one request: they are computed together.
    let embeddings = runtime.embed(EmbedRequest::new(SENTENCES))?.finish_blocking()?;
    let vectors = &embeddings.vectors;
    println!("{} tokens became {} vectors of {}", embeddings.usage.prompt, vectors.len(), vectors[0].len());

    for (sentence, vector) in SENTENCES.iter().zip(vectors) {
        let others = SENTENCES.iter().zip(vectors).filter(|(other, _)| *other != sentence);
        let closest = others.map(|(other, theirs)| (cosine(vector, theirs), other)).max_by(|a, b| a.0.total_cmp(&b.0));
        if let Some((likeness, other)) = closest {
            println!("{sentence:38} {likeness:.3}  {other}");
        }
    }
    Ok(())
}

/// From -1 to 1. The vectors have a length of 1, unless a request says otherwise.
fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
