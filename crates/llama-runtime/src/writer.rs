//! From the tokens of one choice to its text, and to why it ends: [`Writer`].
//!
//! Pure: bytes become whole characters, stop strings are held back and cut off, lengths are counted. It knows nothing of
//! streams, and the vocabulary only as the bytes that come with each token.

use llama_core::TokenLogprob;
use llama_core::stop::{StopScanner, StopSet};
use llama_core::text::Utf8Stream;

use crate::event::{FinishReason, Logprob};
use crate::executor::{Sampled, TokenLogprobs};

/// What one token adds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Written {
    pub(crate) text: String,
    pub(crate) logprobs: Vec<Logprob>,
    /// Why the choice ends with this token, if it does.
    pub(crate) end: Option<FinishReason>,
}

impl Written {
    /// Whether there is something to tell.
    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty() && self.logprobs.is_empty()
    }
}

/// Most tokens of a choice, and what it is called when they are there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    pub(crate) tokens: usize,
    /// Whether the request set the limit; otherwise the sequence is as long as can be.
    pub(crate) asked_for: bool,
}

/// Turns the tokens of one choice into text.
#[derive(Debug)]
pub(crate) struct Writer {
    characters: Utf8Stream,
    stops: StopScanner,
    room: Room,
    generated: usize,
    /// Of tokens whose text is held back.
    logprobs: Vec<Logprob>,
    whole: String,
}

impl Writer {
    pub(crate) fn new(stops: &StopSet, room: Room) -> Self {
        Self {
            characters: Utf8Stream::new(),
            stops: stops.scanner(),
            room,
            generated: 0,
            logprobs: Vec::new(),
            whole: String::new(),
        }
    }

    /// Takes the next token.
    pub(crate) fn push(&mut self, sampled: &Sampled) -> Written {
        self.generated += 1;
        let mut written = Written::default();
        if sampled.ends {
            written.end = Some(FinishReason::EndOfAnswer);
            self.flush(&mut written);
            return written;
        }
        if let Some(logprobs) = &sampled.logprobs {
            self.logprobs.push(logprob(sampled.token, &sampled.bytes, logprobs));
        }
        self.whole.clear();
        self.characters.push(&sampled.bytes, &mut self.whole);
        if let Some(index) = self.stops.push(&self.whole, &mut written.text) {
            let stop = self.stops.set().get(index).unwrap_or_default().to_owned();
            written.end = Some(FinishReason::StopString(stop));
        } else if sampled.complete {
            written.end = Some(FinishReason::EndOfAnswer);
            self.flush(&mut written);
        } else if self.generated >= self.room.tokens {
            written.end = Some(if self.room.asked_for { FinishReason::Length } else { FinishReason::ContextFull });
            self.flush(&mut written);
        }
        if !written.text.is_empty() || written.end.is_some() {
            // Those that `flush` took come first, and then there are no others.
            written.logprobs.append(&mut self.logprobs);
        }
        written
    }

    /// What is held back, for the case that the choice ends now for a reason from outside.
    pub(crate) fn held(&self) -> Written {
        // A character that is not whole is no text yet.
        Written { text: self.stops.held().to_owned(), logprobs: self.logprobs.clone(), end: None }
    }

    fn flush(&mut self, written: &mut Written) {
        self.whole.clear();
        self.characters.finish(&mut self.whole);
        // The replacement character of an incomplete one can complete no stop string that text could not.
        self.stops.push(&self.whole, &mut written.text);
        self.stops.finish(&mut written.text);
        written.logprobs = std::mem::take(&mut self.logprobs);
    }
}

fn logprob(token: llama_core::Token, bytes: &[u8], logprobs: &TokenLogprobs) -> Logprob {
    let alone = |one: &TokenLogprob, bytes: &[u8]| Logprob {
        token: one.token,
        bytes: bytes.to_vec(),
        logprob: one.logprob,
        top: Vec::new(),
    };
    let top = logprobs.top.iter().map(|(one, bytes)| alone(one, bytes)).collect();
    let chosen = logprobs.chosen.map_or(f32::NEG_INFINITY, |one| one.logprob);
    Logprob { token, bytes: bytes.to_vec(), logprob: chosen, top }
}

