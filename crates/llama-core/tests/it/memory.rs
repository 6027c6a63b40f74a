//! The KV cache and the recurrent state: cutting, copying, shifting, and refusing to.

use crate::setup::{
    any_tokens, apart, argmax, assert_as_good_as_new, bert, context, exact, exact_sequences, feed, hybrid, llama, mamba,
};
use llama_core::{Context, MemoryError, Model, Pos, SeqId};
use std::ops::RangeInclusive;

const A: SeqId = SeqId(0);
const B: SeqId = SeqId(1);

fn positions(ctx: &mut Context, seq: SeqId) -> Option<RangeInclusive<i32>> {
    ctx.memory().unwrap().positions(seq).unwrap()
}

/// Logits after these tokens in a context that saw nothing else.
fn fresh(model: &Model, tokens: &[llama_core::Token]) -> Vec<f32> {
    feed(&mut context(model, &exact()), tokens, A)
}

#[test]
fn capabilities_are_those_of_the_model() {
    let capabilities = |model, sequences, unified| {
        context(model, &exact_sequences(sequences, unified)).memory().unwrap().capabilities()
    };
    for (sequences, unified, partial_copy) in [(1, false, true), (2, true, true), (2, false, false)] {
        let found = capabilities(llama(), sequences, unified);
        assert!(found.partial_removal && found.shift);
        assert_eq!(found.partial_copy, partial_copy);
    }
    for model in [mamba(), hybrid()] {
        let found = capabilities(model, 2, false);
        assert!(!found.partial_removal && !found.shift && !found.partial_copy);
    }
}

#[test]
fn an_encoder_has_no_memory() {
    assert_eq!(context(bert(), &exact()).memory().err(), Some(MemoryError::NoMemory));
}

#[test]
fn positions_follow_what_is_decoded() {
    let mut ctx = context(llama(), &exact_sequences(2, false));
    assert_eq!(positions(&mut ctx, A), None);
    assert_eq!(ctx.memory().unwrap().next_position(A), Ok(Pos(0)));
    feed(&mut ctx, &any_tokens(llama(), 10, 1), A);
    assert_eq!((positions(&mut ctx, A), positions(&mut ctx, B)), (Some(0..=9), None));
    assert_eq!(ctx.memory().unwrap().next_position(A), Ok(Pos(10)));
    ctx.memory().unwrap().clear().unwrap();
    assert_eq!(positions(&mut ctx, A), None);
}

#[test]
fn a_tail_that_is_removed_can_be_decoded_anew() {
    for unified in [false, true] {
        let tokens = any_tokens(llama(), 40, 1);
        let other = any_tokens(llama(), 20, 2);
        let mut ctx = context(llama(), &exact_sequences(2, unified));
        feed(&mut ctx, &other, B);
        feed(&mut ctx, &tokens, A);
        ctx.memory().unwrap().remove(A, 25..).unwrap();
        assert_eq!((positions(&mut ctx, A), positions(&mut ctx, B)), (Some(0..=24), Some(0..=19)));
        let rest = any_tokens(llama(), 10, 3);
        let found = feed(&mut ctx, &rest, A);
        assert!(apart(&found, &fresh(llama(), &[&tokens[..25], &rest[..]].concat())) <= 1e-4);
        // What nobody touched is as it was.
        let found = feed(&mut ctx, &rest, B);
        assert!(apart(&found, &fresh(llama(), &[&other[..], &rest[..]].concat())) <= 1e-4);
    }
}

#[test]
fn ranges_outside_what_is_held_remove_nothing() {
    let mut ctx = context(llama(), &exact());
    feed(&mut ctx, &any_tokens(llama(), 10, 1), A);
    let mut memory = ctx.memory().unwrap();
    memory.remove(A, 10..).unwrap();
    memory.remove(A, 3..3).unwrap();
    #[allow(clippy::reversed_empty_ranges, reason = "what a caller may do by mistake")]
    memory.remove(A, 7..2).unwrap();
    memory.remove(A, i32::MIN..0).unwrap();
    memory.remove(A, i32::MAX..=i32::MAX).unwrap();
    assert_eq!(memory.positions(A), Ok(Some(0..=9)));
    memory.remove(A, i32::MIN..=i32::MAX).unwrap();
    assert_eq!(memory.positions(A), Ok(None));
}

