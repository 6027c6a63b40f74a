//! 1. Nothing is unbounded. A full queue is a typed rejection at once, or waits, or sheds the lowest priority.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::{answer, ask, held_up, hold, next, poll_now, read, runtime_of, stats, text, tiny_with};
use llama_runtime::{Deadline, EmbedRequest, Event, FinishReason, OverloadPolicy, Priority, Rejected};
use llama_testkit::fixtures;

#[test]
fn invariant_1_nothing_is_unbounded_and_a_full_queue_is_a_typed_rejection_with_a_retry_time() {
    let (runtime, holder) = held_up(|config| config.limits.queue = 2);
    let waiting = [(); 2].map(|()| runtime.submit(text("wait", 2)).unwrap());
    match runtime.submit(text("too many", 2)) {
        Err(Rejected::QueueFull { capacity: 2, retry_after: None }) => {}
        other => panic!("nothing has ended yet, so nobody knows when there will be a place: {other:?}"),
    }
    drop(holder);
    for generation in waiting {
        assert!(matches!(read(generation).1.reason, FinishReason::Length));
    }
    let _holder = hold(&runtime);
    let _waiting = [(); 2].map(|()| runtime.submit(text("wait", 2)).unwrap());
    match runtime.submit(text("too many", 2)) {
        Err(Rejected::QueueFull { capacity: 2, retry_after: Some(after) }) => assert!(after > Duration::ZERO),
        other => panic!("{other:?}"),
    }
    let stats = stats(&runtime);
    assert_eq!((stats.queued, stats.open), (2, 3));
    assert_eq!((stats.totals.accepted, stats.totals.rejected_overload), (6, 2));
}

#[test]
fn invariant_1_waiting_for_a_place_is_bounded_too() {
    let (runtime, holder) = held_up(|config| {
        config.limits.queue = 1;
        config.limits.overload = OverloadPolicy::Wait;
    });
    let queued = runtime.submit(text("queued", 2)).unwrap();
    assert!(matches!(runtime.submit(text("not waiting", 2)), Err(Rejected::QueueFull { .. })));
    let mut waiting = pin!(runtime.submit_waiting(text("waiting", 2)));
    assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    match poll_now(runtime.submit_waiting(text("one too many", 2))) {
        Poll::Ready(Err(Rejected::QueueFull { capacity: 1, retry_after: Some(_) })) => {}
        other => panic!("{other:?}"),
    }
    drop(holder);
    let waited = llama_runtime::blocking::block_on(waiting).unwrap();
    for generation in [queued, waited] {
        assert!(matches!(read(generation).1.reason, FinishReason::Length));
    }
}

#[test]
fn invariant_1_a_wait_for_a_place_ends_with_the_first_deadline() {
    let (runtime, holder) = held_up(|config| {
        config.limits.queue = 1;
        config.limits.overload = OverloadPolicy::Wait;
    });
    let _queued = runtime.submit(text("queued", 2)).unwrap();
    let mut late = text("late", 2);
    late.deadlines.queue = Some(Duration::from_millis(5));
    let refused = llama_runtime::blocking::block_on(runtime.submit_waiting(late));
    assert!(matches!(refused, Err(Rejected::QueueFull { .. })));
    // Nor beyond a deadline that comes before that of the queue.
    for which in [Deadline::Total, Deadline::FirstToken] {
        let mut late = text("late", 2);
        let soon = Some(Duration::from_millis(5));
        match which {
            Deadline::Total => late.deadlines.total = soon,
            _ => late.deadlines.first_token = soon,
        }
        let (sender, refused) = std::sync::mpsc::sync_channel(1);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let answer = llama_runtime::blocking::block_on(runtime.submit_waiting(late));
                sender.send(matches!(answer, Err(Rejected::QueueFull { .. } | Rejected::DeadlineInfeasible { .. })))
            });
            let refused = refused.recv_timeout(Duration::from_secs(20));
            if refused.is_err() {
                // Ends the wait, so that the test fails instead of hanging.
                holder.cancel_handle().cancel();
            }
            let _ = waiting.join();
            assert_eq!(refused, Ok(true), "{which:?}");
        });
    }
    // A future that is dropped gives its place among those who wait back.
    assert!(poll_now(runtime.submit_waiting(text("gone", 2))).is_pending());
    assert!(poll_now(runtime.submit_waiting(text("next", 2))).is_pending());
}