#[cfg(test)]
mod tests {
    use super::*;
    use llama_core::Token;

    const PLENTY: Room = Room { tokens: 100, asked_for: true };

    fn writer(stops: &[&str], room: Room) -> Writer {
        Writer::new(&StopSet::new(stops.iter().copied()).unwrap(), room)
    }

    fn token(bytes: &[u8]) -> Sampled {
        Sampled { token: Token(7), bytes: bytes.to_vec(), ends: false, complete: false, logprobs: None }
    }

    #[test]
    fn characters_come_whole_and_an_unfinished_one_comes_at_the_end() {
        let mut writer = writer(&[], PLENTY);
        let bytes = "é".as_bytes();
        assert_eq!(writer.push(&token(&bytes[..1])).text, "");
        assert_eq!(writer.push(&token(&bytes[1..])).text, "é");
        assert_eq!(writer.push(&token(&bytes[..1])).text, "");
        assert_eq!(writer.held().text, "", "nobody knows which it would have been");
        let mut last = token(b"");
        last.ends = true;
        assert_eq!(writer.push(&last).text, "\u{fffd}");
    }

    #[test]
    fn what_could_begin_a_stop_string_waits_and_the_stop_string_is_cut_off() {
        let mut writer = writer(&["END"], PLENTY);
        assert_eq!(writer.push(&token(b"a E")).text, "a ");
        assert_eq!(writer.push(&token(b"N")).text, "");
        let last = writer.push(&token(b"D and more"));
        assert_eq!(last.text, "");
        assert!(matches!(last.end, Some(FinishReason::StopString(stop)) if stop == "END"));
    }

    #[test]
    fn a_choice_that_is_cut_short_gives_out_what_was_held_back() {
        let mut writer = writer(&["END"], PLENTY);
        writer.push(&token(b"a EN"));
        assert_eq!(writer.held().text, "EN");
    }

    #[test]
    fn the_end_token_counts_and_writes_nothing() {
        let mut writer = writer(&[], PLENTY);
        writer.push(&token(b"a"));
        let mut end = token(b"</s>");
        end.ends = true;
        let last = writer.push(&end);
        assert_eq!((last.text.as_str(), writer.generated), ("", 2));
        assert!(matches!(last.end, Some(FinishReason::EndOfAnswer)));
    }

    #[test]
    fn a_complete_grammar_is_an_ordinary_end() {
        let mut writer = writer(&[], PLENTY);
        let mut last = token(b"}");
        last.complete = true;
        let last = writer.push(&last);
        assert_eq!(last.text, "}");
        assert!(matches!(last.end, Some(FinishReason::EndOfAnswer)));
    }

    #[test]
    fn the_limit_is_called_length_only_if_it_was_asked_for() {
        for asked_for in [true, false] {
            let mut writer = writer(&[], Room { tokens: 2, asked_for });
            assert!(writer.push(&token(b"a")).end.is_none());
            let end = writer.push(&token(b"b")).end;
            assert_eq!(asked_for, matches!(end, Some(FinishReason::Length)));
            assert_eq!(!asked_for, matches!(end, Some(FinishReason::ContextFull)));
        }
    }

    #[test]
    fn the_last_token_tells_its_log_probability_too() {
        let mut writer = writer(&[], Room { tokens: 1, asked_for: true });
        let mut last = token(b"E");
        last.logprobs = Some(TokenLogprobs { chosen: None, top: Vec::new() });
        assert_eq!(writer.push(&last).logprobs.len(), 1);
    }

    #[test]
    fn log_probabilities_come_with_the_text_they_were_held_back_with() {
        let mut writer = writer(&["END"], PLENTY);
        let mut first = token(b"E");
        let chosen = TokenLogprob { token: Token(7), logprob: -0.5 };
        first.logprobs = Some(TokenLogprobs { chosen: Some(chosen), top: vec![(chosen, b"E".to_vec())] });
        assert!(writer.push(&first).is_empty());
        let next = writer.push(&token(b"x"));
        assert_eq!(next.text, "Ex");
        assert_eq!((next.logprobs.len(), next.logprobs[0].logprob, next.logprobs[0].top.len()), (1, -0.5, 1));
    }
}