#[test]
fn the_middle_can_be_removed_and_the_gap_closed() {
    let tokens = any_tokens(llama(), 60, 4);
    let mut ctx = context(llama(), &exact());
    feed(&mut ctx, &tokens, A);
    let mut memory = ctx.memory().unwrap();
    memory.remove(A, 10..30).unwrap();
    assert_eq!(memory.positions(A), Ok(Some(0..=59)));
    memory.shift(A, 30.., -20).unwrap();
    assert_eq!(memory.positions(A), Ok(Some(0..=39)));
    let rest = any_tokens(llama(), 5, 5);
    let found = feed(&mut ctx, &rest, A);
    assert_eq!(positions(&mut ctx, A), Some(0..=44));
    // The values of the shifted tokens remember what was removed, so this is near a new decode, not equal to it.
    assert!(found.iter().all(|x| x.is_finite()));
    assert_as_good_as_new(&mut ctx, &exact());
}

#[test]
fn a_shift_turns_the_keys_as_a_decode_at_the_new_place_would() {
    // Attention sees distances only, so a whole sequence that is moved gives the same logits.
    let tokens = any_tokens(llama(), 30, 6);
    let mut ctx = context(llama(), &exact());
    feed(&mut ctx, &tokens[..29], A);
    ctx.memory().unwrap().shift(A, .., 100).unwrap();
    assert_eq!(positions(&mut ctx, A), Some(100..=128));
    let found = feed(&mut ctx, &tokens[29..], A);
    assert!(apart(&found, &fresh(llama(), &tokens)) <= 1e-3, "{}", apart(&found, &fresh(llama(), &tokens)));
    ctx.memory().unwrap().shift(A, .., -100).unwrap();
    ctx.memory().unwrap().remove(A, 29..).unwrap();
    let found = feed(&mut ctx, &tokens[29..], A);
    assert!(apart(&found, &fresh(llama(), &tokens)) <= 1e-3);
}

#[test]
fn context_shift_lets_generation_go_on_beyond_the_context() {
    let mut ctx = context(llama(), &exact());
    let n_ctx = i32::try_from(ctx.n_ctx()).unwrap();
    let mut logits = feed(&mut ctx, &any_tokens(llama(), 200, 7), A);
    let (keep, discard) = (10, 60);
    for _ in 0..200 {
        if ctx.memory().unwrap().next_position(A).unwrap().0 == n_ctx {
            let mut memory = ctx.memory().unwrap();
            memory.remove(A, keep..keep + discard).unwrap();
            memory.shift(A, keep + discard.., -discard).unwrap();
            assert_eq!(memory.next_position(A), Ok(Pos(n_ctx - discard)));
        }
        let token = argmax(&logits);
        logits = feed(&mut ctx, &[token], A);
    }
    assert_as_good_as_new(&mut ctx, &exact());
}

#[test]
fn a_copied_prefix_goes_on_as_if_decoded_separately() {
    for model in [llama(), mamba(), hybrid()] {
        for unified in [false, true] {
            let (start, a, b) = (any_tokens(model, 30, 1), any_tokens(model, 6, 2), any_tokens(model, 6, 3));
            let mut ctx = context(model, &exact_sequences(2, unified));
            feed(&mut ctx, &any_tokens(model, 9, 4), B);
            feed(&mut ctx, &start, A);
            // What the target held before is gone.
            ctx.memory().unwrap().copy(A, B, ..).unwrap();
            assert_eq!(positions(&mut ctx, B).map(|held| *held.end()), Some(29));
            for (seq, rest) in [(A, &a), (B, &b)] {
                let found = feed(&mut ctx, rest, seq);
                let expected = fresh(model, &[&start[..], &rest[..]].concat());
                assert!(apart(&found, &expected) <= 1e-4, "{model:?}, unified: {unified}, sequence {seq}");
            }
        }
    }
}

