//! Sessions: parity in turns, after cancels and rewinds, at the end of the context.

use crate::setup::{demo, load};
use llama_core::{
    Batch, Context, ContextParams, ControlVector, Event, FinishReason, GenerateOptions, LoraAdapter, MemoryError,
    Model, OnCancel, Overflow, Pos, Prompt, SamplingParams, SeqId, Session, SessionError, Token, Usage, Want,
    stop::StopSet,
};
use llama_testkit::{fixtures, golden};

fn params(n_ctx: u32, n_batch: u32) -> ContextParams {
    let mut params = ContextParams::default();
    params.n_ctx = Some(n_ctx);
    params.n_batch = n_batch;
    params.n_threads = Some(1);
    params
}

fn session_with(model: &Model, params: ContextParams) -> Session {
    Session::new(Context::new(model, params).unwrap(), SamplingParams::greedy()).unwrap()
}

fn session(model: &Model) -> Session {
    session_with(model, params(1024, 512))
}

fn tokens(ids: &[i32]) -> Vec<Token> {
    ids.iter().copied().map(Token).collect()
}

/// Runs an answer to its end: text, reason, usage.
fn answer(session: &mut Session, prompt: Prompt<'_>, options: GenerateOptions) -> (String, FinishReason, Usage) {
    let mut text = String::new();
    for event in session.stream(prompt, options).unwrap() {
        match event.unwrap() {
            Event::Text(piece) => {
                assert!(!piece.is_empty());
                text.push_str(&piece);
            }
            Event::Finished(finished) => return (text, finished.reason, finished.usage),
            _ => unreachable!("no other events exist"),
        }
    }
    panic!("the stream ended without Finished");
}

fn options(max_tokens: usize) -> GenerateOptions {
    let mut options = GenerateOptions::default();
    options.max_tokens = Some(max_tokens);
    options
}

/// What a fresh session answers, token by token, with the prompt in batches of 512.
fn expected(model: &Model, prompt: &[Token], n: usize) -> Vec<Token> {
    let mut session = session(model);
    session.ingest(prompt).unwrap();
    (0..n).map(|_| session.decode_one().unwrap()).collect()
}

#[test]
fn golden_answers_are_reproduced_with_prompts_in_chunks_of_1_7_and_512() {
    let golden = golden::demo();
    for chunk in [1, 7, 512] {
        let mut session = session_with(demo(), params(1024, chunk));
        for entry in &golden.entries {
            session.clear().unwrap();
            session.ingest(&tokens(&entry.prompt_tokens)).unwrap();
            let got: Vec<i32> = entry.tokens.iter().map(|_| session.decode_one().unwrap().0).collect();
            if let Some(at) = entry.tokens.iter().zip(&got).position(|(a, b)| a != b) {
                // Rounding alone may decide where the two best tokens are this close.
                let margin = entry.margins.get(at).copied().unwrap_or(0.0);
                assert!(margin < 0.05, "{}: token {at} differs, margin {margin}, chunk {chunk}", entry.name);
                println!("{}: token {at} differs at margin {margin}, chunk {chunk}", entry.name);
            }
        }
    }
}

#[test]
fn the_text_of_a_golden_answer_is_reproduced() {
    let golden = golden::demo();
    let entry = golden.entries.iter().find(|e| e.name == "who").unwrap();
    let (text, reason, usage) = answer(&mut session(demo()), Prompt::Text(&entry.prompt), options(96));
    assert_eq!(text, entry.text);
    assert!(matches!(reason, FinishReason::EndOfGeneration(_)));
    assert_eq!((usage.prompt, usage.generated), (entry.prompt_tokens.len(), entry.tokens.len()));
}

#[test]
fn a_second_turn_reuses_the_first_and_answers_as_if_alone() {
    let golden = golden::demo();
    let first = golden.entries.iter().find(|e| e.name == "hello").unwrap();
    let mut session = session(demo());
    answer(&mut session, Prompt::WholeText(&first.prompt), options(64));
    let held = session.tokens().to_vec();
    let second = format!(
        "{}{}<|im_end|>\n<|im_start|>user\nWho are you?<|im_end|>\n<|im_start|>assistant\n",
        first.prompt, first.text
    );
    let (text, _, usage) = answer(&mut session, Prompt::WholeText(&second), options(64));
    assert!(usage.reused + 1 >= held.len(), "all of the first turn but its end token is reused: {usage:?}");
    let (alone, _, fresh) =
        answer(&mut session_with(demo(), params(1024, 512)), Prompt::WholeText(&second), options(64));
    assert_eq!(text, alone);
    assert_eq!(fresh.reused, 0);
}

