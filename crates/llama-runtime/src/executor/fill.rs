//! The generation context and what its slots hold: [`Cache`]. Carries out operations, fills batches, decodes.

use std::ops::RangeFrom;

use llama_core::{
    Batch, Context, ContextError, DecodeError, LoraAdapter, Memory, MemoryError, Model, OutputRow, Outputs, Pos,
    SampleError, SeqId, Token, Want,
};

use super::park::Parked;
use super::{Output, StepResult};
use crate::error::GenerateError;
use crate::plan::{AdapterKey, BlobId, CacheOp, Piece, Slot};

/// A generation context, with the number of tokens in each slot.
///
/// The count is kept here, since a plan is checked against it before anything is computed; where a call fails, the slot is
/// emptied, so that count and context agree again.
#[derive(Debug)]
pub(super) struct Cache {
    context: Context,
    batch: Batch,
    /// Tokens in each slot.
    held: Vec<usize>,
    /// Whether sequences can be cut.
    partial: bool,
    sequence_limit: usize,
    /// The adapters that are set.
    adapters: AdapterKey,
    #[cfg(test)]
    pub(super) fails_next: Option<DecodeError>,
}

/// What becomes of a piece in a batch.
pub(super) enum Fate {
    /// It is stored.
    Stored,
    /// It is stored, and its last token has this row.
    Row(OutputRow),
    /// It is not in the batch, and this is its answer.
    Refused(Output),
}

/// Why a batch was not computed.
pub(super) enum Stop {
    NoRoom,
    /// What the slots of the pieces hold now.
    Aborted(Vec<(Slot, usize)>),
    /// Nobody knows what is in the context.
    Broken(DecodeError),
}

impl Cache {
    pub(super) fn new(context: Context, partial: bool, sequence_limit: usize) -> Self {
        let slots = usize::try_from(context.n_seq_max()).unwrap_or(0);
        let batch = Batch::new(usize::try_from(context.n_batch()).unwrap_or(0));
        Self {
            context,
            batch,
            held: vec![0; slots],
            partial,
            sequence_limit,
            adapters: AdapterKey::default(),
            #[cfg(test)]
            fails_next: None,
        }
    }

    pub(super) fn context(&mut self) -> &mut Context {
        &mut self.context
    }

    /// Carries out an operation. One that fails leaves its slot empty.
    pub(super) fn apply(&mut self, op: &CacheOp, parked: &mut Parked, result: &mut StepResult) {
        match op {
            CacheOp::Copy { from, to, len } => self.copy(*from, *to, *len),
            CacheOp::Truncate { slot, len } => self.truncate(*slot, *len),
            CacheOp::Save { slot, blob, tokens } => {
                let whole = self.held(*slot) == Some(tokens.len());
                let saved = whole.then(|| parked.save(&mut self.context, slot.seq_id(), *blob, tokens));
                if let Some(Err(error)) = &saved {
                    tracing::warn!(%error, slot = slot.0, "a sequence could not be saved");
                }
                result.saved.push((*blob, saved.and_then(Result::ok)));
            }
            CacheOp::Load { blob, slot } => {
                if !self.load(*blob, *slot, parked) {
                    result.not_loaded.push(*blob);
                }
            }
            CacheOp::Forget { blob } => parked.forget(*blob),
        }
    }

    fn copy(&mut self, from: Slot, to: Slot, len: usize) {
        let (Some(source), Some(_)) = (self.held(from), self.held(to)) else { return };
        if from == to {
            return;
        }
        let possible = len == source || (self.partial && len < source);
        let copied = possible
            && self.memory(to, "copied", |memory, seq| memory.copy(from.seq_id(), seq, ..starting_at(len).start));
        if copied {
            self.set(to, len);
        } else {
            self.empty(to);
        }
    }

    fn truncate(&mut self, slot: Slot, len: usize) {
        if self.held(slot).is_none_or(|held| held <= len) {
            return;
        }
        let cut = self.partial && self.memory(slot, "cut", |memory, seq| memory.remove(seq, starting_at(len)));
        if cut {
            self.set(slot, len);
        } else {
            self.empty(slot);
        }
    }

    fn load(&mut self, blob: BlobId, slot: Slot, parked: &Parked) -> bool {
        if self.held(slot).is_none() {
            return false;
        }
        match parked.load(&mut self.context, slot.seq_id(), blob) {
            Ok(Some(tokens)) => {
                self.set(slot, tokens);
                return true;
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, slot = slot.0, "a saved sequence could not be loaded"),
        }
        self.empty(slot);
        false
    }

