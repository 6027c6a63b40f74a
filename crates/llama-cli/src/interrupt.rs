//! Ctrl+C: the first press stops the answer, the next one the program.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use llama_runtime::CancelHandle;

use crate::exit;

/// What Ctrl+C does now.
#[derive(Debug)]
enum State {
    /// Nothing can be cancelled: the program ends with this code.
    Idle(u8),
    /// Cancels the answer.
    Answering(CancelHandle),
    /// The answer is on its way out; the program ends.
    Cancelled,
}

/// Watches for Ctrl+C. One per process.
#[derive(Debug, Clone)]
pub(crate) struct Interrupts(Arc<Mutex<State>>);

impl Interrupts {
    /// Starts to watch; until the first answer, Ctrl+C ends the program.
    pub(crate) fn watch() -> anyhow::Result<Self> {
        let interrupts = Self(Arc::new(Mutex::new(State::Idle(exit::INTERRUPTED))));
        let pressed = interrupts.clone();
        ctrlc::set_handler(move || pressed.press()).context("cannot watch for Ctrl+C")?;
        Ok(interrupts)
    }

    /// Does not watch: a process can only watch once, and has many tests.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Self(Arc::new(Mutex::new(State::Idle(exit::INTERRUPTED))))
    }

    /// From now on Ctrl+C cancels this answer.
    pub(crate) fn answering(&self, answer: CancelHandle) {
        *self.lock() = State::Answering(answer);
    }

    /// The answer has ended; from now on Ctrl+C ends the program with `code`. Tells whether it was pressed meanwhile.
    pub(crate) fn idle(&self, code: u8) -> bool {
        matches!(std::mem::replace(&mut *self.lock(), State::Idle(code)), State::Cancelled)
    }

    fn press(&self) {
        let mut state = self.lock();
        match &*state {
            State::Answering(answer) => {
                answer.cancel();
                *state = State::Cancelled;
            }
            State::Idle(code) => std::process::exit(i32::from(*code)),
            State::Cancelled => std::process::exit(i32::from(exit::INTERRUPTED)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
