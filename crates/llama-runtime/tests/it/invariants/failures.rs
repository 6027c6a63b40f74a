//! 7. A failure fails the requests on it with a typed error, never hangs them, and never takes the process.
//!
//! Panics, stalls and failures of the backend are in the unit tests of the engine and its thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::{config, read, text};
use llama_runtime::{FinishReason, GenerateError, ModelSpec, ModelState, Progress, Runtime, StartError};
use llama_testkit::fixtures;

fn panics_once() -> llama_runtime::RuntimeBuilder {
    let calls = Arc::new(AtomicUsize::new(0));
    Runtime::builder().on_load(move |_, _| {
        assert!(calls.fetch_add(1, Ordering::SeqCst) > 0, "the first call of the caller's code panics");
        Progress::Continue
    })
}

#[test]
fn invariant_7_a_panic_while_a_model_is_loaded_is_a_typed_error() {
    let spec = ModelSpec::path(fixtures::tiny_llama()).config(config());
    match panics_once().model("tiny", spec).build_blocking() {
        Err(StartError::Crashed { model }) => assert_eq!(model, "tiny"),
        Err(StartError::NotStarted { .. }) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn invariant_7_requests_of_a_crashed_engine_are_told_and_the_next_one_starts_it_again() {
    let spec = ModelSpec::path(fixtures::tiny_llama()).config(config()).on_demand();
    let runtime = panics_once().model("tiny", spec).build_blocking().unwrap();
    let (_, finished) = read(runtime.submit(text("Once upon a time", 4)).unwrap());
    let FinishReason::Error(error) = finished.reason else { panic!("{finished:?}") };
    assert!(matches!(error, GenerateError::Crashed | GenerateError::NotStarted { .. }), "{error:?}");
    let (_, finished) = read(runtime.submit(text("Once upon a time", 4)).unwrap());
    assert!(matches!(finished.reason, FinishReason::Length), "{finished:?}");
    assert_eq!(runtime.stats().models[0].state, ModelState::Ready);
}

#[test]
fn invariant_7_a_model_that_cannot_be_loaded_fails_its_requests_and_no_other() {
    let folder = llama_testkit::fixtures::TempModels::new().unwrap();
    let bad = folder.write_bytes("bad.gguf", b"GGUF but not a model").unwrap();
    let runtime = Runtime::builder()
        .model("good", ModelSpec::path(fixtures::tiny_llama()).config(config()))
        .model("bad", ModelSpec::path(bad).config(config()).on_demand())
        .build_blocking()
        .unwrap();
    let good = runtime.submit(text("Once upon a time", 20)).unwrap();
    for _ in 0..2 {
        let (_, finished) = read(runtime.submit(text("Once upon a time", 4).model("bad")).unwrap());
        match finished.reason {
            FinishReason::Error(GenerateError::NotStarted { model, .. }) => assert_eq!(model, "bad"),
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(read(good).1.reason, FinishReason::Length));
    assert!(matches!(runtime.stats().models[1].state, ModelState::Failed(_)));
}

#[test]
fn invariant_7_a_panic_of_a_reader_hurts_nobody_else() {
    let runtime = crate::tiny();
    let other = runtime.submit(text("Once upon a time", 20)).unwrap();
    let result = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut generation = runtime.submit(text("Once upon a time", 200)).unwrap();
            let _ = crate::next(&mut generation);
            panic!("the reader's own mistake");
        });
        reader.join()
    });
    assert!(result.is_err());
    assert!(matches!(read(other).1.reason, FinishReason::Length));
    assert!(matches!(read(runtime.submit(text("Hi", 3)).unwrap()).1.reason, FinishReason::Length));
}
