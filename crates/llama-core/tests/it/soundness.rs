//! What no argument, order of calls or early drop may do: abort, leak or corrupt. One test for each rule; after every error
//! the context must still compute what a new one computes.

use crate::setup::{
    OnEvent, any_tokens, apart, assert_as_good_as_new, batch_of, bert, context, exact, exact_sequences, feed, hybrid,
    llama, load, mamba, reranker,
};
use llama_core::{
    Batch, BatchFull, CacheType, Context, ContextError, ContextParams, DecodeError, FlashAttention, LoadError,
    LoraAdapter, Model, ModelParams, OutputError, Pos, Progress, SeqId, Token, Want,
};
use llama_testkit::fixtures::{self, TempModels};
use llama_testkit::models::Llama;
use std::sync::Barrier;
use std::sync::mpsc::sync_channel;
use std::thread;

fn one(token: i32, pos: i32, seq: i32) -> Batch {
    let mut batch = Batch::new(1);
    batch.push(Token(token), Pos(pos), SeqId(seq), Want::Output).unwrap();
    batch
}

/// Decodes a batch that must be refused, on every kind of model, and asserts that nothing was harmed.
fn refused(batch: impl Fn(&Model) -> Batch, is_right: impl Fn(&DecodeError) -> bool) {
    for model in [llama(), mamba(), hybrid()] {
        let params = exact_sequences(2, false);
        let mut ctx = context(model, &params);
        feed(&mut ctx, &any_tokens(model, 5, 1), SeqId::ZERO);
        let error = ctx.decode(&mut batch(model)).unwrap_err();
        assert!(is_right(&error), "{error:?}");
        assert_eq!(ctx.memory().unwrap().positions(SeqId::ZERO), Ok(Some(0..=4)), "the memory is as before");
        assert_as_good_as_new(&mut ctx, &params);
    }
}

#[test]
fn oversize_batch_is_an_error() {
    refused(
        |_| batch_of(&[Token(20); 513], 5, SeqId::ZERO),
        |error| *error == DecodeError::TooLarge { tokens: 513, limit: 512 },
    );
    let mut ctx = context(bert(), &exact());
    let error = ctx.decode(&mut batch_of(&[Token(20); 600], 0, SeqId::ZERO)).unwrap_err();
    assert!(matches!(error, DecodeError::TooLarge { tokens: 600, .. }), "{error}");
}

#[test]
fn empty_batch_is_an_error() {
    refused(|_| Batch::new(8), |error| *error == DecodeError::Empty);
    assert_eq!(context(bert(), &exact()).decode(&mut Batch::new(8)).unwrap_err(), DecodeError::Empty);
}

#[test]
fn a_batch_takes_no_more_than_it_was_made_for() {
    let mut batch = Batch::new(0);
    assert_eq!(batch.push(Token(1), Pos(0), SeqId::ZERO, Want::Nothing), Err(BatchFull { capacity: 0 }));
    let mut huge = Batch::new(usize::MAX);
    huge.push(Token(20), Pos(0), SeqId::ZERO, Want::Nothing).unwrap();
    context(llama(), &exact()).decode(&mut huge).unwrap();
}

#[test]
fn token_id_out_of_range_is_an_error() {
    for id in [-1, i32::MIN, i32::MAX, 320, 100_000] {
        refused(
            |_| one(id, 5, 0),
            |error| matches!(error, DecodeError::TokenOutOfRange { index: 0, token, .. } if token.0 == id),
        );
        let error = context(bert(), &exact()).decode(&mut one(id, 0, 0)).unwrap_err();
        assert!(matches!(error, DecodeError::TokenOutOfRange { .. }), "{error}");
    }
}

#[test]
fn sequence_id_out_of_range_is_an_error() {
    for seq in [-1, 2, 255, 256, i32::MIN, i32::MAX] {
        refused(
            |_| one(20, 0, seq),
            |error| *error == DecodeError::SequenceOutOfRange { index: 0, seq: SeqId(seq), n_seq_max: 2 },
        );
    }
}

