//! What goes wrong in a [`FakeExecutor`](super::FakeExecutor), and when.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::plan::Plan;

/// What happens in one step.
#[derive(Debug, Clone)]
pub(crate) enum Trouble {
    /// Nothing special.
    None,
    /// The backend fails; the cache is empty afterwards.
    Fail,
    /// The backend fails for good: the executor cannot be used any more.
    Break,
    /// There is no room for the pieces.
    NoRoom,
    /// It panics after the operations.
    Panic,
    /// It blocks until the gate is opened, and goes on then, unless it was aborted meanwhile.
    Stall(Gate),
    /// It is aborted after so many tokens.
    Abort { keep: usize },
    /// The slot of the first piece turns out to hold half of what it should; nothing, where it cannot be cut.
    Misplace,
    /// No token can be chosen for the first piece.
    FailSample,
    /// The logits of the first token to choose are not numbers; the cache is empty afterwards.
    Poison,
    /// Nothing can be saved.
    FailSave,
    /// Nothing can be loaded.
    FailLoad,
    /// Nothing can be embedded.
    FailEmbed,
}

/// Holds up whoever waits at it until it is opened.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<GateState>, Condvar)>);

#[derive(Debug, Default)]
struct GateState {
    reached: bool,
    open: bool,
}

impl Gate {
    /// Lets everybody through, now and later.
    pub(crate) fn open(&self) {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).open = true;
        self.0.1.notify_all();
    }

    /// Waits until somebody is held up.
    pub(crate) fn reached(&self) {
        let state = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.0.1.wait_while(state, |state| !state.reached).unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn wait(&self) {
        let mut state = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.reached = true;
        self.0.1.notify_all();
        drop(self.0.1.wait_while(state, |state| !state.open).unwrap_or_else(PoisonError::into_inner));
    }
}

#[derive(Debug, Default)]
struct State {
    troubles: VecDeque<Trouble>,
    steps: usize,
    computed: usize,
    largest: usize,
    refusals: usize,
}

/// Tells an executor what goes wrong, and tests what it did. Clones are one; a test keeps one of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script(Arc<Mutex<State>>);

impl Script {
    /// Each step in which something is computed takes the first of these that is left.
    pub(crate) fn add(&self, troubles: impl IntoIterator<Item = Trouble>) {
        self.with(|state| state.troubles.extend(troubles));
    }

    /// So many of the next sequences cannot be opened.
    pub(crate) fn refuse(&self, sequences: usize) {
        self.with(|state| state.refusals += sequences);
    }

    pub(super) fn refuses(&self) -> bool {
        self.with(|state| {
            let refuses = state.refusals > 0;
            state.refusals = state.refusals.saturating_sub(1);
            refuses
        })
    }

    /// Tokens computed so far, without those to embed.
    pub(crate) fn tokens(&self) -> usize {
        self.with(|state| state.computed)
    }

    /// The most pieces that one step had.
    pub(crate) fn widest(&self) -> usize {
        self.with(|state| state.largest)
    }

    pub(super) fn begin(&self, plan: &Plan) -> Trouble {
        self.with(|state| {
            state.steps += 1;
            state.largest = state.largest.max(plan.pieces.len());
            let computes = !plan.pieces.is_empty() || !plan.embeds.is_empty();
            let trouble = if computes { state.troubles.pop_front() } else { None };
            trouble.unwrap_or(Trouble::None)
        })
    }

    pub(super) fn computed(&self, tokens: usize) {
        self.with(|state| state.computed += tokens);
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
