//! What the engine thread does with [`Shared`].

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::{Abort, Door, Phase, Shared};
use crate::event::FinishReason;
use crate::job::Job;
use crate::queue::Entry;
use crate::stats::{Pace, Snapshot};
use crate::ticket::Open;

/// Why the engine woke up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Woken {
    Work,
    /// Nothing to do, and asked to go.
    Evict,
    Closed,
    TimedOut,
}

/// What to do about a waiting request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admit {
    Take,
    /// Not this one yet, but perhaps the ones behind it.
    Skip,
    /// There is no room for any more.
    Stop,
}

/// Most waiting requests that are passed over in one turn to find one behind them that can be taken.
const LOOK_AHEAD: usize = 64;

impl Shared {
    pub(crate) fn set_phase(&self, phase: Phase) {
        self.phase.send_replace(phase);
    }

    pub(crate) fn set_abort(&self, abort: Option<Abort>) {
        *self.abort.lock().unwrap_or_else(PoisonError::into_inner) = abort;
    }

    /// Waits until there is something to look at, at most until `until`.
    pub(crate) fn wait(&self, until: Option<Instant>) -> Woken {
        let mut state = self.lock();
        loop {
            if state.door == Door::Closed || (state.door == Door::Draining && state.is_idle()) {
                return Woken::Closed;
            }
            if std::mem::take(&mut state.poked) {
                return Woken::Work;
            }
            if std::mem::take(&mut state.evict) && state.is_idle() && !self.is_awaited() {
                return Woken::Evict;
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            state = match left {
                Some(left) if left.is_zero() => return Woken::TimedOut,
                Some(left) => self.wake.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.wake.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Lets `admit` look at the waiting requests in order, until it says that no more can be taken, or has passed over
    /// [`LOOK_AHEAD`] of them: the lock is held meanwhile, and the queue may be long.
    pub(crate) fn admit(&self, now: Instant, mut admit: impl FnMut(&Entry<Job>) -> Admit) -> Vec<Job> {
        let mut state = self.lock();
        let mut taken = Vec::new();
        let mut passed_over = 0;
        for entry in state.queue.in_order(now) {
            match admit(entry) {
                Admit::Take => taken.push(entry.id),
                Admit::Skip if passed_over == LOOK_AHEAD => break,
                Admit::Skip => passed_over += 1,
                Admit::Stop => break,
            }
        }
        let jobs: Vec<Job> =
            taken.into_iter().filter_map(|id| state.queue.remove(id)).map(|entry| entry.item).collect();
        drop(state);
        for _ in &jobs {
            self.place.notify_one();
        }
        jobs
    }

    /// Takes everything out of the queue to validate it once the model is there; their places stay theirs.
    pub(crate) fn take_queue(&self) -> Vec<Entry<Job>> {
        let mut state = self.lock();
        state.reserved = state.queue.len();
        state.queue.drain()
    }

    /// Puts back what is left of what [`take_queue`](Self::take_queue) took. Whoever cancelled one meanwhile, or ended it,
    /// did not find it in the queue.
    pub(crate) fn put_back(&self, entries: Vec<Entry<Job>>) {
        let mut state = self.lock();
        state.reserved = 0;
        let over = |entry: &Entry<Job>| entry.item.sender.is_cancelled() || entry.item.sender.finisher().is_finished();
        let (over, waiting): (Vec<_>, Vec<_>) = entries.into_iter().partition(over);
        // There is room, since nobody else could have their places; if not, the dropped sender tells its reader.
        let lost: Vec<_> = waiting.into_iter().filter_map(|entry| state.queue.push(entry).err()).collect();
        state.poked = true;
        drop(state);
        drop(lost);
        for entry in over {
            entry.item.open().end(FinishReason::Cancelled);
        }
        self.place.notify_waiters();
    }

    /// The requests that have not ended. While the model is being loaded, all of them wait.
    pub(crate) fn open(&self) -> Vec<Open> {
        self.lock().open.values().map(|(open, _)| open.clone()).collect()
    }

    pub(crate) fn begin_step(self: &Arc<Self>, now: Instant, limit: Duration) {
        let mut state = self.lock();
        state.step = Some(now);
        if !std::mem::replace(&mut state.watched, true) {
            drop(state);
            self.watch.step(self, now, limit);
        }
    }

    pub(crate) fn end_step(&self) {
        let mut state = self.lock();
        state.step = None;
        state.stalled = false;
    }

    /// What the engine says of itself after a turn.
    pub(crate) fn publish(&self, pace: Pace, snapshot: Snapshot) {
        let queued = {
            let mut state = self.lock();
            state.pace = pace;
            state.queue.len()
        };
        crate::observe::engine(&self.name, queued, &snapshot);
        *self.snapshot.lock().unwrap_or_else(PoisonError::into_inner) = snapshot;
    }
}
