//! A bound for what a model thinks before it answers: [`ThinkingBudget`], and [`Watch`] over one answer.

use llama_core::Token;

/// Tokens that a thought may take beyond its budget to complete a character.
const SPARE: u32 = 3;

/// How long a model may think, and what to write when it has thought enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ThinkingBudget {
    /// Most tokens between the two.
    pub(crate) tokens: u32,
    /// What opens a thought.
    pub(crate) start: String,
    /// What closes it, one of these.
    pub(crate) ends: Vec<String>,
    /// The prompt has opened one already.
    pub(crate) open: bool,
    /// What is written when the budget is used up; it closes the thought.
    pub(crate) closing: Vec<Token>,
}

/// How far one answer is. The first thought counts; the model may go on as it likes when it is closed.
#[derive(Debug)]
pub(super) struct Watch {
    state: State,
    /// The last bytes, as many as the markers need.
    tail: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Before,
    Thinking { used: u32 },
    Closing { next: usize },
    After,
}

impl Watch {
    pub(super) fn new(budget: &ThinkingBudget) -> Self {
        let state = if budget.open { State::Thinking { used: 0 } } else { State::Before };
        let mut watch = Self { state, tail: Vec::new() };
        watch.limit(budget);
        watch
    }

    /// The token that has to come next, if the thought is to be closed.
    pub(super) fn forced(&self, budget: &ThinkingBudget) -> Option<Token> {
        match self.state {
            State::Closing { next } => budget.closing.get(next).copied(),
            _ => None,
        }
    }

    /// A token was written, these bytes of it, special tokens with their names.
    pub(super) fn note(&mut self, budget: &ThinkingBudget, bytes: &[u8]) {
        match self.state {
            State::After => {}
            State::Closing { next } if next + 1 < budget.closing.len() => {
                self.state = State::Closing { next: next + 1 }
            }
            State::Closing { .. } => self.state = State::After,
            State::Before => {
                self.tail.extend_from_slice(bytes);
                if let Some(at) = find(&self.tail, budget.start.as_bytes()) {
                    self.tail.drain(..at + budget.start.len());
                    self.state = State::Thinking { used: 0 };
                }
                self.limit(budget);
            }
            State::Thinking { used } => {
                self.tail.extend_from_slice(bytes);
                self.state = State::Thinking { used: used.saturating_add(1) };
                if budget.ends.iter().any(|end| find(&self.tail, end.as_bytes()).is_some()) {
                    self.state = State::After;
                }
                self.limit(budget);
            }
        }
    }

    /// Closes the thought if the budget is used up, and forgets what no marker can begin with.
    fn limit(&mut self, budget: &ThinkingBudget) {
        if let State::Thinking { used } = self.state
            && used >= budget.tokens
            && (is_whole(&self.tail) || used - budget.tokens >= SPARE)
        {
            self.state = State::Closing { next: 0 };
        }
        let longest = budget.ends.iter().chain([&budget.start]).map(String::len).max().unwrap_or(0).max(4);
        self.tail.drain(..self.tail.len().saturating_sub(longest));
    }
}

fn find(text: &[u8], marker: &[u8]) -> Option<usize> {
    if marker.is_empty() { None } else { text.windows(marker.len()).position(|part| part == marker) }
}

/// Whether no character is only begun at the end.
fn is_whole(text: &[u8]) -> bool {
    let begun = (1..=text.len().min(3)).map(|back| &text[text.len() - back..]);
    begun.into_iter().all(|end| {
        !std::str::from_utf8(end).is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(tokens: u32, open: bool) -> ThinkingBudget {
        ThinkingBudget {
            tokens,
            start: "<think>".to_owned(),
            ends: vec!["</think>".to_owned(), "<end>".to_owned()],
            open,
            closing: vec![Token(7), Token(8)],
        }
    }

    /// Writes these tokens, and whatever is forced in between, which is marked.
    fn written(budget: &ThinkingBudget, pieces: &[&[u8]]) -> String {
        let mut watch = Watch::new(budget);
        let mut text = String::new();
        let close = |watch: &mut Watch, text: &mut String| {
            while let Some(token) = watch.forced(budget) {
                text.push_str(&format!("[{token}]"));
                watch.note(budget, b"x");
            }
        };
        close(&mut watch, &mut text);
        for piece in pieces {
            text.push_str(&String::from_utf8_lossy(piece));
            watch.note(budget, piece);
            close(&mut watch, &mut text);
        }
        text
    }

    #[test]
    fn a_thought_is_closed_after_its_budget_and_only_the_first() {
        let pieces: &[&[u8]] = &[b"a", b"<thi", b"nk>b", b"c", b"d", b"<think>", b"e", b"f", b"g"];
        assert_eq!(written(&budget(2, false), pieces), "a<think>bcd[7][8]<think>efg");
        assert_eq!(written(&budget(0, false), pieces), "a<think>b[7][8]cd<think>efg");
    }

    #[test]
    fn one_that_the_prompt_has_opened_counts_from_the_start() {
        assert_eq!(written(&budget(2, true), &[b"a", b"b", b"c"]), "ab[7][8]c");
        assert_eq!(written(&budget(0, true), &[b"a"]), "[7][8]a");
    }

    #[test]
    fn one_that_ends_by_itself_is_left_alone() {
        for end in [&[b"</th".as_slice(), b"ink>"][..], &[b"x<end>y"]] {
            let pieces = [end, &[b"a", b"b", b"c", b"d"]].concat();
            assert_eq!(
                written(&budget(3, true), &pieces),
                pieces.concat().iter().map(|b| char::from(*b)).collect::<String>()
            );
        }
    }

    #[test]
    fn a_character_is_completed_first_but_nobody_waits_for_ever() {
        let pieces: &[&[u8]] = &["é".as_bytes().split_at(1).0, "é".as_bytes().split_at(1).1, b"a"];
        assert_eq!(written(&budget(1, true), pieces).matches("[7][8]").count(), 1);
        assert!(written(&budget(1, true), pieces).ends_with("[7][8]a"));
        let broken: &[&[u8]] = &[b"\xf0", b"", b"", b"", b"", b"a"];
        assert!(written(&budget(1, true), broken).ends_with("[7][8]a"));
    }

    #[test]
    fn without_a_thought_nothing_happens_however_long_it_takes() {
        let pieces: Vec<&[u8]> = vec![b"<th"; 1000];
        assert!(!written(&budget(0, false), &pieces).contains('['));
    }
}
