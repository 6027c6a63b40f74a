//! A small world: requests that come, pause, leave and fail, served to the end, with everything checked on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use llama_core::Token;

use crate::executor::{Abilities, Executor, Output, StepEnd, StepResult};
use crate::ids::RequestId;
use crate::plan::{Plan, SeqKey};
use crate::scheduler::{Ask, Bounds, Kept, Outcome, Placed, Scheduler, Why};
use crate::testing::{FakeExecutor, FakeModel, Script, Trouble};

/// A request and what its client does.
#[derive(Debug, Clone)]
pub(super) struct Client {
    pub(super) ask: Ask,
    /// The turn in which it is submitted.
    pub(super) arrives: usize,
    /// Turns in which its reader has no room.
    pub(super) pause: std::ops::Range<usize>,
    /// The turn in which it gives up; while a step is under way if the turn is odd.
    pub(super) cancels: Option<usize>,
}

#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) abilities: Abilities,
    pub(super) bounds: Bounds,
    pub(super) model: FakeModel,
    pub(super) clients: Vec<Client>,
    pub(super) troubles: Vec<Trouble>,
    /// Every so many turns a prefix is saved to outlive the process, and an older one restored; 0 for never.
    pub(super) errands: usize,
}

/// How a sequence, or a request to embed, ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    Finished,
    Cancelled,
    Failed(String),
}

/// What happened.
#[derive(Debug, Default, PartialEq)]
pub(super) struct History {
    pub(super) plans: Vec<Plan>,
    pub(super) answers: BTreeMap<SeqKey, Vec<Token>>,
    pub(super) ends: BTreeMap<SeqKey, End>,
    pub(super) parkings: u64,
}

struct Run<'world> {
    world: &'world World,
    scheduler: Scheduler,
    executor: FakeExecutor,
    history: History,
    waiting: Vec<Ask>,
    /// Prefixes that were saved.
    outside: Vec<Vec<u8>>,
    turn: usize,
    start: Instant,
}

impl World {
    /// Serves everybody, and panics where a rule is broken.
    pub(super) fn run(&self) -> History {
        let script = Script::default();
        script.add(self.troubles.iter().cloned());
        let mut run = Run {
            world: self,
            scheduler: Scheduler::new(self.abilities, self.bounds.clone()),
            executor: FakeExecutor::new(self.abilities, self.model, script),
            history: History::default(),
            waiting: Vec::new(),
            outside: Vec::new(),
            turn: 0,
            start: Instant::now(),
        };
        let most = self.most_turns();
        while !run.is_over() {
            run.turn();
            assert!(run.turn <= most, "not done after {most} turns: {:#?}", run.scheduler);
        }
        run.leave_nothing();
        run.history.parkings = run.scheduler.stats().parkings;
        run.history
    }

    /// Everybody alone, one token in a step, and a new start after each trouble, and of each sequence that gave way to
    /// another: nobody may need more turns.
    fn most_turns(&self) -> usize {
        let events = self.clients.iter().map(|client| client.arrives.max(client.pause.end)).max().unwrap_or(0);
        let work = self.clients.iter().map(|client| {
            let ask = &client.ask;
            let answer = ask.max_tokens.unwrap_or(self.abilities.sequence_limit).min(self.abilities.sequence_limit);
            ask.choices as usize * (ask.prompt.len() + answer) + ask.embeds.len()
        });
        let work: usize = work.sum();
        let sequences: usize = self.clients.iter().map(|client| client.ask.choices as usize).sum();
        events + 10 + work * (1 + self.troubles.len() + sequences)
    }

    fn client(&self, id: RequestId) -> &Client {
        self.clients.iter().find(|client| client.ask.id == id).unwrap()
    }
}

