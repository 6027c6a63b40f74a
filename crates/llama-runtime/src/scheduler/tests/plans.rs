//! What a step computes: budgets, turns, reservations.

use super::turn::{MS, Turn, ask, embed, pieces, seq, wide};
use crate::executor::Abilities;
use crate::plan::AdapterKey;
use crate::priority::Priority;
use crate::scheduler::{Ask, Bounds, NeverFits, Progress, Scheduler, Why};
use crate::testing::FakeExecutor;

#[test]
fn a_prompt_is_computed_in_chunks_and_its_last_token_tells_the_next() {
    let mut turn = Turn::new(FakeExecutor::small(), wide());
    turn.admit(ask(1, 0..100, 3)).unwrap();
    assert_eq!(pieces(&turn.step().0), [(1, 0, 64, false)]);
    assert_eq!(turn.scheduler.progress(seq(1)), Some(Progress { prompt: 100, computed: 64, reused: 0 }));
    assert_eq!(pieces(&turn.step().0), [(1, 64, 36, true)]);
    assert_eq!(pieces(&turn.step().0), [(1, 100, 1, true)]);
    assert_eq!(pieces(&turn.step().0), [(1, 101, 1, true)]);
    assert!(turn.scheduler.is_idle());
}

#[test]
fn answers_go_first_and_prompts_share_what_is_left_in_order() {
    let mut turn = Turn::new(FakeExecutor::small(), wide());
    turn.admit(ask(1, 0..40, 9)).unwrap();
    turn.step();
    turn.admit(ask(2, 100..140, 9)).unwrap();
    turn.admit(ask(3, 200..240, 9)).unwrap();
    let urgent = Ask { priority: Priority::Interactive, ..ask(4, 300..310, 9) };
    turn.admit(urgent).unwrap();
    assert_eq!(pieces(&turn.step().0), [(1, 40, 1, true), (4, 0, 10, true), (2, 0, 40, true), (3, 0, 13, false)]);
    assert_eq!(pieces(&turn.step().0), [(1, 41, 1, true), (4, 10, 1, true), (2, 40, 1, true), (3, 13, 27, true)]);
}

#[test]
fn while_an_answer_is_written_a_step_takes_no_longer_than_it_should() {
    // A token takes a thirty-second of a millisecond once a step of 32 was measured.
    let bounds = Bounds { step_time: MS / 2, min_chunk: 4, ..wide() };
    let mut turn = Turn::new(FakeExecutor::small(), bounds.clone());
    turn.admit(ask(1, 0..32, 30)).unwrap();
    turn.step();
    turn.admit(ask(2, 100..180, 1)).unwrap();
    assert_eq!(pieces(&turn.step().0), [(1, 32, 1, true), (2, 0, 15, false)]);

    let mut turn = Turn::new(FakeExecutor::small(), Bounds { step_time: MS / 100, ..bounds });
    turn.admit(ask(1, 0..32, 30)).unwrap();
    turn.step();
    turn.admit(ask(2, 100..180, 1)).unwrap();
    assert_eq!(pieces(&turn.step().0), [(1, 32, 1, true), (2, 0, 4, false)], "the least there is");
    turn.blocked.insert(seq(1));
    assert_eq!(pieces(&turn.step().0), [(2, 4, 64, false)], "nobody watches");
}

#[test]
fn beside_an_answer_steps_get_larger_bit_by_bit_since_their_time_is_not_known() {
    let mut turn = Turn::new(FakeExecutor::small(), Bounds { min_chunk: 4, ..wide() });
    turn.admit(ask(1, 0..4, 30)).unwrap();
    (0..20).for_each(|_| drop(turn.step()));
    turn.admit(ask(2, 100..180, 1)).unwrap();
    let sizes = [(); 5].map(|()| pieces(&turn.step().0)[1].2);
    assert_eq!(sizes, [4, 9, 19, 39, 9]);
}