#[test]
fn a_token_of_no_sequence_or_of_one_twice_is_an_error() {
    for seqs in [&[][..], &[SeqId(0), SeqId(0)], &[SeqId(1), SeqId(0), SeqId(1)]] {
        refused(
            |_| {
                let mut batch = Batch::new(1);
                batch.push_shared(Token(20), Pos(5), seqs, Want::Output).unwrap();
                batch
            },
            |error| *error == DecodeError::BadSequences { index: 0 },
        );
    }
}

#[test]
fn gap_in_positions_is_an_error() {
    let gap =
        |expected, found| DecodeError::PositionGap { seq: SeqId::ZERO, expected: Pos(expected), found: Pos(found) };
    for found in [6, 4, 0, 1000, i32::MAX - 1] {
        refused(|_| one(20, found, 0), |error| *error == gap(5, found));
    }
    for found in [-1, i32::MIN] {
        refused(|_| one(20, found, 0), |error| *error == gap(0, found));
    }
    let last = Pos(i32::MAX - 1);
    refused(
        |_| one(20, i32::MAX, 0),
        |error| *error == DecodeError::PositionTooLarge { seq: SeqId::ZERO, pos: Pos(i32::MAX), last },
    );
    // Within a batch: a jump, a step back, the same twice.
    for (positions, expected) in [([5, 7], gap(6, 7)), ([5, 4], gap(6, 4)), ([5, 5], gap(6, 5))] {
        refused(
            |_| {
                let mut batch = Batch::new(2);
                for pos in positions {
                    batch.push(Token(20), Pos(pos), SeqId::ZERO, Want::Output).unwrap();
                }
                batch
            },
            |error| *error == expected,
        );
    }
}

#[test]
fn an_empty_sequence_may_start_at_any_position() {
    for model in [llama(), mamba(), hybrid()] {
        for start in [1, 1000, i32::MAX - 1] {
            let mut ctx = context(model, &exact());
            ctx.decode(&mut one(20, start, 0)).unwrap();
            assert_eq!(ctx.memory().unwrap().next_position(SeqId::ZERO), Ok(Pos(start + 1)));
            assert_as_good_as_new(&mut ctx, &exact());
        }
    }
}

#[test]
fn sequences_that_share_a_token_but_differed_before_are_an_error() {
    let params = exact_sequences(2, true);
    let mut ctx = context(llama(), &params);
    feed(&mut ctx, &any_tokens(llama(), 5, 1), SeqId(0));
    let mut batch = Batch::new(1);
    batch.push_shared(Token(20), Pos(5), &[SeqId(0), SeqId(1)], Want::Output).unwrap();
    let error = ctx.decode(&mut batch).unwrap_err();
    assert!(matches!(&error, DecodeError::Refused { reason } if !reason.is_empty()), "{error}");
    assert_as_good_as_new(&mut ctx, &params);
}

#[test]
fn shared_tokens_without_a_shared_cache_are_no_danger() {
    for model in [llama(), mamba(), hybrid()] {
        let params = exact_sequences(2, false);
        let mut ctx = context(model, &params);
        let mut batch = Batch::new(4);
        for pos in 0..4 {
            batch.push_shared(Token(20), Pos(pos), &[SeqId(0), SeqId(1)], Want::Output).unwrap();
        }
        // Recurrent models can do it, attention with separate caches cannot.
        let _ = ctx.decode(&mut batch);
        assert_as_good_as_new(&mut ctx, &params);
    }
}