    /// Sets the adapters of a step, if they are not set already. `find` looks them up, `None` if no sequence of the step is
    /// opened.
    pub(super) fn use_adapters(
        &mut self,
        key: AdapterKey,
        find: impl FnOnce() -> Option<Vec<(LoraAdapter, f32)>>,
    ) -> Result<(), GenerateError> {
        if key == self.adapters {
            return Ok(());
        }
        let adapters = if key == AdapterKey::default() { Vec::new() } else { find().ok_or_else(not_opened)? };
        self.context.set_adapters(&adapters)?;
        self.adapters = key;
        Ok(())
    }

    /// Puts the pieces into the batch, in place of what was in it. `opened` tells whether a piece's next token can be chosen.
    pub(super) fn fill(&mut self, pieces: &[Piece], opened: impl Fn(&Piece) -> bool) -> Vec<Fate> {
        self.batch.clear();
        // Recurrent states are computed together only where their ids follow one another.
        let mut order: Vec<usize> = (0..pieces.len()).collect();
        order.sort_by_key(|i| pieces[*i].slot);
        let mut fates: Vec<Fate> = pieces.iter().map(|_| Fate::Stored).collect();
        let mut before = None;
        for i in order {
            let piece = &pieces[i];
            let again = before.replace(piece.slot) == Some(piece.slot);
            fates[i] = match self.check(piece, again) {
                Some(refused) => Fate::Refused(refused),
                None if piece.sample && !opened(piece) => Fate::Refused(Output::Failed(not_opened())),
                None => self.push(piece),
            };
        }
        fates
    }

    /// Why a piece cannot be computed. Each is checked alone, so that one that is wrong does not spoil the others.
    fn check(&self, piece: &Piece, again: bool) -> Option<Output> {
        let held = self.held(piece.slot).unwrap_or(0);
        if self.held(piece.slot) != Some(piece.start) || again {
            return Some(Output::Misplaced { held });
        }
        let failed = |error: DecodeError| Some(Output::Failed(error.into()));
        let end = piece.start.saturating_add(piece.tokens.len());
        if end > self.sequence_limit {
            return Some(Output::Failed(GenerateError::NoRoom { tokens: end }));
        }
        if piece.tokens.is_empty() {
            return failed(DecodeError::Empty);
        }
        let tokens = self.batch.len() + piece.tokens.len();
        if tokens > self.batch.capacity() {
            return failed(DecodeError::TooLarge { tokens, limit: self.context.n_batch() });
        }
        check_tokens(self.context.model(), &piece.tokens).err().and_then(failed)
    }

    fn push(&mut self, piece: &Piece) -> Fate {
        let seq = piece.slot.seq_id();
        let start = starting_at(piece.start).start;
        if piece.sample {
            return match self.batch.push_run(&piece.tokens, Pos(start), seq) {
                Ok(Some(row)) => Fate::Row(row),
                Ok(None) => Fate::Refused(Output::Failed(DecodeError::Empty.into())),
                Err(full) => Fate::Refused(too_large(full.capacity)),
            };
        }
        for (pos, &token) in (start..).zip(&piece.tokens) {
            if let Err(full) = self.batch.push(token, Pos(pos), seq, Want::Nothing) {
                return Fate::Refused(too_large(full.capacity));
            }
        }
        Fate::Stored
    }

