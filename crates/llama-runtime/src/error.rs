//! Why an accepted request failed: [`GenerateError`].

use std::sync::Arc;
use std::time::Duration;

use llama_core::chat::ChatError;
use llama_core::{AdapterError, ContextError, DecodeError, SampleError, SamplerError};

use crate::start::StartError;
use crate::structure::{GuideError, StructureError};

/// Why an accepted request failed. Other requests are not hurt, unless the variant says so.
///
/// Cheap to clone: one failure can end many requests.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// The sampler could not be made.
    #[error(transparent)]
    Sampler(Arc<SamplerError>),
    /// No token could be chosen.
    #[error(transparent)]
    Sample(Arc<SampleError>),
    /// The structure of the answer could not be enforced any further.
    #[error(transparent)]
    Guide(#[from] GuideError),
    /// The structure cannot be used with this model.
    #[error(transparent)]
    Structure(Arc<StructureError>),
    /// What the model wrote does not follow the format of its chat template. The text is delivered.
    #[error(transparent)]
    Chat(Arc<ChatError>),
    /// An adapter could not be applied.
    #[error(transparent)]
    Adapter(Arc<AdapterError>),
    /// The context refused a setting.
    #[error(transparent)]
    Context(Arc<ContextError>),
    /// The model could not be run. All requests that were computed together fail with this; the others go on.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The sequence does not fit into the KV cache although everything else was removed from it; this is a bug.
    #[error("there is no room in the KV cache for one sequence of {tokens} tokens; use a larger context")]
    NoRoom {
        /// Tokens of the sequence.
        tokens: usize,
    },
    /// A step did not come back in time. All requests of the engine fail with this.
    #[error("the engine computed for more than {after:?} without coming back; see limits.stall_timeout")]
    Stalled {
        /// `limits.stall_timeout` of the configuration.
        after: Duration,
    },
    /// The engine thread panicked, or could not make a context again after a failure. All its requests fail with this; the
    /// next one starts the engine anew.
    #[error("the engine stopped working; the log and the panic message say why")]
    Crashed,
    /// The model could not be loaded.
    #[error("the model {model:?} could not be started: {source}")]
    NotStarted {
        /// The model's name.
        model: String,
        /// Why.
        source: Arc<StartError>,
    },
    /// The request was accepted before its model was loaded, and turned out not to fit it.
    #[error("the request does not fit the model: {0}")]
    Refused(Arc<crate::rejected::Rejected>),
}

macro_rules! from_shared {
    ($($source:ty => $variant:ident),+ $(,)?) => {$(
        impl From<$source> for GenerateError {
            fn from(error: $source) -> Self {
                Self::$variant(Arc::new(error))
            }
        }
    )+};
}

from_shared! {
    SamplerError => Sampler,
    SampleError => Sample,
    StructureError => Structure,
    ChatError => Chat,
    AdapterError => Adapter,
    ContextError => Context,
}
