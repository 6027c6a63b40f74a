//! Prefixes that are saved and restored beside requests, and what becomes of them when the engine fails.

use llama_core::Token;
use tokio::sync::oneshot::{self, Receiver};

use super::{bench, run, two};
use crate::config::EngineConfig;
use crate::engine::Turn;
use crate::error::GenerateError;
use crate::event::FinishReason;
use crate::saved::{PrefixError, SavedPrefix};
use crate::shared::{Door, Task};
use crate::testing::Trouble;
use crate::testing::bench::{Bench, Wish, read};

type Saved = Result<Option<SavedPrefix>, PrefixError>;

fn save(wish: &Wish) -> (Task, Receiver<Saved>) {
    let (reply, answer) = oneshot::channel();
    let tokens = wish.prompt.iter().copied().map(Token).collect();
    (Task::Save { tokens, reply }, answer)
}

fn restore(bytes: Vec<u8>) -> (Task, Receiver<Result<usize, PrefixError>>) {
    let (reply, answer) = oneshot::channel();
    (Task::Restore { bytes, reply }, answer)
}

/// Long enough to be worth it.
fn long() -> Wish {
    Wish::new(1, 60, 6)
}

fn computed() -> (Bench, SavedPrefix) {
    let bench = bench();
    let mut engine = bench.engine();
    let answered = bench.submit(&long()).unwrap();
    run(&mut engine);
    assert_eq!(read(answered).0, long().answer());
    let (task, mut answer) = save(&long());
    let _sent = bench.shared().send_errand(task).unwrap();
    run(&mut engine);
    let saved = answer.try_recv().unwrap().unwrap().unwrap();
    (bench, saved)
}

#[test]
fn what_one_engine_saved_another_goes_on_with() {
    let (bench, saved) = computed();
    assert_eq!(saved.tokens, 60);
    let mut other = bench.engine();
    let (task, mut answer) = restore(saved.bytes);
    let _sent = bench.shared().send_errand(task).unwrap();
    run(&mut other);
    assert_eq!(answer.try_recv().unwrap(), Ok(60));
    let wish = Wish::new(1, 70, 6);
    let next = bench.submit(&wish).unwrap();
    run(&mut other);
    let (text, finished) = read(next);
    assert_eq!((text, finished.usage.reused), (wish.answer(), 60));
}

#[test]
fn one_errand_is_done_between_two_steps() {
    let (bench, saved) = computed();
    let mut engine = bench.engine();
    let running = two().map(|wish| bench.submit(&wish).unwrap());
    let mut errands: Vec<_> = (0..3).map(|_| restore(saved.bytes.clone())).collect();
    let (mut sent, mut answers) = (Vec::new(), Vec::new());
    for (task, answer) in errands.drain(..) {
        sent.push(bench.shared().send_errand(task).unwrap());
        answers.push(answer);
    }
    for done in 1..=3 {
        assert!(matches!(engine.turn(), Turn::Worked));
        let ready = answers.iter_mut().filter_map(|answer| answer.try_recv().ok()).count();
        assert_eq!(ready, 1, "after {done} turns");
    }
    run(&mut engine);
    drop(sent);
    for (generation, wish) in running.into_iter().zip(two()) {
        assert_eq!(read(generation).0, wish.answer());
    }
}

#[test]
fn who_waits_is_told_how_the_engine_ended_and_no_more_wait_than_may() {
    let bench = bench();
    let mut waiting = Vec::new();
    let refused = loop {
        let (task, answer) = save(&long());
        match bench.shared().send_errand(task) {
            Ok(sent) => waiting.push((sent, answer)),
            Err(error) => break error,
        }
    };
    assert_eq!(refused, PrefixError::Busy { limit: waiting.len() });
    drop(waiting.pop());
    let (task, answer) = save(&long());
    waiting.push((bench.shared().send_errand(task).expect("one has gone"), answer));
    bench.shared().end_all(|| FinishReason::Error(GenerateError::Crashed));
    for (_, mut answer) in waiting {
        assert!(matches!(answer.try_recv().unwrap(), Err(PrefixError::Engine { .. })));
    }
    let (task, mut answer) = save(&long());
    let _sent = bench.shared().send_errand(task).unwrap();
    bench.shared().end_all(|| FinishReason::Shutdown);
    assert_eq!(answer.try_recv().unwrap(), Err(PrefixError::ShuttingDown));
    bench.shared().shut(Door::Draining);
    let (task, _) = save(&long());
    assert!(matches!(bench.shared().send_errand(task), Err(PrefixError::ShuttingDown)));
}

#[test]
fn after_a_failure_nothing_is_left_to_save_and_what_was_saved_comes_back() {
    let (bench, saved) = computed();
    let mut engine = bench.engine();
    bench.script.add([Trouble::None, Trouble::Fail]);
    let failing = bench.submit(&long()).unwrap();
    run(&mut engine);
    assert!(matches!(read(failing).1.reason, FinishReason::Error(_)));
    let (task, mut answer) = save(&long());
    let (again, mut restored) = restore(saved.bytes);
    let _sent = [task, again].map(|task| bench.shared().send_errand(task).unwrap());
    run(&mut engine);
    assert_eq!((answer.try_recv().unwrap(), restored.try_recv().unwrap()), (Ok(None), Ok(60)));
}

#[test]
fn a_model_with_an_errand_is_not_idle() {
    let bench = Bench::new(EngineConfig::default());
    let (task, answer) = save(&long());
    assert!(bench.shared().is_idle());
    let sent = bench.shared().send_errand(task).unwrap();
    assert!(!bench.shared().is_idle());
    drop((sent, answer));
    assert!(bench.shared().is_idle());
}