#[test]
fn the_same_prompt_again_computes_one_token() {
    let prompt = tokens(&golden::demo().entries[0].prompt_tokens);
    let mut session = session(demo());
    session.prefill(&prompt).unwrap();
    let first = session.decode_one().unwrap();
    let again = session.prefill(&prompt).unwrap();
    assert_eq!((again.reused, again.computed), (prompt.len() - 1, 1));
    assert_eq!(session.decode_one().unwrap(), first);
}

#[test]
fn a_cancelled_answer_keeps_or_rolls_back_and_the_session_goes_on() {
    for path in [golden::demo_model_path(), fixtures::tiny_mamba().into(), fixtures::tiny_hybrid().into()] {
        let model = load(&path);
        let first = model.vocab().tokenize("Once upon a time there was", llama_core::Specials::AsText).unwrap();
        let second = model.vocab().tokenize(" and then", llama_core::Specials::AsText).unwrap();
        for on_cancel in [OnCancel::Keep, OnCancel::RollBack] {
            let mut session = session(&model);
            session.ingest(&first).unwrap();
            let handle = session.cancel_handle();
            let mut options = options(50);
            options.on_cancel = on_cancel;
            let mut reason = None;
            for (n, event) in session.stream(&second[..], options).unwrap().enumerate() {
                match event.unwrap() {
                    Event::Finished(finished) => reason = Some(finished.reason),
                    _ if n == 2 => handle.cancel(),
                    _ => {}
                }
            }
            assert_eq!(reason, Some(FinishReason::Cancelled));
            if on_cancel == OnCancel::RollBack {
                assert_eq!(session.tokens(), first);
            } else {
                assert!(session.tokens().len() > first.len() + second.len());
            }
            // What follows is what a fresh session would say to the same tokens.
            let held = session.tokens().to_vec();
            let next: Vec<_> = (0..8).map(|_| session.decode_one().unwrap()).collect();
            assert_eq!(next, expected(&model, &held, 8), "{} {on_cancel:?}", path.display());
        }
    }
}

#[test]
fn a_cancel_before_the_turn_has_no_effect_on_it() {
    let mut session = session(demo());
    session.cancel_handle().cancel();
    let (_, reason, usage) = answer(&mut session, Prompt::Text("Once upon a time"), options(5));
    assert_eq!((reason, usage.generated), (FinishReason::Length, 5));
}

#[test]
fn steps_by_hand_stay_cancelled_until_resumed() {
    let mut session = session(demo());
    let prompt = session.tokenize("Once upon a time").unwrap();
    session.ingest(&prompt).unwrap();
    session.decode_one().unwrap();
    session.cancel_handle().cancel();
    assert!(matches!(session.decode_one(), Err(SessionError::Cancelled)));
    assert!(matches!(session.ingest(&prompt), Err(SessionError::Cancelled)));
    session.resume(OnCancel::Keep).unwrap();
    let held = session.tokens().to_vec();
    assert_eq!(session.decode_one().unwrap(), expected(demo(), &held, 1)[0]);
}

#[test]
fn a_cancel_while_a_long_prompt_is_computed_stops_it_in_the_middle() {
    let model = load(fixtures::tiny_llama());
    let mut session = session_with(&model, params(4096, 8));
    let prompt = vec![Token(5); 4000];
    let handle = session.cancel_handle();
    let canceller = std::thread::spawn({
        let handle = handle.clone();
        move || {
            // Until the session has started its turn, a cancel is for the turn before and is forgotten.
            while !handle.is_cancelled() {
                handle.cancel();
                std::thread::yield_now();
            }
        }
    });
    canceller.join().unwrap();
    assert!(matches!(session.ingest(&prompt), Err(SessionError::Cancelled)));
    session.resume(OnCancel::RollBack).unwrap();
    assert!(session.tokens().is_empty());
    session.ingest(&prompt[..20]).unwrap();
    session.decode_one().unwrap();
}

