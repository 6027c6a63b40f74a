//! The seam between deciding and computing: [`Executor`], what it is given and what it answers.
//!
//! Two implement it: the one over llama.cpp, and a fake for tests, which fails, stalls and panics on demand. All calls
//! come from one thread, the engine's.

mod abilities;
pub(crate) mod abort;
mod embed;
mod fill;
mod layout;
pub(crate) mod llama;
mod pacing;
mod park;
mod sample;
#[cfg(test)]
mod tests;
mod thinking;

use std::sync::Arc;

use llama_core::{SampleError, SamplingParams, Token, TokenLogprob};

use crate::error::GenerateError;
use crate::executor::abort::AbortSwitch;
use crate::ids::RequestId;
use crate::plan::{BlobId, Plan, SeqKey, Slot};
use crate::saved::PrefixError;
use crate::structure::Compiled;
use crate::threads::ThreadCounts;
pub(crate) use pacing::Asked;
pub(crate) use thinking::ThinkingBudget;

/// What the memory behind an executor can do, and how much there is of it. Fixed for the life of an executor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Abilities {
    /// Sequence ids there are: for running sequences, and for prefixes that are kept.
    pub(crate) slots: usize,
    /// KV cells in tokens, for all slots together; `None` where the state has one size however long the sequence is.
    pub(crate) cells: Option<usize>,
    /// Most tokens of one sequence.
    pub(crate) sequence_limit: usize,
    /// Most tokens of one plan's pieces.
    pub(crate) batch_limit: usize,
    /// Whether a sequence can be cut, and the beginning of one copied. If not, only whole sequences can be reused: recurrent
    /// and hybrid models, and sliding windows.
    pub(crate) partial: bool,
    /// Whether text can be generated at all; not by an encoder.
    pub(crate) generates: bool,
    /// Most tokens of one input to embed; 0 if there are no embeddings.
    pub(crate) embed_limit: usize,
    /// Most inputs to embed in one plan.
    pub(crate) embed_batch: usize,
    /// About how many bytes of host memory a saved sequence takes: a part that does not depend on its length ..
    pub(crate) saved_bytes: usize,
    /// .. and a part for each token.
    pub(crate) saved_bytes_per_token: usize,
}

/// How the tokens of a request are chosen. Shared by its choices.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) prompt: Arc<[Token]>,
    /// Its grammar included, if that is GBNF.
    pub(crate) sampling: SamplingParams,
    /// A structure that masks enforce.
    pub(crate) structure: Option<Compiled>,
    /// Text that the grammar has to read first: the beginning of the answer that is part of the prompt.
    pub(crate) grammar_prefix: Vec<Token>,
    /// Alternatives to tell for each token; `None` for no log probabilities.
    pub(crate) logprobs: Option<usize>,
    /// Tokens of the vocabulary that are written out although they are special ones: markers a parser looks for.
    pub(crate) preserved: Vec<Token>,
    /// Whether all special tokens are written out.
    pub(crate) specials: bool,
    /// How long it may think; `None` for as long as it likes. Not together with `structure`.
    pub(crate) thinking: Option<ThinkingBudget>,
    /// Adapters by name, with their scales.
    pub(crate) adapters: Vec<(String, f32)>,
}

/// A token that was chosen.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sampled {
    pub(crate) token: Token,
    /// What it adds to the text; not always whole characters.
    pub(crate) bytes: Vec<u8>,
    /// The token ends the answer and is not part of it.
    pub(crate) ends: bool,
    /// The grammar or structure is complete after this token: nothing but the end can follow.
    pub(crate) complete: bool,
    pub(crate) logprobs: Option<TokenLogprobs>,
}

/// Log probabilities of one place in the answer, before any sampling stage.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TokenLogprobs {
    /// Of the token that was chosen; `None` where it has none (it was banned by a bias, for example).
    pub(crate) chosen: Option<TokenLogprob>,
    /// The likeliest ones, with their bytes.
    pub(crate) top: Vec<(TokenLogprob, Vec<u8>)>,
}

