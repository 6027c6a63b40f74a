//! A KV cache without keys and values.

use std::collections::BTreeSet;

use llama_core::Token;

use crate::executor::Abilities;
use crate::plan::{AdapterKey, Slot};
use crate::saved::PrefixError;

/// A token in the cache. Copies of a slot share its cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    token: Token,
    adapters: AdapterKey,
    cell: u64,
}

/// Slots and what they hold. Whatever the real one could not do panics.
#[derive(Debug)]
pub(super) struct Slots {
    slots: Vec<Vec<Held>>,
    /// Slots that hold less than the scheduler can know, in this step.
    odd: BTreeSet<Slot>,
    next_cell: u64,
    cells: Option<usize>,
    sequence_limit: usize,
    partial: bool,
}

impl Slots {
    pub(super) fn new(abilities: &Abilities) -> Self {
        Self {
            slots: vec![Vec::new(); abilities.slots],
            odd: BTreeSet::new(),
            next_cell: 0,
            cells: abilities.cells,
            sequence_limit: abilities.sequence_limit,
            partial: abilities.partial,
        }
    }

    pub(super) fn cells(&self) -> usize {
        self.slots.iter().flatten().map(|held| held.cell).collect::<BTreeSet<_>>().len()
    }

    pub(super) fn len(&self, slot: Slot) -> usize {
        self.slots[usize::from(slot.0)].len()
    }

    pub(super) fn history(&self, slot: Slot) -> impl Iterator<Item = (Token, AdapterKey)> {
        self.slots[usize::from(slot.0)].iter().map(|held| (held.token, held.adapters))
    }

    pub(super) fn may_differ(&self, slot: Slot) -> bool {
        self.odd.contains(&slot)
    }

    pub(super) fn copy(&mut self, from: Slot, to: Slot, len: usize) {
        assert!(from != to && self.len(to) == 0, "copy into {to:?}, which holds {}", self.len(to));
        if self.odd.contains(&from) {
            self.odd.insert(to);
        } else {
            let held = self.len(from);
            assert!(0 < len && len <= held, "copy of {len} of {held} tokens");
            assert!(self.partial || len == held, "copy of a part, {len} of {held} tokens");
        }
        let copied = self.slots[usize::from(from.0)].iter().take(len).copied().collect();
        self.slots[usize::from(to.0)] = copied;
    }

    pub(super) fn truncate(&mut self, slot: Slot, len: usize) {
        let odd = if len == 0 { self.odd.remove(&slot) } else { self.odd.contains(&slot) };
        assert!(odd || len <= self.len(slot), "truncation of {} tokens to {len}", self.len(slot));
        assert!(self.partial || len == 0, "truncation to {len}");
        self.slots[usize::from(slot.0)].truncate(len);
    }

    pub(super) fn read(&self, slot: Slot, tokens: &[Token]) -> Option<Vec<Held>> {
        if self.odd.contains(&slot) {
            return None;
        }
        let held = &self.slots[usize::from(slot.0)];
        assert!(held.iter().map(|held| held.token).eq(tokens.iter().copied()), "{slot:?} holds something else");
        Some(held.clone())
    }

    pub(super) fn load(&mut self, slot: Slot, saved: &[Held]) {
        assert_eq!(self.len(slot), 0, "load into a slot that is not empty");
        for held in saved {
            self.push(slot, held.token, held.adapters);
        }
        self.check();
    }

    pub(super) fn stays_empty(&mut self, slot: Slot) {
        assert_eq!(self.len(slot), 0, "load into a slot that is not empty");
        self.odd.insert(slot);
    }

    pub(super) fn append(&mut self, slot: Slot, tokens: &[Token], adapters: AdapterKey) {
        for token in tokens {
            self.push(slot, *token, adapters);
        }
        self.check();
        assert!(self.len(slot) <= self.sequence_limit, "{slot:?} holds {} tokens", self.len(slot));
    }

    /// Loses the second half, or everything.
    pub(super) fn lose(&mut self, slot: Slot) {
        let len = if self.partial { self.len(slot) / 2 } else { 0 };
        self.slots[usize::from(slot.0)].truncate(len);
        self.odd.insert(slot);
    }

    pub(super) fn clear(&mut self) {
        self.slots.iter_mut().for_each(Vec::clear);
    }

    /// The step is over: the scheduler is told what slots hold.
    pub(super) fn settle(&mut self) {
        self.odd.clear();
    }

    fn push(&mut self, slot: Slot, token: Token, adapters: AdapterKey) {
        self.next_cell += 1;
        self.slots[usize::from(slot.0)].push(Held { token, adapters, cell: self.next_cell });
    }

    fn check(&self) {
        if let Some(limit) = self.cells {
            assert!(self.cells() <= limit, "{} cells of {limit} are in use", self.cells());
        }
    }
}

/// What was saved, to go through something else: each token and its adapters.
pub(super) fn to_bytes(saved: &[Held]) -> Vec<u8> {
    let pair = |held: &Held| [u64::from(held.token.0.cast_unsigned()), held.adapters.0].map(u64::to_le_bytes);
    saved.iter().flat_map(pair).flatten().collect()
}

/// The inverse of [`to_bytes`].
pub(super) fn from_bytes(bytes: &[u8]) -> Result<Vec<Held>, PrefixError> {
    let (words, rest) = bytes.as_chunks::<8>();
    let (pairs, odd) = words.as_chunks::<2>();
    if !rest.is_empty() || !odd.is_empty() {
        return Err(PrefixError::Damaged { reason: "not in pairs".to_owned() });
    }
    let held = |[token, adapters]: &[[u8; 8]; 2]| {
        let token = u32::try_from(u64::from_le_bytes(*token)).ok()?.cast_signed();
        Some(Held { token: Token(token), adapters: AdapterKey(u64::from_le_bytes(*adapters)), cell: 0 })
    };
    let damaged = || PrefixError::Damaged { reason: "no token".to_owned() };
    pairs.iter().map(held).collect::<Option<_>>().ok_or_else(damaged)
}

pub(super) fn tokens(saved: &[Held]) -> Vec<Token> {
    saved.iter().map(|held| held.token).collect()
}
