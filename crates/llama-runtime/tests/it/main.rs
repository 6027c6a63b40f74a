//! Behaviour of the runtime on real models, one module per subject.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod adapters;
mod answers;
mod asynchronous;
mod chats;
mod embeddings;
mod invariants;
mod models;
mod parity;
mod prefixes;
mod recurrent;
mod saved;
mod shutdown;
mod structures;
mod templates;
mod thinking;
mod threads;

use std::path::Path;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use llama_runtime::{
    EngineConfig, Event, Finished, Generation, ModelSpec, ModelStats, Request, Runtime, SamplingParams,
};
use llama_testkit::{fixtures, golden};

/// One thread: several tests run at once, and threads of llama.cpp that share a core spend their time waiting for each
/// other.
fn config() -> EngineConfig {
    let mut config = EngineConfig::default();
    config.context.threads = Some(1);
    config
}

/// Kernels that round the same way however many sequences are computed together.
fn exact() -> EngineConfig {
    let mut config = config();
    config.context.cache_k = llama_runtime::CacheType::F32;
    config.context.cache_v = llama_runtime::CacheType::F32;
    config.context.flash_attention = llama_runtime::FlashAttention::Off;
    // More than the models learned, so that several of their longest sequences fit.
    config.context.n_ctx = Some(2048);
    config
}

fn edited(edit: impl FnOnce(&mut EngineConfig)) -> EngineConfig {
    let mut config = exact();
    edit(&mut config);
    config
}

fn runtime_of(path: impl AsRef<Path>, config: EngineConfig) -> Runtime {
    let spec = ModelSpec::path(path.as_ref()).config(config);
    Runtime::builder().model("model", spec).build_blocking().unwrap()
}

fn tiny_with(config: EngineConfig) -> Runtime {
    runtime_of(fixtures::tiny_llama(), config)
}

fn tiny() -> Runtime {
    tiny_with(config())
}

fn demo_with(config: EngineConfig) -> Runtime {
    runtime_of(golden::demo_model_path(), config)
}

fn greedy(request: Request, max_tokens: usize) -> Request {
    request.sampling(SamplingParams::greedy()).max_tokens(max_tokens)
}

fn text(prompt: &str, max_tokens: usize) -> Request {
    greedy(Request::text(prompt), max_tokens)
}

/// All text, and the one end.
fn read(generation: Generation) -> (String, Finished) {
    let mut text = String::new();
    let mut ends = Vec::new();
    for event in generation.blocking() {
        match event {
            Event::Text(more) => text.push_str(&more),
            Event::Finished(finished) => ends.push(*finished),
            _ => {}
        }
    }
    assert_eq!(ends.len(), 1, "exactly one Finished");
    (text, ends.remove(0))
}

fn ask(runtime: &Runtime, request: Request) -> (String, Finished) {
    read(runtime.submit(request).unwrap())
}

fn answer(runtime: &Runtime, request: Request) -> String {
    ask(runtime, request).0
}

fn next(generation: &mut Generation) -> Option<Event> {
    llama_runtime::blocking::block_on(generation.next())
}

/// What is there now, without waiting.
fn poll_now<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

fn stats(runtime: &Runtime) -> ModelStats {
    runtime.stats().models.remove(0)
}

/// An engine for one sequence at a time, and a request that keeps it: nobody reads on, so it pauses.
fn held_up(edit: impl FnOnce(&mut EngineConfig)) -> (Runtime, Generation) {
    let runtime = tiny_with(edited(|config| {
        config.batch.max_sequences = 1;
        config.limits.event_buffer = 4;
        config.limits.park_after = config.limits.slow_consumer_timeout;
        edit(config);
    }));
    let holder = hold(&runtime);
    (runtime, holder)
}

/// A long request that was begun.
fn hold(runtime: &Runtime) -> Generation {
    let mut holder = runtime.submit(text("Once upon a time", 200)).unwrap();
    assert!(matches!(next(&mut holder), Some(Event::Text(_))));
    holder
}
