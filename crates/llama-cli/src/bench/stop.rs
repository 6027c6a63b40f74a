//! Ctrl+C while something is measured: the first press ends what runs, and what was measured until then is printed; the
//! second one ends the program.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::exit;
use crate::interrupt::{self, Interrupts};

/// Whether to go on. Clones are one.
#[derive(Clone, Default)]
pub(super) struct Stop(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    pressed: Condvar,
}

#[derive(Default)]
struct State {
    stopped: bool,
    next: u64,
    /// What ends the work that runs.
    ends: BTreeMap<u64, Box<dyn Fn() + Send>>,
}

/// While this lives, a press ends the work that it was made for.
pub(super) struct Guard {
    stop: Stop,
    number: u64,
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stop({})", self.is_set())
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Guard({})", self.number)
    }
}

impl Stop {
    /// From now on Ctrl+C is told to this.
    pub(super) fn watch(interrupts: &Interrupts) -> Self {
        let stop = Self::default();
        let told = stop.clone();
        interrupts.telling(move |presses| match presses {
            1 => told.set(),
            _ => interrupt::leave(exit::INTERRUPTED),
        });
        stop
    }

    /// Ends what runs.
    pub(super) fn set(&self) {
        let mut state = self.lock();
        state.stopped = true;
        state.ends.values().for_each(|end| end());
        self.0.pressed.notify_all();
    }

    pub(super) fn is_set(&self) -> bool {
        self.lock().stopped
    }

    /// `end` is called when it is time to stop, at once if it is already. It must not wait.
    pub(super) fn ends(&self, end: impl Fn() + Send + 'static) -> Guard {
        let mut state = self.lock();
        if state.stopped {
            end();
        }
        state.next += 1;
        let number = state.next;
        state.ends.insert(number, Box::new(end));
        Guard { stop: self.clone(), number }
    }

    /// Waits until then. Says whether to go on.
    pub(super) fn wait_until(&self, then: Instant) -> bool {
        let mut state = self.lock();
        while !state.stopped {
            let left = then.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                break;
            }
            state = self.0.pressed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        !state.stopped
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.stop.lock().ends.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn what_runs_is_ended_once_and_what_comes_later_at_once() {
        let count = Arc::new(AtomicU32::new(0));
        let counted = |count: &Arc<AtomicU32>| {
            let count = Arc::clone(count);
            move || {
                count.fetch_add(1, Ordering::SeqCst);
            }
        };
        let stop = Stop::default();
        drop(stop.ends(counted(&count)));
        let running = stop.ends(counted(&count));
        assert!(!stop.is_set() && stop.wait_until(Instant::now()));
        stop.set();
        assert_eq!(count.load(Ordering::SeqCst), 1);
        drop(running);
        let _late = stop.ends(counted(&count));
        assert_eq!(count.load(Ordering::SeqCst), 2);
        // An hour is not waited for.
        assert!(stop.is_set() && !stop.wait_until(Instant::now() + Duration::from_secs(3600)));
    }
}
