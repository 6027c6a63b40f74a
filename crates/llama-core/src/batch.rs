//! Tokens to decode in one call: [`Batch`].

use crate::ids::{Pos, SeqId, Token};
use llama_sys as ffi;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a decode should output for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// Nothing: the token only fills the KV cache.
    Nothing,
    /// Its row: logits, and the embedding where the context makes them.
    Output,
}

/// Where the output of one token of one batch will be. Only [`Outputs`](crate::Outputs) of that batch accept it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OutputRow {
    pub(crate) stamp: u64,
    pub(crate) index: i32,
}

/// The batch holds as many tokens as it was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the batch is full: it was made for {capacity} tokens; decode it and clear it")]
pub struct BatchFull {
    /// Tokens it was made for.
    pub capacity: usize,
}

/// Tokens with their positions and sequences, to be decoded in one call.
///
/// A batch owns plain vectors and is reused with [`Batch::clear`]. Positions and sequences are checked when it is
/// decoded, against the context it is decoded in.
#[doc(alias = "llama_batch")]
#[derive(Debug)]
pub struct Batch {
    stamp: u64,
    capacity: usize,
    tokens: Vec<Token>,
    positions: Vec<Pos>,
    /// The sequences of all tokens, one after the other, and how many each token has.
    sequences: Vec<SeqId>,
    sequence_counts: Vec<i32>,
    wants: Vec<i8>,
    /// Filled while lent to C.
    sequence_pointers: Vec<*mut i32>,
}

// SAFETY: the raw pointers are only set and read inside `with_raw`, which has `&mut self`; between calls they mean
// nothing.
unsafe impl Send for Batch {}
// SAFETY: `&self` methods do not touch the pointers.
unsafe impl Sync for Batch {}

impl Clone for Batch {
    /// A batch of its own: rows of the original are not accepted for it.
    fn clone(&self) -> Self {
        Self {
            stamp: next_stamp(),
            capacity: self.capacity,
            tokens: self.tokens.clone(),
            positions: self.positions.clone(),
            sequences: self.sequences.clone(),
            sequence_counts: self.sequence_counts.clone(),
            wants: self.wants.clone(),
            sequence_pointers: Vec::new(),
        }
    }
}

impl Batch {
    /// An empty batch for at most `capacity` tokens.
    ///
    /// A decode takes at most [`Context::n_batch`](crate::Context::n_batch) tokens. Memory grows with use.
    pub fn new(capacity: usize) -> Self {
        Self {
            stamp: next_stamp(),
            capacity,
            tokens: Vec::new(),
            positions: Vec::new(),
            sequences: Vec::new(),
            sequence_counts: Vec::new(),
            wants: Vec::new(),
            sequence_pointers: Vec::new(),
        }
    }

    /// Adds a token at a position of one sequence.
    ///
    /// # Errors
    ///
    /// [`BatchFull`]; the batch is unchanged.
    pub fn push(&mut self, token: Token, pos: Pos, seq: SeqId, want: Want) -> Result<OutputRow, BatchFull> {
        self.push_shared(token, pos, &[seq], want)
    }

    /// Adds a token that several sequences share, at the same position of each.
    ///
    /// # Errors
    ///
    /// [`BatchFull`]; the batch is unchanged.
    pub fn push_shared(&mut self, token: Token, pos: Pos, seqs: &[SeqId], want: Want) -> Result<OutputRow, BatchFull> {
        let full = BatchFull { capacity: self.capacity };
        if self.tokens.len() >= self.capacity {
            return Err(full);
        }
        let index = i32::try_from(self.tokens.len()).map_err(|_| full)?;
        let count = i32::try_from(seqs.len()).map_err(|_| full)?;
        self.tokens.push(token);
        self.positions.push(pos);
        self.sequences.extend_from_slice(seqs);
        self.sequence_counts.push(count);
        self.wants.push(i8::from(want == Want::Output));
        Ok(OutputRow { stamp: self.stamp, index })
    }

    /// Adds a run of tokens of one sequence, wanting the output of the last one only. `None` if `tokens` is empty.
    ///
    /// # Errors
    ///
    /// [`BatchFull`]; the batch is unchanged.
    pub fn push_run(&mut self, tokens: &[Token], start: Pos, seq: SeqId) -> Result<Option<OutputRow>, BatchFull> {
        if tokens.len() > self.capacity - self.tokens.len() {
            return Err(BatchFull { capacity: self.capacity });
        }
        let mut row = None;
        for (i, &token) in tokens.iter().enumerate() {
            let pos = Pos(start.0.saturating_add(i32::try_from(i).unwrap_or(i32::MAX)));
            let want = if i + 1 == tokens.len() { Want::Output } else { Want::Nothing };
            row = Some(self.push(token, pos, seq, want)?);
        }
        Ok(row)
    }

