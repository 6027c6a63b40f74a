//! Failures of the backend, wrong plans, and adapters that do not fit.

use super::*;
use crate::error::GenerateError;
use crate::plan::AdapterKey;
use llama_core::{DecodeError, LoraAdapter};

fn fatal() -> DecodeError {
    DecodeError::Fatal { code: -3, reason: "made up by a test".to_owned() }
}

#[test]
fn after_a_failure_the_cache_is_empty_and_saved_sequences_are_there() {
    for model in generators() {
        let prompt = tokens(model, 20, 1);
        let mut executor = executor(model);
        open(&mut executor, key(1), work(&prompt));
        done(&mut executor, &[], &[stored(0, 0, &prompt[..15])]);
        done(&mut executor, &[save(0, 1, &prompt[..15])], &[]);
        executor.cache().fails_next = Some(fatal());
        let result = executor.step(&plan(&[], &[piece(1, 0, 15, &prompt[15..])]));
        assert!(
            matches!(&result.end, StepEnd::Failed(GenerateError::Decode(error)) if *error == fatal()),
            "{result:?}"
        );
        assert!(result.outputs.is_empty());
        assert_eq!(held(&mut executor, 0), 0);
        done(&mut executor, &[restore(1, 2)], &[]);
        assert_eq!(go_on(&mut executor, (1, 2, 15), &prompt[15..], 5), greedy(model, &prompt, 5), "{model:?}");
    }
}

#[test]
fn without_a_new_context_every_later_step_fails() {
    let prompt = tokens(llama(), 20, 2);
    let mut executor = executor(llama());
    let abilities = executor.abilities();
    executor.cache().fails_next = Some(fatal());
    executor.params().n_ctx = Some(u32::MAX);
    let result = executor.step(&plan(&[], &[stored(0, 0, &prompt)]));
    assert!(matches!(&result.end, StepEnd::Failed(GenerateError::Decode(_))), "{result:?}");
    for _ in 0..2 {
        let ops = [save(0, 1, &[]), restore(1, 0), copy(0, 1, 0), truncate(0, 0)];
        let result = executor.step(&plan(&ops, &[stored(0, 0, &prompt)]));
        assert!(matches!(&result.end, StepEnd::Failed(GenerateError::Crashed)), "{result:?}");
        assert_eq!(
            (result.saved.as_slice(), result.not_loaded.as_slice()),
            ([(BlobId(1), None)].as_slice(), [BlobId(1)].as_slice())
        );
    }
    assert_eq!(executor.abilities(), abilities);
    executor.clear_abort();
}

#[test]
fn a_wrong_piece_fails_alone() {
    let prompt = tokens(llama(), 20, 3);
    let mut executor = executor(llama());
    open(&mut executor, key(1), work(&prompt));
    let pieces = [
        stored(0, 0, &[Token(20), Token(1 << 30)]),
        stored(1, 0, &[Token(-1)]),
        stored(2, 0, &[]),
        stored(u16::MAX, 0, &prompt),
        // Not opened.
        piece(9, 3, 0, &prompt),
        piece(1, 4, 0, &prompt),
        stored(5, 0, &tokens(llama(), 109, 4)),
    ];
    let outputs = done(&mut executor, &[], &pieces).outputs;
    let decode_error = |i: usize| match &outputs[i] {
        Output::Failed(GenerateError::Decode(error)) => error,
        other => panic!("{other:?}"),
    };
    assert!(matches!(decode_error(0), DecodeError::TokenOutOfRange { index: 1, .. }), "{outputs:?}");
    assert!(matches!(decode_error(1), DecodeError::TokenOutOfRange { index: 0, .. }), "{outputs:?}");
    assert!(matches!(decode_error(2), DecodeError::Empty), "{outputs:?}");
    assert!(matches!(outputs[3], Output::Misplaced { held: 0 }), "{outputs:?}");
    assert!(matches!(outputs[4], Output::Failed(GenerateError::Sample(_))), "{outputs:?}");
    assert!(matches!(&outputs[5], Output::Sampled(s) if s.token == greedy(llama(), &prompt, 1)[0]), "{outputs:?}");
    assert!(matches!(decode_error(6), DecodeError::TooLarge { tokens: 129, limit: 128 }), "{outputs:?}");
    assert_eq!([0, 1, 2, 3, 4, 5].map(|slot| held(&mut executor, slot)), [0, 0, 0, 0, 20, 0]);
}

#[test]
fn wrong_operations_hurt_nothing() {
    for model in generators() {
        let prompt = tokens(model, 20, 5);
        let mut executor = executor(model);
        open(&mut executor, key(1), work(&prompt));
        done(&mut executor, &[], &[stored(0, 0, &prompt[..12])]);
        let ops = [
            copy(0, 0, 12),
            copy(0, 500, 12),
            copy(500, 0, 12),
            copy(0, 1, 13),
            copy(0, 1, usize::MAX),
            copy(2, 3, 0),
            truncate(0, 12),
            truncate(0, usize::MAX),
            truncate(500, 0),
            restore(77, 3),
            CacheOp::Forget { blob: BlobId(77) },
        ];
        assert_eq!(done(&mut executor, &ops, &[]).not_loaded, [BlobId(77)]);
        assert_eq!([0, 1, 2, 3].map(|slot| held(&mut executor, slot)), [12, 0, 0, 0]);
        assert_eq!(go_on(&mut executor, (1, 0, 12), &prompt[12..], 3), greedy(model, &prompt, 3), "{model:?}");
    }
}

