//! What the engine tells the reader of a request that was admitted: [`Live`].

use std::time::Instant;

use llama_core::Token;

use crate::event::FinishReason;
use crate::executor::Sampled;
use crate::plan::SeqKey;
use crate::scheduler::Outcome;
use crate::ticket::{Open, Part, Record, Sender};
use crate::writer::{Writer, Written};

/// A request that was admitted.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) open: Open,
    pub(super) sender: Sender,
    pub(super) kind: Kind,
    /// Since when its reader leaves no room.
    pub(super) full_since: Option<Instant>,
}

#[derive(Debug)]
pub(super) enum Kind {
    Generate(Vec<Option<Writer>>),
    Embed { normalize: bool },
}

impl Live {
    /// One more token of a choice.
    pub(super) fn token(&mut self, seq: SeqKey, sampled: &Sampled, now: Instant) -> Outcome {
        let token: Token = sampled.token;
        let choice = seq.choice as usize;
        let Kind::Generate(writers) = &mut self.kind else { return Outcome::Ended };
        let Some(place) = writers.get_mut(choice) else { return Outcome::Ended };
        let Some(writer) = place else { return Outcome::Ended };
        let mut written = writer.push(sampled);
        let end = written.end.take();
        let held = if end.is_some() { Written::default() } else { writer.held() };
        if end.is_some() {
            *place = None;
        }
        let others = writers.iter().any(Option::is_some);
        let mut first = false;
        let note = |record: &mut Record| {
            record.usage.generated += 1;
            first = record.first_token.replace(record.first_token.unwrap_or(now)).is_none();
            if let Some(slot) = record.choices.get_mut(choice) {
                slot.end.clone_from(&end);
                slot.held = held;
            }
        };
        self.push(choice, written, end.as_ref().filter(|_| others), note);
        if first {
            self.open.ticket.note("first token");
        }
        match end {
            None => Outcome::Next(token),
            Some(_) if others => Outcome::Ended,
            Some(reason) => {
                let first = self.open.ticket.record().choices.first().and_then(|choice| choice.end.clone());
                self.open.end(first.unwrap_or(reason));
                Outcome::Ended
            }
        }
    }

    /// Hands out a token and notes it, both or, if somebody has just ended the request, neither: the text that is still held
    /// back goes out with the end, and belongs behind what was told.
    fn push(&self, choice: usize, written: Written, end: Option<&FinishReason>, note: impl FnOnce(&mut Record)) {
        let text = (!written.is_empty()).then(|| Part::Text { choice, text: written.text, logprobs: written.logprobs });
        let end = end.map(|reason| Part::ChoiceFinished { choice, reason: reason.clone() });
        let noted = std::iter::once_with(|| {
            note(&mut self.open.ticket.record());
            None
        });
        // Whether there is room for more is asked when the next step is planned.
        let _ = self.sender.push(noted.chain([text, end]).flatten());
    }

    /// One more embedding. The last one is followed by the end.
    pub(super) fn embedding(&self, input: u32, mut vector: Vec<f32>) {
        let Kind::Embed { normalize } = self.kind else { return };
        if normalize {
            scale_to_unit(&mut vector);
        }
        let _ = self.sender.push([Part::Embedding { input: input as usize, vector }]);
    }
}

/// Scales a vector to a length of 1, unless it has none.
fn scale_to_unit(vector: &mut [f32]) {
    let length = vector.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
    if length > 0.0 && length.is_finite() {
        for value in vector {
            #[expect(clippy::cast_possible_truncation, reason = "a quotient of at most 1 in magnitude")]
            let scaled = (f64::from(*value) / length) as f32;
            *value = scaled;
        }
    }
}
