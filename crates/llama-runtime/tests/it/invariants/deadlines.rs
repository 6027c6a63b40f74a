//! 2. Every request has deadlines, a way to cancel it and a priority. One that cannot be in time is refused.

use std::time::Duration;

use crate::{ask, edited, exact, held_up, next, read, stats, text, tiny_with};
use llama_runtime::{Deadline, Event, FinishReason, Priority, Rejected};

#[test]
fn invariant_2_the_deadline_of_the_queue_holds_while_others_run() {
    let (runtime, _holder) = held_up(|_| {});
    let mut request = text("late", 2);
    request.deadlines.queue = Some(Duration::from_millis(5));
    let (text, finished) = ask(&runtime, request);
    assert!(matches!(finished.reason, FinishReason::Deadline(Deadline::Queue)), "{finished:?}");
    assert_eq!((text.as_str(), finished.timings.first_token), ("", None));
    assert!(finished.timings.queued >= Duration::from_millis(5));
}

#[test]
fn invariant_2_the_deadline_of_the_first_token_holds() {
    let (runtime, _holder) = held_up(|_| {});
    let mut request = text("late", 2);
    request.deadlines.first_token = Some(Duration::from_secs(1));
    let (_, finished) = ask(&runtime, request);
    assert!(matches!(finished.reason, FinishReason::Deadline(Deadline::FirstToken)), "{finished:?}");
}

#[test]
fn invariant_2_a_deadline_that_was_met_is_over() {
    let runtime = one_at_a_time();
    let mut request = text("Once upon a time", 20);
    request.deadlines.queue = Some(Duration::from_secs(1));
    request.deadlines.first_token = Some(Duration::from_secs(1));
    let mut paused = runtime.submit(request).unwrap();
    let Some(Event::Text(first)) = next(&mut paused) else { panic!("no text") };
    // Nobody reads on until both have passed, which the deadline of another one tells.
    let mut clock = text("late", 2);
    clock.deadlines.queue = Some(Duration::from_millis(1010));
    assert!(matches!(ask(&runtime, clock).1.reason, FinishReason::Deadline(Deadline::Queue)));
    let (rest, finished) = read(paused);
    assert!(matches!(finished.reason, FinishReason::Length), "{finished:?}");
    assert_eq!(finished.choices[0].text, first.text + &rest);
}

#[test]
fn invariant_2_the_total_deadline_delivers_what_was_written() {
    let runtime = one_at_a_time();
    let whole = crate::answer(&runtime, text("Once upon a time", 20));
    let mut request = text("Once upon a time", 20);
    request.deadlines.total = Some(Duration::from_secs(1));
    let unread = runtime.submit(request).unwrap();
    // Has its turn when the first one is ended.
    assert!(matches!(ask(&runtime, text("next", 2)).1.reason, FinishReason::Length));
    let (text, finished) = read(unread);
    assert!(matches!(finished.reason, FinishReason::Deadline(Deadline::Total)), "{finished:?}");
    assert!(!text.is_empty() && text.len() < whole.len() && whole.starts_with(&text), "{text:?} of {whole:?}");
    assert_eq!((finished.choices[0].text.as_str(), finished.usage.generated >= 4), (text.as_str(), true));
}

fn one_at_a_time() -> llama_runtime::Runtime {
    tiny_with(edited(|config| {
        config.batch.max_sequences = 1;
        config.limits.event_buffer = 4;
        config.limits.park_after = config.limits.slow_consumer_timeout;
    }))
}

#[test]
fn invariant_2_what_cannot_be_in_time_is_refused_once_something_was_measured() {
    let runtime = tiny_with(exact());
    let mut request = text("Once upon a time", 2);
    request.deadlines.first_token = Some(Duration::from_nanos(1));
    // Nothing was measured yet, so it is accepted, and late or just in time.
    ask(&runtime, request.clone());
    crate::answer(&runtime, text("Once upon a time", 8));
    match runtime.submit(request) {
        Err(Rejected::DeadlineInfeasible { expected, deadline }) => {
            assert!(expected > deadline && deadline == Duration::from_nanos(1));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(stats(&runtime).totals.rejected_overload, 1);
}

#[test]
fn invariant_2_higher_priorities_go_first() {
    let (runtime, holder) = held_up(|_| {});
    let submit = |priority| runtime.submit(text("Once upon a time", 100).priority(priority)).unwrap();
    let mut waiting = [Priority::Background, Priority::Normal, Priority::Interactive].map(submit);
    drop(holder);
    // Each pauses when it was begun, since nobody reads on; so the others cannot have been begun.
    for place in (0..3).rev() {
        assert!(matches!(next(&mut waiting[place]), Some(Event::Text(_))));
        assert_eq!(stats(&runtime).queued, place);
        waiting[place].cancel_handle().cancel();
    }
}

#[test]
fn invariant_2_every_request_has_deadlines_without_asking_for_them() {
    let (runtime, holder) = held_up(|config| {
        config.defaults.queue_deadline = Duration::from_millis(700);
        config.defaults.total_deadline = Duration::from_secs(3);
    });
    let (_, finished) = ask(&runtime, text("late", 2));
    assert!(matches!(finished.reason, FinishReason::Deadline(Deadline::Queue)));
    let (_, finished) = read(holder);
    assert!(finished.reason.is_complete(), "{finished:?}");
}
