//! What was computed once is not computed again.

use llama_core::Token;

use super::turn::{Turn, ask, pieces, seq, wide};
use crate::executor::Abilities;
use crate::plan::{BlobId, CacheOp, Slot};
use crate::scheduler::{Ask, Bounds, Progress, Why};
use crate::testing::FakeExecutor;

/// 500 tokens that all begin with, and 20 of its own.
fn long(id: u64) -> Ask {
    let own = 1000 + 100 * i32::try_from(id).unwrap();
    Ask { prompt: (0..500).chain(own..own + 20).map(Token).collect(), ..ask(id, 0..0, 4) }
}

fn large() -> (Abilities, Bounds) {
    let abilities =
        Abilities { slots: 16, cells: Some(4096), sequence_limit: 4096, batch_limit: 512, ..FakeExecutor::small() };
    (abilities, Bounds { max_sequences: 8, step_tokens: 512, min_prefix: 16, ..wide() })
}

#[test]
fn eight_requests_that_begin_alike_compute_the_beginning_once() {
    let (abilities, bounds) = large();
    for partial in [true, false] {
        let mut turn = Turn::new(Abilities { partial, ..abilities }, bounds.clone());
        turn.admit(long(0)).unwrap();
        let mut waiting: Vec<Ask> = (1..8).map(long).collect();
        for _ in 0..3 {
            let refused = std::mem::take(&mut waiting).into_iter().filter(|ask| {
                let refused = turn.admit(ask.clone());
                assert!(matches!(refused, Ok(()) | Err(Why::Prefix { leader: _ })), "{refused:?}");
                refused.is_err()
            });
            waiting = refused.collect();
            turn.step();
        }
        assert!(waiting.is_empty());
        turn.drain();
        assert_eq!(turn.scheduler.stats().prompt_computed, 500 + 8 * 20, "partial: {partial}");
        assert_eq!(turn.scheduler.stats().prompt_reused, 7 * 500);
        assert_eq!(turn.ended.len(), 8);
    }
}

#[test]
fn who_waits_for_a_leader_goes_on_when_it_vanishes() {
    let (abilities, bounds) = large();
    let mut turn = Turn::new(abilities, Bounds { step_tokens: 100, ..bounds });
    turn.admit(long(0)).unwrap();
    turn.step();
    assert_eq!(turn.admit(long(1)), Err(Why::Prefix { leader: seq(0) }));
    turn.scheduler.end(seq(0));
    turn.admit(long(1)).unwrap();
    assert_eq!(turn.scheduler.progress(seq(1)), Some(Progress { prompt: 520, computed: 100, reused: 100 }));
}

#[test]
fn choices_share_their_prompt() {
    for partial in [true, false] {
        let mut turn = Turn::new(Abilities { partial, ..FakeExecutor::small() }, wide());
        turn.admit(Ask { choices: 3, ..ask(1, 0..50, 4) }).unwrap();
        assert_eq!(turn.scheduler.stats().cells_reserved, 54 + 2 * 5);
        turn.drain();
        assert_eq!(turn.scheduler.stats().prompt_computed, 49 + 3, "partial: {partial}");
        let answers: Vec<_> = turn.answers.values().collect();
        assert_eq!((answers.len(), answers[0].len()), (3, 4));
        assert_eq!((answers[1], answers[2]), (answers[0], answers[0]));
    }
}

#[test]
fn choices_go_on_without_the_first_one() {
    let mut turn = Turn::new(FakeExecutor::small(), wide());
    turn.admit(Ask { choices: 3, ..ask(1, 0..100, 4) }).unwrap();
    turn.step();
    turn.scheduler.end(seq(1));
    turn.drain();
    assert_eq!(turn.ended.len(), 2);
    assert_eq!(turn.scheduler.stats().prompt_computed, 99 + 2);
}

