//! From the model's text to a message.

use super::error::ChatError;
use super::message::AssistantMessage;
use super::native::{self, Parser};
use super::stream::ChatStream;
use serde_json::Value;
use std::sync::Arc;

/// Takes apart what the model writes in answer to one prompt. Cheap to clone; any thread may use it, also several at once.
#[derive(Debug, Clone)]
#[doc(alias = "common_chat_parse")]
pub struct ChatParser {
    parser: Arc<Parser>,
}

impl ChatParser {
    pub(super) fn new(parser: &Value) -> Result<Self, ChatError> {
        Ok(Self { parser: Arc::new(Parser::new(&native::json_text(parser))?) })
    }

    /// Parses a complete answer, without the prompt before it and the end token after it.
    ///
    /// # Errors
    ///
    /// [`ChatError::Mismatch`] when the text does not follow the format, for example a call of an unknown tool;
    /// [`ChatError::Limit`] when it nests brackets thousands deep.
    pub fn parse(&self, text: &str) -> Result<AssistantMessage, ChatError> {
        self.read(text.as_bytes(), false)
    }

    /// Parses an answer that is still being written: what can already be told of it, markers held back.
    ///
    /// # Errors
    ///
    /// As [`ChatParser::parse`]; a text that can still become right is no error.
    pub fn parse_partial(&self, text: &str) -> Result<AssistantMessage, ChatError> {
        self.read(text.as_bytes(), true)
    }

    /// Parses bytes that need not be UTF-8, complete or `partial`: an incomplete character at the end is held back, other
    /// bytes that are not UTF-8 become U+FFFD.
    ///
    /// # Errors
    ///
    /// As [`ChatParser::parse`].
    pub fn parse_bytes(&self, text: &[u8], partial: bool) -> Result<AssistantMessage, ChatError> {
        self.read(text, partial)
    }

    /// Starts to turn growing text into deltas.
    pub fn stream(&self) -> ChatStream {
        ChatStream::new(self.clone())
    }

    fn read(&self, text: &[u8], partial: bool) -> Result<AssistantMessage, ChatError> {
        serde_json::from_str(&self.parser.parse(text, partial)?).map_err(ChatError::Answer)
    }
}
