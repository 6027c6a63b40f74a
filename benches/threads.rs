//! What a busy neighbour costs, by how threads wait for each other: `cargo bench --bench threads`, see `README.md`.
//!
//! Decode steps of 1 and 8 sequences and a prompt, with 1 and 2 threads (or `--threads N`), alone and beside a process that keeps
//! a core busy. Threads are those that llama.cpp starts for each graph, a pool of llama.cpp's (as its server has), and the pool that
//! llama-core makes, whose threads give up their core when they wait long. All ways take turns in one process.
#![allow(clippy::print_stdout, reason = "a benchmark's result is its output")]

#[path = "threads/raw.rs"]
mod raw;

use llama_rs_benches::{Failure, Piece, load_warning, rounds, time};
use llama_testkit::gguf::DType;
use llama_testkit::models::Llama;
use llama_testkit::{fixtures, vocab::Vocab};
use raw::{Steps, Threads, Waiting};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Makes this program a neighbour: it computes until it is killed, or ten minutes.
const NEIGHBOUR: &str = "--be-a-neighbour";
/// Sequences of a step, and steps; then the tokens of a prompt.
const WORK: [(usize, usize); 3] = [(1, 16), (8, 12), (128, 1)];

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.iter().any(|arg| arg == NEIGHBOUR) {
        be_busy();
        return Ok(());
    }
    let number = |name| args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1)?.parse::<u32>().ok());
    let quick = !args.iter().any(|arg| arg == "--bench");
    let n_rounds = if quick { 1 } else { number("--blocks").unwrap_or(8) as usize };
    let most = number("--threads").unwrap_or(2);
    llama_core::system_info();
    let path = if quick { fixtures::tiny_llama().to_owned() } else { model()? };
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

/// The model of 0.2 billion parameters that `kernels` measures.
fn model() -> Result<PathBuf, Failure> {
    let shape = Llama {
        vocab: Vocab::bpe().padded_to(102_400),
        dtype: DType::Q8_0,
        n_layer: 16,
        n_embd: 768,
        n_head: 12,
        n_head_kv: 4,
        head_dim: 64,
        n_ff: 2048,
        ..Llama::bench_100m()
    };
    Ok(fixtures::shared("bench_200m", &shape.file())?)
}

/// Ends with this.
struct Neighbour(Child);

impl Neighbour {
    fn start() -> Result<Self, Failure> {
        let program = std::env::current_exe()?;
        Ok(Self(Command::new(program).arg(NEIGHBOUR).stdin(Stdio::null()).spawn()?))
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn be_busy() {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(600);
    let mut sum = 0_u64;
    while std::time::Instant::now() < end {
        for n in 0..1_000_000 {
            sum = std::hint::black_box(sum.wrapping_add(n));
        }
    }
}