#[test]
fn a_sequence_is_not_longer_than_the_context() {
    let mut executor = executor(llama());
    let limit = executor.abilities().sequence_limit;
    let long = tokens(llama(), limit, 6);
    for start in (0..limit).step_by(128) {
        done(&mut executor, &[], &[stored(0, start, &long[start..start + 128])]);
    }
    let outputs = done(&mut executor, &[], &[stored(0, limit, &long[..1])]).outputs;
    assert!(
        matches!(outputs[0], Output::Failed(GenerateError::NoRoom { tokens }) if tokens == limit + 1),
        "{outputs:?}"
    );
}

#[test]
fn an_encoder_generates_nothing_and_says_so() {
    let mut executor = executor(bert());
    let result = executor.step(&plan(&[truncate(0, 0)], &[stored(0, 0, &[Token(20)])]));
    assert!(matches!(result.end, StepEnd::Failed(GenerateError::Decode(DecodeError::NoSuchPart { .. }))), "{result:?}");
}

#[test]
fn closing_what_was_not_opened_is_harmless() {
    let prompt = tokens(llama(), 5, 7);
    let mut executor = executor(llama());
    executor.close(key(1));
    open(&mut executor, key(1), work(&prompt));
    executor.close(key(1));
    let outputs = done(&mut executor, &[], &[piece(1, 0, 0, &prompt)]).outputs;
    assert!(matches!(outputs[0], Output::Failed(_)), "it is closed: {outputs:?}");
}

fn with_adapter() -> LlamaExecutor {
    let adapter = LoraAdapter::load(llama(), fixtures::lora()).unwrap();
    LlamaExecutor::new(llama().clone(), &exact(), 4, vec![("style".to_owned(), adapter)]).unwrap()
}

#[test]
fn adapters_change_what_is_computed_and_are_taken_back() {
    let prompt = tokens(llama(), 20, 8);
    let mut executor = with_adapter();
    open(&mut executor, key(1), work(&prompt));
    open(&mut executor, key(2), Work { adapters: vec![("style".to_owned(), 8.0)], ..work(&prompt) });
    let mut first_of = |request: u64, slot: u16, adapters: u64| {
        let pieces = vec![piece(request, slot, 0, &prompt)];
        let plan = Plan { ops: vec![truncate(slot, 0)], adapters: AdapterKey(adapters), pieces, ..Plan::default() };
        open(&mut executor, key(3), work(&prompt));
        match executor.step(&plan).outputs.remove(0) {
            Output::Sampled(sampled) => sampled.token,
            other => panic!("{other:?}"),
        }
    };
    let plain = greedy(llama(), &prompt, 1)[0];
    let mut context = Context::new(llama(), exact()).unwrap();
    context.set_adapters(&[(LoraAdapter::load(llama(), fixtures::lora()).unwrap(), 8.0)]).unwrap();
    let mut batch = Batch::new(20);
    let row = batch.push_run(&prompt, Pos(0), SeqId::ZERO).unwrap().unwrap();
    let outputs = context.decode(&mut batch).unwrap();
    let styled = outputs.row(row).unwrap().top_logprobs(1).unwrap()[0].token;
    assert_ne!(plain, styled);
    let found = [first_of(1, 0, 0), first_of(2, 1, 5), first_of(2, 1, 5), first_of(1, 0, 0), first_of(2, 1, 5)];
    assert_eq!(found, [plain, styled, styled, plain, styled]);
}

#[test]
fn without_an_opened_sequence_it_is_not_known_which_adapters_to_use() {
    let prompt = tokens(llama(), 20, 9);
    let mut executor = with_adapter();
    let unknown = Plan { adapters: AdapterKey(5), pieces: vec![stored(0, 0, &prompt)], ..Plan::default() };
    for _ in 0..2 {
        let outputs = executor.step(&unknown).outputs;
        assert!(matches!(outputs[..], [Output::Failed(GenerateError::Sample(_))]), "{outputs:?}");
    }
    open(&mut executor, key(1), work(&prompt));
    assert_eq!(go_on(&mut executor, (1, 0, 0), &prompt, 3), greedy(llama(), &prompt, 3));
}

#[test]
fn adapters_that_cannot_be_used_are_refused_before_anything_runs() {
    let mut executor = with_adapter();
    for adapters in [vec![("other", 1.0)], vec![("style", f32::NAN)], vec![("style", 1.0), ("style", 2.0)]] {
        let adapters = adapters.into_iter().map(|(name, scale)| (name.to_owned(), scale)).collect();
        let result = executor.open(key(1), &Arc::new(Work { adapters, ..work(&[]) }));
        assert!(matches!(result, Err(GenerateError::Adapter(_))), "{result:?}");
    }
}

#[test]
fn a_context_that_cannot_be_made_is_no_executor() {
    let mut params = exact();
    params.n_batch = 0;
    assert!(LlamaExecutor::new(llama().clone(), &params, 4, Vec::new()).is_err());
}
