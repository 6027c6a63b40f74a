//! What a step that goes wrong leaves behind.

use super::turn::{MODEL, Turn, ask, pieces, seq, wide};
use crate::error::GenerateError;
use crate::executor::Abilities;
use crate::plan::{AdapterKey, CacheOp};
use crate::scheduler::{Ask, Bounds};
use crate::testing::{FakeExecutor, Trouble};

/// Two sequences that have their prompts, and a cached prefix.
fn two() -> Turn {
    let mut turn = Turn::new(FakeExecutor::small(), wide());
    turn.admit(ask(9, 500..520, 1)).unwrap();
    turn.drain();
    turn.admit(ask(1, 0..10, 8)).unwrap();
    turn.admit(ask(2, 100..110, 8)).unwrap();
    turn.step();
    turn
}

fn assert_right(turn: &Turn, asks: &[Ask]) {
    for ask in asks {
        let alone = MODEL.alone(&ask.prompt, AdapterKey(0), ask.max_tokens.unwrap());
        assert_eq!(turn.answers[&seq(ask.id.0)], alone, "{:?}", ask.id);
    }
}

#[test]
fn without_room_cached_prefixes_go_then_the_last_in_rank_then_it_fails() {
    let mut turn = two();
    let (_, settled) = turn.step_with(Trouble::NoRoom);
    assert!(settled.faults.is_empty());
    let stats = turn.scheduler.stats();
    assert_eq!((stats.cells_cached, stats.running), (0, 2));

    turn.step_with(Trouble::NoRoom);
    assert_eq!(turn.scheduler.running().collect::<Vec<_>>(), [seq(1)]);
    let (plan, settled) = turn.step_with(Trouble::NoRoom);
    assert_eq!(pieces(&plan), [(1, 10, 1, true)], "the other one does not come back at once");
    assert!(matches!(settled.faults[0].error, GenerateError::NoRoom { tokens: 11 }), "{settled:?}");
    assert_eq!(settled.faults[0].seq, seq(1));
    turn.drain();
    assert_right(&turn, &[ask(2, 100..110, 8)]);
}

#[test]
fn after_an_abort_what_was_stored_counts_but_the_last_known_token_is_computed_again() {
    let mut turn = two();
    let (plan, _) = turn.step_with(Trouble::Abort { keep: 1 });
    assert_eq!(pieces(&plan), [(1, 10, 1, true), (2, 10, 1, true)]);
    let (plan, _) = turn.step();
    assert_eq!(plan.ops, [CacheOp::Truncate { slot: plan.pieces[0].slot, len: 10 }]);
    assert_eq!(pieces(&plan), [(1, 10, 1, true), (2, 10, 1, true)]);
    turn.drain();
    assert_right(&turn, &[ask(1, 0..10, 8), ask(2, 100..110, 8)]);
}

#[test]
fn a_prompt_that_was_aborted_goes_on_where_it_was() {
    let mut turn = Turn::new(FakeExecutor::small(), wide());
    turn.admit(ask(1, 0..50, 2)).unwrap();
    turn.step_with(Trouble::Abort { keep: 20 });
    assert_eq!(pieces(&turn.step().0), [(1, 20, 30, true)]);

    let mut turn = Turn::new(Abilities { partial: false, ..FakeExecutor::small() }, wide());
    turn.admit(ask(1, 0..50, 2)).unwrap();
    turn.step_with(Trouble::Abort { keep: 20 });
    assert_eq!(pieces(&turn.step().0), [(1, 0, 50, true)]);
}

#[test]
fn a_backend_that_fails_takes_those_it_computed_and_the_others_start_again() {
    let mut turn = two();
    turn.blocked.insert(seq(2));
    let (_, settled) = turn.step_with(Trouble::Fail);
    assert_eq!(settled.faults.iter().map(|fault| fault.seq).collect::<Vec<_>>(), [seq(1)]);
    assert_eq!(turn.scheduler.stats().cells_used, 0);
    turn.blocked.clear();
    assert_eq!(pieces(&turn.step().0), [(2, 0, 11, true)]);
    turn.drain();
    assert_right(&turn, &[ask(2, 100..110, 8)]);
}

#[test]
fn a_slot_that_holds_something_else_is_computed_again() {
    let mut turn = two();
    turn.step_with(Trouble::Misplace);
    let (plan, _) = turn.step();
    assert_eq!(pieces(&plan), [(2, 11, 1, true), (1, 5, 6, true)]);
    turn.drain();
    assert_right(&turn, &[ask(1, 0..10, 8), ask(2, 100..110, 8)]);
}

#[test]
fn what_is_not_a_number_fails_only_who_computes_it_alone() {
    let mut turn = two();
    let (_, settled) = turn.step_with(Trouble::Poison);
    assert!(settled.faults.is_empty(), "it may be the other one's doing");
    assert_eq!(turn.scheduler.stats().cells_used, 0);
    let (plan, settled) = turn.step_with(Trouble::Poison);
    assert_eq!(pieces(&plan), [(1, 0, 11, true)], "the first of those it reached is alone");
    assert_eq!(settled.faults.iter().map(|fault| fault.seq).collect::<Vec<_>>(), [seq(1)]);
    turn.answers.remove(&seq(1));
    turn.drain();
    assert_right(&turn, &[ask(2, 100..110, 8)]);
}

#[test]
fn who_was_only_reached_by_what_is_not_a_number_goes_on() {
    let mut turn = two();
    turn.step_with(Trouble::Poison);
    turn.drain();
    assert_right(&turn, &[ask(1, 0..10, 8), ask(2, 100..110, 8)]);
}

#[test]
fn a_token_that_cannot_be_chosen_hurts_only_its_sequence() {
    let mut turn = two();
    let (_, settled) = turn.step_with(Trouble::FailSample);
    assert_eq!(settled.faults.len(), 1);
    turn.answers.remove(&seq(1));
    turn.drain();
    assert_right(&turn, &[ask(2, 100..110, 8)]);
}

#[test]
fn what_cannot_be_saved_or_loaded_is_computed_again() {
    for trouble in [Trouble::FailSave, Trouble::FailLoad] {
        let abilities = Abilities { slots: 1, ..FakeExecutor::small() };
        let mut turn = Turn::new(abilities, Bounds { host_memory: 1000, max_sequences: 1, ..wide() });
        turn.admit(ask(1, 0..20, 1)).unwrap();
        turn.drain();
        turn.admit(ask(2, 100..120, 1)).unwrap();
        turn.step_with(trouble.clone());
        let saved = matches!(trouble, Trouble::FailLoad);
        assert_eq!(turn.scheduler.stats().host_bytes > 0, saved);
        turn.admit(ask(3, 0..30, 1)).unwrap();
        turn.step_with(trouble);
        if saved {
            assert_eq!(pieces(&turn.plan()), [(3, 0, 30, true)], "its slot stayed empty");
        }
        assert_eq!(turn.scheduler.stats().running, usize::from(saved));
    }
}