#[test]
fn saved_and_loaded_the_answer_goes_on_the_same() {
    for path in [golden::demo_model_path(), fixtures::tiny_llama().into(), fixtures::tiny_mamba().into()] {
        let model = load(&path);
        let mut session = session(&model);
        let prompt = session.tokenize("Once upon a time").unwrap();
        session.ingest(&prompt).unwrap();
        for _ in 0..5 {
            session.decode_one().unwrap();
        }
        let state = session.save().unwrap();
        let rest: Vec<_> = (0..8).map(|_| session.decode_one().unwrap()).collect();
        let mut other = session_with(&model, params(1024, 512));
        other.load(&state).unwrap();
        assert_eq!(other.tokens().len(), prompt.len() + 5);
        let again: Vec<_> = (0..8).map(|_| other.decode_one().unwrap()).collect();
        assert_eq!(again, rest, "{}", path.display());
    }
}

#[test]
fn a_bad_state_leaves_a_session_that_works() {
    let mut session = session(demo());
    session.generate("Once upon a time").unwrap().take(3).for_each(drop);
    let state = session.save().unwrap();
    assert!(matches!(session.load(&state[..state.len() / 2]), Err(SessionError::State(_))));
    let prompt = session.tokenize(" there").unwrap();
    session.ingest(&prompt).unwrap();
    let held = session.tokens().to_vec();
    assert_eq!(session.decode_one().unwrap(), expected(demo(), &held, 1)[0]);
}

#[test]
fn a_prompt_longer_than_the_context_is_refused_and_nothing_changes() {
    let mut session = session_with(demo(), params(256, 64));
    let prompt = session.tokenize("Once upon a time").unwrap();
    session.ingest(&prompt).unwrap();
    let long = vec![Token(100); session.capacity() + 1];
    for result in [session.ingest(&long), session.prefill(&long).map(drop)] {
        assert!(matches!(result, Err(SessionError::PromptTooLong { .. })));
    }
    assert_eq!(session.tokens(), prompt);
    session.decode_one().unwrap();
}

#[test]
fn a_full_context_stops_shifts_or_errs_as_chosen() {
    let full = |overflow| {
        let mut session = session_with(demo(), params(256, 64));
        session.set_overflow(overflow).unwrap();
        session.ingest(&vec![Token(100); 250]).unwrap();
        session
    };
    let (_, reason, usage) = answer(&mut full(Overflow::Stop), Prompt::Tokens(&[Token(101)]), options(50));
    assert_eq!((reason, usage.generated), (FinishReason::ContextFull, 5));

    let mut session = full(Overflow::Error);
    let mut stream = session.stream(&[Token(101)][..], options(50)).unwrap();
    assert!(matches!(stream.find(Result::is_err), Some(Err(SessionError::ContextFull { .. }))));
    assert!(stream.next().is_none(), "an error ends the stream");

    let mut session = full(Overflow::Shift { keep: 10 });
    let before = session.tokens()[..10].to_vec();
    let (_, reason, usage) = answer(&mut session, Prompt::Tokens(&[Token(101)]), options(300));
    if reason == FinishReason::Length {
        assert_eq!(usage.generated, 300);
    }
    assert!(usage.generated > 5, "went past the end of the context");
    assert!(session.tokens().len() <= session.capacity());
    assert_eq!(session.tokens()[..10], before);
}

#[test]
fn keeping_more_than_there_can_be_is_an_error() {
    let mut session = session_with(demo(), params(256, 64));
    for keep in [255, 256, usize::MAX - 1, usize::MAX] {
        let error = session.set_overflow(Overflow::Shift { keep }).unwrap_err();
        assert!(matches!(error, SessionError::KeepTooLarge { limit: 256, .. }), "{keep}: {error}");
    }
    session.set_overflow(Overflow::Shift { keep: 254 }).unwrap();
}

