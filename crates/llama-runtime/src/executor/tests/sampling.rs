//! How tokens are chosen, and what is told of them.

use super::*;
use crate::error::GenerateError;
use crate::structure::{Compiled, Enforced, Structure, Structures};
use llama_core::{AddSpecial, Grammar, LogitBias, Seed, Specials};

fn sampled(executor: &mut LlamaExecutor, piece: Piece) -> crate::executor::Sampled {
    match done(executor, &[], &[piece]).outputs.remove(0) {
        Output::Sampled(sampled) => sampled,
        other => panic!("{other:?}"),
    }
}

fn text(model: &Model, text: &str) -> Vec<Token> {
    model.vocab().tokenize_with(text, Specials::Parse, AddSpecial::AsModelWants).unwrap()
}

#[test]
fn the_golden_answers_of_the_demo_model_come_out() {
    let golden = golden::demo();
    let entry = golden.entries.iter().find(|entry| entry.tokens.len() > 8).unwrap();
    let prompt: Vec<_> = entry.prompt_tokens.iter().copied().map(Token).collect();
    let mut executor = executor(demo());
    open(&mut executor, key(1), work(&prompt));
    let answer = go_on(&mut executor, (1, 0, 0), &prompt, 8);
    assert_eq!(answer.iter().map(|token| token.0).collect::<Vec<_>>(), entry.tokens[..8]);
}

#[test]
fn random_choices_and_penalties_are_those_of_a_sampler_of_its_own() {
    for model in generators() {
        let prompt = tokens(model, 90, 1);
        let mut sampling = SamplingParams::default().seed(11).temperature(1.5);
        sampling.top_k = 0;
        sampling.top_p = 1.0;
        sampling.penalty_repeat = 1.5;
        sampling.dry_multiplier = 0.8;
        sampling.dry_penalty_last_n = 20;
        let mut executor = executor(model);
        open(&mut executor, key(1), Work { sampling: sampling.clone(), ..work(&prompt) });
        let answer = go_on(&mut executor, (1, 0, 0), &prompt, 12);
        assert_eq!(answer, expected(model, &sampling, &prompt, 12), "{model:?}");
    }
}

#[test]
fn choices_differ_and_are_the_same_the_next_time() {
    let prompt = tokens(llama(), 10, 2);
    let answers = |seed: Seed| {
        let sampling = wild().seed(seed);
        let shared = Arc::new(Work { sampling, ..work(&prompt) });
        let mut executor = executor(llama());
        let mut answers = Vec::new();
        for choice in 0..3 {
            let seq = SeqKey { request: RequestId(5), choice };
            executor.open(seq, &shared).unwrap();
            let slot = Slot(u16::try_from(choice).unwrap());
            let mut held = 0;
            let mut input = prompt.clone();
            let mut answer = Vec::new();
            for _ in 0..10 {
                let piece = Piece { seq, slot, start: held, tokens: input.clone(), sample: true };
                answer.push(next(&mut executor, piece));
                held += input.len();
                input = vec![*answer.last().unwrap()];
            }
            answers.push(answer);
        }
        answers
    };
    let fixed = answers(Seed::Fixed(3));
    assert_eq!(fixed, answers(Seed::Fixed(3)));
    assert_eq!(fixed[1..], answers(Seed::Fixed(4))[..2], "choice k has the seed plus k");
    for answers in [fixed, answers(Seed::Random)] {
        assert!(answers[0] != answers[1] && answers[1] != answers[2] && answers[0] != answers[2], "{answers:?}");
    }
}

#[test]
fn bytes_are_those_of_the_vocabulary() {
    for model in generators() {
        let prompt = tokens(model, 10, 3);
        let mut executor = executor(model);
        open(&mut executor, key(1), work(&prompt));
        let sampled = sampled(&mut executor, piece(1, 0, 0, &prompt));
        assert_eq!(sampled.bytes, model.vocab().piece(sampled.token, Specials::AsText).unwrap());
        assert!(!sampled.ends && !sampled.complete && sampled.logprobs.is_none() && !sampled.bytes.is_empty());
    }
}

#[test]
fn the_end_is_told_and_special_tokens_are_text_only_where_they_are_preserved() {
    let eos = llama().vocab().eos().unwrap();
    let prompt = tokens(llama(), 10, 4);
    for preserved in [vec![], vec![eos]] {
        let mut sampling = SamplingParams::greedy();
        sampling.logit_bias = vec![LogitBias { token: eos, bias: 1e5 }];
        let mut executor = executor(llama());
        let shown = !preserved.is_empty();
        open(&mut executor, key(1), Work { sampling, preserved, ..work(&prompt) });
        let sampled = sampled(&mut executor, piece(1, 0, 0, &prompt));
        assert_eq!((sampled.token, sampled.ends), (eos, true));
        assert_eq!(!sampled.bytes.is_empty(), shown);
    }
}

