//! With how many threads a model is computed, and who says so.

use crate::{config, read, text};
use llama_runtime::{EngineConfig, ModelSpec, Runtime, ThreadChoice, ThreadCounts, ThreadsFrom};
use llama_testkit::fixtures;

const KNOWN: ThreadCounts = ThreadCounts { decode: 1, prefill: 1 };

fn spec(config: EngineConfig) -> ModelSpec {
    ModelSpec::path(fixtures::tiny_llama()).config(config)
}

fn runtime(spec: ModelSpec) -> (Runtime, ThreadChoice) {
    let runtime = Runtime::builder().model("model", spec).build_blocking().unwrap();
    let choice = runtime.info(None).unwrap().threads;
    (runtime, choice)
}

#[test]
fn a_number_that_is_set_is_kept_to_whatever_was_measured() {
    let mut fixed = config();
    fixed.context.threads_batch = Some(2);
    let (runtime, choice) = runtime(spec(fixed).known_threads(ThreadCounts { decode: 7, prefill: 7 }));
    assert_eq!((choice.counts, choice.from), (ThreadCounts { decode: 1, prefill: 2 }, ThreadsFrom::Fixed));
    read(runtime.submit(text("Once upon a time", 40)).unwrap());
    assert_eq!(runtime.stats().models[0].engine.threads, choice.counts);
}

#[test]
fn one_number_is_for_prompts_too() {
    let (_, choice) = runtime(spec(config()));
    assert_eq!((choice.counts, choice.from), (KNOWN, ThreadsFrom::Fixed));
}

#[test]
fn what_is_known_is_not_measured_again() {
    let (runtime, choice) = runtime(spec(EngineConfig::default()).known_threads(KNOWN));
    assert_eq!((choice.counts, choice.from), (KNOWN, ThreadsFrom::Known));
    read(runtime.submit(text("Once upon a time", 5)).unwrap());
}

#[test]
fn more_than_the_process_may_use_counts_as_that() {
    let (_, choice) = runtime(spec(EngineConfig::default()).known_threads(ThreadCounts { decode: 500, prefill: 500 }));
    let cores = std::thread::available_parallelism().unwrap().get();
    assert_eq!(usize::try_from(choice.counts.decode).unwrap(), cores);
}

#[test]
fn a_tiny_model_is_not_measured_and_gets_one_thread() {
    let (runtime, choice) = runtime(spec(EngineConfig::default()));
    assert_eq!((choice.counts, choice.from), (KNOWN, ThreadsFrom::Assumed));
    let (answer, _) = read(runtime.submit(text("Once upon a time", 5)).unwrap());
    assert!(!answer.is_empty());
}
