//! The same tokens as upstream's chain and upstream's grammar, step by step.

use std::ffi::CString;

use llama_sys as ffi;

use super::{demo, fixed, logits, tiny};
use crate::Token;
use crate::model::Model;
use crate::sampler::{Grammar, LogitBias, Mirostat, Sampler, SamplingParams, Seed, Stage};

/// Upstream's objects, put together by hand as its `common_sampler` does.
struct Upstream {
    chain: *mut ffi::llama_sampler,
    grammar: *mut ffi::llama_sampler,
    n_vocab: usize,
}

impl Upstream {
    /// `params` has neither DRY breakers nor infill nor `ignore_eos`.
    fn new(model: &Model, params: &SamplingParams) -> Self {
        let Seed::Fixed(seed) = params.seed else { panic!("parity needs a seed") };
        let n_vocab = model.facts().n_vocab.cast_signed();
        let keep = params.min_keep as usize;
        let biases: Vec<_> = params
            .logit_bias
            .iter()
            .map(|entry| ffi::llama_logit_bias { token: entry.token.0, bias: entry.bias })
            .collect();
        // SAFETY: constructors with values that upstream takes; the chain owns what is added.
        unsafe {
            let chain = ffi::llama_sampler_chain_init(ffi::llama_sampler_chain_default_params());
            let add = |stage| ffi::llama_sampler_chain_add(chain, stage);
            add(ffi::llama_sampler_init_logit_bias(n_vocab, biases.len().try_into().unwrap(), biases.as_ptr()));
            match params.mirostat {
                Mirostat::Off => {}
                Mirostat::V1 => {
                    add(ffi::llama_sampler_init_temp(params.temperature));
                    let (tau, eta) = (params.mirostat_tau, params.mirostat_eta);
                    add(ffi::llama_sampler_init_mirostat(n_vocab, seed, tau, eta, 100));
                }
                Mirostat::V2 => {
                    add(ffi::llama_sampler_init_temp(params.temperature));
                    add(ffi::llama_sampler_init_mirostat_v2(seed, params.mirostat_tau, params.mirostat_eta));
                }
            }
            for stage in params.stages.iter().filter(|_| params.mirostat == Mirostat::Off) {
                add(match stage {
                    Stage::Penalties => ffi::llama_sampler_init_penalties(
                        n_vocab,
                        params.penalty_last_n.cast_signed(),
                        params.penalty_repeat,
                        params.penalty_frequency,
                        params.penalty_presence,
                    ),
                    Stage::Dry => ffi::llama_sampler_init_dry(
                        model.vocab().as_ptr(),
                        params.dry_multiplier,
                        params.dry_base,
                        params.dry_allowed_length.cast_signed(),
                        params.dry_penalty_last_n.cast_signed(),
                        std::ptr::null_mut(),
                        0,
                    ),
                    Stage::TopNSigma => ffi::llama_sampler_init_top_n_sigma(params.top_n_sigma),
                    Stage::TopK => ffi::llama_sampler_init_top_k(params.top_k.cast_signed()),
                    Stage::TypicalP => ffi::llama_sampler_init_typical(params.typical_p, keep),
                    Stage::TopP => ffi::llama_sampler_init_top_p(params.top_p, keep),
                    Stage::MinP => ffi::llama_sampler_init_min_p(params.min_p, keep),
                    Stage::Xtc => ffi::llama_sampler_init_xtc(params.xtc_probability, params.xtc_threshold, keep, seed),
                    Stage::Temperature => ffi::llama_sampler_init_temp_ext(
                        params.temperature,
                        params.dynatemp_range,
                        params.dynatemp_exponent,
                    ),
                    Stage::AdaptiveP => {
                        ffi::llama_sampler_init_adaptive_p(params.adaptive_target, params.adaptive_decay, seed)
                    }
                    other => panic!("{other:?} is not built here"),
                });
            }
            if params.mirostat == Mirostat::Off && !params.stages.contains(&Stage::AdaptiveP) {
                add(ffi::llama_sampler_init_dist(seed));
            }
            let grammar = params.grammar.as_ref().map_or(std::ptr::null_mut(), |grammar| make_grammar(model, grammar));
            Self { chain, grammar, n_vocab: model.vocab().len() }
        }
    }

    fn sample(&mut self, logits: &[f32]) -> Token {
        let mut data = self.fill(logits);
        let choice = self.choose(&mut data);
        if self.grammar.is_null() {
            return choice;
        }
        let mut single = vec![ffi::llama_token_data { id: choice.0, logit: 1.0, p: 0.0 }];
        apply(self.grammar, &mut single);
        if single[0].logit != f32::NEG_INFINITY {
            return choice;
        }
        let mut data = self.fill(logits);
        apply(self.grammar, &mut data);
        self.choose(&mut data)
    }

    fn choose(&self, data: &mut [ffi::llama_token_data]) -> Token {
        let (array, selected) = apply(self.chain, data);
        // SAFETY: the array is within `data`, and the last stage selects.
        Token(unsafe { (*array.add(usize::try_from(selected).unwrap())).id })
    }