#[test]
fn a_grammar_holds_and_tells_when_the_text_is_complete() {
    let prompt = tokens(llama(), 10, 5);
    let sampling = SamplingParams::greedy().grammar(Grammar::gbnf(r#"root ::= "yes" | "no""#));
    let mut executor = executor(llama());
    open(&mut executor, key(1), Work { sampling, ..work(&prompt) });
    let mut written = Vec::new();
    let mut input = prompt;
    let mut held = 0;
    loop {
        let sampled = sampled(&mut executor, piece(1, 0, held, &input));
        written.extend(sampled.bytes);
        held += input.len();
        input = vec![sampled.token];
        if sampled.complete {
            break;
        }
        assert!(written.len() < 3, "{written:?}");
    }
    assert!(written == b"yes" || written == b"no", "{written:?}");
}

#[test]
fn a_grammar_reads_the_beginning_of_the_answer_that_is_in_the_prompt() {
    let prefix = text(llama(), "ye");
    let prompt = [tokens(llama(), 10, 6), prefix.clone()].concat();
    let sampling = SamplingParams::greedy().grammar(Grammar::gbnf(r#"root ::= "yes" | "no""#));
    let mut executor = executor(llama());
    let whole = Work { sampling, grammar_prefix: prefix, ..work(&prompt) };
    open(&mut executor, key(1), whole);
    let sampled = sampled(&mut executor, piece(1, 0, 0, &prompt));
    assert_eq!((sampled.bytes.as_slice(), sampled.complete), (b"s".as_slice(), true));
    let sampling = SamplingParams::greedy().grammar(Grammar::gbnf(r#"root ::= "no""#));
    let refused = Work { sampling, grammar_prefix: text(llama(), "ye"), ..work(&prompt) };
    assert!(matches!(executor.open(key(2), &Arc::new(refused)), Err(GenerateError::Sample(_))));
}

fn compiled(structure: &Structure) -> Compiled {
    match Structures::new(llama().clone()).compile(structure).unwrap() {
        Enforced::Masks(compiled) => compiled,
        Enforced::Grammar(_) => panic!("no masks"),
    }
}

/// Writes until the structure is complete, or the end is chosen.
fn write(executor: &mut LlamaExecutor, place: (u64, u16), prompt: &[Token]) -> String {
    let (request, slot) = place;
    let mut written = Vec::new();
    let mut input = prompt.to_vec();
    let mut held = 0;
    loop {
        let sampled = sampled(executor, piece(request, slot, held, &input));
        held += input.len();
        input = vec![sampled.token];
        written.extend(&sampled.bytes);
        if sampled.complete || sampled.ends {
            return String::from_utf8(written).unwrap();
        }
        assert!(written.len() < 200, "{written:?}");
    }
}

#[test]
fn a_structure_holds_whatever_the_temperature() {
    let prompt = tokens(llama(), 10, 8);
    let structure = compiled(&Structure::regex("[ab]{3}c[0-9]{2}"));
    let mut executor = executor(llama());
    for request in 0..6 {
        let sampling = wild().seed(u32::try_from(request).unwrap());
        open(&mut executor, key(request), Work { structure: Some(structure.clone()), sampling, ..work(&prompt) });
        done(&mut executor, &[truncate(0, 0)], &[]);
        let text = write(&mut executor, (request, 0), &prompt);
        let (letters, digits) = text.split_once('c').unwrap();
        assert!(letters.len() == 3 && letters.chars().all(|c| "ab".contains(c)), "{text}");
        assert!(digits.len() == 2 && digits.chars().all(|c| c.is_ascii_digit()), "{text}");
        executor.close(key(request));
    }
}

#[test]
fn sequences_with_structures_are_written_beside_others() {
    let prompt = tokens(llama(), 10, 9);
    let mut executor = executor(llama());
    for (request, pattern) in [(0, "[ab]{8}"), (1, "[cd]{8}")] {
        let structure = Some(compiled(&Structure::regex(pattern)));
        open(&mut executor, key(request), Work { structure, ..work(&prompt) });
    }
    open(&mut executor, key(2), work(&prompt));
    let mut written = vec![Vec::new(); 3];
    let mut inputs = vec![(0, prompt.clone()); 3];
    for _ in 0..3 {
        let pieces: Vec<_> = (0..3).map(|i| piece(i, i as u16, inputs[i as usize].0, &inputs[i as usize].1)).collect();
        for (i, output) in done(&mut executor, &[], &pieces).outputs.into_iter().enumerate() {
            let Output::Sampled(sampled) = output else { panic!("{output:?}") };
            written[i].extend(sampled.bytes);
            inputs[i] = (inputs[i].0 + inputs[i].1.len(), vec![sampled.token]);
        }
    }
    let of = |i: usize, letters: &[u8]| !written[i].is_empty() && written[i].iter().all(|byte| letters.contains(byte));
    assert!(of(0, b"ab") && of(1, b"cd"), "{written:?}");
    let expected = greedy(llama(), &prompt, 3);
    let plain: Vec<u8> =
        expected.iter().flat_map(|token| llama().vocab().piece(*token, Specials::AsText).unwrap()).collect();
    assert_eq!(written[2], plain);
}

#[test]
fn a_structure_reads_the_beginning_of_the_answer_that_is_in_the_prompt() {
    let prefix = text(llama(), "ye");
    let prompt = [tokens(llama(), 10, 6), prefix.clone()].concat();
    let structure = Some(compiled(&Structure::regex("yes|no")));
    let mut executor = executor(llama());
    open(&mut executor, key(1), Work { structure: structure.clone(), grammar_prefix: prefix, ..work(&prompt) });
    assert_eq!(write(&mut executor, (1, 0), &prompt), "s");
    let refused = Work { structure, grammar_prefix: text(llama(), "x"), ..work(&prompt) };
    assert!(matches!(executor.open(key(2), &Arc::new(refused)), Err(GenerateError::Guide(_))));
}

#[test]
fn a_structure_that_the_banned_tokens_exclude_fails_its_sequence_for_good() {
    let prompt = tokens(llama(), 10, 6);
    let mut sampling = SamplingParams::greedy();
    sampling.logit_bias = (0..256).map(Token).filter(|token| is_text(*token, b"a")).map(LogitBias::ban).collect();
    let structure = Some(compiled(&Structure::regex("a")));
    let mut executor = executor(llama());
    open(&mut executor, key(1), Work { structure, sampling, ..work(&prompt) });
    open(&mut executor, key(2), work(&prompt));
    for _ in 0..2 {
        let ops = [truncate(0, 0), truncate(1, 0)];
        let outputs = done(&mut executor, &ops, &[piece(1, 0, 0, &prompt), piece(2, 1, 0, &prompt)]).outputs;
        assert!(matches!(outputs[0], Output::Failed(_)), "{outputs:?}");
        assert!(matches!(outputs[1], Output::Sampled(_)), "others go on: {outputs:?}");
    }
}

fn is_text(token: Token, text: &[u8]) -> bool {
    llama().vocab().piece(token, Specials::AsText).is_ok_and(|piece| piece == text)
}

#[test]
fn log_probabilities_are_those_of_the_row() {
    let prompt = tokens(llama(), 10, 7);
    let mut context = Context::new(llama(), exact()).unwrap();
    let mut batch = Batch::new(10);
    let row = batch.push_run(&prompt, Pos(0), SeqId::ZERO).unwrap().unwrap();
    let outputs = context.decode(&mut batch).unwrap();
    let row = outputs.row(row).unwrap();
    for n in [0, 3, 100_000] {
        let mut executor = executor(llama());
        open(&mut executor, key(1), Work { logprobs: Some(n), sampling: wild(), ..work(&prompt) });
        let sampled = sampled(&mut executor, piece(1, 0, 0, &prompt));
        let told = sampled.logprobs.unwrap();
        let chosen = told.chosen.unwrap();
        assert_eq!(chosen.token, sampled.token);
        assert!((chosen.logprob - row.logprob(sampled.token).unwrap().unwrap().logprob).abs() < 1e-4);
        let top = row.top_logprobs(n).unwrap();
        assert_eq!(told.top.iter().map(|(entry, _)| entry.token).collect::<Vec<_>>(), tokens_of(&top));
        for (entry, bytes) in &told.top {
            assert_eq!(*bytes, llama().vocab().piece(entry.token, Specials::Parse).unwrap());
        }
    }
}

fn tokens_of(entries: &[llama_core::TokenLogprob]) -> Vec<Token> {
    entries.iter().map(|entry| entry.token).collect()
}

/// Draws from all tokens.
fn wild() -> SamplingParams {
    let mut sampling = SamplingParams::default().temperature(3.0);
    sampling.top_k = 0;
    sampling.top_p = 1.0;
    sampling.min_p = 0.0;
    sampling
}