#[test]
fn a_turn_in_which_the_context_shifted_is_rolled_back_to_where_it_began() {
    let mut session = session_with(demo(), params(256, 64));
    session.set_overflow(Overflow::Shift { keep: 10 }).unwrap();
    session.ingest(&vec![Token(100); 250]).unwrap();
    session.begin_turn();
    for _ in 0..20 {
        session.decode_one().unwrap();
    }
    let dropped = 250 + 20 - session.tokens().len();
    assert!(dropped > 0, "the context shifted");
    session.resume(OnCancel::RollBack).unwrap();
    assert_eq!(session.tokens(), vec![Token(100); 250 - dropped]);

    // A turn that began within what is kept is not moved.
    let mut session = session_with(demo(), params(256, 64));
    session.set_overflow(Overflow::Shift { keep: 100 }).unwrap();
    session.ingest(&[Token(100); 40]).unwrap();
    session.begin_turn();
    session.ingest(&vec![Token(101); 200]).unwrap();
    session.ingest(&vec![Token(102); 100]).unwrap();
    assert!(session.tokens().len() < 340, "the context shifted");
    session.resume(OnCancel::RollBack).unwrap();
    assert_eq!(session.tokens(), vec![Token(100); 40]);
}

#[test]
fn a_shift_that_the_cache_refuses_changes_nothing() {
    let model = load(fixtures::tiny_llama());
    let mut shared = params(256, 64);
    shared.n_seq_max = 3;
    shared.kv_unified = true;
    let mut context = Context::new(&model, shared).unwrap();
    let mut batch = Batch::new(4);
    batch.push_run(&[Token(20); 4], Pos(0), SeqId(1)).unwrap();
    context.decode(&mut batch).unwrap();
    // Now cells may belong to several sequences, and no sequence can be shifted while there are others.
    context.memory().unwrap().copy(SeqId(1), SeqId(2), ..).unwrap();
    let mut session = Session::new(context, SamplingParams::greedy()).unwrap();
    session.set_overflow(Overflow::Shift { keep: 4 }).unwrap();
    session.ingest(&vec![Token(100); 240]).unwrap();
    let error = session.ingest(&[Token(101); 20]).unwrap_err();
    assert!(matches!(error, SessionError::Memory(MemoryError::ShiftUnsupported { .. })), "{error}");
    // The next token sees what it sees in a session that never tried.
    let next = |session: Session| {
        let mut context = session.into_context();
        let mut batch = Batch::new(1);
        let row = batch.push(Token(20), Pos(240), SeqId::ZERO, Want::Output).unwrap();
        context.decode(&mut batch).unwrap().row(row).unwrap().logits().unwrap().to_vec()
    };
    let mut alone = session_with(&model, params(256, 64));
    alone.ingest(&vec![Token(100); 240]).unwrap();
    let (found, expected) = (next(session), next(alone));
    let apart = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(apart < 1e-2, "{apart}");
}

#[test]
fn shifting_is_refused_at_once_for_models_that_cannot() {
    for path in [fixtures::tiny_mamba(), fixtures::tiny_hybrid()] {
        let mut session = session(&load(path));
        let error = session.set_overflow(Overflow::Shift { keep: 4 }).unwrap_err();
        assert!(matches!(error, SessionError::Memory(MemoryError::ShiftUnsupported { .. })), "{error}");
    }
}

#[test]
fn stop_strings_end_the_answer_and_are_not_shown() {
    let golden = golden::demo();
    let entry = golden.entries.iter().find(|e| e.name == "who").unwrap();
    let mut options = options(96);
    options.stop = StopSet::new(["demo model"]).unwrap();
    let (text, reason, _) = answer(&mut session(demo()), Prompt::Text(&entry.prompt), options);
    assert_eq!(reason, FinishReason::StopString("demo model".to_owned()));
    assert_eq!(text, entry.text.split("demo model").next().unwrap());
}

#[test]
fn generate_collects_to_the_whole_answer() {
    let golden = golden::demo();
    let entry = &golden.entries[0];
    let text: String = session(demo()).generate(&entry.prompt).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(text, entry.text);
}

#[test]
fn an_empty_prompt_is_an_error_that_says_so() {
    let mut session = session(demo());
    assert!(matches!(session.decode_one(), Err(SessionError::Empty)));
    assert!(matches!(session.generate(""), Err(SessionError::Empty)));
    assert!(matches!(session.ingest(&[Token(-1)]), Err(SessionError::Tokenize(_))));
}

