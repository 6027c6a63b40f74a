//! The timer: deadlines of requests, and steps that do not come back, also while the engines compute: [`Watch`].
//!
//! One thread for a whole runtime sleeps until the first of them is due. Their number is bounded by the number of open
//! requests: what has ended takes its timers with it.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::event::Deadline;
use crate::shared::Shared;
use crate::ticket::Open;

/// Names one timer: when it is due, and a number.
pub(crate) type TimerKey = (Instant, u64);

#[derive(Debug)]
enum Due {
    Deadline(Open, Deadline),
    /// A step that must have ended within this time.
    Step(Weak<Shared>, Duration),
    /// Somebody who waits for something else has waited long enough.
    Wake(Arc<Notify>),
}

/// See the module. `Send` and `Sync`.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    timers: Mutex<Timers>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Timers {
    due: BTreeMap<TimerKey, Due>,
    next: u64,
    closed: bool,
}

/// The timer's thread; stops and joins it when dropped.
#[derive(Debug)]
pub(crate) struct WatchThread {
    watch: Arc<Watch>,
    thread: Option<JoinHandle<()>>,
}

impl WatchThread {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// The system's, if it has no thread left.
    pub(crate) fn start() -> std::io::Result<Self> {
        let watch = Arc::<Watch>::default();
        let run = Arc::clone(&watch);
        let thread = std::thread::Builder::new().name("llama-timer".to_owned()).spawn(move || run.run())?;
        Ok(Self { watch, thread: Some(thread) })
    }

    pub(crate) fn watch(&self) -> &Arc<Watch> {
        &self.watch
    }
}

impl Drop for WatchThread {
    fn drop(&mut self) {
        self.watch.lock().closed = true;
        self.watch.changed.notify_all();
        // On its own thread, if a task that it woke was the last owner of the runtime, it ends by itself.
        let own = |thread: &JoinHandle<()>| thread.thread().id() == std::thread::current().id();
        if let Some(thread) = self.thread.take().filter(|thread| !own(thread)) {
            let _ = thread.join();
        }
    }
}

impl Watch {
    fn lock(&self) -> MutexGuard<'_, Timers> {
        // Every critical section leaves the timers whole, so a panic of another thread has not damaged them.
        self.timers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A deadline of a request.
    pub(crate) fn at(&self, at: Instant, open: Open, which: Deadline) -> TimerKey {
        self.add(at, Due::Deadline(open, which))
    }

    /// A step that begins at `now` and must have ended after `limit`.
    pub(crate) fn step(&self, engine: &Arc<Shared>, now: Instant, limit: Duration) {
        // A limit beyond what the clock can count is none.
        if let Some(at) = now.checked_add(limit) {
            self.add(at, Due::Step(Arc::downgrade(engine), limit));
        }
    }

    /// Wakes a waiter.
    pub(crate) fn wake(&self, at: Instant, waiter: Arc<Notify>) -> TimerKey {
        self.add(at, Due::Wake(waiter))
    }

    /// Takes timers back. Those that were due already are no error.
    pub(crate) fn forget(&self, keys: impl IntoIterator<Item = TimerKey>) {
        let mut timers = self.lock();
        let forgotten: Vec<Due> = keys.into_iter().filter_map(|key| timers.due.remove(&key)).collect();
        drop(timers);
        // The last handle of a request may go with them, and what its reader left in it is foreign.
        drop(forgotten);
    }

    /// Timers that are set.
    pub(crate) fn len(&self) -> usize {
        self.lock().due.len()
    }

    fn add(&self, at: Instant, due: Due) -> TimerKey {
        let mut timers = self.lock();
        let key = (at, timers.next);
        timers.next += 1;
        let first = timers.due.first_key_value().is_none_or(|(first, _)| key < *first);
        timers.due.insert(key, due);
        drop(timers);
        if first {
            self.changed.notify_all();
        }
        key
    }

    fn run(&self) {
        let mut timers = self.lock();
        while !timers.closed {
            let now = Instant::now();
            let Some(entry) = timers.due.first_entry() else {
                timers = self.changed.wait(timers).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = entry.key().0.saturating_duration_since(now);
            if !left.is_zero() {
                timers = self.changed.wait_timeout(timers, left).unwrap_or_else(PoisonError::into_inner).0;
                continue;
            }
            let due = entry.remove();
            drop(timers);
            self.fire(due, now);
            timers = self.lock();
        }
    }

    fn fire(&self, due: Due, now: Instant) {
        match due {
            Due::Deadline(open, which) => {
                if let Some(engine) = open.ticket.engine() {
                    engine.deadline(&open, which);
                }
            }
            Due::Step(engine, limit) => {
                if let Some(engine) = engine.upgrade()
                    && let Some(at) = engine.check_stall(limit, now)
                {
                    self.add(at, Due::Step(Arc::downgrade(&engine), limit));
                }
            }
            Due::Wake(waiter) => waiter.notify_one(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiters_are_woken_in_the_order_they_are_due() {
        let thread = WatchThread::start().unwrap();
        let now = Instant::now();
        let (late, early) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        thread.watch().wake(now + Duration::from_millis(2), Arc::clone(&late));
        thread.watch().wake(now + Duration::from_millis(1), Arc::clone(&early));
        crate::blocking::block_on(early.notified());
        crate::blocking::block_on(late.notified());
        assert!(now.elapsed() >= Duration::from_millis(2));
        assert_eq!(thread.watch().len(), 0);
    }

    #[test]
    fn a_timer_that_is_taken_back_leaves_nothing() {
        let thread = WatchThread::start().unwrap();
        let far = Instant::now() + Duration::from_secs(3600);
        let key = thread.watch().wake(far, Arc::default());
        assert_eq!(thread.watch().len(), 1);
        thread.watch().forget([key]);
        assert_eq!(thread.watch().len(), 0);
    }
}
