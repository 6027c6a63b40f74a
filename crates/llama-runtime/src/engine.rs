//! The loop that decides, computes and tells: [`Engine`], over any [`Executor`].
//!
//! One turn is one step: take in what changed, let the scheduler plan, carry the plan out (the only slow line), tell the
//! readers, settle the accounts. The thread around it is in `host.rs`.

mod errands;
mod live;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::EngineConfig;
use crate::error::GenerateError;
use crate::event::FinishReason;
use crate::executor::{Executor, Output, StepEnd, StepResult};
use crate::ids::RequestId;
use crate::job::{Body, Generate, Job, Ready};
use crate::plan::{Plan, SeqKey};
use crate::scheduler::{Ask, Outcome, Scheduler, Why};
use crate::shared::{Admit, Shared};
use crate::stats::{Pace, Snapshot};
use crate::ticket::{ChoiceRecord, Part};
use crate::writer::Writer;
use live::{Kind, Live};

/// What one turn did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Something was computed; there may be more.
    Worked,
    /// The executor is of no more use.
    Broken,
    /// There is nothing to do before this time, or before somebody asks.
    Idle { until: Option<Instant> },
}

/// Everything about one model that the engine thread owns.
#[derive(Debug)]
pub(crate) struct Engine<E> {
    executor: E,
    scheduler: Scheduler,
    shared: Arc<Shared>,
    live: HashMap<RequestId, Live>,
    slow_consumer_timeout: Duration,
    stall_timeout: Duration,
    /// The step before was stopped: this one is not, if others are in it, so that they get on.
    stopped_before: bool,
}

impl<E: Executor> Engine<E> {
    pub(crate) fn new(executor: E, config: &EngineConfig, shared: Arc<Shared>) -> Self {
        let scheduler = Scheduler::new(executor.abilities(), config.bounds());
        Self {
            executor,
            scheduler,
            shared,
            live: HashMap::new(),
            slow_consumer_timeout: config.limits.slow_consumer_timeout,
            stall_timeout: config.limits.stall_timeout,
            stopped_before: false,
        }
    }

    /// Takes in what changed, and computes one step.
    pub(crate) fn turn(&mut self) -> Turn {
        let now = Instant::now();
        self.drop_ended(now);
        let did_errand = self.run_errand();
        self.admit(now);
        let mut plan = self.plan(now);
        if plan.is_empty() {
            self.publish();
            if did_errand {
                // There may be another.
                return Turn::Worked;
            }
            return Turn::Idle { until: self.next_look(now) };
        }
        let end = self.compute(&mut plan, now);
        self.publish();
        if matches!(end, StepEnd::Failed(GenerateError::Crashed)) { Turn::Broken } else { Turn::Worked }
    }

    /// Forgets requests that somebody else has ended, and ends those whose readers are too slow.
    fn drop_ended(&mut self, now: Instant) {
        let mut gone = Vec::new();
        for (&id, live) in &mut self.live {
            if live.sender.is_cancelled() {
                live.open.end(FinishReason::Cancelled);
            } else if live.sender.has_room() {
                if let Some(since) = live.full_since.take() {
                    live.open.ticket.record().paused += now.saturating_duration_since(since);
                }
            } else {
                let since = *live.full_since.get_or_insert(now);
                if now.saturating_duration_since(since) >= self.slow_consumer_timeout {
                    live.open.ticket.record().paused += now.saturating_duration_since(since);
                    live.open.end(FinishReason::SlowConsumer);
                }
            }
            if live.open.finisher.is_finished() {
                gone.push(id);
            }
        }
        for id in gone {
            self.forget(id);
        }
    }

    /// Takes waiting requests while there is room for them.
    fn admit(&mut self, now: Instant) {
        let scheduler = &mut self.scheduler;
        // Texts to write and texts to embed do not wait for each other, as far as the look-ahead reaches: what one needs the
        // other leaves.
        let (mut texts_wait, mut embeds_wait) = (false, false);
        let jobs = self.shared.admit(now, |entry| {
            let wait = if entry.item.embeds() { &mut embeds_wait } else { &mut texts_wait };
            if *wait {
                return Admit::Skip;
            }
            let Some(ask) = ask(entry.id, &entry.item) else { return Admit::Skip };
            match scheduler.admit(&ask, now) {
                Ok(()) => {
                    let waited = now.saturating_duration_since(entry.submitted);
                    scheduler.shield(entry.id, entry.priority, waited);
                    return Admit::Take;
                }
                // Behind this one may be somebody who need not wait for that.
                Err(why) => *wait = !matches!(why, Why::Prefix { .. }),
            }
            if texts_wait && embeds_wait { Admit::Stop } else { Admit::Skip }
        });
        for job in jobs {
            self.begin(job, now);
        }
    }