#[test]
fn more_sequences_than_a_batch_has_tokens_are_no_danger() {
    for model in [llama(), mamba(), hybrid(), bert()] {
        for (n_ctx, n_batch) in [(1024, 1), (1024, 3), (2, 512)] {
            let mut params = exact_sequences(4, false);
            params.n_ctx = Some(n_ctx);
            params.n_batch = n_batch;
            let mut ctx = context(model, &params);
            for seq in (0..4).map(SeqId) {
                ctx.decode(&mut batch_of(&[Token(20)], 0, seq)).unwrap();
            }
            if ctx.has_memory() {
                let tokens = any_tokens(model, 9, 5);
                let expected = feed(&mut context(model, &exact()), &tokens, SeqId::ZERO);
                ctx.memory().unwrap().clear().unwrap();
                let found = feed(&mut ctx, &tokens, SeqId(3));
                assert!(apart(&expected, &found) <= 1e-4, "n_ctx {n_ctx}, n_batch {n_batch}");
            }
        }
    }
}

#[test]
fn unrequested_logits_row_is_an_error() {
    let mut ctx = context(llama(), &exact());
    let mut batch = Batch::new(4);
    let silent = batch.push(Token(20), Pos(0), SeqId::ZERO, Want::Nothing).unwrap();
    let wanted = batch.push(Token(21), Pos(1), SeqId::ZERO, Want::Output).unwrap();
    let outputs = ctx.decode(&mut batch).unwrap();
    assert_eq!(outputs.row(silent).unwrap_err(), OutputError::NotRequested { index: 0 });
    assert!(outputs.row(wanted).is_ok());
    let late = batch.push(Token(22), Pos(2), SeqId::ZERO, Want::Output).unwrap();
    assert_eq!(ctx.outputs().row(late).unwrap_err(), OutputError::NotRequested { index: 2 });
    assert_as_good_as_new(&mut ctx, &exact());
}

#[test]
fn row_of_another_batch_is_an_error() {
    let mut ctx = context(llama(), &exact());
    let (mut first, mut second) = (Batch::new(2), Batch::new(2));
    let of_first = first.push(Token(20), Pos(0), SeqId::ZERO, Want::Output).unwrap();
    assert_eq!(ctx.outputs().row(of_first).unwrap_err(), OutputError::OtherBatch, "nothing was decoded yet");
    ctx.decode(&mut first).unwrap();
    let of_second = second.push(Token(20), Pos(1), SeqId::ZERO, Want::Output).unwrap();
    assert_eq!(ctx.outputs().row(of_second).unwrap_err(), OutputError::OtherBatch);
    ctx.decode(&mut second).unwrap();
    assert_eq!(ctx.outputs().row(of_first).unwrap_err(), OutputError::OtherBatch);
    second.clear();
    let again = second.push(Token(20), Pos(2), SeqId::ZERO, Want::Output).unwrap();
    assert_eq!(ctx.outputs().row(again).unwrap_err(), OutputError::OtherBatch);
    assert!(ctx.outputs().row(of_second).is_ok());
    let mut other = context(llama(), &exact());
    assert_eq!(other.outputs().row(of_second).unwrap_err(), OutputError::OtherBatch);
}

#[test]
fn after_a_decode_that_failed_there_are_no_rows() {
    let mut ctx = context(llama(), &exact());
    let mut batch = Batch::new(1);
    let row = batch.push(Token(20), Pos(0), SeqId::ZERO, Want::Output).unwrap();
    ctx.decode(&mut batch).unwrap();
    ctx.decode(&mut one(-1, 1, 0)).unwrap_err();
    assert_eq!(ctx.outputs().row(row).unwrap_err(), OutputError::OtherBatch);
}

#[test]
fn model_may_be_dropped_before_its_context() {
    let model = load(fixtures::tiny_llama());
    let mut ctx = context(&model, &exact());
    drop(model);
    assert_as_good_as_new(&mut ctx, &exact());
    assert_eq!(ctx.model().facts().n_vocab, 320);
}

#[test]
fn model_may_be_dropped_before_its_adapter() {
    let model = load(fixtures::tiny_llama());
    let adapter = LoraAdapter::load(&model, fixtures::lora()).unwrap();
    drop(model);
    assert_eq!(adapter.clone().path(), fixtures::lora());
}

