//! A prefix that leaves the cache to outlive the process, and what can go wrong: [`SavedPrefix`], [`PrefixError`].

use std::fmt;

use llama_core::StateError;

use crate::event::FinishReason;
use crate::rejected::Rejected;

/// The computed beginning of a prompt.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SavedPrefix {
    /// How many tokens it has.
    pub tokens: usize,
    /// What [`Runtime::restore_prefix`](crate::Runtime::restore_prefix) takes: the tokens, their KV state, the model's
    /// fingerprint and a checksum. For each token the keys and values of all layers, as the KV cache has them, and 16 bytes
    /// more; where a sequence has one state, however long it is, that state. A few hundred bytes besides.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for SavedPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SavedPrefix").field("tokens", &self.tokens).field("bytes", &self.bytes.len()).finish()
    }
}

/// Why a prefix was not saved or restored. No request is hurt by it, and nothing in the cache is changed by what is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PrefixError {
    /// There is no such model.
    #[error("there is no model {name:?} here; there is {known}")]
    UnknownModel {
        /// The name asked for.
        name: String,
        /// Those there are.
        known: String,
    },
    /// The prompt cannot be rendered or tokenized.
    #[error("the prompt cannot be used: {reason}")]
    Prompt {
        /// Why.
        reason: String,
    },
    /// The configuration keeps no prefixes.
    #[error("prefixes are not kept, since cache.prefix_reuse is off; turn it on")]
    Off,
    /// The model keeps nothing that could be saved: it is an encoder.
    #[error("the model keeps nothing of what it computes; there is nothing to save or to restore")]
    Unsupported,
    /// The bytes are not what was saved: something else, cut short, changed, or of another version of this format.
    #[error("{reason}")]
    Damaged {
        /// What is wrong with them.
        reason: String,
    },
    /// It was saved with another model.
    #[error("the prefix was computed by another model ({saved}) than the one loaded ({loaded})")]
    OtherModel {
        /// The model it was saved with.
        saved: String,
        /// The model that is loaded.
        loaded: String,
    },
    /// It was saved with other settings of the context, and its state means nothing in this one.
    #[error(
        "the prefix was saved with {what} {saved}, and the context has {loaded}; set it as it was, or compute it again"
    )]
    OtherContext {
        /// The setting.
        what: &'static str,
        /// Its value when it was saved.
        saved: String,
        /// Its value now.
        loaded: String,
    },
    /// It is longer than a sequence may get here.
    #[error("the prefix has {tokens} tokens, and a sequence here at most {limit}; use a larger context")]
    TooLong {
        /// Its tokens.
        tokens: usize,
        /// Most tokens of a sequence.
        limit: usize,
    },
    /// Running requests leave no room for it now. It can be tried again when some of them have ended.
    #[error("running requests leave no room for the {tokens} tokens of the prefix; try again when some have ended")]
    NoRoom {
        /// Its tokens.
        tokens: usize,
    },
    /// As many prefixes wait to be saved or restored as may wait.
    #[error("{limit} prefixes are waiting to be saved or restored already; try again later")]
    Busy {
        /// How many may.
        limit: usize,
    },
    /// llama.cpp did not give or take the state. What it said is in the log.
    #[error("{reason}")]
    Refused {
        /// What is known of the cause.
        reason: String,
    },
    /// The model could not be started.
    #[error("{reason}")]
    NotStarted {
        /// Why.
        reason: String,
    },
    /// The runtime is being shut down.
    #[error("the runtime is shutting down")]
    ShuttingDown,
    /// The engine failed or hangs. Nothing of its cache is left.
    #[error("{reason}")]
    Engine {
        /// What happened.
        reason: String,
    },
}

impl PrefixError {
    /// The engine ended without an answer.
    pub(crate) fn crashed() -> Self {
        Self::Engine { reason: crate::error::GenerateError::Crashed.to_string() }
    }
}

impl From<StateError> for PrefixError {
    fn from(error: StateError) -> Self {
        match error {
            StateError::NoMemory => Self::Unsupported,
            StateError::OtherModel { saved, loaded } => Self::OtherModel { saved, loaded },
            StateError::OtherContext { what, saved, loaded } => Self::OtherContext { what, saved, loaded },
            StateError::TooLong { cells, n_ctx_seq } => {
                let size = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
                Self::TooLong { tokens: size(cells), limit: size(n_ctx_seq) }
            }
            StateError::NotAState
            | StateError::UnsupportedVersion { .. }
            | StateError::Truncated { .. }
            | StateError::TrailingBytes { .. }
            | StateError::Damaged => Self::Damaged { reason: error.to_string() },
            other => Self::Refused { reason: other.to_string() },
        }
    }
}

impl From<Rejected> for PrefixError {
    fn from(rejected: Rejected) -> Self {
        match rejected {
            Rejected::UnknownModel { name, known } => Self::UnknownModel { name, known },
            Rejected::ShuttingDown => Self::ShuttingDown,
            Rejected::Stalled => Self::Engine { reason: rejected.to_string() },
            other => Self::Prompt { reason: other.to_string() },
        }
    }
}

/// All requests of the model end like this, and so does what waits beside them.
impl From<FinishReason> for PrefixError {
    fn from(reason: FinishReason) -> Self {
        match reason {
            FinishReason::Error(error @ crate::error::GenerateError::NotStarted { .. }) => {
                Self::NotStarted { reason: error.to_string() }
            }
            FinishReason::Error(error) => Self::Engine { reason: error.to_string() },
            _ => Self::ShuttingDown,
        }
    }
}
