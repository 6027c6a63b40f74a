//! What a grammar lets through, end, dead end, ambiguity, state.

use std::sync::Arc;

use super::{demo, fixed, logits, tiny};
use crate::Token;
use crate::sampler::matcher::{Matcher, Refusal};
use crate::sampler::pieces::Pieces;
use crate::sampler::{Candidate, Grammar, LogitBias, SampleError, Sampler, SamplerError, SamplingParams, gbnf, rules};
use crate::vocab::{AddSpecial, Specials};

/// Tokens are the pieces in turn; the last one ends the text.
fn matcher(text: &str, pieces: &[&[u8]]) -> Matcher {
    let parsed = gbnf::parse(text, &|_| None).unwrap();
    let rules = Arc::new(rules::Rules::new(&parsed, "root").unwrap());
    let last = pieces.len();
    let tokens = pieces.iter().map(|piece| (piece.to_vec(), false)).chain([(b"</s>".to_vec(), true)]);
    let pieces = Arc::new(Pieces::new(tokens));
    assert_eq!(pieces.len(), last + 1);
    Matcher::new(rules, pieces, None).unwrap()
}

fn allowed(matcher: &mut Matcher) -> Vec<usize> {
    let mask = matcher.mask().unwrap().unwrap_or_default();
    (0..mask.len() * 32).filter(|id| mask[id / 32] >> (id % 32) & 1 == 1).collect()
}

fn sampler(grammar: &str) -> Sampler {
    Sampler::new(demo(), &SamplingParams::greedy().grammar(Grammar::gbnf(grammar))).unwrap()
}

fn tokens(text: &str) -> Vec<Token> {
    demo().vocab().tokenize_with(text, Specials::AsText, AddSpecial::Never).unwrap()
}