#[test]
fn context_may_move_across_threads() {
    let mut ctx = context(llama(), &exact());
    let tokens = any_tokens(llama(), 40, 1);
    let mut logits = Vec::new();
    for piece in tokens.chunks(10) {
        (ctx, logits) = thread::scope(|scope| {
            scope
                .spawn(move || {
                    let logits = feed(&mut ctx, piece, SeqId::ZERO);
                    (ctx, logits)
                })
                .join()
                .unwrap()
        });
    }
    assert!(apart(&logits, &feed(&mut context(llama(), &exact()), &tokens, SeqId::ZERO)) <= 1e-4);
    thread::spawn(move || drop(ctx)).join().unwrap();
}

#[test]
fn contexts_and_adapters_may_be_made_and_dropped_at_once() {
    let model = load(fixtures::tiny_llama());
    let tokens = any_tokens(&model, 8, 1);
    let expected = feed(&mut context(&model, &exact()), &tokens, SeqId::ZERO);
    let barrier = Barrier::new(8);
    thread::scope(|scope| {
        for n in 0..8 {
            let (model, tokens, expected, barrier) = (model.clone(), &tokens, &expected, &barrier);
            scope.spawn(move || {
                barrier.wait();
                for round in 0..12 {
                    let mut ctx = context(&model, &exact());
                    if (n + round) % 2 == 0 {
                        let adapter = LoraAdapter::load(&model, fixtures::lora()).unwrap();
                        ctx.set_adapters(&[(adapter, 1.0)]).unwrap();
                        feed(&mut ctx, tokens, SeqId::ZERO);
                        ctx.set_adapters(&[]).unwrap();
                        ctx.memory().unwrap().clear().unwrap();
                    }
                    assert!(apart(&feed(&mut ctx, tokens, SeqId::ZERO), expected) <= 1e-5);
                }
            });
        }
    });
}

#[test]
fn models_may_be_loaded_at_once() {
    thread::scope(|scope| {
        for path in [fixtures::tiny_llama(), fixtures::tiny_mamba(), fixtures::tiny_llama(), fixtures::tiny_embedding()]
        {
            scope.spawn(move || (0..10).for_each(|_| drop(load(path))));
        }
    });
}

