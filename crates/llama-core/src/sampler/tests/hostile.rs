//! Input that upstream answers with an abort, a crash, or all the memory there is.

use super::{demo, fixed, logits, tiny};
use crate::Token;
use crate::sampler::{
    Candidate, Grammar, LogitBias, Mirostat, SampleError, Sampler, SamplerError, SamplingParams, Stage,
};

#[test]
fn bad_grammars_are_typed_errors_with_a_place() {
    let deep = format!("root ::= {}\"a\"{}", "(".repeat(50_000), ")".repeat(50_000));
    let deep_repeat = format!("root ::= {}\"a\"{}", "(".repeat(90), "){0,2000}".repeat(90));
    let long_repeat = format!("root ::= {}", "\"x\"{0,2000} ".repeat(2_000));
    let bad = [
        "",
        "   \n# only a comment\n",
        "root",
        "root ::",
        "root ::= \"",
        "root ::= \"a",
        "root ::= [",
        "root ::= [a",
        "root ::= [a-",
        "root ::= []",
        "root ::= [^]",
        "root ::= (",
        "root ::= (\"a\"",
        "root ::= \"a\")",
        "root ::= {1}",
        "root ::= *",
        "root ::= | +",
        "root ::= \"\"*",
        "root ::= \"a\"{",
        "root ::= \"a\"{}",
        "root ::= \"a\"{,}",
        "root ::= \"a\"{x}",
        "root ::= \"a\"{2",
        "root ::= \"a\"{2,",
        "root ::= \"a\"{5,2}",
        "root ::= \"a\"{2001}",
        "root ::= \"a\"{99999999999999999999999}",
        "root ::= \"\\q\"",
        "root ::= \"\\x4\"",
        "root ::= \"\\u12G4\"",
        "root ::= \"\\",
        "root ::= \"a\0b\"",
        "\0",
        "root ::= missing",
        "other ::= \"a\"",
        "root ::= root",
        "root ::= root \"a\" | \"b\"",
        "root ::= a\na ::= b \"x\" | \"y\"\nb ::= a \"z\" | \"w\"",
        // Left recursion behind something that can be empty, which upstream follows until memory ends.
        "root ::= a root \"z\" | \"y\"\na ::= b\nb ::= \"\" | \"x\"",
        "root ::= ((\"\")) root \"z\" | \"y\"",
        "root ::= (\"a\"? root)*",
        "root ::= <",
        "root ::= <>",
        "root ::= <[>",
        "root ::= <[1>",
        "root ::= <[]>",
        "root ::= <[-1]>",
        "root ::= <no such token>",
        "root = \"a\"",
        "root ::= \"a\" ; \"b\"",
        "ro_ot ::= \"a\"",
        "1: root ::= \"a\"",
        "%llguidance {}",
        "\u{feff}root ::= \"a\"",
        &deep,
        &deep_repeat,
        // Small, but with more readings of its first letter than there are atoms.
        &format!("root ::= {}\"a\"{}", "(".repeat(90), "){0,50}".repeat(90)),
        &long_repeat,
        &"a".repeat(2 << 20),
    ];
    for text in bad {
        let error = Sampler::new(tiny(), &fixed(1).grammar(Grammar::gbnf(text))).unwrap_err();
        let start: String = text.chars().take(80).collect();
        assert!(matches!(&error, SamplerError::Grammar { reason } if !reason.is_empty()), "{start}: {error:?}");
    }
    let error = Sampler::new(tiny(), &fixed(1).grammar(Grammar::gbnf("root ::= \"a\"\nb := \"c\""))).unwrap_err();
    assert!(error.to_string().contains("line 2, column 3: expected `::=`"), "{error}");
    let error = Sampler::new(tiny(), &fixed(1).grammar(Grammar::gbnf("a ::= \"a\"").root("b"))).unwrap_err();
    assert!(error.to_string().contains("`b`"), "{error}");
}

#[test]
fn odd_grammars_that_can_be_used_can_be_used() {
    let wide = format!("root ::= {}", vec!["\"a\""; 20_000].join(" | "));
    let long_rule = format!("root ::= \"{}\"{{0,2000}} \"b\"", "a".repeat(60_000));
    let nested = format!("root ::= {}\"a\"{}", "(".repeat(90), ")?".repeat(90));
    let chain: String = (0..20_000).map(|i| format!("r{i} ::= r{} | \"a\"\n", i + 1)).collect();
    let chain = format!("root ::= r0\n{chain}r20000 ::= \"\"");
    for text in [
        "root ::= \"a\"{0,2000}{0}",
        "root ::= (\"a\"?){0,2000}",
        "root ::= (\"a\"?){2000}",
        "root ::= ((\"a\"*)*)*",
        "root ::= ( | | )* \"a\"*",
        "root ::= \"a\" | \"a\" root | root2\nroot2 ::= \"a\" root | \"a\"",
        "root ::= \"\\U0011FFFF\" | [\\U00000000-\\UFFFFFFFF]",
        "root ::= [z-a] | \"a\"",
        "root ::= \"first\"\nroot ::= \"second\"",
        "root ::= \"a\" root",
        "root ::= \"a\"# comment at the end",
        "root ::= \"a\"\r\nb ::= \"c\"\r\n",
        &wide,
        &long_rule,
        &nested,
        &chain,
    ] {
        let start: String = text.chars().take(60).collect();
        let mut sampler = Sampler::new(demo(), &fixed(1).grammar(Grammar::gbnf(text)))
            .unwrap_or_else(|error| panic!("{start}: {error}"));
        for step in 0..5 {
            match sampler.sample_logits(&logits(demo().vocab().len(), step)) {
                Ok(token) => sampler.accept(token).unwrap(),
                Err(SampleError::GrammarDeadEnd | SampleError::GrammarTooAmbiguous) => break,
                Err(other) => panic!("{start}: {other}"),
            }
        }
    }
}

