//! What decides the layout of a KV cache and the size of a batch: `cargo bench --bench kv`, see `README.md`.
//!
//! One table per question; `--profile TABLE` prints one of them only. No target holds: the figures are for whoever
//! chooses `kv_unified`, the largest prefill chunk, or whether to batch at all.
#![allow(clippy::print_stdout, reason = "a benchmark's result is its output")]

#[path = "kv/layouts.rs"]
mod layouts;
#[path = "kv/rig.rs"]
mod rig;
#[path = "kv/rows.rs"]
mod rows;
#[path = "kv/stops.rs"]
mod stops;

use llama_core::{Model, ModelParams};
use llama_rs_benches::{Failure, Options, Samples, load_warning};

/// What all tables are told.
pub(crate) struct Setting<'a> {
    pub model: &'a Model,
    pub threads: u32,
    pub rounds: usize,
    pub scale: &'a Scale,
}

/// How much is put into the caches.
pub(crate) struct Scale {
    /// Numbers of sequences.
    pub sequences: &'static [usize],
    /// Tokens of each sequence.
    pub lengths: &'static [usize],
    /// Tokens of a long prompt, and rows of the largest micro-batch.
    pub prompt: usize,
    /// Sequences that lie beside the one whose prompt is computed.
    pub others: &'static [usize],
    /// Tokens of a prefix that sequences share, or that is parked.
    pub prefix: usize,
    /// Rows of a step, from few to many.
    pub rows: &'static [usize],
    /// Tokens of a prompt that are computed at once.
    pub chunks: &'static [usize],
    /// Tokens of prompt and answer of each request.
    pub requests: &'static [(usize, usize)],
    /// How often a decode is stopped.
    pub stops: usize,
}

const FULL: Scale = Scale {
    sequences: &[1, 2, 4, 8, 16, 32],
    lengths: &[64, 512],
    prompt: 512,
    others: &[0, 8, 31],
    prefix: 500,
    rows: &[1, 2, 3, 4, 6, 8, 12, 16, 24, 32],
    chunks: &[8, 16, 32, 64, 128, 256, 512],
    requests: &[(64, 32), (16, 64)],
    stops: 60,
};

const QUICK: Scale = Scale {
    sequences: &[2],
    lengths: &[16],
    prompt: 32,
    others: &[0, 1],
    prefix: 20,
    rows: &[1, 2],
    chunks: &[16, 32],
    requests: &[(4, 2)],
    stops: 2,
};

type Table = fn(&Setting<'_>) -> Result<(), Failure>;

const TABLES: [(&str, Table); 9] = [
    ("steps", layouts::steps),
    ("prefill", layouts::prefill),
    ("shapes", layouts::shapes),
    ("prefix", layouts::prefix),
    ("park", layouts::park),
    ("rows", rows::rows),
    ("requests", rows::requests),
    ("chunks", rows::chunks),
    ("stops", stops::stops),
];

fn main() -> Result<(), Failure> {
    let options = Options::parse(std::env::args().skip(1))?;
    llama_core::system_info();
    if let Some(warning) = load_warning().filter(|_| !options.quick) {
        println!("{warning}");
    }
    for (name, path) in options.models() {
        let model = Model::load(&path, ModelParams::default())?;
        for threads in thread_counts(&options) {
            let (rounds, scale) = if options.quick { (1, &QUICK) } else { (options.blocks, &FULL) };
            let setting = Setting { model: &model, threads, rounds, scale };
            for (table, print) in TABLES {
                if options.profile.as_ref().is_some_and(|wanted| wanted != table) {
                    continue;
                }
                let clock = if threads == 1 { "CPU time of the thread" } else { "time that passed" };
                println!("\n{name}, threads: {threads}, rounds: {rounds}, {clock}; table {table}");
                print(&setting)?;
            }
        }
    }
    Ok(())
}

fn thread_counts(options: &Options) -> Vec<u32> {
    match options.threads {
        Some(threads) => vec![threads],
        None if options.quick => vec![1],
        None => vec![1, 2],
    }
}

/// Milliseconds, for a cell of a table.
pub(crate) fn ms(samples: &Samples) -> f64 {
    samples.median() * 1000.0
}

/// A ratio with its quartiles, for a cell of a table.
pub(crate) fn ratio(samples: &Samples, reference: &Samples) -> String {
    let [median, low, high] = samples.over(reference);
    format!("{median:.2} [{low:.2}, {high:.2}]")
}

pub(crate) fn on_off(flash: bool) -> &'static str {
    if flash { "on" } else { "off" }
}