#[test]
fn a_text_is_followed_to_its_end() {
    let mut at = matcher(r#"root ::= "ab" | "a" "c"+"#, &[b"a", b"b", b"c", b"ab", b"cc", b"acb", b""]);
    assert_eq!(allowed(&mut at), [0, 3]);
    assert!(!at.may_end());
    at.accept(0).unwrap();
    assert_eq!(allowed(&mut at), [1, 2, 4]);
    at.accept(4).unwrap();
    assert_eq!(allowed(&mut at), [2, 4, 7]);
    assert!(at.may_end() && !at.must_end());
    at.reset().unwrap();
    at.accept(3).unwrap();
    assert_eq!(allowed(&mut at), [7]);
    assert!(at.must_end());
    at.accept(7).unwrap();
}

#[test]
fn a_character_may_be_split_over_tokens() {
    let mut at =
        matcher("root ::= \"\u{20ac}\" \"!\"", &[b"\xe2", b"\x82", b"\xac", b"\xe2\x82", b"\xac!", b"\xe3", b"!"]);
    assert_eq!(allowed(&mut at), [0, 3]);
    at.accept(0).unwrap();
    assert_eq!(allowed(&mut at), [1]);
    assert!(!at.may_end());
    at.accept(1).unwrap();
    assert_eq!(allowed(&mut at), [2, 4]);
    at.accept(4).unwrap();
    assert!(at.must_end());
}

#[test]
fn a_refused_token_changes_nothing() {
    let mut at = matcher(r#"root ::= "a" "b""#, &[b"a", b"b"]);
    at.accept(0).unwrap();
    assert_eq!(at.accept(0), Err(Refusal::NotAllowed));
    assert_eq!(at.accept(2), Err(Refusal::NotAllowed));
    at.accept(1).unwrap();
    assert!(at.must_end());
}

#[test]
fn a_grammar_that_is_read_in_more_and_more_ways_is_refused_in_time() {
    // Each letter doubles the readings that are still possible.
    let mut at = matcher("root ::= s \"!\"\ns ::= \"a\" s \"b\" s | \"a\" s \"c\" s | \"a\"", &[&[b'a'; 60], b"a"]);
    assert_eq!(at.accept(0), Err(Refusal::TooAmbiguous));
    assert!(at.mask().is_err());
    // The place is still the old one.
    assert_eq!(at.allows(1), Ok(true));
    at.accept(1).unwrap();
}

#[test]
fn a_vocabulary_of_150_000_tokens_stays_within_the_budget() {
    // Beginnings of JSON, ASCII, and ideographs, in every mixture.
    let alphabet: Vec<char> = "{}[]\",:\\ \nabcdefu0123456789.-+eE".chars().chain('\u{4e00}'..'\u{6e00}').collect();
    let pieces: Vec<String> = (0..150_000_usize)
        .map(|i| {
            (0..1 + i % 4).map(|k| alphabet[(i * (k + 7) + i / 97) % if i % 3 == 0 { 36 } else { 8_000 }]).collect()
        })
        .collect();
    let pieces: Vec<&[u8]> = pieces.iter().map(String::as_bytes).collect();
    let mut at = matcher(super::parity::JSON, &pieces);
    for open in [&b"{"[..], b"\"", b"a", b"\"", b":", b"["] {
        assert!(at.mask().unwrap().is_some());
        let token = pieces.iter().position(|piece| *piece == open).unwrap();
        at.accept(token).unwrap();
    }
}

#[test]
fn a_long_text_does_not_pile_up_memory_or_lose_its_place() {
    let mut at = matcher("root ::= \"(\" root \")\" | \"x\"", &[b"(", b")", b"x"]);
    for _ in 0..70_000 {
        at.accept(0).unwrap();
    }
    at.accept(2).unwrap();
    for _ in 0..70_000 {
        assert!(!at.may_end());
        at.accept(1).unwrap();
    }
    assert!(at.must_end());
}

#[test]
fn sampling_follows_the_grammar_and_knows_its_end() {
    let mut sampler = sampler(r#"root ::= "Once upon a " ("time" | "day") ".""#);
    let mut text = Vec::new();
    for step in 0.. {
        let token = sampler.sample_logits(&logits(demo().vocab().len(), step)).unwrap();
        sampler.accept(token).unwrap();
        if demo().vocab().is_eog(token) {
            break;
        }
        text.extend(demo().vocab().piece(token, Specials::AsText).unwrap());
        assert!(step < 40, "no end after {text:?}");
    }
    let text = String::from_utf8(text).unwrap();
    assert!(text == "Once upon a time." || text == "Once upon a day.", "{text}");
    assert!(sampler.is_finished() && sampler.may_end());
}

#[test]
fn the_end_is_refused_while_the_grammar_is_unfinished() {
    let mut sampler = sampler(r#"root ::= "yes""#);
    let eos = demo().vocab().eos().unwrap();
    assert_eq!(sampler.accept(eos), Err(SampleError::GrammarRejected { token: eos }));
    for token in tokens("yes") {
        assert!(!sampler.is_finished());
        sampler.accept(token).unwrap();
    }
    assert!(sampler.is_finished());
    sampler.accept(eos).unwrap();
}

#[test]
fn a_grammar_that_cannot_match_is_a_dead_end() {
    // No token can begin with this character that no text can hold.
    let mut sampler = sampler(r#"root ::= "a" "\UFFFFFFFF""#);
    let row = logits(demo().vocab().len(), 1);
    sampler.accept(tokens("a")[0]).unwrap();
    for _ in 0..3 {
        assert_eq!(sampler.sample_logits(&row), Err(SampleError::GrammarDeadEnd));
    }
    sampler.reset().unwrap();
    assert!(sampler.sample_logits(&row).is_ok());
    // So is a grammar whose only tokens are banned.
    let mut params = SamplingParams::greedy().grammar(Grammar::gbnf("root ::= \"a\""));
    params.logit_bias = (0..tiny().facts().n_vocab.cast_signed()).map(|id| LogitBias::ban(Token(id))).collect();
    params.logit_bias.retain(|bias| bias.token.0 == 12 + i32::from(b'a'));
    let mut sampler = Sampler::new(tiny(), &params).unwrap();
    assert_eq!(sampler.sample_logits(&logits(320, 1)), Err(SampleError::GrammarDeadEnd));
}

#[test]
fn the_empty_grammar_allows_only_the_end() {
    let mut sampler = sampler("root ::= \"\"");
    assert!(sampler.is_finished());
    let token = sampler.sample_logits(&logits(demo().vocab().len(), 1)).unwrap();
    assert!(demo().vocab().is_eog(token));
}

#[test]
fn a_clone_goes_its_own_way() {
    let mut one = sampler(r#"root ::= "a" ("b" | "c")"#);
    one.accept(tokens("a")[0]).unwrap();
    let mut other = one.try_clone().unwrap();
    one.accept(tokens("b")[0]).unwrap();
    assert!(one.is_finished() && !other.is_finished());
    other.accept(tokens("c")[0]).unwrap();
}

#[test]
fn special_tokens_are_named_by_text_or_number() {
    let find = |name: &str| tiny().vocab().tokenize_with(name, Specials::Parse, AddSpecial::Never).unwrap()[0];
    let grammar = Grammar::gbnf("root ::= <think> [a-z]* </think> !<tool_call>");
    let mut sampler = Sampler::new(tiny(), &fixed(1).grammar(grammar)).unwrap();
    for name in ["<think>", "a", "</think>"] {
        sampler.accept(find(name)).unwrap();
    }
    let refused = find("<tool_call>");
    assert_eq!(sampler.accept(refused), Err(SampleError::GrammarRejected { token: refused }));
    sampler.accept(find("</tool_call>")).unwrap();
    assert!(sampler.is_finished());

    for text in ["root ::= <nonsense>", "root ::= <[320]>", "root ::= <[99999999999999999999]>", "root ::= !x"] {
        let error = Sampler::new(tiny(), &fixed(1).grammar(Grammar::gbnf(text))).unwrap_err();
        assert!(matches!(error, SamplerError::Grammar { .. }), "{text}: {error}");
    }
}

#[test]
fn candidates_made_by_hand_go_through_the_grammar() {
    let mut sampler = Sampler::new(tiny(), &SamplingParams::greedy().grammar(Grammar::gbnf("root ::= [a-c]"))).unwrap();
    let token = |letter: u8| Token(12 + i32::from(letter));
    let mut list = vec![Candidate::new(token(b'z'), 9.0), Candidate::new(token(b'b'), 1.0)];
    assert_eq!(sampler.apply(&mut list), Ok(token(b'b')));
    let mut list = vec![Candidate::new(token(b'z'), 9.0)];
    assert_eq!(sampler.apply(&mut list), Err(SampleError::GrammarDeadEnd));
    assert_eq!(sampler.apply(&mut Vec::new()), Err(SampleError::NoCandidate));
}
