//! What is asked for, and why it is refused: [`Request`] becomes a [`ValidRequest`] on the caller's thread.

use llama_core::chat::{ChatError, ChatRequest, Message};
use llama_core::stop::{StopError, StopSet};
use llama_core::{AddSpecial, SamplingParams, Specials, Token, TokenizeError};

use crate::loaded::Loaded;

/// What the model is to continue.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Prompt {
    /// Text as it is, without a chat template; special tokens in it are understood.
    Text(String),
    /// A conversation, rendered with the model's chat template. Boxed, since it is much larger than the others.
    ///
    /// The answer comes as the model writes it: thinking and tool calls are not told apart from it yet, and a grammar that
    /// the template asks for is not applied.
    Chat(Box<ChatRequest>),
    /// Tokens as they are.
    Tokens(Vec<Token>),
}

/// One request. Make it by [`Request::chat`], [`Request::text`] or [`Request::tokens`], and assign the rest.
///
/// A prompt is always the whole conversation; what it shares with the request before it is not computed again.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Request {
    /// What to continue.
    pub prompt: Prompt,
    /// How to choose tokens. Default: upstream's defaults.
    pub sampling: SamplingParams,
    /// Most tokens of the answer. Default: `None`, until the model ends it or the context is full.
    pub max_tokens: Option<usize>,
    /// Texts that end the answer, besides those of the chat template. Default: none.
    pub stop: Vec<String>,
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
    pub fn new(prompt: Prompt) -> Self {
        Self { prompt, sampling: SamplingParams::default(), max_tokens: None, stop: Vec::new() }
    }
}

/// Why a request was not accepted. Nothing has been computed, and no stream exists.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Rejected {
    /// As many requests are waiting as may wait; try again when one of them is done.
    #[error("{capacity} requests are waiting already; try again later")]
    QueueFull {
        /// [`EngineOptions::queue`](crate::EngineOptions::queue).
        capacity: usize,
    },
    /// The engine has crashed or was shut down; start another runtime.
    #[error("the engine does not run any more")]
    Stopped,
    /// The prompt has no tokens.
    #[error("the prompt is empty, and this model adds no token of its own; give at least one character")]
    EmptyPrompt,
    /// The prompt leaves no room for an answer in the context.
    #[error(
        "the prompt has {tokens} tokens, and the context has room for {limit} with an answer of at least one; \
         shorten it or use a larger context"
    )]
    PromptTooLong {
        /// Tokens of the prompt.
        tokens: usize,
        /// Most tokens a prompt may have here.
        limit: usize,
    },
    /// The text cannot be tokenised, or a token is not in the vocabulary.
    #[error(transparent)]
    Tokenize(#[from] TokenizeError),
    /// The conversation cannot be rendered; [`Prompt::Text`] needs no template.
    #[error(transparent)]
    Chat(#[from] ChatError),
    /// The model's chat template cannot be used; [`Prompt::Text`] needs none.
    #[error("the chat template of the model cannot be used: {reason}")]
    Template {
        /// What is wrong with it.
        reason: String,
    },
    /// A stop string cannot be used.
    #[error(transparent)]
    Stop(#[from] StopError),
}

/// A request that is known to fit the model.
#[derive(Debug)]
pub(crate) struct ValidRequest {
    pub(crate) tokens: Vec<Token>,
    pub(crate) sampling: SamplingParams,
    pub(crate) max_tokens: Option<usize>,
    pub(crate) stop: StopSet,
}

impl Request {
    pub(crate) fn validate(self, loaded: &Loaded) -> Result<ValidRequest, Rejected> {
        let (tokens, template_stops) = self.prompt.into_tokens(loaded)?;
        // The answer needs a place for one token at least.
        let limit = loaded.capacity.saturating_sub(1);
        if tokens.is_empty() {
            return Err(Rejected::EmptyPrompt);
        }
        if tokens.len() > limit {
            return Err(Rejected::PromptTooLong { tokens: tokens.len(), limit });
        }
        let stop = StopSet::new(self.stop.into_iter().chain(template_stops))?;
        Ok(ValidRequest { tokens, sampling: self.sampling, max_tokens: self.max_tokens, stop })
    }
}

impl Prompt {
    /// The tokens, and what ends the answer by the template.
    pub(crate) fn into_tokens(self, loaded: &Loaded) -> Result<(Vec<Token>, Vec<String>), Rejected> {
        let vocab = loaded.model.vocab();
        let tokenize = |text: &str| vocab.tokenize_with(text, Specials::Parse, AddSpecial::AsModelWants);
        match self {
            Self::Text(text) => Ok((tokenize(&text)?, Vec::new())),
            Self::Chat(chat) => {
                let template =
                    loaded.template.as_ref().map_err(|reason| Rejected::Template { reason: reason.clone() })?;
                let rendered = template.render(&chat)?;
                Ok((tokenize(&rendered.prompt)?, rendered.stops))
            }
            Self::Tokens(tokens) => {
                let n_vocab = loaded.model.facts().n_vocab;
                if let Some(&token) = tokens.iter().find(|token| !vocab.contains(**token)) {
                    return Err(TokenizeError::OutOfRange { token, n_vocab }.into());
                }
                Ok((tokens, Vec::new()))
            }
        }
    }
}