#[test]
fn the_next_turn_of_a_chat_goes_on_in_its_slot_and_a_branch_gets_a_copy() {
    let mut turn = Turn::new(FakeExecutor::small(), wide());
    turn.admit(ask(1, 0..20, 1)).unwrap();
    turn.drain();
    turn.admit(ask(2, 0..30, 1)).unwrap();
    let (plan, _) = turn.step();
    assert_eq!((pieces(&plan), plan.ops.len()), (vec![(2, 20, 10, true)], 0));
    turn.admit(ask(3, 0..12, 1)).unwrap();
    let (plan, _) = turn.step();
    assert_eq!(pieces(&plan), [(3, 11, 1, true)]);
    assert_eq!(plan.ops, [CacheOp::Copy { from: Slot(0), to: Slot(1), len: 11 }]);
}

#[test]
fn where_sequences_cannot_be_cut_only_whole_ones_are_reused() {
    let mut turn = Turn::new(Abilities { partial: false, ..FakeExecutor::small() }, wide());
    turn.admit(ask(1, 0..20, 1)).unwrap();
    turn.drain();
    turn.admit(ask(2, 0..12, 1)).unwrap();
    assert_eq!(pieces(&turn.step().0), [(2, 0, 12, true)]);
    turn.admit(ask(3, 0..20, 1)).unwrap();
    assert_eq!(pieces(&turn.step().0), [(3, 12, 8, true)], "the last token is needed, so only 0..12 is of use");
}

#[test]
fn what_falls_out_of_the_cache_is_saved_and_loaded_again() {
    let abilities = Abilities { slots: 1, ..FakeExecutor::small() };
    let mut turn = Turn::new(abilities, Bounds { host_memory: 200, max_sequences: 1, ..wide() });
    turn.admit(ask(1, 0..20, 1)).unwrap();
    turn.drain();
    turn.admit(ask(2, 100..130, 1)).unwrap();
    let (plan, _) = turn.step();
    let tokens = (0..20).map(Token).collect();
    let (slot, blob) = (Slot(0), BlobId(0));
    assert_eq!(plan.ops, [CacheOp::Save { slot, blob, tokens }, CacheOp::Truncate { slot, len: 0 }]);
    assert_eq!(turn.scheduler.stats().host_bytes, 16 + 4 * 20);

    turn.admit(ask(3, 0..25, 1)).unwrap();
    let (plan, _) = turn.step();
    assert_eq!(pieces(&plan), [(3, 20, 5, true)]);
    assert_eq!(plan.ops.last(), Some(&CacheOp::Forget { blob }), "it is in the slot now");
    assert!(plan.ops.contains(&CacheOp::Load { blob, slot }));
}

#[test]
fn what_is_too_long_to_be_loaded_for_its_beginning_is_left_alone() {
    let abilities = Abilities { slots: 2, cells: Some(64), ..FakeExecutor::small() };
    let mut turn = Turn::new(abilities, Bounds { host_memory: 1000, max_sequences: 2, ..wide() });
    turn.admit(ask(1, 0..40, 1)).unwrap();
    turn.drain();
    turn.admit(ask(2, 100..140, 9)).unwrap();
    turn.step();
    assert!(turn.scheduler.stats().host_bytes > 0);
    turn.admit(ask(3, 0..10, 1)).unwrap();
    assert_eq!(pieces(&turn.step().0)[1], (3, 0, 10, true), "40 cells are not free");
    turn.drain();
}

#[test]
fn without_reuse_nothing_is_kept_or_waited_for() {
    let mut turn = Turn::new(FakeExecutor::small(), Bounds { prefix_reuse: false, ..wide() });
    turn.admit(ask(1, 0..20, 1)).unwrap();
    turn.admit(ask(2, 0..20, 1)).unwrap();
    turn.drain();
    turn.admit(ask(3, 0..20, 1)).unwrap();
    turn.drain();
    assert_eq!(turn.scheduler.stats().prompt_computed, 60);
    assert_eq!(turn.scheduler.stats().cells_used, 0);
}
