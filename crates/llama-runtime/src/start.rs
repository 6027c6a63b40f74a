//! Why a model could not be started: [`StartError`], and who hears how far it is: [`OnLoad`].

use std::fmt;
use std::sync::Arc;

use llama_core::chat::ChatError;
use llama_core::{AdapterError, ContextError, DecodeError, LoadError, Progress};

use crate::config::ConfigError;

/// Why a runtime was not built, or a model not started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// No model was given.
    #[error("a runtime needs a model; give it one with `model(name, spec)`")]
    NoModel,
    /// Two models have the same name.
    #[error("two models are called {name:?}; give each a name of its own")]
    DuplicateModel {
        /// The name.
        name: String,
    },
    /// Two adapters of a model have the same name.
    #[error("the model {model:?} has two adapters called {name:?}; give each a name of its own")]
    DuplicateAdapter {
        /// The name of the model.
        model: String,
        /// That of the adapters.
        name: String,
    },
    /// The configuration has a value out of range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The model could not be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// An adapter could not be loaded.
    #[error(transparent)]
    Adapter(#[from] AdapterError),
    /// The chat template of the configuration cannot be used. It was given for the model, so the model is not loaded
    /// without it.
    #[error("model.chat_template: {0}")]
    ChatTemplate(#[source] ChatError),
    /// The context could not be made, e.g. because it is too large for the machine.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// The model could not be run.
    #[error("the model cannot be run: {0}")]
    Decode(#[from] DecodeError),
    /// The model does not fit into the memory that all models may take together.
    #[error("{reason}")]
    Memory {
        /// What it needs and what there is.
        reason: String,
    },
    /// A model of the runtime could not be started.
    #[error("the model {model:?} could not be started: {source}")]
    NotStarted {
        /// Its name.
        model: String,
        /// Why.
        source: Arc<Self>,
    },
    /// The system refused a thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[source] std::io::Error),
    /// The engine thread panicked while it started.
    #[error("the engine of {model:?} crashed while it started; this is a bug, and its message went to the panic hook")]
    Crashed {
        /// The model's name.
        model: String,
    },
    /// There is no such model.
    #[error("there is no model {name:?} here; there is {known}")]
    UnknownModel {
        /// The name asked for.
        name: String,
        /// Those there are.
        known: String,
    },
}

/// Hears the name of a model and the share of it that is loaded.
type Hear = dyn Fn(&str, f32) -> Progress + Send + Sync;

/// Called on an engine thread while its model is loaded.
#[derive(Clone)]
pub(crate) struct OnLoad(Arc<Hear>);

impl OnLoad {
    pub(crate) fn new(call: impl Fn(&str, f32) -> Progress + Send + Sync + 'static) -> Self {
        Self(Arc::new(call))
    }

    pub(crate) fn call(&self, model: &str, share: f32) -> Progress {
        (self.0)(model, share)
    }
}

impl fmt::Debug for OnLoad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnLoad(..)")
    }
}
