//! What our matrix kernels gain over llama.cpp's own: `cargo bench --bench kernels -- [TYPE..] [--threads N]`, see `README.md`.
//!
//! Whole decode steps of a model of 0.2 billion parameters with 100 k tokens, for some numbers of sequences, and a prompt.
//! Two contexts in one process take turns: kernels off with the weights repacked as llama.cpp likes it, kernels on with
//! the weights as they are in the file. Ratios are of time that passed, medians of the rounds, with the quartiles; and of
//! CPU time of all threads, which other programs lengthen less. `--profile N` only runs steps of N sequences with our kernels,
//! for a profiler.
#![allow(clippy::print_stdout, reason = "a benchmark's result is its output")]

use llama_core::{Batch, Context, ContextParams, Model, ModelParams, Pos, SeqId, Token, Want};
use llama_rs_benches::models::{Shape, TYPES};
use llama_rs_benches::{Failure, Ratio, load_warning, time_all_threads};
use std::path::Path;

const SEQUENCES: [usize; 6] = [1, 2, 3, 4, 8, 16];
const PROMPT: usize = 256;
const STEPS: i32 = 6;
const ROUNDS: usize = 9;
fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |name| args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1)?.parse::<u32>().ok());
    let threads = number("--threads").unwrap_or(2);
    let named: Vec<_> = TYPES.into_iter().filter(|file_type| args.iter().any(|arg| arg == file_type.name)).collect();
    if let Some(warning) = load_warning() {
        println!("{warning}");
    }
    match llama_core::kernels_in_use() {
        Some(instructions) => println!("kernels: {instructions}"),
        None => return Err("there are no kernels in this build or for this processor".into()),
    }
    for file_type in if named.is_empty() { TYPES.to_vec() } else { named } {
        let path = Shape::Small.file(file_type)?;
        match number("--profile") {
            Some(n) => profile(&path, n as usize, threads)?,
            None => compare(file_type.name, &path, threads)?,
        }
    }
    Ok(())
}

/// A context whose weights are as one side likes them.
struct Side {
    context: Context,
    kernels: bool,
}

impl Side {
    fn new(path: &Path, kernels: bool, threads: u32) -> Result<Self, Failure> {
        llama_core::set_kernels(kernels);
        let mut model = ModelParams::default();
        model.use_extra_buffers = !kernels;
        let mut params = ContextParams::default();
        params.n_ctx = Some(2048);
        params.n_seq_max = 16;
        params.kv_unified = true;
        params.n_threads = Some(threads);
        params.n_threads_batch = Some(threads);
        Ok(Self { context: Context::new(&Model::load(path, model)?, params)?, kernels })
    }

    /// Steps of `n` sequences from an empty cache; the last logits of the first sequence.
    fn decode(&mut self, n: usize) -> Result<Vec<f32>, Failure> {
        llama_core::set_kernels(self.kernels);
        self.context.memory()?.clear()?;
        let mut batch = Batch::new(n);
        let mut logits = Vec::new();
        for pos in 0..STEPS {
            batch.clear();
            let mut row = None;
            for seq in 0..i32::try_from(n)? {
                let own = batch.push(Token(300 + 7 * pos + seq), Pos(pos), SeqId(seq), Want::Output)?;
                row = row.or(Some(own));
            }
            let outputs = self.context.decode(&mut batch)?;
            if pos + 1 == STEPS {
                logits = outputs.row(row.ok_or("no sequence")?)?.logits()?.to_vec();
            }
        }
        Ok(logits)
    }

    fn prefill(&mut self) -> Result<Vec<f32>, Failure> {
        llama_core::set_kernels(self.kernels);
        self.context.memory()?.clear()?;
        let mut batch = Batch::new(PROMPT);
        let tokens: Vec<Token> = (0..PROMPT).map(|i| Token(300 + i as i32 * 11)).collect();
        let row = batch.push_run(&tokens, Pos(0), SeqId::ZERO)?.ok_or("no token")?;
        Ok(self.context.decode(&mut batch)?.row(row)?.logits()?.to_vec())
    }
}

fn profile(path: &Path, n: usize, threads: u32) -> Result<(), Failure> {
    let mut side = Side::new(path, true, threads)?;
    for _ in 0..4 * ROUNDS {
        side.decode(n)?;
    }
    Ok(())
}

fn compare(name: &str, path: &Path, threads: u32) -> Result<(), Failure> {
    let mut sides = [Side::new(path, false, threads)?, Side::new(path, true, threads)?];
    println!("\n{name}, {threads} threads: tokens per second, kernels off and on");
    // How much the logits differ means something only beside how much llama.cpp's own do, when other sequences are computed
    // along: activations are rounded to 8 bits in every layer, so the order of a sum moves some by a whole step.
    let alone = sides[0].decode(1)?;
    for n in SEQUENCES {
        let own = distance(&alone, &sides[0].decode(n)?);
        let tokens = n as f64 * f64::from(STEPS);
        row(&format!("{n} sequences, off alone and together {own:.3}"), tokens, &mut sides, |side| side.decode(n))?;
    }
    row(&format!("prompt of {PROMPT}"), PROMPT as f64, &mut sides, Side::prefill)
}

fn row(
    label: &str,
    tokens: f64,
    sides: &mut [Side; 2],
    run: impl Fn(&mut Side) -> Result<Vec<f32>, Failure>,
) -> Result<(), Failure> {
    let logits = [run(&mut sides[0])?, run(&mut sides[1])?];
    let (mut wall, mut cpu, mut rates) = (Vec::new(), Vec::new(), [Vec::new(), Vec::new()]);
    for round in 0..ROUNDS {
        let mut spent = [Default::default(); 2];
        for i in [round % 2, 1 - round % 2] {
            let (result, time) = time_all_threads(|| run(&mut sides[i]));
            result?;
            spent[i] = time;
            rates[i].push(tokens / time.wall);
        }
        wall.push(spent[0].wall / spent[1].wall);
        cpu.extend(spent[0].cpu.zip(spent[1].cpu).map(|(off, on)| off / on));
    }
    let median = |values: Vec<f64>| Ratio::of(&[values]).ok_or("a clock that stands still");
    let [off, on] = rates.map(median);
    let (wall, cpu) = (median(wall)?, median(cpu)?);
    let far = distance(&logits[0], &logits[1]);
    let size = logits[0].iter().fold(0.0_f32, |most, a| most.max(a.abs()));
    println!(
        "{:7.0} {:7.0}  {:5.2}x ({:.2}..{:.2})  CPU {:5.2}x  {label}; logits differ by {far:.3} of {size:.1}",
        off?.median, on?.median, wall.median, wall.spread[1], wall.spread[2], cpu.median
    );
    Ok(())
}

/// The largest difference.
fn distance(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}
