//! Masks from elsewhere.

use super::{fixed, logits, tiny};
use crate::Token;
use crate::sampler::{Grammar, LogitBias, SampleError, Sampler, SamplingParams};

const N_VOCAB: usize = 320;

fn mask_of(tokens: &[usize]) -> Vec<u32> {
    let mut mask = vec![0_u32; N_VOCAB.div_ceil(32)];
    for id in tokens {
        mask[id / 32] |= 1 << (id % 32);
    }
    mask
}

#[test]
fn only_allowed_tokens_are_chosen() {
    for params in [fixed(7), SamplingParams::greedy()] {
        let mut sampler = Sampler::new(tiny(), &params).unwrap();
        for seed in 0..200_u64 {
            let allowed = [(seed * 31 % 320) as usize, (seed * 77 % 320) as usize, 319];
            let token = sampler.sample_logits_masked(&logits(N_VOCAB, seed), &mask_of(&allowed)).unwrap();
            assert!(allowed.contains(&usize::try_from(token.0).unwrap()), "{token} of {allowed:?}");
            sampler.accept(token).unwrap();
        }
    }
}

#[test]
fn a_full_mask_changes_nothing() {
    let mut free = Sampler::new(tiny(), &fixed(11)).unwrap();
    let mut masked = Sampler::new(tiny(), &fixed(11)).unwrap();
    for seed in 0..50 {
        let row = logits(N_VOCAB, seed);
        let token = free.sample_logits(&row).unwrap();
        assert_eq!(masked.sample_logits_masked(&row, &[u32::MAX; 10]).unwrap(), token);
        free.accept(token).unwrap();
        masked.accept(token).unwrap();
    }
}

#[test]
fn a_mask_gives_the_tokens_that_a_grammar_gives() {
    // Token 12 + b is byte b.
    let digits: Vec<usize> = (b'0'..=b'9').map(|byte| 12 + usize::from(byte)).collect();
    let grammar = Grammar::gbnf("root ::= [0-9] root");
    let mut by_grammar = Sampler::new(tiny(), &fixed(3).grammar(grammar)).unwrap();
    let mut by_mask = Sampler::new(tiny(), &fixed(3)).unwrap();
    for seed in 0..50 {
        let row = logits(N_VOCAB, seed);
        let token = by_grammar.sample_logits(&row).unwrap();
        assert_eq!(by_mask.sample_logits_masked(&row, &mask_of(&digits)).unwrap(), token);
        by_grammar.accept(token).unwrap();
        by_mask.accept(token).unwrap();
    }
}

#[test]
fn grammar_and_mask_both_hold() {
    let params = fixed(3).grammar(Grammar::gbnf("root ::= [ab] root"));
    let mut sampler = Sampler::new(tiny(), &params).unwrap();
    let (a, b, c) = (12 + usize::from(b'a'), 12 + usize::from(b'b'), 12 + usize::from(b'c'));
    for seed in 0..20 {
        let token = sampler.sample_logits_masked(&logits(N_VOCAB, seed), &mask_of(&[b, c])).unwrap();
        assert_eq!(usize::try_from(token.0).unwrap(), b);
        sampler.accept(token).unwrap();
    }
    let none = sampler.sample_logits_masked(&logits(N_VOCAB, 1), &mask_of(&[c]));
    assert_eq!(none, Err(SampleError::GrammarDeadEnd));
    assert!(sampler.sample_logits_masked(&logits(N_VOCAB, 1), &mask_of(&[a])).is_ok());
}

#[test]
fn masks_that_cannot_be_used_are_typed_errors() {
    let row = logits(N_VOCAB, 1);
    for params in [fixed(1), SamplingParams::greedy()] {
        let mut sampler = Sampler::new(tiny(), &params).unwrap();
        assert_eq!(sampler.sample_logits_masked(&row, &[0; 10]), Err(SampleError::GrammarDeadEnd));
        let short = SampleError::MaskTooShort { bits: 288, vocabulary: 320 };
        assert_eq!(sampler.sample_logits_masked(&row, &[u32::MAX; 9]), Err(short));
        assert!(matches!(sampler.sample_logits_masked(&row[..9], &[0; 10]), Err(SampleError::WrongModel { .. })));
    }
    let mut params = fixed(1);
    params.logit_bias = vec![LogitBias { token: Token(20), bias: f32::NEG_INFINITY }];
    let mut banned = Sampler::new(tiny(), &params).unwrap();
    assert_eq!(banned.sample_logits_masked(&row, &mask_of(&[20])), Err(SampleError::GrammarDeadEnd));
}
