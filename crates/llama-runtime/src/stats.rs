//! What a runtime has done and is doing: [`Stats`], a snapshot that needs no exporter.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::event::{FinishReason, Finished};
use crate::rejected::Rejected;
use crate::threads::ThreadCounts;

/// A snapshot of a runtime. The numbers of one model belong together to within a step.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// Bytes of all loaded models, their caches and buffers, as llama.cpp counts them; what
    /// [`memory_budget`](crate::RuntimeConfig::memory_budget) limits.
    pub memory: u64,
    /// Timers that are set: deadlines of open requests, at most three for each, and one for each model that computed
    /// within its last [`stall_timeout`](crate::Limits::stall_timeout).
    pub timers: usize,
    /// Each model, in the order they were given.
    pub models: Vec<ModelStats>,
}

/// Whether a model is loaded.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ModelState {
    /// It takes no memory; the next request loads it.
    Unloaded,
    /// This share of it is loaded, 0.0 to 1.0.
    Loading(f32),
    /// It computes.
    Ready,
    /// It could not be started; the next request tries again.
    Failed(String),
}

/// A snapshot of one model's engine.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ModelStats {
    /// Its name.
    pub name: String,
    /// Whether it is loaded.
    pub state: ModelState,
    /// Requests that wait.
    pub queued: usize,
    /// Tokens of their prompts.
    pub queued_tokens: usize,
    /// Requests that were accepted and have not ended, those that wait included.
    pub open: usize,
    /// What the engine holds.
    pub engine: Snapshot,
    /// What it has done since the runtime was built.
    pub totals: Totals,
}

/// What an engine holds at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Snapshot {
    /// Sequences that run.
    pub running: usize,
    /// Sequences that gave way to others and wait to go on.
    pub parked: usize,
    /// KV cells there are, in tokens; 0 where the state has one size.
    pub cells: usize,
    /// Cells that running sequences hold.
    pub cells_used: usize,
    /// Cells that running sequences hold or have a promise of; never more than there are.
    pub cells_reserved: usize,
    /// Cells that hold prefixes of finished requests; given up when others need them.
    pub cells_cached: usize,
    /// Host memory that parked sequences and evicted prefixes take, in bytes.
    pub host_bytes: usize,
    /// Prompt tokens that requests found computed, since the engine started.
    pub prompt_reused: u64,
    /// Prompt tokens that were computed, since the engine started; those of parked sequences more than once.
    pub prompt_computed: u64,
    /// Sequences that had to give way, since the engine started.
    pub parkings: u64,
    /// Threads that it computes with now.
    pub threads: ThreadCounts,
}

/// What an engine has done since its runtime was built. Times are sums, to be divided by the number of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Totals {
    /// Requests that were accepted.
    pub accepted: u64,
    /// Requests that were refused because the queue was full, a deadline could not be met, a step did not come back, or the
    /// runtime was shutting down: the same request may be accepted at another time.
    pub rejected_overload: u64,
    /// Requests that were refused for what they asked.
    pub rejected_invalid: u64,
    /// Requests that ended: with an answer or at a length limit.
    pub completed: u64,
    /// Cancelled, or the stream dropped.
    pub cancelled: u64,
    /// Missed a deadline.
    pub deadline: u64,
    /// Given up since nobody read.
    pub slow_consumer: u64,
    /// Gave its place in the queue to another.
    pub shed: u64,
    /// Ended by a shutdown.
    pub shutdown: u64,
    /// Failed.
    pub failed: u64,
    /// Tokens of prompts.
    pub prompt_tokens: u64,
    /// Of these, taken from the KV cache.
    pub reused_tokens: u64,
    /// Tokens that were generated.
    pub generated_tokens: u64,
    /// From the submission to the first token, of those that got one.
    pub first_token: Duration,
    /// How many got one.
    pub first_tokens: u64,
    /// From the submission to the end, of all that ended.
    pub total: Duration,
}

impl Totals {
    /// Requests that ended, for whatever reason. All accepted ones do.
    pub fn finished(&self) -> u64 {
        self.completed + self.cancelled + self.deadline + self.slow_consumer + self.shed + self.shutdown + self.failed
    }
}

/// The live form of [`Totals`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    accepted: AtomicU64,
    rejected_overload: AtomicU64,
    rejected_invalid: AtomicU64,
    ends: [AtomicU64; 7],
    prompt_tokens: AtomicU64,
    reused_tokens: AtomicU64,
    generated_tokens: AtomicU64,
    first_token_micros: AtomicU64,
    first_tokens: AtomicU64,
    total_micros: AtomicU64,
}

impl Counters {
    pub(crate) fn accepted(&self) {
        add(&self.accepted, 1);
    }

