//! Where a text is in a grammar, token by token: which tokens may follow, and whether it may end.
//!
//! The place changes only by [`Matcher::accept`], and not when that fails. A lazy grammar waits: until its trigger every
//! token may follow.

use std::sync::Arc;

use regex::bytes::Regex;

use super::machine::{DEAD, Machine, State, TooAmbiguous};
use super::pieces::{Partial, Pieces, decode};
use super::rules::Rules;

/// Text kept to look for a trigger in. A trigger that starts further back is not found.
const MAX_WAITING: usize = 16 << 10;

/// Why a token was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    NotAllowed,
    TooAmbiguous,
}

impl From<TooAmbiguous> for Refusal {
    fn from(TooAmbiguous: TooAmbiguous) -> Self {
        Self::TooAmbiguous
    }
}

#[derive(Debug, Clone)]
pub(super) struct Matcher {
    pieces: Arc<Pieces>,
    machine: Machine,
    state: State,
    partial: Partial,
    triggers: Option<Arc<Triggers>>,
    waiting: Option<Waiting>,
    mask: Vec<u32>,
}

/// What starts a lazy grammar.
#[derive(Debug)]
pub(super) struct Triggers {
    pub(super) patterns: Vec<Pattern>,
    pub(super) tokens: Vec<usize>,
}

#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) anywhere: Regex,
    /// The same for a pattern written `^...$`: upstream tries such a pattern on all text first.
    pub(super) whole: Option<Regex>,
}

/// What was said before the trigger.
#[derive(Debug, Clone, Default)]
struct Waiting {
    text: Vec<u8>,
    /// Tokens and where their text starts.
    tokens: Vec<(usize, usize)>,
    /// The start of the text is gone; the one byte left before it keeps `^` from matching there.
    cut: bool,
}

impl Matcher {
    pub(super) fn new(
        rules: Arc<Rules>,
        pieces: Arc<Pieces>,
        triggers: Option<Arc<Triggers>>,
    ) -> Result<Self, TooAmbiguous> {
        let mut machine = Machine::new(rules);
        let state = machine.start()?;
        let waiting = triggers.as_ref().map(|_| Waiting::default());
        let mask = Vec::with_capacity(pieces.len().div_ceil(32));
        Ok(Self { pieces, machine, state, partial: Partial::default(), triggers, waiting, mask })
    }

    pub(super) fn reset(&mut self) -> Result<(), TooAmbiguous> {
        self.machine.begin(DEAD);
        self.state = self.machine.start()?;
        self.partial = Partial::default();
        self.waiting = self.triggers.as_ref().map(|_| Waiting::default());
        Ok(())
    }

    /// Whether every token may follow because the trigger has not come yet.
    pub(super) fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    pub(super) fn may_end(&self) -> bool {
        self.is_waiting() || self.machine.may_end(self.state)
    }

    pub(super) fn must_end(&self) -> bool {
        !self.is_waiting() && self.machine.must_end(self.state)
    }

    /// Whether `token` may follow. `token` is one of the vocabulary.
    pub(super) fn allows(&mut self, token: usize) -> Result<bool, TooAmbiguous> {
        if self.is_waiting() {
            return Ok(true);
        }
        if self.pieces.ends(token) {
            return Ok(self.machine.may_end(self.state));
        }
        self.state = self.machine.begin(self.state);
        let pieces = Arc::clone(&self.pieces);
        let place = (self.state, self.partial);
        Ok(self.after(place, token, pieces.piece(token))?.is_some())
    }

