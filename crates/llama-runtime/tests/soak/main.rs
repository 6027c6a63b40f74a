//! Thousands of requests of all kinds, 32 at a time: every one is accounted for, and nothing is left behind.
//!
//! What is asked is drawn from a seed (`LLAMA_SOAK_SEED`, 1 by default): conversations, long prompts that do not fit beside
//! each other, answers without a limit, grammars, schemas, several choices, embeddings, nonsense. So is how it is read:
//! to the end, until it is cancelled from another thread or by the reader, until a deadline, with rests, until the
//! stream is dropped. A run ends after so many of them or so many seconds; `LLAMA_SOAK_SECONDS` makes it as long as that,
//! whatever their number. `--nocapture` shows the figures.
//!
//! Speeds are printed and never asserted. What is asserted is exact: each answer by its client, all of them by the totals,
//! and what the engine holds when all is quiet.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(clippy::print_stdout, reason = "figures for people")]
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures for people"
)]

mod board;
mod canceller;
mod client;
mod mix;
mod process;
mod report;
mod silence;

use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::park_timeout;
use std::time::{Duration, Instant};

use llama_runtime::{Bytes, EngineConfig, ModelSpec, ModelStats, OverloadPolicy, Runtime, Stats};
use llama_testkit::{fixtures, golden};

use board::{Board, State};
use canceller::Canceller;
use client::Client;
use mix::Mix;
use report::{Report, thirds};

/// Clients that submit at the same time.
const CLIENTS: usize = 32;
/// Most bytes that the resident memory may grow from the second third of a run to the last. In the default run these are
/// about a thousand requests each, so what is seen is a leak of six KiB for each; what allocators keep for themselves goes
/// up and down by a third of that.
const GROWTH: u64 = 6 << 20;
/// Main memory for what was parked or evicted.
const HOST_MEMORY: Bytes = Bytes::mib(4);

/// One at a time: they share the figures of the process.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The default, and its time limit in seconds; with `LLAMA_SOAK_SECONDS`, no number and that limit.
fn size(tasks: u64, seconds: u64) -> (u64, Duration) {
    match std::env::var("LLAMA_SOAK_SECONDS") {
        Ok(longer) => {
            (u64::MAX, Duration::from_secs(longer.parse().expect("LLAMA_SOAK_SECONDS is a number of seconds")))
        }
        Err(_) => (tasks, Duration::from_secs(seconds)),
    }
}

fn seed() -> u64 {
    std::env::var("LLAMA_SOAK_SEED").map_or(1, |seed| seed.parse().expect("LLAMA_SOAK_SEED is a number"))
}

/// A tight engine: eight sequences, a cache that cannot hold eight long prompts, a queue that runs full in bursts, and
/// little patience.
fn config() -> EngineConfig {
    let mut config = EngineConfig::default();
    config.context.threads = Some(1);
    config.context.n_ctx = Some(1024);
    config.batch.step_tokens = 128;
    config.batch.step_time = Duration::from_millis(20);
    config.batch.min_chunk = 16;
    config.cache.host_memory = HOST_MEMORY;
    config.limits.queue = 32;
    config.limits.event_buffer = 8;
    config.limits.park_after = Duration::from_millis(20);
    config.limits.slow_consumer_timeout = Duration::from_secs(1);
    config.limits.aging = Duration::from_secs(2);
    config
}

/// A run.
struct Soak<'s> {
    name: &'s str,
    model: &'s Path,
    config: EngineConfig,
    mix: Mix,
    tasks: u64,
    limit: Duration,
}

impl Soak<'_> {
    /// Carries it out, and checks what is the same for all.
    fn run(self) -> (State, ModelStats) {
        let Self { name, model, config, mix, tasks, limit } = self;
        println!("{name}: LLAMA_SOAK_SEED={}", mix.seed);
        let spec = ModelSpec::path(model).config(config);
        let runtime = Arc::new(Runtime::builder().model(name, spec).build_blocking().unwrap());
        let board = Arc::<Board>::default();
        board.lock().clients = CLIENTS;
        let canceller = Arc::new(Canceller::start());
        let next = Arc::<AtomicU64>::default();
        let start = Instant::now();
        let threads: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let (runtime, board) = (Arc::clone(&runtime), Arc::clone(&board));
                let (canceller, next) = (Arc::clone(&canceller), Arc::clone(&next));
                let client = Client { runtime, board, canceller, mix, next, tasks, until: start + limit };
                std::thread::spawn(move || client.run())
            })
            .collect();
        board.watch(|| format!("{:#?}", runtime.stats()));
        for thread in threads {
            thread.join().unwrap();
        }
        let took = start.elapsed();
        drop(canceller);
        let stats = quiet(&runtime);
        let clients = board.lock().clone();
        println!("{}", Report { name, took, clients: &clients, stats: &stats.models[0] });
        check_totals(&clients, &stats.models[0]);
        check_shutdown(runtime);
        let [_, before, after] = thirds(&clients.memory);
        assert!(after <= before + GROWTH, "resident memory grows: {:?}", clients.memory);
        (clients, stats.models[0].clone())
    }
}

