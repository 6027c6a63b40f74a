//! What a busy neighbour costs, by how threads wait for each other: `cargo bench --bench threads`, see `README.md`.
//!
//! Decode steps of 1 and 8 sequences and a prompt, with 1 and 2 threads (or `--threads N`), alone and beside a process that keeps
//! a core busy. Threads are those that llama.cpp starts for each graph, a pool of llama.cpp's (as its server has), and the pool that
//! llama-core makes, whose threads give up their core when they wait long. All ways take turns in one process.
#![allow(clippy::print_stdout, reason = "a benchmark's result is its output")]

#[path = "threads/raw.rs"]
mod raw;

use llama_rs_benches::models::{Shape, TYPES};
use llama_rs_benches::neighbour::{Neighbour, SPIN, spin};
use llama_rs_benches::{Failure, Piece, load_warning, rounds, time};
use llama_testkit::fixtures;
use raw::{Steps, Threads, Waiting};
use std::path::Path;

/// Sequences of a step, and steps; then the tokens of a prompt.
const WORK: [(usize, usize); 3] = [(1, 16), (8, 12), (128, 1)];

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.iter().any(|arg| arg == SPIN) {
        spin();
    }
    let number = |name| args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1)?.parse::<u32>().ok());
    let quick = !args.iter().any(|arg| arg == "--bench");
    let n_rounds = if quick { 1 } else { number("--blocks").unwrap_or(8) as usize };
    let most = number("--threads").unwrap_or(2);
    llama_core::system_info();
    let path = if quick { fixtures::tiny_llama().to_owned() } else { Shape::Small.file(TYPES[0])? };
    if let Some(warning) = load_warning().filter(|_| !quick) {
        println!("{warning}");
    }
    // Once through the code is enough for a test; waiting without end beside a neighbour is not quick.
    for busy in [false, true].into_iter().filter(|busy| !(quick && *busy)) {
        let _neighbour = busy.then(Neighbour::start).transpose()?;
        for (rows, steps) in WORK {
            let steps = if quick { 1 } else { steps };
            table(&path, &Work { rows, steps, busy, rounds: n_rounds, most })?;
        }
    }
    Ok(())
}

/// What all ways do.
struct Work {
    rows: usize,
    steps: usize,
    busy: bool,
    rounds: usize,
    most: u32,
}

/// One piece of work, all ways in turns.
fn table(path: &Path, work: &Work) -> Result<(), Failure> {
    let mut names = Vec::new();
    let mut sides = Vec::new();
    let one = Threads { count: 1, waiting: Waiting::OfGraph };
    let more = Waiting::ALL.map(|waiting| Threads { count: work.most, waiting });
    for kernels in [false, true] {
        for threads in std::iter::once(one).chain(more) {
            llama_core::set_kernels(kernels);
            let Some(side) = Steps::new(path, threads, work.rows)? else { continue };
            names.push(format!(
                "{}, {} threads, {}",
                if kernels { "ours" } else { "llama.cpp's" },
                threads.count,
                threads.waiting.name()
            ));
            sides.push((kernels, side));
        }
    }
    let mut pieces: Vec<Piece<'_>> = Vec::new();
    for (kernels, side) in &mut sides {
        pieces.push(Box::new(move || {
            llama_core::set_kernels(*kernels);
            side.rewind();
            let (done, spent) = time(|| side.run(work.steps));
            done?;
            Ok(spent)
        }));
    }
    let samples = rounds(work.rounds, false, &mut pieces)?;
    let neighbour = if work.busy { "beside a busy process" } else { "alone" };
    println!("\n{} rows, {neighbour}: tokens per second, and against llama.cpp's kernels with its own pool", work.rows);
    let reference = names.iter().position(|name| name.contains(Waiting::Upstream.name())).ok_or("no reference")?;
    for (name, times) in names.iter().zip(&samples) {
        let [median, low, high] = samples[reference].over(times);
        let rate = (work.rows * work.steps) as f64 / times.median();
        println!("{rate:8.0}  {median:5.2}x ({low:.2}..{high:.2})  {name}");
    }
    Ok(())
}
