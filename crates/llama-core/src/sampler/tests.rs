//! The sampler against upstream's own code, against hostile input, and against its documentation.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod grammar;
mod hostile;
mod lazy;
mod masked;
mod parity;
mod stages;

use std::path::Path;
use std::sync::OnceLock;

use llama_testkit::{fixtures, golden};

use super::SamplingParams;
use crate::model::{Model, ModelParams};

/// 320 tokens, one per byte among them; FIM tokens; two that end the generation.
fn tiny() -> &'static Model {
    static MODEL: OnceLock<Model> = OnceLock::new();
    MODEL.get_or_init(|| load(fixtures::tiny_llama()))
}

/// The demo model: a vocabulary of thousands of words.
fn demo() -> &'static Model {
    static MODEL: OnceLock<Model> = OnceLock::new();
    MODEL.get_or_init(|| load(&golden::demo_model_path()))
}

fn load(path: &Path) -> Model {
    Model::load(path, ModelParams::default()).unwrap()
}

/// Numbers like logits, the same for the same seed (xorshift).
fn logits(n: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 20) as f32 - 8.0
    })
    .take(n)
    .collect()
}

fn fixed(seed: u32) -> SamplingParams {
    SamplingParams::default().seed(seed)
}
