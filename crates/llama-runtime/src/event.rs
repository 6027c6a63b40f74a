//! What comes back while a request is answered: [`Event`], and how it ends: [`Finished`].

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use llama_core::chat::{AssistantMessage, ChatError};
use llama_core::{Token, Usage};

use crate::error::GenerateError;

/// What happens while a request is answered.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// The request waits for its model to be loaded; this share of it is, 0.0 to 1.0.
    Loading(f32),
    /// More of an answer: whole characters, free of stop strings.
    Text(Delta),
    /// More of what the model thinks before it answers; only in answers to a chat whose template shows where that is.
    Reasoning(Delta),
    /// More of a tool call.
    ToolCall(ToolCallDelta),
    /// One choice has ended, and others have not. Not told for the last one: [`Event::Finished`] follows then.
    ChoiceFinished {
        /// Which, from 0.
        choice: usize,
        /// Why.
        reason: FinishReason,
    },
    /// An input is embedded.
    Embedding {
        /// Which input, from 0.
        input: usize,
        /// Its embedding as the model gives it.
        vector: Vec<f32>,
    },
    /// The request has ended. Always the last event, and always there.
    Finished(Box<Finished>),
}

/// A piece of text. It prints as its text.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Delta {
    /// Which of the request's choices writes it, from 0.
    pub choice: usize,
    /// The text; empty only where log probabilities come without text of their own.
    pub text: String,
    /// Of the tokens that were written since the piece before, if the request asks for them. Characters can be made of
    /// several tokens, and text that could begin a stop string is held back, so they need not spell this very text.
    pub logprobs: Vec<Logprob>,
}

impl fmt::Display for Delta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Deref for Delta {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

/// How likely a token was, before any sampling stage.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Logprob {
    /// The token.
    pub token: Token,
    /// What it adds to the text; not always whole characters.
    pub bytes: Vec<u8>,
    /// The natural logarithm of its probability; 0 is certain.
    pub logprob: f32,
    /// The likeliest tokens at this place, likeliest first, as many as the request asks for. Theirs are empty.
    pub top: Vec<Self>,
}

/// More of a tool call. The deltas of one call, put together, are the call.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ToolCallDelta {
    /// Which of the request's choices makes it, from 0.
    pub choice: usize,
    /// Which call of the answer, from 0.
    pub index: usize,
    /// The call's id, in the first delta that knows it.
    pub id: Option<String>,
    /// More of the tool's name.
    pub name: Option<String>,
    /// More of the arguments, JSON text in pieces.
    pub arguments: String,
}

/// How a request ended.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Finished {
    /// The number of the request, unique within its runtime; log lines and spans have it too.
    pub id: u64,
    /// The name of its model.
    pub model: String,
    /// Why: that of the first choice, or what ended all of them.
    pub reason: FinishReason,
    /// Each choice; empty for embeddings, and where the request ended before it was begun.
    pub choices: Vec<Choice>,
    /// What it cost, in tokens. Those of all choices; a prompt counts once.
    pub usage: Usage,
    /// What it cost, in time.
    pub timings: Timings,
    /// The request's own.
    pub tags: Vec<(String, String)>,
}

impl Finished {
    /// The text of the first choice, as the model wrote it; empty if the request ended before it was begun.
    pub fn text(&self) -> &str {
        self.choices.first().map_or("", |choice| &choice.text)
    }

    /// The answer of the first choice, taken apart; `None` if the request ended before it was begun.
    pub fn message(&self) -> Option<&AssistantMessage> {
        self.choices.first().map(|choice| &choice.message)
    }
}

/// How one choice of a request ended.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Choice {
    /// Why.
    pub reason: FinishReason,
    /// All that the model wrote, as it wrote it, without the stop string.
    pub text: String,
    /// Of all its tokens, if the request asks for them.
    pub logprobs: Vec<Logprob>,
    /// The answer to a chat, taken apart. For other prompts its content is the text.
    pub message: AssistantMessage,
    /// The answer does not follow the format of its chat template, so `message` is not all of it; `text` is. Where nothing
    /// at all could be taken out of it, the text has been delivered as it is.
    pub malformed: Option<Arc<ChatError>>,
}

