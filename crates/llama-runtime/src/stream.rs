//! What comes back for a request: [`Generation`], a bounded stream that ends in exactly one [`Finished`].
//!
//! The engine holds the other end, [`Writer`]. The final event has a place of its own, so that it always fits, and a
//! `Writer` that is dropped without it (a panic, a shutdown) says so itself: a reader never waits for nobody.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use llama_core::{SessionError, Usage};

/// What happens while a request is answered.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// More text: whole characters, at least one, free of stop strings.
    Text(String),
    /// The request has ended. Always the last event, and always there.
    Finished(Finished),
}

/// How a request ended.
#[derive(Debug)]
#[non_exhaustive]
pub struct Finished {
    /// Why.
    pub reason: FinishReason,
    /// What it cost, in tokens.
    pub usage: Usage,
    /// What it cost, in time.
    pub timings: Timings,
}

/// Why a request ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum FinishReason {
    /// The model ended its answer.
    EndOfAnswer,
    /// This stop string was written; it is not part of the text.
    StopString(String),
    /// [`Request::max_tokens`](crate::Request::max_tokens) was reached.
    Length,
    /// The context is full.
    ContextFull,
    /// It was cancelled. What was written before has been delivered.
    Cancelled,
    /// Nobody read the events for [`EngineOptions::slow_consumer_timeout`](crate::EngineOptions::slow_consumer_timeout).
    SlowConsumer,
    /// The runtime was shut down first.
    Shutdown,
    /// It failed.
    Error(GenerateError),
}

/// Why an accepted request failed. Other requests are not affected, unless the variant says so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// The model could not be run on it, e.g. because its sampling parameters are out of range.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The engine thread panicked, or could not make a context again after a failure. All its requests fail with this,
    /// and it takes no more; start another runtime.
    #[error("the engine stopped working; the log and the panic message say why")]
    Crashed,
}

/// Where the time of a request went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Timings {
    /// Waiting for the requests before it.
    pub queued: Duration,
    /// Computing the prompt, without the part that was in the cache.
    pub prompt: Duration,
    /// Writing the answer, waiting for a slow reader included.
    pub generation: Duration,
}

/// The answer to one request, as a blocking iterator. Dropping it cancels the request.
///
/// `Send`: any one thread may read it.
#[derive(Debug)]
pub struct Generation {
    pub(crate) cancel: CancelHandle,
}

/// Stops one request, from any thread, in the queue and inside a running decode. Cheap to clone; harmless afterwards.
#[derive(Debug, Clone)]
pub struct CancelHandle {
    shared: Arc<Shared>,
    stage: Arc<Stage>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    capacity: usize,
    readable: Condvar,
    writable: Condvar,
}

#[derive(Debug, Default)]
struct State {
    texts: VecDeque<String>,
    cancelled: bool,
    finished: Option<Finished>,
    /// The final event was handed out.
    done: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Every critical section leaves the state whole, so a panic of another thread has not damaged it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cancel(&self) {
        self.lock().cancelled = true;
        self.writable.notify_all();
    }
}

impl CancelHandle {
    /// Asks the request to stop. Its stream still ends with [`Finished`].
    pub fn cancel(&self) {
        self.shared.cancel();
        self.stage.abort_if_running(&self.shared);
    }
}

impl Generation {
    /// A handle that cancels this request and can go to another thread.
    pub fn cancel_handle(&self) -> CancelHandle {
        self.cancel.clone()
    }

    /// Reads all that is left: the text, and how it ended. If that was read before, it is told as
    /// [`FinishReason::Cancelled`], with nothing used.
    pub fn collect_text(mut self) -> (String, Finished) {
        let mut text = String::new();
        loop {
            match self.next() {
                Some(Event::Text(more)) => text.push_str(&more),
                Some(Event::Finished(finished)) => return (text, finished),
                None => return (text, Finished::new(FinishReason::Cancelled)),
            }
        }
    }
}

impl Iterator for Generation {
    type Item = Event;

    /// Waits for the next event. `None` after [`Event::Finished`].
    fn next(&mut self) -> Option<Event> {
        let shared = &self.cancel.shared;
        let nothing = |state: &mut State| state.texts.is_empty() && state.finished.is_none() && !state.done;
        let mut state = shared.readable.wait_while(shared.lock(), nothing).unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = state.texts.pop_front() {
            shared.writable.notify_one();
            return Some(Event::Text(text));
        }
        let finished = state.finished.take()?;
        state.done = true;
        Some(Event::Finished(finished))
    }
}

impl Drop for Generation {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

impl Finished {
    pub(crate) fn new(reason: FinishReason) -> Self {
        Self { reason, usage: Usage::default(), timings: Timings::default() }
    }
}

/// The engine's end of a [`Generation`].
#[derive(Debug)]
pub(crate) struct Writer {
    shared: Arc<Shared>,
    finished: bool,
}

/// The reader left no room for longer than it may.
#[derive(Debug)]
pub(crate) struct TooSlow;

/// Makes both ends, for at most `capacity` unread texts.
pub(crate) fn channel(capacity: usize, stage: &Arc<Stage>) -> (Writer, Generation) {
    let shared = Arc::new(Shared {
        state: Mutex::default(),
        capacity: capacity.max(1),
        readable: Condvar::new(),
        writable: Condvar::new(),
    });
    let cancel = CancelHandle { shared: Arc::clone(&shared), stage: Arc::clone(stage) };
    (Writer { shared, finished: false }, Generation { cancel })
}

impl Writer {
    pub(crate) fn is_cancelled(&self) -> bool {
        self.shared.lock().cancelled
    }

