//! Conversations as JSON.

use llama_core::chat::Message;
use serde::{Deserialize, Serialize};

use super::{Conversation, WhenFull};

/// The form that is written. Another one gets another number.
const VERSION: u64 = 1;

/// Why a conversation was not written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConversationError {
    /// More than [`Conversation::MAX_JSON`] bytes. Save it before it grows so long, or cut it.
    #[error("the conversation is {bytes} bytes of JSON, and at most {limit} are written or read")]
    TooLarge {
        /// How long the JSON is.
        bytes: usize,
        /// How long it may be.
        limit: usize,
    },
    /// It was written by a later version of this crate. Use that one.
    #[error("the conversation has version {found}, and this program knows only version {known}")]
    Version {
        /// The version in the JSON.
        found: u64,
        /// The one that can be read.
        known: u64,
    },
    /// This is not a conversation as [`Conversation::to_json`] writes it.
    #[error("this is not a saved conversation: {0}")]
    Json(#[from] serde_json::Error),
}

#[derive(Serialize)]
struct Written<'a> {
    version: u64,
    when_full: WhenFull,
    dropped: u64,
    messages: &'a [Message],
}

#[derive(Deserialize)]
struct Version {
    version: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    #[serde(rename = "version")]
    _version: u64,
    #[serde(default)]
    when_full: WhenFull,
    #[serde(default)]
    dropped: u64,
    messages: Vec<Message>,
}

impl Conversation {
    /// Most bytes of JSON that are written or read: 16 MiB.
    pub const MAX_JSON: usize = 16 << 20;

    /// Writes everything, on one line: `version`, `when_full`, `dropped`, and `messages` in the shape of OpenAI's chat
    /// completions.
    ///
    /// # Errors
    ///
    /// [`ConversationError::TooLarge`]: it could not be read again.
    pub fn to_json(&self) -> Result<String, ConversationError> {
        let Self { messages, when_full, dropped } = self;
        let written = Written { version: VERSION, when_full: *when_full, dropped: *dropped, messages };
        let json = serde_json::to_string(&written)?;
        bounded(&json)?;
        Ok(json)
    }

    /// Reads what [`to_json`](Self::to_json) wrote. Only `version` and `messages` have to be there.
    ///
    /// # Errors
    ///
    /// [`ConversationError`] if it is too long, of another version, or something else.
    pub fn from_json(json: &str) -> Result<Self, ConversationError> {
        bounded(json)?;
        // First, as the rest may have changed its shape with it.
        let Version { version } = serde_json::from_str(json)?;
        if version != VERSION {
            return Err(ConversationError::Version { found: version, known: VERSION });
        }
        let Read { when_full, dropped, messages, .. } = serde_json::from_str(json)?;
        Ok(Self { messages, when_full, dropped })
    }
}

fn bounded(json: &str) -> Result<(), ConversationError> {
    if json.len() > Conversation::MAX_JSON {
        return Err(ConversationError::TooLarge { bytes: json.len(), limit: Conversation::MAX_JSON });
    }
    Ok(())
}
