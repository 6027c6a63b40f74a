//! What holds in the end: [`Settings`], from defaults, files, the environment and flags.
//!
//! The engine's settings are those of `llama-runtime`, so that a file, a flag and a program in Rust mean the same. How each
//! is called and what it may be stands in [`table`]; nothing else in the program reads settings files or variables.

pub(crate) mod document;
mod file;
mod flags;
pub(crate) mod kind;
pub(crate) mod layers;
pub(crate) mod places;
mod refused;
mod resolve;
mod rows;
pub(crate) mod show;
pub(crate) mod suggest;
pub(crate) mod table;
mod templates;
#[cfg(test)]
mod tests;
pub(crate) mod unsupported;
mod variables;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use llama_runtime::{
    BatchConfig, Bytes, CacheConfig, ChatRequest, ContextConfig, EngineConfig, Message, ModelConfig, ModelInfo, Prompt,
    Reasoning, Request, SamplingParams, Structure,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::logging::LogSettings;
use layers::{Merged, Origin};

pub(crate) use flags::{BenchSettings, FetchArgs, LookArgs, PlanArgs, SettingArgs, SourceArgs, are_in};

/// Everything that can be set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Which model.
    pub(crate) model: ModelSource,
    /// How its weights are loaded, and on what they are computed.
    pub(crate) hardware: Hardware,
    /// The context: KV cache, threads, attention, RoPE.
    pub(crate) context: ContextConfig,
    /// How much is computed together.
    pub(crate) batch: BatchConfig,
    /// What is kept of prompts.
    pub(crate) cache: CacheConfig,
    /// How tokens are chosen.
    pub(crate) sampling: SamplingParams,
    /// How long an answer may be, and what it has to look like.
    pub(crate) answer: AnswerSettings,
    /// Conversations and templates.
    pub(crate) chat: ChatSettings,
    /// What the model thinks before it answers.
    pub(crate) reasoning: ReasoningSettings,
    /// Diagnostics.
    pub(crate) log: LogSettings,
}

/// Which model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ModelSource {
    /// A GGUF file.
    pub(crate) path: Option<PathBuf>,
    /// A repository of the hub, `user/repo[:quant]`; `path` counts before it.
    pub(crate) hf: Option<String>,
    /// A file in that repository, in place of the one that the quant names.
    pub(crate) hf_file: Option<String>,
    /// Use only what is in the cache.
    pub(crate) offline: bool,
    /// LoRA adapters.
    pub(crate) adapters: Vec<AdapterSetting>,
    /// Fail where no GPU would be used.
    pub(crate) require_gpu: bool,
}

/// A LoRA adapter and how much of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AdapterSetting {
    /// A GGUF file.
    pub(crate) path: PathBuf,
    /// Its weight. Default: 1.
    #[serde(default = "one")]
    pub(crate) scale: f32,
}

fn one() -> f32 {
    1.0
}

/// How the weights are loaded, and on what they are computed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Hardware {
    /// Use this project's own matrix kernels, for the whole process. Default: true.
    pub(crate) kernels: bool,
    /// What is the model's own.
    #[serde(flatten)]
    pub(crate) weights: ModelConfig,
}

impl Default for Hardware {
    fn default() -> Self {
        Self { kernels: true, weights: ModelConfig::default() }
    }
}

/// How long an answer may be, and what it has to look like.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AnswerSettings {
    /// Most tokens; `None` is until the model ends it or the context is full.
    pub(crate) max_tokens: Option<usize>,
    /// Texts that end it.
    pub(crate) stop: Vec<String>,
    /// Write special tokens out as text. Default: false.
    pub(crate) special: bool,
    /// A grammar in GBNF; the text of `grammar_file`, if that is set. At most one of the four is set.
    pub(crate) grammar: Option<String>,
    /// A file with it.
    pub(crate) grammar_file: Option<PathBuf>,
    /// A JSON schema; the one in `json_schema_file`, if that is set.
    pub(crate) json_schema: Option<Value>,
    /// A file with it.
    pub(crate) json_schema_file: Option<PathBuf>,
}

/// Conversations and templates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ChatSettings {
    /// What the model is told before everything else; the text of `system_file`, if that is set.
    pub(crate) system: Option<String>,
    /// A file with it.
    pub(crate) system_file: Option<PathBuf>,
    /// A template in place of the model's: its Jinja source; the text of `template_file`, if that is set.
    pub(crate) template: Option<String>,
    /// A file with it.
    pub(crate) template_file: Option<PathBuf>,
    /// More variables for the template.
    pub(crate) template_args: BTreeMap<String, Value>,
    /// Tell after each answer how fast it was. Default: `None`, in a conversation on a terminal.
    pub(crate) show_timings: Option<bool>,
    /// Enter starts a new line instead of ending the message. Default: false.
    pub(crate) multiline: bool,
    /// Render answers as Markdown on a terminal. Default: true.
    pub(crate) markdown: bool,
    /// Keep typed messages for the next time. Default: true.
    pub(crate) history: bool,
}

impl Default for ChatSettings {
    fn default() -> Self {
        Self {
            system: None,
            system_file: None,
            template: None,
            template_file: None,
            template_args: BTreeMap::new(),
            show_timings: None,
            multiline: false,
            markdown: true,
            history: true,
        }
    }
}