    /// Hands out text, waiting up to `patience` for room. The text is delivered even if there was none: it is the last
    /// one then, and the last one after a cancel too.
    pub(crate) fn push(&self, text: String, patience: Duration) -> Result<(), TooSlow> {
        let full = |state: &mut State| state.texts.len() >= self.shared.capacity && !state.cancelled;
        let (mut state, waited) = self
            .shared
            .writable
            .wait_timeout_while(self.shared.lock(), patience, full)
            .unwrap_or_else(PoisonError::into_inner);
        state.texts.push_back(text);
        self.shared.readable.notify_one();
        if waited.timed_out() { Err(TooSlow) } else { Ok(()) }
    }

    pub(crate) fn finish(mut self, finished: Finished) {
        self.end(finished);
    }

    fn end(&mut self, finished: Finished) {
        self.finished = true;
        self.shared.lock().finished = Some(finished);
        self.shared.readable.notify_all();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.finished {
            let crashed = std::thread::panicking();
            let reason = if crashed { FinishReason::Error(GenerateError::Crashed) } else { FinishReason::Shutdown };
            self.end(Finished::new(reason));
        }
    }
}

/// Which request the engine works on: a cancel may stop that one, and no other.
#[derive(Debug, Default)]
pub(crate) struct Stage(Mutex<Option<Running>>);

#[derive(Debug)]
struct Running {
    shared: Arc<Shared>,
    abort: llama_core::CancelHandle,
}

/// A request is on stage until this is dropped.
#[derive(Debug)]
pub(crate) struct OnStage<'s>(&'s Stage);

impl Stage {
    fn lock(&self) -> MutexGuard<'_, Option<Running>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn enter(&self, writer: &Writer, abort: llama_core::CancelHandle) -> OnStage<'_> {
        *self.lock() = Some(Running { shared: Arc::clone(&writer.shared), abort });
        OnStage(self)
    }

    /// Cancels whatever request is running.
    pub(crate) fn cancel_running(&self) {
        if let Some(running) = &*self.lock() {
            running.shared.cancel();
            running.abort.cancel();
        }
    }

    /// The lock is held while the abort is asked for, so that it cannot hit the next request.
    fn abort_if_running(&self, shared: &Arc<Shared>) {
        if let Some(running) = &*self.lock()
            && Arc::ptr_eq(&running.shared, shared)
        {
            running.abort.cancel();
        }
    }
}

impl Drop for OnStage<'_> {
    fn drop(&mut self) {
        *self.0.lock() = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(capacity: usize) -> (Writer, Generation) {
        channel(capacity, &Arc::default())
    }

    fn texts_and_end(generation: Generation) -> (Vec<String>, FinishReason) {
        let mut texts = Vec::new();
        let mut ends = Vec::new();
        for event in generation {
            match event {
                Event::Text(text) => texts.push(text),
                Event::Finished(finished) => ends.push(finished.reason),
            }
        }
        assert_eq!(ends.len(), 1);
        (texts, ends.remove(0))
    }

    #[test]
    fn text_comes_in_order_and_the_end_comes_once() {
        let (writer, generation) = pair(4);
        writer.push("a".into(), Duration::ZERO).unwrap();
        writer.push("b".into(), Duration::ZERO).unwrap();
        writer.finish(Finished::new(FinishReason::Length));
        let (texts, end) = texts_and_end(generation);
        assert_eq!(texts, ["a", "b"]);
        assert!(matches!(end, FinishReason::Length));
    }

    #[test]
    fn a_reader_that_leaves_no_room_is_too_slow_and_loses_nothing() {
        let (writer, generation) = pair(1);
        writer.push("a".into(), Duration::ZERO).unwrap();
        assert!(writer.push("b".into(), Duration::from_millis(1)).is_err());
        writer.finish(Finished::new(FinishReason::SlowConsumer));
        assert_eq!(texts_and_end(generation).0, ["a", "b"]);
    }

    #[test]
    fn a_cancel_wakes_a_writer_that_waits_for_room() {
        let (writer, generation) = pair(1);
        writer.push("a".into(), Duration::ZERO).unwrap();
        let blocked = std::thread::spawn(move || writer.push("b".into(), Duration::MAX).is_ok());
        generation.cancel_handle().cancel();
        assert!(blocked.join().unwrap());
        assert_eq!(texts_and_end(generation).0, ["a", "b"]);
    }

    #[test]
    fn a_writer_that_is_dropped_ends_the_stream() {
        let (writer, generation) = pair(1);
        drop(writer);
        assert!(matches!(texts_and_end(generation).1, FinishReason::Shutdown));
    }

    #[test]
    fn a_writer_that_is_dropped_by_a_panic_ends_the_stream_with_an_error() {
        let (writer, generation) = pair(1);
        let thread = std::thread::spawn(move || {
            let _writer = writer;
            panic!("as the test wants");
        });
        assert!(thread.join().is_err());
        assert!(matches!(texts_and_end(generation).1, FinishReason::Error(GenerateError::Crashed)));
    }
}
