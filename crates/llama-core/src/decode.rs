//! Computing a batch: [`Context::decode`] and [`Context::encode`].
//!
//! llama.cpp asserts much of what it demands of a batch, and an assertion ends the process. Every demand is checked here
//! first, so that a wrong batch is an error.

use crate::batch::Batch;
use crate::context::{Context, Pooling};
use crate::ids::{Pos, SeqId, Token};
use crate::log::Capture;
use crate::outputs::Outputs;
use crate::raw::{self, Failure};
use llama_sys as ffi;

/// Why a batch was not computed.
///
/// Unless the variant says otherwise the KV cache is as before the call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// No room in the KV cache. Remove something, see [`Memory`](crate::Memory), and try again.
    #[error("no room in the KV cache for a batch of {tokens} tokens; remove something from it or use a larger context")]
    NoSlot {
        /// Tokens of the batch.
        tokens: usize,
    },
    /// [`AbortHandle::abort`](crate::AbortHandle::abort) was called. Some tokens of the batch may be stored:
    /// [`Memory::positions`](crate::Memory::positions) tells. The sequences of the batch are empty if the model is
    /// recurrent or hybrid and was computing: its state cannot go back. [`Context::clear_abort`] lets decodes work again.
    #[error("the decode was aborted")]
    Aborted,
    /// The batch has no token.
    #[error("the batch is empty")]
    Empty,
    /// The batch has more tokens than one call takes.
    #[error("a batch of {tokens} tokens is larger than the context's limit of {limit}; decode it in pieces")]
    TooLarge {
        /// Tokens of the batch.
        tokens: usize,
        /// [`Context::n_batch`], or [`Context::n_ubatch`] where a batch cannot be cut up: tokens see later tokens, or are
        /// pooled.
        limit: u32,
    },
    /// A token id is outside the vocabulary.
    #[error("token {token} at index {index} of the batch is not in the vocabulary of {n_vocab} tokens")]
    TokenOutOfRange {
        /// Index in the batch.
        index: usize,
        /// The token.
        token: Token,
        /// The size of the vocabulary.
        n_vocab: u32,
    },
    /// A sequence id is outside the context.
    #[error("sequence {seq} at index {index} of the batch is not below the context's limit of {n_seq_max}")]
    SequenceOutOfRange {
        /// Index in the batch.
        index: usize,
        /// The sequence.
        seq: SeqId,
        /// [`Context::n_seq_max`].
        n_seq_max: u32,
    },
    /// A token belongs to no sequence, or to one sequence twice.
    #[error("the token at index {index} of the batch must belong to at least one sequence, and to each only once")]
    BadSequences {
        /// Index in the batch.
        index: usize,
    },
    /// Positions of a sequence do not follow one another.
    #[error("sequence {seq} goes on at position {expected}, but the batch has position {found}")]
    PositionGap {
        /// The sequence.
        seq: SeqId,
        /// The position that must come next.
        expected: Pos,
        /// The position in the batch.
        found: Pos,
    },
    /// A position that the model or this crate cannot count to: models with learned positions (BERT, GPT-2) have a
    /// limited number of them.
    #[error("position {pos} of sequence {seq} is beyond the last one there can be, {last}; use fewer tokens")]
    PositionTooLarge {
        /// The sequence.
        seq: SeqId,
        /// The position.
        pos: Pos,
        /// The last possible position.
        last: Pos,
    },
    /// The decoder of an encoder-decoder model works on what the encoder computed, and it computed nothing yet.
    #[error("this model decodes what it has encoded; call encode first")]
    NotEncoded,
    /// The model has no encoder, or no decoder.
    #[error("the model has no {part}; call the other one of encode and decode")]
    NoSuchPart {
        /// `encoder` or `decoder`.
        part: &'static str,
    },
    /// llama.cpp refused the batch for a rule that is not checked here, e.g. sequences that share a token but differ
    /// before it.
    #[error("llama.cpp refused the batch: {reason}")]
    Refused {
        /// llama.cpp's own words.
        reason: String,
    },
    /// The backend failed. Some tokens may be stored; the context should be dropped.
    #[error("the backend failed with code {code}: {reason}; drop the context and make a new one")]
    Fatal {
        /// `llama_decode`'s code, or 0 for an exception.
        code: i32,
        /// llama.cpp's own words.
        reason: String,
    },
}

