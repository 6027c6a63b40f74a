//! What one step does, as plain data: [`Plan`].
//!
//! The scheduler makes it, an [`Executor`](crate::executor::Executor) carries it out, and neither knows the other. A test of
//! the scheduler reads: given these sequences and this budget, expect this plan.

use std::sync::Arc;

use llama_core::{SeqId, Token};

use crate::ids::RequestId;

/// One answer that is being written: a choice of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SeqKey {
    pub(crate) request: RequestId,
    /// From 0; below the request's number of choices.
    pub(crate) choice: u32,
}

/// A place in the KV cache: one of llama.cpp's sequence ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Slot(pub(crate) u16);

impl Slot {
    /// llama.cpp's name for it.
    pub(crate) fn seq_id(self) -> SeqId {
        SeqId(i32::from(self.0))
    }
}

/// A sequence saved in host memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct BlobId(pub(crate) u64);

/// Which adapters, at which scales: requests with the same key can be computed together and share prefixes. 0 is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct AdapterKey(pub(crate) u64);

/// A change of the KV cache. Those of a plan are done in order, before anything is computed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum CacheOp {
    /// `to`, which is empty, gets the first `len` tokens of `from`. Where parts cannot be copied (recurrent state), `len` is
    /// all that `from` holds.
    Copy { from: Slot, to: Slot, len: usize },
    /// Only the first `len` tokens of `slot` stay; 0 empties it. Where parts cannot be removed, `len` is 0.
    Truncate { slot: Slot, len: usize },
    /// Saves `slot`, which holds `tokens`, to host memory. The slot stays as it is.
    Save { slot: Slot, blob: BlobId, tokens: Vec<Token> },
    /// Fills `slot`, which is empty, from host memory. The blob stays.
    Load { blob: BlobId, slot: Slot },
    /// Gives the host memory back.
    Forget { blob: BlobId },
}

/// Tokens of one sequence to compute in this step. Pieces of one plan are of different slots.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Piece {
    pub(crate) seq: SeqKey,
    pub(crate) slot: Slot,
    /// Tokens the slot holds already; the position of the first token.
    pub(crate) start: usize,
    /// At least one.
    pub(crate) tokens: Vec<Token>,
    /// Whether these are the last known tokens, so that the next one is to be chosen.
    pub(crate) sample: bool,
}

/// One text to embed: whole, since it cannot be cut up.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EmbedPiece {
    pub(crate) request: RequestId,
    /// Which of the request's inputs, from 0.
    pub(crate) input: u32,
    pub(crate) tokens: Arc<[Token]>,
}

/// What one step does.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Plan {
    pub(crate) ops: Vec<CacheOp>,
    pub(crate) adapters: AdapterKey,
    pub(crate) pieces: Vec<Piece>,
    pub(crate) embeds: Vec<EmbedPiece>,
}

impl Plan {
    /// Nothing to do.
    pub(crate) fn is_empty(&self) -> bool {
        self.ops.is_empty() && self.pieces.is_empty() && self.embeds.is_empty()
    }

    /// Tokens to compute, embeddings included.
    pub(crate) fn tokens(&self) -> usize {
        let pieces: usize = self.pieces.iter().map(|piece| piece.tokens.len()).sum();
        pieces + self.embeds.iter().map(|embed| embed.tokens.len()).sum::<usize>()
    }
}
