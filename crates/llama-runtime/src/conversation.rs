//! The history of a chat: [`Conversation`], shared by all front ends that hold one.
//!
//! It knows messages and turns, and which turns go when the context is full. It does not know models: who asks it to fit
//! gives it a way to count tokens. It writes and reads JSON; files are its caller's.
//!
//! A **turn** begins with a message of the user and goes on to the next one. What must not be parted stays in one turn: a
//! tool's result is always in the turn of the call it answers. Instructions (system and developer messages) at the
//! beginning belong to no turn and always stay.
//!
//! ```
//! use llama_runtime::{Budget, Conversation, Message};
//! # use std::convert::Infallible;
//!
//! let mut conversation = Conversation::new().with_system("Be brief.");
//! for question in ["Who are you?", "What can you do?", "Why?"] {
//!     conversation.user(question);
//!     conversation.assistant("An answer.");
//! }
//! conversation.user("And now?");
//!
//! // Counts words; with a model, what its runtime counts for these messages.
//! let words = |messages: &[Message]| {
//!     Ok::<_, Infallible>(messages.iter().map(|m| m.content.to_text().split(' ').count()).sum())
//! };
//! let fitted = conversation.fit(Budget::new(20).reserve(10), words)?;
//! assert_eq!((fitted.dropped, fitted.tokens), (2, 7));
//! assert_eq!(conversation.messages().len(), 4, "the instructions, the turn before, the last question");
//!
//! let saved = conversation.to_json()?;
//! assert_eq!(Conversation::from_json(&saved)?, conversation);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod fit;
mod saved;
#[cfg(test)]
mod tests;
mod turns;

use llama_core::chat::{AssistantMessage, ChatRequest, Content, Message, Role, ToolCall};

pub use fit::{Budget, FitError, Fitted, WhenFull};
pub use saved::ConversationError;

/// Instructions, if there are any, and then turns: what the user says and what follows until the user speaks again.
///
/// A plain value: `Send` and `Sync`, and a clone has its own messages. Any order of messages is taken as it comes; whether
/// a model's chat template can render it shows when it is submitted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conversation {
    messages: Vec<Message>,
    when_full: WhenFull,
    /// Turns that [`Conversation::fit`] dropped so far.
    dropped: u64,
}

impl Conversation {
    /// Nothing said yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// With instructions, as [`set_system`](Self::set_system).
    #[must_use]
    pub fn with_system(mut self, text: &str) -> Self {
        self.set_system(Some(text));
        self
    }

    /// What happens when there is no room, see [`fit`](Self::fit). Default: [`WhenFull::Trim`].
    #[must_use]
    pub fn when_full(mut self, when_full: WhenFull) -> Self {
        self.when_full = when_full;
        self
    }

    /// Replaces all instructions at the beginning by this text; `None` takes them away.
    pub fn set_system(&mut self, text: Option<&str>) {
        let instructions = ..turns::instructions(&self.messages);
        self.messages.splice(instructions, text.map(Message::system));
    }

    /// Adds a message of any kind.
    pub fn push(&mut self, message: Message) {
        self.messages.push(message);
    }

    /// Adds what the user says, which begins a turn.
    pub fn user(&mut self, text: impl Into<Content>) {
        self.push(Message::user(text));
    }

    /// Adds what the model said, where that is nothing but text.
    pub fn assistant(&mut self, text: impl Into<Content>) {
        self.push(Message::assistant(text));
    }

    /// Adds what the model said, with its reasoning and its calls of tools.
    pub fn answer(&mut self, answer: AssistantMessage) {
        self.push(answer.into());
    }

    /// Adds what a tool that the model called has to say.
    pub fn tool_result(&mut self, call: &ToolCall, content: impl Into<Content>) {
        self.push(Message::tool_result(call, content));
    }

    /// Takes back the last turn, and returns its messages: what the user said, and the answer as far as there is one.
    /// Empty if there is no turn.
    pub fn undo(&mut self) -> Vec<Message> {
        match turns::starts(&self.messages).last() {
            Some(&last) => self.messages.split_off(last),
            None => Vec::new(),
        }
    }

    /// Takes back everything that followed what the user said last, calls of tools and their results too, so that there
    /// can be another answer. False, and nothing is changed, if there is nothing to answer.
    pub fn reopen(&mut self) -> bool {
        let starts = turns::starts(&self.messages);
        let opening = starts.last().filter(|&&last| self.messages[last].role == Role::User);
        if let Some(&opening) = opening {
            self.messages.truncate(opening + 1);
        }
        opening.is_some()
    }

    /// Forgets every turn, also how many were dropped. Instructions and settings stay.
    pub fn clear(&mut self) {
        self.messages.truncate(turns::instructions(&self.messages));
        self.dropped = 0;
    }

    /// Everything, in order: instructions, then turns.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// The turns, oldest first. The first does not begin with the user if somebody else spoke first.
    pub fn turns(&self) -> impl DoubleEndedIterator<Item = &[Message]> + ExactSizeIterator {
        let starts = turns::starts(&self.messages);
        let ends: Vec<_> = starts.iter().skip(1).copied().chain([self.messages.len()]).collect();
        starts.into_iter().zip(ends).map(|(start, end)| &self.messages[start..end])
    }

    /// How many turns [`fit`](Self::fit) has dropped since the beginning, or since [`clear`](Self::clear).
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Asks for an answer to this conversation. Tools and everything else are for the caller to add.
    pub fn request(&self) -> ChatRequest {
        ChatRequest::new(self.messages.iter().cloned())
    }
}

impl FromIterator<Message> for Conversation {
    fn from_iter<T: IntoIterator<Item = Message>>(messages: T) -> Self {
        Self { messages: messages.into_iter().collect(), ..Self::default() }
    }
}