#[test]
fn a_reader_without_room_gets_no_token_but_its_prompt_goes_on() {
    let mut turn = Turn::new(FakeExecutor::small(), wide());
    turn.admit(ask(1, 0..100, 3)).unwrap();
    turn.blocked.insert(seq(1));
    assert_eq!(pieces(&turn.step().0), [(1, 0, 64, false)]);
    assert_eq!(pieces(&turn.step().0), [(1, 64, 35, false)]);
    assert!(turn.plan().is_empty());
    turn.blocked.clear();
    assert_eq!(pieces(&turn.step().0), [(1, 99, 1, true)]);
}

#[test]
fn answers_take_turns_where_the_budget_does_not_reach_all() {
    let mut turn = Turn::new(FakeExecutor::small(), Bounds { step_tokens: 3, ..wide() });
    for id in 0..4 {
        let first = i32::try_from(id).unwrap() * 10;
        turn.admit(ask(id, first..first + 1, 9)).unwrap();
    }
    let mut served = Vec::new();
    for _ in 0..4 {
        served.extend(pieces(&turn.step().0).into_iter().map(|piece| piece.0));
    }
    assert_eq!(served, [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3]);
}

#[test]
fn prompts_advance_even_if_answers_could_use_the_whole_budget() {
    let abilities = Abilities { batch_limit: 1, ..FakeExecutor::small() };
    let mut turn = Turn::new(abilities, wide());
    turn.admit(ask(1, 0..1, 9)).unwrap();
    turn.step();
    turn.admit(ask(2, 10..13, 1)).unwrap();
    let served: Vec<u64> = (0..6).map(|_| pieces(&turn.step().0)[0].0).collect();
    assert_eq!(served, [1, 2, 1, 2, 1, 2]);
}

#[test]
fn one_plan_has_one_set_of_adapters_and_each_gets_its_turn() {
    let mut turn = Turn::new(FakeExecutor::small(), wide());
    for (id, adapters) in [(1, 0), (2, 7), (3, 9)] {
        turn.admit(Ask { adapters: AdapterKey(adapters), ..ask(id, 0..4, 9) }).unwrap();
    }
    let keys: Vec<u64> = (0..6).map(|_| turn.step().0.adapters.0).collect();
    assert_eq!(keys, [0, 7, 9, 0, 7, 9]);
    assert_eq!(turn.scheduler.stats().prompt_reused, 0, "what was computed with one is wrong with another");
}

#[test]
fn an_input_is_embedded_in_every_step_and_more_if_there_is_room() {
    let mut turn = Turn::new(FakeExecutor::small(), wide());
    turn.admit(ask(1, 0..200, 1)).unwrap();
    turn.admit(embed(2, &[30, 5, 5])).unwrap();
    let (plan, _) = turn.step();
    assert_eq!((plan.pieces[0].tokens.len(), plan.embeds.len()), (64, 1));
    turn.scheduler.end(seq(1));
    assert_eq!(turn.step().0.embeds.len(), 2);
}

#[test]
fn a_request_to_embed_ends_with_its_last_input() {
    let mut turn = Turn::new(FakeExecutor::small(), wide());
    turn.admit(embed(2, &[30, 30, 30])).unwrap();
    let (plan, settled) = turn.step();
    assert_eq!((plan.embeds.len(), settled.embedded.len()), (2, 0));
    let (plan, settled) = turn.step();
    assert_eq!((plan.embeds.len(), settled.embedded.len()), (1, 1));
    assert!(turn.scheduler.is_idle());
}

#[test]
fn room_is_reserved_for_the_longest_answer() {
    let mut turn = Turn::new(FakeExecutor::small(), wide());
    turn.admit(ask(1, 0..100, 100)).unwrap();
    assert_eq!(turn.scheduler.stats().cells_reserved, 200);
    assert_eq!(turn.admit(ask(2, 300..350, 7)), Err(Why::Cells));
    turn.admit(ask(2, 300..350, 6)).unwrap();
    turn.scheduler.end(seq(1));
    turn.admit(ask(3, 500..600, 100)).unwrap();
    turn.drain();
    assert_eq!(turn.scheduler.stats().cells_reserved, 0);
}

