//! Why a request is refused: [`Rejected`].

use std::sync::Arc;
use std::time::Duration;

use llama_core::chat::ChatError;
use llama_core::stop::StopError;
use llama_core::{SamplerError, TokenizeError};

use crate::start::StartError;
use crate::structure::StructureError;

/// Why a request was not accepted. Nothing has been computed, and no stream exists.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Rejected {
    /// As many requests are waiting as may wait.
    #[error("{capacity} requests are waiting already; try again{}", after(retry_after))]
    QueueFull {
        /// `limits.queue` of the configuration.
        capacity: usize,
        /// When there is likely to be a place; `None` while nothing was measured yet.
        retry_after: Option<Duration>,
    },
    /// A deadline cannot be met by what has been measured so far.
    #[error(
        "the first token is expected after {expected:?}, and the deadline is {deadline:?}; give it more time, or try later"
    )]
    DeadlineInfeasible {
        /// How long until the first token, by the present estimate.
        expected: Duration,
        /// What the request allows.
        deadline: Duration,
    },
    /// The engine computes a step that does not come back, see `limits.stall_timeout`. It takes requests again when it does.
    #[error("the engine does not come back from a step; try again later, or restart the program")]
    Stalled,
    /// The model is needed to answer, and could not be started.
    #[error(transparent)]
    NotStarted(Arc<StartError>),
    /// The runtime is being shut down.
    #[error("the runtime is shutting down and takes no more requests")]
    ShuttingDown,
    /// There is no such model.
    #[error("there is no model {name:?} here; there is {known}")]
    UnknownModel {
        /// The name asked for.
        name: String,
        /// Those there are.
        known: String,
    },
    /// The prompt has no tokens.
    #[error("the prompt is empty, and this model adds no token of its own; give at least one character")]
    EmptyPrompt,
    /// The prompt leaves no room for an answer.
    #[error(
        "the prompt has {tokens} tokens, and there is room for {limit} with an answer of at least one; \
         shorten it or use a larger context"
    )]
    PromptTooLong {
        /// Tokens of the prompt.
        tokens: usize,
        /// Most tokens a prompt may have here.
        limit: usize,
    },
    /// It could not be served even if it were alone, since it needs more of the KV cache at once than there is.
    #[error("{reason}; ask for fewer tokens or choices, or use a larger context")]
    TooLarge {
        /// What it needs and what there is.
        reason: String,
    },
    /// A field has a value that makes no sense.
    #[error("`{field}` is {value}, and must be {allowed}")]
    OutOfRange {
        /// The field of the request.
        field: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        allowed: String,
    },
    /// Two things that were asked for exclude each other.
    #[error("{first} and {second} cannot be asked for together")]
    Conflict {
        /// One.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// The model has no such adapter.
    #[error("the model has no adapter {name:?}; it has {known}")]
    UnknownAdapter {
        /// The name asked for.
        name: String,
        /// Those there are.
        known: String,
    },
    /// The model cannot do this: an encoder cannot write, and some models cannot embed.
    #[error("the model cannot {what}; use another one")]
    Unsupported {
        /// `write text` or `embed`.
        what: &'static str,
    },
    /// The text cannot be tokenized, or a token is not in the vocabulary.
    #[error(transparent)]
    Tokenize(#[from] TokenizeError),
    /// The conversation cannot be rendered; [`Prompt::Text`](crate::Prompt::Text) needs no template.
    #[error(transparent)]
    Chat(Arc<ChatError>),
    /// The model's chat template cannot be used; [`Prompt::Text`](crate::Prompt::Text) needs none.
    #[error("the chat template of the model cannot be used: {reason}")]
    Template {
        /// What is wrong with it.
        reason: String,
    },
    /// A stop string cannot be used.
    #[error(transparent)]
    Stop(#[from] StopError),
    /// A sampling parameter is out of range.
    #[error(transparent)]
    Sampling(#[from] SamplerError),
    /// The structure cannot be enforced.
    #[error(transparent)]
    Structure(Arc<StructureError>),
}

impl Rejected {
    /// One word for logs and metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::QueueFull { .. } => "queue_full",
            Self::DeadlineInfeasible { .. } => "deadline",
            Self::Stalled => "stalled",
            Self::ShuttingDown => "shutdown",
            Self::UnknownModel { .. } => "unknown_model",
            Self::PromptTooLong { .. } | Self::TooLarge { .. } => "too_large",
            _ => "invalid",
        }
    }
}

impl From<ChatError> for Rejected {
    fn from(error: ChatError) -> Self {
        Self::Chat(Arc::new(error))
    }
}

impl From<StructureError> for Rejected {
    fn from(error: StructureError) -> Self {
        Self::Structure(Arc::new(error))
    }
}

fn after(retry: &Option<Duration>) -> String {
    retry.map_or_else(|| " later".to_owned(), |after| format!(" in about {:.1} s", after.as_secs_f64()))
}
