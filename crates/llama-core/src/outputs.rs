//! What a decode computed: [`Outputs`] and [`Row`].

use crate::batch::OutputRow;
use crate::context::{Context, Pooling};
use crate::ids::SeqId;
use llama_sys as ffi;

/// Why there is no such output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    /// The row belongs to another batch, or to this one before it was cleared.
    #[error("this row belongs to another batch than the one that was decoded; ask before the next decode")]
    OtherBatch,
    /// The token was pushed with `Want::Nothing`, or after the decode.
    #[error("no output was requested for token {index} of the batch; push it with Want::Output")]
    NotRequested {
        /// Its index in the batch.
        index: usize,
    },
    /// The model makes no logits: it is an encoder, for embeddings only.
    #[error("this model makes no logits; ask for embeddings")]
    NoLogits,
    /// The context makes no embeddings.
    #[error("this context makes no embeddings; set ContextParams::embeddings")]
    NoEmbeddings,
    /// Embeddings are pooled per sequence, not per token.
    #[error("embeddings are pooled per sequence here; ask Outputs::sequence_embedding")]
    Pooled,
    /// Embeddings are per token, not pooled.
    #[error("embeddings are not pooled here; ask Row::embedding, or set ContextParams::pooling")]
    NotPooled,
    /// The sequence had no token in the batch.
    #[error("sequence {seq} had no token in the batch")]
    NoSuchSequence {
        /// The sequence.
        seq: SeqId,
    },
}

/// What the last decode computed. It borrows the context: the next decode replaces it.
#[derive(Debug)]
pub struct Outputs<'c> {
    ctx: &'c mut Context,
}

impl Context {
    /// What the last decode computed, again. Empty, that is without any row, before the first decode and after one that
    /// failed.
    pub fn outputs(&mut self) -> Outputs<'_> {
        Outputs { ctx: self }
    }
}

impl Outputs<'_> {
    /// The output of one token.
    ///
    /// # Errors
    ///
    /// [`OutputError::OtherBatch`], [`OutputError::NotRequested`].
    pub fn row(&self, row: OutputRow) -> Result<Row<'_>, OutputError> {
        let last = &self.ctx.last;
        if row.stamp != last.stamp {
            return Err(OutputError::OtherBatch);
        }
        let index = row.index.unsigned_abs() as usize;
        if last.wants.get(index) != Some(&1) {
            return Err(OutputError::NotRequested { index });
        }
        Ok(Row { ctx: self.ctx, index: row.index })
    }

    /// The pooled embedding of a sequence: [`n_embd_out`](crate::ModelFacts::n_embd_out) numbers, or with
    /// [`Pooling::Rank`] [`n_cls_out`](crate::ModelFacts::n_cls_out) scores, not normalised.
    ///
    /// # Errors
    ///
    /// [`OutputError::NoEmbeddings`], [`OutputError::NotPooled`], [`OutputError::NoSuchSequence`].
    #[doc(alias = "llama_get_embeddings_seq")]
    pub fn sequence_embedding(&self, seq: SeqId) -> Result<&[f32], OutputError> {
        if !self.ctx.has_embeddings() {
            return Err(OutputError::NoEmbeddings);
        }
        if self.ctx.last.wants.is_empty() {
            return Err(OutputError::NoSuchSequence { seq });
        }
        let facts = self.ctx.model().facts();
        let len = match self.ctx.pooling() {
            Pooling::None | Pooling::AsModelWants => return Err(OutputError::NotPooled),
            Pooling::Rank => facts.n_cls_out,
            Pooling::Mean | Pooling::Cls | Pooling::Last => facts.n_embd_out,
        };
        // SAFETY: the context is live and borrowed; unknown sequences give null.
        let data = unsafe { ffi::llama_get_embeddings_seq(self.ctx.as_ptr(), seq.0) };
        if data.is_null() {
            return Err(OutputError::NoSuchSequence { seq });
        }
        // SAFETY: not null, so it holds `len` floats of the context, which stays borrowed as long as the slice.
        Ok(unsafe { std::slice::from_raw_parts(data, len as usize) })
    }
}

/// The output of one token of the last decode.
#[derive(Debug, Clone, Copy)]
pub struct Row<'c> {
    ctx: &'c Context,
    index: i32,
}

impl<'c> Row<'c> {
    /// The logits: one number per token of the vocabulary, not normalised.
    ///
    /// # Errors
    ///
    /// [`OutputError::NoLogits`].
    #[doc(alias = "llama_get_logits_ith")]
    pub fn logits(&self) -> Result<&'c [f32], OutputError> {
        if !self.ctx.last.has_logits {
            return Err(OutputError::NoLogits);
        }
        // SAFETY: the context is live and borrowed, and `Context` is not `Sync`, so no other call runs; the row was
        // requested, and null means that there are no logits.
        let data = unsafe { ffi::llama_get_logits_ith(self.ctx.as_ptr(), self.index) };
        if data.is_null() {
            return Err(OutputError::NoLogits);
        }
        let n_vocab = self.ctx.model().facts().n_vocab as usize;
        // SAFETY: not null, so it is a row of n_vocab floats of the context, which stays borrowed as long as the slice.
        Ok(unsafe { std::slice::from_raw_parts(data, n_vocab) })
    }

    /// The token's embedding: [`n_embd_out`](crate::ModelFacts::n_embd_out) numbers, not normalised.
    ///
    /// # Errors
    ///
    /// [`OutputError::NoEmbeddings`], [`OutputError::Pooled`].
    #[doc(alias = "llama_get_embeddings_ith")]
    pub fn embedding(&self) -> Result<&'c [f32], OutputError> {
        if !self.ctx.has_embeddings() {
            return Err(OutputError::NoEmbeddings);
        }
        if self.ctx.pooling() != Pooling::None {
            return Err(OutputError::Pooled);
        }
        // SAFETY: as in `logits`.
        let data = unsafe { ffi::llama_get_embeddings_ith(self.ctx.as_ptr(), self.index) };
        if data.is_null() {
            return Err(OutputError::NoEmbeddings);
        }
        let len = self.ctx.model().facts().n_embd_out as usize;
        // SAFETY: not null, so it is a row of n_embd_out floats of the context, borrowed as long as the slice.
        Ok(unsafe { std::slice::from_raw_parts(data, len) })
    }
}
