//! What each stage does, looked at through [`Sampler::apply`]; seeds, resets, clones, biases.

use super::{demo, fixed, logits, tiny};
use crate::Token;
use crate::model::{Model, ModelParams};
use crate::sampler::{Candidate, LogitBias, Mirostat, SampleError, Sampler, SamplerError, SamplingParams, Seed, Stage};
use crate::vocab::{AddSpecial, Specials};

/// One stage alone, its parameters set by `change`.
fn only(stage: Stage, change: impl FnOnce(&mut SamplingParams)) -> Sampler {
    let mut params = SamplingParams { stages: vec![stage], ..fixed(9) };
    change(&mut params);
    Sampler::new(tiny(), &params).unwrap()
}

/// Candidates 0, 1, 2.. with these probabilities.
fn candidates(probabilities: &[f32]) -> Vec<Candidate> {
    (0..).zip(probabilities).map(|(id, p)| Candidate::new(Token(id), p.ln())).collect()
}

/// The tokens that `sampler` leaves of candidates with these probabilities, in order of id.
fn left(sampler: &mut Sampler, probabilities: &[f32]) -> Vec<i32> {
    let mut list = candidates(probabilities);
    sampler.apply(&mut list).unwrap();
    let mut ids: Vec<i32> = list
        .iter()
        .filter(|candidate| candidate.logit != f32::NEG_INFINITY)
        .map(|candidate| candidate.token.0)
        .collect();
    ids.sort_unstable();
    ids
}

#[test]
fn cutting_stages_leave_what_they_say() {
    let p = [0.1, 0.4, 0.3, 0.2];
    assert_eq!(left(&mut only(Stage::TopK, |p| p.top_k = 2), &p), [1, 2]);
    assert_eq!(left(&mut only(Stage::TopK, |p| p.top_k = 0), &p), [0, 1, 2, 3]);
    assert_eq!(left(&mut only(Stage::TopP, |p| p.top_p = 0.65), &p), [1, 2]);
    assert_eq!(left(&mut only(Stage::TopP, |p| p.top_p = 0.0), &p), [1]);
    assert_eq!(left(&mut only(Stage::TopP, |p| (p.top_p, p.min_keep) = (0.0, 3)), &p), [1, 2, 3]);
    assert_eq!(left(&mut only(Stage::MinP, |p| p.min_p = 0.6), &p), [1, 2]);
    assert_eq!(left(&mut only(Stage::TypicalP, |p| p.typical_p = 0.5), &[0.97, 0.003, 0.003, 0.024]), [0]);
    assert_eq!(left(&mut only(Stage::TopNSigma, |p| p.top_n_sigma = 1.0), &p), [1, 2]);
    let mut xtc = only(Stage::Xtc, |p| (p.xtc_probability, p.xtc_threshold) = (1.0, 0.25));
    assert_eq!(left(&mut xtc, &p), [0, 2, 3]);
}

#[test]
fn temperature_scales_logits_and_zero_takes_the_likeliest() {
    let mut list = vec![Candidate::new(Token(0), 1.0), Candidate::new(Token(1), 3.0)];
    only(Stage::Temperature, |p| p.temperature = 2.0).apply(&mut list).unwrap();
    assert_eq!([list[0].logit, list[1].logit], [0.5, 1.5]);
    assert!((list[1].p - 1.0 / (1.0 + (-1.0_f32).exp())).abs() < 1e-6);
    let mut cold = only(Stage::Temperature, |p| p.temperature = 0.0);
    assert_eq!(cold.apply(&mut candidates(&[0.2, 0.5, 0.3])), Ok(Token(1)));
    // Sure of one token: the dynamic temperature is near its lower end, so differences grow.
    let mut list = candidates(&[0.98, 0.01, 0.01]);
    only(Stage::Temperature, |p| (p.temperature, p.dynatemp_range) = (1.0, 0.9)).apply(&mut list).unwrap();
    assert!(list[0].p > 0.999, "{list:?}");
}

