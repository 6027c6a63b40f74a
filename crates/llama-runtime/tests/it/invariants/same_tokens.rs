//! 8. The same request gets the same tokens whatever else runs, as far as the kernels allow.
//!
//! With an F32 cache and without flash attention that is exact for small models; the last test shows the size of the effect
//! with the defaults.

use crate::{answer, demo_with, exact, greedy, read, runtime_of, text};
use llama_runtime::{Message, Request, Runtime, SamplingParams};
use llama_testkit::fixtures;

const PROMPTS: [&str; 8] = [
    "Once upon a time",
    "The weather is",
    "A model is a file that",
    "x",
    "Once upon a midnight dreary, while I pondered, weak and weary",
    "1 2 3 4 5 6 7 8",
    "fn main() {",
    "To be or not to be",
];

/// Each alone, and then all at once, several times over.
fn assert_same(runtime: &Runtime, request: impl Fn(usize) -> Request) {
    let alone: Vec<String> = (0..PROMPTS.len()).map(|i| answer(runtime, request(i))).collect();
    for _ in 0..2 {
        let open: Vec<_> = (0..PROMPTS.len()).rev().map(|i| (i, runtime.submit(request(i)).unwrap())).collect();
        for (i, generation) in open {
            assert_eq!(read(generation).0, alone[i], "{}", PROMPTS[i]);
        }
    }
    assert!(alone.iter().any(|text| *text != alone[0]));
}

#[test]
fn invariant_8_the_same_request_gets_the_same_tokens_whatever_else_runs() {
    let runtime = runtime_of(fixtures::tiny_llama(), exact());
    assert_same(&runtime, |i| text(PROMPTS[i], 20));
}

#[test]
fn invariant_8_the_same_seed_gets_the_same_tokens_whatever_else_runs() {
    let runtime = runtime_of(fixtures::tiny_llama(), exact());
    let mut sampling = SamplingParams::default();
    sampling.temperature = 1.0;
    let request = |i: usize| Request::text(PROMPTS[i]).sampling(sampling.clone()).seed(i as u32).max_tokens(20);
    assert_same(&runtime, request);
    let other = Request::text(PROMPTS[0]).sampling(sampling.clone()).seed(99).max_tokens(20);
    assert_ne!(answer(&runtime, request(0)), answer(&runtime, other), "and another seed others");
}

#[test]
fn invariant_8_recurrent_and_hybrid_models_keep_it_too() {
    for path in [fixtures::tiny_mamba(), fixtures::tiny_hybrid()] {
        let runtime = runtime_of(path, exact());
        assert_same(&runtime, |i| text(PROMPTS[i], 12));
    }
}

#[test]
fn invariant_8_the_effect_of_the_default_kernels_is_small() {
    const QUESTIONS: [&str; 8] = [
        "What is a model?",
        "How do I run a prompt?",
        "Hi",
        "Tell me about llama-rs.",
        "What is a token?",
        "Who are you?",
        "How do I load a model?",
        "What is a context?",
    ];
    let runtime = demo_with(crate::config());
    let ask = |question: &str| greedy(Request::chat([Message::user(question)]), 24);
    let alone = QUESTIONS.map(|question| answer(&runtime, ask(question)));
    let open = QUESTIONS.map(|question| runtime.submit(ask(question)).unwrap());
    let together = open.map(|generation| read(generation).0);
    let same = alone.iter().zip(&together).filter(|(alone, together)| alone == together).count();
    println!("{same} of {} answers are the same alone and together, with the default kernels", QUESTIONS.len());
    // A token changes only where two are about equally likely.
    assert!(same * 2 >= QUESTIONS.len(), "{alone:#?} {together:#?}");
}