#[test]
fn an_answer_of_unknown_length_gets_room_block_by_block_and_the_youngest_gives_way() {
    let abilities = Abilities { cells: Some(64), sequence_limit: 60, ..FakeExecutor::small() };
    let mut turn = Turn::new(abilities, wide());
    let endless = |id: u64| Ask { max_tokens: None, ..ask(id, 100 * id as i32..100 * id as i32 + 10, 0) };
    turn.admit(endless(1)).unwrap();
    turn.admit(endless(2)).unwrap();
    assert_eq!(turn.scheduler.stats().cells_reserved, 2 * 26);
    for _ in 0..28 {
        turn.step();
    }
    // 32 cells for each, and then there are no more.
    assert_eq!((turn.scheduler.stats().running, turn.scheduler.stats().parked), (1, 1));
    assert_eq!(turn.scheduler.running().collect::<Vec<_>>(), [seq(1)]);
    assert_eq!(turn.admit(endless(3)), Err(Why::Behind { parked: seq(2) }));
    turn.drain();
    assert_eq!(turn.answers[&seq(1)].len(), 50);
    assert_eq!(turn.answers[&seq(2)].len(), 50);
}

#[test]
fn what_can_never_fit_is_told_before_it_waits() {
    let (abilities, bounds) = (FakeExecutor::small(), wide());
    let fits = |ask: &Ask| Scheduler::fits(&abilities, &bounds, ask);
    assert_eq!(fits(&ask(1, 0..255, 1)), Ok(()));
    assert_eq!(fits(&ask(1, 0..256, 1)), Err(NeverFits::PromptTooLong { tokens: 256, limit: 255 }));
    assert_eq!(fits(&ask(1, 0..10, 1000)), Ok(()), "the answer is cut off at the end of the context");
    assert_eq!(fits(&ask(1, 0..0, 1)), Err(NeverFits::Empty));
    assert_eq!(fits(&Ask { choices: 5, ..ask(1, 0..1, 1) }), Err(NeverFits::TooManyChoices { choices: 5, limit: 4 }));
    let choices = Ask { choices: 4, ..ask(1, 0..201, 20) };
    assert_eq!(fits(&choices), Err(NeverFits::TooManyCells { cells: 284, total: 256 }));
    let encoder = Abilities { generates: false, ..abilities };
    assert_eq!(Scheduler::fits(&encoder, &bounds, &ask(1, 0..1, 1)), Err(NeverFits::NotAble));
    assert_eq!(Scheduler::fits(&encoder, &bounds, &embed(1, &[3])), Ok(()));
    let long = NeverFits::InputTooLong { input: 1, tokens: 40, limit: 32 };
    assert_eq!(fits(&embed(2, &[30, 40])), Err(long));
}

#[test]
fn who_ends_while_a_step_is_under_way_is_gone_after_it() {
    let mut turn = Turn::new(FakeExecutor::small(), wide());
    turn.admit(ask(1, 0..10, 5)).unwrap();
    let plan = turn.plan();
    turn.scheduler.end(seq(1));
    let settled = turn.finish(&plan);
    assert!(settled.faults.is_empty());
    assert!(turn.scheduler.is_idle());
    assert_eq!(turn.scheduler.stats().cells_cached, 10);
}

#[test]
fn the_time_to_a_first_token_is_known_once_something_was_measured() {
    let mut turn = Turn::new(FakeExecutor::small(), wide());
    assert_eq!(turn.scheduler.expected_first_token(0, 100), None);
    turn.admit(ask(1, 0..64, 1)).unwrap();
    turn.step();
    assert_eq!(turn.scheduler.expected_first_token(64, 64), Some(2 * MS));
    assert_eq!(turn.scheduler.prefill_rate().map(f64::round), Some(64_000.0));
}
