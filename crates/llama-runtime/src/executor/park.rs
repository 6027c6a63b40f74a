//! Sequences saved in host memory: [`Parked`].

use std::collections::HashMap;

use llama_core::{Context, SavedSequence, SeqId, StateError, Token};

use super::StepResult;
use crate::plan::{BlobId, CacheOp};

/// Sequences saved in host memory. They stay valid when the context is made anew: what was saved carries the fingerprint of
/// its model and the layout of its cache.
#[derive(Debug, Default)]
pub(super) struct Parked {
    blobs: HashMap<BlobId, Blob>,
}

#[derive(Debug)]
struct Blob {
    bytes: Vec<u8>,
    /// How many the sequence is made of.
    tokens: usize,
}

impl Parked {
    /// Saves a sequence made of `tokens`; a blob of that name is replaced. Answers its bytes.
    pub(super) fn save(
        &mut self,
        context: &mut Context,
        seq: SeqId,
        blob: BlobId,
        tokens: &[Token],
    ) -> Result<usize, StateError> {
        let bytes = context.save_sequence(seq, tokens)?;
        let size = bytes.len();
        self.blobs.insert(blob, Blob { bytes, tokens: tokens.len() });
        Ok(size)
    }

    /// Fills a sequence. Answers how many tokens it holds now; `None` if there is no such blob, or it is not what was saved:
    /// the sequence may hold anything then.
    pub(super) fn load(&self, context: &mut Context, seq: SeqId, blob: BlobId) -> Result<Option<usize>, StateError> {
        let Some(Blob { bytes, tokens }) = self.blobs.get(&blob) else { return Ok(None) };
        let loaded = context.load_sequence(seq, bytes)?;
        let next = context.memory()?.next_position(seq)?;
        let whole = loaded.len() == *tokens && usize::try_from(next.0).is_ok_and(|next| next == *tokens);
        Ok(whole.then_some(*tokens))
    }

    /// Takes in what was saved elsewhere, if the context could load it.
    pub(super) fn import(&mut self, context: &Context, blob: BlobId, bytes: Vec<u8>) -> Result<Vec<Token>, StateError> {
        let SavedSequence { tokens, next_position, .. } = context.check_sequence(&bytes)?;
        // Else the tokens are not those of the state.
        if tokens.is_empty() || next_position != tokens.len() {
            return Err(StateError::Damaged);
        }
        self.blobs.insert(blob, Blob { bytes, tokens: tokens.len() });
        Ok(tokens)
    }

    pub(super) fn bytes(&self, blob: BlobId) -> Option<&[u8]> {
        self.blobs.get(&blob).map(|blob| &*blob.bytes)
    }

    pub(super) fn take(&mut self, blob: BlobId) -> Option<Vec<u8>> {
        self.blobs.remove(&blob).map(|blob| blob.bytes)
    }

    /// An operation where there is no context.
    pub(super) fn skip(&mut self, op: &CacheOp, result: &mut StepResult) {
        match op {
            CacheOp::Save { blob, .. } => result.saved.push((*blob, None)),
            CacheOp::Load { blob, .. } => result.not_loaded.push(*blob),
            CacheOp::Forget { blob } => self.forget(*blob),
            CacheOp::Copy { .. } | CacheOp::Truncate { .. } => {}
        }
    }

    /// Gives the host memory of a blob back.
    pub(super) fn forget(&mut self, blob: BlobId) {
        self.blobs.remove(&blob);
    }
}