#[test]
fn invariant_1_the_lowest_priority_is_shed() {
    let (runtime, holder) = held_up(|config| {
        config.limits.queue = 2;
        config.limits.overload = OverloadPolicy::ShedLowest;
    });
    let normal = runtime.submit(text("normal", 2)).unwrap();
    let low = runtime.submit(text("low", 2).priority(Priority::Background)).unwrap();
    let same = runtime.submit(text("as low", 2).priority(Priority::Background));
    assert!(matches!(same, Err(Rejected::QueueFull { .. })), "it takes nobody's place");
    let urgent = runtime.submit(text("urgent", 2).priority(Priority::Interactive)).unwrap();
    let (shed, finished) = read(low);
    assert!(matches!(finished.reason, FinishReason::Shed), "{finished:?}");
    assert_eq!((shed.as_str(), finished.usage.generated), ("", 0));
    drop(holder);
    for generation in [normal, urgent] {
        assert!(matches!(read(generation).1.reason, FinishReason::Length));
    }
    assert_eq!(stats(&runtime).totals.shed, 1);
}

#[test]
fn invariant_1_unread_events_are_bounded() {
    let runtime = tiny_with(crate::edited(|config| config.limits.event_buffer = 5));
    let unread = runtime.submit(text("Once upon a time", 100)).unwrap();
    let mut other = hold(&runtime);
    for _ in 0..40 {
        assert!(matches!(next(&mut other), Some(Event::Text(_))));
    }
    // The other one was computed 40 tokens further meanwhile.
    unread.cancel_handle().cancel();
    let (_, finished) = read(unread);
    assert!(matches!(finished.reason, FinishReason::Cancelled));
    assert!(finished.usage.generated <= 6, "{finished:?}");
}

#[test]
fn invariant_1_unread_embeddings_are_bounded() {
    let runtime = runtime_of(fixtures::tiny_embedding(), crate::edited(|config| config.limits.event_buffer = 2));
    let texts = |n: usize| EmbedRequest::new((0..n).map(|place| format!("text {place}")));
    let unread = runtime.embed(texts(2000)).unwrap().into_events();
    for _ in 0..3 {
        runtime.embed(texts(20)).unwrap().finish_blocking().unwrap();
    }
    unread.cancel_handle().cancel();
    let vectors = unread.blocking().filter(|event| matches!(event, Event::Embedding { .. })).count();
    assert!(vectors < 200, "{vectors} vectors waited for a reader");
}

#[test]
fn invariant_1_what_is_cancelled_or_late_gives_its_place_back() {
    let (runtime, _holder) = held_up(|config| config.limits.queue = 1);
    drop(runtime.submit(text("dropped", 2)).unwrap());
    let cancelled = runtime.submit(text("cancelled", 2)).unwrap();
    cancelled.cancel_handle().cancel();
    let mut late = text("late", 2);
    late.deadlines.queue = Some(Duration::from_millis(1));
    assert!(matches!(ask(&runtime, late).1.reason, FinishReason::Deadline(_)));
    assert!(runtime.submit(text("has a place", 2)).is_ok());
    assert_eq!(
        runtime.stats().timers,
        1 + 2,
        "the one that holds, and the last one was dropped: {:?}",
        runtime.stats()
    );
    assert!(matches!(read(cancelled).1.reason, FinishReason::Cancelled));
    let runtime = tiny_with(crate::exact());
    assert_ne!(answer(&runtime, text("and so on", 4)), "");
}

#[test]
fn invariant_1_who_waited_long_is_served_while_others_of_higher_priority_keep_coming() {
    let runtime = tiny_with(crate::edited(|config| {
        config.batch.max_sequences = 1;
        config.limits.aging = Duration::from_millis(20);
    }));
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    ask(&runtime, text("busy", 10).priority(Priority::Interactive));
                }
            });
        }
        let low = || text("nobody waits for this", 30).priority(Priority::Background).deadline(Duration::from_secs(5));
        let ends: Vec<_> = (0..3).map(|_| ask(&runtime, low()).1.reason).collect();
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(ends.iter().all(|end| matches!(end, FinishReason::Length)), "{ends:?}");
    });
}
