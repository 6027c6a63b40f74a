//! Loading, and what happens when it fails.

use std::sync::mpsc::sync_channel;

use llama_runtime::{ModelSpec, Progress, Request, Runtime, StartError};
use llama_testkit::{fixtures, golden};

use crate::{greedy, options, read};

#[test]
fn a_model_that_cannot_be_loaded_is_a_typed_error_with_its_path() {
    let error = Runtime::start(ModelSpec::path("no/such.gguf"), options()).unwrap_err();
    assert!(matches!(error, StartError::Load(_)), "{error:?}");
    assert!(error.to_string().contains("no/such.gguf"), "{error}");
    let error = Runtime::start(ModelSpec::bytes(b"GGUF"), options()).unwrap_err();
    assert!(matches!(error, StartError::Load(_)), "{error:?}");
}

#[test]
fn a_context_that_makes_no_sense_is_a_typed_error() {
    let mut options = options();
    options.context.n_threads = Some(0);
    let error = Runtime::start(ModelSpec::path(fixtures::tiny_llama()), options).unwrap_err();
    assert!(matches!(error, StartError::Context(_)), "{error:?}");
}

#[test]
fn a_model_that_writes_no_text_is_a_typed_error() {
    let error = Runtime::start(ModelSpec::path(fixtures::tiny_embedding()), options()).unwrap_err();
    assert!(matches!(error, StartError::Session(_)), "{error:?}");
}

#[test]
fn progress_is_told_up_to_the_end() {
    let (tell, told) = sync_channel(1024);
    let runtime = Runtime::start_with(ModelSpec::path(fixtures::tiny_llama()), options(), move |share| {
        tell.send(share).unwrap();
        Progress::Continue
    });
    drop(runtime.unwrap());
    let shares: Vec<f32> = told.iter().collect();
    assert!(shares.is_sorted());
    assert_eq!(shares.last(), Some(&1.0));
}

#[test]
fn a_load_can_be_given_up() {
    let spec = ModelSpec::path(fixtures::tiny_llama());
    let error = Runtime::start_with(spec, options(), |_| Progress::Cancel).unwrap_err();
    assert!(matches!(error, StartError::Load(_)), "{error:?}");
    assert!(error.to_string().contains("cancelled"), "{error}");
}

#[test]
fn a_model_in_the_program_works_like_one_in_a_file() {
    let image: &'static [u8] = std::fs::read(golden::demo_model_path()).unwrap().leak();
    let runtime = Runtime::start(ModelSpec::bytes(image), options()).unwrap();
    assert!(runtime.has_chat_template());
    assert_eq!(runtime.capacity(), runtime.facts().n_ctx_train as usize);
    let golden = golden::demo();
    let entry = golden.entry("capital").unwrap();
    let request = greedy(Request::chat([llama_runtime::Message::user("What is the capital of France?")]), 32);
    assert_eq!(read(runtime.submit(request).unwrap()).0, entry.text);
}

#[test]
fn without_a_size_the_context_is_the_models_but_not_too_large() {
    let mut options = options();
    options.auto_ctx_limit = 64;
    let runtime = Runtime::start(ModelSpec::path(golden::demo_model_path()), options).unwrap();
    assert!(runtime.capacity() < runtime.facts().n_ctx_train as usize, "{}", runtime.capacity());
}

#[test]
fn a_model_without_a_template_says_so_and_is_talked_to_in_chatml() {
    let runtime = Runtime::start(ModelSpec::path(fixtures::tiny_llama()), options()).unwrap();
    assert!(!runtime.has_chat_template());
    let request = greedy(Request::chat([llama_runtime::Message::user("Hi")]), 4);
    assert!(!read(runtime.submit(request).unwrap()).0.is_empty());
}

#[test]
fn a_queue_of_any_size_can_be_asked_for() {
    for queue in [0, usize::MAX] {
        let mut options = options();
        options.queue = queue;
        options.event_buffer = usize::MAX;
        let runtime = Runtime::start(ModelSpec::path(fixtures::tiny_llama()), options).unwrap();
        let mut request = Request::text("Once");
        request.max_tokens = Some(1);
        runtime.submit(request).unwrap().collect_text();
    }
}
