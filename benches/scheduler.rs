//! What the scheduler takes for a step: `cargo bench --bench scheduler`, see `README.md`.
//!
//! The scheduler alone, with an executor that takes no time. Criterion measures the mean; beside it stand the percentiles of
//! single steps, by time that passed and, for all of them together, by CPU time.
#![allow(clippy::print_stdout, reason = "a benchmark's result is its output")]

use criterion::Criterion;
use llama_rs_benches::{Percentiles, load_warning, time};
use llama_runtime::bench::{Load, Steps};
use std::time::{Duration, Instant};

const SEQUENCES: usize = 64;
/// Steps that the percentiles are made of, in worlds made anew.
const STEPS: usize = 500;
const WORLDS: usize = 8;
/// What a step may take with so many sequences.
const TARGET: Duration = Duration::from_micros(100);

const LOADS: [(&str, Load); 5] = [
    ("answers", Load::Answers),
    ("queue", Load::Queue),
    ("prompts", Load::Prompts),
    ("sharing", Load::Sharing),
    ("turnover", Load::Turnover),
];

fn main() {
    let measured = std::env::args().any(|arg| arg == "--bench");
    let mut criterion = Criterion::default().configure_from_args();
    for (name, load) in LOADS {
        criterion.bench_function(&format!("scheduler/{SEQUENCES}/{name}"), |bencher| {
            bencher.iter_custom(|count| (0..count).step_by(STEPS).map(|done| run(load, count - done)).sum());
        });
    }
    criterion.final_summary();
    if measured {
        percentiles();
    }
}

/// At most [`STEPS`] steps of a new world, whose sequences have one length therefore whenever they are measured.
fn run(load: Load, count: u64) -> Duration {
    let mut steps = Steps::new(load, SEQUENCES);
    (0..count.min(STEPS as u64)).map(|_| step(&mut steps)).sum()
}

fn step(steps: &mut Steps) -> Duration {
    steps.prepare();
    let start = Instant::now();
    steps.step();
    start.elapsed()
}

fn percentiles() {
    if let Some(warning) = load_warning() {
        println!("{warning}");
    }
    println!("\nmicroseconds a step, {SEQUENCES} sequences, {} steps; the target is {TARGET:?}", WORLDS * STEPS);
    println!("  load        running  waiting  tokens a step       p50       p99       max   mean of CPU time");
    for (name, load) in LOADS {
        let (mut all, mut tokens, mut cpu) = (Vec::new(), 0, None);
        let (mut running, mut waiting) = (0, 0);
        for _ in 0..WORLDS {
            let mut steps = Steps::new(load, SEQUENCES);
            for _ in 0..STEPS {
                steps.prepare();
                let start = Instant::now();
                let (computed, spent) = time(|| steps.step());
                all.push(start.elapsed());
                tokens += computed;
                cpu = Some(cpu.unwrap_or(0.0) + spent.cpu.unwrap_or(f64::NAN));
            }
            (running, waiting) = (steps.running(), steps.waiting());
        }
        let count = all.len();
        let us = Percentiles::of(all);
        #[allow(clippy::cast_precision_loss, reason = "a number of steps")]
        let cpu = cpu.unwrap_or(f64::NAN) / count as f64 * 1e6;
        println!(
            "  {name:<12}{running:>7}{waiting:>9}{:>15}{:>10.1}{:>10.1}{:>10.1}{cpu:>19.1}",
            tokens / count,
            us.at(50.0) * 1e6,
            us.at(99.0) * 1e6,
            us.at(100.0) * 1e6,
        );
    }
}
