//! The thread of an engine whose executor panics, hangs or breaks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::{Host, Stopped};
use crate::config::EngineConfig;
use crate::error::GenerateError;
use crate::event::FinishReason;
use crate::generation::Generation;
use crate::rejected::Rejected;
use crate::shared::{Door, Phase};
use crate::testing::bench::{Bench, MODEL, Wish, read};
use crate::testing::{FakeExecutor, Gate, Script, Trouble};

/// What a runtime does with a request: puts it into the queue, and starts a thread if there is none.
fn submit(bench: &Bench, wish: &Wish) -> Generation {
    let generation = bench.submit(wish).unwrap();
    start(bench);
    generation
}

fn start(bench: &Bench) {
    start_giving_up(bench, 0);
}

/// [`start`], where the first `times` loads are given up.
fn start_giving_up(bench: &Bench, times: usize) {
    if bench.shared().begin_loading() {
        let (host, script, abilities) = (Arc::clone(&bench.host), bench.script.clone(), bench.abilities);
        let loads = AtomicUsize::new(0);
        std::thread::spawn(move || {
            host.run_with(|host: &Host| {
                if loads.fetch_add(1, Ordering::Relaxed) < times {
                    return Err(Stopped::GivenUp);
                }
                let share = host.budget.take(&host.shared, 0, || true)?;
                let mut engine = host.engine(FakeExecutor::new(abilities, MODEL, Script::clone(&script)));
                host.serve(&mut engine, &share);
                Ok(share)
            });
        });
    }
}

/// Ends the thread, and waits for it.
fn stop(bench: &Bench) {
    bench.shared().shut(Door::Closed);
    bench.shared().end_all(|| FinishReason::Shutdown);
    crate::blocking::block_on(async {
        let mut phase = bench.shared().subscribe();
        phase.wait_for(|phase| matches!(phase, Phase::Unloaded)).await.unwrap();
    });
}

fn unloaded(bench: &Bench) {
    crate::blocking::block_on(async {
        let mut phase = bench.shared().subscribe();
        phase.wait_for(|phase| matches!(phase, Phase::Unloaded)).await.unwrap();
    });
}

#[test]
fn after_a_panic_everybody_is_told_and_the_next_request_is_answered() {
    for trouble in [Trouble::Panic, Trouble::Break] {
        let mut config = EngineConfig::default();
        config.batch.max_sequences = 2;
        let bench = Bench::new(config);
        bench.script.add([Trouble::None, Trouble::None, trouble]);
        let wishes: Vec<Wish> = (0..5).map(|i| Wish::new(i * 40, 10, 10)).collect();
        // All are there before the first step.
        let open: Vec<_> = wishes.iter().map(|wish| bench.submit(wish).unwrap()).collect();
        start(&bench);
        for (wish, generation) in wishes.iter().zip(open) {
            let (text, finished) = read(generation);
            assert!(matches!(finished.reason, FinishReason::Error(GenerateError::Crashed)), "{finished:?}");
            assert!(wish.answer().starts_with(&text));
            assert!(finished.id > 0 && finished.model == "fake", "{finished:?}");
        }
        unloaded(&bench);
        // The step that panicked never came back; that is no stall.
        let later = Instant::now() + Duration::from_secs(3600);
        assert_eq!(bench.shared().check_stall(Duration::from_millis(1), later), None);
        assert_eq!(read(submit(&bench, &wishes[0])).0, wishes[0].answer());
        stop(&bench);
    }
}

