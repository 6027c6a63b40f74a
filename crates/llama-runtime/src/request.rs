//! What is asked for: [`Request`] and [`EmbedRequest`].

use std::time::Duration;

use llama_core::chat::{ChatRequest, Message};
use llama_core::{SamplingParams, Token};

use crate::priority::Priority;
use crate::structure::Structure;

/// What the model is to continue.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Prompt {
    /// Text as it is, without a chat template; special tokens in it are understood.
    Text(String),
    /// A conversation, rendered with the model's chat template. The answer comes taken apart: text, thinking, tool calls.
    /// Boxed, since it is much larger than the others.
    Chat(Box<ChatRequest>),
    /// Tokens as they are.
    Tokens(Vec<Token>),
}

/// How long a request may take, from its submission. `None` takes the configured default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Deadlines {
    /// Until the scheduler takes it from the queue, loading the model included.
    pub queue: Option<Duration>,
    /// Until the first token.
    pub first_token: Option<Duration>,
    /// Until its end.
    pub total: Option<Duration>,
}

/// One request. Make it by [`Request::chat`], [`Request::text`] or [`Request::tokens`], and assign or chain the rest.
///
/// A prompt is always the whole conversation; what it shares with requests before it is not computed again.
///
/// ```
/// use std::time::Duration;
/// use llama_runtime::{Message, Priority, Request};
///
/// let request = Request::chat([Message::user("Hi")])
///     .max_tokens(128)
///     .stop("\n\n")
///     .deadline(Duration::from_secs(30))
///     .priority(Priority::Interactive);
/// assert_eq!(request.max_tokens, Some(128));
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Request {
    /// Which model, by its name in the runtime. Default: `None`, the first one.
    pub model: Option<String>,
    /// What to continue.
    pub prompt: Prompt,
    /// How to choose tokens. Default: `None`, as configured.
    pub sampling: Option<SamplingParams>,
    /// What random choices start from, in place of the one in `sampling`. With a temperature of 0 it does not matter.
    /// Default: `None`. Choice `k` of several starts from `seed + k`. `u32::MAX` counts as [`Seed::Random`](crate::Seed).
    pub seed: Option<u32>,
    /// Most tokens of each answer, at least 1. Their KV cells are reserved before the request starts. Default: `None`, as
    /// configured; without a limit there the answer goes on until the model ends it or the sequence is as long as allowed,
    /// and cells are reserved as it grows.
    pub max_tokens: Option<usize>,
    /// Texts that end the answer, besides those of the chat template. Default: none.
    pub stop: Vec<String>,
    /// How many answers to write, at least 1; the prompt is computed once. Default: 1.
    pub choices: usize,
    /// Tells how likely each token was, with this many alternatives (0 to 100). Default: `None`, not.
    pub logprobs: Option<usize>,
    /// What the text of the answer has to follow. With a chat it holds from the first token of the answer, so the model is
    /// asked not to think before it. Default: nothing.
    pub structure: Option<Structure>,
    /// Writes the special tokens of the answer out as text, such as markers of tools; the one that ends it aside. Default:
    /// false.
    pub special: bool,
    /// Most tokens that the model may think before it answers; then its thought is closed for it. 0 closes it at once. Only
    /// in a chat whose template shows how thoughts begin and end, and not with a `structure`. Default: `None`, as many as it
    /// likes.
    pub reasoning_budget: Option<u32>,
    /// What is written into a thought before it is closed for want of budget, up to 4096 bytes. Default: nothing.
    pub reasoning_budget_message: String,
    /// Adapters of the model (see [`ModelSpec::adapter`](crate::ModelSpec::adapter)) and their scales, each at most once.
    /// Default: none.
    pub adapters: Vec<(String, f32)>,
    /// Who goes first. Default: `None`, as configured.
    pub priority: Option<Priority>,
    /// How long it may take. Default: as configured.
    pub deadlines: Deadlines,
    /// Names and values of the caller's, which come back in [`Finished`](crate::Finished) and stand in the request's
    /// span. Default: none.
    pub tags: Vec<(String, String)>,
}

impl Request {
    /// Asks for the next message of a conversation.
    pub fn chat(messages: impl IntoIterator<Item = Message>) -> Self {
        Self::new(Prompt::Chat(Box::new(ChatRequest::new(messages))))
    }