    /// Computes the batch, with so many threads; 0 for those that the context has by itself.
    pub(super) fn decode(&mut self, pieces: &[Piece], fates: &[Fate], threads: u32) -> Result<Outputs<'_>, Stop> {
        // Asked here, since an abort that comes before the first token is computed costs a recurrent sequence nothing.
        if self.context.is_aborted() {
            return Err(Stop::Aborted(self.cut_back(pieces)));
        }
        if !self.batch.is_empty() {
            if threads > 0 {
                self.context.set_threads(threads, threads).map_err(|error| refused(&error))?;
            }
            match self.compute() {
                Ok(()) => {}
                Err(DecodeError::NoSlot { .. }) => return Err(Stop::NoRoom),
                Err(DecodeError::Aborted) => return Err(Stop::Aborted(self.cut_back(pieces))),
                Err(error) => return Err(Stop::Broken(error)),
            }
        }
        for (piece, fate) in pieces.iter().zip(fates) {
            if !matches!(fate, Fate::Refused(_)) {
                self.set(piece.slot, piece.start + piece.tokens.len());
            }
        }
        Ok(self.context.outputs())
    }

    fn compute(&mut self) -> Result<(), DecodeError> {
        #[cfg(test)]
        if let Some(error) = self.fails_next.take() {
            return Err(error);
        }
        self.context.decode(&mut self.batch).map(drop)
    }

    /// After an abort: all or nothing of each piece, so that sequences go on from where they were. What cannot be cut back is
    /// emptied.
    fn cut_back(&mut self, pieces: &[Piece]) -> Vec<(Slot, usize)> {
        let mut slots: Vec<Slot> = pieces.iter().map(|piece| piece.slot).collect();
        slots.sort_unstable();
        slots.dedup();
        let known = |slot: Slot| self.held(slot).map(|held| (slot, held));
        let before: Vec<_> = slots.into_iter().filter_map(known).collect();
        let back = |(slot, held): (Slot, usize)| {
            let cut = self.memory(slot, "cut", |memory, seq| memory.remove(seq, starting_at(held)));
            // A recurrent state that was being changed is gone.
            let whole = cut && self.next_position(slot) == Some(held);
            if !whole {
                self.empty(slot);
            }
            (slot, if whole { held } else { 0 })
        };
        before.into_iter().map(back).collect()
    }

    /// Whether the counts are those of the context; true of every cache between two steps.
    pub(super) fn agrees(&mut self) -> bool {
        let slots = u16::try_from(self.held.len()).unwrap_or(u16::MAX);
        (0..slots).map(Slot).all(|slot| self.next_position(slot) == self.held(slot))
    }

    /// Tokens in a slot; `None` if there is no such slot.
    pub(super) fn held(&self, slot: Slot) -> Option<usize> {
        self.held.get(usize::from(slot.0)).copied()
    }

    fn set(&mut self, slot: Slot, tokens: usize) {
        if let Some(held) = self.held.get_mut(usize::from(slot.0)) {
            *held = tokens;
        }
    }

    fn empty(&mut self, slot: Slot) {
        // A whole sequence can always be removed. If not, the next piece does not follow what is there, and the context is
        // given up.
        self.memory(slot, "emptied", |memory, seq| memory.remove(seq, ..));
        self.set(slot, 0);
    }

    fn next_position(&mut self, slot: Slot) -> Option<usize> {
        let next = self.context.memory().and_then(|memory| memory.next_position(slot.seq_id())).ok()?;
        usize::try_from(next.0).ok()
    }

    /// Changes the memory; whether that worked.
    fn memory(
        &mut self,
        slot: Slot,
        what: &'static str,
        change: impl FnOnce(&mut Memory<'_>, SeqId) -> Result<(), MemoryError>,
    ) -> bool {
        let result = self.context.memory().and_then(|mut memory| change(&mut memory, slot.seq_id()));
        if let Err(error) = &result {
            tracing::debug!(%error, slot = slot.0, "a sequence could not be {what}");
        }
        result.is_ok()
    }
}

/// That all tokens are of the vocabulary.
pub(super) fn check_tokens(model: &Model, tokens: &[Token]) -> Result<(), DecodeError> {
    let vocab = model.vocab();
    match tokens.iter().enumerate().find(|(_, token)| !vocab.contains(**token)) {
        Some((index, &token)) => Err(DecodeError::TokenOutOfRange { index, token, n_vocab: model.facts().n_vocab }),
        None => Ok(()),
    }
}

/// Positions from an index on. Sequences are not longer than upstream can count.
fn starting_at(index: usize) -> RangeFrom<i32> {
    i32::try_from(index).unwrap_or(i32::MAX)..
}

/// A number of threads that is none, which is a bug of the engine.
fn refused(error: &ContextError) -> Stop {
    Stop::Broken(DecodeError::Refused { reason: error.to_string() })
}

fn too_large(capacity: usize) -> Output {
    let limit = u32::try_from(capacity).unwrap_or(u32::MAX);
    Output::Failed(DecodeError::TooLarge { tokens: capacity.saturating_add(1), limit }.into())
}

fn not_opened() -> GenerateError {
    let reason = "the sequence was not opened, which is a bug of the engine".to_owned();
    SampleError::Internal { reason }.into()
}
