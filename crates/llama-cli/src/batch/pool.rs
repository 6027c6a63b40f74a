//! What the threads of a job share: inputs on their way from the reader to the workers, and the wish to stop: [`Pool`].

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use llama_runtime::CancelHandle;

use super::entry::Entry;
use super::window::{Bounds, Window};

/// How a job ends before its input does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stop {
    /// Not at all.
    No,
    /// Answers that have begun are finished.
    Drain,
    /// At once.
    Now,
}

/// What the threads of a job share.
#[derive(Debug)]
pub(super) struct Pool {
    state: Mutex<State>,
    changed: Condvar,
    /// Records are written in the order of the input, so an input counts until its record is written.
    ordered: bool,
}

#[derive(Debug)]
struct State {
    window: Window,
    pushed: u64,
    /// No more inputs come.
    ended: bool,
    /// Workers wait until the window was full for once, so that its best order is known.
    primed: bool,
    running: HashMap<u64, Running>,
    /// Requests that have ended so far.
    finished: u64,
    stop: Stop,
    failure: Option<anyhow::Error>,
}

#[derive(Debug)]
struct Running {
    cancel: CancelHandle,
    begun: bool,
}

impl Pool {
    /// `primed`: the first input is answered as soon as it is there.
    pub(super) fn new(bounds: Bounds, ordered: bool, primed: bool) -> Self {
        let state = State {
            window: Window::new(bounds),
            pushed: 0,
            ended: false,
            primed,
            running: HashMap::new(),
            finished: 0,
            stop: Stop::No,
            failure: None,
        };
        Self { state: Mutex::new(state), changed: Condvar::new(), ordered }
    }

    /// Adds an input, when there is room. False if no more are wanted.
    pub(super) fn push(&self, entry: Entry) -> bool {
        let mut state = self.lock();
        while state.stop == Stop::No && state.window.is_full(entry.bytes) {
            if !std::mem::replace(&mut state.primed, true) {
                self.changed.notify_all();
            }
            state = self.wait(state);
        }
        if state.stop != Stop::No {
            return false;
        }
        let order = state.pushed;
        state.pushed += 1;
        state.window.push(order, entry);
        self.changed.notify_all();
        true
    }

    /// No more inputs come.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_all();
    }

    /// The next input and its place among all, when there is one; `None` if no more come.
    pub(super) fn take(&self) -> Option<(u64, Entry)> {
        let mut state = self.lock();
        loop {
            if state.stop != Stop::No {
                return None;
            }
            if state.primed || state.ended {
                if let Some((order, entry)) = state.window.pop() {
                    if !self.ordered {
                        state.window.forget(entry.bytes);
                        self.changed.notify_all();
                    }
                    return Some((order, entry));
                }
                if state.ended {
                    return None;
                }
            }
            state = self.wait(state);
        }
    }

    /// The record of an input of so many bytes is written.
    pub(super) fn written(&self, bytes: usize) {
        if self.ordered {
            self.lock().window.forget(bytes);
            self.changed.notify_all();
        }
    }

    /// A request was submitted. It is cancelled if nobody wants it any more.
    pub(super) fn started(&self, order: u64, cancel: CancelHandle) {
        let mut state = self.lock();
        if state.stop != Stop::No {
            cancel.cancel();
        }
        state.running.insert(order, Running { cancel, begun: false });
    }

    /// A request has something of its answer.
    pub(super) fn begun(&self, order: u64) {
        if let Some(running) = self.lock().running.get_mut(&order) {
            running.begun = true;
        }
    }

    /// A request has ended.
    pub(super) fn ended(&self, order: u64) {
        let mut state = self.lock();
        state.running.remove(&order);
        state.finished += 1;
        self.changed.notify_all();
    }

    /// How many requests have ended, for [`wait_for_another`](Self::wait_for_another).
    pub(super) fn finished(&self) -> u64 {
        self.lock().finished
    }

    /// Waits until more requests than these have ended. False if it is time to stop.
    pub(super) fn wait_for_another(&self, finished: u64) -> bool {
        let mut state = self.lock();
        while state.stop == Stop::No && state.finished == finished {
            state = self.wait(state);
        }
        state.stop == Stop::No
    }

    /// Takes no more inputs, and ends what need not be finished. Tells how many answers are.
    pub(super) fn stop(&self, how: Stop) -> usize {
        let mut state = self.lock();
        state.stop = state.stop.max(how);
        let stop = state.stop;
        let mut left = 0;
        for running in state.running.values() {
            if stop == Stop::Drain && running.begun {
                left += 1;
            } else {
                running.cancel.cancel();
            }
        }
        self.changed.notify_all();
        left
    }

    /// The job cannot go on; the first reason counts.
    pub(super) fn fail(&self, error: anyhow::Error, how: Stop) {
        self.lock().failure.get_or_insert(error);
        self.stop(how);
    }

    /// Why the job could not go on.
    pub(super) fn failure(&self) -> Option<anyhow::Error> {
        self.lock().failure.take()
    }

    /// Whether every input was read and taken.
    pub(super) fn is_through(&self) -> bool {
        let state = self.lock();
        state.ended && state.window.is_empty() && state.stop == Stop::No
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
