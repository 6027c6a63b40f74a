//! What submitters do with [`Shared`].

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{Door, Shared};
use crate::config::OverloadPolicy;
use crate::event::{Deadline, FinishReason};
use crate::job::Job;
use crate::queue::{Entry, Full};
use crate::rejected::Rejected;

impl Shared {
    /// Puts a request into the queue and sets its timers, or refuses it by the overload policy.
    pub(crate) fn enqueue(&self, entry: Entry<Job>, timers: Vec<(Instant, Deadline)>) -> Result<(), Rejected> {
        let open = entry.item.open();
        let ticket = Arc::clone(&open.ticket);
        let id = entry.id;
        let mut state = self.lock();
        if state.door != Door::Open {
            return Err(Rejected::ShuttingDown);
        }
        if state.stalled {
            return Err(Rejected::Stalled);
        }
        let capacity = state.queue.capacity();
        let pace = state.pace;
        let ahead = state.queue.tokens_ahead_of(entry.priority);
        if let Some(deadline) = entry.item.first_token_within {
            let expected = pace.first_token(ahead, entry.tokens);
            if let Some(expected) = expected.filter(|expected| *expected > deadline) {
                return Err(Rejected::DeadlineInfeasible { expected, deadline });
            }
        }
        let pushed = match self.policy {
            _ if state.queue.len() + state.reserved >= capacity && state.reserved > 0 => Err(Full(entry)),
            OverloadPolicy::ShedLowest => state.queue.push_shedding(entry),
            _ => state.queue.push(entry).map(|()| None),
        };
        let shed = match pushed {
            Ok(shed) => shed,
            Err(refused) => {
                let retry_after = state.departures.next();
                // First the lock, then the request: its end takes the lock.
                drop(state);
                drop(refused);
                return Err(Rejected::QueueFull { capacity, retry_after });
            }
        };
        let due = timers.into_iter().map(|(at, which)| self.watch.at(at, open.clone(), which)).collect();
        state.open.insert(id, (open, due));
        state.poked = true;
        drop(state);
        self.wake.notify_all();
        ticket.note("queued");
        if let Some(shed) = shed {
            shed.item.open().end(FinishReason::Shed);
        }
        Ok(())
    }

    /// A caller may wait for a place in the queue until the guard is dropped, unless as many do already as there are places.
    pub(crate) fn wait_for_place(&self, patience: Option<Duration>) -> Result<Waiting<'_>, Rejected> {
        let capacity = self.lock().queue.capacity();
        let waiting = Waiting(self);
        if self.waiting.fetch_add(1, Ordering::SeqCst) >= capacity {
            return Err(Rejected::QueueFull { capacity, retry_after: patience });
        }
        Ok(waiting)
    }
}

/// See [`Shared::wait_for_place`].
#[derive(Debug)]
pub(crate) struct Waiting<'s>(&'s Shared);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}
