//! Text of a chat answer, taken apart as it comes: [`Answers`].

use std::collections::VecDeque;
use std::sync::Arc;

use llama_core::chat::{AssistantMessage, ChatDelta, ChatError, ChatParser, ChatStream};

use crate::event::{Choice, Delta, Event, FinishReason, Logprob, ToolCallDelta};

/// The choices of one request.
#[derive(Debug)]
pub(super) struct Answers(Vec<Answer>);

#[derive(Debug, Default)]
struct Answer {
    text: String,
    /// `None` for prompts that are no chat.
    stream: Option<(ChatParser, ChatStream)>,
    /// What was told of the message so far.
    message: AssistantMessage,
    malformed: Option<Arc<ChatError>>,
    /// Whether anything was told at all.
    told: bool,
    all_logprobs: Vec<Logprob>,
    /// Of text that told nothing yet.
    logprobs: Vec<Logprob>,
    ended: bool,
}

impl Answers {
    pub(super) fn new(choices: usize) -> Self {
        Self((0..choices).map(|_| Answer::default()).collect())
    }

    pub(super) fn parse_with(&mut self, parser: &ChatParser) {
        for answer in &mut self.0 {
            answer.stream = Some((parser.clone(), parser.stream()));
        }
    }

    pub(super) fn text(&mut self, choice: usize, text: String, logprobs: Vec<Logprob>, events: &mut VecDeque<Event>) {
        let Some(answer) = self.0.get_mut(choice) else { return };
        answer.text.push_str(&text);
        answer.all_logprobs.extend_from_slice(&logprobs);
        answer.logprobs.extend(logprobs);
        if answer.stream.is_none() {
            return answer.tell_text(choice, text, events);
        }
        answer.parse(choice, &text, events);
    }

    pub(super) fn end(&mut self, choice: usize, reason: &FinishReason, events: &mut VecDeque<Event>) {
        if let Some(answer) = self.0.get_mut(choice) {
            answer.end(choice, reason, events);
        }
    }

    /// Ends what has not ended, and puts the answers into their places.
    pub(super) fn finish(&mut self, choices: &mut [Choice], events: &mut VecDeque<Event>) {
        for (index, choice) in choices.iter_mut().enumerate() {
            if !choice.text.is_empty() || !choice.logprobs.is_empty() {
                let (text, logprobs) = (std::mem::take(&mut choice.text), std::mem::take(&mut choice.logprobs));
                self.text(index, text, logprobs, events);
            }
            let Some(answer) = self.0.get_mut(index) else { continue };
            answer.end(index, &choice.reason, events);
            choice.logprobs = std::mem::take(&mut answer.all_logprobs);
            choice.text = std::mem::take(&mut answer.text);
            choice.message = std::mem::take(&mut answer.message);
            choice.malformed = answer.malformed.take();
        }
    }
}

impl Answer {
    fn tell_text(&mut self, choice: usize, text: String, events: &mut VecDeque<Event>) {
        self.told = true;
        let logprobs = std::mem::take(&mut self.logprobs);
        self.message.content.push_str(&text);
        events.push_back(Event::Text(Delta { choice, text, logprobs }));
    }

    fn parse(&mut self, choice: usize, text: &str, events: &mut VecDeque<Event>) {
        if self.malformed.is_some() {
            return;
        }
        let Some((_, stream)) = &mut self.stream else { return };
        match stream.push(text) {
            Ok(deltas) => self.tell(choice, deltas, events),
            Err(error) => self.malformed = Some(Arc::new(error)),
        }
    }

    fn tell(&mut self, choice: usize, deltas: Vec<ChatDelta>, events: &mut VecDeque<Event>) {
        for delta in deltas {
            self.told = true;
            match delta {
                ChatDelta::Content(text) => self.tell_text(choice, text, events),
                ChatDelta::Reasoning(text) => {
                    let logprobs = std::mem::take(&mut self.logprobs);
                    self.message.reasoning.push_str(&text);
                    events.push_back(Event::Reasoning(Delta { choice, text, logprobs }));
                }
                ChatDelta::ToolCall { index, id, name, arguments } => {
                    events.push_back(Event::ToolCall(ToolCallDelta { choice, index, id, name, arguments }));
                }
                // A kind of part added later is still in the message and in the text.
                _ => {}
            }
        }
    }

    fn end(&mut self, choice: usize, reason: &FinishReason, events: &mut VecDeque<Event>) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        if let Some((parser, mut stream)) = self.stream.take() {
            // An answer that was cut short is no mistake of the model.
            let whole = matches!(reason, FinishReason::EndOfAnswer | FinishReason::StopString(_));
            if self.malformed.is_some() {
                // Told already; the message stays what it was.
            } else if whole {
                match stream.finish() {
                    Ok((deltas, message)) => {
                        self.tell(choice, deltas, events);
                        self.message = message;
                    }
                    Err(error) => self.malformed = Some(Arc::new(error)),
                }
            } else if let Ok(message) = parser.parse_partial(&self.text) {
                self.tell_rest(choice, &message, events);
                self.message = message;
            }
            if self.malformed.is_some() && !self.told && !self.text.is_empty() {
                self.tell_text(choice, self.text.clone(), events);
            }
        }
        if !self.logprobs.is_empty() {
            let logprobs = std::mem::take(&mut self.logprobs);
            events.push_back(Event::Text(Delta { choice, text: String::new(), logprobs }));
        }
    }

    /// What a long text has that was not looked at since the last piece.
    fn tell_rest(&mut self, choice: usize, message: &AssistantMessage, events: &mut VecDeque<Event>) {
        let rest = |now: &str, told: &str| now.strip_prefix(told).unwrap_or_default().to_owned();
        let reasoning = rest(&message.reasoning, &self.message.reasoning);
        let content = rest(&message.content, &self.message.content);
        let mut deltas = Vec::new();
        if !reasoning.is_empty() {
            deltas.push(ChatDelta::Reasoning(reasoning));
        }
        if !content.is_empty() {
            deltas.push(ChatDelta::Content(content));
        }
        self.tell(choice, deltas, events);
    }
}
