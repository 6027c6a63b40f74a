//! Going away without leaving anybody behind.

use std::time::Duration;

use crate::{exact, held_up, hold, read, text, tiny_with};
use llama_runtime::{FinishReason, ModelSpec, Runtime};
use llama_testkit::fixtures;

#[test]
fn a_shutdown_lets_accepted_requests_finish() {
    let runtime = tiny_with(exact());
    let open: Vec<_> = (0..20).map(|_| runtime.submit(text("Once upon a time", 10)).unwrap()).collect();
    let drained = runtime.shutdown_blocking(Duration::from_secs(60));
    assert!(drained.cut == 0 && drained.open <= 20, "{drained:?}");
    for generation in open {
        let (text, finished) = read(generation);
        assert!(matches!(finished.reason, FinishReason::Length) && !text.is_empty(), "{finished:?}");
    }
}

#[test]
fn a_shutdown_without_patience_cuts_and_delivers_what_there_is() {
    let (runtime, holder) = held_up(|_| {});
    let waiting: Vec<_> = (0..5).map(|_| runtime.submit(text("waiting", 5)).unwrap()).collect();
    let drained = runtime.shutdown_blocking(Duration::ZERO);
    assert_eq!((drained.open, drained.cut), (6, 6));
    let (rest, finished) = read(holder);
    assert!(finished.choices[0].text.ends_with(&rest) && matches!(finished.reason, FinishReason::Shutdown));
    for generation in waiting {
        assert!(matches!(read(generation).1.reason, FinishReason::Shutdown));
    }
}

#[test]
fn dropping_a_runtime_ends_everything_at_once() {
    let (runtime, holder) = held_up(|_| {});
    let waiting = runtime.submit(text("waiting", 5)).unwrap();
    let cancel = waiting.cancel_handle();
    drop(runtime);
    assert!(cancel.is_finished());
    for generation in [holder, waiting] {
        assert!(matches!(read(generation).1.reason, FinishReason::Shutdown));
    }
    cancel.cancel();
}

#[test]
fn a_runtime_that_never_loaded_goes_at_once() {
    let spec = ModelSpec::path(fixtures::tiny_llama()).on_demand();
    let runtime = Runtime::builder().model("tiny", spec).build_blocking().unwrap();
    let drained = runtime.shutdown_blocking(Duration::from_secs(60));
    assert_eq!((drained.open, drained.cut), (0, 0));
}

#[test]
fn a_runtime_that_loads_goes_too() {
    let spec = ModelSpec::path(fixtures::tiny_llama()).config(exact()).on_demand();
    let runtime = Runtime::builder().model("tiny", spec).build_blocking().unwrap();
    let open = runtime.submit(text("Once upon a time", 5)).unwrap();
    drop(runtime);
    let (_, finished) = read(open);
    assert!(matches!(finished.reason, FinishReason::Shutdown | FinishReason::Length), "{finished:?}");
}

#[test]
fn a_slow_drain_ends_when_the_last_request_is_read() {
    let (runtime, holder) = held_up(|_| {});
    let reader = std::thread::spawn(move || read(holder));
    let drained = runtime.shutdown_blocking(Duration::from_secs(60));
    assert!(drained.cut == 0 && drained.open <= 1);
    assert!(matches!(reader.join().unwrap().1.reason, FinishReason::Length));
    let again = tiny_with(exact());
    drop(hold(&again));
}
