//! What is refused, and that refusing costs nobody else anything.

use llama_runtime::{FinishReason, GenerateError, Rejected, Request, Token};

use crate::{blocking, greedy, read, running, tiny};

#[test]
fn a_full_queue_refuses_at_once() {
    let runtime = blocking(1);
    let first = running(&runtime);
    let second = runtime.submit(greedy(Request::text("Once"), 4)).unwrap();
    let third = runtime.submit(Request::text("Once"));
    assert!(matches!(third, Err(Rejected::QueueFull { capacity: 1 })), "{third:?}");
    drop(first);
    assert!(matches!(read(second).1, FinishReason::Length));
}

#[test]
fn requests_that_cannot_fit_are_refused_before_they_wait() {
    let runtime = tiny();
    let limit = runtime.capacity() - 1;
    let refused = runtime.submit(Request::tokens(vec![Token(1); limit + 1])).unwrap_err();
    assert!(matches!(refused, Rejected::PromptTooLong { tokens, limit: l } if tokens == limit + 1 && l == limit));
    assert!(matches!(runtime.submit(Request::text("")).unwrap_err(), Rejected::EmptyPrompt));
    assert!(matches!(runtime.submit(Request::tokens([Token(-1)])).unwrap_err(), Rejected::Tokenize(_)));
    let mut request = Request::text("Once");
    request.stop = vec![String::new()];
    assert!(matches!(runtime.submit(request).unwrap_err(), Rejected::Stop(_)));
    assert!(runtime.submit(Request::tokens(vec![Token(1); limit])).is_ok());
}

#[test]
fn the_engine_survives_a_bad_request() {
    let runtime = tiny();
    let mut bad = Request::text("Once");
    bad.sampling.top_p = 7.0;
    let (text, reason) = read(runtime.submit(bad).unwrap());
    assert_eq!(text, "");
    assert!(matches!(reason, FinishReason::Error(GenerateError::Session(_))), "{reason:?}");
    let (text, reason) = read(runtime.submit(greedy(Request::text("Once"), 4)).unwrap());
    assert!(!text.is_empty() && matches!(reason, FinishReason::Length));
}

#[test]
fn a_reader_that_does_not_read_is_given_up_after_the_timeout() {
    use llama_runtime::{ModelSpec, Runtime};
    let mut options = crate::options();
    options.event_buffer = 1;
    options.slow_consumer_timeout = std::time::Duration::from_millis(1);
    let runtime = Runtime::start(ModelSpec::path(llama_testkit::fixtures::tiny_llama()), options).unwrap();
    let slow = runtime.submit(greedy(Request::text("Once"), 100)).unwrap();
    // One after another: when this one is answered, the slow one has been given up.
    let (_, next) = runtime.submit(greedy(Request::text("Once"), 1)).unwrap().collect_text();
    assert!(matches!(next.reason, FinishReason::Length));
    let (text, reason) = read(slow);
    assert!(!text.is_empty() && matches!(reason, FinishReason::SlowConsumer), "{reason:?}");
}
