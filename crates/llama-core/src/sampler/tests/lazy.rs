//! Grammars that start at a trigger.

use super::{fixed, logits, tiny};
use crate::Token;
use crate::sampler::{Grammar, Lazy, SampleError, Sampler, SamplerError};
use crate::vocab::{AddSpecial, Specials};

fn sampler(grammar: &str, lazy: Lazy) -> Sampler {
    Sampler::new(tiny(), &fixed(3).grammar(Grammar::gbnf(grammar).lazy(lazy))).unwrap()
}

fn tokens(text: &str) -> Vec<Token> {
    tiny().vocab().tokenize_with(text, Specials::Parse, AddSpecial::Never).unwrap()
}

fn say(sampler: &mut Sampler, text: &str) -> Result<(), SampleError> {
    tokens(text).into_iter().try_for_each(|token| sampler.accept(token))
}

#[test]
fn everything_is_allowed_until_the_word_comes() {
    let mut sampler = sampler(r#"root ::= "<call>" [0-9]+ "</call>""#, Lazy::word("<call>"));
    say(&mut sampler, "anything, even <cal and ends").unwrap();
    assert!(sampler.may_end() && !sampler.is_finished() && !sampler.grammar_is_active());
    sampler.accept(tiny().vocab().eos().unwrap()).unwrap();
    say(&mut sampler, " then <call>").unwrap();
    assert!(sampler.grammar_is_active() && !sampler.may_end());
    assert!(matches!(say(&mut sampler, "x"), Err(SampleError::GrammarRejected { .. })));
    say(&mut sampler, "12</call>").unwrap();
    assert!(sampler.is_finished());
    sampler.reset().unwrap();
    assert!(!sampler.grammar_is_active());
    say(&mut sampler, "x").unwrap();
}

#[test]
fn a_token_starts_the_grammar_and_belongs_to_it() {
    let call = tokens("<tool_call>")[0];
    let mut sampler = sampler("root ::= <tool_call> [a-z]+", Lazy::token(call));
    say(&mut sampler, "hello 1").unwrap();
    sampler.accept(call).unwrap();
    assert!(sampler.grammar_is_active());
    assert!(matches!(say(&mut sampler, "1"), Err(SampleError::GrammarRejected { .. })));
    let row = logits(tiny().vocab().len(), 5);
    let chosen = sampler.sample_logits(&row).unwrap();
    let text = tiny().vocab().piece(chosen, Specials::AsText).unwrap();
    assert!(text.iter().all(u8::is_ascii_lowercase), "{text:?}");
}

#[test]
fn the_grammar_starts_at_the_first_group_of_a_pattern() {
    let mut sampler = sampler(r#"root ::= "{" "a"* "}""#, Lazy::pattern(r"json:\s*(\{)"));
    say(&mut sampler, "here is json:  {aa").unwrap();
    assert!(sampler.grammar_is_active());
    say(&mut sampler, "}").unwrap();
    assert!(sampler.is_finished());
}

#[test]
fn an_anchored_pattern_looks_at_the_whole_text() {
    let mut sampler = sampler(r#"root ::= "b" "c""#, Lazy::pattern("^a+(b)$"));
    say(&mut sampler, "xaab").unwrap();
    assert!(!sampler.grammar_is_active());
    sampler.reset().unwrap();
    say(&mut sampler, "aab").unwrap();
    assert!(sampler.grammar_is_active());
    say(&mut sampler, "c").unwrap();
}

#[test]
fn a_trigger_whose_text_does_not_fit_is_refused_and_changes_nothing() {
    let mut sampler = sampler(r#"root ::= "yes""#, Lazy::pattern("[a-z]!"));
    say(&mut sampler, "abc").unwrap();
    for _ in 0..2 {
        assert!(matches!(say(&mut sampler, "!"), Err(SampleError::GrammarRejected { .. })));
        assert!(!sampler.grammar_is_active());
    }
    say(&mut sampler, "?").unwrap();
}

#[test]
fn a_long_text_before_the_trigger_is_forgotten_but_not_misread() {
    let mut sampler = sampler(
        r#"root ::= "<go>" "1""#,
        Lazy { patterns: vec!["^(x)".into(), "<go>".into(), r"[\s\S]*(never)[\s\S]*".into()], tokens: Vec::new() },
    );
    say(&mut sampler, "y").unwrap();
    for _ in 0..20_000 {
        sampler.accept(tokens("x")[0]).unwrap();
    }
    assert!(!sampler.grammar_is_active());
    say(&mut sampler, "<go>").unwrap();
    assert!(sampler.grammar_is_active());
    say(&mut sampler, "1").unwrap();
    assert!(sampler.is_finished());
}

#[test]
fn bad_triggers_are_typed_errors() {
    let make = |lazy: Lazy| Sampler::new(tiny(), &fixed(1).grammar(Grammar::gbnf("root ::= \"a\"").lazy(lazy)));
    for pattern in ["(", "[a", "a{2000}{2000}{2000}", r"(?=x)", r"(a)\1", "*", "a{3,1}"] {
        let error = make(Lazy::pattern(pattern)).unwrap_err();
        assert!(matches!(error, SamplerError::Grammar { .. }), "{pattern}: {error}");
    }
    for id in [-1, 320, i32::MIN, i32::MAX] {
        let error = make(Lazy::token(Token(id))).unwrap_err();
        assert_eq!(error, SamplerError::TokenOutOfRange { token: Token(id), n_vocab: 320 });
    }
    let many = Lazy { patterns: vec!["a".into(); 1000], tokens: Vec::new() };
    assert!(matches!(make(many), Err(SamplerError::Grammar { .. })));
    // Never starts, which is no error.
    assert!(!make(Lazy::default()).unwrap().grammar_is_active());
}
