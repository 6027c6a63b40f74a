//! What a decode step costs above llama.cpp's own calls: `cargo bench --bench decode`, see `README.md`.
//!
//! Three loops over the same model, prompt, threads and number of tokens, each sampling the likeliest token and looking
//! for the end of the text: raw calls, `Context` with `Batch` and `Sampler`, and `Session::decode_one`.
#![allow(clippy::print_stdout, reason = "a benchmark's result is its output")]

use llama_core::{
    Batch, Context, ContextParams, Model, ModelParams, Pos, Sampler, SamplingParams, SeqId, Session, Specials, Token,
    Want,
};
use llama_rs_benches::raw::{RawLoop, Task};
use llama_rs_benches::{Contender, Failure, Options, Plan, TARGET, Verdict, calibrate, load_warning, print_ratios};
use llama_testkit::{fixtures, golden};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const LOOPS: [&str; 3] = ["raw", "core", "session"];
const PROMPT: &str = "Once upon a time there was a small boat that wanted to see the sea.";
const N_CTX: u32 = 512;
/// Length of one run: long against the clock, short against what else happens on the machine.
const RUN_SECONDS: f64 = 0.05;
/// Fewest and most tokens of a run; prompt and run fit into the context.
const STEPS: (usize, usize) = (8, 256);
/// How often a measurement is prolonged at most, while its interval reaches across the target.
const MOST_ROUNDS: usize = 3;