impl Run<'_> {
    fn is_over(&self) -> bool {
        self.turn > 0
            && self.waiting.is_empty()
            && self.scheduler.is_idle()
            && self.world.clients.iter().all(|client| client.arrives < self.turn)
    }

    fn now(&self) -> Instant {
        self.start + Duration::from_millis(u64::try_from(self.turn).unwrap())
    }

    fn turn(&mut self) {
        let arriving = self.world.clients.iter().filter(|client| client.arrives == self.turn);
        self.waiting.extend(arriving.map(|client| client.ask.clone()));
        self.waiting.sort_by_key(|ask| (std::cmp::Reverse(ask.priority), ask.id));
        if self.turn.is_multiple_of(2) {
            self.cancel();
        }
        if self.world.errands > 0 && self.turn.is_multiple_of(self.world.errands) {
            self.do_errands();
        }
        self.admit();
        let (turn, world) = (self.turn, self.world);
        let paused = |seq: SeqKey| world.client(seq.request).pause.contains(&turn);
        let plan = self.scheduler.plan(self.now(), &|seq| !paused(seq));
        self.check_bounds(&plan);
        if plan.is_empty() {
            let somebody_pauses = self.world.clients.iter().any(|client| client.pause.contains(&turn));
            assert!(self.scheduler.is_idle() || somebody_pauses, "nothing to do: {:#?}", self.scheduler);
        } else {
            let result = self.executor.step(&plan);
            if !self.turn.is_multiple_of(2) {
                self.cancel();
            }
            self.settle(&plan, &result);
            assert_eq!(self.scheduler.stats().cells_used, self.believed_cells(), "after {plan:?} and {result:?}");
        }
        self.history.plans.push(plan);
        self.turn += 1;
    }

    /// Cells as the executor has them. Operations that wait for the next plan are not done yet.
    fn believed_cells(&self) -> usize {
        if self.scheduler.cache.has_ops() { self.scheduler.stats().cells_used } else { self.executor.cells() }
    }

    /// One prefix leaves, and one comes back. Whoever runs gets the same answer as without.
    fn do_errands(&mut self) {
        let clients = &self.world.clients;
        if let Some(client) = clients.get(self.turn / self.world.errands % clients.len().max(1)) {
            let kept = self.scheduler.save_prefix(&client.ask.prompt).ok().flatten();
            self.change_cache();
            if let Some(Kept { blob, tokens, stays }) = kept {
                let bytes = if stays { self.executor.export(blob) } else { self.executor.take_out(blob) }.unwrap();
                let prompt = client.ask.prompt.iter().take(tokens);
                let expected: Vec<u8> = prompt
                    .flat_map(|token| [token.0.cast_unsigned().into(), 0_u64])
                    .flat_map(u64::to_le_bytes)
                    .collect();
                assert_eq!(bytes, expected, "the prefix of {:?}", client.ask.prompt);
                self.outside.push(bytes);
            }
        }
        if self.outside.len() > 2 {
            let bytes = self.outside.remove(0);
            let (blob, size) = (self.scheduler.name_blob(), bytes.len());
            let tokens = self.executor.import(blob, bytes).unwrap();
            let before = self.scheduler.stats();
            let placed = self.scheduler.place_prefix(blob, &tokens, size);
            match placed {
                Err(_) => assert_eq!((before, self.scheduler.cache.has_ops()), (self.scheduler.stats(), false)),
                Ok(Placed::Known) => {}
                Ok(Placed::Cells | Placed::Host) => assert!(self.scheduler.stats().running == before.running),
            }
            if matches!(placed, Err(_) | Ok(Placed::Known)) {
                self.executor.take_out(blob).unwrap();
            }
            self.change_cache();
        }
    }

    fn change_cache(&mut self) {
        let plan = self.scheduler.plan_changes();
        let result = self.executor.step(&plan);
        assert!(result.not_loaded.is_empty(), "{plan:?}");
        let settled = self.scheduler.settle(&plan, &result, &[], (Duration::ZERO, self.now()));
        assert!(settled.faults.is_empty());
        // What is promised may be more than there is, until the next plan parks somebody.
        let (stats, bounds) = (self.scheduler.stats(), &self.world.bounds);
        assert!(stats.cells_used <= self.world.abilities.cells.unwrap_or(usize::MAX), "{stats:?}");
        assert!(stats.host_bytes <= bounds.host_memory, "{stats:?}");
        if !self.scheduler.cache.has_ops() {
            assert_eq!(self.scheduler.stats().cells_used, self.executor.cells(), "after {plan:?}");
        }
    }

    fn admit(&mut self) {
        let mut full = false;
        for ask in std::mem::take(&mut self.waiting) {
            if full {
                self.waiting.push(ask);
                continue;
            }
            let idle = self.scheduler.is_idle();
            if let Err(why) = self.scheduler.admit(&ask, self.now()) {
                assert!(!idle, "refused while idle: {why:?}");
                full = !matches!(why, Why::Prefix { .. });
                self.waiting.push(ask);
            }
        }
    }

    fn cancel(&mut self) {
        let due: Vec<Ask> =
            self.world.clients.iter().filter(|c| c.cancels == Some(self.turn)).map(|c| c.ask.clone()).collect();
        for ask in due {
            self.scheduler.end_request(ask.id);
            self.waiting.retain(|waiting| waiting.id != ask.id);
            for choice in 0..ask.choices {
                let seq = SeqKey { request: ask.id, choice };
                self.history.ends.entry(seq).or_insert(End::Cancelled);
            }
        }
    }

    fn check_bounds(&self, plan: &Plan) {
        let (stats, bounds) = (self.scheduler.stats(), &self.world.bounds);
        let total = self.world.abilities.cells.unwrap_or(usize::MAX);
        assert!(stats.cells_used <= total && stats.cells_reserved <= total, "{stats:?}");
        assert!(stats.running <= bounds.max_sequences, "{stats:?}");
        assert!(stats.host_bytes <= bounds.host_memory, "{stats:?}");
        let tokens: usize = plan.pieces.iter().map(|piece| piece.tokens.len()).sum();
        assert!(tokens <= bounds.step_tokens, "{tokens} tokens: {plan:?}");
        assert!(plan.embeds.len() <= 1 || plan.tokens() <= bounds.step_tokens, "{plan:?}");
        let groups = plan.pieces.iter().map(|piece| self.world.client(piece.seq.request).ask.adapters);
        groups.for_each(|adapters| assert_eq!(adapters, plan.adapters));
        let paused = |seq: SeqKey| self.world.client(seq.request).pause.contains(&self.turn);
        assert!(!plan.pieces.iter().any(|piece| piece.sample && paused(piece.seq)), "a reader has no room: {plan:?}");
    }

    fn settle(&mut self, plan: &Plan, result: &StepResult) {
        let mut outcomes = Vec::new();
        if matches!(result.end, StepEnd::Done | StepEnd::Poisoned) {
            for (piece, output) in plan.pieces.iter().zip(&result.outputs) {
                outcomes.push(match output {
                    Output::Sampled(sampled) => self.outcome(piece.seq, sampled.token, sampled.ends),
                    _ => Outcome::Stored,
                });
            }
        }
        // A step takes a tenth of a millisecond, and as much for each token.
        let elapsed = Duration::from_micros(100 + 100 * u64::try_from(plan.tokens()).unwrap());
        let settled = self.scheduler.settle(plan, result, &outcomes, (elapsed, self.now()));
        for fault in settled.faults {
            self.finish(fault.seq, End::Failed(fault.error.to_string()));
            if !self.world.client(fault.seq.request).ask.embeds.is_empty() {
                self.scheduler.end_request(fault.seq.request);
            }
        }
        for id in settled.embedded {
            self.finish(SeqKey { request: id, choice: 0 }, End::Finished);
        }
    }

    fn outcome(&mut self, seq: SeqKey, token: Token, ends: bool) -> Outcome {
        if self.history.ends.get(&seq) == Some(&End::Cancelled) {
            return Outcome::Next(token);
        }
        let ask = &self.world.client(seq.request).ask;
        let answer = self.history.answers.entry(seq).or_default();
        if !ends {
            answer.push(token);
        }
        let most = self.scheduler.limit(seq).unwrap() - ask.prompt.len();
        if ends || answer.len() >= most {
            self.finish(seq, End::Finished);
            return Outcome::Ended;
        }
        Outcome::Next(token)
    }

    fn finish(&mut self, seq: SeqKey, end: End) {
        let before = self.history.ends.insert(seq, end);
        assert_eq!(before, None, "{seq:?} ended twice");
    }

    /// When all is done and the cached prefixes are given up, nothing is left.
    fn leave_nothing(&mut self) {
        let all: BTreeSet<SeqKey> = self.history.ends.keys().copied().collect();
        let asked = self.world.clients.iter().map(|client| &client.ask);
        let expected: BTreeSet<SeqKey> =
            asked.flat_map(|ask| (0..ask.choices).map(|choice| SeqKey { request: ask.id, choice })).collect();
        assert_eq!(all, expected, "somebody did not end");

        self.scheduler.clear_cache();
        let plan = self.scheduler.plan(self.now(), &|_| true);
        assert_eq!(plan.tokens(), 0, "nobody is left: {plan:?}");
        let result = self.executor.step(&plan);
        self.scheduler.settle(&plan, &result, &[], (Duration::ZERO, self.now()));
        assert_eq!((self.executor.cells(), self.executor.blobs()), (0, 0), "{:?}", self.executor);
        let stats = self.scheduler.stats();
        assert_eq!((stats.cells_used, stats.cells_reserved, stats.host_bytes), (0, 0, 0), "{stats:?}");
        assert_eq!((stats.running, stats.parked, stats.embedding), (0, 0, 0), "{stats:?}");
    }
}

/// A prompt that begins like others of the same `family`.
pub(super) fn prompt(family: i32, shared: usize, own: usize, id: u64) -> Arc<[Token]> {
    let own_tokens = (0..own).map(|i| Token(200 + i32::try_from(id).unwrap() * 10 + i32::try_from(i).unwrap()));
    let shared_tokens = (0..shared).map(|i| Token(family * 50 + i32::try_from(i).unwrap()));
    shared_tokens.chain(own_tokens).collect()
}
