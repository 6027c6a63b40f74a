//! Cancels and shutdowns.

use llama_runtime::{Event, FinishReason, Generation, Request, Runtime};

use crate::{blocking, greedy, read, running, tiny};

#[test]
fn dropping_a_generation_cancels_it() {
    let runtime = blocking(4);
    let first = running(&runtime);
    let second = runtime.submit(greedy(Request::text("Once"), 4)).unwrap();
    // Unread, the first would hold the engine for an hour.
    drop(first);
    assert!(matches!(read(second).1, FinishReason::Length));
}

#[test]
fn a_cancel_ends_the_stream_with_what_was_written() {
    let runtime = blocking(4);
    let (whole, _) = read(runtime.submit(greedy(Request::text("Once"), 64)).unwrap());
    let mut generation = runtime.submit(greedy(Request::text("Once"), 64)).unwrap();
    let Some(Event::Text(mut text)) = generation.next() else { panic!("no text") };
    let handle = generation.cancel_handle();
    std::thread::spawn(move || handle.cancel()).join().unwrap();
    let (rest, reason) = read(generation);
    text.push_str(&rest);
    assert!(whole.starts_with(&text) && text.len() < whole.len(), "{text:?} of {whole:?}");
    assert!(matches!(reason, FinishReason::Cancelled), "{reason:?}");
}

#[test]
fn a_cancel_in_the_queue_computes_nothing() {
    let runtime = blocking(4);
    let first = running(&runtime);
    let waiting = runtime.submit(Request::text("Once")).unwrap();
    waiting.cancel_handle().cancel();
    drop(first);
    let (text, finished) = waiting.collect_text();
    assert_eq!(text, "");
    assert!(matches!(finished.reason, FinishReason::Cancelled));
    assert_eq!(finished.usage.prompt, 0);
}

#[test]
fn a_late_cancel_hits_no_other_request() {
    let runtime = tiny();
    let first = runtime.submit(greedy(Request::text("Once"), 2)).unwrap();
    let late = first.cancel_handle();
    read(first);
    let mut second = runtime.submit(greedy(Request::text("Once"), 32)).unwrap();
    assert!(second.next().is_some());
    late.cancel();
    assert!(matches!(read(second).1, FinishReason::Length));
}

#[test]
fn the_engine_goes_on_after_a_cancel_as_if_nothing_had_been() {
    let runtime = blocking(4);
    let expected = read(runtime.submit(greedy(Request::text("The fox"), 16)).unwrap()).0;
    drop(running(&runtime));
    assert_eq!(read(runtime.submit(greedy(Request::text("The fox"), 16)).unwrap()).0, expected);
}

#[test]
fn a_shutdown_ends_running_and_waiting_requests() {
    let runtime = blocking(4);
    let first = running(&runtime);
    let waiting = runtime.submit(Request::text("Once")).unwrap();
    runtime.shutdown();
    assert!(matches!(read(first).1, FinishReason::Shutdown));
    let (text, reason) = read(waiting);
    assert_eq!(text, "");
    assert!(matches!(reason, FinishReason::Shutdown));
}

#[test]
fn a_full_context_ends_the_answer() {
    let runtime = tiny();
    let (_, finished) = runtime.submit(Request::text("Once")).unwrap().collect_text();
    assert!(matches!(finished.reason, FinishReason::ContextFull), "{:?}", finished.reason);
    assert!(finished.usage.prompt + finished.usage.generated >= runtime.capacity());
}

#[test]
fn handles_may_go_to_other_threads() {
    fn sendable<T: Send>() {}
    fn shareable<T: Send + Sync>() {}
    shareable::<Runtime>();
    sendable::<Generation>();
    shareable::<llama_runtime::CancelHandle>();
    sendable::<Request>();
}
