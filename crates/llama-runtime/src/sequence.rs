//! One answer that is being written, as the scheduler sees it: [`Sequence`].

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use llama_core::Token;

use crate::plan::{AdapterKey, SeqKey, Slot};
use crate::priority::Priority;

/// What a sequence is, wherever it is: tokens that are known, and what was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    pub(crate) key: SeqKey,
    pub(crate) priority: Priority,
    /// What it counts as when others ask for its place: more than its priority once it has waited long.
    pub(crate) shield: Priority,
    pub(crate) adapters: AdapterKey,
    /// The prompt and what was generated. The last one is never in the cache: computing it tells the next one.
    pub(crate) known: Vec<Token>,
    /// How many of `known` are the prompt.
    pub(crate) prompt: usize,
    /// Most tokens it may ever know.
    pub(crate) limit: usize,
    /// How many tokens it will have is unknown, so room for them is reserved bit by bit.
    pub(crate) elastic: bool,
    /// Tokens of the prompt that were in the cache already when it was first started.
    pub(crate) reused: usize,
}

impl Work {
    /// Who goes first: the higher priority, then who came first. Smaller is first.
    pub(crate) fn rank(&self) -> (std::cmp::Reverse<Priority>, SeqKey) {
        (std::cmp::Reverse(self.priority), self.key)
    }
}

/// A sequence that has a slot.
#[derive(Debug, Clone)]
pub(crate) struct Sequence {
    pub(crate) work: Work,
    pub(crate) slot: Slot,
    /// How many of `work.known` the slot holds.
    pub(crate) computed: usize,
    /// Tokens there is a promise of room for; those the slot holds included.
    pub(crate) reserved: usize,
    /// The choice that computes the prompt for this one. Until it is done, this one has nothing to do.
    pub(crate) follows: Option<SeqKey>,
    /// Since when its reader has had no room.
    pub(crate) blocked: Option<Instant>,
    /// How many pieces there had been when it last got one, so that others can get theirs first.
    pub(crate) served: u64,
    /// Numbers of tokens after which a piece has to end, because somebody waits to copy exactly that many.
    pub(crate) stops: BTreeSet<usize>,
}

impl Sequence {
    /// Tokens it wants to have computed.
    pub(crate) fn wants(&self) -> usize {
        self.work.known.len() - self.computed
    }

    /// Tokens there is a promise of room for, and that are not in the cache yet.
    pub(crate) fn outstanding(&self) -> usize {
        // The one it follows has the cells of all but the last token of the prompt, and will share them.
        let shared = if self.follows.is_some() { self.work.prompt - 1 } else { self.computed };
        self.reserved.saturating_sub(shared)
    }

    /// Most tokens of its next piece, the last known one only with `sample`.
    pub(crate) fn chunk(&self, sample: bool) -> usize {
        let wants = self.wants() - usize::from(!sample).min(self.wants());
        let stop = self.stops.range(self.computed + 1..).next().map_or(usize::MAX, |stop| stop - self.computed);
        wants.min(stop)
    }
}

/// A sequence that gave its slot up and waits to get one again. What it has computed may still be in the cache.
#[derive(Debug, Clone)]
pub(crate) struct Parked {
    pub(crate) work: Work,
    /// When it gave its slot up.
    pub(crate) since: Instant,
    /// Its reader has no room: it does not come back before that changes.
    pub(crate) blocked: bool,
}

impl Parked {
    /// What it counts as after its wait.
    pub(crate) fn priority(&self, now: Instant, aging: Duration) -> Priority {
        self.work.shield.after(now.saturating_duration_since(self.since), aging)
    }
}