/// What the model thinks before it answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ReasoningSettings {
    /// Ask for thinking, where the template lets one choose. Default: true.
    pub(crate) enabled: bool,
    /// Tell it apart from the answer. Default: true.
    pub(crate) split: bool,
    /// How much: `low`, `medium`, `high`; `none` is as `enabled = false`. Default: the template's own.
    pub(crate) effort: Option<String>,
    /// Most tokens to think. Default: `None`, as many as it likes.
    pub(crate) budget: Option<u32>,
    /// What is written into a thought that is ended for want of budget.
    pub(crate) budget_message: Option<String>,
    /// Let the model see what it thought in earlier turns. Default: true.
    pub(crate) preserve: bool,
}

impl Default for ReasoningSettings {
    fn default() -> Self {
        Self { enabled: true, split: true, effort: None, budget: None, budget_message: None, preserve: true }
    }
}

/// For whom an engine works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// One answer at a time, and time for it that only Ctrl+C ends.
    OnePerson,
    /// Many requests together.
    Job,
}

/// The settings that hold, and where each is from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Effective {
    pub(crate) settings: Settings,
    /// What somebody set, by key; everything else has its default.
    pub(crate) set: Merged,
    /// The settings files that were read, lowest first.
    pub(crate) files: Vec<PathBuf>,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Effective {
    /// How the engine works. The longest waits that can be set stand for "as long as it takes": a large model on a small
    /// machine computes for minutes at a step, and a terminal can be stopped with Ctrl+S over lunch.
    pub(crate) fn engine_config(&self, purpose: Purpose) -> EngineConfig {
        let settings = self.settings.clone();
        let mut config = EngineConfig::default();
        config.model = settings.hardware.weights;
        config.model.chat_template = settings.chat.template.or(config.model.chat_template);
        config.context = settings.context;
        config.batch = settings.batch;
        config.cache = settings.cache;
        config.limits.slow_consumer_timeout = DAY;
        config.limits.stall_timeout = DAY;
        config.defaults.queue_deadline = 7 * DAY;
        config.defaults.total_deadline = 7 * DAY;
        config.defaults.sampling = settings.sampling;
        if purpose == Purpose::OnePerson {
            config.batch.max_sequences = 1;
            // What leaves the KV cache are beginnings of the conversation that have changed since: they never come back.
            config.cache.host_memory = Bytes(0);
        }
        config
    }

    /// How tokens are chosen: what the model's file suggests counts where nobody set anything else.
    pub(crate) fn sampling(&self, model: &ModelInfo) -> SamplingParams {
        model.suggested.apply(self.settings.sampling.clone(), |field| self.is_set(field))
    }

    /// Whether somebody set this field of the sampling parameters.
    pub(crate) fn is_set(&self, field: &str) -> bool {
        self.set.keys().any(|key| key.strip_prefix("sampling.") == Some(field))
    }

    /// The flag that set one of these settings on this command line.
    pub(crate) fn flag_of(&self, keys: &[&str]) -> Option<&str> {
        keys.iter().find_map(|key| match &self.set.get(*key)?.origin {
            Origin::Flag(flag) => Some(flag.as_str()),
            _ => None,
        })
    }

    /// A request for `prompt`, as the settings want it.
    pub(crate) fn request(&self, prompt: impl Into<Prompt>, model: &ModelInfo) -> Request {
        let answer = &self.settings.answer;
        let mut request = Request::new(prompt).sampling(self.sampling(model));
        request.max_tokens = answer.max_tokens;
        request.stop.clone_from(&answer.stop);
        request.special = answer.special;
        request.reasoning_budget = self.settings.reasoning.budget;
        request.reasoning_budget_message = self.settings.reasoning.budget_message.clone().unwrap_or_default();
        request.structure = match (&answer.grammar, &answer.json_schema) {
            (Some(grammar), _) => Some(Structure::gbnf(grammar.as_str())),
            (None, Some(schema)) => Some(Structure::json_schema(schema.clone())),
            (None, None) => None,
        };
        let adapters = self.settings.model.adapters.iter().enumerate();
        request.adapters = adapters.map(|(i, adapter)| (adapter_name(i), adapter.scale)).collect();
        request
    }

    /// A conversation to be rendered as the settings want it. The system prompt is among `messages`, if there is one.
    pub(crate) fn chat_request(&self, messages: impl IntoIterator<Item = Message>) -> ChatRequest {
        let wanted = &self.settings.reasoning;
        let none = wanted.effort.as_deref() == Some("none");
        let mut reasoning = Reasoning::default();
        reasoning.enabled = wanted.enabled && !none;
        reasoning.split = wanted.split;
        reasoning.effort = wanted.effort.clone().filter(|_| !none);
        let messages = messages.into_iter().map(|message| self.remembered(message));
        let mut request = ChatRequest::new(messages).reasoning(reasoning);
        request.template_args = self.settings.chat.template_args.clone().into_iter().collect();
        request
    }
}

impl Effective {
    /// A message as the model sees it again.
    fn remembered(&self, mut message: Message) -> Message {
        if !self.settings.reasoning.preserve {
            message.reasoning = None;
        }
        message
    }
}

/// What the runtime calls an adapter.
pub(crate) fn adapter_name(index: usize) -> String {
    format!("adapter-{index}")
}
