//! One run of a workload: [`Round`], the clients, and when what they asked for came.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use llama_runtime::{Event, ModelInfo, Request, Runtime, SamplingParams, Token};

use super::workload::{Asked, Recipe, Workload};
use crate::bench::stop::Stop;

/// What one run gave.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// Those that ended, in that order.
    pub(super) answers: Vec<Answer>,
    /// From the arrival of the first request to the end of the last answer.
    pub(super) spent: Duration,
}

/// One request that ended.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// Tokens of the prompt, those of them that were in the cache, and of the answer.
    pub(super) prompt: usize,
    pub(super) reused: usize,
    pub(super) generated: usize,
    /// From the arrival of the request to its first token.
    pub(super) first_token: Duration,
    /// Between pieces of text, each a token as a rule.
    pub(super) gaps: Vec<Duration>,
    /// Why it failed, if it did.
    pub(super) failure: Option<String>,
}

impl Round {
    /// Has clients ask for all of it. `None` after Ctrl+C: what a part of it took says nothing about the whole.
    pub(super) fn run(runtime: &Runtime, workload: &Workload, stop: &Stop) -> Option<Self> {
        let begun = Instant::now();
        let (next, answers) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let client = || {
            while let Some(asked) = workload.requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                let due = begun + Duration::from_secs_f64(asked.at_ms / 1000.0);
                if !stop.wait_until(due) {
                    break;
                }
                // Whoever had to wait for a client waited for the service.
                let arrived = if workload.rate.is_some() { due } else { Instant::now() };
                let Some(answer) = ask(runtime, asked, arrived, stop) else { break };
                answers.lock().unwrap_or_else(PoisonError::into_inner).push((arrived, answer));
            }
        };
        thread::scope(|scope| {
            for _ in 0..workload.clients {
                scope.spawn(client);
            }
        });
        let ended = Instant::now();
        Self::of(answers.into_inner().unwrap_or_else(PoisonError::into_inner), ended, workload)
    }

    /// Puts together when requests arrived and what came of them, if that is all of them.
    fn of(answers: Vec<(Instant, Answer)>, ended: Instant, workload: &Workload) -> Option<Self> {
        if answers.len() < workload.requests.len() {
            return None;
        }
        let first = answers.iter().map(|(arrived, _)| *arrived).min()?;
        let answers = answers.into_iter().map(|(_, answer)| answer).collect();
        Some(Self { answers, spent: ended.saturating_duration_since(first) })
    }

    /// Has one short answer written that nobody counts.
    pub(super) fn warm_up(runtime: &Runtime, info: &ModelInfo, stop: &Stop) {
        let recipe = Recipe {
            seed: u64::MAX,
            clients: 1,
            requests: 1,
            rate: None,
            shared_prefix: 0,
            prompts: vec![8],
            answers: vec![2],
        };
        // What goes wrong here goes wrong again where it counts.
        if let Ok(workload) = Workload::new(&recipe, info.facts.n_vocab) {
            let _ = Self::run(runtime, &workload, stop);
        }
    }

    pub(super) fn failures(&self) -> impl Iterator<Item = &str> {
        self.answers.iter().filter_map(|answer| answer.failure.as_deref())
    }
}

/// Asks, and reads all of the answer. `None` if it was stopped.
fn ask(runtime: &Runtime, asked: &Asked, arrived: Instant, stop: &Stop) -> Option<Answer> {
    let tokens: Vec<Token> = asked.prompt.iter().copied().map(Token).collect();
    let mut sampling = SamplingParams::greedy();
    sampling.ignore_eos = true;
    let mut answer = Answer::default();
    let request = Request::tokens(tokens).sampling(sampling).max_tokens(asked.n_predict);
    let generation = match runtime.submit(request) {
        Ok(generation) => generation,
        Err(rejected) => {
            answer.failure = Some(rejected.to_string());
            return Some(answer);
        }
    };
    let cancel = generation.cancel_handle();
    let _guard = stop.ends(move || cancel.cancel());
    let submitted = Instant::now();
    let mut last: Option<Instant> = None;
    for event in generation.blocking() {
        let now = Instant::now();
        match event {
            Event::Text(_) => match last.replace(now) {
                Some(before) => answer.gaps.push(now.saturating_duration_since(before)),
                None => answer.first_token = now.saturating_duration_since(arrived),
            },
            Event::Finished(finished) => {
                if stop.is_set() {
                    return None;
                }
                let usage = &finished.usage;
                (answer.prompt, answer.reused, answer.generated) = (usage.prompt, usage.reused, usage.generated);
                if last.is_none() {
                    // Tokens that are no text yet: the engine knows when the first one was there.
                    let engine = finished.timings.first_token.unwrap_or_default();
                    answer.first_token = submitted.saturating_duration_since(arrived) + engine;
                }
                if !finished.reason.is_complete() || usage.generated != asked.n_predict {
                    let (is, should_be) = (usage.generated, asked.n_predict);
                    answer.failure = Some(format!("{} ({is} of {should_be} tokens)", finished.reason));
                }
            }
            _ => {}
        }
    }
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_is_whole_and_begins_with_its_first_request() {
        let recipe = Recipe {
            seed: 1,
            clients: 1,
            requests: 2,
            rate: None,
            shared_prefix: 0,
            prompts: vec![4],
            answers: vec![2],
        };
        let workload = Workload::new(&recipe, 100).unwrap();
        let begun = Instant::now();
        let at = |second: u64| begun + Duration::from_secs(second);
        let answered = |seconds: &[u64]| seconds.iter().map(|second| (at(*second), Answer::default())).collect();
        let round = Round::of(answered(&[9, 7]), at(10), &workload).unwrap();
        assert_eq!((round.spent, round.answers.len()), (Duration::from_secs(3), 2));
        assert!(Round::of(answered(&[7]), at(10), &workload).is_none(), "one of them was cut off");
    }
}
