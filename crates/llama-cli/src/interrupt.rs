//! Ctrl+C, and SIGTERM with it: the first press stops the answer, the next one the program.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use llama_runtime::CancelHandle;

use crate::{exit, ui};

/// What Ctrl+C does now.
enum State {
    /// Nothing can be cancelled: the program ends with this code.
    Idle(u8),
    /// Cancels the answer.
    Answering(CancelHandle),
    /// The answer is on its way out; the program ends.
    Cancelled,
    /// Called with how often it was pressed by now, from 1.
    Told(u32, Box<dyn FnMut(u32) + Send>),
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Idle(code) => write!(f, "Idle({code})"),
            Self::Answering(_) => f.write_str("Answering"),
            Self::Cancelled => f.write_str("Cancelled"),
            Self::Told(presses, _) => write!(f, "Told({presses})"),
        }
    }
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

    /// From now on Ctrl+C cancels this answer. One that was pressed while it was prepared counts.
    pub(crate) fn answering(&self, answer: CancelHandle) {
        let mut state = self.lock();
        *state = if matches!(*state, State::Told(1.., _)) {
            answer.cancel();
            State::Cancelled
        } else {
            State::Answering(answer)
        };
    }

    /// The answer has ended; from now on Ctrl+C ends the program with `code`. Tells whether it was pressed meanwhile.
    pub(crate) fn idle(&self, code: u8) -> bool {
        matches!(std::mem::replace(&mut *self.lock(), State::Idle(code)), State::Cancelled)
    }

    /// From now on Ctrl+C calls `told` with how often it was pressed since, on a thread of its own. It must not wait for
    /// what calls [`Interrupts`].
    pub(crate) fn telling(&self, told: impl FnMut(u32) + Send + 'static) {
        *self.lock() = State::Told(0, Box::new(told));
    }

    fn press(&self) {
        let mut state = self.lock();
        match &mut *state {
            State::Answering(answer) => {
                answer.cancel();
                *state = State::Cancelled;
            }
            State::Idle(code) => {
                LastWords::say();
                leave(*code)
            }
            State::Cancelled => leave(exit::INTERRUPTED),
            State::Told(presses, told) => {
                *presses = presses.saturating_add(1);
                told(*presses);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the program at once, from any thread, and leaves the terminal as it was. Nothing else is done at the exit: llama.cpp
/// may compute on other threads, and must not lose what it computes with. What was printed was flushed when it was.
pub(crate) fn leave(code: u8) -> ! {
    ui::leave_terminal();
    #[cfg(unix)]
    signal_hook::low_level::exit(i32::from(code));
    #[cfg(not(unix))]
    std::process::exit(i32::from(code))
}

static LAST_WORDS: Mutex<Option<String>> = Mutex::new(None);

/// What is said when Ctrl+C ends the program where nothing can be cancelled, for as long as this lives.
#[derive(Debug)]
pub(crate) struct LastWords(());

impl LastWords {
    pub(crate) fn leave(words: String) -> Self {
        *LAST_WORDS.lock().unwrap_or_else(PoisonError::into_inner) = Some(words);
        Self(())
    }

    fn say() {
        if let Some(words) = LAST_WORDS.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // What stands in this line, `^C` and a progress bar, was not ended.
            let end = if ui::stderr_is_terminal() { "\n" } else { "" };
            ui::note(&format!("{end}{words}"));
        }
    }
}

impl Drop for LastWords {
    fn drop(&mut self) {
        *LAST_WORDS.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