#[test]
fn a_part_is_copied_where_cells_are_shared() {
    let tokens = any_tokens(llama(), 30, 1);
    let mut ctx = context(llama(), &exact_sequences(2, true));
    feed(&mut ctx, &tokens, A);
    ctx.memory().unwrap().copy(A, B, ..20).unwrap();
    assert_eq!(positions(&mut ctx, B), Some(0..=19));
    let found = feed(&mut ctx, &tokens[20..], B);
    assert!(apart(&found, &fresh(llama(), &tokens)) <= 1e-4);
}

#[test]
fn copying_a_part_between_separate_caches_is_an_error() {
    for model in [llama(), mamba(), hybrid()] {
        let mut ctx = context(model, &exact_sequences(2, false));
        feed(&mut ctx, &any_tokens(model, 30, 1), A);
        feed(&mut ctx, &any_tokens(model, 5, 2), B);
        let mut memory = ctx.memory().unwrap();
        assert_eq!(memory.copy(A, B, ..20), Err(MemoryError::PartialCopy));
        assert_eq!(memory.positions(B).unwrap().map(|held| *held.end()), Some(4), "nothing was changed");
    }
}

#[test]
fn copying_nothing_empties_the_target() {
    let mut ctx = context(llama(), &exact_sequences(2, true));
    feed(&mut ctx, &any_tokens(llama(), 5, 1), B);
    ctx.memory().unwrap().copy(A, B, ..).unwrap();
    assert_eq!(positions(&mut ctx, B), None);
    feed(&mut ctx, &any_tokens(llama(), 5, 1), A);
    ctx.memory().unwrap().copy(A, A, ..).unwrap();
    assert_eq!(positions(&mut ctx, A), Some(0..=4), "a copy to itself changes nothing");
}

#[test]
fn keeping_one_sequence_removes_the_others() {
    for model in [llama(), mamba(), hybrid()] {
        let mut ctx = context(model, &exact_sequences(3, false));
        for seq in 0..3_u8 {
            feed(&mut ctx, &any_tokens(model, 10 + usize::from(seq), 1), SeqId(seq.into()));
        }
        ctx.memory().unwrap().keep(B).unwrap();
        let ends = [0, 1, 2].map(|seq| positions(&mut ctx, SeqId(seq)).map(|held| *held.end()));
        assert_eq!(ends, [None, Some(10), None]);
    }
}

#[test]
fn positions_can_be_divided() {
    let mut ctx = context(llama(), &exact());
    feed(&mut ctx, &any_tokens(llama(), 20, 1), A);
    let mut memory = ctx.memory().unwrap();
    memory.divide(A, .., 4).unwrap();
    assert_eq!(memory.positions(A), Ok(Some(0..=4)));
    memory.divide(A, .., 1).unwrap();
    for divisor in [0, -1, i32::MIN] {
        assert_eq!(memory.divide(A, .., divisor), Err(MemoryError::ImpossibleShift { delta: divisor }));
    }
    feed(&mut ctx, &any_tokens(llama(), 3, 2), A);
    assert_eq!(positions(&mut ctx, A), Some(0..=7));
    assert_as_good_as_new(&mut ctx, &exact());
}

#[test]
fn a_shift_to_an_impossible_position_is_an_error() {
    let mut ctx = context(llama(), &exact());
    feed(&mut ctx, &any_tokens(llama(), 20, 1), A);
    let mut memory = ctx.memory().unwrap();
    for delta in [-1, -20, i32::MIN, i32::MAX] {
        assert_eq!(memory.shift(A, .., delta), Err(MemoryError::ImpossibleShift { delta }));
    }
    memory.shift(A, .., 0).unwrap();
    memory.shift(A, 50.., -10).unwrap();
    assert_eq!(memory.positions(A), Ok(Some(0..=19)));
    assert_as_good_as_new(&mut ctx, &exact());
}