/// The figures when nothing is going on, which is soon after the last event was read.
fn quiet(runtime: &Runtime) -> Stats {
    let start = Instant::now();
    loop {
        let stats = runtime.stats();
        let model = &stats.models[0];
        let engine = &model.engine;
        let over = model.open == 0 && model.totals.finished() == model.totals.accepted;
        // One timer may look after the next step.
        if over && engine.running == 0 && engine.parked == 0 && engine.cells_used == 0 && stats.timers <= 1 {
            assert_eq!((model.queued, model.queued_tokens), (0, 0));
            assert_eq!(engine.cells_reserved, 0, "{engine:?}");
            // Where a state has one size, there are no cells, and what is kept is counted in tokens.
            assert!(engine.cells_cached <= engine.cells || engine.cells == 0, "{engine:?}");
            assert!(engine.host_bytes as u64 <= HOST_MEMORY.0, "{engine:?}");
            return stats;
        }
        assert!(start.elapsed() < Duration::from_secs(10), "something is left: {stats:#?}");
        park_timeout(Duration::from_millis(1));
    }
}

/// What the clients counted is what the runtime counted.
fn check_totals(clients: &State, stats: &ModelStats) {
    let totals = &stats.totals;
    assert_eq!(totals.accepted, clients.accepted);
    assert_eq!(totals.rejected_overload, clients.overload.values().sum::<u64>());
    assert_eq!(totals.rejected_invalid, clients.invalid);
    let ends = [
        (totals.completed, ["stop", "length"].as_slice()),
        (totals.cancelled, ["cancelled"].as_slice()),
        (totals.deadline, ["deadline"].as_slice()),
        (totals.slow_consumer, ["slow_consumer"].as_slice()),
        (totals.shed, ["shed"].as_slice()),
        (totals.shutdown, ["shutdown"].as_slice()),
        (totals.failed, ["error"].as_slice()),
    ];
    let seen = |names: &[&str]| names.iter().filter_map(|name| clients.ends.get(name)).sum::<u64>();
    // Who drops a stream does not see how it ends.
    let unseen: u64 =
        ends.iter().map(|(told, names)| told.checked_sub(seen(names)).expect("one end was not counted")).sum();
    assert_eq!(unseen, clients.dropped, "{totals:?}");
    assert_eq!((totals.failed, totals.shutdown), (0, 0));
    assert!(totals.generated_tokens >= clients.generated);
    assert!(totals.reused_tokens <= totals.prompt_tokens);
}

/// Nobody is cut off, and no thread stays.
fn check_shutdown(runtime: Arc<Runtime>) {
    let runtime = Arc::into_inner(runtime).expect("all clients are gone");
    let drained = runtime.shutdown_blocking(Duration::from_secs(5));
    assert_eq!((drained.open, drained.cut), (0, 0));
    assert_eq!(process::runtime_threads().unwrap_or_default(), Vec::<String>::new());
}

#[test]
fn thousands_of_requests_leave_nothing_behind() {
    let _alone = alone();
    let (tasks, limit) = size(3000, 100);
    let mix = Mix { seed: seed(), chats: true, words: (420, 40), answer: 40, unruly: 40 };
    let mut config = config();
    config.limits.overload = OverloadPolicy::ShedLowest;
    let path = golden::demo_model_path();
    let (clients, stats) = Soak { name: "demo", model: &path, config, mix, tasks, limit }.run();
    for end in ["stop", "length", "cancelled", "deadline", "slow_consumer"] {
        assert!(clients.ends.contains_key(end), "no request ended so: {end}: {:?}", clients.ends);
    }
    assert!(clients.shaped > 0, "no answer with a structure came to its end");
    assert!(clients.dropped > 0 && clients.invalid > 0 && !clients.overload.is_empty());
    assert!(stats.totals.reused_tokens > 0 && stats.engine.parkings > 0, "{stats:?}");
}

#[test]
fn models_of_every_kind_get_over_readers_that_do_as_they_like() {
    let _alone = alone();
    let (tasks, limit) = size(400, 12);
    let models = [
        ("attention", fixtures::tiny_llama()),
        ("recurrent", fixtures::tiny_mamba()),
        ("hybrid", fixtures::tiny_hybrid()),
    ];
    for (name, model) in models {
        let mix = Mix { seed: seed(), chats: false, words: (60, 12), answer: 30, unruly: 90 };
        let mut config = config();
        config.context.n_ctx = Some(512);
        let (clients, _) = Soak { name, model, config, mix, tasks, limit }.run();
        for end in ["cancelled", "deadline"] {
            assert!(clients.ends.contains_key(end), "{name}: no request ended so: {end}: {:?}", clients.ends);
        }
    }
}
