//! What a saved sequence says of itself, without loading it: [`SavedSequence`].

use super::format;
use crate::context::Context;
use crate::ids::Token;
use crate::state::StateError;

/// What [`Context::save_sequence`] wrote into the bytes beside llama.cpp's own state.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SavedSequence {
    /// The tokens that were saved with it.
    pub tokens: Vec<Token>,
    /// The position of the next token; 0 if the sequence is empty.
    pub next_position: usize,
    /// [`ModelFacts::description`](crate::ModelFacts::description) of the model it was saved with.
    pub model: String,
}

impl SavedSequence {
    /// Reads it, and checks all that can be checked without a context: that nothing is missing, added or changed.
    ///
    /// # Errors
    ///
    /// [`StateError::NotAState`], [`StateError::UnsupportedVersion`], [`StateError::Truncated`],
    /// [`StateError::TrailingBytes`], [`StateError::Damaged`].
    pub fn read(bytes: &[u8]) -> Result<Self, StateError> {
        Ok(Self::of(format::open(bytes)?))
    }

    fn of(saved: format::Saved<'_>) -> Self {
        let next = saved.positions.map_or(0, |(_, last)| i64::from(last) + 1);
        Self {
            tokens: saved.tokens,
            next_position: usize::try_from(next).unwrap_or(usize::MAX),
            model: saved.description.to_owned(),
        }
    }
}

impl Context {
    /// Checks whether [`load_sequence`](Self::load_sequence) would take a saved sequence, as far as that does not depend on
    /// what the memory holds now. Nothing is changed.
    ///
    /// # Errors
    ///
    /// All of [`StateError`] but [`StateError::NoRoom`] and [`StateError::Refused`].
    pub fn check_sequence(&self, bytes: &[u8]) -> Result<SavedSequence, StateError> {
        if !self.has_memory() {
            return Err(StateError::NoMemory);
        }
        let saved = format::open(bytes)?;
        self.check_fit(&saved)?;
        Ok(SavedSequence::of(saved))
    }
}