    /// Takes note that `token` follows. Nothing changes on an error. `token` is one of the vocabulary.
    pub(super) fn accept(&mut self, token: usize) -> Result<(), Refusal> {
        self.state = self.machine.begin(self.state);
        if let Some(triggers) = self.triggers.as_ref().filter(|_| self.waiting.is_some()).map(Arc::clone) {
            return self.accept_waiting(&triggers, token);
        }
        if self.pieces.ends(token) {
            return if self.machine.may_end(self.state) { Ok(()) } else { Err(Refusal::NotAllowed) };
        }
        let pieces = Arc::clone(&self.pieces);
        let place = (self.state, self.partial);
        let next = self.after(place, token, pieces.piece(token))?;
        (self.state, self.partial) = next.ok_or(Refusal::NotAllowed)?;
        Ok(())
    }

    /// One bit per token that may follow; `None` if there is no such token.
    pub(super) fn mask(&mut self) -> Result<Option<&[u32]>, TooAmbiguous> {
        self.state = self.machine.begin(self.state);
        let pieces = Arc::clone(&self.pieces);
        let mut mask = std::mem::take(&mut self.mask);
        mask.clear();
        mask.resize(pieces.len().div_ceil(32), 0);
        let filled = if self.partial.missing > 0 {
            self.fill_each(&pieces, &mut mask)
        } else {
            self.fill_sorted(&pieces, &mut mask)
        };
        if self.machine.may_end(self.state) {
            (0..pieces.len()).filter(|token| pieces.ends(*token)).for_each(|token| set(&mut mask, token));
        }
        self.mask = mask;
        filled?;
        Ok(self.mask.iter().any(|word| *word != 0).then_some(&self.mask))
    }

    fn fill_each(&mut self, pieces: &Pieces, mask: &mut [u32]) -> Result<(), TooAmbiguous> {
        let place = (self.state, self.partial);
        for token in (0..pieces.len()).filter(|token| !pieces.ends(*token)) {
            if self.after(place, token, pieces.piece(token))?.is_some() {
                set(mask, token);
            }
        }
        Ok(())
    }

    fn fill_sorted(&mut self, pieces: &Pieces, mask: &mut [u32]) -> Result<(), TooAmbiguous> {
        let order = pieces.order();
        // The states after each code point of the token before, as far as they were not dead.
        let mut path = vec![self.state];
        for token in &order.tokens {
            if token.shared >= path.len() {
                // It begins with what the one before died of.
                continue;
            }
            path.truncate(token.shared + 1);
            let code_points = order.code_points(token);
            for code_point in &code_points[token.shared..] {
                let state = self.machine.step(path[path.len() - 1], *code_point)?;
                if state == DEAD {
                    break;
                }
                path.push(state);
            }
            if path.len() == code_points.len() + 1 && self.may_pause(path[path.len() - 1], token.tail) {
                set(mask, token.id as usize);
            }
        }
        let named: Vec<(u32, bool)> = self.machine.tokens(self.state).collect();
        for (id, negated) in named {
            let tokens = order.tokens.iter().filter(|token| token.len() > 0 && (token.id == id) != negated);
            tokens.for_each(|token| set(mask, token.id as usize));
        }
        Ok(())
    }

    /// Whether a text may stop at `state` in the middle of `tail`.
    fn may_pause(&self, state: State, tail: Partial) -> bool {
        tail.missing == 0 || tail.range().is_some_and(|(low, high)| self.machine.any_meets(state, low, high))
    }

    /// The place after `piece`, the text of `token` or the end of it; `None` if it may not follow.
    fn after(
        &mut self,
        (state, partial): (State, Partial),
        token: usize,
        piece: &[u8],
    ) -> Result<Option<(State, Partial)>, TooAmbiguous> {
        let mut code_points = Vec::new();
        if piece.is_empty() {
            return Ok(None);
        }
        let Some(tail) = decode(piece, partial, &mut code_points) else {
            return Ok(None);
        };
        let mut next = state;
        for code_point in &code_points {
            next = self.machine.step(next, *code_point)?;
            if next == DEAD {
                break;
            }
        }
        if tail.missing > 0 {
            next = match tail.range() {
                Some((low, high)) => self.machine.keep(next, low, high)?,
                None => DEAD,
            };
        }
        // A token that stands for itself takes all of its text with it, except where the text before is unfinished.
        if let (true, Ok(id)) = (!code_points.is_empty() && partial.missing == 0, u32::try_from(token)) {
            let named = self.machine.step_token(state, id)?;
            if named != DEAD {
                let also = if tail.missing == 0 { next } else { DEAD };
                return Ok(Some((self.machine.union(named, also), Partial::default())));
            }
        }
        Ok((next != DEAD).then_some((next, tail)))
    }