    /// Asks for the continuation of a text, without a chat template.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(Prompt::Text(text.into()))
    }

    /// Asks for the continuation of tokens.
    pub fn tokens(tokens: impl Into<Vec<Token>>) -> Self {
        Self::new(Prompt::Tokens(tokens.into()))
    }

    /// Asks for the continuation of a prompt.
    pub fn new(prompt: impl Into<Prompt>) -> Self {
        Self {
            model: None,
            prompt: prompt.into(),
            sampling: None,
            seed: None,
            max_tokens: None,
            stop: Vec::new(),
            choices: 1,
            logprobs: None,
            structure: None,
            special: false,
            reasoning_budget: None,
            reasoning_budget_message: String::new(),
            adapters: Vec::new(),
            priority: None,
            deadlines: Deadlines::default(),
            tags: Vec::new(),
        }
    }

    /// Sets [`model`](Self::model).
    #[must_use]
    pub fn model(mut self, name: impl Into<String>) -> Self {
        self.model = Some(name.into());
        self
    }

    /// Sets [`sampling`](Self::sampling).
    #[must_use]
    pub fn sampling(mut self, sampling: SamplingParams) -> Self {
        self.sampling = Some(sampling);
        self
    }

    /// Sets [`seed`](Self::seed).
    #[must_use]
    pub fn seed(mut self, seed: u32) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Sets [`max_tokens`](Self::max_tokens).
    #[must_use]
    pub fn max_tokens(mut self, tokens: usize) -> Self {
        self.max_tokens = Some(tokens);
        self
    }

    /// Adds to [`stop`](Self::stop).
    #[must_use]
    pub fn stop(mut self, text: impl Into<String>) -> Self {
        self.stop.push(text.into());
        self
    }

    /// Sets [`choices`](Self::choices).
    #[must_use]
    pub fn choices(mut self, choices: usize) -> Self {
        self.choices = choices;
        self
    }

    /// Sets [`logprobs`](Self::logprobs).
    #[must_use]
    pub fn logprobs(mut self, alternatives: usize) -> Self {
        self.logprobs = Some(alternatives);
        self
    }

    /// Sets [`structure`](Self::structure).
    #[must_use]
    pub fn structure(mut self, structure: Structure) -> Self {
        self.structure = Some(structure);
        self
    }

    /// Sets [`special`](Self::special).
    #[must_use]
    pub fn special(mut self, special: bool) -> Self {
        self.special = special;
        self
    }

    /// Sets [`reasoning_budget`](Self::reasoning_budget).
    #[must_use]
    pub fn reasoning_budget(mut self, tokens: u32) -> Self {
        self.reasoning_budget = Some(tokens);
        self
    }

    /// Adds to [`adapters`](Self::adapters).
    #[must_use]
    pub fn adapter(mut self, name: impl Into<String>, scale: f32) -> Self {
        self.adapters.push((name.into(), scale));
        self
    }

    /// Sets [`priority`](Self::priority).
    #[must_use]
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = Some(priority);
        self
    }

    /// Sets the deadline of the whole request, [`Deadlines::total`].
    #[must_use]
    pub fn deadline(mut self, total: Duration) -> Self {
        self.deadlines.total = Some(total);
        self
    }

    /// Adds to [`tags`](Self::tags).
    #[must_use]
    pub fn tag(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.push((name.into(), value.into()));
        self
    }
}

impl From<ChatRequest> for Prompt {
    fn from(chat: ChatRequest) -> Self {
        Self::Chat(Box::new(chat))
    }
}

impl From<&str> for Prompt {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Prompt {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<Token>> for Prompt {
    fn from(tokens: Vec<Token>) -> Self {
        Self::Tokens(tokens)
    }
}

/// Texts to embed, in one request.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EmbedRequest {
    /// Which model, by its name in the runtime. Default: `None`, the first one.
    pub model: Option<String>,
    /// The texts, each as long as [`ModelInfo::embed_limit`](crate::ModelInfo::embed_limit) tokens at most.
    pub inputs: Vec<String>,
    /// Whether each vector is scaled to a length of 1, so that a dot product is the cosine. Vectors of zeros stay as they
    /// are. Default: yes.
    pub normalize: bool,
    /// Who goes first. Default: `None`, as configured.
    pub priority: Option<Priority>,
    /// How long it may take; that of the first token does not apply. Default: as configured.
    pub deadlines: Deadlines,
    /// Names and values of the caller's. Default: none.
    pub tags: Vec<(String, String)>,
}

impl EmbedRequest {
    /// Asks for the embeddings of texts.
    pub fn new<I>(inputs: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        Self {
            model: None,
            inputs: inputs.into_iter().map(Into::into).collect(),
            normalize: true,
            priority: None,
            deadlines: Deadlines::default(),
            tags: Vec::new(),
        }
    }
}
