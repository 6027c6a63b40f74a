//! 3. Every accepted request ends in exactly one `Finished`, and what was written before it is delivered.
//!
//! [`read`] asserts that there is one; here is each reason for it. Deadlines, shedding and errors are in the other modules.

use std::time::Duration;

use crate::{answer, ask, edited, exact, held_up, next, read, stats, text, tiny_with};
use llama_runtime::{Event, FinishReason, Request, SamplingParams, Structure};

#[test]
fn invariant_3_every_request_ends_once_with_stop() {
    let runtime = tiny_with(exact());
    let whole = answer(&runtime, text("Once upon a time", 20));
    let stop = whole.chars().skip(10).take(4).collect::<String>();
    let (text_before, finished) = ask(&runtime, text("Once upon a time", 20).stop(&stop));
    assert!(matches!(&finished.reason, FinishReason::StopString(found) if *found == stop), "{finished:?}");
    assert_eq!(Some(text_before.as_str()), whole.split(stop.as_str()).next());
    let (date, finished) = ask(&runtime, text("Once upon a time", 20).structure(Structure::regex("[0-9]{3}")));
    assert!(matches!(finished.reason, FinishReason::EndOfAnswer), "{finished:?}");
    assert!(date.len() == 3 && date.bytes().all(|byte| byte.is_ascii_digit()), "{date:?}");
}

#[test]
fn invariant_3_every_request_ends_once_with_length() {
    let runtime = tiny_with(edited(|config| config.limits.max_sequence_tokens = Some(40)));
    let (_, finished) = ask(&runtime, text("Once upon a time", 7));
    assert!(matches!(finished.reason, FinishReason::Length));
    assert_eq!(finished.usage.generated, 7);
    let mut unlimited = text("Once upon a time", 1);
    unlimited.max_tokens = None;
    let (_, finished) = ask(&runtime, unlimited);
    assert!(matches!(finished.reason, FinishReason::ContextFull), "{finished:?}");
    assert_eq!(finished.usage.prompt + finished.usage.generated, 40);
}

#[test]
fn invariant_3_every_request_ends_once_with_cancelled() {
    let (runtime, mut holder) = held_up(|_| {});
    let waiting = runtime.submit(text("waiting", 2)).unwrap();
    for _ in 0..3 {
        holder.cancel_handle().cancel();
        waiting.cancel_handle().cancel();
    }
    let (text_waiting, finished) = read(waiting);
    assert!(matches!(finished.reason, FinishReason::Cancelled) && text_waiting.is_empty());
    let mut rest = String::new();
    let finished = loop {
        match next(&mut holder).unwrap() {
            Event::Text(more) => rest.push_str(&more),
            Event::Finished(finished) => break finished,
            other => panic!("{other:?}"),
        }
    };
    assert!(next(&mut holder).is_none() && next(&mut holder).is_none(), "nothing comes after the end");
    assert!(matches!(finished.reason, FinishReason::Cancelled));
    assert!(finished.choices[0].text.ends_with(&rest));
    assert!(answer(&runtime, text("Once upon a time", 200)).starts_with(&finished.choices[0].text));
    assert_eq!(stats(&runtime).totals.cancelled, 2);
}

#[test]
fn invariant_3_text_that_was_held_back_is_delivered_with_a_cancel() {
    let runtime = tiny_with(edited(|config| config.limits.event_buffer = 20));
    let mut sampling = SamplingParams::default();
    sampling.temperature = 1.0;
    let request = || Request::text("Once upon a time").sampling(sampling.clone()).seed(7).max_tokens(60);
    let whole = answer(&runtime, request());
    // All that the first choice writes could begin the stop string, so nothing of it comes out before the end. The second
    // one fills the buffer, and then the request pauses.
    let mut held = runtime.submit(request().choices(2).stop(format!("{whole}!"))).unwrap();
    assert!(matches!(next(&mut held), Some(Event::Text(more)) if more.choice == 1));
    assert_eq!(answer(&runtime, request()), whole);
    held.cancel_handle().cancel();
    let mut last = String::new();
    let finished = loop {
        match next(&mut held).unwrap() {
            Event::Text(more) if more.choice == 0 => last.push_str(&more),
            Event::Finished(finished) => break finished,
            _ => assert!(last.is_empty(), "it comes with the end"),
        }
    };
    assert!(matches!(finished.reason, FinishReason::Cancelled), "{finished:?}");
    assert!(last.chars().count() > 8 && whole.starts_with(&last), "{last:?} of {whole:?}");
    assert_eq!(finished.choices[0].text, last);
}

#[test]
fn invariant_3_every_request_ends_once_with_slow_consumer() {
    let runtime = tiny_with(edited(|config| {
        config.limits.event_buffer = 4;
        config.limits.park_after = Duration::ZERO;
        config.limits.slow_consumer_timeout = Duration::from_millis(500);
        config.batch.max_sequences = 1;
    }));
    let unread = runtime.submit(text("Once upon a time", 50)).unwrap();
    // It is admitted when the first one is out of the way, parked or ended, so that must end by itself.
    let whole = answer(&runtime, text("Once upon a time", 50));
    let ended = unread.cancel_handle();
    while !ended.is_finished() {
        answer(&runtime, text("Once upon a time", 10));
    }
    let (text, finished) = read(unread);
    assert!(matches!(finished.reason, FinishReason::SlowConsumer), "{finished:?}");
    assert!(!text.is_empty() && whole.starts_with(&text));
}

#[test]
fn invariant_3_every_request_ends_once_with_shutdown() {
    let (runtime, holder) = held_up(|_| {});
    let waiting = runtime.submit(text("waiting", 2)).unwrap();
    let drained = runtime.shutdown_blocking(Duration::from_millis(10));
    assert_eq!((drained.open, drained.cut), (2, 2));
    let (rest, finished) = read(holder);
    assert!(matches!(finished.reason, FinishReason::Shutdown) && finished.choices[0].text.ends_with(&rest));
    let (none, finished) = read(waiting);
    assert!(matches!(finished.reason, FinishReason::Shutdown) && none.is_empty());
}

#[test]
fn invariant_3_every_accepted_request_is_counted_at_its_end() {
    let runtime = tiny_with(exact());
    let open: Vec<_> = (0..20).map(|i| runtime.submit(text("Once upon a time", 3 + i % 4)).unwrap()).collect();
    for (place, generation) in open.into_iter().enumerate() {
        match place % 3 {
            0 => drop(generation),
            1 => generation.cancel_handle().cancel(),
            _ => assert!(matches!(read(generation).1.reason, FinishReason::Length)),
        }
    }
    let drained = runtime.shutdown_blocking(Duration::from_secs(30));
    assert_eq!(drained.cut, 0);
}
