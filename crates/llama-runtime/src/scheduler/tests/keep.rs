//! Prefixes that leave the process and come back.

use llama_core::Token;

use super::turn::{Turn, ask, pieces, wide};
use crate::executor::{Abilities, Executor};
use crate::plan::{CacheOp, Slot};
use crate::scheduler::{Bounds, Kept, NoPlace, Placed};
use crate::testing::FakeExecutor;

fn tokens(range: std::ops::Range<i32>) -> Vec<Token> {
    range.map(Token).collect()
}

impl Turn {
    /// What is saved of a prompt, and the operations that did it.
    fn save(&mut self, prompt: std::ops::Range<i32>) -> (Option<(usize, Vec<u8>)>, Vec<CacheOp>) {
        let kept = self.scheduler.save_prefix(&tokens(prompt)).unwrap();
        let plan = self.plan_changes();
        let saved = kept.map(|Kept { blob, tokens, stays }| {
            let bytes = if stays { self.executor.export(blob) } else { self.executor.take_out(blob) };
            (tokens, bytes.unwrap())
        });
        (saved, plan)
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<Placed, NoPlace> {
        let blob = self.scheduler.name_blob();
        let tokens = self.executor.import(blob, bytes.to_vec()).unwrap();
        let placed = self.scheduler.place_prefix(blob, &tokens, bytes.len());
        self.plan_changes();
        placed
    }

    fn plan_changes(&mut self) -> Vec<CacheOp> {
        let plan = self.scheduler.plan_changes();
        self.finish(&plan);
        plan.ops
    }
}

/// A prompt of 40 tokens that was answered, saved.
fn saved(abilities: Abilities) -> Vec<u8> {
    let mut turn = Turn::new(abilities, wide());
    turn.admit(ask(1, 0..40, 1)).unwrap();
    turn.drain();
    let (Some((40, bytes)), _) = turn.save(0..50) else { panic!("40 tokens were computed") };
    bytes
}

#[test]
fn what_is_restored_is_not_computed_again() {
    for partial in [true, false] {
        let abilities = Abilities { partial, ..FakeExecutor::small() };
        let bytes = saved(abilities);
        let mut turn = Turn::new(abilities, wide());
        assert_eq!(turn.restore(&bytes), Ok(Placed::Cells));
        assert_eq!((turn.scheduler.stats().cells_used, turn.executor.blobs()), (40, 0));
        assert_eq!(turn.restore(&bytes), Ok(Placed::Known), "once is enough");
        turn.admit(ask(2, 0..50, 1)).unwrap();
        assert_eq!(pieces(&turn.step().0), [(2, 40, 10, true)]);
    }
}

#[test]
fn of_something_longer_only_the_beginning_is_saved_and_nothing_is_lost() {
    let mut turn = Turn::new(FakeExecutor::small(), wide());
    turn.admit(ask(1, 0..40, 10)).unwrap();
    turn.step();
    let (saved, ops) = turn.save(0..30);
    assert_eq!(saved.map(|(tokens, bytes)| (tokens, bytes.len())), Some((30, 30 * 16)));
    assert_eq!(ops[0], CacheOp::Copy { from: Slot(0), to: Slot(1), len: 30 });
    assert_eq!(ops[2], CacheOp::Truncate { slot: Slot(1), len: 0 });
    turn.drain();
    assert_eq!(turn.scheduler.stats().prompt_computed, 40, "the request that ran went on");
}

#[test]
fn nothing_is_saved_of_what_is_not_there_or_not_worth_it() {
    let mut turn = Turn::new(FakeExecutor::small(), wide());
    assert_eq!(turn.save(0..40), (None, vec![]));
    turn.admit(ask(1, 0..40, 1)).unwrap();
    turn.drain();
    assert_eq!(turn.save(100..140), (None, vec![]));
    let three_of_40 = tokens(0..3).into_iter().chain(tokens(200..300)).collect::<Vec<_>>();
    assert_eq!(turn.scheduler.save_prefix(&three_of_40), Ok(None), "fewer than min_prefix");
}

#[test]
fn where_sequences_cannot_be_cut_only_a_whole_one_is_saved() {
    let mut turn = Turn::new(Abilities { partial: false, ..FakeExecutor::small() }, wide());
    turn.admit(ask(1, 0..40, 1)).unwrap();
    turn.drain();
    assert_eq!(turn.save(0..30), (None, vec![]));
    assert!(turn.save(0..40).0.is_some());
}

#[test]
fn what_is_in_host_memory_is_saved_from_there() {
    let abilities = Abilities { slots: 1, ..FakeExecutor::small() };
    let mut turn = Turn::new(abilities, Bounds { host_memory: 1000, max_sequences: 1, ..wide() });
    turn.admit(ask(1, 0..40, 1)).unwrap();
    turn.drain();
    turn.admit(ask(2, 100..110, 1)).unwrap();
    turn.drain();
    let (Some((40, _)), ops) = turn.save(0..50) else { panic!("it is in host memory") };
    assert!(ops.is_empty());
    // Of a longer one the beginning is cut out, in the slot that nobody uses.
    let (Some((30, bytes)), ops) = turn.save(0..30) else { panic!("it is in host memory") };
    assert!(ops.iter().any(|op| matches!(op, CacheOp::Load { .. })), "{ops:?}");
    assert_eq!(bytes.len(), 30 * 16);
}

#[test]
fn what_finds_no_room_in_the_cells_goes_to_host_memory_or_is_refused() {
    let bytes = saved(FakeExecutor::small());
    let abilities = Abilities { cells: Some(100), sequence_limit: 100, ..FakeExecutor::small() };
    for (host_memory, expected) in [(0, Err(NoPlace::Now)), (639, Err(NoPlace::Now)), (640, Ok(Placed::Host))] {
        let mut turn = Turn::new(abilities, Bounds { host_memory, ..wide() });
        turn.admit(ask(1, 100..140, 30)).unwrap();
        turn.step();
        assert_eq!(turn.restore(&bytes), expected, "{host_memory} bytes of host memory");
        turn.drain();
        turn.admit(ask(2, 0..50, 1)).unwrap();
        turn.step();
        let reused = turn.scheduler.stats().prompt_reused;
        assert_eq!(reused, if expected.is_ok() { 40 } else { 0 });
    }
    let small = Abilities { cells: Some(39), sequence_limit: 39, ..FakeExecutor::small() };
    assert_eq!(Turn::new(small, wide()).restore(&bytes), Err(NoPlace::Never { limit: 39 }));
}

#[test]
fn idle_prefixes_make_room_and_running_ones_do_not() {
    let bytes = saved(FakeExecutor::small());
    let abilities = Abilities { cells: Some(100), sequence_limit: 100, ..FakeExecutor::small() };
    let mut turn = Turn::new(abilities, wide());
    turn.admit(ask(1, 100..190, 1)).unwrap();
    turn.drain();
    assert_eq!(turn.restore(&bytes), Ok(Placed::Cells));
    assert_eq!(turn.scheduler.stats().cells_used, 40);
}
