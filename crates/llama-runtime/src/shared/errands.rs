//! What the engine does between two steps for somebody who waits for it: [`Errand`].

use std::sync::Arc;

use tokio::sync::oneshot::Sender;

use super::{Door, Shared};
use crate::saved::{PrefixError, SavedPrefix};
use llama_core::Token;

/// Most errands that wait. A saved prefix may be as large as the KV cache, so not many are kept in memory.
pub(crate) const MAX_ERRANDS: usize = 8;

/// What is to be done, and who hears how it went.
#[derive(Debug)]
pub(crate) enum Task {
    /// The longest beginning of these tokens that the cache holds.
    Save { tokens: Vec<Token>, reply: Sender<Result<Option<SavedPrefix>, PrefixError>> },
    /// What was saved goes back.
    Restore { bytes: Vec<u8>, reply: Sender<Result<usize, PrefixError>> },
}

/// A task that waits for the engine.
#[derive(Debug)]
pub(super) struct Errand {
    id: u64,
    task: Task,
}

/// Takes its errand back when it is dropped, if nobody has begun it.
#[derive(Debug)]
pub(crate) struct Sent {
    shared: Arc<Shared>,
    id: u64,
}

impl Task {
    pub(crate) fn fail(self, error: PrefixError) {
        // Whoever has gone need not hear it.
        match self {
            Self::Save { reply, .. } => drop(reply.send(Err(error))),
            Self::Restore { reply, .. } => drop(reply.send(Err(error))),
        }
    }
}

impl Shared {
    /// Leaves a task for the engine, which does one between two of its steps. As long as it waits, the model is needed.
    pub(crate) fn send_errand(self: &Arc<Self>, task: Task) -> Result<Sent, PrefixError> {
        let mut state = self.lock();
        if state.door != Door::Open {
            return Err(PrefixError::ShuttingDown);
        }
        if state.stalled {
            return Err(crate::rejected::Rejected::Stalled.into());
        }
        if state.errands.len() >= MAX_ERRANDS {
            return Err(PrefixError::Busy { limit: MAX_ERRANDS });
        }
        let id = state.next_errand;
        state.next_errand += 1;
        state.errands.push_back(Errand { id, task });
        state.poked = true;
        drop(state);
        self.wake.notify_all();
        Ok(Sent { shared: Arc::clone(self), id })
    }

    /// The next task, for the engine.
    pub(crate) fn take_errand(&self) -> Option<Task> {
        Some(self.lock().errands.pop_front()?.task)
    }

    /// Whoever waits for an errand waits no longer.
    pub(super) fn fail_errands(&self, error: impl Fn() -> PrefixError) {
        let errands = std::mem::take(&mut self.lock().errands);
        errands.into_iter().for_each(|errand| errand.task.fail(error()));
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        let before = state.errands.len();
        let id = self.id;
        let left = std::mem::take(&mut state.errands);
        state.errands = left.into_iter().filter(|errand| errand.id != id).collect();
        let quiet = before != state.errands.len() && state.is_idle();
        drop(state);
        if quiet {
            self.shared.quiet.notify_waiters();
            // A load may have been for this alone.
            self.shared.budget.look_again();
        }
    }
}