    /// Empties the batch. Rows handed out before are no longer accepted.
    pub fn clear(&mut self) {
        self.stamp = next_stamp();
        self.tokens.clear();
        self.positions.clear();
        self.sequences.clear();
        self.sequence_counts.clear();
        self.wants.clear();
    }

    /// Tokens in the batch.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there are no tokens.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Tokens it was made for.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    pub(crate) fn stamp(&self) -> u64 {
        self.stamp
    }

    /// For each token: 1 if its output is wanted.
    pub(crate) fn wants(&self) -> &[i8] {
        &self.wants
    }

    pub(crate) fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// Each token's position and sequences, in order.
    pub(crate) fn places(&self) -> impl Iterator<Item = (Pos, &[SeqId])> {
        let mut start = 0;
        self.positions.iter().zip(&self.sequence_counts).map(move |(&pos, &count)| {
            let end = start + count.unsigned_abs() as usize;
            let seqs = &self.sequences[start..end];
            start = end;
            (pos, seqs)
        })
    }

    /// Lends the arrays to C for the time of one call.
    pub(crate) fn with_raw<T>(&mut self, call: impl FnOnce(ffi::llama_batch) -> T) -> T {
        self.sequence_pointers.clear();
        let mut next = self.sequences.as_mut_ptr().cast::<i32>();
        for &count in &self.sequence_counts {
            self.sequence_pointers.push(next);
            next = next.wrapping_add(count.unsigned_abs() as usize);
        }
        call(ffi::llama_batch {
            n_tokens: i32::try_from(self.tokens.len()).expect("push keeps the length within i32"),
            token: self.tokens.as_mut_ptr().cast(),
            embd: std::ptr::null_mut(),
            pos: self.positions.as_mut_ptr().cast(),
            n_seq_id: self.sequence_counts.as_mut_ptr(),
            seq_id: self.sequence_pointers.as_mut_ptr(),
            logits: self.wants.as_mut_ptr(),
        })
    }
}

/// A number no other batch, and no earlier filling of this batch, has.
fn next_stamp() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_batch_refuses_and_stays_as_it_was() {
        let mut batch = Batch::new(2);
        batch.push(Token(1), Pos(0), SeqId::ZERO, Want::Nothing).expect("room");
        assert_eq!(batch.push_run(&[Token(2), Token(3)], Pos(1), SeqId::ZERO), Err(BatchFull { capacity: 2 }));
        assert_eq!(batch.len(), 1);
        batch.push(Token(2), Pos(1), SeqId::ZERO, Want::Output).expect("room");
        assert_eq!(batch.push(Token(3), Pos(2), SeqId::ZERO, Want::Output), Err(BatchFull { capacity: 2 }));
    }

    #[test]
    fn a_run_wants_the_output_of_its_last_token() {
        let mut batch = Batch::new(8);
        let row = batch.push_run(&[Token(5), Token(6), Token(7)], Pos(4), SeqId(1)).expect("room").expect("a row");
        assert_eq!(row.index, 2);
        assert_eq!(batch.wants(), [0, 0, 1]);
        let places: Vec<_> = batch.places().map(|(pos, seqs)| (pos, seqs.to_vec())).collect();
        assert_eq!(places, [(Pos(4), vec![SeqId(1)]), (Pos(5), vec![SeqId(1)]), (Pos(6), vec![SeqId(1)])]);
        assert_eq!(batch.push_run(&[], Pos(7), SeqId(1)), Ok(None));
    }

    #[test]
    fn clearing_changes_the_stamp() {
        let mut batch = Batch::new(1);
        let row = batch.push(Token(1), Pos(0), SeqId::ZERO, Want::Output).expect("room");
        batch.clear();
        let again = batch.push(Token(1), Pos(0), SeqId::ZERO, Want::Output).expect("room");
        assert_ne!(row, again);
    }

    #[test]
    fn c_sees_each_tokens_own_sequences() {
        let mut batch = Batch::new(3);
        batch.push_shared(Token(1), Pos(0), &[SeqId(2), SeqId(3)], Want::Nothing).expect("room");
        batch.push(Token(4), Pos(1), SeqId(5), Want::Output).expect("room");
        batch.with_raw(|raw| {
            assert_eq!(raw.n_tokens, 2);
            // SAFETY: the arrays hold two tokens with two and one sequences.
            unsafe {
                assert_eq!((*(*raw.seq_id), *(*raw.seq_id).add(1)), (2, 3));
                assert_eq!((*(*raw.seq_id.add(1)), *raw.token.add(1), *raw.logits.add(1)), (5, 4, 1));
            }
        });
    }
}
