//! What can go wrong between messages and prompts.

use std::fmt;

/// Something that a template, or the parser made for it, does not offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Feature {
    /// Tools are not shown to the model, or its calls could not be recognised.
    Tools,
    /// Earlier tool calls and tool results are not rendered.
    ToolHistory,
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tools => "tools",
            Self::ToolHistory => "tool calls and tool results in the conversation",
        })
    }
}

/// Why a template could not be loaded or rendered, or a text not be parsed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChatError {
    /// The source is no template. Fix it, or use another one.
    #[error("the chat template is not valid: {reason}")]
    BadTemplate {
        /// The engine's own words, with the place in the source.
        reason: String,
    },
    /// The template, the request or the text is beyond a limit that keeps it from taking the process down.
    #[error("refused to go on: {reason}")]
    Limit {
        /// Which limit, and what was found.
        reason: String,
    },
    /// The template itself refuses these messages, for example because roles must alternate.
    #[error("the chat template refuses these messages: {message}")]
    Raised {
        /// What the template says.
        message: String,
    },
    /// The template is valid but fails on this request, or no parser can be made for it.
    #[error("the chat template cannot be rendered: {reason}")]
    Render {
        /// The engine's own words, with the place in the source.
        reason: String,
    },
    /// The template would silently leave out a part of the request. Use another template or leave that part out.
    #[error("the chat template does not support {feature}")]
    Unsupported {
        /// What is missing.
        feature: Feature,
    },
    /// Two parts of the request exclude each other.
    #[error("{first} and {second} cannot be asked for together")]
    Conflict {
        /// One part.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// The request, a tool's schema or a response schema is not what it should be.
    #[error("the chat request is not valid: {reason}")]
    Request {
        /// What is wrong with which part.
        reason: String,
    },
    /// Arguments of a tool call are not JSON: `call` names the tool.
    #[error("the arguments of the call to {call} are not JSON: {source}")]
    Arguments {
        /// The tool's name.
        call: String,
        /// What is wrong, and where.
        source: serde_json::Error,
    },
    /// The text does not follow the format that the template promises. The text itself is still good to show.
    #[error("the model's text does not follow its format: {reason}")]
    Mismatch {
        /// Which format was expected.
        reason: String,
    },
    /// What was streamed differs from what the whole text turned out to mean; take the message that
    /// [`ChatParser::parse`](super::ChatParser::parse) makes of the text instead.
    #[error("the streamed parts differ from the complete message in its {part}")]
    Retracted {
        /// Content, reasoning or tool calls.
        part: &'static str,
    },
    /// No thread with a stack deep enough could be started.
    #[error("no thread with a stack for deep templates could be started: {0}")]
    Thread(#[source] std::io::Error),
    /// llama.cpp failed in a way that has no variant of its own, for example for want of memory.
    #[error("llama.cpp: {0}")]
    Upstream(String),
    /// The C++ side answered with JSON that does not fit; a bug of this crate.
    #[error("the chat functions answered with unexpected JSON: {0}")]
    Answer(#[source] serde_json::Error),
}
