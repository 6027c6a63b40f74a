//! How many threads each step gets: [`Pacing`]. Has steps measured when the model was loaded, follows the steps afterwards, and leaves
//! deciding to [`threads`](crate::threads).

use std::time::{Duration, Instant};

use llama_core::{Batch, Context, DecodeError, Pos, SeqId, Token, Want};

use crate::plan::Piece;
use crate::threads::measure::measure;
use crate::threads::tuner::Tuner;
use crate::threads::{ThreadChoice, ThreadCounts, ThreadsFrom, ladder};

/// Bytes of weights below which a step is over sooner than it could be measured, and above which it takes longer than it may be
/// measured for.
const MEASURED: std::ops::Range<u64> = 32 << 20..2 << 30;
/// Bytes of weights that are worth a thread, where nothing is measured: about what is read while one is woken.
const WORTH_A_THREAD: u64 = 4 << 20;
/// Most time for measuring each kind of step, but for its first step.
const BUDGET: Duration = Duration::from_millis(75);
/// In place of a number of threads: see [`ModelSpec::known_threads`](crate::ModelSpec::known_threads).
const TOO_LONG: u32 = 0;
/// Tokens of a prompt that is measured.
const PROMPT: usize = 16;

/// What is known when an engine starts.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Asked {
    /// What the configuration says.
    pub(crate) decode: Option<u32>,
    pub(crate) prefill: Option<u32>,
    /// What was measured before; 0 if it took too long.
    pub(crate) known: Option<ThreadCounts>,
    /// Bytes of weights that the processor computes with.
    pub(crate) weights: u64,
    /// Most threads that can run at a time.
    pub(crate) most: u32,
}

/// Threads for both kinds of steps.
#[derive(Debug)]
pub(super) struct Pacing {
    decode: Side,
    prefill: Side,
    from: ThreadsFrom,
    keep: Option<ThreadCounts>,
}

/// What to begin with.
struct Start {
    /// Of answers and of prompts, and whether fewer threads are to be tried at once.
    counts: [(u32, bool); 2],
    from: ThreadsFrom,
    keep: Option<ThreadCounts>,
}

#[derive(Debug)]
enum Side {
    Fixed(u32),
    Tuned(Tuner),
}

impl Side {
    fn chosen(&self) -> u32 {
        match self {
            Self::Fixed(threads) => *threads,
            Self::Tuned(tuner) => tuner.chosen(),
        }
    }
}

/// Before anything was decided: what the context has by itself.
impl Default for Pacing {
    fn default() -> Self {
        Self::fixed(0, 0, ThreadsFrom::Assumed)
    }
}

impl Pacing {
    fn fixed(decode: u32, prefill: u32, from: ThreadsFrom) -> Self {
        Self { decode: Side::Fixed(decode), prefill: Side::Fixed(prefill), from, keep: None }
    }

    /// Decides, and measures where it has to by `run`, which computes a step of so many rows with so many threads and tells its
    /// time, or `None` if it cannot. `None` where there is nothing to measure in.
    pub(super) fn new(asked: Asked, run: Option<impl FnMut(usize, u32) -> Option<Duration>>) -> Self {
        // One number for both, as long as only that is given.
        let fixed = [asked.decode, asked.prefill.or(asked.decode)];
        if let [Some(decode), Some(prefill)] = fixed {
            return Self::fixed(decode, prefill, ThreadsFrom::Fixed);
        }
        let run = run.filter(|_| asked.most > 1 && MEASURED.contains(&asked.weights));
        let start = match (asked.known, run) {
            (Some(known), _) => known_before(fixed, [known.decode, known.prefill], asked.most),
            (None, Some(run)) => measured(fixed, asked.most, run),
            (None, None) => assumed(&asked),
        };
        let side = |i: usize| match fixed[i] {
            Some(threads) => Side::Fixed(threads),
            None => Side::Tuned(Tuner::new(ladder(asked.most), start.counts[i].0, start.counts[i].1)),
        };
        Self { decode: side(0), prefill: side(1), from: start.from, keep: start.keep }
    }

