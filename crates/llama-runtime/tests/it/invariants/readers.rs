//! 5. A reader that does not read pauses only its own request, which is ended after a while.

use std::time::Duration;

use crate::{answer, edited, next, read, stats, text, tiny_with};
use llama_runtime::{Event, FinishReason};

#[test]
fn invariant_5_a_reader_that_does_not_read_pauses_only_itself() {
    let runtime = tiny_with(edited(|config| config.limits.event_buffer = 3));
    let whole = answer(&runtime, text("Once upon a time", 40));
    let mut slow = runtime.submit(text("Once upon a time", 40)).unwrap();
    assert!(matches!(next(&mut slow), Some(Event::Text(_))));
    for _ in 0..3 {
        assert_eq!(answer(&runtime, text("Once upon a time", 40)), whole, "others are answered meanwhile");
    }
    let cancel = slow.cancel_handle();
    assert!(!cancel.is_finished());
    let mut text = String::new();
    let finished = loop {
        match next(&mut slow).unwrap() {
            Event::Text(more) => text.push_str(&more),
            Event::Finished(finished) => break finished,
            _ => {}
        }
    };
    assert!(matches!(finished.reason, FinishReason::Length), "it goes on where it paused");
    assert_eq!(finished.choices[0].text, whole);
    assert!(whole.ends_with(&text));
    assert!(finished.timings.paused > Duration::ZERO && finished.timings.paused < finished.timings.total);
}

#[test]
fn invariant_5_a_reader_that_does_not_read_for_too_long_is_ended() {
    let runtime = tiny_with(edited(|config| {
        config.limits.event_buffer = 3;
        config.limits.park_after = Duration::from_millis(1);
        config.limits.slow_consumer_timeout = Duration::from_millis(500);
    }));
    let whole = answer(&runtime, text("Once upon a time", 40));
    let slow = runtime.submit(text("Once upon a time", 40)).unwrap();
    let cancel = slow.cancel_handle();
    let mut rounds = 0;
    while !cancel.is_finished() {
        assert_eq!(answer(&runtime, text("Once upon a time", 40)), whole);
        rounds += 1;
    }
    assert!(rounds > 0);
    let (text, finished) = read(slow);
    assert!(matches!(finished.reason, FinishReason::SlowConsumer), "{finished:?}");
    assert!(!text.is_empty() && whole.starts_with(&text), "what was written is delivered");
    assert!(finished.timings.paused >= Duration::from_millis(500));
    assert_eq!(stats(&runtime).totals.slow_consumer, 1);
}
