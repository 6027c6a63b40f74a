//! How many threads each step gets: [`Pacing`]. Measures when the model was loaded, follows the steps afterwards, and leaves
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
/// Most time for measuring each kind of step.
const BUDGET: Duration = Duration::from_millis(75);
/// Tokens of a prompt that is measured.
const PROMPT: usize = 16;

/// What is known when an engine starts.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Asked {
    /// What the configuration says.
    pub(crate) decode: Option<u32>,
    pub(crate) prefill: Option<u32>,
    /// What was measured before.
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
        Self { decode: Side::Fixed(0), prefill: Side::Fixed(0), from: ThreadsFrom::Assumed }
    }
}

impl Pacing {
    /// Decides, and measures in the empty `context` where it has to. `None` for one that cannot be measured in.
    pub(super) fn new(asked: Asked, context: Option<&mut Context>) -> Self {
        let ladder = ladder(asked.most);
        // One number for both, as long as only that is given.
        let fixed = [asked.decode, asked.prefill.or(asked.decode)];
        if let [Some(decode), Some(prefill)] = fixed {
            return Self { decode: Side::Fixed(decode), prefill: Side::Fixed(prefill), from: ThreadsFrom::Fixed };
        }
        let few = u32::try_from(asked.weights / WORTH_A_THREAD).unwrap_or(u32::MAX).saturating_add(1);
        let assumed = if asked.weights == 0 { asked.most } else { asked.most.min(few) };
        let mut counts = [(assumed, asked.weights >= MEASURED.end); 2];
        let mut from = ThreadsFrom::Assumed;
        if let Some(known) = asked.known {
            counts = [known.decode, known.prefill].map(|count| (count, false));
            from = ThreadsFrom::Known;
        } else if let Some(context) = context.filter(|_| asked.most > 1 && MEASURED.contains(&asked.weights)) {
            counts = [(asked.most, true); 2];
            for (i, rows) in [1, PROMPT].into_iter().enumerate().filter(|(i, _)| fixed[*i].is_none()) {
                let Some(found) = measure(&ladder, BUDGET, |threads| time_step(context, rows, threads)) else {
                    continue;
                };
                counts[i] = (found.threads, !found.steady);
                let before = !matches!(from, ThreadsFrom::Measured { steady: false });
                from = ThreadsFrom::Measured { steady: before && found.steady };
            }
        }
        let side = |i: usize| match fixed[i] {
            Some(threads) => Side::Fixed(threads),
            None => Side::Tuned(Tuner::new(ladder.clone(), counts[i].0, counts[i].1)),
        };
        Self { decode: side(0), prefill: side(1), from }
    }

    pub(super) fn choice(&self) -> ThreadChoice {
        let counts = ThreadCounts { decode: self.decode.chosen(), prefill: self.prefill.chosen() };
        ThreadChoice { counts, from: self.from }
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

fn rows(pieces: &[Piece]) -> usize {
    pieces.iter().map(|piece| piece.tokens.len()).sum()
}

/// Times one step in an empty context, which is empty again afterwards.
fn time_step(context: &mut Context, rows: usize, threads: u32) -> Option<Duration> {
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