#[test]
fn panic_inside_the_progress_callback_is_an_error() {
    for at in 0..3 {
        let mut reports = 0;
        let result = Model::load_with(fixtures::tiny_llama(), ModelParams::default(), |_| {
            reports += 1;
            assert!(reports <= at, "at report {reports}");
            Progress::Continue
        });
        match result.unwrap_err() {
            LoadError::CallbackPanicked { path, message } => {
                assert_eq!(path, fixtures::tiny_llama());
                assert_eq!(message, format!("at report {}", at + 1));
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn a_load_may_be_made_inside_the_progress_callback() {
    let mut inner = None;
    let outer = Model::load_with(fixtures::tiny_llama(), ModelParams::default(), |_| {
        inner.get_or_insert_with(|| load(fixtures::tiny_mamba()));
        Progress::Continue
    });
    assert_eq!(outer.unwrap().facts().architecture, "llama");
    assert_eq!(inner.unwrap().facts().architecture, "mamba");
}

#[test]
fn panic_inside_the_log_callback_does_no_harm() {
    let model = tracing::subscriber::with_default(OnEvent("llama_cpp", || panic!("a subscriber that panics")), || {
        let model = load(fixtures::tiny_llama());
        let error = Model::load(fixtures::vocab_bpe(), ModelParams::default());
        assert!(error.is_err());
        model
    });
    assert_as_good_as_new(&mut context(&model, &exact()), &exact());
}

#[test]
fn a_log_subscriber_may_call_this_crate() {
    let (sender, events) = sync_channel(10_000);
    let subscriber = OnEvent("llama_cpp", move || {
        let _ = sender.try_send(llama_core::devices().len());
    });
    tracing::subscriber::with_default(subscriber, || load(fixtures::tiny_llama()));
    assert!(events.try_iter().count() > 0);
}

#[test]
fn prompt_longer_than_the_context_is_an_error() {
    for model in [llama(), hybrid()] {
        let mut params = exact();
        params.n_ubatch = 64;
        let mut ctx = context(model, &params);
        assert_eq!(ctx.n_ctx(), 256);
        feed(&mut ctx, &any_tokens(model, 250, 1), SeqId::ZERO);
        let mut batch = batch_of(&any_tokens(model, 7, 2), 250, SeqId::ZERO);
        assert_eq!(ctx.decode(&mut batch).unwrap_err(), DecodeError::NoSlot { tokens: 7 });
        assert_eq!(ctx.memory().unwrap().positions(SeqId::ZERO), Ok(Some(0..=249)), "nothing of it is stored");
        feed(&mut ctx, &any_tokens(model, 6, 2), SeqId::ZERO);
        assert_eq!(ctx.decode(&mut one(20, 256, 0)).unwrap_err(), DecodeError::NoSlot { tokens: 1 });
        assert_as_good_as_new(&mut ctx, &params);
    }
}

#[test]
fn encoding_with_a_model_without_encoder_is_an_error() {
    for model in [llama(), mamba(), bert()] {
        let mut ctx = context(model, &exact());
        assert_eq!(ctx.encode(&mut one(20, 0, 0)).unwrap_err(), DecodeError::NoSuchPart { part: "encoder" });
    }
    assert!(context(reranker(), &exact()).decode(&mut one(20, 0, 0)).is_ok());
}

#[test]
fn a_context_of_a_vocabulary_is_an_error() {
    let mut params = ModelParams::default();
    params.vocab_only = true;
    let model = Model::load(fixtures::tiny_llama(), params).unwrap();
    assert_eq!(Context::new(&model, exact()).unwrap_err(), ContextError::VocabOnly);
}

#[test]
fn a_context_that_no_machine_could_hold_is_an_error() {
    // Eight layers more, so that no machine this runs on could hold it.
    let folder = TempModels::new().unwrap();
    let wide = Llama { n_layer: 64, n_head: 8, n_head_kv: 8, ..Llama::tiny() };
    let model = load(folder.write("wide.gguf", &wide.file()).unwrap());
    let mut params = ContextParams::default();
    params.n_ctx = Some(i32::MAX as u32 - 256);
    match Context::new(&model, params).unwrap_err() {
        ContextError::TooLarge { needed, available, .. } => assert!(needed > available),
        other => panic!("{other}"),
    }
    assert_as_good_as_new(&mut context(&model, &exact()), &exact());
}

#[test]
fn context_parameters_that_make_no_sense_are_errors_that_name_them() {
    let with = |change: fn(&mut ContextParams)| {
        let mut params = exact();
        change(&mut params);
        params
    };
    for (field, params) in [
        ("n_ctx", with(|p| p.n_ctx = Some(0))),
        ("n_ctx", with(|p| p.n_ctx = Some(u32::MAX))),
        ("n_batch", with(|p| p.n_batch = 0)),
        ("n_batch", with(|p| p.n_batch = u32::MAX)),
        ("n_ubatch", with(|p| p.n_ubatch = 0)),
        ("n_seq_max", with(|p| p.n_seq_max = 0)),
        ("n_seq_max", with(|p| p.n_seq_max = 257)),
        ("n_seq_max", with(|p| p.n_seq_max = u32::MAX)),
        ("n_threads", with(|p| p.n_threads = Some(0))),
        ("n_threads", with(|p| p.n_threads = Some(513))),
        ("n_threads_batch", with(|p| p.n_threads_batch = Some(u32::MAX))),
        ("rope.freq_base", with(|p| p.rope.freq_base = Some(f32::NAN))),
        ("rope.freq_base", with(|p| p.rope.freq_base = Some(-1.0))),
        ("rope.freq_scale", with(|p| p.rope.freq_scale = Some(0.0))),
        ("rope.freq_scale", with(|p| p.rope.freq_scale = Some(f32::INFINITY))),
    ] {
        match Context::new(llama(), params) {
            Err(ContextError::InvalidParam { name, .. }) => assert_eq!(name, field),
            other => panic!("{field}: {other:?}"),
        }
    }
    let mut ctx = context(llama(), &exact());
    for (one, many) in [(0, 1), (1, 0), (513, 1), (1, u32::MAX)] {
        assert!(matches!(ctx.set_threads(one, many), Err(ContextError::InvalidParam { .. })));
    }
    assert_as_good_as_new(&mut ctx, &exact());
}

#[test]
fn every_combination_of_cache_formats_works_or_is_an_error() {
    use CacheType as C;
    let types = [C::F32, C::F16, C::BF16, C::Q8_0, C::Q5_1, C::Q5_0, C::Q4_1, C::Q4_0, C::IQ4_NL];
    // Heads of 64 have a way of their own to be rotated.
    let folder = TempModels::new().unwrap();
    let wide = load(folder.write("wide.gguf", &Llama { head_dim: 64, ..Llama::tiny() }.file()).unwrap());
    for model in [llama(), hybrid(), mamba(), &wide] {
        for (cache_k, cache_v) in types.iter().flat_map(|&k| [(k, C::F16), (C::F16, k), (k, k)]) {
            for flash_attention in [FlashAttention::Off, FlashAttention::On, FlashAttention::Auto] {
                let mut params = exact();
                (params.cache_k, params.cache_v, params.flash_attention) = (cache_k, cache_v, flash_attention);
                let Ok(mut ctx) = Context::new(model, params) else { continue };
                assert!(feed(&mut ctx, &any_tokens(model, 20, 1), SeqId::ZERO).iter().all(|x| x.is_finite()));
                if ctx.memory().unwrap().capabilities().shift {
                    ctx.memory().unwrap().shift(SeqId::ZERO, .., 3).unwrap();
                    feed(&mut ctx, &any_tokens(model, 2, 2), SeqId::ZERO);
                }
            }
        }
    }
    let mut params = exact();
    params.cache_v = C::Q8_0;
    let error = Context::new(llama(), params).unwrap_err();
    assert!(matches!(&error, ContextError::Refused { reason } if reason.contains("flash_attn")), "{error}");
}

#[test]
fn a_decode_before_any_error_and_after_it_is_the_same() {
    // A long run of mistakes in one context.
    let params = exact_sequences(2, true);
    let mut ctx = context(llama(), &params);
    let mut random = llama_testkit::random::Random::new(5);
    for _ in 0..300 {
        let mut batch = Batch::new(8);
        for _ in 0..random.below(4) {
            let small = |random: &mut llama_testkit::random::Random| i32::try_from(random.below(6)).unwrap() - 1;
            let (token, pos, seq) = (small(&mut random) * 70, small(&mut random), small(&mut random));
            let want = if random.below(2) == 0 { Want::Output } else { Want::Nothing };
            let _ = batch.push(Token(token), Pos(pos), SeqId(seq), want);
        }
        let _ = ctx.decode(&mut batch);
        if random.below(8) == 0 {
            let _ = ctx.memory().unwrap().remove(SeqId(0), i32::try_from(random.below(4)).unwrap()..);
        }
        if random.below(8) == 0 {
            let _ = ctx.memory().unwrap().copy(SeqId(0), SeqId(1), ..);
        }
        if random.below(8) == 0 {
            let _ = ctx.memory().unwrap().shift(SeqId(1), .., 1);
        }
    }
    assert_as_good_as_new(&mut ctx, &params);
}