    /// Makes what an admitted request needs.
    fn begin(&mut self, job: Job, now: Instant) {
        let open = job.open();
        let id = open.ticket.id;
        let Body::Ready(ready) = job.body else { return };
        let kind = match *ready {
            Ready::Embed { inputs, normalize } => {
                open.ticket.record().usage.prompt = inputs.iter().map(|input| input.len()).sum();
                Kind::Embed { normalize }
            }
            Ready::Generate(generate) => {
                if let Err(error) = self.open_choices(id, &generate) {
                    open.end(FinishReason::Error(error));
                    return self.release(id, generate.choices);
                }
                let mut record = open.ticket.record();
                record.usage.prompt = generate.work.prompt.len();
                record.choices = (0..generate.choices).map(|_| ChoiceRecord::default()).collect();
                drop(record);
                if let Some(parser) = generate.parser {
                    let _ = job.sender.push([Part::Format(parser)]);
                }
                let writers = (0..generate.choices).map(|_| Some(Writer::new(&generate.stops, generate.room)));
                Kind::Generate(writers.collect())
            }
        };
        open.ticket.record().admitted = Some(now);
        open.ticket.note("admitted");
        self.live.insert(id, Live { open, sender: job.sender, kind, full_since: None });
    }

    fn open_choices(&mut self, id: RequestId, generate: &Generate) -> Result<(), GenerateError> {
        (0..generate.choices).try_for_each(|choice| self.executor.open(SeqKey { request: id, choice }, &generate.work))
    }

    fn plan(&mut self, now: Instant) -> Plan {
        let live = &self.live;
        self.scheduler.plan(now, &|seq| live.get(&seq.request).is_none_or(|live| live.sender.has_room()))
    }

    fn compute(&mut self, plan: &mut Plan, now: Instant) -> StepEnd {
        self.executor.clear_abort();
        let on_stage = self.shared.stage.begin(self.abortable(plan));
        // A cancel before the stage was set is seen here; one after it stops the step.
        plan.pieces.retain(|piece| !self.is_over(piece.seq.request));
        plan.embeds.retain(|embed| !self.is_over(embed.request));
        self.shared.begin_step(now, self.stall_timeout);
        let result = self.executor.step(plan);
        drop(on_stage);
        let end = Instant::now();
        self.shared.end_step();
        crate::observe::step(&self.shared.name, end.saturating_duration_since(now));
        self.stopped_before = matches!(result.end, StepEnd::Aborted { .. });
        self.note_progress(plan);
        let outcomes = self.tell(plan, &result, end);
        let settled = self.scheduler.settle(plan, &result, &outcomes, (end.saturating_duration_since(now), end));
        for fault in settled.faults {
            self.end_request(fault.seq.request, FinishReason::Error(fault.error));
        }
        self.tell_embeddings(result.embeddings);
        for id in settled.embedded {
            self.end_request(id, FinishReason::EndOfAnswer);
        }
        result.end
    }

    /// Requests whose cancel may stop this step: those that are most of it, so that what others lose is at most as much
    /// again. Where the state of the others could not be restored, only one that is alone.
    fn abortable(&self, plan: &Plan) -> Vec<u64> {
        let mut shares: HashMap<RequestId, usize> = HashMap::new();
        for piece in &plan.pieces {
            *shares.entry(piece.seq.request).or_default() += piece.tokens.len();
        }
        for embed in &plan.embeds {
            *shares.entry(embed.request).or_default() += embed.tokens.len();
        }
        let alone = shares.len() == 1;
        let restorable = self.executor.abilities().partial && !self.stopped_before;
        let all = plan.tokens();
        let may = |tokens: usize| alone || (restorable && tokens * 2 >= all);
        shares.into_iter().filter(|(_, tokens)| may(*tokens)).map(|(id, _)| id.0).collect()
    }

    fn is_over(&self, id: RequestId) -> bool {
        self.live.get(&id).is_none_or(|live| live.sender.is_cancelled() || live.open.finisher.is_finished())
    }