fn main() -> Result<ExitCode, Failure> {
    let options = Options::parse(std::env::args().skip(1))?;
    // Sends llama.cpp's log where no loop prints it; it is one per process.
    llama_core::system_info();
    if let Some(name) = &options.profile {
        profile(&options, name)?;
        return Ok(ExitCode::SUCCESS);
    }
    if options.quick {
        let plan = Plan { placements: 1, blocks: 1 };
        let task = Task { model: fixtures::tiny_llama(), threads: 1, n_ctx: 64, prompt: vec![Token(1); 4], steps: 4 };
        plan.measure(LOOPS.len(), task.steps, |i| contender(i, &task))?;
        println!("all loops agree; nothing was measured");
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(warning) = load_warning() {
        println!("{warning}");
    }
    let subjects = subjects(&options);
    if subjects.is_empty() {
        return Err("no model has that name".into());
    }
    let mut passed = true;
    for subject in &subjects {
        for threads in thread_counts(&options) {
            passed &= compare(subject, threads, &options)?;
        }
    }
    println!("\n{}: the target is {TARGET} of raw calls or better", if passed { "PASS" } else { "FAIL" });
    Ok(if options.strict && !passed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A model to measure with.
struct Subject {
    name: &'static str,
    path: PathBuf,
    /// Whether [`TARGET`] holds for it.
    judged: bool,
}

fn subjects(options: &Options) -> Vec<Subject> {
    let mut subjects = Vec::new();
    let mut add = |name, judged, path: &dyn Fn() -> PathBuf| {
        if options.wants_model(name) {
            subjects.push(Subject { name, path: path(), judged });
        }
    };
    add("demo-q8_0", true, &golden::demo_model_path);
    add("bench_100m", true, &|| fixtures::bench_100m().to_owned());
    // It computes next to nothing, so that the rest is seen as through a magnifying glass.
    add("tiny_llama", false, &|| fixtures::tiny_llama().to_owned());
    subjects
}

fn thread_counts(options: &Options) -> Vec<u32> {
    let all = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let all = u32::try_from(all).unwrap_or(1);
    match options.threads {
        Some(threads) => vec![threads],
        None if all == 1 => vec![1],
        None => vec![1, all],
    }
}

fn compare(subject: &Subject, threads: u32, options: &Options) -> Result<bool, Failure> {
    let mut task = task(&subject.path, threads, STEPS.0)?;
    task.steps = calibrate(&mut RawLoop::new(&task)?, STEPS.0, RUN_SECONDS, STEPS)?;
    let plan = Plan { placements: options.placements, blocks: options.blocks };
    let measure = || plan.measure(LOOPS.len(), task.steps, |i| contender(i, &task));
    let mut measured = measure()?;
    for _ in 1..MOST_ROUNDS {
        let verdicts = (1..LOOPS.len()).filter_map(|i| measured.ratio(i)).map(|ratio| Verdict::of(&ratio));
        if !subject.judged || !verdicts.into_iter().any(Verdict::is_unsure) {
            break;
        }
        measured.extend(measure()?);
    }
    let title = format!("{}, {threads} thread{}", subject.name, if threads == 1 { "" } else { "s" });
    Ok(print_ratios(&title, &LOOPS, &measured, threads == 1, subject.judged) || !subject.judged)
}

/// One loop alone: counts of a profiler for two numbers of steps, subtracted, are what the steps between them cost.
fn profile(options: &Options, name: &str) -> Result<(), Failure> {
    let i = LOOPS.iter().position(|other| *other == name).ok_or_else(|| format!("the loops are {LOOPS:?}"))?;
    let subject = subjects(options).into_iter().next().ok_or("no model has that name")?;
    let mut contender = contender(i, &task(&subject.path, options.threads.unwrap_or(1), options.steps)?)?;
    contender.rewind()?;
    contender.run()?;
    println!("{name}: {} steps", options.steps);
    Ok(())
}

fn task(path: &Path, threads: u32, steps: usize) -> Result<Task<'_>, Failure> {
    let mut params = ModelParams::default();
    params.vocab_only = true;
    let prompt = Model::load(path, params)?.vocab().tokenize(PROMPT, Specials::Parse)?;
    Ok(Task { model: path, threads, n_ctx: N_CTX, prompt, steps })
}

fn contender(i: usize, task: &Task<'_>) -> Result<Box<dyn Contender>, Failure> {
    Ok(match i {
        0 => Box::new(RawLoop::new(task)?),
        1 => Box::new(CoreLoop::new(task)?),
        _ => Box::new(SessionLoop::new(task)?),
    })
}

fn context(task: &Task<'_>) -> Result<Context, Failure> {
    let model = Model::load(task.model, ModelParams::default())?;
    let mut params = ContextParams::default();
    params.n_ctx = Some(task.n_ctx);
    params.n_threads = Some(task.threads);
    Ok(Context::new(&model, params)?)
}

fn greedy() -> SamplingParams {
    let mut params = SamplingParams::default();
    params.temperature = 0.0;
    params
}

/// The loop as a program writes it that drives the context itself.
struct CoreLoop {
    ctx: Context,
    model: Model,
    sampler: Sampler,
    batch: Batch,
    last: Token,
    start: i32,
    steps: usize,
}

impl CoreLoop {
    fn new(task: &Task<'_>) -> Result<Self, Failure> {
        let mut ctx = context(task)?;
        let model = ctx.model().clone();
        let mut batch = Batch::new(task.prompt.len());
        batch.push_run(&task.prompt, Pos(0), SeqId::ZERO)?;
        ctx.decode(&mut batch)?;
        let sampler = Sampler::new(&model, &greedy())?;
        let last = *task.prompt.last().ok_or("the prompt is empty")?;
        let start = i32::try_from(task.prompt.len() - 1)?;
        Ok(Self { ctx, model, sampler, batch, last, start, steps: task.steps })
    }
}

impl Contender for CoreLoop {
    fn rewind(&mut self) -> Result<(), Failure> {
        Ok(self.ctx.memory()?.remove(SeqId::ZERO, self.start..)?)
    }

    fn run(&mut self) -> Result<Vec<i32>, Failure> {
        let vocab = self.model.vocab();
        let mut tokens = Vec::with_capacity(self.steps);
        let (mut token, mut pos) = (self.last, self.start);
        let mut ended = 0;
        for _ in 0..self.steps {
            self.batch.clear();
            let row = self.batch.push(token, Pos(pos), SeqId::ZERO, Want::Output)?;
            let outputs = self.ctx.decode(&mut self.batch)?;
            token = self.sampler.sample_and_accept(&outputs.row(row)?)?;
            ended += usize::from(vocab.is_eog(token));
            tokens.push(token.0);
            pos += 1;
        }
        // An end is looked for, as in a program, but the run goes on: every run has the same length.
        std::hint::black_box(ended);
        Ok(tokens)
    }
}

/// The same through a session.
struct SessionLoop {
    session: Session,
    model: Model,
    prompt_len: usize,
    steps: usize,
}

impl SessionLoop {
    fn new(task: &Task<'_>) -> Result<Self, Failure> {
        let ctx = context(task)?;
        let model = ctx.model().clone();
        let mut session = Session::new(ctx, greedy())?;
        session.ingest(&task.prompt)?;
        // Computes a token after the prompt, so that there is something for `rewind` to drop.
        session.decode_one()?;
        session.decode_one()?;
        Ok(Self { session, model, prompt_len: task.prompt.len(), steps: task.steps })
    }
}

impl Contender for SessionLoop {
    /// The first step of a run then computes the last token of the prompt again: as many decodes as in the other loops.
    fn rewind(&mut self) -> Result<(), Failure> {
        Ok(self.session.truncate(self.prompt_len)?)
    }

    fn run(&mut self) -> Result<Vec<i32>, Failure> {
        let vocab = self.model.vocab();
        let mut tokens = Vec::with_capacity(self.steps);
        let mut ended = 0;
        for _ in 0..self.steps {
            let token = self.session.decode_one()?;
            ended += usize::from(vocab.is_eog(token));
            tokens.push(token.0);
        }
        std::hint::black_box(ended);
        Ok(tokens)
    }
}
