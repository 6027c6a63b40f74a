//! A single answer: the bare loop, with more and more of what an answer needs, up to the program.

use llama_core::{Batch, Context, ContextParams, Model, ModelParams, Pos, Sampler, SamplingParams, SeqId, Token, Want};
use llama_rs_benches::{Failure, Options, Piece, Spent, rounds_by_both, time_all_threads};
use llama_runtime::{EngineConfig, ModelSpec, Request, Runtime};
use llama_testkit::fixtures::TempModels;
use std::path::{Path, PathBuf};
use std::process::Command;

const PROMPT: usize = 24;
const ANSWER: usize = 192;
const N_CTX: u32 = 512;
const TEXT: &str = "Once upon a time there was a small boat that wanted to see the sea.";

/// Prints the table for a model.
///
/// # Errors
///
/// Those of what is measured.
pub(super) fn print(name: &str, path: &Path, options: &Options) -> Result<(), Failure> {
    let threads = options.threads.unwrap_or(2);
    let (rounds, answer) = if options.quick { (1, 4) } else { (2 * options.blocks, ANSWER) };
    let model = Model::load(path, ModelParams::default())?;
    let runtime = runtime(path, threads)?;
    let folder = TempModels::new()?;
    let mut labels = vec!["decode alone"];
    let mut pieces: Vec<Piece<'_>> = vec![stream(&model, threads, answer, None)?];
    for (label, params) in ways() {
        labels.push(label);
        pieces.push(stream(&model, threads, answer, Some(params))?);
    }
    for (label, (_, params)) in ["runtime, greedy", "runtime, default sampling"].into_iter().zip(ways()) {
        labels.push(label);
        let runtime = &runtime;
        pieces.push(Box::new(move || answer_of(runtime, &params, answer)));
    }
    if let Some(program) = program()? {
        for (label, temperature) in [("program, greedy", "0"), ("program, default sampling", "0.8")] {
            labels.push(label);
            let args = Args { program: program.clone(), path, threads, answer, temperature, home: folder.path() };
            pieces.push(Box::new(move || args.run()));
        }
    } else {
        println!("  there is no program to measure; build it first: cargo build --release -p llama-cli");
    }
    let (wall, cpu) = rounds_by_both(rounds, &mut pieces)?;
    println!("\nstream: {name}, {answer} tokens of answer, threads: {threads}, rounds: {rounds}");
    println!("  {:<28}{:>9}   share of decode alone   by CPU time", "", "tokens/s");
    for (i, label) in labels.iter().enumerate() {
        let rate = answer as f64 / wall[i].median();
        let [median, low, high] = wall[0].over(&wall[i]);
        let by_cpu = match (&cpu[0], &cpu[i]) {
            (Some(alone), Some(cpu)) => format!("{:.3}", alone.over(cpu)[0]),
            _ => "-".to_owned(),
        };
        println!("  {label:<28}{rate:>9.1}   {median:.3} [{low:.3}, {high:.3}]    {by_cpu}");
    }
    Ok(())
}

fn ways() -> [(&'static str, SamplingParams); 2] {
    let mut greedy = SamplingParams::greedy();
    let mut default = SamplingParams::default().seed(1);
    (greedy.ignore_eos, default.ignore_eos) = (true, true);
    [("and greedy sampling", greedy), ("and default sampling", default)]
}

/// Steps of one sequence from the end of a prompt; without a sampler the tokens are any.
fn stream<'a>(
    model: &'a Model,
    threads: u32,
    answer: usize,
    params: Option<SamplingParams>,
) -> Result<Piece<'a>, Failure> {
    let mut settings = ContextParams::default();
    settings.n_ctx = Some(N_CTX);
    settings.n_threads = Some(threads);
    settings.n_threads_batch = Some(threads);
    let mut context = Context::new(model, settings)?;
    let n_vocab = i32::try_from(model.vocab().len())?;
    let any = move |i: i32| Token((300 + 7 * i) % n_vocab);
    Ok(Box::new(move || {
        context.memory()?.clear()?;
        let mut sampler = params.as_ref().map(|params| Sampler::new(model, params)).transpose()?;
        let mut batch = Batch::new(PROMPT);
        let prompt: Vec<Token> = (0..PROMPT as i32).map(any).collect();
        batch.push_run(&prompt, Pos(0), SeqId::ZERO)?;
        context.decode(&mut batch)?;
        let (done, spent) = time_all_threads(|| -> Result<(), Failure> {
            let mut token = any(0);
            for pos in (PROMPT as i32..).take(answer) {
                batch.clear();
                let row = batch.push(token, Pos(pos), SeqId::ZERO, Want::Output)?;
                let outputs = context.decode(&mut batch)?;
                token = match &mut sampler {
                    Some(sampler) => sampler.sample_and_accept(&outputs.row(row)?)?,
                    None => any(pos),
                };
            }
            Ok(())
        });
        done.map(|()| spent)
    }))
}