#[test]
fn encoders_make_no_sessions() {
    let model = load(fixtures::tiny_embedding());
    let context = Context::new(&model, ContextParams::default()).unwrap();
    assert!(matches!(Session::new(context, SamplingParams::greedy()), Err(SessionError::NotGenerative)));
}

#[test]
fn truncating_forgets_the_end_only() {
    for path in [fixtures::tiny_llama(), fixtures::tiny_mamba(), fixtures::tiny_hybrid()] {
        let model = load(path);
        let mut session = session(&model);
        session.ingest(&tokens(&[5, 6, 7, 8, 9, 10])).unwrap();
        session.truncate(4).unwrap();
        assert_eq!(session.tokens(), tokens(&[5, 6, 7, 8]));
        session.ingest(&tokens(&[11])).unwrap();
        let got: Vec<_> = (0..6).map(|_| session.decode_one().unwrap()).collect();
        assert_eq!(got, expected(&model, &tokens(&[5, 6, 7, 8, 11]), 6));
    }
}

#[test]
fn an_adapter_changes_the_answer_and_what_was_said_is_computed_with_it() {
    let model = load(fixtures::tiny_llama());
    let prompt = tokens(&[5, 6, 7, 8, 9, 10]);
    let plain = expected(&model, &prompt, 8);
    let adapter = LoraAdapter::load(&model, fixtures::lora()).unwrap();
    let mut fresh = session(&model);
    fresh.set_adapters(&[(adapter.clone(), 1.0)]).unwrap();
    fresh.ingest(&prompt).unwrap();
    let adapted: Vec<_> = (0..8).map(|_| fresh.decode_one().unwrap()).collect();
    assert_ne!(adapted, plain);

    let mut session = session(&model);
    session.ingest(&prompt).unwrap();
    session.set_adapters(&[(adapter, 1.0)]).unwrap();
    let late: Vec<_> = (0..8).map(|_| session.decode_one().unwrap()).collect();
    assert_eq!(late, adapted, "the prompt was computed again with the adapter");
    session.truncate(prompt.len()).unwrap();
    session.set_adapters(&[]).unwrap();
    let again: Vec<_> = (0..8).map(|_| session.decode_one().unwrap()).collect();
    assert_eq!(again, plain);
}

#[test]
fn settings_that_make_no_sense_are_errors() {
    let mut session = session(demo());
    assert!(matches!(session.set_threads(0, 1), Err(SessionError::Context(_))));
    let vector = ControlVector::load(fixtures::control_vector(), 1.0).unwrap();
    assert!(matches!(session.set_control_vector(&vector, 1..=2), Err(SessionError::Adapter(_))), "of another width");
}

#[test]
fn penalties_know_what_was_said_in_every_way_it_can_be_said() {
    let model = load(fixtures::tiny_llama());
    let mut sampling = SamplingParams::greedy();
    sampling.penalty_repeat = 50.0;
    sampling.penalty_last_n = 64;
    let new = || Session::new(Context::new(&model, params(1024, 512)).unwrap(), sampling.clone()).unwrap();
    let steps = |session: &mut Session| (0..6).map(|_| session.decode_one().unwrap()).collect::<Vec<_>>();
    // What a model without penalties would say next is in the prompt, so that the penalty shows.
    let mut prompt = tokens(&[5, 6, 7, 8]);
    prompt.splice(0..0, expected(&model, &prompt, 6));
    let mut once = new();
    once.ingest(&prompt).unwrap();
    let penalised = steps(&mut once);
    assert_ne!(penalised, expected(&model, &prompt, 6), "the penalty changes the answer");

    let mut in_parts = new();
    for token in &prompt {
        in_parts.ingest(&[*token]).unwrap();
    }
    assert_eq!(steps(&mut in_parts), penalised);
    in_parts.truncate(prompt.len()).unwrap();
    assert_eq!(steps(&mut in_parts), penalised, "after going back");
    in_parts.prefill(&prompt).unwrap();
    assert_eq!(steps(&mut in_parts), penalised, "after a prefill of the same");
    in_parts.truncate(prompt.len()).unwrap();
    in_parts.set_sampling(&sampling).unwrap();
    assert_eq!(steps(&mut in_parts), penalised, "with a new sampler");
}
