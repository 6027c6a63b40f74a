//! Texts as vectors, through the same queue.

use crate::{answer, exact, read, runtime_of, text, tiny_with};
use llama_runtime::{EmbedRequest, Rejected};
use llama_testkit::fixtures;

const TEXTS: [&str; 5] = ["one", "another text", "one", "a third text that is longer", "x y z"];

fn embed(runtime: &llama_runtime::Runtime, texts: &[&str]) -> Vec<Vec<f32>> {
    runtime.embed(EmbedRequest::new(texts.iter().copied())).unwrap().finish_blocking().unwrap().vectors
}

fn length(vector: &[f32]) -> f32 {
    vector.iter().map(|value| value * value).sum::<f32>().sqrt()
}

fn assert_close(left: &[Vec<f32>], right: &[Vec<f32>]) {
    for (left, right) in left.iter().zip(right) {
        let largest = left.iter().zip(right).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(largest < 1e-4, "{largest}");
    }
}

#[test]
fn texts_become_vectors_in_their_order() {
    let runtime = runtime_of(fixtures::tiny_embedding(), exact());
    let result = runtime.embed(EmbedRequest::new(TEXTS)).unwrap().finish_blocking().unwrap();
    assert_eq!(result.vectors.len(), 5);
    assert!(result.vectors.iter().all(|vector| vector.len() == 32 && (length(vector) - 1.0).abs() < 1e-4));
    assert!(result.usage.prompt > 5);
    assert_close(&result.vectors[..1], &result.vectors[2..3]);
    for (place, text) in TEXTS.iter().enumerate() {
        assert_close(&embed(&runtime, &[text]), &result.vectors[place..=place]);
    }
    assert!(result.vectors[0].iter().zip(&result.vectors[1]).any(|(a, b)| (a - b).abs() > 1e-3));
}

#[test]
fn vectors_come_as_the_model_gives_them_if_that_is_wanted() {
    let runtime = runtime_of(fixtures::tiny_embedding(), exact());
    let mut request = EmbedRequest::new(["one"]);
    request.normalize = false;
    let raw = runtime.embed(request).unwrap().finish_blocking().unwrap().vectors.remove(0);
    let unit = embed(&runtime, &["one"]).remove(0);
    let scaled: Vec<f32> = raw.iter().map(|value| value / length(&raw)).collect();
    assert_close(&[scaled], &[unit]);
}

#[test]
fn many_more_inputs_than_events_that_may_wait() {
    let runtime = runtime_of(fixtures::tiny_embedding(), crate::edited(|config| config.limits.event_buffer = 2));
    let texts: Vec<String> = (0..100).map(|place| format!("text {place}")).collect();
    let result = runtime.embed(EmbedRequest::new(texts)).unwrap().finish_blocking().unwrap();
    assert!(result.vectors.iter().all(|vector| vector.len() == 32));
}

#[test]
fn a_model_that_writes_embeds_at_the_same_time() {
    let runtime = tiny_with(exact());
    let (whole, alone) = (answer(&runtime, text("Once upon a time", 30)), embed(&runtime, &TEXTS));
    let open: Vec<_> = (0..4).map(|_| runtime.submit(text("Once upon a time", 30)).unwrap()).collect();
    let pending: Vec<_> = (0..4).map(|_| runtime.embed(EmbedRequest::new(TEXTS)).unwrap()).collect();
    for generation in open {
        assert_eq!(read(generation).0, whole);
    }
    for pending in pending {
        assert_close(&pending.finish_blocking().unwrap().vectors, &alone);
    }
}

#[test]
fn what_cannot_be_done_is_refused() {
    let runtime = runtime_of(fixtures::tiny_embedding(), exact());
    assert!(matches!(runtime.submit(text("x", 1)), Err(Rejected::Unsupported { what: "write text" })));
    let none = EmbedRequest::new(Vec::<String>::new());
    assert!(matches!(runtime.embed(none), Err(Rejected::OutOfRange { field: "inputs", .. })));
    let long = EmbedRequest::new(["long ".repeat(5000)]);
    let limit = runtime.info(None).unwrap().embed_limit;
    match runtime.embed(long) {
        Err(Rejected::PromptTooLong { tokens, limit: most }) => assert!(tokens > most && most == limit),
        other => panic!("{other:?}"),
    }
}

#[test]
fn embeddings_that_nobody_waits_for_are_cancelled() {
    let runtime = runtime_of(fixtures::tiny_embedding(), exact());
    let texts: Vec<String> = (0..200).map(|place| format!("text {place}")).collect();
    let pending = runtime.embed(EmbedRequest::new(texts)).unwrap();
    let cancel = pending.cancel_handle();
    drop(pending);
    assert!(cancel.is_cancelled() || cancel.is_finished());
    assert_eq!(embed(&runtime, &["one"]).len(), 1);
}
