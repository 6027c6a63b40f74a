//! From growing text to deltas.

use super::error::ChatError;
use super::message::AssistantMessage;
use super::parser::ChatParser;

/// Each parse reads the whole text again, so it is parsed again only when it has grown by this part of its length. The
/// total cost stays within `PARSES` times the length, and up to `PARSES` bytes every piece is shown at once.
const PARSES: usize = 512;

/// A new piece of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChatDelta {
    /// More of the thinking.
    Reasoning(String),
    /// More of the answer.
    Content(String),
    /// More of a call.
    ToolCall {
        /// Which call of the message, from 0.
        index: usize,
        /// The call's id, in the first delta that knows it; never empty.
        id: Option<String>,
        /// More of the tool's name.
        name: Option<String>,
        /// More of the arguments, JSON text in pieces.
        arguments: String,
    },
}

/// Turns text that grows piece by piece into deltas. The deltas, put together, are the message.
#[derive(Debug)]
pub struct ChatStream {
    parser: ChatParser,
    text: String,
    parsed: usize,
    sent: AssistantMessage,
    /// All that comes now is content.
    in_content: bool,
}

impl ChatStream {
    pub(super) fn new(parser: ChatParser) -> Self {
        Self { parser, text: String::new(), parsed: 0, sent: AssistantMessage::default(), in_content: false }
    }

    /// All text so far, as the model wrote it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Adds a piece of text; returns what is new in the message. Long texts are looked at in steps of a five-hundredth, but
    /// for plain content, which nothing can follow: it is passed on as it comes.
    ///
    /// Text that fits no format yet is held back: the next piece may settle it, and [`ChatStream::finish`] tells.
    ///
    /// # Errors
    ///
    /// [`ChatError::Limit`] when the text nests brackets thousands deep.
    pub fn push(&mut self, piece: &str) -> Result<Vec<ChatDelta>, ChatError> {
        self.text.push_str(piece);
        if self.in_content {
            if piece.is_empty() {
                return Ok(Vec::new());
            }
            self.sent.content.push_str(piece);
            return Ok(vec![ChatDelta::Content(piece.to_owned())]);
        }
        let grown = self.text.len() - self.parsed;
        if grown == 0 || grown < self.text.len() / PARSES {
            return Ok(Vec::new());
        }
        self.parsed = self.text.len();
        match self.parser.parse_partial(&self.text) {
            Ok(message) => {
                let deltas = self.advance(message).unwrap_or_default();
                let content = &self.sent.content;
                self.in_content =
                    self.parser.ends_in_content() && !content.is_empty() && self.text.ends_with(content.as_str());
                Ok(deltas)
            }
            Err(ChatError::Mismatch { .. }) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Says that the text is complete; returns the last deltas and the whole message.
    ///
    /// # Errors
    ///
    /// [`ChatError::Mismatch`] when the text does not follow the format; [`ChatError::Retracted`] when earlier deltas
    /// turn out wrong. The text is still there in [`ChatStream::text`].
    pub fn finish(&mut self) -> Result<(Vec<ChatDelta>, AssistantMessage), ChatError> {
        let message = self.parser.parse(&self.text)?;
        let deltas = self.advance(message.clone()).map_err(|part| ChatError::Retracted { part })?;
        Ok((deltas, message))
    }

    /// What `message` adds to what was sent. `Err` names the part that does not continue what was sent.
    fn advance(&mut self, message: AssistantMessage) -> Result<Vec<ChatDelta>, &'static str> {
        let mut deltas = Vec::new();
        let reasoning = added(&self.sent.reasoning, &message.reasoning).ok_or("reasoning")?;
        if !reasoning.is_empty() {
            deltas.push(ChatDelta::Reasoning(reasoning.to_owned()));
        }
        let content = added(&self.sent.content, &message.content).ok_or("content")?;
        if !content.is_empty() {
            deltas.push(ChatDelta::Content(content.to_owned()));
        }
        if message.tool_calls.len() < self.sent.tool_calls.len() {
            return Err("tool calls");
        }
        let nothing = Default::default();
        for (index, call) in message.tool_calls.iter().enumerate() {
            let before = self.sent.tool_calls.get(index).unwrap_or(&nothing);
            let name = added(&before.name, &call.name).ok_or("tool calls")?;
            let arguments = added(&before.arguments, &call.arguments).ok_or("tool calls")?;
            if !before.id.is_empty() && before.id != call.id {
                return Err("tool calls");
            }
            let id = (before.id.is_empty() && !call.id.is_empty()).then(|| call.id.clone());
            if id.is_some() || !name.is_empty() || !arguments.is_empty() {
                let name = (!name.is_empty()).then(|| name.to_owned());
                deltas.push(ChatDelta::ToolCall { index, id, name, arguments: arguments.to_owned() });
            }
        }
        self.sent = message;
        Ok(deltas)
    }
}

fn added<'a>(before: &str, now: &'a str) -> Option<&'a str> {
    now.strip_prefix(before)
}
