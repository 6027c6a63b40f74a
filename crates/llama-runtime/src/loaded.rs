//! What an engine tells about its model once it is ready: [`Loaded`], and the part of it that callers see: [`ModelInfo`].

use llama_core::chat::ChatTemplate;
use llama_core::{Model, ModelFacts};

use crate::config::{Defaults, Limits};
use crate::executor::Abilities;
use crate::scheduler::Bounds;
use crate::structure::Structures;

/// What callers need to prepare requests on their own threads.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) model: Model,
    /// The reason, where the model's template is broken: it can still be used without one.
    pub(crate) template: Result<ChatTemplate, String>,
    pub(crate) abilities: Abilities,
    pub(crate) bounds: Bounds,
    pub(crate) limits: Limits,
    pub(crate) defaults: Defaults,
    pub(crate) adapters: Vec<String>,
    pub(crate) info: ModelInfo,
    pub(crate) structures: Structures,
}

/// What a model that is loaded can do.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ModelInfo {
    /// Its name in the runtime.
    pub name: String,
    /// Sizes and kinds.
    pub facts: ModelFacts,
    /// Whether it brings a chat template of its own. Without, a conversation is rendered as ChatML.
    pub has_chat_template: bool,
    /// Whether it writes text.
    pub generates: bool,
    /// Most tokens of one sequence, prompt and answer together.
    pub sequence_limit: usize,
    /// KV cells in tokens, for all sequences together; `None` where the state has one size however long a sequence is.
    pub cells: Option<usize>,
    /// Most tokens of one text to embed; 0 if it cannot embed.
    pub embed_limit: usize,
    /// The names of its adapters.
    pub adapters: Vec<String>,
}

/// What [`Loaded`] is made of, besides the model.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) abilities: Abilities,
    pub(crate) bounds: Bounds,
    pub(crate) limits: Limits,
    pub(crate) defaults: Defaults,
    pub(crate) adapters: Vec<String>,
}

impl Loaded {
    pub(crate) fn new(name: &str, model: Model, setting: Setting) -> Self {
        let Setting { abilities, bounds, limits, defaults, adapters } = setting;
        let sequence_limit =
            abilities.sequence_limit.min(limits.max_sequence_tokens.map_or(usize::MAX, |most| most as usize));
        let info = ModelInfo {
            name: name.to_owned(),
            facts: model.facts().clone(),
            has_chat_template: model.chat_template(None).is_some(),
            generates: abilities.generates,
            sequence_limit,
            cells: abilities.cells,
            embed_limit: abilities.embed_limit,
            adapters: adapters.clone(),
        };
        let template = ChatTemplate::from_model(&model).map_err(|error| error.to_string());
        let structures = Structures::new(model.clone());
        Self { model, template, abilities, bounds, limits, defaults, adapters, info, structures }
    }
}