fn runtime(path: &Path, threads: u32) -> Result<Runtime, Failure> {
    let mut config = EngineConfig::default();
    config.context.n_ctx = Some(N_CTX);
    config.context.threads = Some(threads);
    config.context.threads_batch = Some(threads);
    config.batch.max_sequences = 1;
    config.cache.prefix_reuse = false;
    Ok(Runtime::builder().model("model", ModelSpec::path(path)).engine(config).build_blocking()?)
}

/// An answer through the runtime, from its first token to its last. CPU time is that of the whole less that of one token.
fn answer_of(runtime: &Runtime, params: &SamplingParams, answer: usize) -> Result<Spent, Failure> {
    let run = |tokens: usize| -> Result<(f64, Option<f64>), Failure> {
        let mut request = Request::text(TEXT).sampling(params.clone());
        request.max_tokens = Some(tokens);
        let (finished, all) = time_all_threads(|| runtime.submit(request).map(|answer| answer.blocking().finish()));
        let finished = finished?;
        if finished.usage.generated != tokens {
            return Err(format!("{} tokens, ended by {:?}", finished.usage.generated, finished.reason).into());
        }
        Ok((finished.timings.generation.as_secs_f64(), all.cpu))
    };
    let (_, first) = run(1)?;
    let (wall, cpu) = run(answer + 1)?;
    Ok(Spent { wall, cpu: cpu.zip(first).map(|(all, first)| all - first) })
}

/// The program that was built beside this one.
fn program() -> Result<Option<PathBuf>, Failure> {
    let own = std::env::current_exe()?;
    let folder = own.parent().and_then(Path::parent).ok_or("this program is in no folder")?;
    let program = folder.join(format!("llama-cli{}", std::env::consts::EXE_SUFFIX));
    Ok(program.is_file().then_some(program))
}

struct Args<'a> {
    program: PathBuf,
    path: &'a Path,
    threads: u32,
    answer: usize,
    temperature: &'a str,
    home: &'a Path,
}

impl Args<'_> {
    /// Runs the program; its text goes into a pipe. From its first token to its last, as it says itself; CPU time is that of the
    /// process less that of one that writes one token.
    fn run(&self) -> Result<Spent, Failure> {
        let (_, first) = self.answer(1)?;
        let (rate, all) = self.answer(self.answer + 1)?;
        // It counts the first token too, and not the time that the first one took.
        let wall = (self.answer + 1) as f64 / rate;
        Ok(Spent { wall, cpu: all.zip(first).map(|(all, first)| all - first) })
    }

    /// Tokens per second as the program says, and its CPU time.
    fn answer(&self, tokens: usize) -> Result<(f64, Option<f64>), Failure> {
        let (threads, tokens, n_ctx) = (self.threads.to_string(), tokens.to_string(), N_CTX.to_string());
        let mut command = Command::new(&self.program);
        command.args(["run", "-p", TEXT, "--ignore-eos", "--show-timings", "--seed", "1", "-c", &n_ctx]);
        command.args(["-t", &threads, "-n", &tokens, "--temp", self.temperature, "-m"]).arg(self.path);
        let before = children_cpu_seconds();
        let output = command.env("HOME", self.home).output()?;
        let cpu = children_cpu_seconds().zip(before).map(|(after, before)| after - before);
        let said = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() || output.stdout.is_empty() {
            return Err(format!("the program failed: {said}").into());
        }
        let rate = said.rsplit_once("Generation: ").and_then(|(_, rest)| rest.split_once(" t/s"));
        let rate = rate.ok_or_else(|| format!("the program said no speed: {said}"))?.0.parse()?;
        Ok((rate, cpu))
    }
}

/// CPU time of all programs that were started here and have ended.
#[cfg(unix)]
fn children_cpu_seconds() -> Option<f64> {
    // SAFETY: a plain struct, for which zeros are a value; the call writes to it.
    let (status, usage) = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        (libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage), usage)
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    (status == 0).then(|| seconds(usage.ru_utime) + seconds(usage.ru_stime))
}

#[cfg(not(unix))]
fn children_cpu_seconds() -> Option<f64> {
    None
}