#[test]
fn a_step_that_does_not_come_back_fails_everybody_and_afterwards_all_is_well() {
    let mut config = EngineConfig::default();
    config.limits.stall_timeout = Duration::from_millis(200);
    let bench = Bench::new(config);
    let gate = Gate::default();
    bench.script.add([Trouble::None, Trouble::Stall(gate.clone())]);
    let wishes = [Wish::new(1, 10, 5), Wish::new(100, 10, 5)];
    let first = submit(&bench, &wishes[0]);
    gate.reached();
    let (text, finished) = read(first);
    assert!(matches!(finished.reason, FinishReason::Error(GenerateError::Stalled { .. })), "{finished:?}");
    assert_eq!(text, wishes[0].answer()[..1], "what was written is delivered");
    assert!(matches!(bench.submit(&wishes[1]), Err(Rejected::Stalled)));
    gate.open();
    // The engine tells when it is back: it goes through all that it was waiting for.
    let answered = loop {
        match bench.submit(&wishes[1]) {
            Ok(generation) => break generation,
            Err(Rejected::Stalled) => std::thread::yield_now(),
            Err(other) => panic!("{other}"),
        }
    };
    let (text, finished) = read(answered);
    // Under load an ordinary step can take longer than this short limit.
    match finished.reason {
        FinishReason::Error(GenerateError::Stalled { .. }) => {}
        _ => assert_eq!(text, wishes[1].answer()),
    }
    stop(&bench);
}

#[test]
fn a_step_that_takes_too_long_is_stopped() {
    let bench = Bench::new(EngineConfig::default());
    let (sender, stopped) = std::sync::mpsc::sync_channel(1);
    bench.shared().set_abort(Some(Box::new(move || {
        let _ = sender.try_send(());
    })));
    bench.shared().begin_step(Instant::now(), Duration::from_millis(1));
    assert_eq!(stopped.recv_timeout(Duration::from_secs(20)), Ok(()));
}

#[test]
fn requests_that_wait_are_told_of_a_stall_too() {
    let mut config = EngineConfig::default();
    config.batch.max_sequences = 1;
    config.limits.stall_timeout = Duration::from_millis(200);
    let bench = Bench::new(config);
    let gate = Gate::default();
    bench.script.add([Trouble::Stall(gate.clone())]);
    let wishes: Vec<Wish> = (0..4).map(|i| Wish::new(i * 40, 10, 5)).collect();
    let open: Vec<_> = wishes.iter().map(|wish| bench.submit(wish).unwrap()).collect();
    start(&bench);
    for generation in open {
        let (_, finished) = read(generation);
        assert!(matches!(finished.reason, FinishReason::Error(GenerateError::Stalled { .. })));
    }
    assert_eq!(bench.shared().depth(), (0, 0, 0));
    gate.open();
    stop(&bench);
}

#[test]
fn an_engine_that_cannot_start_tells_everybody_why() {
    let bench = Bench::new(EngineConfig::default());
    let open = bench.submit(&Wish::new(1, 10, 5)).unwrap();
    assert!(bench.shared().begin_loading());
    bench.host.run();
    let (_, finished) = read(open);
    match finished.reason {
        FinishReason::Error(GenerateError::NotStarted { model, source }) => {
            assert_eq!(model, "fake");
            assert!(!source.to_string().is_empty());
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(bench.shared().phase(), Phase::Failed(_)));
}

#[test]
fn who_comes_while_a_load_is_given_up_is_answered_all_the_same() {
    let bench = Bench::new(EngineConfig::default());
    let wish = Wish::new(1, 10, 5);
    let open = bench.submit(&wish).unwrap();
    start_giving_up(&bench, 2);
    assert_eq!(read(open).0, wish.answer());
    stop(&bench);
}

#[test]
fn a_load_that_nobody_waits_for_any_more_is_no_failure() {
    let bench = Bench::new(EngineConfig::default());
    start_giving_up(&bench, 1);
    unloaded(&bench);
    assert_eq!(read(submit(&bench, &Wish::new(1, 10, 5))).0, Wish::new(1, 10, 5).answer());
    stop(&bench);
}

#[test]
fn a_closed_door_ends_what_is_open() {
    let bench = Bench::new(EngineConfig::default());
    let gate = Gate::default();
    bench.script.add([Trouble::None, Trouble::Stall(gate.clone())]);
    let wish = Wish::new(1, 10, 5);
    let open = submit(&bench, &wish);
    gate.reached();
    bench.shared().shut(Door::Closed);
    assert!(matches!(bench.submit(&wish), Err(Rejected::ShuttingDown)));
    // The engine itself ends what it has, should it be faster than whoever closed the door.
    gate.open();
    let (text, finished) = read(open);
    assert!(matches!(finished.reason, FinishReason::Shutdown));
    assert_eq!(text, wish.answer()[..2]);
    stop(&bench);
}
