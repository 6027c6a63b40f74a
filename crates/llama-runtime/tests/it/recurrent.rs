//! Models whose state cannot be cut: recurrent and hybrid ones.

use std::path::Path;

use crate::{answer, ask, edited, exact, greedy, hold, next, read, runtime_of, text};
use llama_runtime::{Event, FinishReason, Request, Token};
use llama_testkit::fixtures;

fn models() -> [&'static Path; 2] {
    [fixtures::tiny_mamba(), fixtures::tiny_hybrid()]
}

#[test]
fn the_next_turn_continues_the_state() {
    for model in models() {
        let runtime = runtime_of(model, exact());
        let prompt: Vec<Token> = (0..40).map(|place| Token(30 + place * 5 % 200)).collect();
        let first = || greedy(Request::tokens(prompt.clone()), 10).logprobs(0);
        let (_, finished) = ask(&runtime, first());
        let written: Vec<Token> = finished.choices[0].logprobs.iter().map(|one| one.token).collect();
        let more = (0..20).map(|place| Token(50 + place * 3));
        let turn: Vec<Token> = prompt.iter().copied().chain(written).chain(more).collect();
        let (second, finished) = ask(&runtime, greedy(Request::tokens(turn.clone()), 10));
        assert!(finished.usage.reused >= 40, "{:?}", finished.usage);
        let fresh = runtime_of(model, exact());
        let (alone, finished) = ask(&fresh, greedy(Request::tokens(turn), 10));
        assert_eq!(finished.usage.reused, 0);
        assert_eq!(second, alone, "the same as computed from the start");
    }
}

#[test]
fn a_cancel_in_the_middle_leaves_the_others_right() {
    for model in models() {
        let runtime = runtime_of(model, edited(|config| config.limits.event_buffer = 16));
        let whole = answer(&runtime, text("Once upon a time", 40));
        let mut doomed: Vec<_> = (0..3).map(|_| hold(&runtime)).collect();
        let mut spared = runtime.submit(text("Once upon a time", 40)).unwrap();
        let Some(Event::Text(mut read_so_far)) = next(&mut spared) else { panic!("no text") };
        for generation in doomed.drain(..) {
            generation.cancel_handle().cancel();
            let Some(Event::Text(more)) = next(&mut spared) else { panic!("no text") };
            read_so_far.text.push_str(&more);
            assert!(matches!(read(generation).1.reason, FinishReason::Cancelled));
        }
        assert_eq!(read_so_far.text + &read(spared).0, whole);
        assert_eq!(answer(&runtime, text("Once upon a time", 40)), whole);
    }
}

#[test]
fn several_answers_share_one_prompt() {
    for model in models() {
        let runtime = runtime_of(model, exact());
        let whole = answer(&runtime, text("Once upon a time there was a model that knew a story", 10));
        let request = text("Once upon a time there was a model that knew a story", 10).choices(3);
        let (_, finished) = ask(&runtime, request);
        assert!(finished.choices.iter().all(|choice| choice.text == whole), "{finished:?}");
    }
}
