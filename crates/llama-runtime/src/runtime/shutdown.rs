//! Stopping: [`Runtime::shutdown`], and what dropping does.

use std::pin::pin;
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::{Runtime, Timer, either};
use crate::event::FinishReason;
use crate::shared::{Door, Phase};

/// What a shutdown came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// Requests that were open when it began.
    pub open: usize,
    /// Of these, ended by it because they were not done in time.
    pub cut: usize,
}

impl Runtime {
    /// Takes no more requests, lets those that were accepted finish for at most `limit`, ends the others with
    /// [`FinishReason::Shutdown`], and frees the models. What was written before is delivered, and streams can be read after
    /// it. A limit of zero ends everything at once.
    pub async fn shutdown(self, limit: Duration) -> Drained {
        let open = self.open();
        for model in &self.models {
            model.host.shared.shut(Door::Draining);
        }
        self.drain(limit).await;
        let cut = self.open();
        self.close();
        for model in &self.models {
            // Engines stop within an operation of a running step; waited for here, so that no executor is blocked.
            let mut phase = model.host.shared.subscribe();
            let done = phase.wait_for(|phase| matches!(phase, Phase::Unloaded | Phase::Failed(_))).await.is_ok();
            debug_assert!(done, "the sender lives as long as the model");
        }
        Drained { open, cut }
    }

    /// [`shutdown`](Self::shutdown) for a thread.
    pub fn shutdown_blocking(self, limit: Duration) -> Drained {
        crate::blocking::block_on(self.shutdown(limit))
    }

    /// Requests that have not ended.
    fn open(&self) -> usize {
        self.models.iter().map(|model| model.host.shared.depth().2).sum()
    }

    async fn drain(&self, limit: Duration) {
        let expired = Arc::new(Notify::new());
        // A limit beyond what the clock can count is none.
        let _timer = Instant::now()
            .checked_add(limit)
            .map(|at| Timer { keys: [self.timer.watch().wake(at, Arc::clone(&expired))], timers: &self.timer });
        for model in &self.models {
            let shared = &model.host.shared;
            loop {
                let mut quiet = pin!(shared.quiet.notified());
                quiet.as_mut().enable();
                if shared.is_idle() {
                    break;
                }
                if !either(quiet, pin!(expired.notified())).await {
                    return;
                }
            }
        }
    }

    fn close(&self) {
        for model in &self.models {
            model.host.shared.shut(Door::Closed);
            model.host.shared.end_all(|| FinishReason::Shutdown);
            model.host.shared.abort();
        }
        self.budget.look_again();
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.close();
        for model in &self.models {
            let thread = model.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
            // The last owner may have been a task that an engine woke, on that engine's thread. It ends by itself.
            let own = |thread: &JoinHandle<()>| thread.thread().id() == std::thread::current().id();
            if let Some(thread) = thread.filter(|thread| !own(thread)) {
                // The requests of a thread that panicked were told.
                let _ = thread.join();
            }
        }
    }
}
