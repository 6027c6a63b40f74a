//! One engine over an executor that fails when it is told to; every other request is right.

mod errands;

use std::time::Duration;

use super::Turn;
use crate::config::EngineConfig;
use crate::error::GenerateError;
use crate::event::{Deadline, Event, FinishReason};
use crate::priority::Priority;
use crate::testing::bench::{Bench, Wish, read, run};
use crate::testing::{Gate, Trouble};

fn bench() -> Bench {
    Bench::new(EngineConfig::default())
}

fn two() -> [Wish; 2] {
    [Wish::new(1, 20, 6), Wish::new(100, 20, 6)]
}

#[test]
fn requests_that_run_together_write_what_they_write_alone() {
    let bench = bench();
    let wishes: Vec<Wish> = (0..9).map(|i| Wish::new(i * 31, 5 + i, 7)).collect();
    let open: Vec<_> = wishes.iter().map(|wish| bench.submit(wish).unwrap()).collect();
    run(&mut bench.engine());
    assert!(bench.script.widest() > 2, "they were computed together");
    for (wish, generation) in wishes.iter().zip(open) {
        let (text, finished) = read(generation);
        assert_eq!(text, wish.answer());
        assert!(matches!(finished.reason, FinishReason::Length));
        assert_eq!((finished.usage.prompt, finished.usage.generated), (wish.prompt.len(), wish.most));
    }
}

