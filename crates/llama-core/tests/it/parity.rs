//! Token for token what llama.cpp's own server generated from the demo model.

use crate::setup::{argmax, context, demo, feed_in_chunks};
use llama_core::{AddSpecial, ContextParams, SeqId, Specials, Token};
use llama_testkit::golden::{self, Entry};

/// Below this difference of log probabilities rounding alone may decide: the golden answers were made by a build for
/// another processor, whose kernels add in another order.
const ROUNDING: f32 = 0.05;

/// Difference between the best and the second best.
fn margin(logits: &[f32]) -> f32 {
    let best = argmax(logits).0 as usize;
    let others = logits.iter().enumerate().filter(|(i, _)| *i != best).map(|(_, x)| *x);
    logits[best] - others.fold(f32::NEG_INFINITY, f32::max)
}

/// Answers greedily; the tokens, and how clear each choice was.
fn answer(entry: &Entry, chunk: usize) -> (Vec<i32>, Vec<f32>) {
    let vocab = demo().vocab();
    let mut params = ContextParams::default();
    params.n_threads = Some(1);
    let mut ctx = context(demo(), &params);
    let prompt: Vec<Token> = entry.prompt_tokens.iter().copied().map(Token).collect();
    let mut logits = feed_in_chunks(&mut ctx, &prompt, SeqId::ZERO, chunk).unwrap();
    let (mut tokens, mut margins) = (Vec::new(), Vec::new());
    loop {
        let token = argmax(&logits);
        tokens.push(token.0);
        margins.push(margin(&logits));
        if vocab.is_eog(token) || tokens.len() == entry.n_predict as usize {
            return (tokens, margins);
        }
        logits = feed_in_chunks(&mut ctx, &[token], SeqId::ZERO, 1).unwrap();
    }
}

fn every_answer_is_the_golden_one(chunk: usize) {
    for entry in &golden::demo().entries {
        let (tokens, margins) = answer(entry, chunk);
        let Some(difference) = entry.first_difference(&tokens) else { continue };
        // Where the file does not know the margin, ours tells as well.
        let margin = difference.margin.unwrap_or_else(|| margins[difference.index.min(margins.len() - 1)]);
        assert!(margin < ROUNDING, "{}, chunks of {chunk}: {difference:?}", entry.name);
        println!("{}, chunks of {chunk}: rounding decided a margin of {margin} at {difference:?}", entry.name);
    }
}

#[test]
fn prompts_are_tokenised_as_upstream_does() {
    for entry in &golden::demo().entries {
        let tokens = demo().vocab().tokenize_with(&entry.prompt, Specials::Parse, AddSpecial::AsModelWants).unwrap();
        assert_eq!(tokens.iter().map(|t| t.0).collect::<Vec<_>>(), entry.prompt_tokens, "{}", entry.name);
    }
}

#[test]
fn answers_are_detokenised_as_upstream_does() {
    for entry in &golden::demo().entries {
        let end = entry.tokens.len() - usize::from(entry.stop == golden::Stop::Eos);
        let tokens: Vec<Token> = entry.tokens[..end].iter().copied().map(Token).collect();
        // A limit may cut a character in two; what is whole must be equal.
        let text = demo().vocab().detokenize(&tokens, Specials::AsText).unwrap();
        assert_eq!(text.trim_end_matches('\u{fffd}'), entry.text.trim_end_matches('\u{fffd}'), "{}", entry.name);
    }
}

#[test]
fn answers_are_upstreams_with_the_prompt_in_one_batch() {
    every_answer_is_the_golden_one(512);
}

#[test]
fn answers_are_upstreams_with_the_prompt_in_batches_of_7() {
    every_answer_is_the_golden_one(7);
}

#[test]
fn answers_are_upstreams_with_the_prompt_token_by_token() {
    every_answer_is_the_golden_one(1);
}