#[test]
fn penalties_lower_what_was_said() {
    let mut sampler = only(Stage::Penalties, |p| {
        (p.penalty_repeat, p.penalty_frequency, p.penalty_presence, p.penalty_last_n) = (2.0, 0.5, 0.25, 2);
    });
    let mut after = |said: &[i32]| {
        sampler.reset().unwrap();
        said.iter().for_each(|id| sampler.accept(Token(*id)).unwrap());
        let mut list = vec![Candidate::new(Token(0), 4.0), Candidate::new(Token(1), -4.0)];
        sampler.apply(&mut list).unwrap();
        [list[0].logit, list[1].logit]
    };
    assert_eq!(after(&[]), [4.0, -4.0]);
    assert_eq!(after(&[0]), [1.25, -4.0]);
    assert_eq!(after(&[0, 0]), [0.75, -4.0]);
    assert_eq!(after(&[0, 1]), [1.25, -8.75]);
    assert_eq!(after(&[0, 5, 6]), [4.0, -4.0]);
}

#[test]
fn prompt_tokens_count_for_penalties() {
    let mut sampler = only(Stage::Penalties, |p| p.penalty_presence = 3.0);
    sampler.accept_prompt(Token(0)).unwrap();
    let mut list = vec![Candidate::new(Token(0), 4.0), Candidate::new(Token(1), 4.0)];
    sampler.apply(&mut list).unwrap();
    assert_eq!(list[0].logit, 1.0);
}

#[test]
fn dry_lowers_what_would_go_on_repeating() {
    let letter = |byte: u8| Token(12 + i32::from(byte));
    let after = |said: &[u8], breakers: &[&str]| {
        let mut sampler = only(Stage::Dry, |p| {
            p.dry_multiplier = 1.0;
            p.dry_breakers = breakers.iter().map(ToString::to_string).collect();
        });
        said.iter().for_each(|byte| sampler.accept(letter(*byte)).unwrap());
        let mut list = vec![Candidate::new(letter(b'd'), 0.0), Candidate::new(letter(b'e'), 0.0)];
        sampler.apply(&mut list).unwrap();
        [list[0].logit, list[1].logit]
    };
    assert_eq!(after(b"abcd", &[]), [0.0, 0.0]);
    assert_eq!(after(b"abcdabc", &[]), [-1.75, 0.0]);
    assert_eq!(after(b"abcdabc", &["c"]), [0.0, 0.0]);
    assert_eq!(after(b"ab:dab:", &["\n", ":"]), [0.0, 0.0]);
}

#[test]
fn mirostat_replaces_the_stages() {
    for mirostat in [Mirostat::V1, Mirostat::V2] {
        let params = SamplingParams { mirostat, stages: vec![Stage::TopK], top_k: 1, ..fixed(3) };
        let mut sampler = Sampler::new(tiny(), &params).unwrap();
        let row = logits(320, 1);
        let drawn: Vec<Token> = (0..40).map(|_| sampler.sample_logits(&row).unwrap()).collect();
        assert!(drawn.iter().any(|token| *token != drawn[0]), "top-k of 1 still acts with {mirostat:?}");
    }
}

#[test]
fn adaptive_p_prefers_its_target() {
    let mut sampler = only(Stage::AdaptiveP, |p| p.adaptive_target = 0.1);
    let mut counts = [0; 3];
    for _ in 0..50 {
        let token = sampler.apply(&mut candidates(&[0.8, 0.1, 0.1])).unwrap();
        counts[token.0.unsigned_abs() as usize] += 1;
    }
    assert!(counts[0] < 5, "{counts:?}");
    // A clone between choice and acceptance must not look up what it has not got.
    let token = sampler.apply(&mut candidates(&[0.8, 0.1, 0.1])).unwrap();
    let mut clone = sampler.try_clone().unwrap();
    clone.accept(token).unwrap();
    sampler.accept(token).unwrap();
    clone.apply(&mut candidates(&[0.5, 0.5])).unwrap();
}

