//! A scheduler with an executor that cannot fail by itself: what most tests of a single rule need.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use llama_core::Token;

use crate::executor::{Abilities, Executor, Output, StepEnd};
use crate::ids::RequestId;
use crate::plan::{AdapterKey, Plan, SeqKey};
use crate::priority::Priority;
use crate::scheduler::{Ask, Bounds, Outcome, Scheduler, Settled, Why};
use crate::testing::{FakeExecutor, FakeModel, Script, Trouble};

pub(super) const MS: Duration = Duration::from_millis(1);
pub(super) const MODEL: FakeModel = FakeModel { vocabulary: 1000, end_every: 0 };

/// Bounds that get in nobody's way.
pub(super) fn wide() -> Bounds {
    Bounds {
        max_sequences: 4,
        step_tokens: 64,
        step_time: Duration::from_secs(1),
        min_chunk: 8,
        min_prefix: 4,
        prefix_reuse: true,
        host_memory: 0,
        park_after: 10 * MS,
        aging: Duration::ZERO,
        elastic_block: 16,
    }
}

pub(super) fn ask(id: u64, prompt: std::ops::Range<i32>, max_tokens: usize) -> Ask {
    Ask {
        id: RequestId(id),
        prompt: prompt.map(Token).collect(),
        max_tokens: Some(max_tokens),
        choices: 1,
        priority: Priority::Normal,
        adapters: AdapterKey(0),
        embeds: Vec::new(),
    }
}

pub(super) fn seq(request: u64) -> SeqKey {
    SeqKey { request: RequestId(request), choice: 0 }
}

pub(super) fn embed(id: u64, lengths: &[usize]) -> Ask {
    let embeds = lengths.iter().map(|len| (0..*len).map(|_| Token(1)).collect::<Arc<[Token]>>()).collect();
    Ask { prompt: Arc::new([]), embeds, ..ask(id, 0..0, 1) }
}

/// A scheduler, an executor, and what came out so far.
pub(super) struct Turn {
    pub(super) scheduler: Scheduler,
    pub(super) executor: FakeExecutor,
    pub(super) script: Script,
    pub(super) now: Instant,
    pub(super) answers: BTreeMap<SeqKey, Vec<Token>>,
    pub(super) ended: BTreeSet<SeqKey>,
    /// Readers without room.
    pub(super) blocked: BTreeSet<SeqKey>,
    wanted: BTreeMap<RequestId, usize>,
}

impl Turn {
    pub(super) fn new(abilities: Abilities, bounds: Bounds) -> Self {
        let script = Script::default();
        Self {
            scheduler: Scheduler::new(abilities, bounds),
            executor: FakeExecutor::new(abilities, MODEL, script.clone()),
            script,
            now: Instant::now(),
            answers: BTreeMap::new(),
            ended: BTreeSet::new(),
            blocked: BTreeSet::new(),
            wanted: BTreeMap::new(),
        }
    }

    pub(super) fn admit(&mut self, ask: Ask) -> Result<(), Why> {
        let (id, most) = (ask.id, ask.max_tokens.unwrap_or(usize::MAX));
        self.scheduler.admit(&ask, self.now)?;
        self.wanted.insert(id, most);
        Ok(())
    }

    pub(super) fn plan(&mut self) -> Plan {
        let blocked = &self.blocked;
        self.scheduler.plan(self.now, &|seq| !blocked.contains(&seq))
    }

    /// One step with everything, which takes a millisecond.
    pub(super) fn step(&mut self) -> (Plan, Settled) {
        let plan = self.plan();
        let settled = self.finish(&plan);
        (plan, settled)
    }

    /// Carries a plan out and settles it.
    pub(super) fn finish(&mut self, plan: &Plan) -> Settled {
        let result = self.executor.step(plan);
        let mut outcomes = Vec::new();
        if matches!(result.end, StepEnd::Done | StepEnd::Poisoned) {
            for (piece, output) in plan.pieces.iter().zip(&result.outputs) {
                let Output::Sampled(sampled) = output else {
                    outcomes.push(Outcome::Stored);
                    continue;
                };
                let answer = self.answers.entry(piece.seq).or_default();
                answer.push(sampled.token);
                let full = answer.len() >= self.wanted[&piece.seq.request]
                    || Some(piece.start + piece.tokens.len() + 1) == self.scheduler.limit(piece.seq);
                outcomes.push(if full { Outcome::Ended } else { Outcome::Next(sampled.token) });
                if full {
                    self.ended.insert(piece.seq);
                }
            }
        }
        self.now += MS;
        self.scheduler.settle(plan, &result, &outcomes, (MS, self.now))
    }

    /// One step that goes wrong.
    pub(super) fn step_with(&mut self, trouble: Trouble) -> (Plan, Settled) {
        self.script.add([trouble]);
        self.step()
    }

    /// Steps until everybody is done.
    pub(super) fn drain(&mut self) {
        for _ in 0..1000 {
            if self.scheduler.is_idle() {
                return;
            }
            self.step();
        }
        panic!("not idle after 1000 steps: {:?}", self.scheduler);
    }
}

/// What a plan computes, to be compared: of whom, from where, how much, and whether a token is chosen.
pub(super) fn pieces(plan: &Plan) -> Vec<(u64, usize, usize, bool)> {
    let piece = |piece: &crate::plan::Piece| (piece.seq.request.0, piece.start, piece.tokens.len(), piece.sample);
    plan.pieces.iter().map(piece).collect()
}
