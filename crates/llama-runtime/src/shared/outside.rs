//! What readers and the timer do with [`Shared`], from any thread.

use std::time::{Duration, Instant};

use super::Shared;
use crate::error::GenerateError;
use crate::event::{Deadline, FinishReason};
use crate::ids::RequestId;
use crate::ticket::Open;

impl Shared {
    /// A cancel: out of the queue at once, or out of the running step.
    pub(crate) fn cancel(&self, id: RequestId) {
        let queued = self.lock().queue.remove(id);
        match queued {
            Some(entry) => {
                entry.item.open().end(FinishReason::Cancelled);
                self.place.notify_one();
            }
            None => {
                self.stage.abort_if_running(id.0);
            }
        }
        self.poke();
    }

    /// Wakes the engine.
    pub(crate) fn poke(&self) {
        self.lock().poked = true;
        self.wake.notify_all();
    }

    /// A deadline passed: ends the request if it still matters.
    pub(crate) fn deadline(&self, open: &Open, which: Deadline) {
        let id = open.ticket.id;
        let (admitted, begun) = {
            let record = open.ticket.record();
            (record.admitted.is_some(), record.first_token.is_some())
        };
        let met = match which {
            Deadline::Queue => admitted,
            Deadline::FirstToken => begun,
            Deadline::Total => false,
        };
        if met {
            return;
        }
        let queued = self.lock().queue.remove(id);
        if open.end(FinishReason::Deadline(which)) {
            self.stage.abort_if_running(id.0);
        }
        if queued.is_some() {
            self.place.notify_one();
        }
        self.poke();
    }

    /// Looks whether the running step takes longer than `limit`; says when to look again.
    pub(crate) fn check_stall(&self, limit: Duration, now: Instant) -> Option<Instant> {
        let mut state = self.lock();
        let due = state.step.and_then(|began| began.checked_add(limit));
        if let Some(due) = due.filter(|due| now < *due) {
            return Some(due);
        }
        state.watched = false;
        due?;
        state.stalled = true;
        drop(state);
        tracing::error!(model = &*self.name, after = ?limit, "a step does not come back; its requests fail");
        self.end_all(|| FinishReason::Error(GenerateError::Stalled { after: limit }));
        // Nobody wants what it computes any more. One that is only slow stops, and the next requests are taken.
        self.abort();
        None
    }
}
