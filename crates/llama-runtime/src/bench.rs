//! The scheduler alone, for this repository's benchmarks: [`Steps`] makes it decide step after step, and computes nothing.
//!
//! Behind the feature `testing`, and no part of the interface: it may change with any release.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use llama_core::Token;

use crate::config::EngineConfig;
use crate::executor::{Abilities, Output, Sampled, StepEnd, StepResult};
use crate::ids::RequestId;
use crate::plan::{AdapterKey, CacheOp, Plan, SeqKey};
use crate::priority::Priority;
use crate::scheduler::{Ask, Outcome, Scheduler, Why};

/// Tokens of an ordinary prompt.
const PROMPT: usize = 256;
/// Tokens of the prompts of [`Load::Prompts`] and [`Load::Sharing`].
const LONG_PROMPT: usize = 4096;
/// Sequences of [`Load::Prompts`] that compute prompts.
const PROMPTS: usize = 8;
/// Tokens of prompts and answers of [`Load::Turnover`].
const SHORT: usize = 64;

/// What the scheduler has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// All sequences write answers.
    Answers,
    /// As before, and as many requests as there are sequences wait behind them.
    Queue,
    /// Eight of the sequences compute prompts of 4096 tokens, again and again.
    Prompts,
    /// One sequence computes a prompt of 4096 tokens, and the requests of the queue wait to share it.
    Sharing,
    /// Answers of 64 tokens end and requests begin, in a cache full of prefixes and beside a full host memory.
    Turnover,
}

/// A scheduler under a load that never ends.
#[derive(Debug)]
pub struct Steps {
    scheduler: Scheduler,
    load: Load,
    sequences: usize,
    /// In the order of their arrival, not admitted yet.
    waiting: VecDeque<Ask>,
    /// Tokens that each answer still gets.
    left: BTreeMap<SeqKey, usize>,
    over: Vec<SeqKey>,
    next: u64,
    now: Instant,
}

impl Steps {
    /// `sequences` requests, whose prompts are computed already where that belongs to the load.
    pub fn new(load: Load, sequences: usize) -> Self {
        let mut config = EngineConfig::default();
        config.batch.max_sequences = u32::try_from(sequences).unwrap_or(u32::MAX);
        let cells = sequences * if load == Load::Turnover { 3 * SHORT } else { 6 << 10 };
        let abilities = Abilities {
            slots: 2 * sequences + 8,
            cells: Some(cells),
            sequence_limit: cells,
            batch_limit: usize::MAX,
            partial: true,
            generates: true,
            embed_limit: 0,
            embed_batch: 0,
            saved_bytes: 1 << 10,
            saved_bytes_per_token: 16 << 10,
        };
        let mut steps = Self {
            scheduler: Scheduler::new(abilities, config.bounds()),
            load,
            sequences,
            waiting: VecDeque::new(),
            left: BTreeMap::new(),
            over: Vec::new(),
            next: 0,
            now: Instant::now(),
        };
        steps.fill();
        steps
    }

    /// Makes the requests that the next step is to find. Not what is measured.
    pub fn prepare(&mut self) {
        match self.load {
            Load::Answers => {}
            Load::Queue => {
                while self.waiting.len() < self.sequences {
                    self.ask(PROMPT);
                }
            }
            Load::Prompts => {
                while self.left.len() + self.waiting.len() < self.sequences {
                    self.ask(LONG_PROMPT);
                }
            }
            Load::Sharing => self.share(),
            Load::Turnover => {
                while self.waiting.len() < 2 {
                    self.ask(SHORT);
                }
            }
        }
    }

    /// All that the scheduler does in one turn of the engine: who is over leaves, who waits is looked at, a plan is made, what
    /// came of it is taken in, and the state is told. Returns the number of tokens that the plan computes.
    pub fn step(&mut self) -> usize {
        for seq in std::mem::take(&mut self.over) {
            self.scheduler.end_request(seq.request);
        }
        self.admit();
        let plan = self.scheduler.plan(self.now, &|_| true);
        let result = compute(&plan);
        let outcomes = self.tell(&plan);
        let tokens = plan.tokens();
        // A model that takes 5 ms for a step and 50 us for a token.
        let elapsed = Duration::from_micros(5000 + 50 * tokens as u64);
        self.now += elapsed;
        std::hint::black_box(self.scheduler.settle(&plan, &result, &outcomes, (elapsed, self.now)));
        std::hint::black_box((self.scheduler.expected_first_token(0, 0), self.scheduler.prefill_rate()));
        std::hint::black_box(self.scheduler.stats());
        tokens
    }

    /// Sequences that run.
    pub fn running(&self) -> usize {
        self.scheduler.stats().running
    }

