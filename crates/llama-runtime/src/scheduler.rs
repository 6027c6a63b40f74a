//! Who computes what next: [`Scheduler`]. It decides, and does nothing else.
//!
//! It knows tokens, slots, cells and budgets; not what tokens mean, who reads them, or how they are computed. It has no clock
//! and no randomness: the same calls give the same plans. One turn of the engine is
//!
//! 1. [`admit`](Scheduler::admit) for who waits, in the order of the queue; [`end`](Scheduler::end) for who left;
//! 2. [`plan`](Scheduler::plan), and an [`Executor`](crate::executor::Executor) carries the plan out;
//! 3. [`settle`](Scheduler::settle) with what came out.
//!
//! Between `plan` and `settle` only `end` and `end_request` may be called.
//!
//! **One rule for prompts and answers.** A sequence knows some tokens, and some of them are computed. A step gives out a
//! budget of tokens to close the gap. Answers, which want one token each, go first; prompts get what is left, less of it
//! where a step would become too slow for those who watch an answer grow. A sequence that was parked just has a gap again.
//!
//! **Room is reserved** when a request is admitted, for its prompt and the longest answer it may get, so that it cannot fail
//! for want of room later. Where the longest answer is unknown, room is reserved block by block, and the youngest of those is
//! parked when no block is left. What runs out of its slot stays in the cache until somebody needs the room, and in host
//! memory after that; whoever begins with the same tokens does not compute them again.

mod admit;
mod cache;
mod compose;
mod host;
mod keep;
mod park;
mod settle;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use llama_core::Token;

use crate::error::GenerateError;
use crate::estimate::Estimator;
use crate::executor::Abilities;
use crate::ids::RequestId;
use crate::plan::{AdapterKey, BlobId, SeqKey, Slot};
use crate::priority::Priority;
use crate::sequence::{Parked, Sequence};
use cache::Cache;
pub(crate) use keep::{Kept, NoPlace, Placed};

/// A request, as far as the scheduler has to know it.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) id: RequestId,
    /// Empty for a request to embed.
    pub(crate) prompt: Arc<[Token]>,
    /// Most tokens of each answer; `None` for as long as the sequence may get.
    pub(crate) max_tokens: Option<usize>,
    /// Answers to the same prompt; at least one.
    pub(crate) choices: u32,
    pub(crate) priority: Priority,
    pub(crate) adapters: AdapterKey,
    /// Inputs to embed.
    pub(crate) embeds: Vec<Arc<[Token]>>,
}

/// What the scheduler keeps to, beyond what the executor can do.
#[derive(Debug, Clone)]
pub(crate) struct Bounds {
    /// Most sequences that run at the same time; never more than the executor has slots. At least one.
    pub(crate) max_sequences: usize,
    /// Most tokens of one step. At least one.
    pub(crate) step_tokens: usize,
    /// How long a step should take at most while an answer is being written.
    pub(crate) step_time: Duration,
    /// Tokens of prompts that a step computes even if it takes longer than that.
    pub(crate) min_chunk: usize,
    /// Fewest tokens that are worth copying, waiting for or saving.
    pub(crate) min_prefix: usize,
    /// Whether what a request computed is kept for later ones.
    pub(crate) prefix_reuse: bool,
    /// Bytes of host memory for what does not fit into the cache; 0 for none.
    pub(crate) host_memory: usize,
    /// How long a reader may leave no room before its sequence gives way to others.
    pub(crate) park_after: Duration,
    /// A parked sequence counts as one priority higher after each such time; 0 turns that off.
    pub(crate) aging: Duration,
    /// Tokens that are reserved at a time for an answer of unknown length.
    pub(crate) elastic_block: usize,
}

/// A request that could not be served even if it were alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NeverFits {
    /// It has no prompt, no choice, or an input without tokens.
    #[error("there is nothing to compute")]
    Empty,
    /// The model cannot do what it asks for: generate, or embed.
    #[error("the model cannot do that")]
    NotAble,
    /// The prompt leaves no room for an answer.
    #[error("the prompt has {tokens} tokens, and at most {limit} leave room for an answer")]
    PromptTooLong { tokens: usize, limit: usize },
    /// Prompt and answers need more of the KV cache than there is.
    #[error("the request needs {cells} cells of the KV cache, which has {total}")]
    TooManyCells { cells: usize, total: usize },
    /// All choices run together, and there are too many.
    #[error("{choices} choices are more than the {limit} sequences that can run together")]
    TooManyChoices { choices: u32, limit: usize },
    /// An input to embed is too long.
    #[error("input {input} has {tokens} tokens, and at most {limit} can be embedded at once")]
    InputTooLong { input: usize, tokens: usize, limit: usize },
}

