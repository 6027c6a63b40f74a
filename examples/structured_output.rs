//! Answers that a program can read: `cargo run -p llama-rs-examples --example structured_output [MODEL.gguf]`.
//!
//! A JSON schema holds for every token, so even the demo model, which knows no JSON, writes nothing that does not parse.
//! What it says in that form is another matter. A schema that cannot be enforced is refused when it is submitted.

#![allow(clippy::print_stdout, reason = "printing is what an example is for")]

use llama_runtime::{FinishReason, Message, ModelSpec, Request, Runtime, SamplingParams, Structure};
use serde::Deserialize;
use serde_json::json;

/// The demo model of this repository.
const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/llama-cli/assets/demo-q8_0.gguf");

/// What we want to know.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Animal {
    name: String,
    legs: u8,
    habitat: Habitat,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Habitat {
    Land,
    Water,
    Air,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).unwrap_or_else(|| DEMO.to_owned());
    let runtime = Runtime::builder().model("default", ModelSpec::path(path)).build_blocking()?;

    let schema = json!({
        "type": "object",
        "properties": {
            "name": { "enum": ["cat", "fox", "owl", "whale"] },
            "legs": { "type": "integer", "minimum": 0, "maximum": 8 },
            "habitat": { "enum": ["land", "water", "air"] },
        },
        "required": ["name", "legs", "habitat"],
        "additionalProperties": false,
    });
    let request = Request::chat([Message::user("Where does the owl live?")])
        .structure(Structure::json_schema(schema))
        .sampling(SamplingParams::greedy());
    let end = runtime.submit(request)?.blocking().finish();
    // A limit of tokens could cut the text; this request has none.
    if !matches!(end.reason, FinishReason::EndOfAnswer) {
        return Err(format!("the answer ended early: {:?}", end.reason).into());
    }
    let text = &end.choices[0].text;
    let animal: Animal = serde_json::from_str(text)?;
    println!("{text}\nThat is: {} ({:?}, {} legs)", animal.name, animal.habitat, animal.legs);
    Ok(())
}