#[test]
fn logits_that_are_no_numbers_are_a_typed_error() {
    for bad in [f32::NAN, -f32::NAN, f32::INFINITY, 1e9, f32::MAX] {
        for params in [SamplingParams::greedy(), fixed(1), SamplingParams { mirostat: Mirostat::V1, ..fixed(1) }] {
            let mut sampler = Sampler::new(tiny(), &params).unwrap();
            let mut row = logits(320, 1);
            row[77] = bad;
            assert_eq!(sampler.sample_logits(&row), Err(SampleError::NanLogits), "{bad}");
            assert_eq!(sampler.apply(&mut vec![Candidate::new(Token(1), bad)]), Err(SampleError::NanLogits));
            // The next row is served.
            assert!(sampler.sample_logits(&logits(320, 2)).is_ok());
        }
    }
}

#[test]
fn minus_infinity_is_a_logit_but_not_for_all_tokens() {
    let mut variants = vec![SamplingParams::greedy(), fixed(1)];
    variants.extend([Mirostat::V1, Mirostat::V2].map(|mirostat| SamplingParams { mirostat, ..fixed(1) }));
    variants.push(SamplingParams { typical_p: 0.5, top_n_sigma: 1.0, xtc_probability: 1.0, ..fixed(1) });
    variants.push(SamplingParams { stages: vec![Stage::AdaptiveP], adaptive_target: 0.5, ..fixed(1) });
    variants.push(SamplingParams { stages: Vec::new(), ..fixed(1) });
    variants.push(SamplingParams { dynatemp_range: 0.8, dynatemp_exponent: 100.0, ..fixed(1) });
    for params in variants {
        let mut sampler = Sampler::new(tiny(), &params).unwrap();
        let mut row = vec![f32::NEG_INFINITY; 320];
        assert_eq!(sampler.sample_logits(&row), Err(SampleError::NoCandidate), "{params:?}");
        row[200] = -3.0;
        for _ in 0..20 {
            let token = sampler.sample_logits(&row).unwrap();
            assert_eq!(token, Token(200), "{params:?}");
            sampler.accept(token).unwrap();
        }
    }
}

#[test]
fn rows_and_tokens_of_another_model_are_refused() {
    let mut sampler = Sampler::new(tiny(), &fixed(1)).unwrap();
    for len in [0, 1, 319, 321, 100_000] {
        let error = SampleError::WrongModel { row: len, vocabulary: 320 };
        assert_eq!(sampler.sample_logits(&vec![0.0; len]), Err(error));
    }
    for id in [-1, -2, 320, i32::MIN, i32::MAX] {
        let error = Err(SampleError::TokenOutOfRange { token: Token(id), n_vocab: 320 });
        assert_eq!(sampler.accept(Token(id)), error);
        assert_eq!(sampler.accept_prompt(Token(id)), error);
        assert_eq!(sampler.apply(&mut vec![Candidate::new(Token(id), 1.0)]).map(|_| ()), error);
        let bias = SamplingParams { logit_bias: vec![LogitBias::ban(Token(id))], ..fixed(1) };
        let error = SamplerError::TokenOutOfRange { token: Token(id), n_vocab: 320 };
        assert_eq!(Sampler::new(tiny(), &bias).unwrap_err(), error);
    }
}

