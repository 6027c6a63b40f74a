//! What `Runtime::submit` takes: `cargo bench --bench submit`, see `README.md`.
//!
//! From the call to the return, when the request is in the queue: checked, rendered, tokenized. Making the request and taking
//! it back are not counted. Criterion measures the mean; beside it stand the percentiles of single calls.
#![allow(clippy::print_stdout, reason = "a benchmark's result is its output")]

use criterion::Criterion;
use llama_rs_benches::{Failure, Percentiles, load_warning, time};
use llama_runtime::{EngineConfig, Generation, Message, ModelSpec, Priority, Request, Runtime, SamplingParams, Token};
use llama_testkit::fixtures;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What a call may take at the median, for tokens.
const TARGET: Duration = Duration::from_micros(20);
/// Calls that the percentiles are made of.
const CALLS: usize = 5000;
/// Requests that wait besides, in a queue of [`QUEUE`].
const WAITING: [usize; 2] = [0, 60];
const QUEUE: usize = 64;
const N_CTX: u32 = 4096;

/// Makes a request of one kind.
type Make = fn() -> Request;

const REQUESTS: [(&str, Make); 4] =
    [("16_tokens", || tokens(16)), ("512_tokens", || tokens(512)), ("text", text), ("chat", chat)];

fn tokens(count: i32) -> Request {
    Request::tokens((0..count).map(|place| Token(10 + place % 40)).collect::<Vec<_>>()).max_tokens(16)
}

fn text() -> Request {
    Request::text("Once upon a time there was a small boat that wanted to see the sea.").max_tokens(16)
}

fn chat() -> Request {
    Request::chat([Message::system("You are a boat."), Message::user("What do you want to see?")]).max_tokens(16)
}

fn main() -> Result<(), Failure> {
    let measured = std::env::args().any(|arg| arg == "--bench");
    llama_core::system_info();
    let mut criterion = Criterion::default().configure_from_args();
    for busy in [false, true] {
        let engine = Occupied::new(busy)?;
        for (name, make) in REQUESTS {
            criterion.bench_function(&format!("submit/{}/{name}", engine.name()), |bencher| {
                bencher.iter_custom(|count| (0..count).map(|_| engine.submit(make()).0).sum());
            });
        }
    }
    criterion.final_summary();
    if measured {
        percentiles()?;
    }
    Ok(())
}

fn percentiles() -> Result<(), Failure> {
    if let Some(warning) = load_warning() {
        println!("{warning}");
    }
    println!("\nmicroseconds a call, {CALLS} calls; the target is {TARGET:?} at the median");
    println!("  engine   waiting  request          p50       p99       max   mean of CPU time");
    for busy in [false, true] {
        for waiting in WAITING {
            let engine = Occupied::new(busy)?;
            let _others: Vec<Generation> = (0..waiting).map(|_| engine.submit(tokens(16)).1).collect();
            for (name, make) in REQUESTS {
                let mut cpu = 0.0;
                let mut calls = Vec::with_capacity(CALLS);
                for _ in 0..CALLS {
                    let request = make();
                    let ((call, generation), spent) = time(|| engine.submit(request));
                    drop(generation);
                    calls.push(call);
                    cpu += spent.cpu.unwrap_or(f64::NAN);
                }
                let us = Percentiles::of(calls);
                let [p50, p99, max] = [50.0, 99.0, 100.0].map(|percent| us.at(percent) * 1e6);
                #[allow(clippy::cast_precision_loss, reason = "a number of calls")]
                let cpu = cpu * 1e6 / CALLS as f64;
                println!("  {:<9}{waiting:>7}  {name:<11}{p50:>9.1}{p99:>10.1}{max:>10.1}{cpu:>19.1}", engine.name());
            }
        }
    }
    Ok(())
}

/// A runtime whose only sequence is taken, so that requests stay in the queue.
struct Occupied {
    runtime: Arc<Runtime>,
    busy: bool,
    /// It takes the sequence for as long as nobody reads it.
    _paused: Option<Generation>,
    stop: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

impl Occupied {
    /// With `busy` the engine computes; otherwise it has nothing to do but to look at what is submitted.
    fn new(busy: bool) -> Result<Self, Failure> {
        let day = Duration::from_secs(24 * 60 * 60);
        let mut config = EngineConfig::default();
        config.context.n_ctx = Some(N_CTX);
        config.context.threads = Some(1);
        config.batch.max_sequences = 1;
        config.limits.queue = QUEUE;
        config.limits.event_buffer = if busy { 4096 } else { 1 };
        config.limits.slow_consumer_timeout = day;
        config.limits.park_after = day;
        config.limits.aging = day;
        config.defaults.queue_deadline = day;
        config.defaults.total_deadline = day;
        let spec = ModelSpec::path(fixtures::tiny_tools()).config(config);
        let runtime = Arc::new(Runtime::builder().model("tiny", spec).build_blocking()?);
        let stop = Arc::<AtomicBool>::default();
        let mut occupied = Self { runtime, busy, _paused: None, stop, reader: None };
        if busy {
            let (runtime, stop) = (Arc::clone(&occupied.runtime), Arc::clone(&occupied.stop));
            occupied.reader = Some(std::thread::spawn(move || {
                // The next one waits already when one ends, and is more urgent than all others.
                let mut waiting = runtime.submit(endless());
                while let Ok(running) = waiting {
                    waiting = runtime.submit(endless());
                    let _ = running.blocking().take_while(|_| !stop.load(Ordering::Relaxed)).count();
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                }
            }));
        } else {
            let mut paused = occupied.runtime.submit(endless())?;
            // It has written one token, and room for no more.
            llama_runtime::blocking::block_on(paused.next());
            occupied._paused = Some(paused);
        }
        Ok(occupied)
    }

    fn name(&self) -> &'static str {
        if self.busy { "computes" } else { "idle" }
    }

    /// How long the call took.
    fn submit(&self, request: Request) -> (Duration, Generation) {
        let start = Instant::now();
        let submitted = self.runtime.submit(request);
        let took = start.elapsed();
        (took, submitted.expect("there is room in the queue, and the request is sound"))
    }
}

impl Drop for Occupied {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

/// Writes until the cache is full.
fn endless() -> Request {
    let mut sampling = SamplingParams::greedy();
    sampling.ignore_eos = true;
    tokens(16).sampling(sampling).priority(Priority::Interactive).max_tokens(N_CTX as usize - 64)
}