    fn accept_waiting(&mut self, triggers: &Triggers, token: usize) -> Result<(), Refusal> {
        let pieces = Arc::clone(&self.pieces);
        let mut place = (self.state, self.partial);
        if triggers.tokens.contains(&token) {
            place = self.after(place, token, pieces.piece(token))?.ok_or(Refusal::NotAllowed)?;
            (self.state, self.partial) = place;
            self.waiting = None;
            return Ok(());
        }
        let Some(waiting) = &mut self.waiting else {
            return Ok(());
        };
        let before = waiting.text.len();
        if pieces.piece(token).is_empty() {
            return Ok(());
        }
        waiting.tokens.push((token, before));
        waiting.text.extend_from_slice(pieces.piece(token));
        let Some(start) = triggers.find(&waiting.text, usize::from(waiting.cut)) else {
            waiting.trim();
            return Ok(());
        };
        // Tokens from the trigger on are the first of the grammar; one that began before it, from there.
        let mut replay = Vec::new();
        let mut end = waiting.text.len();
        for (token, begin) in waiting.tokens.iter().rev() {
            if end <= start {
                break;
            }
            replay.push((*token, waiting.text[(*begin).max(start)..end].to_vec()));
            end = *begin;
        }
        match self.replay(place, &replay) {
            Ok(place) => {
                (self.state, self.partial) = place;
                self.waiting = None;
                Ok(())
            }
            Err(refusal) => {
                if let Some(waiting) = &mut self.waiting {
                    waiting.tokens.pop();
                    waiting.text.truncate(before);
                }
                Err(refusal)
            }
        }
    }

    /// `pieces` is in reverse order.
    fn replay(
        &mut self,
        mut place: (State, Partial),
        pieces: &[(usize, Vec<u8>)],
    ) -> Result<(State, Partial), Refusal> {
        for (token, piece) in pieces.iter().rev() {
            place = self.after(place, *token, piece)?.ok_or(Refusal::NotAllowed)?;
        }
        Ok(place)
    }
}

impl Triggers {
    /// Where the grammar starts in `text`: at the first group of the pattern that matched something, or else at the
    /// match.
    fn find(&self, text: &[u8], from: usize) -> Option<usize> {
        self.patterns.iter().find_map(|pattern| {
            let whole = pattern.whole.as_ref().and_then(|regex| regex.captures_at(text, from));
            let found = whole.or_else(|| pattern.anywhere.captures_at(text, from))?;
            let group = found.iter().skip(1).flatten().find(|group| !group.is_empty());
            group.or_else(|| found.get(0)).map(|group| group.start())
        })
    }
}

impl Waiting {
    /// Forgets the older half of the text once it is long.
    fn trim(&mut self) {
        if self.text.len() <= MAX_WAITING {
            return;
        }
        let half = self.text.len() / 2;
        let first = self.tokens.partition_point(|(_, start)| *start < half).min(self.tokens.len() - 1);
        self.tokens.drain(..first);
        let start = self.tokens.first().map_or(0, |(_, start)| *start);
        if start == 0 {
            return;
        }
        // One byte stays in front, so that the text does not look as if it began here.
        self.text.drain(..start - 1);
        self.tokens.iter_mut().for_each(|(_, begin)| *begin -= start - 1);
        self.cut = true;
    }
}

fn set(mask: &mut [u32], token: usize) {
    mask[token / 32] |= 1 << (token % 32);
}
