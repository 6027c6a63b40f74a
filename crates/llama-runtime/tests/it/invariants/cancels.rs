//! 4. Dropping the stream cancels; a cancel takes effect in the queue at once, between steps and inside a step.

use crate::{answer, ask, edited, exact, held_up, hold, next, read, runtime_of, stats, text, tiny_with};
use llama_runtime::{Event, FinishReason, Request, Token};
use llama_testkit::fixtures;

#[test]
fn invariant_4_dropping_the_stream_cancels() {
    let (runtime, holder) = held_up(|_| {});
    drop(runtime.submit(text("dropped", 2)).unwrap());
    let now = stats(&runtime);
    assert_eq!((now.queued, now.open, now.totals.cancelled), (0, 1, 1), "out of the queue at once");
    drop(holder);
    // There is one place, so this one is answered only when that of the other is free.
    assert!(matches!(ask(&runtime, text("next", 2)).1.reason, FinishReason::Length));
    assert_eq!(stats(&runtime).totals.cancelled, 2);
}

#[test]
fn invariant_4_dropping_an_iterator_or_a_future_cancels() {
    let (runtime, holder) = held_up(|_| {});
    let mut blocking = holder.blocking();
    assert!(blocking.next().is_some());
    drop(blocking);
    let waiting = hold(&runtime);
    assert!(crate::poll_now(waiting.finish()).is_pending());
    assert!(matches!(ask(&runtime, text("next", 2)).1.reason, FinishReason::Length));
    assert_eq!(stats(&runtime).totals.cancelled, 2);
}

#[test]
fn invariant_4_a_cancel_takes_effect_between_steps() {
    let runtime = tiny_with(edited(|config| config.limits.event_buffer = 16));
    let whole = answer(&runtime, text("Once upon a time", 60));
    let open: Vec<_> = (0..4).map(|_| hold(&runtime)).collect();
    let mut spared = runtime.submit(text("Once upon a time", 60)).unwrap();
    let Some(Event::Text(first)) = next(&mut spared) else { panic!("no text") };
    for generation in &open {
        generation.cancel_handle().cancel();
    }
    for generation in open {
        let (_, finished) = read(generation);
        assert!(matches!(finished.reason, FinishReason::Cancelled), "{finished:?}");
        assert!(finished.usage.generated < 200);
    }
    assert_eq!(first.text + &read(spared).0, whole);
}

/// Tokens that no two prompts of different `salt` share.
fn tokens(n: i32, salt: i32) -> Vec<Token> {
    (0..n).map(|place| Token(20 + (place * 7 + salt * 31) % 200)).collect()
}

#[test]
fn invariant_4_a_cancel_takes_effect_inside_a_step() {
    const PROMPT: usize = 1500;
    let runtime = runtime_of(
        fixtures::bench_100m(),
        edited(|config| {
            config.context.n_ctx = Some(2048);
            config.batch.step_tokens = 2048;
            config.batch.step_time = std::time::Duration::from_secs(30);
            config.batch.max_sequences = 2;
        }),
    );
    let short = || crate::greedy(Request::tokens(tokens(20, 1)), 6);
    let whole = answer(&runtime, short());
    let before = stats(&runtime).engine.prompt_computed;
    let mut other = runtime.submit(short()).unwrap();
    let Some(Event::Text(first)) = next(&mut other) else { panic!("no text") };
    let long = runtime.submit(crate::greedy(Request::tokens(tokens(1500, 2)), 4)).unwrap();
    let waiting = runtime.submit(text("waiting", 2)).unwrap();
    // Both are in the next step, which takes long, as soon as the long one is out of the queue.
    while stats(&runtime).queued > 1 {
        std::thread::yield_now();
    }
    let computing = other.cancel_handle();
    waiting.cancel_handle().cancel();
    assert!(matches!(read(waiting).1.reason, FinishReason::Cancelled), "at once, although a step runs");
    assert!(!computing.is_finished());
    long.cancel_handle().cancel();
    let (nothing, finished) = read(long);
    assert!(matches!(finished.reason, FinishReason::Cancelled), "{finished:?}");
    assert_eq!((nothing.as_str(), finished.usage.generated), ("", 0));
    assert_eq!(first.text + &read(other).0, whole, "the other one is not hurt");
    let computed = stats(&runtime).engine.prompt_computed - before;
    assert!(computed < PROMPT as u64, "{computed} of {PROMPT} tokens were computed although nobody wanted them");
}

#[test]
fn invariant_4_many_threads_cancel_while_others_are_answered() {
    let runtime = tiny_with(exact());
    let whole = answer(&runtime, text("Once upon a time", 24));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (runtime, whole) = (&runtime, &whole);
            scope.spawn(move || {
                for round in 0..6 {
                    let generation = runtime.submit(text("Once upon a time", 24)).unwrap();
                    if (thread + round) % 2 == 0 {
                        generation.cancel_handle().cancel();
                        assert!(whole.starts_with(&read(generation).0));
                    } else {
                        assert_eq!(read(generation).0, *whole);
                    }
                }
            });
        }
    });
    let now = stats(&runtime);
    assert_eq!((now.open, now.queued, now.totals.finished()), (0, 0, 25));
}
