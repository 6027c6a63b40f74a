//! From the model's text to a message.

use super::error::ChatError;
use super::message::AssistantMessage;
use super::native::{self, Parser};
use super::stream::ChatStream;
use serde_json::Value;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Takes apart what the model writes in answer to one prompt. Cheap to clone; any thread may use it, also several at once.
#[derive(Debug, Clone)]
#[doc(alias = "common_chat_parse")]
pub struct ChatParser {
    parser: Arc<Parser>,
    /// Once there is content, all that follows is content.
    ends_in_content: bool,
}

/// Most parsers that a template remembers.
const MAX_KEPT: usize = 16;
/// Longest description of one that is remembered, in bytes.
const MAX_KEPT_BYTES: usize = 256 * 1024;

/// The parsers that a template made last, with what they were made from: to make one again takes a thread and a while.
#[derive(Default)]
pub(super) struct Parsers {
    /// What was used last comes last.
    kept: Mutex<Vec<(Value, ChatParser)>>,
}

impl Parsers {
    pub(super) fn get(&self, parser: &Value) -> Result<ChatParser, ChatError> {
        {
            let mut kept = self.lock();
            if let Some(at) = kept.iter().position(|(known, _)| known == parser) {
                let found = kept.remove(at);
                let made = found.1.clone();
                kept.push(found);
                return Ok(made);
            }
        }
        let made = ChatParser::new(parser)?;
        let bytes = parser.get("arena").and_then(Value::as_str).map_or(0, str::len);
        if bytes <= MAX_KEPT_BYTES {
            let mut kept = self.lock();
            // Another thread may have made the same.
            if !kept.iter().any(|(known, _)| known == parser) {
                if kept.len() >= MAX_KEPT {
                    kept.remove(0);
                }
                kept.push((parser.clone(), made.clone()));
            }
        }
        Ok(made)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Value, ChatParser)>> {
        // The list is whole whatever panicked while it was held.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Parsers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Parsers(..)")
    }
}

impl ChatParser {
    pub(super) fn new(parser: &Value) -> Result<Self, ChatError> {
        let ends_in_content = parser.get("arena").and_then(Value::as_str).is_some_and(ends_in_content);
        Ok(Self { parser: Arc::new(Parser::new(&native::json_text(parser))?), ends_in_content })
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

    /// Whether all of the text that comes after the first content is content too, so that it need not be parsed.
    pub(super) fn ends_in_content(&self) -> bool {
        self.ends_in_content
    }

    fn read(&self, text: &[u8], partial: bool) -> Result<AssistantMessage, ChatError> {
        serde_json::from_str(&self.parser.parse(text, partial)?).map_err(ChatError::Answer)
    }
}

/// Whether a parser, as upstream writes it down, has one place for content, and that place takes the rest of the text whatever it
/// is. So it is in answers to requests without tools, of nearly all templates: with or without thoughts before it.
fn ends_in_content(arena: &str) -> bool {
    // A parser for tools can be large, and has no such place.
    if !arena.contains(r#""delimiters":[]"#) {
        return false;
    }
    let arena: Value = serde_json::from_str(arena).unwrap_or_default();
    let Some(parsers) = arena.get("parsers").and_then(Value::as_array) else { return false };
    let is = |parser: &Value, key: &str, value: &str| parser.get(key).and_then(Value::as_str) == Some(value);
    let mut places = parsers.iter().filter(|parser| is(parser, "type", "tag") && is(parser, "tag", "content"));
    let (Some(content), None) = (places.next(), places.next()) else { return false };
    let child = content.get("child").and_then(Value::as_u64).and_then(|id| usize::try_from(id).ok());
    let takes_rest = |parser: &Value| {
        is(parser, "type", "until") && parser.get("delimiters").and_then(Value::as_array).is_some_and(Vec::is_empty)
    };
    child.and_then(|id| parsers.get(id)).is_some_and(takes_rest)
}