#[test]
fn values_out_of_range_are_refused_by_name() {
    type Change = fn(&mut SamplingParams, f32);
    let numbers: [(&str, Change); 18] = [
        ("top_p", |p, x| p.top_p = x),
        ("min_p", |p, x| p.min_p = x),
        ("typical_p", |p, x| p.typical_p = x),
        ("top_n_sigma", |p, x| p.top_n_sigma = x),
        ("xtc_probability", |p, x| p.xtc_probability = x),
        ("xtc_threshold", |p, x| p.xtc_threshold = x),
        ("temperature", |p, x| p.temperature = x),
        ("dynatemp_range", |p, x| p.dynatemp_range = x),
        ("dynatemp_exponent", |p, x| p.dynatemp_exponent = x),
        ("penalty_repeat", |p, x| p.penalty_repeat = x),
        ("penalty_frequency", |p, x| p.penalty_frequency = x),
        ("penalty_presence", |p, x| p.penalty_presence = x),
        ("dry_multiplier", |p, x| p.dry_multiplier = x),
        ("dry_base", |p, x| p.dry_base = x),
        ("adaptive_target", |p, x| p.adaptive_target = x),
        ("adaptive_decay", |p, x| p.adaptive_decay = x),
        ("mirostat_tau", |p, x| p.mirostat_tau = x),
        ("mirostat_eta", |p, x| p.mirostat_eta = x),
    ];
    for (field, change) in numbers {
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30] {
            let mut params = fixed(1);
            change(&mut params, value);
            refused(field, &params);
        }
    }
    refused("penalty_repeat", &SamplingParams { penalty_repeat: 0.0, ..fixed(1) });
    refused("penalty_last_n", &SamplingParams { penalty_last_n: u32::MAX, ..fixed(1) });
    refused("dry_penalty_last_n", &SamplingParams { dry_penalty_last_n: u32::MAX, ..fixed(1) });
    refused("dry_allowed_length", &SamplingParams { dry_allowed_length: u32::MAX, ..fixed(1) });
    for breaker in ["", "a\0b", &"x".repeat(41)] {
        refused("dry_breakers", &SamplingParams { dry_breakers: vec![breaker.into()], ..fixed(1) });
    }
    refused("dry_breakers", &SamplingParams { dry_breakers: vec!["a".into(); 65], ..fixed(1) });
    refused("stages", &SamplingParams { stages: vec![Stage::TopK, Stage::TopK], ..fixed(1) });
    refused("stages", &SamplingParams { stages: vec![Stage::Infill, Stage::TopK], ..fixed(1) });
    refused("stages", &SamplingParams { stages: vec![Stage::TopK, Stage::Infill], top_k: 0, ..fixed(1) });
    for bias in [f32::NAN, f32::INFINITY, 1e7] {
        refused("logit_bias", &SamplingParams { logit_bias: vec![LogitBias { token: Token(1), bias }], ..fixed(1) });
    }
}

fn refused(field: &str, params: &SamplingParams) {
    match Sampler::new(tiny(), params) {
        Err(SamplerError::InvalidParam { name, .. }) if name == field => {}
        other => panic!("{field}: {other:?}"),
    }
}

#[test]
fn values_at_the_edge_of_their_range_sample() {
    let edges: [fn(&mut SamplingParams); 20] = [
        |p| p.temperature = -5.0,
        |p| p.temperature = 1e-40,
        |p| p.temperature = 1e-6,
        |p| p.temperature = 1e6,
        |p| (p.temperature, p.dynatemp_range) = (0.0, 1e6),
        |p| (p.temperature, p.dynatemp_range, p.dynatemp_exponent) = (1.0, 1.0, 100.0),
        |p| p.top_k = u32::MAX,
        |p| (p.top_k, p.top_p) = (200, 0.999_999),
        |p| (p.top_p, p.min_p, p.typical_p) = (0.0, 1.0, 0.0),
        |p| (p.min_keep, p.typical_p) = (u32::MAX, 0.5),
        |p| (p.xtc_probability, p.xtc_threshold) = (1.0, 0.0),
        |p| (p.penalty_repeat, p.penalty_last_n) = (1e3, 1 << 20),
        |p| (p.penalty_repeat, p.penalty_frequency) = (1e-3, -100.0),
        |p| (p.dry_multiplier, p.dry_base, p.dry_allowed_length) = (1e3, 1e3, 0),
        |p| p.top_n_sigma = 1e-6,
        |p| (p.mirostat, p.mirostat_tau, p.mirostat_eta) = (Mirostat::V1, 0.0, 10.0),
        |p| (p.mirostat, p.mirostat_tau, p.mirostat_eta) = (Mirostat::V2, 0.0, 10.0),
        |p| (p.mirostat, p.temperature) = (Mirostat::V1, 0.0),
        |p| (p.stages, p.adaptive_target, p.adaptive_decay) = (vec![Stage::AdaptiveP], 1.0, 0.99),
        |p| p.stages = vec![Stage::AdaptiveP, Stage::TopK],
    ];
    for (i, edge) in edges.into_iter().enumerate() {
        let mut params = fixed(5);
        edge(&mut params);
        let mut sampler = Sampler::new(tiny(), &params).unwrap();
        for step in 0..40 {
            let mut row = logits(320, step / 20);
            row[100] = 60.0;
            let token = sampler.sample_logits(&row).unwrap_or_else(|error| panic!("edge {i}: {error}"));
            sampler.accept(token).unwrap();
            // One candidate alone.
            sampler.apply(&mut vec![Candidate::new(Token(3), -1.0)]).unwrap();
        }
    }
}