    pub(super) fn choice(&self) -> ThreadChoice {
        let counts = ThreadCounts { decode: self.decode.chosen(), prefill: self.prefill.chosen() };
        ThreadChoice { counts, from: self.from, keep: self.keep }
    }

    /// For a step of these pieces.
    pub(super) fn threads(&self, pieces: &[Piece]) -> u32 {
        let rows = rows(pieces);
        match if rows == pieces.len() { &self.decode } else { &self.prefill } {
            Side::Fixed(threads) => *threads,
            Side::Tuned(tuner) => tuner.threads(rows),
        }
    }

    /// How long that step took.
    pub(super) fn observe(&mut self, pieces: &[Piece], took: Duration) {
        let rows = rows(pieces);
        if let Side::Tuned(tuner) = if rows == pieces.len() { &mut self.decode } else { &mut self.prefill } {
            tuner.observe(rows, took);
        }
    }
}

fn known_before(fixed: [Option<u32>; 2], known: [u32; 2], most: u32) -> Start {
    let counts = known.map(|count| if count == TOO_LONG { (most, true) } else { (count, false) });
    let any = fixed.iter().zip(known).any(|(fixed, count)| fixed.is_none() && count != TOO_LONG);
    let from = if any { ThreadsFrom::Known } else { ThreadsFrom::Assumed };
    Start { counts, from, keep: None }
}

fn assumed(asked: &Asked) -> Start {
    let few = u32::try_from(asked.weights / WORTH_A_THREAD).unwrap_or(u32::MAX).saturating_add(1);
    let count = if asked.weights == 0 { asked.most } else { asked.most.min(few) };
    Start { counts: [(count, asked.weights >= MEASURED.end); 2], from: ThreadsFrom::Assumed, keep: None }
}

/// Measures what is not `fixed`, answers first: where there is no time for them, there is none for prompts.
fn measured(fixed: [Option<u32>; 2], most: u32, mut run: impl FnMut(usize, u32) -> Option<Duration>) -> Start {
    let ladder = ladder(most);
    let mut counts = [(most, true); 2];
    let mut keep = fixed.map(|count| count.unwrap_or(TOO_LONG));
    // Whether each kind was measured to the end, and all that was measured says something about other times.
    let (mut any, mut all, mut lasts) = (false, true, true);
    for (i, rows) in [1, PROMPT].into_iter().enumerate().filter(|(i, _)| fixed[*i].is_none()) {
        let Some(found) = measure(&ladder, BUDGET, |threads| run(rows, threads)) else {
            (all, lasts) = (false, false);
            break;
        };
        counts[i] = (found.threads, !(found.finished && found.steady));
        lasts &= found.steady;
        if !found.finished {
            all = false;
            break;
        }
        any = true;
        keep[i] = found.threads;
    }
    let from = if any { ThreadsFrom::Measured { steady: all && lasts } } else { ThreadsFrom::Assumed };
    let [decode, prefill] = keep;
    Start { counts, from, keep: lasts.then_some(ThreadCounts { decode, prefill }) }
}

fn rows(pieces: &[Piece]) -> usize {
    pieces.iter().map(|piece| piece.tokens.len()).sum()
}

/// Times one step in an empty context, which is empty again afterwards.
pub(super) fn time_step(context: &mut Context, rows: usize, threads: u32) -> Option<Duration> {
    let rows = rows.min(usize::try_from(context.n_batch()).ok()?).min(usize::try_from(context.n_ctx_seq()).ok()?);
    context.set_threads(threads, threads).ok()?;
    let mut batch = Batch::new(rows);
    for (at, pos) in (0..rows).zip(0..) {
        let want = if at + 1 == rows { Want::Output } else { Want::Nothing };
        batch.push(Token(0), Pos(pos), SeqId::ZERO, want).ok()?;
    }
    let start = Instant::now();
    let done = context.decode(&mut batch).map(drop);
    let took = start.elapsed();
    let emptied = context.memory().and_then(|mut memory| memory.remove(SeqId::ZERO, ..));
    if let Err(error) = done.and_then(|()| emptied.map_err(|error| DecodeError::Refused { reason: error.to_string() }))
    {
        tracing::debug!(%error, "a step could not be measured");
        return None;
    }
    Some(took)
}