#[test]
fn infill_ends_where_the_model_is_unsure() {
    let params = SamplingParams { stages: vec![Stage::TopK, Stage::Infill], ..fixed(2) };
    let mut sampler = Sampler::new(tiny(), &params).unwrap();
    let eos = tiny().vocab().eos().unwrap();
    let letter = |byte: u8| Token(12 + i32::from(byte));
    // The end has more than a share of the probability.
    let mut list = vec![Candidate::new(letter(b'a'), 1.0), Candidate::new(eos, 1.0), Candidate::new(letter(b'b'), 1.0)];
    let chosen = sampler.apply(&mut list).unwrap();
    assert!(tiny().vocab().is_eog(chosen), "{chosen}");
    // No token is likely: the end, though it was no candidate.
    let mut list = (0..30).map(|i| Candidate::new(letter(b'0' + i), 0.0)).collect();
    let chosen = sampler.apply(&mut list).unwrap();
    assert!(tiny().vocab().is_eog(chosen), "{chosen}");
    // One is.
    let mut list = vec![Candidate::new(letter(b'a'), 9.0), Candidate::new(letter(b'b'), 0.0)];
    assert_eq!(sampler.apply(&mut list), Ok(letter(b'a')));
}

#[test]
fn stages_run_in_the_order_given() {
    let p = [0.4, 0.3, 0.2, 0.1];
    let order = |stages: Vec<Stage>| {
        let params = SamplingParams { stages, top_k: 2, top_p: 0.5, ..fixed(1) };
        left(&mut Sampler::new(tiny(), &params).unwrap(), &p)
    };
    // Of the best two alone, the first has more than half.
    assert_eq!(order(vec![Stage::TopK, Stage::TopP]), [0]);
    assert_eq!(order(vec![Stage::TopP, Stage::TopK]), [0, 1]);
    assert_eq!(SamplingParams::default().stages, Stage::DEFAULT_ORDER);
}

#[test]
fn the_same_seed_gives_the_same_tokens() {
    let run = |params: &SamplingParams| -> (Vec<Token>, u32) {
        let mut sampler = Sampler::new(demo(), params).unwrap();
        let row = logits(demo().vocab().len(), 4);
        let tokens = (0..50)
            .map(|_| {
                let token = sampler.sample_logits(&row).unwrap();
                sampler.accept(token).unwrap();
                token
            })
            .collect();
        (tokens, sampler.seed())
    };
    assert_eq!(run(&fixed(7)), run(&fixed(7)));
    assert_ne!(run(&fixed(7)).0, run(&fixed(8)).0);
    // A random seed can be asked for, and then repeated.
    let (tokens, seed) = run(&SamplingParams::default());
    assert_eq!(run(&fixed(seed)).0, tokens);
    assert_eq!(Seed::from(u32::MAX), Seed::Random);
    assert_ne!(run(&SamplingParams { seed: Seed::Fixed(u32::MAX), ..fixed(1) }).1, u32::MAX);
}

#[test]
fn reset_and_clone_repeat_the_stream() {
    let params = SamplingParams { penalty_repeat: 1.4, xtc_probability: 0.5, top_p: 0.99, ..fixed(21) };
    let mut sampler = Sampler::new(demo(), &params).unwrap();
    let draw = |sampler: &mut Sampler| -> Vec<Token> {
        (0..20)
            .map(|step| {
                let token = sampler.sample_logits(&logits(demo().vocab().len(), step % 2)).unwrap();
                sampler.accept(token).unwrap();
                token
            })
            .collect()
    };
    let first = draw(&mut sampler);
    let mut clone = sampler.try_clone().unwrap();
    assert_eq!(draw(&mut clone), draw(&mut sampler));
    sampler.reset().unwrap();
    assert_eq!(draw(&mut sampler), first);
}

#[test]
fn greedy_is_the_first_of_the_largest_logits() {
    let mut sampler = Sampler::new(tiny(), &SamplingParams::greedy()).unwrap();
    for seed in 0..20 {
        let mut row = logits(320, seed);
        let best = (0..320).max_by(|a: &usize, b| row[*a].total_cmp(&row[*b]).then(b.cmp(a))).unwrap();
        assert_eq!(sampler.sample_logits(&row).unwrap().0 as usize, best);
        (row[50], row[250]) = (30.0, 30.0);
        assert_eq!(sampler.sample_logits(&row), Ok(Token(50)));
    }
}

