//! Behaviour of the runtime on real models, one module per subject.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod answers;
mod bounds;
mod endings;
mod starting;

use llama_runtime::{EngineOptions, Event, FinishReason, Generation, ModelSpec, Request, Runtime, SamplingParams};
use llama_testkit::fixtures;

/// The tiny model never ends an answer by itself. With a context of this many tokens and `blocking` options its answers
/// only end when somebody reads them.
const LONG: u32 = 4096;

/// One thread: several tests run at once, and threads of llama.cpp that share a core spend their time waiting for each
/// other.
fn options() -> EngineOptions {
    let mut options = EngineOptions::default();
    options.context.n_threads = Some(1);
    options
}

fn tiny() -> Runtime {
    Runtime::start(ModelSpec::path(fixtures::tiny_llama()), options()).unwrap()
}

/// One unread text stops the engine, and nothing but a reader or a cancel lets it go on.
fn blocking(queue: usize) -> Runtime {
    let mut options = options();
    options.context.n_ctx = Some(LONG);
    options.event_buffer = 1;
    options.queue = queue;
    options.slow_consumer_timeout = std::time::Duration::from_secs(3600);
    Runtime::start(ModelSpec::path(fixtures::tiny_llama()), options).unwrap()
}

fn greedy(mut request: Request, max_tokens: usize) -> Request {
    request.sampling = SamplingParams::greedy();
    request.max_tokens = Some(max_tokens);
    request
}

/// Submits, and waits until the engine is at work on it.
fn running(runtime: &Runtime) -> Generation {
    let mut generation = runtime.submit(Request::text("Once upon a time")).unwrap();
    assert!(matches!(generation.next(), Some(Event::Text(_))));
    generation
}

/// All events: the text, and the one reason.
fn read(generation: Generation) -> (String, FinishReason) {
    let mut text = String::new();
    let mut reasons = Vec::new();
    for event in generation {
        match event {
            Event::Text(more) => text.push_str(&more),
            Event::Finished(finished) => reasons.push(finished.reason),
            _ => {}
        }
    }
    assert_eq!(reasons.len(), 1, "exactly one Finished");
    (text, reasons.remove(0))
}
