//! The accounts of all clients, and who looks whether they get on: [`Board`].

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use llama_runtime::{Finished, Rejected};

use crate::process;

/// Longest time without the end of any request.
const PATIENCE: Duration = Duration::from_secs(40);

/// What clients saw.
#[derive(Default)]
pub(crate) struct Board {
    state: Mutex<State>,
    changed: Condvar,
}

/// The accounts.
#[derive(Default, Clone)]
pub(crate) struct State {
    /// Tasks that are being carried out.
    tasks: BTreeMap<String, Instant>,
    pub(crate) clients: usize,
    pub(crate) accepted: u64,
    /// By [`FinishReason::as_str`](llama_runtime::FinishReason::as_str).
    pub(crate) ends: BTreeMap<&'static str, u64>,
    /// Streams that were dropped before their end.
    pub(crate) dropped: u64,
    pub(crate) overload: BTreeMap<&'static str, u64>,
    pub(crate) invalid: u64,
    /// Whole answers that followed a grammar or a schema.
    pub(crate) shaped: u64,
    pub(crate) generated: u64,
    pub(crate) first_token: Vec<Duration>,
    /// From a cancel to the last event.
    pub(crate) silence: Vec<Duration>,
    /// Resident memory in bytes, at equal numbers of requests.
    pub(crate) memory: Vec<u64>,
    steps: u64,
}

impl Board {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // The accounts of a client that failed are told with its failure.
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn begin(&self, task: &str) {
        self.lock().tasks.insert(task.to_owned(), Instant::now());
    }

    pub(crate) fn end(&self, task: &str) {
        let mut state = self.lock();
        state.tasks.remove(task);
        drop(state);
        self.note(|_| {});
    }

    pub(crate) fn accepted(&self) {
        self.note(|state| state.accepted += 1);
    }

    pub(crate) fn refused(&self, why: &Rejected, invalid: bool) {
        self.note(|state| {
            if invalid {
                state.invalid += 1;
            } else {
                *state.overload.entry(why.as_str()).or_default() += 1;
            }
        });
    }

    pub(crate) fn dropped(&self) {
        self.note(|state| state.dropped += 1);
    }

    pub(crate) fn shaped(&self) {
        self.note(|state| state.shaped += 1);
    }

    pub(crate) fn finished(&self, finished: &Finished, silence: Option<Duration>) {
        self.note(|state| {
            *state.ends.entry(finished.reason.as_str()).or_default() += 1;
            state.generated += finished.usage.generated as u64;
            state.first_token.extend(finished.timings.first_token);
            state.silence.extend(silence);
            if state.ends.values().sum::<u64>().is_multiple_of(50) {
                state.memory.extend(process::memory());
            }
        });
    }

    fn note(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        state.steps += 1;
        drop(state);
        self.changed.notify_all();
    }

    /// Waits until all clients are done.
    pub(crate) fn watch(&self, tell: impl Fn() -> String) {
        let mut state = self.lock();
        let (mut steps, mut since) = (state.steps, Instant::now());
        while state.clients > 0 {
            if state.steps > steps {
                (steps, since) = (state.steps, Instant::now());
            }
            if since.elapsed() > PATIENCE {
                let open: Vec<String> =
                    state.tasks.iter().map(|(task, since)| format!("{task}: {:?}", since.elapsed())).collect();
                drop(state);
                panic!("nothing happened for {PATIENCE:?}; open are {open:#?}\n{}", tell());
            }
            state = self.changed.wait_timeout(state, Duration::from_secs(1)).unwrap().0;
        }
    }
}

/// A client that is there until this is dropped, be it by a panic.
pub(crate) struct Present<'b>(&'b Board);

impl<'b> Present<'b> {
    pub(crate) fn new(board: &'b Board) -> Self {
        Self(board)
    }
}

impl Drop for Present<'_> {
    fn drop(&mut self) {
        self.0.note(|state| state.clients -= 1);
    }
}