/// Why a request is not admitted now. Ask again after the next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// As many sequences run as may.
    Slots,
    /// There is no room in the cache for its prompt and its answer.
    Cells,
    /// This sequence is computing tokens that the request can copy soon. Others behind it in the queue need not wait.
    Prefix { leader: SeqKey },
    /// A parked sequence comes first.
    Behind { parked: SeqKey },
}

/// What the engine made of one piece, after it looked at the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The piece asked for no token.
    Stored,
    /// The answer goes on with this token.
    Next(Token),
    /// The answer ends here.
    Ended,
}

/// A sequence that failed and is gone, or an embedding request, then with choice 0.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) seq: SeqKey,
    pub(crate) error: GenerateError,
}

/// What a step changed, beyond what the engine decided itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settled {
    pub(crate) faults: Vec<Fault>,
    /// Embedding requests whose last input is done.
    pub(crate) embedded: Vec<RequestId>,
}

/// How far a sequence is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) prompt: usize,
    /// Of those, how many are in the cache. They may get fewer: a parked sequence has none.
    pub(crate) computed: usize,
    /// Of the prompt, how many were in the cache before it started.
    pub(crate) reused: usize,
}

/// A snapshot for people and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct SchedulerStats {
    pub(crate) running: usize,
    pub(crate) parked: usize,
    /// Embedding requests.
    pub(crate) embedding: usize,
    /// Cells that hold something, cached prefixes included.
    pub(crate) cells_used: usize,
    /// Cells that running sequences hold, or have a promise of.
    pub(crate) cells_reserved: usize,
    /// Cells that hold only cached prefixes.
    pub(crate) cells_cached: usize,
    pub(crate) cells_total: Option<usize>,
    pub(crate) host_bytes: usize,
    /// Prompt tokens that requests found in the cache or in host memory, since the start.
    pub(crate) prompt_reused: u64,
    /// Prompt tokens that were computed, since the start; a second time included.
    pub(crate) prompt_computed: u64,
    /// Sequences that had to give way, since the start.
    pub(crate) parkings: u64,
}

/// Where a beginning of a sequence is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Slot(Slot),
    Blob(BlobId),
}

/// The first `len` of the `whole` tokens somewhere are what is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Found {
    source: Source,
    len: usize,
    whole: usize,
}

/// A request for embeddings that is not done.
#[derive(Debug)]
struct EmbedJob {
    inputs: Vec<Arc<[Token]>>,
    done: Vec<bool>,
    priority: Priority,
}

/// Decides which sequences run and what each step computes; see the module's documentation.
#[derive(Debug)]
pub(crate) struct Scheduler {
    abilities: Abilities,
    bounds: Bounds,
    cache: Cache,
    running: BTreeMap<SeqKey, Sequence>,
    parked: BTreeMap<SeqKey, Parked>,
    embeds: BTreeMap<RequestId, EmbedJob>,
    estimator: Estimator,
    /// Fewer than [`Bounds::max_sequences`] after the cache had less room than promised or was poisoned, until a sequence ends.
    crowd: usize,
    /// The only one that computed anything since the cache was found poisoned.
    alone: Option<SeqKey>,
    /// Most requests to embed that run at the same time. They need no slots, and an encoder has none.
    embedding: usize,
    /// Counts plans.
    step: u64,
    /// Counts pieces.
    served: u64,
    /// The last step of each set of adapters.
    turns: BTreeMap<AdapterKey, u64>,
    /// A plan is being carried out.
    in_flight: bool,
    /// Who ended meanwhile.
    ending: Vec<SeqKey>,
    counts: SchedulerStats,
}

impl Scheduler {
    pub(crate) fn new(abilities: Abilities, mut bounds: Bounds) -> Self {
        let embedding = bounds.max_sequences.max(1);
        bounds.max_sequences = bounds.max_sequences.min(abilities.slots).max(1);
        bounds.step_tokens = bounds.step_tokens.max(1);
        Self {
            cache: Cache::new(&abilities, &bounds),
            crowd: bounds.max_sequences,
            alone: None,
            embedding,
            abilities,
            bounds,
            running: BTreeMap::new(),
            parked: BTreeMap::new(),
            embeds: BTreeMap::new(),
            estimator: Estimator::default(),
            step: 0,
            served: 0,
            turns: BTreeMap::new(),
            in_flight: false,
            ending: Vec::new(),
            counts: SchedulerStats::default(),
        }
    }