#[test]
fn biases_ban_and_force() {
    let row = logits(320, 3);
    let run = |logit_bias: Vec<LogitBias>, greedy: bool| {
        let base = if greedy { SamplingParams::greedy() } else { fixed(1) };
        Sampler::new(tiny(), &SamplingParams { logit_bias, ..base }).unwrap().sample_logits(&row)
    };
    for greedy in [true, false] {
        assert_eq!(run(vec![LogitBias { token: Token(99), bias: 100.0 }], greedy), Ok(Token(99)));
        let best = run(Vec::new(), true).unwrap();
        assert_ne!(run(vec![LogitBias::ban(best)], greedy), Ok(best));
        // They add up, and a ban stays a ban.
        let both = vec![LogitBias::ban(Token(99)), LogitBias { token: Token(99), bias: 100.0 }];
        assert_ne!(run(both, greedy), Ok(Token(99)));
        let halves = vec![LogitBias { token: Token(99), bias: 50.0 }; 2];
        assert_eq!(run(halves, greedy), Ok(Token(99)));
        let all = (0..320).map(|id| LogitBias::ban(Token(id))).collect();
        assert_eq!(run(all, greedy), Err(SampleError::NoCandidate));
    }
}

#[test]
fn ignoring_the_end_bans_every_token_that_ends() {
    let vocab = tiny().vocab();
    let ends: Vec<usize> = (0..320).filter(|id| vocab.is_eog(Token(i32::try_from(*id).unwrap()))).collect();
    assert!(ends.len() > 1);
    let mut row = logits(320, 3);
    ends.iter().for_each(|id| row[*id] = 50.0);
    let mut sampler = Sampler::new(tiny(), &SamplingParams::greedy()).unwrap();
    assert!(vocab.is_eog(sampler.sample_logits(&row).unwrap()));
    let mut sampler = Sampler::new(tiny(), &SamplingParams { ignore_eos: true, ..SamplingParams::greedy() }).unwrap();
    assert!(!vocab.is_eog(sampler.sample_logits(&row).unwrap()));
}

#[test]
fn a_sampler_keeps_its_model_alive_and_moves_between_threads() {
    let model = Model::load(llama_testkit::fixtures::tiny_llama(), ModelParams::default()).unwrap();
    let token = model.vocab().tokenize_with("a", Specials::AsText, AddSpecial::Never).unwrap()[0];
    let params = SamplingParams { stages: vec![Stage::TopK, Stage::Infill], ..fixed(2) };
    let mut sampler = Sampler::new(&model, &params).unwrap();
    drop(model);
    let list = std::thread::spawn(move || {
        let mut list = vec![Candidate::new(token, 5.0)];
        sampler.apply(&mut list).unwrap();
        list
    });
    assert_eq!(list.join().unwrap().len(), 1);
}

#[test]
fn parameters_survive_json() {
    let params = SamplingParams { logit_bias: vec![LogitBias { token: Token(3), bias: -2.0 }], ..fixed(4) };
    let json = serde_json::to_string(&params).unwrap();
    assert_eq!(serde_json::from_str::<SamplingParams>(&json).unwrap(), params);
    let some: SamplingParams = serde_json::from_str(r#"{"temperature": 0.1, "stages": ["top_n_sigma"]}"#).unwrap();
    assert_eq!(some.stages, [Stage::TopNSigma]);
    assert_eq!(some.top_k, 40);
}

#[test]
fn a_stage_that_the_model_cannot_have_is_refused() {
    let path = llama_testkit::fixtures::tiny_embedding();
    let model = Model::load(path, ModelParams::default()).unwrap();
    if model.vocab().eos().is_none() && model.vocab().eot().is_none() {
        let params = SamplingParams { stages: vec![Stage::TopK, Stage::Infill], ..fixed(2) };
        assert!(matches!(Sampler::new(&model, &params), Err(SamplerError::Unsupported { .. })));
    }
}
