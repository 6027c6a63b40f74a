//! What a session is told, and why it refuses.

use crate::adapter::AdapterError;
use crate::context::ContextError;
use crate::decode::DecodeError;
use crate::ids::Token;
use crate::memory::MemoryError;
use crate::outputs::OutputError;
use crate::sampler::{SampleError, SamplerError};
use crate::state::StateError;
use crate::stop::StopSet;
use crate::vocab::{Specials, TokenizeError};

/// What happens when the context is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overflow {
    /// The answer ends with [`FinishReason::ContextFull`](super::FinishReason::ContextFull).
    #[default]
    Stop,
    /// Half of what follows the first `keep` tokens is dropped, and the rest moves up ("context shift"). The answer goes
    /// on, without knowing what was dropped.
    Shift {
        /// Tokens at the beginning that always stay, such as a system prompt.
        keep: usize,
    },
    /// The answer ends with [`SessionError::ContextFull`].
    Error,
}

/// What becomes of a turn that was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnCancel {
    /// Prompt and answer stay as far as they got.
    #[default]
    Keep,
    /// The session goes back to where the turn began.
    RollBack,
}

/// What a turn begins with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Prompt<'p> {
    /// Text that continues what was said; special tokens in it are understood.
    Text(&'p str),
    /// Tokens that continue what was said.
    Tokens(&'p [Token]),
    /// All tokens of the conversation: what they share with what was said is reused, see
    /// [`Session::prefill`](super::Session::prefill).
    Whole(&'p [Token]),
    /// All text of the conversation, as a chat template renders it; otherwise as `Whole`.
    WholeText(&'p str),
}

impl<'p> From<&'p str> for Prompt<'p> {
    fn from(text: &'p str) -> Self {
        Self::Text(text)
    }
}

impl<'p> From<&'p String> for Prompt<'p> {
    fn from(text: &'p String) -> Self {
        Self::Text(text)
    }
}

impl<'p> From<&'p [Token]> for Prompt<'p> {
    fn from(tokens: &'p [Token]) -> Self {
        Self::Tokens(tokens)
    }
}

/// When an answer ends, and how it is shown. Start from `default()` and assign.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct GenerateOptions {
    /// Most tokens of the answer. Default: `None`, until the model ends it or the context is full.
    pub max_tokens: Option<usize>,
    /// Texts that end the answer; they are not part of it. Default: none.
    pub stop: StopSet,
    /// Whether special tokens of the answer are shown by name. Default: [`Specials::AsText`], they are not shown.
    pub specials: Specials,
    /// What becomes of the turn when it is cancelled. Default: it is kept.
    pub on_cancel: OnCancel,
}

impl Default for GenerateOptions {
    fn default() -> Self {
        Self { max_tokens: None, stop: StopSet::empty(), specials: Specials::AsText, on_cancel: OnCancel::default() }
    }
}

/// Why a session could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The model does not write text token by token.
    #[error("this model does not write text token by token; use Context::encode or Context::decode for it")]
    NotGenerative,
    /// There is nothing to continue.
    #[error("there is no token to continue; give a prompt first (this model adds none to an empty text)")]
    Empty,
    /// The prompt alone is longer than the context.
    #[error("the prompt has {tokens} tokens, the context has room for {limit}; shorten it or use a larger context")]
    PromptTooLong {
        /// Tokens of the prompt.
        tokens: usize,
        /// [`Session::capacity`](super::Session::capacity).
        limit: usize,
    },
    /// The context is full, and [`Overflow`] forbids to make room or nothing is left to drop.
    #[error(
        "no room for {needed} more tokens in a context of {limit}; clear the session, allow shifting, or use a larger context"
    )]
    ContextFull {
        /// Tokens that did not fit.
        needed: usize,
        /// [`Session::capacity`](super::Session::capacity).
        limit: usize,
    },
    /// [`Overflow::Shift`] would keep so much that nothing is left to drop.
    #[error("keeping {keep} tokens leaves nothing to drop in a context of {limit}; keep fewer")]
    KeepTooLarge {
        /// Tokens to keep.
        keep: usize,
        /// [`Session::capacity`](super::Session::capacity).
        limit: usize,
    },
    /// The session was cancelled; [`Session::resume`](super::Session::resume) goes on.
    #[error("cancelled")]
    Cancelled,
    /// A text could not be tokenised, or a token is not in the vocabulary.
    #[error(transparent)]
    Tokenize(#[from] TokenizeError),
    /// The sampling parameters do not fit the model.
    #[error(transparent)]
    Sampler(#[from] SamplerError),
    /// No token could be chosen.
    #[error(transparent)]
    Sample(#[from] SampleError),
    /// The model could not be computed.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The KV cache could not be changed, e.g. because the model cannot shift.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// An adapter or control vector could not be used.
    #[error(transparent)]
    Adapter(#[from] AdapterError),
    /// A setting of the context makes no sense.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// A state could not be saved or loaded.
    #[error(transparent)]
    State(#[from] StateError),
    /// The context made no logits.
    #[error(transparent)]
    Output(#[from] OutputError),
}
