//! One thread that answers inputs, one after the other; a job has several.

use std::sync::mpsc::SyncSender;

use anyhow::anyhow;
use llama_runtime::{Event, FinishReason, Finished, GenerateError, Generation, PendingEmbeddings, Rejected, Runtime};

use super::entry::{Ask, Embedded, Entry, Outcome, Shape};
use super::key::Key;
use super::pool::{Pool, Stop};
use super::problem::Problem;

/// How often an answer is begun whose engine fails: an engine that fails once may have failed because of another request.
const ATTEMPTS: usize = 2;

/// An input that was answered.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) order: u64,
    pub(super) key: Key,
    pub(super) shape: Shape,
    pub(super) bytes: usize,
    pub(super) outcome: Outcome,
}

/// Answers inputs until there are no more, or nobody takes the answers.
pub(super) fn work(pool: &Pool, runtime: &Runtime, answers: &SyncSender<Answered>) {
    while let Some((order, entry)) = pool.take() {
        let Entry { key, shape, ask, bytes, .. } = entry;
        let outcome = match ask {
            Ok(ask) => answer(pool, runtime, (order, &ask)),
            Err(problem) => Some(Outcome::Failed(problem, None)),
        };
        let Some(outcome) = outcome else { continue };
        if answers.send(Answered { order, key, shape, bytes, outcome }).is_err() {
            return;
        }
    }
}

/// `None` for what was cancelled: it has no record, and is answered when the job is resumed.
fn answer(pool: &Pool, runtime: &Runtime, (order, ask): (u64, &Ask)) -> Option<Outcome> {
    for attempt in 1..=ATTEMPTS {
        let generation = match submit(pool, runtime, ask)? {
            Ok(generation) => generation,
            Err(Rejected::NotStarted(error)) => {
                pool.fail(anyhow!("{error}").context("the engine could not be started again"), Stop::Now);
                return None;
            }
            Err(Rejected::ShuttingDown) => return None,
            Err(rejected) => return Some(Outcome::Failed(rejected.into(), None)),
        };
        pool.started(order, generation.cancel_handle());
        let (finished, vectors) = read(pool, order, generation);
        pool.ended(order);
        match &finished.reason {
            FinishReason::Error(error) if is_transient(error) && attempt < ATTEMPTS => {}
            FinishReason::Error(GenerateError::NotStarted { source, .. }) => {
                pool.fail(anyhow!("{source}").context("the engine could not be started again"), Stop::Now);
                return None;
            }
            _ => return outcome(finished, vectors),
        }
    }
    None
}

/// Waits while the engine's queue is full; `None` if it is time to stop.
fn submit(pool: &Pool, runtime: &Runtime, ask: &Ask) -> Option<Result<Generation, Rejected>> {
    loop {
        let finished = pool.finished();
        let submitted = match ask {
            Ask::Generate(request) => runtime.submit((**request).clone()),
            Ask::Embed(request) => runtime.embed((**request).clone()).map(PendingEmbeddings::into_events),
        };
        match submitted {
            // Those that fill it are ours, so one of them will end.
            Err(Rejected::QueueFull { .. }) if pool.wait_for_another(finished) => {}
            Err(Rejected::QueueFull { .. }) => return None,
            submitted => return Some(submitted),
        }
    }
}

/// Reads to the end, with the vectors of embeddings.
fn read(pool: &Pool, order: u64, generation: Generation) -> (Finished, Vec<Vec<f32>>) {
    let mut vectors: Vec<Vec<f32>> = Vec::new();
    let mut begun = false;
    let mut events = generation.blocking();
    for event in events.by_ref() {
        let told = matches!(event, Event::Text(_) | Event::Reasoning(_) | Event::ToolCall(_) | Event::Embedding { .. });
        if told && !std::mem::replace(&mut begun, true) {
            pool.begun(order);
        }
        match event {
            Event::Embedding { input, vector } => {
                vectors.resize_with(vectors.len().max(input + 1), Vec::new);
                vectors[input] = vector;
            }
            Event::Finished(finished) => return (*finished, vectors),
            _ => {}
        }
    }
    (events.finish(), vectors)
}

fn outcome(finished: Finished, vectors: Vec<Vec<f32>>) -> Option<Outcome> {
    match &finished.reason {
        FinishReason::Cancelled | FinishReason::Shutdown => None,
        reason if !reason.is_complete() => {
            let code = if let FinishReason::Error(_) = reason { "failed" } else { reason.as_str() };
            let problem = match reason {
                FinishReason::Error(GenerateError::Refused(rejected)) => Problem::from((**rejected).clone()),
                reason => Problem::answer(code, reason.to_string()),
            };
            Some(Outcome::Failed(problem, Some(Box::new(finished)).filter(|finished| !finished.choices.is_empty())))
        }
        _ if !vectors.is_empty() => {
            let (usage, timings) = (finished.usage, finished.timings);
            Some(Outcome::Embedded(Box::new(Embedded { vectors, usage, timings })))
        }
        _ => Some(Outcome::Answered(Box::new(finished))),
    }
}

/// The next attempt finds an engine that has started anew.
fn is_transient(error: &GenerateError) -> bool {
    matches!(
        error,
        GenerateError::Crashed
            | GenerateError::Decode(_)
            | GenerateError::Stalled { .. }
            | GenerateError::NoRoom { .. }
    )
}
