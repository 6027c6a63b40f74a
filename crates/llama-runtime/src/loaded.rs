//! What an engine tells about its model once it is ready: [`Loaded`], and the part of it that callers see: [`ModelInfo`].

use llama_core::chat::{ChatError, ChatTemplate};
use llama_core::{DeviceKind, MemoryUse, Model, ModelFacts, SuggestedSampling};

use crate::config::{CHATML, Defaults, Limits};
use crate::executor::Abilities;
use crate::scheduler::Bounds;
use crate::structure::Structures;
use crate::template::Template;
use crate::threads::ThreadChoice;

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
    /// Whether it has a chat template: its own, or one that was given for it. Without, a conversation is rendered as ChatML.
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
    /// Bytes of its weights, as llama.cpp counts them; 0 if it does not tell.
    pub weights: u64,
    /// Of these, bytes in the memory of a graphics card or unit: 0 means that the processor computes everything. llama.cpp
    /// tells bytes, not layers.
    pub gpu_weights: u64,
    /// How many threads it computes with from the start, and why. [`Snapshot::threads`](crate::Snapshot::threads) has the
    /// numbers as they are now.
    pub threads: ThreadChoice,
    /// What its file suggests for sampling. Requests do not get it by themselves.
    pub suggested: SuggestedSampling,
}

/// What [`Loaded`] is made of, besides the model.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) abilities: Abilities,
    pub(crate) bounds: Bounds,
    pub(crate) limits: Limits,
    pub(crate) defaults: Defaults,
    pub(crate) adapters: Vec<String>,
    /// What llama.cpp says that it takes.
    pub(crate) memory: Option<MemoryUse>,
    pub(crate) threads: ThreadChoice,
    /// The model's own, or one in its place, see [`given_template`].
    pub(crate) template: Template,
}

/// The template that stands in the configuration, for `model`. Before the model is loaded it can be tried without.
pub(crate) fn given_template(source: &str, model: Option<&Model>) -> Result<ChatTemplate, ChatError> {
    match model {
        _ if source == CHATML => ChatTemplate::chatml(),
        Some(model) => ChatTemplate::from_model_with(model, source),
        None => ChatTemplate::from_source(source, "", ""),
    }
}

/// Bytes of weights on graphics cards and units.
pub(crate) fn on_gpu(memory: &MemoryUse) -> u64 {
    let is_gpu = |kind| matches!(kind, DeviceKind::Gpu | DeviceKind::IntegratedGpu);
    let gpus: Vec<String> =
        llama_core::devices().into_iter().filter(|device| is_gpu(device.kind)).map(|device| device.name).collect();
    let weights = memory.devices.iter().filter(|used| gpus.contains(&used.device)).map(|used| used.weights);
    weights.fold(0, u64::saturating_add)
}

impl Loaded {
    pub(crate) fn new(name: &str, model: Model, setting: Setting) -> Self {
        let Setting { abilities, bounds, limits, defaults, adapters, memory, threads, template } = setting;
        let sequence_limit =
            abilities.sequence_limit.min(limits.max_sequence_tokens.map_or(usize::MAX, |most| most as usize));
        let info = ModelInfo {
            name: name.to_owned(),
            facts: model.facts().clone(),
            has_chat_template: template.is_given() || model.chat_template(None).is_some(),
            generates: abilities.generates,
            sequence_limit,
            cells: abilities.cells,
            embed_limit: abilities.embed_limit,
            adapters: adapters.clone(),
            weights: memory.as_ref().map_or(0, MemoryUse::weights),
            gpu_weights: memory.as_ref().map_or(0, on_gpu),
            threads,
            suggested: SuggestedSampling::of(&model),
        };
        let template = template.finish();
        let structures = Structures::new(model.clone());
        Self { model, template, abilities, bounds, limits, defaults, adapters, info, structures }
    }
}
