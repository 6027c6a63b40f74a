//! An answer while it is written: [`EventStream`] and [`TextStream`].

use super::{GenerateOptions, Overflow, Prompt, Session, SessionError};
use crate::ids::Token;
use crate::stop::StopScanner;
use crate::text::Utf8Stream;
use crate::vocab::{AddSpecial, Specials};

/// What happens while an answer is written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// More text: whole characters, at least one, free of stop strings.
    Text(String),
    /// The answer has ended. Always the last event.
    Finished(Finished),
}

/// How an answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finished {
    /// Why.
    pub reason: FinishReason,
    /// What it cost.
    pub usage: Usage,
}

/// Why an answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FinishReason {
    /// The model ended it, with this token.
    EndOfGeneration(Token),
    /// This stop string was written.
    StopString(String),
    /// [`GenerateOptions::max_tokens`] was reached.
    Length,
    /// The context is full, see [`Overflow::Stop`].
    ContextFull,
    /// [`CancelHandle::cancel`](super::CancelHandle::cancel) was called.
    Cancelled,
}

/// What an answer cost, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt: usize,
    /// Those of them that were in the KV cache already.
    pub reused: usize,
    /// Tokens of the answer, with the one that ended it.
    pub generated: usize,
}

/// The events of an answer. Dropping it early keeps what was said so far.
#[derive(Debug)]
pub struct EventStream<'s> {
    session: &'s mut Session,
    options: GenerateOptions,
    utf8: Utf8Stream,
    scanner: StopScanner,
    usage: Usage,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Running,
    /// Ended; the event that says so is due.
    Ending(FinishReason),
    Done,
}

impl Session {
    /// Answers a prompt, event by event. The prompt is computed before this returns.
    ///
    /// # Errors
    ///
    /// [`SessionError`]. A cancel while the prompt is computed is no error: the stream then has one event, that it was
    /// cancelled.
    pub fn stream<'p>(
        &mut self,
        prompt: impl Into<Prompt<'p>>,
        options: GenerateOptions,
    ) -> Result<EventStream<'_>, SessionError> {
        self.ctx.clear_abort();
        self.reconcile()?;
        self.begin_turn();
        let (usage, state) = match self.take_in(prompt.into()) {
            Err(SessionError::Cancelled) => {
                self.resume(options.on_cancel)?;
                (Usage::default(), State::Ending(FinishReason::Cancelled))
            }
            usage => (usage?, State::Running),
        };
        let scanner = options.stop.scanner();
        Ok(EventStream { session: self, options, utf8: Utf8Stream::new(), scanner, usage, state })
    }

    /// Answers a prompt with default options, as an iterator over pieces of text.
    ///
    /// `session.generate(prompt)?.collect::<Result<String, _>>()?` is the whole answer.
    ///
    /// # Errors
    ///
    /// As [`Session::stream`].
    pub fn generate<'p>(&mut self, prompt: impl Into<Prompt<'p>>) -> Result<TextStream<'_>, SessionError> {
        Ok(self.stream(prompt, GenerateOptions::default())?.into_text())
    }

    /// Computes a prompt and prepares the sampler for its answer.
    fn take_in(&mut self, prompt: Prompt<'_>) -> Result<Usage, SessionError> {
        let turn_start = self.turn_start;
        let mut usage = Usage::default();
        let vocab_tokens;
        let (tokens, whole) = match prompt {
            Prompt::Text(text) => {
                vocab_tokens = self.tokenize(text)?;
                (&vocab_tokens[..], false)
            }
            Prompt::WholeText(text) => {
                let vocab = self.model().vocab();
                vocab_tokens = vocab.tokenize_with(text, Specials::Parse, AddSpecial::AsModelWants)?;
                (&vocab_tokens[..], true)
            }
            Prompt::Tokens(tokens) => (tokens, false),
            Prompt::Whole(tokens) => (tokens, true),
        };
        usage.prompt = tokens.len();
        if whole {
            usage.reused = self.prefill(tokens)?.reused;
        } else {
            // A grammar starts anew with each answer.
            self.restart_sampler()?;
            self.turn_start = turn_start;
            self.ingest(tokens)?;
        }
        if self.tokens.is_empty() {
            return Err(SessionError::Empty);
        }
        Ok(usage)
    }
}

