//! What happens when a conversation is longer than the context: [`Budget`], [`WhenFull`].

use llama_core::chat::Message;
use serde::{Deserialize, Serialize};

use super::{Conversation, turns};

/// Tokens that a conversation may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Budget {
    /// Most tokens of prompt and answer together.
    pub limit: usize,
    /// Tokens of [`limit`](Self::limit) that are kept free for the answer. Default: 0.
    pub reserve: usize,
}

impl Budget {
    /// All of `limit` is for the prompt.
    pub fn new(limit: usize) -> Self {
        Self { limit, reserve: 0 }
    }

    /// Keeps so many tokens free for the answer.
    #[must_use]
    pub fn reserve(mut self, tokens: usize) -> Self {
        self.reserve = tokens;
        self
    }

    /// Most tokens of the prompt; 0 if the whole limit is kept free.
    pub fn prompt(&self) -> usize {
        self.limit.saturating_sub(self.reserve)
    }
}

impl From<usize> for Budget {
    fn from(limit: usize) -> Self {
        Self::new(limit)
    }
}

/// What [`Conversation::fit`] does when there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WhenFull {
    /// Nothing is dropped: [`FitError::Full`].
    Refuse,
    /// The oldest turns are dropped, only as many as needed. The model remembers as much as it can, but once the context
    /// is full every turn changes the beginning of the prompt, so that all of it is computed again.
    #[default]
    Trim,
    /// The oldest half of the turns is dropped at once, as a context shift does. Less is remembered, but then the beginning
    /// of the prompt stays the same for many turns, and with it what the KV cache holds.
    Shift,
}

/// How a conversation was made to fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fitted {
    /// Turns that were dropped just now.
    pub dropped: usize,
    /// Tokens of what is left.
    pub tokens: usize,
}

/// Why a conversation does not fit. It is left as it was.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FitError<E> {
    /// There is no room, and nothing may be dropped ([`WhenFull::Refuse`]): start a new conversation.
    #[error("the conversation has {tokens} tokens, and there is room for {limit}")]
    Full {
        /// Tokens of the whole conversation.
        tokens: usize,
        /// Most tokens of the prompt.
        limit: usize,
    },
    /// Even the instructions and the last turn alone are too long: shorten them, or reserve less.
    #[error("the instructions and the last turn alone have {tokens} tokens, and there is room for {limit}")]
    TooLong {
        /// Tokens of the instructions and the last turn.
        tokens: usize,
        /// Most tokens of the prompt.
        limit: usize,
    },
    /// The tokens could not be counted.
    #[error(transparent)]
    Count(E),
}

impl Conversation {
    /// Makes the conversation fit the part of `budget` that is for the prompt, by the rule that was set with
    /// [`when_full`](Self::when_full). Instructions and the last turn always stay, and a turn is dropped as a whole.
    ///
    /// `count` gives the tokens of a prompt, which means rendering and tokenizing: it is called once if everything fits,
    /// and at most `2 + 2 * log2(turns)` times (rounded up) if not. What is left was counted and fits, also where a template
    /// needs more tokens for fewer turns; "only as many as needed" supposes that it does not.
    ///
    /// # Errors
    ///
    /// [`FitError`]; nothing is dropped then.
    pub fn fit<E>(
        &mut self,
        budget: impl Into<Budget>,
        mut count: impl FnMut(&[Message]) -> Result<usize, E>,
    ) -> Result<Fitted, FitError<E>> {
        let limit = budget.into().prompt();
        let tokens = count(&self.messages).map_err(FitError::Count)?;
        if tokens <= limit {
            return Ok(Fitted { dropped: 0, tokens });
        }
        let starts = turns::starts(&self.messages);
        let droppable = starts.len().saturating_sub(1);
        if droppable == 0 {
            return Err(FitError::TooLong { tokens, limit });
        }
        let mut shortened = Shortened::new(&self.messages, &starts);
        let mut attempt = |dropped| shortened.without(dropped, &mut count).map_err(FitError::Count);
        let fitted = match self.when_full {
            WhenFull::Refuse => return Err(FitError::Full { tokens, limit }),
            WhenFull::Trim => fewest(droppable, limit, &mut attempt)?,
            WhenFull::Shift => halves(droppable, limit, &mut attempt)?,
        };
        self.messages = shortened.into_messages(fitted.dropped);
        self.dropped = self.dropped.saturating_add(u64::try_from(fitted.dropped).unwrap_or(u64::MAX));
        Ok(fitted)
    }
}

/// Doubles the number of dropped turns until the rest fits, as a chat that grows turn by turn needs to drop few; then
/// searches between the last two numbers.
fn fewest<E>(
    droppable: usize,
    limit: usize,
    attempt: &mut impl FnMut(usize) -> Result<usize, FitError<E>>,
) -> Result<Fitted, FitError<E>> {
    let mut too_few = 0;
    let mut dropped = 1;
    let mut tokens = attempt(dropped)?;
    while tokens > limit {
        if dropped == droppable {
            return Err(FitError::TooLong { tokens, limit });
        }
        too_few = dropped;
        dropped = droppable.min(dropped * 2);
        tokens = attempt(dropped)?;
    }
    while too_few + 1 < dropped {
        let middle = too_few.midpoint(dropped);
        let fewer = attempt(middle)?;
        if fewer > limit {
            too_few = middle;
        } else {
            (dropped, tokens) = (middle, fewer);
        }
    }
    Ok(Fitted { dropped, tokens })
}

/// Drops half of the turns, and half of the rest, until it fits.
fn halves<E>(
    droppable: usize,
    limit: usize,
    attempt: &mut impl FnMut(usize) -> Result<usize, FitError<E>>,
) -> Result<Fitted, FitError<E>> {
    let turns = droppable + 1;
    let mut dropped = 0;
    loop {
        dropped += (turns - dropped) / 2;
        let tokens = attempt(dropped)?;
        if tokens <= limit {
            return Ok(Fitted { dropped, tokens });
        }
        if dropped == droppable {
            return Err(FitError::TooLong { tokens, limit });
        }
    }
}

/// A copy of a conversation, of which the oldest turns can be left out without another copy.
struct Shortened<'a> {
    messages: Vec<Message>,
    starts: &'a [usize],
    instructions: usize,
}

impl<'a> Shortened<'a> {
    /// `starts` must be the turns of `messages`, at least one.
    fn new(messages: &[Message], starts: &'a [usize]) -> Self {
        Self { messages: messages.to_vec(), starts, instructions: turns::instructions(messages) }
    }

    /// Counts what is left without the oldest turns: the instructions are moved right before the rest for that time.
    fn without<E>(&mut self, dropped: usize, count: impl FnOnce(&[Message]) -> Result<usize, E>) -> Result<usize, E> {
        let rest = self.starts[dropped];
        self.messages[..rest].rotate_left(self.instructions);
        let counted = count(&self.messages[rest - self.instructions..]);
        self.messages[..rest].rotate_right(self.instructions);
        counted
    }

    fn into_messages(mut self, dropped: usize) -> Vec<Message> {
        self.messages.drain(self.instructions..self.starts[dropped]);
        self.messages
    }
}
