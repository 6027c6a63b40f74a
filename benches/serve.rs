//! What the runtime gains and costs: `cargo bench --bench serve`, see `README.md`.
//!
//! One table per question, everything through `llama-runtime`; `--profile TABLE` prints one of them only. Ways of one table
//! are run in turns.
#![allow(clippy::print_stdout, reason = "a benchmark's result is its output")]

#[path = "serve/cancel.rs"]
mod cancel;
#[path = "serve/latency.rs"]
mod latency;
#[path = "serve/server.rs"]
mod server;
#[path = "serve/together.rs"]
mod together;

use llama_rs_benches::{Failure, Options, Samples, load_warning};
use std::path::PathBuf;

/// What all tables are told.
pub(crate) struct Setting {
    pub path: PathBuf,
    pub threads: u32,
    pub rounds: usize,
    pub scale: &'static Scale,
}

/// How much is asked for.
pub(crate) struct Scale {
    /// Tokens of prompt and answer of each of eight requests.
    pub requests: &'static [(usize, usize)],
    /// Tokens of a prefix that eight requests share, of what each has of its own, and of an answer.
    pub prefix: (usize, usize, usize),
    /// Tokens of a step, and how often a prompt of three steps is cancelled.
    pub cancels: (u32, usize),
    /// Streams that are disturbed, and the tokens of the prompt that disturbs them.
    pub disturbed: (usize, usize),
    /// Tokens of prompt and answer of a single request.
    pub single: (usize, usize),
}

const FULL: Scale = Scale {
    requests: &[(64, 32), (16, 64)],
    prefix: (500, 20, 4),
    cancels: (512, 100),
    disturbed: (4, 2000),
    single: (64, 64),
};

const QUICK: Scale =
    Scale { requests: &[(4, 2)], prefix: (40, 4, 2), cancels: (64, 2), disturbed: (2, 40), single: (4, 4) };

type Table = fn(&Setting) -> Result<(), Failure>;

const TABLES: [(&str, Table); 5] = [
    ("together", together::requests),
    ("prefix", together::prefix),
    ("cancel", cancel::cancel),
    ("latency", latency::latency),
    ("single", together::single),
];

fn main() -> Result<(), Failure> {
    let options = Options::parse(std::env::args().skip(1))?;
    llama_core::system_info();
    for (name, path) in options.models() {
        let (rounds, scale) = if options.quick { (1, &QUICK) } else { (options.blocks, &FULL) };
        let setting = Setting { path, threads: options.threads.unwrap_or(1), rounds, scale };
        for (table, print) in TABLES {
            if options.profile.as_ref().is_some_and(|wanted| wanted != table) {
                continue;
            }
            println!("\n{name}, threads: {}, rounds: {rounds}; table {table}", setting.threads);
            if let Some(warning) = load_warning().filter(|_| !options.quick) {
                println!("  {warning}");
            }
            print(&setting)?;
        }
    }
    Ok(())
}

/// A ratio with its quartiles, for a cell of a table.
pub(crate) fn ratio(samples: &Samples, reference: &Samples) -> String {
    let [median, low, high] = samples.over(reference);
    format!("{median:.3} [{low:.3}, {high:.3}]")
}

/// As [`ratio`], where there is CPU time.
pub(crate) fn cpu_ratio(samples: Option<&Samples>, reference: Option<&Samples>) -> String {
    samples.zip(reference).map_or("-".to_owned(), |(samples, reference)| ratio(samples, reference))
}