    /// Requests that wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn fill(&mut self) {
        let long = match self.load {
            Load::Prompts => PROMPTS,
            Load::Sharing => 1,
            _ => 0,
        };
        let prompt = if self.load == Load::Turnover { SHORT } else { PROMPT };
        for _ in long..self.sequences {
            self.ask(prompt);
        }
        // Prompts are through when as many tokens come out as there are sequences; turnover needs a while to be steady.
        let most = if self.load == Load::Turnover { 40 * SHORT } else { self.sequences };
        for _ in 0..most {
            if self.load == Load::Turnover {
                self.prepare();
            }
            self.step();
        }
    }

    /// A request that begins like no other.
    fn ask(&mut self, prompt: usize) {
        let begins = self.next;
        self.ask_like(begins, prompt);
    }

    fn ask_like(&mut self, begins: u64, prompt: usize) {
        let id = RequestId(self.next);
        self.next += 1;
        let token = |place: usize| Token(i32::try_from((begins * 31 + place as u64 * 7) % 30_000).unwrap_or(0));
        let last = Token(i32::try_from(id.0 % 30_000).unwrap_or(0));
        let tokens = std::iter::once(Token(i32::try_from(begins % 1_000_000).unwrap_or(0)));
        let prompt: Arc<[Token]> = tokens.chain((2..prompt).map(token)).chain([last]).collect();
        let max_tokens = Some(if self.load == Load::Turnover { SHORT } else { 1 << 10 });
        self.waiting.push_back(Ask {
            id,
            prompt,
            max_tokens,
            choices: 1,
            priority: Priority::Normal,
            adapters: AdapterKey::default(),
            embeds: Vec::new(),
        });
    }

    /// A new prefix when the one before is computed.
    fn share(&mut self) {
        let computes = |seq: &SeqKey| self.scheduler.progress(*seq).is_some_and(|p| p.computed + 1 < p.prompt);
        if self.left.keys().any(computes) {
            return;
        }
        if self.left.len() == self.sequences
            && let Some((leader, _)) = self.left.pop_last()
        {
            self.over.push(leader);
        }
        self.waiting.clear();
        let begins = self.next;
        for _ in 0..=self.sequences {
            self.ask_like(begins, LONG_PROMPT);
        }
    }

    /// As the engine does it.
    fn admit(&mut self) {
        let mut wait = false;
        let (scheduler, left, now) = (&mut self.scheduler, &mut self.left, self.now);
        self.waiting.retain(|ask| {
            if wait {
                return true;
            }
            let why = match scheduler.admit(ask, now) {
                Ok(()) => {
                    left.insert(SeqKey { request: ask.id, choice: 0 }, ask.max_tokens.unwrap_or(1));
                    return false;
                }
                Err(why) => why,
            };
            wait = !matches!(why, Why::Prefix { .. });
            true
        });
    }

    fn tell(&mut self, plan: &Plan) -> Vec<Outcome> {
        let outcome = |piece: &crate::plan::Piece| {
            if !piece.sample {
                return Outcome::Stored;
            }
            // Those who write for ever are begun anew before the cache is full; long prompts are all that is wanted of them.
            let long = self.load == Load::Prompts && piece.tokens.len() > 1;
            let left = self.left.get_mut(&piece.seq);
            let ended = left.is_none_or(|left| {
                *left = left.saturating_sub(1);
                *left == 0
            });
            if ended || long { Outcome::Ended } else { Outcome::Next(Token(7)) }
        };
        let outcomes: Vec<Outcome> = plan.pieces.iter().map(outcome).collect();
        for (piece, outcome) in plan.pieces.iter().zip(&outcomes) {
            if *outcome == Outcome::Ended {
                self.left.remove(&piece.seq);
                self.over.push(piece.seq);
            }
        }
        outcomes
    }
}

/// An executor that takes no time.
fn compute(plan: &Plan) -> StepResult {
    let sampled = || Sampled { token: Token(7), bytes: Vec::new(), ends: false, complete: false, logprobs: None };
    let output = |sample: bool| if sample { Output::Sampled(sampled()) } else { Output::Stored };
    let saved = plan.ops.iter().filter_map(|op| match op {
        CacheOp::Save { blob, tokens, .. } => Some((*blob, Some((1 << 10) + (16 << 10) * tokens.len()))),
        _ => None,
    });
    StepResult {
        end: StepEnd::Done,
        outputs: plan.pieces.iter().map(|piece| output(piece.sample)).collect(),
        saved: saved.collect(),
        not_loaded: Vec::new(),
        embeddings: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(load: Load, count: usize) -> (Steps, usize) {
        let mut steps = Steps::new(load, 8);
        let mut tokens = 0;
        for _ in 0..count {
            steps.prepare();
            tokens += steps.step();
        }
        (steps, tokens)
    }

    #[test]
    fn every_load_is_what_it_says() {
        let (steps, tokens) = after(Load::Answers, 20);
        assert_eq!((steps.running(), steps.waiting(), tokens), (8, 0, 8 * 20));
        let (steps, tokens) = after(Load::Queue, 20);
        assert_eq!((steps.running(), steps.waiting(), tokens), (8, 8, 8 * 20));
        let (steps, tokens) = after(Load::Prompts, 20);
        assert!(steps.running() >= 7 && tokens > 400 * 20, "{tokens}");
        let (steps, tokens) = after(Load::Sharing, 20);
        assert!(steps.waiting() >= 8 && tokens > 400 * 20, "{} {tokens}", steps.waiting());
        let (steps, _) = after(Load::Turnover, 20);
        let stats = steps.scheduler.stats();
        assert!(stats.cells_cached > 0 && stats.host_bytes > 200 << 20, "{stats:?}");
    }
}
