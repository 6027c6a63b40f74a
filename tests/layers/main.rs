//! One answer through two layers: what `llama-runtime` streams is what a `Session` of `llama-core` writes.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod observed;

use std::path::Path;

use llama_core::{Context, ContextParams, Model, ModelParams, SamplingParams, Session};
use llama_runtime::{EngineConfig, ModelSpec, Request, Runtime};
use llama_testkit::{fixtures, golden};

const TOKENS: usize = 48;
const PROMPTS: [&str; 3] = ["Once upon a time", "Once upon a time there was a fox", "In a quiet forest"];

fn context_params() -> ContextParams {
    let mut params = ContextParams::default();
    params.n_ctx = Some(256);
    params.n_threads = Some(1);
    params
}

fn by_session(path: &Path, sampling: &SamplingParams, prompt: &str) -> String {
    let model = Model::load(path, ModelParams::default()).unwrap();
    let context = Context::new(&model, context_params()).unwrap();
    let mut session = Session::new(context, sampling.clone()).unwrap();
    let mut options = llama_core::GenerateOptions::default();
    options.max_tokens = Some(TOKENS);
    session.stream(prompt, options).unwrap().into_text().collect::<Result<String, _>>().unwrap()
}

/// All prompts through one engine, so that later ones reuse what earlier ones left in the cache.
fn by_runtime(path: &Path, sampling: &SamplingParams) -> Vec<String> {
    let mut config = EngineConfig::default();
    config.context.n_ctx = Some(256);
    config.context.threads = Some(1);
    let runtime = Runtime::builder().model("model", ModelSpec::path(path).config(config)).build_blocking().unwrap();
    let ask = |prompt: &str| {
        let request = Request::text(prompt).sampling(sampling.clone()).max_tokens(TOKENS);
        runtime.submit(request).unwrap().blocking().finish().text().to_owned()
    };
    PROMPTS.map(ask).to_vec()
}

fn agree(path: &Path, sampling: &SamplingParams) {
    let alone: Vec<String> = PROMPTS.iter().map(|prompt| by_session(path, sampling, prompt)).collect();
    assert_eq!(by_runtime(path, sampling), alone);
}

#[test]
fn greedy_answers_are_the_same() {
    agree(&golden::demo_model_path(), &SamplingParams::greedy());
    agree(fixtures::tiny_llama(), &SamplingParams::greedy());
}

#[test]
fn sampled_answers_of_one_seed_are_the_same() {
    agree(fixtures::tiny_llama(), &SamplingParams::default().seed(42));
}

#[test]
fn a_recurrent_model_answers_the_same_though_nothing_can_be_reused_in_part() {
    agree(fixtures::tiny_mamba(), &SamplingParams::greedy());
}