/// Why a request ended. What was written before has been delivered in every case.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum FinishReason {
    /// The model ended its answer, or the grammar that it follows is complete. Embeddings end with this too.
    EndOfAnswer,
    /// This stop string was written; it is not part of the text.
    StopString(String),
    /// [`Request::max_tokens`](crate::Request::max_tokens) was reached.
    Length,
    /// The sequence is as long as the context or the limits allow.
    ContextFull,
    /// It was cancelled, or its stream dropped.
    Cancelled,
    /// A deadline passed.
    Deadline(Deadline),
    /// Nobody read the events for [`Limits::slow_consumer_timeout`](crate::Limits::slow_consumer_timeout).
    SlowConsumer,
    /// It waited in a full queue and gave its place to a request of higher priority, see
    /// [`OverloadPolicy::ShedLowest`](crate::OverloadPolicy::ShedLowest).
    Shed,
    /// The runtime was shut down first.
    Shutdown,
    /// It failed.
    Error(GenerateError),
}

impl FinishReason {
    /// One word for logs, metrics and JSON: `stop`, `length`, `cancelled`, `deadline`, `slow_consumer`, `shed`, `shutdown`
    /// or `error`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::EndOfAnswer | Self::StopString(_) => "stop",
            Self::Length | Self::ContextFull => "length",
            Self::Cancelled => "cancelled",
            Self::Deadline(_) => "deadline",
            Self::SlowConsumer => "slow_consumer",
            Self::Shed => "shed",
            Self::Shutdown => "shutdown",
            Self::Error(_) => "error",
        }
    }

    /// Whether the answer came to an end that the request allows for.
    pub fn is_complete(&self) -> bool {
        matches!(self, Self::EndOfAnswer | Self::StopString(_) | Self::Length | Self::ContextFull)
    }
}

impl fmt::Display for FinishReason {
    /// A sentence without a full stop, for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EndOfAnswer => f.write_str("the answer is complete"),
            Self::StopString(text) => write!(f, "the stop string {text:?} was written"),
            Self::Length => f.write_str("the answer is as long as it may be"),
            Self::ContextFull => f.write_str("the context is full"),
            Self::Cancelled => f.write_str("the request was cancelled"),
            Self::Deadline(Deadline::Queue) => f.write_str("the request waited longer in the queue than it may"),
            Self::Deadline(Deadline::FirstToken) => f.write_str("the first token did not come in time"),
            Self::Deadline(Deadline::Total) => f.write_str("the answer took longer than it may"),
            Self::SlowConsumer => f.write_str("nobody read the answer for too long"),
            Self::Shed => f.write_str("the request gave its place in the queue to one of higher priority"),
            Self::Shutdown => f.write_str("the runtime was shut down"),
            Self::Error(error) => error.fmt(f),
        }
    }
}

/// Which deadline passed, see [`Deadlines`](crate::Deadlines).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Deadline {
    /// That of waiting in the queue.
    Queue,
    /// That of the first token.
    FirstToken,
    /// That of the whole answer.
    Total,
}

/// Where the time of a request went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Timings {
    /// From the submission until the scheduler took it, loading the model included.
    pub queued: Duration,
    /// From there to the first token: computing what was not in the KV cache of the prompt, in steps shared with others.
    /// Until the end if there was no token.
    pub prompt: Duration,
    /// From the first token to the end.
    pub generation: Duration,
    /// From the submission to the first token (TTFT), if there was one.
    pub first_token: Option<Duration>,
    /// Of `generation`, waiting for the reader to make room.
    pub paused: Duration,
    /// From the submission to the end.
    pub total: Duration,
}