    /// A sequence is over: finished, cancelled, late. What it computed is kept as a prefix for others. Harmless for one that
    /// is gone already.
    pub(crate) fn end(&mut self, seq: SeqKey) {
        if self.in_flight {
            self.ending.push(seq);
            return;
        }
        self.parked.remove(&seq);
        if let Some(sequence) = self.running.remove(&seq) {
            self.cache.release(sequence.slot, self.bounds.prefix_reuse);
            self.crowd = self.bounds.max_sequences;
        }
    }

    /// All choices of a request are over, or its embeddings.
    pub(crate) fn end_request(&mut self, id: RequestId) {
        self.embeds.remove(&id);
        let all = self.running.keys().chain(self.parked.keys());
        for seq in all.copied().filter(|seq| seq.request == id).collect::<Vec<_>>() {
            self.end(seq);
        }
    }

    /// Whether there is nobody to compute anything for.
    #[cfg(test)]
    pub(crate) fn is_idle(&self) -> bool {
        self.running.is_empty() && self.parked.is_empty() && self.embeds.is_empty()
    }

    /// Gives up all cached prefixes; the next plan tells the executor.
    #[cfg(test)]
    pub(crate) fn clear_cache(&mut self) {
        self.cache.clear();
    }

    /// When to plan again although nothing happened: a reader's patience is over then, and somebody may need the room.
    pub(crate) fn wake_at(&self, now: Instant) -> Option<Instant> {
        let blocked = self.running.values().filter_map(|sequence| sequence.blocked);
        blocked.filter_map(|since| since.checked_add(self.bounds.park_after)).filter(|at| *at > now).min()
    }

    /// Sequences that have a slot, in the order of their arrival.
    #[cfg(test)]
    pub(crate) fn running(&self) -> impl Iterator<Item = SeqKey> {
        self.running.keys().copied()
    }

    /// Most tokens, those of the prompt included, that a sequence may know. The engine ends it when it has so many.
    #[cfg(test)]
    pub(crate) fn limit(&self, seq: SeqKey) -> Option<usize> {
        let parked = || self.parked.get(&seq).map(|parked| &parked.work);
        self.running.get(&seq).map(|sequence| &sequence.work).or_else(parked).map(|work| work.limit)
    }

    pub(crate) fn progress(&self, seq: SeqKey) -> Option<Progress> {
        if let Some(Sequence { work, computed, .. }) = self.running.get(&seq) {
            return Some(Progress { prompt: work.prompt, computed: work.prompt.min(*computed), reused: work.reused });
        }
        let work = &self.parked.get(&seq)?.work;
        Some(Progress { prompt: work.prompt, computed: 0, reused: work.reused })
    }

    pub(crate) fn stats(&self) -> SchedulerStats {
        let cells = self.cache.cells();
        SchedulerStats {
            running: self.running.len(),
            parked: self.parked.len(),
            embedding: self.embeds.len(),
            cells_used: cells.used(),
            cells_reserved: self.promised(),
            cells_cached: cells.used() - cells.held(),
            cells_total: cells.total(),
            host_bytes: self.cache.host_bytes(),
            ..self.counts
        }
    }

    /// How long the first token of a new request would take to come, with so many prompt tokens to be computed before its own;
    /// `None` before anything was measured.
    pub(crate) fn expected_first_token(&self, tokens_ahead: usize, prompt: usize) -> Option<Duration> {
        let gap = |sequence: &Sequence| if sequence.follows.is_some() { 0 } else { sequence.wants() };
        let running: usize = self.running.values().map(gap).sum();
        self.estimator.prefill(running + tokens_ahead + prompt, self.prompt_budget(self.answering()))
    }

    /// Prompt tokens computed in a second; `None` before anything was measured.
    pub(crate) fn prefill_rate(&self) -> Option<f64> {
        self.estimator.prefill_rate(self.prompt_budget(self.answering()))
    }

    /// Answers that somebody watches grow.
    fn answering(&self) -> usize {
        let grows = |s: &&Sequence| s.follows.is_none() && s.blocked.is_none() && s.wants() == 1;
        self.running.values().filter(grows).count()
    }

    /// Cells that running sequences hold or have a promise of.
    fn promised(&self) -> usize {
        let outstanding: usize = self.running.values().map(Sequence::outstanding).sum();
        self.cache.cells().held() + outstanding
    }
}
