//! How soon it is quiet after a cancel in the middle of a long prompt.
//!
//! A cancel stops the running step inside, between two operations of llama.cpp, so it takes less than a step; how much
//! less is printed beside the time of one step of the same size. What is asserted does not depend on how fast the machine
//! is: the stream ends, at most one step of the prompt was computed after the cancel, and the next request gets its
//! answer.

use std::path::Path;
use std::time::{Duration, Instant};

use llama_runtime::{EngineConfig, FinishReason, ModelSpec, Request, Runtime, SamplingParams, Token};
use llama_testkit::{fixtures, golden};

use crate::report::quantiles;
use crate::{alone, quiet};

/// Tokens of a step: one micro-batch.
const STEP: u32 = 128;

fn ask(tokens: usize, first: i32) -> Request {
    let mut tokens: Vec<Token> = (0..tokens).map(|i| Token(40 + i32::try_from(i % 150).unwrap())).collect();
    tokens[0] = Token(40 + first % 150);
    Request::tokens(tokens).sampling(SamplingParams::greedy()).max_tokens(1)
}

/// Cancels at `rounds` moments of a prompt of so many tokens.
fn measure(name: &str, model: &Path, tokens: usize, rounds: u32) {
    let mut config = EngineConfig::default();
    config.context.threads = Some(1);
    config.context.n_ctx = Some(u32::try_from(tokens).unwrap() + 256);
    config.batch.step_tokens = STEP;
    config.cache.prefix_reuse = false;
    let runtime = Runtime::builder().model(name, ModelSpec::path(model).config(config)).build_blocking().unwrap();
    let whole = || {
        let start = Instant::now();
        let finished = runtime.submit(ask(tokens, 0)).unwrap().blocking().finish();
        assert!(finished.reason.is_complete(), "{finished:?}");
        start.elapsed()
    };
    whole();
    let prefill = whole();
    let step = prefill.mul_f64(f64::from(STEP) / tokens as f64);
    let (mut silence, mut free) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let generation = runtime.submit(ask(tokens, i32::try_from(round).unwrap())).unwrap();
        let handle = generation.cancel_handle();
        // Somewhere in the middle. Where exactly does not matter.
        wait_until(Instant::now() + prefill.mul_f64(0.1 + 0.6 * f64::from(round) / f64::from(rounds)));
        let start = Instant::now();
        handle.cancel();
        let before = runtime.stats().models[0].engine.prompt_computed;
        let finished = generation.blocking().finish();
        silence.push(start.elapsed());
        assert!(matches!(finished.reason, FinishReason::Cancelled), "{name}: {finished:?}");
        let next = runtime.submit(ask(1, 0)).unwrap().blocking().finish();
        assert!(next.reason.is_complete(), "{name}: {next:?}");
        free.push(start.elapsed());
        let after = quiet(&runtime).models[0].engine.prompt_computed;
        let more = after - before;
        assert!(more <= u64::from(STEP) + 1, "{name}: {more} tokens were computed after the cancel");
    }
    let share = |mut times: Vec<Duration>| {
        times.sort_unstable();
        times[times.len() / 2].as_secs_f64() / step.as_secs_f64()
    };
    println!("{name}: a prompt of {tokens} tokens takes {prefill:.1?}, a step of {STEP} tokens {step:.1?}");
    println!("  from a cancel to the end {}, {:.2} of a step", quantiles(&silence), share(silence.clone()));
    println!("  until the next request is answered {}, {:.2} of a step", quantiles(&free), share(free.clone()));
}

fn wait_until(at: Instant) {
    while let Some(left) = at.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        std::thread::park_timeout(left);
    }
}

#[test]
fn a_cancel_in_the_middle_of_a_prompt_stops_it() {
    let _alone = alone();
    measure("demo", &golden::demo_model_path(), 900, 20);
    measure("100m", fixtures::bench_100m(), 640, 6);
}