impl<'s> EventStream<'s> {
    /// Only the text of the events.
    pub fn into_text(self) -> TextStream<'s> {
        TextStream(self)
    }

    /// What the answer cost so far.
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// Steps until there is something to tell.
    fn advance(&mut self) -> Result<Event, SessionError> {
        loop {
            let mut text = String::new();
            let end = self.step(&mut text)?;
            let ended = end.is_some();
            if let Some(reason) = end {
                self.flush(&reason, &mut text);
                self.state = State::Ending(reason);
            }
            if !text.is_empty() {
                return Ok(Event::Text(text));
            }
            if ended {
                return self.finish();
            }
        }
    }

    /// One token. Text that can be shown is added to `text`.
    fn step(&mut self, text: &mut String) -> Result<Option<FinishReason>, SessionError> {
        if self.options.max_tokens.is_some_and(|max| self.usage.generated >= max) {
            return Ok(Some(FinishReason::Length));
        }
        let token = match self.session.decode_one() {
            Ok(token) => token,
            Err(SessionError::Cancelled) => {
                self.session.resume(self.options.on_cancel)?;
                return Ok(Some(FinishReason::Cancelled));
            }
            Err(SessionError::ContextFull { .. }) if self.session.overflow != Overflow::Error => {
                return Ok(Some(FinishReason::ContextFull));
            }
            Err(error) => return Err(error),
        };
        self.usage.generated += 1;
        let vocab = self.session.ctx.model().vocab();
        if vocab.is_eog(token) {
            return Ok(Some(FinishReason::EndOfGeneration(token)));
        }
        let mut piece = String::new();
        self.utf8.push(&vocab.piece(token, self.options.specials)?, &mut piece);
        Ok(self.scanner.push(&piece, text).map(|index| self.stop_string(index)))
    }

    /// Delivers what was held back, unless a stop string ended the answer.
    fn flush(&mut self, reason: &FinishReason, text: &mut String) {
        if matches!(reason, FinishReason::StopString(_)) {
            return;
        }
        let mut piece = String::new();
        self.utf8.finish(&mut piece);
        if self.scanner.push(&piece, text).is_none() {
            self.scanner.finish(text);
        }
    }

    fn stop_string(&self, index: usize) -> FinishReason {
        FinishReason::StopString(self.options.stop.get(index).unwrap_or_default().to_owned())
    }

    fn finish(&mut self) -> Result<Event, SessionError> {
        match std::mem::replace(&mut self.state, State::Done) {
            State::Ending(reason) => Ok(Event::Finished(Finished { reason, usage: self.usage })),
            // `advance` is only called while running, and sets `Ending` before it comes here.
            State::Running | State::Done => Err(SessionError::Empty),
        }
    }
}

impl Iterator for EventStream<'_> {
    type Item = Result<Event, SessionError>;

    fn next(&mut self) -> Option<Self::Item> {
        let result = match self.state {
            State::Done => return None,
            State::Ending(_) => self.finish(),
            State::Running => self.advance(),
        };
        if result.is_err() {
            self.state = State::Done;
        }
        Some(result)
    }
}

/// The text of an answer, piece by piece. Dropping it early keeps what was said so far.
#[derive(Debug)]
pub struct TextStream<'s>(EventStream<'s>);

impl Iterator for TextStream<'_> {
    type Item = Result<String, SessionError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.0.next()? {
                Ok(Event::Text(text)) => return Some(Ok(text)),
                Ok(Event::Finished(_)) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