/// What became of one piece.
#[derive(Debug, Clone)]
pub(crate) enum Output {
    /// It is in the cache, and no token was asked for.
    Stored,
    /// It is in the cache, and this token comes next.
    Sampled(Sampled),
    /// The slot does not hold what the plan says, but this many tokens; nothing was computed. So it goes after an operation on
    /// the slot that failed: the slot is empty then.
    Misplaced { held: usize },
    /// No token could be chosen. Only this sequence is hurt.
    Failed(GenerateError),
}

impl Output {
    /// Whether no token could be chosen since the logits are not numbers. It is the sequence's own doing only if nobody else
    /// was in the cache.
    pub(crate) fn is_no_number(&self) -> bool {
        matches!(self, Self::Failed(GenerateError::Sample(error)) if **error == SampleError::NanLogits)
    }
}

/// How the step as a whole ended.
#[derive(Debug, Clone)]
pub(crate) enum StepEnd {
    /// All pieces were computed.
    Done,
    /// There was no room for the pieces in the cache; the operations were carried out, and nothing was computed.
    NoRoom,
    /// It was stopped, and no token was chosen: the slots of the pieces hold this many tokens now. Sequences go on from where
    /// they were where that is possible; else (recurrent state, a sliding window that moved on) their slots are empty.
    Aborted { held: Vec<(Slot, usize)> },
    /// All pieces were computed, but some logits were not numbers: [`Output::is_no_number`]. Through the cache that reaches
    /// whatever is computed later, of other sequences too, so the cache was made anew and is empty now.
    Poisoned,
    /// The backend failed, and the cache is empty now; saved sequences stay. The sequences of the pieces fail with the error.
    /// With [`GenerateError::Crashed`] the executor is of no more use: every later step fails like this.
    Failed(GenerateError),
}

/// What a step did.
#[derive(Debug, Clone)]
pub(crate) struct StepResult {
    pub(crate) end: StepEnd,
    /// One for each piece, in order, if the end is [`StepEnd::Done`] or [`StepEnd::Poisoned`]; empty otherwise.
    pub(crate) outputs: Vec<Output>,
    /// Bytes of each saved sequence, `None` for one that could not be saved.
    pub(crate) saved: Vec<(BlobId, Option<usize>)>,
    /// Blobs that could not be loaded, and slots that are empty although the plan wanted something in them.
    pub(crate) not_loaded: Vec<BlobId>,
    /// One for each embedding piece that was computed or failed. Those that are missing were not computed, since the step was
    /// stopped before them: plan them again.
    pub(crate) embeddings: Vec<(RequestId, u32, Result<Vec<f32>, GenerateError>)>,
}

/// Carries out plans over one model.
pub(crate) trait Executor {
    /// What it can do; the same at every call.
    fn abilities(&self) -> Abilities;

    /// Makes what is needed to choose the tokens of a sequence: a sampler, its grammar.
    ///
    /// # Errors
    ///
    /// The request fails with it, and nothing else is hurt.
    fn open(&mut self, seq: SeqKey, work: &Arc<Work>) -> Result<(), GenerateError>;

    /// Gives that back. Harmless for a sequence that was not opened.
    fn close(&mut self, seq: SeqKey);

    /// Carries out a plan. Never panics by itself; the engine catches those of a bug.
    ///
    /// Aborts that were asked for before the call and not cleared hold: nothing is computed then.
    fn step(&mut self, plan: &Plan) -> StepResult;

    /// Takes in a sequence that was saved by an executor of this kind, under a name that is new, as if a plan had saved it.
    /// Answers its tokens.
    ///
    /// # Errors
    ///
    /// It cannot be loaded here: [`PrefixError`] says why. There is no such blob then.
    fn import(&mut self, blob: BlobId, bytes: Vec<u8>) -> Result<Vec<Token>, PrefixError>;

    /// The bytes of a saved sequence, which stays.
    fn export(&self, blob: BlobId) -> Option<Vec<u8>>;

    /// The bytes of a saved sequence, which is forgotten.
    fn take_out(&mut self, blob: BlobId) -> Option<Vec<u8>>;

    /// Stops steps from any thread; the same switch for the life of the executor, whatever it makes anew.
    fn abort_switch(&self) -> AbortSwitch;

    /// Forgets aborts asked for before this call.
    fn clear_abort(&mut self);

    /// Threads that steps are computed with now.
    fn threads(&self) -> ThreadCounts;
}