#[test]
fn a_shift_cannot_move_the_tokens_of_another_sequence() {
    let tokens = any_tokens(llama(), 20, 1);
    let mut ctx = context(llama(), &exact_sequences(2, true));
    feed(&mut ctx, &tokens, A);
    let mut memory = ctx.memory().unwrap();
    memory.copy(A, B, ..).unwrap();
    assert!(matches!(memory.shift(A, .., 5), Err(MemoryError::ShiftUnsupported { .. })));
    assert!(matches!(memory.divide(A, .., 2), Err(MemoryError::ShiftUnsupported { .. })));
    assert_eq!(memory.positions(B), Ok(Some(0..=19)));
    memory.remove(B, ..).unwrap();
    memory.shift(A, .., 5).unwrap();
    assert_eq!(memory.positions(A), Ok(Some(5..=24)));
}

#[test]
fn a_model_that_cannot_shift_says_so() {
    for model in [mamba(), hybrid()] {
        let mut ctx = context(model, &exact());
        let tokens = any_tokens(model, 20, 1);
        feed(&mut ctx, &tokens, A);
        let mut memory = ctx.memory().unwrap();
        assert!(matches!(memory.shift(A, 10.., -5), Err(MemoryError::ShiftUnsupported { .. })));
        assert!(matches!(memory.divide(A, .., 2), Err(MemoryError::ShiftUnsupported { .. })));
        let rest = any_tokens(model, 5, 2);
        let found = feed(&mut ctx, &rest, A);
        assert!(apart(&found, &fresh(model, &[&tokens[..], &rest[..]].concat())) <= 1e-4, "nothing was changed");
    }
}

#[test]
fn a_state_cannot_lose_a_part() {
    for model in [mamba(), hybrid()] {
        let mut ctx = context(model, &exact());
        let tokens = any_tokens(model, 20, 1);
        feed(&mut ctx, &tokens, A);
        for range in [10..20, 19..20, 0..5, 5..10] {
            assert_eq!(ctx.memory().unwrap().remove(A, range), Err(MemoryError::PartialRemoval { seq: A }));
            assert_eq!(positions(&mut ctx, A), Some(0..=19));
        }
        let rest = any_tokens(model, 5, 2);
        let found = feed(&mut ctx, &rest, A);
        assert!(apart(&found, &fresh(model, &[&tokens[..], &rest[..]].concat())) <= 1e-4, "nothing was changed");
        ctx.memory().unwrap().remove(A, 0..).unwrap();
        assert_as_good_as_new(&mut ctx, &exact());
    }
}

#[test]
fn a_sequence_outside_the_context_is_an_error() {
    let mut ctx = context(llama(), &exact_sequences(2, false));
    feed(&mut ctx, &any_tokens(llama(), 20, 1), A);
    let mut memory = ctx.memory().unwrap();
    for seq in [2, 255, 256, -1, i32::MIN, i32::MAX].map(SeqId) {
        let error = MemoryError::SequenceOutOfRange { seq, n_seq_max: 2 };
        assert_eq!(memory.positions(seq), Err(error.clone()));
        assert_eq!(memory.next_position(seq), Err(error.clone()));
        assert_eq!(memory.remove(seq, ..), Err(error.clone()));
        assert_eq!(memory.copy(A, seq, ..), Err(error.clone()));
        assert_eq!(memory.copy(seq, A, ..), Err(error.clone()));
        assert_eq!(memory.keep(seq), Err(error.clone()));
        assert_eq!(memory.shift(seq, .., 1), Err(error.clone()));
        assert_eq!(memory.divide(seq, .., 2), Err(error));
    }
    assert_eq!(memory.positions(A), Ok(Some(0..=19)));
}
