//! Which requests the running step computes, so that a cancel can abort exactly that step.
//!
//! For a cancel to be neither lost nor too late, the engine computes a step in this order:
//!
//! 1. forget an abort that an earlier step did not notice,
//! 2. [`Stage::begin`] with the requests that may abort the step,
//! 3. look again which of them are cancelled,
//! 4. compute,
//! 5. drop the [`OnStage`].
//!
//! A cancel sets its flag and then calls [`Stage::abort_if_running`]. Either the flag was set before 3 and is seen there,
//! or it was set after 2 and finds the request on stage, if the step still runs.
//!
//! Also compiled by `tests/model`, so this file names only [`sync`](crate::sync) of this crate.

use crate::sync::{Mutex, MutexGuard, PoisonError};

/// The place where the engine says what it computes. `abort` stops the running step; it must be quick and not panic,
/// and must not use the stage: its lock is held.
#[derive(Debug)]
pub(crate) struct Stage<A> {
    abort: A,
    running: Mutex<Vec<u64>>,
}

/// A step runs until this is dropped.
#[derive(Debug)]
#[must_use = "the step ends when this is dropped"]
pub(crate) struct OnStage<'s, A: Fn()>(&'s Stage<A>);

impl<A: Fn()> Stage<A> {
    pub(crate) fn new(abort: A) -> Self {
        Self { abort, running: Mutex::new(Vec::new()) }
    }

    /// Says that a step starts, and which requests may abort it. One step at a time. The iterator must not use the stage.
    pub(crate) fn begin(&self, abortable: impl IntoIterator<Item = u64>) -> OnStage<'_, A> {
        // Made first, so that it also clears what an iterator that panics leaves behind.
        let on_stage = OnStage(self);
        self.lock().extend(abortable);
        on_stage
    }

    /// Aborts the running step if `request` may do that. Says whether it did.
    ///
    /// The lock is held meanwhile: the step cannot end before the abort was asked for, so it cannot hit the next one.
    pub(crate) fn abort_if_running(&self, request: u64) -> bool {
        let running = self.lock();
        let on_stage = running.contains(&request);
        if on_stage {
            (self.abort)();
        }
        on_stage
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u64>> {
        // A list of numbers is whole wherever a panic stopped.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<A: Fn()> Drop for OnStage<'_, A> {
    fn drop(&mut self) {
        self.0.lock().clear();
    }
}
