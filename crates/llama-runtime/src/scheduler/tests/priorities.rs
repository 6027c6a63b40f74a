//! Who gives way, and comes back.

use super::turn::{MS, Turn, ask, pieces, seq, wide};
use crate::executor::Abilities;
use crate::plan::CacheOp;
use crate::priority::Priority;
use crate::scheduler::{Ask, Bounds, Why};
use crate::testing::FakeExecutor;

fn at(priority: Priority, ask: Ask) -> Ask {
    Ask { priority, ..ask }
}

fn two_slots() -> (Abilities, Bounds) {
    (Abilities { slots: 2, ..FakeExecutor::small() }, Bounds { max_sequences: 2, ..wide() })
}

#[test]
fn the_youngest_of_the_lowest_priority_gives_way_and_comes_back() {
    let (abilities, bounds) = two_slots();
    let mut turn = Turn::new(abilities, Bounds { host_memory: 1000, ..bounds });
    turn.admit(at(Priority::Background, ask(1, 0..10, 8))).unwrap();
    turn.admit(at(Priority::Background, ask(2, 100..110, 8))).unwrap();
    turn.step();
    assert_eq!(turn.admit(at(Priority::Background, ask(3, 200..210, 2))), Err(Why::Slots));
    turn.admit(ask(3, 200..210, 2)).unwrap();
    assert_eq!(turn.scheduler.running().collect::<Vec<_>>(), [seq(1), seq(3)]);
    let (plan, _) = turn.step();
    assert!(matches!(plan.ops[0], CacheOp::Save { .. }), "{plan:?}");
    assert_eq!(
        turn.admit(at(Priority::Background, ask(4, 300..310, 2))),
        Err(Why::Behind { parked: seq(2) }),
        "the parked one is first"
    );
    turn.drain();
    assert_eq!(turn.answers[&seq(2)].len(), 8);
    assert_eq!(turn.scheduler.stats().prompt_computed, 30, "nothing was computed twice");
    assert_eq!(turn.scheduler.stats().prompt_reused, 0, "to come back is not to reuse");
    assert_eq!(turn.scheduler.stats().parkings, 1);
}

#[test]
fn what_does_not_fit_into_host_memory_is_computed_again() {
    let (abilities, bounds) = two_slots();
    let mut turn = Turn::new(abilities, bounds);
    turn.admit(ask(1, 0..10, 8)).unwrap();
    turn.admit(ask(2, 100..110, 8)).unwrap();
    turn.step();
    turn.admit(at(Priority::Interactive, ask(3, 200..210, 2))).unwrap();
    turn.drain();
    assert_eq!(turn.ended.len(), 3);
    assert_eq!(turn.scheduler.stats().prompt_computed, 40);
}

#[test]
fn nobody_gives_way_in_vain_or_to_an_equal() {
    let mut turn = Turn::new(FakeExecutor::small(), wide());
    turn.admit(at(Priority::Background, ask(1, 0..10, 10))).unwrap();
    turn.admit(at(Priority::Interactive, ask(2, 100..200, 100))).unwrap();
    assert_eq!(turn.admit(ask(3, 300..350, 50)), Err(Why::Cells), "parking 1 would not be enough");
    assert_eq!(turn.admit(at(Priority::Background, ask(4, 300..320, 20))), Err(Why::Cells));
    assert_eq!(turn.scheduler.stats().running, 2);
    turn.admit(ask(5, 300..330, 20)).unwrap();
    assert_eq!(turn.scheduler.running().collect::<Vec<_>>(), [seq(2), seq(5)]);
}

#[test]
fn a_reader_that_has_had_no_room_for_long_gives_way_to_anybody_until_it_has() {
    let (abilities, bounds) = two_slots();
    let mut turn = Turn::new(abilities, bounds);
    turn.admit(at(Priority::Interactive, ask(1, 0..10, 8))).unwrap();
    turn.admit(ask(2, 100..110, 8)).unwrap();
    turn.step();
    turn.blocked.insert(seq(1));
    let since = turn.now;
    turn.step();
    assert_eq!(turn.scheduler.wake_at(turn.now), Some(since + 10 * MS));
    assert_eq!(turn.admit(ask(3, 200..210, 20)), Err(Why::Slots));

    turn.now = since + 10 * MS;
    assert_eq!(turn.scheduler.wake_at(turn.now), None);
    turn.admit(ask(3, 200..210, 20)).unwrap();
    assert_eq!(turn.scheduler.running().collect::<Vec<_>>(), [seq(2), seq(3)]);
    turn.step();
    assert_eq!(turn.scheduler.stats().parked, 1);
    turn.blocked.clear();
    let (plan, _) = turn.step();
    assert!(pieces(&plan).iter().any(|piece| piece.0 == 1), "its reader is back, and it is more urgent: {plan:?}");
    turn.drain();
    assert_eq!(turn.ended.len(), 3);
}

fn one_slot_aging() -> Turn {
    let abilities = Abilities { slots: 1, ..FakeExecutor::small() };
    Turn::new(abilities, Bounds { max_sequences: 1, aging: 5 * MS, ..wide() })
}

#[test]
fn who_gave_way_long_ago_is_not_passed_any_more_and_then_stays() {
    let mut turn = one_slot_aging();
    turn.admit(at(Priority::Background, ask(1, 0..10, 8))).unwrap();
    turn.step();
    for id in 2..=20 {
        match turn.admit(at(Priority::Interactive, ask(id, 100..104, 1))) {
            Ok(()) => drop(turn.step()),
            Err(why) => {
                assert_eq!(why, Why::Behind { parked: seq(1) });
                assert!((8..=14).contains(&id), "twice the aging time has passed: {id}");
                break;
            }
        }
        assert!(id < 20, "it is passed for ever");
    }
    turn.step();
    assert_eq!(turn.scheduler.running().collect::<Vec<_>>(), [seq(1)]);
    assert_eq!(
        turn.admit(at(Priority::Interactive, ask(30, 100..104, 1))),
        Err(Why::Slots),
        "it does not give way again"
    );
    turn.drain();
    assert_eq!(turn.answers[&seq(1)].len(), 8);
}

#[test]
fn who_waited_long_for_its_place_keeps_it() {
    let mut turn = one_slot_aging();
    turn.admit(at(Priority::Background, ask(1, 0..10, 8))).unwrap();
    turn.scheduler.shield(crate::ids::RequestId(1), Priority::Background, 10 * MS);
    assert_eq!(turn.admit(at(Priority::Interactive, ask(2, 100..104, 1))), Err(Why::Slots));
}