    pub(crate) fn rejected(&self, why: &Rejected) {
        let overload = matches!(
            why,
            Rejected::QueueFull { .. }
                | Rejected::DeadlineInfeasible { .. }
                | Rejected::Stalled
                | Rejected::ShuttingDown
        );
        add(if overload { &self.rejected_overload } else { &self.rejected_invalid }, 1);
    }

    pub(crate) fn finished(&self, finished: &Finished) {
        add(&self.ends[place(&finished.reason)], 1);
        add(&self.prompt_tokens, finished.usage.prompt as u64);
        add(&self.reused_tokens, finished.usage.reused as u64);
        add(&self.generated_tokens, finished.usage.generated as u64);
        add(&self.total_micros, micros(finished.timings.total));
        if let Some(first) = finished.timings.first_token {
            add(&self.first_tokens, 1);
            add(&self.first_token_micros, micros(first));
        }
    }

    pub(crate) fn totals(&self) -> Totals {
        let end = |place: usize| get(&self.ends[place]);
        Totals {
            accepted: get(&self.accepted),
            rejected_overload: get(&self.rejected_overload),
            rejected_invalid: get(&self.rejected_invalid),
            completed: end(0),
            cancelled: end(1),
            deadline: end(2),
            slow_consumer: end(3),
            shed: end(4),
            shutdown: end(5),
            failed: end(6),
            prompt_tokens: get(&self.prompt_tokens),
            reused_tokens: get(&self.reused_tokens),
            generated_tokens: get(&self.generated_tokens),
            first_token: Duration::from_micros(get(&self.first_token_micros)),
            first_tokens: get(&self.first_tokens),
            total: Duration::from_micros(get(&self.total_micros)),
        }
    }
}

fn place(reason: &FinishReason) -> usize {
    match reason {
        FinishReason::EndOfAnswer | FinishReason::StopString(_) | FinishReason::Length | FinishReason::ContextFull => 0,
        FinishReason::Cancelled => 1,
        FinishReason::Deadline(_) => 2,
        FinishReason::SlowConsumer => 3,
        FinishReason::Shed => 4,
        FinishReason::Shutdown => 5,
        FinishReason::Error(_) => 6,
    }
}

fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// How fast an engine is: what admission estimates from.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Pace {
    /// Until the prompts of running sequences are computed; `None` before anything was measured.
    pub(crate) backlog: Option<Duration>,
    /// Seconds for a token of a prompt, computed with others; `None` before the first.
    pub(crate) prompt_token: Option<f64>,
    /// Of the tokens of prompts, the share that had to be computed so far, 0 to 1.
    pub(crate) computed: f64,
}

impl Pace {
    /// When the first token of a prompt can be there at the earliest, with so many tokens ahead of it in the queue.
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub(crate) fn first_token(&self, ahead: usize, own: usize) -> Option<Duration> {
        let tokens = ahead.saturating_add(own) as f64 * self.computed;
        let queue = Duration::try_from_secs_f64(self.prompt_token? * tokens).ok()?;
        self.backlog?.checked_add(queue)
    }
}

/// How often requests end, as an average that forgets: when there is likely to be a place in the queue.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Departures {
    last: Option<Instant>,
    between: Option<f64>,
}

impl Departures {
    /// Weight of the newest interval.
    const NEWEST: f64 = 0.2;

    pub(crate) fn note(&mut self, now: Instant) {
        if let Some(last) = self.last.replace(now) {
            let interval = now.saturating_duration_since(last).as_secs_f64();
            self.between = Some(self.between.map_or(interval, |old| old + Self::NEWEST * (interval - old)));
        }
    }

    /// `None` before the second departure.
    pub(crate) fn next(&self) -> Option<Duration> {
        Duration::try_from_secs_f64(self.between?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_token_waits_for_all_that_is_ahead_of_it() {
        let mut pace = Pace { backlog: Some(Duration::from_secs(1)), prompt_token: Some(0.01), computed: 1.0 };
        assert_eq!(pace.first_token(100, 50), Some(Duration::from_millis(2500)));
        pace.computed = 0.5;
        assert_eq!(pace.first_token(100, 50), Some(Duration::from_millis(1750)), "half is usually found in the cache");
        assert_eq!(Pace::default().first_token(1, 1), None, "nothing was measured yet");
    }

    #[test]
    fn departures_are_averaged_over_the_last_ones() {
        let start = Instant::now();
        let mut departures = Departures::default();
        assert_eq!(departures.next(), None);
        for second in 0..50 {
            departures.note(start + Duration::from_secs(second));
        }
        assert_eq!(departures.next(), Some(Duration::from_secs(1)));
        departures.note(start + Duration::from_secs(59));
        assert!(departures.next() > Some(Duration::from_secs(2)), "ten seconds without one count");
    }
}