    fn fill(&self, logits: &[f32]) -> Vec<ffi::llama_token_data> {
        assert_eq!(logits.len(), self.n_vocab);
        (0..).zip(logits).map(|(id, logit)| ffi::llama_token_data { id, logit: *logit, p: 0.0 }).collect()
    }

    fn accept(&mut self, token: Token) {
        // SAFETY: live samplers; the grammar allows the token.
        unsafe {
            if !self.grammar.is_null() {
                ffi::llama_sampler_accept(self.grammar, token.0);
            }
            ffi::llama_sampler_accept(self.chain, token.0);
        }
    }

    fn allowed(&self) -> Vec<bool> {
        let mut data = self.fill(&vec![0.0; self.n_vocab]);
        apply(self.grammar, &mut data);
        data.iter().map(|entry| entry.logit != f32::NEG_INFINITY).collect()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        // SAFETY: made in `new`, freed here only; null is allowed.
        unsafe {
            ffi::llama_sampler_free(self.chain);
            ffi::llama_sampler_free(self.grammar);
        }
    }
}

fn apply(sampler: *mut ffi::llama_sampler, data: &mut [ffi::llama_token_data]) -> (*const ffi::llama_token_data, i64) {
    let mut array =
        ffi::llama_token_data_array { data: data.as_mut_ptr(), size: data.len(), selected: -1, sorted: false };
    // SAFETY: a live sampler, an array over `data`.
    unsafe { ffi::llama_sampler_apply(sampler, &raw mut array) };
    (array.data, array.selected)
}

fn make_grammar(model: &Model, grammar: &Grammar) -> *mut ffi::llama_sampler {
    let text = CString::new(grammar.text.as_str()).unwrap();
    let root = CString::new(grammar.root.as_str()).unwrap();
    let vocab = model.vocab().as_ptr();
    // SAFETY: strings and lists outlive the calls, which copy them.
    let made = unsafe {
        match &grammar.lazy {
            None => ffi::llama_sampler_init_grammar(vocab, text.as_ptr(), root.as_ptr()),
            Some(lazy) => {
                let patterns: Vec<_> = lazy.patterns.iter().map(|text| CString::new(text.as_str()).unwrap()).collect();
                let mut patterns: Vec<_> = patterns.iter().map(|text| text.as_ptr()).collect();
                let tokens: Vec<i32> = lazy.tokens.iter().map(|token| token.0).collect();
                ffi::llama_sampler_init_grammar_lazy_patterns(
                    vocab,
                    text.as_ptr(),
                    root.as_ptr(),
                    patterns.as_mut_ptr(),
                    patterns.len(),
                    tokens.as_ptr(),
                    tokens.len(),
                )
            }
        }
    };
    assert!(!made.is_null(), "upstream refuses {grammar:?}");
    made
}

/// Chooses and accepts `steps` tokens by the same logits on both sides.
fn compare(model: &Model, params: &SamplingParams, steps: u64) {
    let mut ours = Sampler::new(model, params).unwrap();
    let mut theirs = Upstream::new(model, params);
    for step in 0..steps {
        let mut row = logits(model.vocab().len(), step);
        // Few likely tokens, so that penalties meet tokens that were chosen before.
        row.iter_mut().skip(usize::try_from(step % 3).unwrap()).step_by(29).for_each(|logit| *logit += 6.0);
        let token = ours.sample_logits(&row).unwrap();
        assert_eq!(token, theirs.sample(&row), "step {step} of {params:?}");
        ours.accept(token).unwrap();
        theirs.accept(token);
        if ours.is_finished() || model.vocab().is_eog(token) && params.grammar.is_some() {
            break;
        }
    }
}

/// One default after the other replaced.
fn variants() -> Vec<SamplingParams> {
    let vary = |change: fn(&mut SamplingParams)| {
        let mut params = fixed(11);
        change(&mut params);
        params
    };
    vec![
        vary(|_| ()),
        vary(|p| p.temperature = 0.0),
        vary(|p| p.temperature = 1.7),
        vary(|p| (p.penalty_repeat, p.penalty_frequency, p.penalty_presence) = (1.3, 0.4, 0.2)),
        vary(|p| (p.temperature, p.penalty_repeat) = (0.0, 1.5)),
        vary(|p| (p.dry_multiplier, p.dry_breakers) = (0.8, Vec::new())),
        vary(|p| p.top_n_sigma = 1.0),
        vary(|p| (p.top_k, p.top_p) = (0, 0.99)),
        vary(|p| (p.top_k, p.min_p, p.top_p) = (0, 0.0, 1.0)),
        vary(|p| p.typical_p = 0.5),
        vary(|p| (p.xtc_probability, p.xtc_threshold) = (0.7, 0.05)),
        vary(|p| (p.dynatemp_range, p.dynatemp_exponent) = (0.5, 1.3)),
        vary(|p| (p.min_keep, p.min_p, p.top_p) = (5, 0.9, 0.1)),
        vary(|p| p.mirostat = Mirostat::V1),
        vary(|p| p.mirostat = Mirostat::V2),
        vary(|p| {
            p.stages.push(Stage::AdaptiveP);
            p.adaptive_target = 0.4;
        }),
        vary(|p| p.stages = vec![Stage::Temperature, Stage::MinP, Stage::TopK]),
        vary(|p| p.stages = Vec::new()),
        vary(|p| p.logit_bias = vec![LogitBias { token: Token(40), bias: 5.0 }, LogitBias::ban(Token(41))]),
    ]
}