impl Context {
    /// Computes a batch and stores its tokens in the KV cache. Encoder-only models (BERT) are run by this too.
    ///
    /// # Errors
    ///
    /// [`DecodeError`]; its variants say what is in the KV cache afterwards.
    #[doc(alias = "llama_decode")]
    pub fn decode(&mut self, batch: &mut Batch) -> Result<Outputs<'_>, DecodeError> {
        self.forget_outputs();
        let facts = self.model().facts();
        if !facts.has_decoder {
            return Err(DecodeError::NoSuchPart { part: "decoder" });
        }
        let (from_encoder, is_mrope, is_diffusion) = (facts.has_encoder, facts.is_mrope, facts.is_diffusion);
        let pools_all = self.has_embeddings() && matches!(self.pooling(), Pooling::Mean | Pooling::Cls | Pooling::Rank);
        self.check(batch, self.is_causal() && self.has_memory() && !pools_all)?;
        // C asserts it.
        if from_encoder && !self.encoded {
            return Err(DecodeError::NotEncoded);
        }
        if self.has_memory() && !is_mrope {
            self.check_positions(batch)?;
        }
        self.cells_shared |= batch.places().any(|(_, seqs)| seqs.len() > 1);
        let result = self.compute(batch, ffi::lrs_decode, true);
        if matches!(result, Err(DecodeError::Aborted | DecodeError::Fatal { .. })) {
            self.discard_unfinished(batch);
        }
        result?;
        // Upstream outputs every token of an embedding context or an encoder, wanted or not.
        if self.has_embeddings() || !self.has_memory() {
            self.last.wants.resize(batch.len(), 1);
        } else {
            self.last.wants.extend_from_slice(batch.wants());
        }
        // The buffer for logits is there in any case, but encoders leave it unwritten.
        self.last.has_logits = self.has_memory() || is_diffusion;
        Ok(self.outputs())
    }

    /// Runs the encoder of an encoder-decoder model (T5) over a batch; the decoder then sees the result.
    ///
    /// # Errors
    ///
    /// [`DecodeError`]; nothing is stored in the KV cache in any case.
    #[doc(alias = "llama_encode")]
    pub fn encode(&mut self, batch: &mut Batch) -> Result<Outputs<'_>, DecodeError> {
        self.forget_outputs();
        if !self.model().facts().has_encoder {
            return Err(DecodeError::NoSuchPart { part: "encoder" });
        }
        self.check(batch, false)?;
        self.compute(batch, ffi::lrs_encode, false)?;
        self.encoded = true;
        self.last.wants.resize(batch.len(), 1);
        Ok(self.outputs())
    }

    /// After a failed call there are no rows: those of the call before are gone in C.
    fn forget_outputs(&mut self) {
        self.last.stamp = 0;
        self.last.has_logits = false;
        self.last.wants.clear();
    }

    /// `settles`: whether the call begins with what [`Memory`](crate::Memory) left pending.
    fn compute(
        &mut self,
        batch: &mut Batch,
        call: unsafe extern "C" fn(*mut ffi::llama_context, ffi::llama_batch, *mut i32) -> i32,
        settles: bool,
    ) -> Result<(), DecodeError> {
        if self.is_aborted() {
            return Err(DecodeError::Aborted);
        }
        let ctx = self.as_ptr();
        let mut code = 0;
        let capture = Capture::start();
        let shield = self.shield_shift();
        // SAFETY: the context is live and `&mut self` means no other call runs; the batch's arrays are lent for the
        // call and were checked against the context.
        let status = batch.with_raw(|raw| unsafe { call(ctx, raw, &raw mut code) });
        let result = raw::check(status);
        drop(shield);
        self.note_computed(result.is_ok() && code == 0);
        // In both cases upstream rotated the keys and moved what was copied before anything else.
        if settles && result.is_ok() && matches!(code, 0 | 1) {
            self.shift_pending = false;
            self.copy_pending = false;
        }
        match (result, code) {
            (Ok(()), 0) => {
                self.last.stamp = batch.stamp();
                Ok(())
            }
            (Ok(()), 1) => Err(DecodeError::NoSlot { tokens: batch.len() }),
            (Ok(()), 2) => Err(DecodeError::Aborted),
            (Ok(()), -1) => Err(DecodeError::Refused { reason: Failure::Null.explain(&capture.finish()) }),
            (result, code) => Err(DecodeError::Fatal { code, reason: raw::explain(result, &capture.finish()) }),
        }
    }

    /// Takes out of the memory what a stopped decode began and did not finish, where upstream leaves it in.
    fn discard_unfinished(&mut self, batch: &Batch) {
        let facts = self.model().facts();
        let stateful = facts.is_recurrent || facts.is_hybrid;
        // Upstream takes a token of several sequences out of the first one only.
        let shared = batch.places().any(|(_, seqs)| seqs.len() > 1);
        if !self.has_memory() || !(stateful || shared) {
            return;
        }
        let mut first: Vec<(SeqId, i32)> = Vec::new();
        for (pos, seqs) in batch.places() {
            for &seq in seqs {
                if !first.iter().any(|(known, _)| *known == seq) {
                    first.push((seq, pos.0));
                }
            }
        }
        let Ok(mut memory) = self.memory() else { return };
        for (seq, pos) in first {
            let cut = if stateful { None } else { memory.remove(seq, pos..).ok() };
            if cut.is_none() {
                // A whole sequence can always be removed.
                let _ = memory.remove(seq, ..);
            }
        }
    }

    /// What holds for any batch. `divisible`: whether upstream may cut it into micro-batches.
    fn check(&self, batch: &Batch, divisible: bool) -> Result<(), DecodeError> {
        if batch.is_empty() {
            return Err(DecodeError::Empty);
        }
        let limit = if divisible { self.n_batch() } else { self.n_ubatch().min(self.n_batch()) };
        if batch.len() > limit as usize {
            return Err(DecodeError::TooLarge { tokens: batch.len(), limit });
        }
        let n_vocab = self.model().facts().n_vocab;
        for (index, &token) in batch.tokens().iter().enumerate() {
            if !u32::try_from(token.0).is_ok_and(|id| id < n_vocab) {
                return Err(DecodeError::TokenOutOfRange { index, token, n_vocab });
            }
        }
        let n_seq_max = self.n_seq_max();
        let last = self.last_position();
        for (index, (pos, seqs)) in batch.places().enumerate() {
            if seqs.is_empty() || (1..seqs.len()).any(|i| seqs[..i].contains(&seqs[i])) {
                return Err(DecodeError::BadSequences { index });
            }
            for &seq in seqs {
                if !u32::try_from(seq.0).is_ok_and(|id| id < n_seq_max) {
                    return Err(DecodeError::SequenceOutOfRange { index, seq, n_seq_max });
                }
                if pos.0 < 0 {
                    return Err(DecodeError::PositionGap { seq, expected: Pos(0), found: pos });
                }
                if pos > last {
                    return Err(DecodeError::PositionTooLarge { seq, pos, last });
                }
            }
        }
        Ok(())
    }

    /// C looks learned positions up in a table and asserts that they are in it; elsewhere it counts one further.
    fn last_position(&self) -> Pos {
        let learned = self.model().learned_positions().map(|n| i32::try_from(n).unwrap_or(i32::MAX));
        Pos(learned.unwrap_or(i32::MAX) - 1)
    }

    /// Each sequence must go on where the KV cache ends, token by token.
    fn check_positions(&self, batch: &Batch) -> Result<(), DecodeError> {
        // SAFETY: the context is live, and it has a memory: the caller checked.
        let memory = unsafe { ffi::llama_get_memory(self.as_ptr()) };
        let mut next: Vec<(SeqId, i32)> = Vec::new();
        for (pos, seqs) in batch.places() {
            for &seq in seqs {
                let at = next.iter().position(|(known, _)| *known == seq).unwrap_or_else(|| {
                    // SAFETY: the sequence was checked to be below n_seq_max.
                    let last = unsafe { ffi::llama_memory_seq_pos_max(memory, seq.0) };
                    // An empty sequence may start anywhere, e.g. after its beginning was removed.
                    next.push((seq, if last < 0 { pos.0 } else { last.saturating_add(1) }));
                    next.len() - 1
                });
                let expected = &mut next[at].1;
                if *expected != pos.0 {
                    return Err(DecodeError::PositionGap { seq, expected: Pos(*expected), found: pos });
                }
                *expected = pos.0.saturating_add(1);
            }
        }
        Ok(())
    }
}