    /// Tells the readers what was chosen, and the scheduler which sequences go on.
    fn tell(&mut self, plan: &Plan, result: &StepResult, now: Instant) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(result.outputs.len());
        let mut failed = Vec::new();
        let poisoned = matches!(result.end, StepEnd::Poisoned);
        for (piece, output) in plan.pieces.iter().zip(&result.outputs) {
            outcomes.push(match output {
                Output::Stored | Output::Misplaced { .. } => Outcome::Stored,
                // Whether it is to blame is for the scheduler to say.
                Output::Failed(_) if poisoned && output.is_no_number() => Outcome::Stored,
                Output::Failed(error) => {
                    failed.push((piece.seq.request, error.clone()));
                    Outcome::Ended
                }
                Output::Sampled(sampled) => match self.live.get_mut(&piece.seq.request) {
                    Some(live) => live.token(piece.seq, sampled, now),
                    None => Outcome::Ended,
                },
            });
        }
        for (id, error) in failed {
            self.end_request(id, FinishReason::Error(error));
        }
        outcomes
    }

    /// Hands out the vectors. Those that failed are among the faults of the step.
    fn tell_embeddings(&self, embeddings: Vec<(RequestId, u32, Result<Vec<f32>, GenerateError>)>) {
        for (id, input, vector) in embeddings {
            if let (Some(live), Ok(vector)) = (self.live.get(&id), vector) {
                live.embedding(input, vector);
            }
        }
    }

    /// What the scheduler knows of prompts, for the readers' accounts.
    fn note_progress(&mut self, plan: &Plan) {
        for piece in plan.pieces.iter().filter(|piece| piece.seq.choice == 0) {
            if let (Some(live), Some(progress)) =
                (self.live.get(&piece.seq.request), self.scheduler.progress(piece.seq))
            {
                live.open.ticket.record().usage.reused = progress.reused;
            }
        }
    }

    fn end_request(&mut self, id: RequestId, reason: FinishReason) {
        if let Some(live) = self.live.get(&id) {
            live.open.end(reason);
        }
        self.forget(id);
    }

    fn forget(&mut self, id: RequestId) {
        let Some(live) = self.live.remove(&id) else { return };
        let choices = match live.kind {
            Kind::Generate(writers) => u32::try_from(writers.len()).unwrap_or(u32::MAX),
            Kind::Embed { .. } => 0,
        };
        self.release(id, choices);
    }

    fn release(&mut self, id: RequestId, choices: u32) {
        for choice in 0..choices {
            self.executor.close(SeqKey { request: id, choice });
        }
        self.scheduler.end_request(id);
    }

    fn next_look(&self, now: Instant) -> Option<Instant> {
        let slow = self.live.values().filter_map(|live| live.full_since?.checked_add(self.slow_consumer_timeout));
        slow.chain(self.scheduler.wake_at(now)).min()
    }

    fn publish(&self) {
        let stats = self.scheduler.stats();
        let pace = Pace {
            backlog: self.scheduler.expected_first_token(0, 0),
            prompt_token: self.scheduler.prefill_rate().map(|rate| rate.max(1e-3).recip()),
            computed: share(stats.prompt_computed, stats.prompt_reused),
        };
        // A state that has one size takes no cells.
        let cells = |count: usize| stats.cells_total.map_or(0, |_| count);
        let snapshot = Snapshot {
            running: stats.running,
            parked: stats.parked,
            cells: stats.cells_total.unwrap_or(0),
            cells_used: cells(stats.cells_used.saturating_sub(stats.cells_cached)),
            cells_reserved: cells(stats.cells_reserved),
            cells_cached: cells(stats.cells_cached),
            host_bytes: stats.host_bytes,
            prompt_reused: stats.prompt_reused,
            prompt_computed: stats.prompt_computed,
            parkings: stats.parkings,
            threads: self.executor.threads(),
        };
        self.shared.publish(pace, snapshot);
    }
}

/// The part of a whole that is `part` and `rest`; all of it if there is nothing.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn share(part: u64, rest: u64) -> f64 {
    let whole = part + rest;
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

/// What the scheduler is asked for a waiting request; nothing while it is still as it came.
fn ask(id: RequestId, job: &Job) -> Option<Ask> {
    let Body::Ready(ready) = &job.body else { return None };
    let priority = job.ticket.priority;
    Some(match &**ready {
        Ready::Generate(generate) => Ask {
            id,
            prompt: Arc::clone(&generate.work.prompt),
            max_tokens: generate.max_tokens,
            choices: generate.choices,
            priority,
            adapters: generate.adapters,
            embeds: Vec::new(),
        },
        Ready::Embed { inputs, .. } => Ask {
            id,
            prompt: Arc::default(),
            max_tokens: None,
            choices: 0,
            priority,
            adapters: crate::plan::AdapterKey::default(),
            embeds: inputs.clone(),
        },
    })
}

#[cfg(test)]
mod tests;