#[test]
fn a_failed_step_fails_its_requests_and_the_others_are_answered() {
    let mut bench = bench();
    bench.abilities.slots = 2;
    bench.script.add([Trouble::None, Trouble::Fail]);
    let wishes: Vec<Wish> = (0..4).map(|i| Wish::new(i * 50, 20, 6)).collect();
    let open: Vec<_> = wishes.iter().map(|wish| bench.submit(wish).unwrap()).collect();
    run(&mut bench.engine());
    let mut failed = 0;
    for (place, (wish, generation)) in wishes.iter().zip(open).enumerate() {
        let (text, finished) = read(generation);
        assert!(wish.answer().starts_with(&text));
        match finished.reason {
            FinishReason::Error(GenerateError::Decode(_)) => failed += 1,
            FinishReason::Length => assert_eq!((text, place >= 2), (wish.answer(), true)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(failed, 2, "those of the step");
    assert_eq!(bench.shared().snapshot().running, 0);
}

#[test]
fn a_sequence_that_was_not_in_the_failed_step_goes_on() {
    let mut config = EngineConfig::default();
    config.limits.event_buffer = 2;
    let bench = Bench::new(config);
    let [first, second] = two();
    let mut paused = bench.submit(&first).unwrap();
    let mut engine = bench.engine();
    run(&mut engine);
    let failing = bench.submit(&second).unwrap();
    bench.script.add([Trouble::Fail]);
    run(&mut engine);
    let (_, finished) = read(failing);
    assert!(matches!(finished.reason, FinishReason::Error(GenerateError::Decode(_))));
    let mut text = String::new();
    let finished = loop {
        run(&mut engine);
        match crate::blocking::block_on(paused.next()).unwrap() {
            Event::Text(more) => text.push_str(&more),
            Event::Finished(finished) => break finished,
            _ => {}
        }
    };
    assert!(matches!(finished.reason, FinishReason::Length));
    assert_eq!(text, first.answer());
}

#[test]
fn no_room_is_no_failure() {
    let bench = bench();
    bench.script.add([Trouble::None, Trouble::NoRoom]);
    let wishes = two();
    let open = wishes.each_ref().map(|wish| bench.submit(wish).unwrap());
    run(&mut bench.engine());
    for (wish, generation) in wishes.iter().zip(open) {
        assert_eq!(read(generation).0, wish.answer());
    }
}

#[test]
fn a_request_that_finds_no_room_alone_fails_and_the_next_one_is_answered() {
    let bench = bench();
    // The first time one of them makes room for the other; after that each is alone.
    bench.script.add((0..3).map(|_| Trouble::NoRoom));
    let wishes = two();
    let open = wishes.each_ref().map(|wish| bench.submit(wish).unwrap());
    let mut engine = bench.engine();
    run(&mut engine);
    for generation in open {
        let (_, finished) = read(generation);
        assert!(matches!(finished.reason, FinishReason::Error(GenerateError::NoRoom { .. })), "{finished:?}");
    }
    let next = bench.submit(&wishes[0]).unwrap();
    run(&mut engine);
    assert_eq!(read(next).0, wishes[0].answer());
}

#[test]
fn a_token_that_cannot_be_chosen_fails_one_request() {
    let bench = bench();
    bench.script.add([Trouble::None, Trouble::FailSample]);
    let wishes = two();
    let open = wishes.each_ref().map(|wish| bench.submit(wish).unwrap());
    run(&mut bench.engine());
    let ends: Vec<_> = open.into_iter().map(read).collect();
    let failed = ends.iter().filter(|(_, finished)| matches!(finished.reason, FinishReason::Error(_))).count();
    assert_eq!(failed, 1);
    let whole = ends.iter().zip(&wishes).filter(|((text, _), wish)| *text == wish.answer()).count();
    assert_eq!(whole, 1);
}

#[test]
fn a_sequence_that_cannot_be_opened_fails_its_request_and_no_other() {
    let bench = bench();
    bench.script.refuse(1);
    let mut wishes = two();
    wishes[0].choices = 2;
    let open = wishes.each_ref().map(|wish| bench.submit(wish).unwrap());
    let mut engine = bench.engine();
    run(&mut engine);
    let [refused, served] = open.map(read);
    assert!(matches!(refused.1.reason, FinishReason::Error(GenerateError::Decode(_))));
    assert_eq!(served.0, wishes[1].answer());
    let stats = bench.shared().snapshot();
    assert_eq!((stats.running, stats.cells_reserved), (0, 0), "nothing is left of it");
    assert_eq!(engine.executor.open_sequences(), 0);
}

#[test]
fn a_lost_slot_is_computed_again() {
    let bench = bench();
    bench.script.add([Trouble::None, Trouble::Misplace, Trouble::None, Trouble::Abort { keep: 1 }]);
    let wishes = two();
    let open = wishes.each_ref().map(|wish| bench.submit(wish).unwrap());
    run(&mut bench.engine());
    for (wish, generation) in wishes.iter().zip(open) {
        assert_eq!(read(generation).0, wish.answer());
    }
}

#[test]
fn a_cancel_ends_a_waiting_request_while_the_engine_computes() {
    let bench = bench();
    let gate = Gate::default();
    bench.script.add([Trouble::Stall(gate.clone())]);
    let [first, second] = two();
    let running = bench.submit(&first).unwrap();
    std::thread::scope(|scope| {
        let mut engine = bench.engine();
        let engine = scope.spawn(move || run(&mut engine));
        gate.reached();
        let waiting = bench.submit(&second).unwrap();
        waiting.cancel_handle().cancel();
        let (text, finished) = read(waiting);
        assert_eq!(text, "");
        assert!(matches!(finished.reason, FinishReason::Cancelled));
        assert_eq!(bench.shared().depth().0, 0, "its place is free");
        gate.open();
        engine.join().unwrap();
    });
    assert_eq!(read(running).0, first.answer());
}

#[test]
fn a_cancel_stops_the_running_step_and_the_others_lose_nothing() {
    let bench = bench();
    let gate = Gate::default();
    bench.script.add([Trouble::Stall(gate.clone())]);
    let (long, short) = (Wish::new(1, 40, 6), Wish::new(100, 10, 6));
    let cancelled = bench.submit(&long).unwrap();
    let other = bench.submit(&short).unwrap();
    std::thread::scope(|scope| {
        let mut engine = bench.engine();
        let engine = scope.spawn(move || {
            assert_eq!(engine.turn(), Turn::Worked);
            let steps = bench.script.tokens();
            run(&mut engine);
            steps
        });
        gate.reached();
        cancelled.cancel_handle().cancel();
        gate.open();
        assert_eq!(engine.join().unwrap(), 0, "the step was stopped before it computed anything");
    });
    assert!(matches!(read(cancelled).1.reason, FinishReason::Cancelled));
    assert_eq!(read(other).0, short.answer());
}

#[test]
fn a_cancel_does_not_stop_a_step_that_is_mostly_of_others() {
    let bench = bench();
    let gate = Gate::default();
    bench.script.add([Trouble::Stall(gate.clone())]);
    let (long, short) = (Wish::new(1, 40, 6), Wish::new(100, 10, 6));
    let other = bench.submit(&long).unwrap();
    let cancelled = bench.submit(&short).unwrap();
    std::thread::scope(|scope| {
        let mut engine = bench.engine();
        let engine = scope.spawn(move || {
            engine.turn();
            let tokens = bench.script.tokens();
            run(&mut engine);
            tokens
        });
        gate.reached();
        cancelled.cancel_handle().cancel();
        gate.open();
        assert_eq!(engine.join().unwrap(), 50);
    });
    assert!(matches!(read(cancelled).1.reason, FinishReason::Cancelled));
    assert_eq!(read(other).0, long.answer());
}

#[test]
fn a_deadline_ends_a_request_while_the_engine_computes() {
    let bench = bench();
    let gate = Gate::default();
    bench.script.add([Trouble::None, Trouble::None, Trouble::Stall(gate.clone())]);
    let [mut late, other] = two();
    late.total = Some(Duration::from_millis(1));
    let open = [bench.submit(&other).unwrap(), bench.submit(&late).unwrap()];
    std::thread::scope(|scope| {
        let mut engine = bench.engine();
        let engine = scope.spawn(move || run(&mut engine));
        let [other_open, late_open] = open;
        let (text, finished) = read(late_open);
        assert!(matches!(finished.reason, FinishReason::Deadline(Deadline::Total)), "{finished:?}");
        assert!(late.answer().starts_with(&text));
        assert_eq!(finished.usage.generated, text.len(), "what was written was delivered");
        gate.open();
        assert_eq!(read(other_open).0, other.answer());
        engine.join().unwrap();
    });
}

#[test]
fn text_that_was_held_back_comes_with_a_cancel() {
    let bench = bench();
    let mut wish = Wish::new(1, 20, 30);
    // Ends in a character that no text has, so it never completes.
    wish.stop = vec![format!("{}!", &wish.answer()[2..12])];
    let open = bench.submit(&wish).unwrap();
    let mut engine = bench.engine();
    for _ in 0..8 {
        engine.turn();
    }
    open.cancel_handle().cancel();
    run(&mut engine);
    let (text, finished) = read(open);
    assert!(matches!(finished.reason, FinishReason::Cancelled));
    assert_eq!(text, wish.answer()[..8]);
    assert_eq!(finished.choices[0].text, text);
    assert_eq!(finished.usage.generated, 8);
}

#[test]
fn a_reader_that_does_not_read_pauses_only_itself_and_is_ended() {
    let mut config = EngineConfig::default();
    config.limits.event_buffer = 3;
    config.limits.park_after = Duration::ZERO;
    config.limits.slow_consumer_timeout = Duration::from_millis(300);
    let bench = Bench::new(config);
    let [slow, quick] = [Wish::new(1, 10, 20), Wish::new(100, 10, 20)];
    let (slow_open, quick_open) = (bench.submit(&slow).unwrap(), bench.submit(&quick).unwrap());
    std::thread::scope(|scope| {
        let mut engine = bench.engine();
        let shared = bench.shared();
        scope.spawn(move || {
            while !shared.is_idle() {
                if let Turn::Idle { until } = engine.turn() {
                    shared.wait(until);
                }
            }
        });
        assert_eq!(read(quick_open).0, quick.answer());
    });
    let (text, finished) = read(slow_open);
    assert!(matches!(finished.reason, FinishReason::SlowConsumer), "{finished:?}");
    assert_eq!(text, slow.answer()[..3], "as much as the buffer holds");
    assert!(finished.timings.paused >= Duration::from_millis(300));
}

#[test]
fn higher_priorities_are_admitted_first() {
    let mut bench = bench();
    bench.abilities.slots = 1;
    let wishes = [Priority::Background, Priority::Normal, Priority::Interactive].map(|priority| {
        let mut wish = Wish::new(1, 10, 2);
        wish.priority = priority;
        wish
    });
    let open = wishes.each_ref().map(|wish| bench.submit(wish).unwrap());
    let ends = open.each_ref().map(|generation| generation.cancel_handle());
    let mut engine = bench.engine();
    let mut order = Vec::new();
    while engine.turn() == Turn::Worked {
        order.extend((0..3).filter(|place| ends[*place].is_finished() && !order.contains(place)).collect::<Vec<_>>());
    }
    assert_eq!(order, [2, 1, 0]);
}

#[test]
fn requests_of_an_engine_that_is_lost_are_told() {
    let bench = bench();
    let wish = Wish::new(1, 20, 6);
    let open = bench.submit(&wish).unwrap();
    let mut engine = bench.engine();
    engine.turn();
    engine.turn();
    drop(engine);
    let (text, finished) = read(open);
    assert!(matches!(finished.reason, FinishReason::Error(GenerateError::Crashed)), "{finished:?}");
    assert_eq!((text.as_str(), finished.usage.generated), (&wish.answer()[..2], 2));
    assert!(bench.shared().is_idle());
}

#[test]
fn a_broken_executor_ends_the_engine() {
    let bench = bench();
    bench.script.add([Trouble::Break]);
    let open = bench.submit(&two()[0]).unwrap();
    assert_eq!(bench.engine().turn(), Turn::Broken);
    assert!(matches!(read(open).1.reason, FinishReason::Error(GenerateError::Crashed)));
}
