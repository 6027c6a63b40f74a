//! A request in the queue: [`Job`], as it came or ready to run.

use std::sync::Arc;
use std::time::Duration;

use llama_core::Token;
use llama_core::chat::ChatParser;
use llama_core::stop::StopSet;

use crate::executor::Work;
use crate::plan::AdapterKey;
use crate::request::{EmbedRequest, Request};
use crate::ticket::{Open, Sender, Ticket};
use crate::writer::Room;

/// A request in the queue.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) ticket: Arc<Ticket>,
    pub(crate) sender: Sender,
    pub(crate) body: Body,
    /// The deadline of its first token, if it has one: what it takes is estimated before it may wait.
    pub(crate) first_token_within: Option<Duration>,
}

impl Job {
    /// Whether it is about texts to embed.
    pub(crate) fn embeds(&self) -> bool {
        match &self.body {
            Body::Raw(asked) => matches!(asked, Asked::Embed(_)),
            Body::Ready(ready) => matches!(**ready, Ready::Embed { .. }),
        }
    }

    pub(crate) fn open(&self) -> Open {
        self.sender.open()
    }
}

/// What a job is about.
#[derive(Debug)]
pub(crate) enum Body {
    /// As it came: the model is not there yet.
    Raw(Asked),
    /// Known to fit the model.
    Ready(Box<Ready>),
}

/// What was asked for.
#[derive(Debug, Clone)]
pub(crate) enum Asked {
    Generate(Box<Request>),
    Embed(EmbedRequest),
}

/// A request that is known to fit its model.
#[derive(Debug)]
pub(crate) enum Ready {
    Generate(Generate),
    Embed { inputs: Vec<Arc<[Token]>>, normalize: bool },
}

/// A request for text.
#[derive(Debug)]
pub(crate) struct Generate {
    /// How its tokens are chosen, and its prompt.
    pub(crate) work: Arc<Work>,
    pub(crate) max_tokens: Option<usize>,
    pub(crate) choices: u32,
    pub(crate) adapters: AdapterKey,
    pub(crate) stops: StopSet,
    pub(crate) room: Room,
    pub(crate) parser: Option<ChatParser>,
}

impl Ready {
    /// Tokens to compute before there is an answer.
    pub(crate) fn tokens(&self) -> usize {
        match self {
            Self::Generate(generate) => generate.work.prompt.len(),
            Self::Embed { inputs, .. } => inputs.iter().map(|input| input.len()).sum(),
        }
    }
}
