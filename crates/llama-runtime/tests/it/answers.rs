//! What is answered.

use std::time::Duration;

use crate::{answer, config, demo_with, edited, exact, greedy, read, runtime_of, text, tiny, tiny_with};
use llama_runtime::{Bytes, EmbedRequest, FinishReason, Message, Rejected, Request};
use llama_testkit::fixtures;

#[test]
fn a_text_is_continued_up_to_its_limit() {
    let runtime = tiny();
    let (text, finished) = read(runtime.submit(greedy(Request::text("Once upon a time"), 8)).unwrap());
    assert!(!text.is_empty());
    assert!(matches!(finished.reason, FinishReason::Length), "{finished:?}");
    assert_eq!(finished.usage.generated, 8);
    assert_eq!(finished.choices[0].text, text);
}

#[test]
fn requests_that_are_answered_together_get_what_they_get_alone() {
    let runtime = demo_with(config());
    let prompts = ["What is a model?", "How do I run a prompt?", "Hi", "Tell me about llama-rs."];
    let ask = |prompt: &str| greedy(Request::chat([Message::user(prompt)]), 24);
    let alone: Vec<String> = prompts.iter().map(|prompt| read(runtime.submit(ask(prompt)).unwrap()).0).collect();
    let open: Vec<_> = prompts.iter().map(|prompt| runtime.submit(ask(prompt)).unwrap()).collect();
    let together: Vec<String> = open.into_iter().map(|generation| read(generation).0).collect();
    println!("{alone:#?} {:#?}", runtime.stats());
    assert_eq!(alone, together);
}

#[test]
fn the_smallest_configuration_answers_like_the_usual_one() {
    let smallest = || {
        edited(|config| {
            config.context.n_ctx = Some(256);
            config.batch.step_tokens = 1;
            config.batch.max_sequences = 1;
            config.batch.min_chunk = 1;
            config.limits.event_buffer = 1;
            config.limits.queue = 1;
            config.limits.aging = Duration::from_millis(1);
            config.cache.host_memory = Bytes(0);
            config.cache.min_prefix = 1;
        })
    };
    for model in [fixtures::tiny_llama(), fixtures::tiny_mamba(), fixtures::tiny_hybrid()] {
        let usual = answer(&runtime_of(model, exact()), text("Once upon a time", 12));
        let runtime = runtime_of(model, smallest());
        for _ in 0..3 {
            assert_eq!(answer(&runtime, text("Once upon a time", 12)), usual);
        }
        assert!(matches!(runtime.submit(text("x", 1).choices(2)), Err(Rejected::OutOfRange { field: "choices", .. })));
    }
    let runtime = runtime_of(fixtures::tiny_embedding(), smallest());
    let vectors = runtime.embed(EmbedRequest::new(["one", "two"])).unwrap().finish_blocking();
    assert_eq!(vectors.unwrap().vectors.len(), 2);
}

#[test]
fn many_sequences_run_together_and_stay_apart() {
    let runtime = tiny_with(edited(|config| {
        config.context.n_ctx = Some(8192);
        config.batch.max_sequences = 64;
    }));
    let prompt = |place: usize| format!("Story number {place}: once upon");
    let alone: Vec<String> = (0..8).map(|place| answer(&runtime, text(&prompt(place), 20))).collect();
    let open: Vec<_> = (0..64).map(|place| runtime.submit(text(&prompt(place % 8), 20)).unwrap()).collect();
    for (place, generation) in open.into_iter().enumerate() {
        assert_eq!(read(generation).0, alone[place % 8]);
    }
}
