//! A turn: a message, its answer, and what is left of both if something goes wrong.

use anyhow::anyhow;
use llama_runtime::{
    AssistantMessage, Budget, Choice, Conversation, FinishReason, Finished, FitError, Message, Rejected,
};

use super::Chat;
use crate::answer::{self, Screen};
use crate::{exit, interrupt, start, ui};

/// How an answer ended that is part of the conversation.
enum Ending {
    /// By itself, or at a limit.
    Whole,
    /// Ctrl+C stopped it.
    Interrupted,
}

impl Chat {
    /// Has a message answered, with the files that wait for it.
    pub(super) fn say(&mut self, typed: &str) -> anyhow::Result<()> {
        // First, so that Ctrl+C while it is loaded loses nothing that was said.
        self.engine.wait(&self.interrupts)?;
        let (before, staged) = (self.conversation.clone(), self.staged.clone());
        if let Some(transcript) = &mut self.transcript {
            staged.names().try_for_each(|name| transcript.added(name))?;
            transcript.user(typed)?;
        }
        let message = self.staged.take_with(typed);
        self.conversation.user(message);
        let answered = self.answer(before);
        if !matches!(answered, Ok(true)) {
            self.staged = staged;
        }
        answered.map(drop)
    }

    /// Answers the last message again.
    pub(super) fn regenerate(&mut self) -> anyhow::Result<()> {
        self.engine.wait(&self.interrupts)?;
        let before = self.conversation.clone();
        if !self.conversation.reopen() {
            ui::note("There is no message to answer again.");
            return Ok(());
        }
        self.regenerated = self.regenerated.wrapping_add(1);
        if let Some(transcript) = &mut self.transcript {
            transcript.note("the last answer is taken back, and given again")?;
        }
        self.answer(before).map(drop)
    }

    /// Has the conversation answered; `before` is what it is again if that fails. Returns whether there is an answer.
    fn answer(&mut self, before: Conversation) -> anyhow::Result<bool> {
        let answered = self.answered();
        let pressed = self.interrupts.idle(0);
        match answered {
            // It came when there was nothing left to stop. A person sees the prompt; a script would wait without end.
            Ok(Ending::Whole) if pressed && !self.interactive => interrupt::leave(0),
            Ok(_) => Ok(true),
            // A message that was refused, or that could not be answered, is not part of the conversation.
            Err(error) => {
                self.conversation = before;
                if let Some(transcript) = &mut self.transcript {
                    transcript.note(&format!("no answer, and the message was taken back: {error:#}"))?;
                }
                self.failed(error).map(|()| false)
            }
        }
    }

    fn answered(&mut self) -> anyhow::Result<Ending> {
        let info = self.engine.info().cloned().ok_or_else(|| anyhow!("the model is not loaded"))?;
        let capacity = info.sequence_limit;
        // A long conversation takes a while to prepare, and can be stopped there too.
        self.interrupts.telling(|presses| {
            if presses > 1 {
                interrupt::leave(exit::INTERRUPTED)
            }
        });
        self.make_room(capacity)?;
        let prompt = self.effective.chat_request(self.conversation.messages().iter().cloned());
        let mut request = self.effective.request(prompt, &info);
        let mut sampling = self.changes.apply(&self.effective.sampling(&info))?;
        sampling.seed = self.seed(sampling.seed);
        request.sampling = Some(sampling);
        let generation = self.engine.runtime().submit(request);
        let generation = generation.map_err(|rejected| self.effective.refused(rejected))?.blocking();
        self.interrupts.answering(generation.cancel_handle());
        let mut screen = if self.effective.settings.chat.markdown { Screen::markdown() } else { Screen::plain() };
        if self.options.simple {
            screen = screen.colourless();
        }
        let finished = screen.show(generation)?;
        let said = finished.choices.first().is_some_and(|choice| !choice.text.is_empty());
        // What failed before its first word has no line to end.
        if said || !matches!(finished.reason, FinishReason::Error(_)) {
            screen.end_line()?;
        }
        self.finished(finished, capacity)
    }

    /// Forgets the oldest turns if prompt and answer would not fit. What is said now may leave little room for the answer.
    fn make_room(&mut self, capacity: usize) -> anyhow::Result<()> {
        let most = self.effective.settings.answer.max_tokens.unwrap_or(usize::MAX);
        let forgotten = match self.fit(capacity, most.clamp(1, (capacity / 4).max(1))) {
            Err(FitError::TooLong { .. }) => self.fit(capacity, 1),
            fitted => fitted,
        };
        match forgotten {
            Ok(0) => {}
            Ok(turns) => ui::note(&format!(
                "[ The context of {capacity} tokens is full: forgot the oldest {turns} turn(s). -c N makes it larger. ]"
            )),
            Err(FitError::TooLong { tokens, .. }) => {
                return Err(anyhow!(
                    "the message has {tokens} tokens with its instructions, and the context has {capacity}; send less, or \
                     start with a larger context (-c N). The conversation is as it was"
                ));
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Returns how many turns were forgotten.
    fn fit(&mut self, capacity: usize, reserve: usize) -> Result<usize, FitError<Rejected>> {
        let (runtime, effective) = (self.engine.runtime(), &self.effective);
        let count = |messages: &[Message]| {
            // A model that has to be loaded again checks for itself.
            let tokens = runtime.count_tokens(None, effective.chat_request(messages.iter().cloned()).into())?;
            Ok(tokens.unwrap_or_default())
        };
        let fitted = self.conversation.fit(Budget::new(capacity).reserve(reserve), count)?;
        Ok(fitted.dropped)
    }

    fn finished(&mut self, mut finished: Finished, capacity: usize) -> anyhow::Result<Ending> {
        let said = finished.choices.first().is_some_and(|choice| !choice.text.is_empty());
        if let FinishReason::Error(error) = finished.reason {
            if said {
                ui::note("[ The answer failed, and is not part of the conversation. ]");
            }
            return Err(error.into());
        }
        if let Some(remark) = answer::remark(&finished, capacity) {
            ui::note(&remark);
        }
        // An answer that was stopped before its beginning is an empty one.
        let message = finished.choices.drain(..).next().map(message).unwrap_or_default();
        if let Some(transcript) = &mut self.transcript {
            transcript.assistant(&message)?;
        }
        self.conversation.answer(message);
        self.last = Some((finished.usage, finished.timings));
        let ending = match finished.reason {
            FinishReason::Cancelled => {
                ui::note("[ interrupted ]");
                if let Some(transcript) = &mut self.transcript {
                    transcript.note("interrupted")?;
                }
                Ending::Interrupted
            }
            reason => {
                answer::completed(reason).or_else(|error| self.failed(error))?;
                Ending::Whole
            }
        };
        // A person sees them, if nobody said otherwise.
        if self.effective.settings.chat.show_timings.unwrap_or_else(ui::stderr_is_terminal) {
            ui::note(&start::speeds(&finished.usage, &finished.timings, 1));
        }
        self.keep();
        Ok(ending)
    }
}

/// What the model said, as far as it can be told from what it thought.
fn message(choice: Choice) -> AssistantMessage {
    let mut message = choice.message;
    if choice.malformed.is_some() {
        message.content = choice.text;
    }
    message
}