#[test]
fn every_stage_chooses_the_tokens_that_upstream_chooses() {
    for params in variants() {
        compare(tiny(), &params, 60);
    }
    for params in variants() {
        compare(demo(), &params, 12);
    }
}

#[test]
fn a_grammar_with_rejection_and_resampling_chooses_the_tokens_that_upstream_chooses() {
    let grammar = Grammar::gbnf(r#"root ::= ("a" | "bc" | [d-z0-9]+ " ")* "." "#);
    for params in variants() {
        compare(tiny(), &SamplingParams { grammar: Some(grammar.clone()), ..params.clone() }, 30);
        compare(demo(), &SamplingParams { grammar: Some(grammar.clone()), ..params }, 8);
    }
}

pub(super) const JSON: &str = r#"
    root ::= object
    value ::= object | array | string | number | ("true" | "false" | "null") ws
    object ::= "{" ws ( string ":" ws value ("," ws string ":" ws value)* )? "}" ws
    array ::= "[" ws ( value ("," ws value)* )? "]" ws
    string ::= "\"" ( [^"\\\x7F\x00-\x1F] | "\\" (["\\bfnrt] | "u" [0-9a-fA-F]{4}) )* "\"" ws
    number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,15})? ws
    ws ::= | " " | "\n" [ \t]{0,20}
"#;

#[test]
fn a_grammar_allows_the_tokens_that_upstream_allows() {
    let texts = [
        JSON,
        r#"root ::= "yes" | "no" | "nothing""#,
        "root ::= [^a-m]{3,7} [0-9]*",
        "root ::= (\"a\"? \"b\"?)* \"c\"",
        "root ::= .{1,12} # anything",
        "root ::= item+\nitem ::= \"- \" [^\\n]+ \"\\n\"",
        "root ::= [\u{e0}-\u{ff}\u{4e00}-\u{9fff}]+ | \"\u{20ac}\u{1f600}\" root",
        "root ::= \"x\" | \"y\" root \"z\"",
        "root ::= expr \"=\" expr\nexpr ::= term ([-+*/] term)*\nterm ::= [0-9]+ | \"(\" expr \")\"",
        // Not with characters before a token: there upstream allows what it then throws at.
        "root ::= <[20]> !<[21]> \"b\" | <[22]>+",
        "root ::= (\"ab\"{2,4} | \"abababab\" \"c\") [^\\]^-]",
        "start ::= \"never\"\nroot ::= \"\" | start",
    ];
    for model in [tiny(), demo()] {
        for (i, text) in (0..).zip(texts) {
            walk(model, &Grammar::gbnf(text), 25, i);
        }
    }
}

/// Compares the tokens allowed at each step of a random walk.
fn walk(model: &Model, grammar: &Grammar, steps: u64, seed: u64) {
    let params = SamplingParams { grammar: Some(grammar.clone()), ..fixed(1) };
    let mut ours = Sampler::new(model, &params).unwrap();
    let mut theirs = Upstream::new(model, &params);
    for step in 0..steps {
        let matcher = ours.matcher.as_mut().unwrap();
        let mask = matcher.mask().unwrap().map(<[u32]>::to_vec).unwrap_or_default();
        let expected = theirs.allowed();
        for (id, expected) in expected.iter().enumerate() {
            let text = super::super::grammar::piece_of(model, id);
            if text.iter().any(|byte| *byte >= 0xf5) {
                // Never part of UTF-8; upstream takes some of these for the start of a character.
                assert!(!matcher.allows(id).unwrap());
                continue;
            }
            let text = String::from_utf8_lossy(&text);
            let bit = mask.get(id / 32).is_some_and(|word| word >> (id % 32) & 1 == 1);
            assert_eq!(bit, *expected, "step {step}, token {id} {text:?}, of {:?}", grammar.text);
            assert_eq!(bit, matcher.allows(id).unwrap(), "mask and allows differ on {id} {text:?}");
        }
        let usable = |id: &usize| expected[*id] && matcher.allows(*id).unwrap();
        let choices: Vec<usize> = (0..expected.len()).filter(usable).collect();
        let ends = |id: &usize| model.vocab().is_eog(Token(i32::try_from(*id).unwrap()));
        assert_eq!(choices.iter().any(ends), ours.may_end(), "may_end, step {step} of {:?}", grammar.text);
        assert_eq!(!choices.is_empty() && choices.iter().all(ends), ours.is_finished(), "{:?}", grammar.text);
        let going_on: Vec<usize> = choices.into_iter().filter(|id| !ends(id)).collect();
        if going_on.is_empty() {
            return;
        }
        let pick = logits(1, seed * 1000 + step)[0].abs() * 1e4;
        let token = Token(i32::try_from(going_on[pick as usize % going_on.len()]).unwrap());
        ours.accept(token).unwrap();
        theirs.accept(token);
    }
}
