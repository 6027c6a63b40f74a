//! What the batch job of the program gains: `cargo bench --bench batch`, see `README.md`.
//!
//! Runs `llama-cli run --prompt-file` as a person would, so it has to be built before: `cargo build --release -p llama-cli`.
//! Starting the program and loading the model count; jobs are long enough that they hardly matter. Ways of one table are run
//! in turns.
#![allow(clippy::print_stdout, reason = "a benchmark's result is its output")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use llama_rs_benches::{Failure, Options, Piece, Samples, Spent, load_warning, rounds_by_both};
use llama_testkit::fixtures::TempModels;

/// How much is asked for.
struct Scale {
    /// Prompts of a job, words of each, and tokens of each answer.
    prompts: usize,
    words: usize,
    answer: usize,
    /// Answers together, the first being the reference.
    parallel: &'static [u32],
    /// Prompts of the job with beginnings in common, how many beginnings there are, and their words.
    shared: (usize, usize, usize),
}

const FULL: Scale = Scale { prompts: 24, words: 8, answer: 32, parallel: &[1, 4, 8], shared: (64, 16, 120) };

const QUICK: Scale = Scale { prompts: 4, words: 4, answer: 2, parallel: &[1, 2], shared: (4, 2, 8) };

/// What all jobs have in common.
struct Setting<'a> {
    program: PathBuf,
    model: &'a Path,
    threads: u32,
    rounds: usize,
    scale: &'static Scale,
    folder: TempModels,
}

type Table = fn(&Setting<'_>) -> Result<(), Failure>;

const TABLES: [(&str, Table); 2] = [("parallel", parallel), ("prefix", prefix)];

fn main() -> Result<(), Failure> {
    let options = Options::parse(std::env::args().skip(1))?;
    let Some(program) = program()? else {
        println!("there is no program to measure; build it first: cargo build --release -p llama-cli");
        return if options.quick { Ok(()) } else { Err("no program".into()) };
    };
    for (name, model) in options.models() {
        let (rounds, scale) = if options.quick { (1, &QUICK) } else { (options.blocks, &FULL) };
        let threads = options.threads.unwrap_or(1);
        let folder = TempModels::new()?;
        let setting = Setting { program: program.clone(), model: &model, threads, rounds, scale, folder };
        for (table, print) in TABLES {
            if options.profile.as_ref().is_some_and(|wanted| wanted != table) {
                continue;
            }
            println!("\n{name}, threads: {threads}, rounds: {rounds}; table {table}");
            if let Some(warning) = load_warning().filter(|_| !options.quick) {
                println!("  {warning}");
            }
            print(&setting)?;
        }
    }
    Ok(())
}

/// The program that was built beside this one.
fn program() -> Result<Option<PathBuf>, Failure> {
    let own = std::env::current_exe()?;
    let folder = own.parent().and_then(Path::parent).ok_or("this program is in no folder")?;
    let program = folder.join(format!("llama-cli{}", std::env::consts::EXE_SUFFIX));
    Ok(program.is_file().then_some(program))
}

/// The same job with more and more answers together.
fn parallel(setting: &Setting<'_>) -> Result<(), Failure> {
    let Scale { prompts, words: length, answer, parallel, .. } = setting.scale;
    println!("  {prompts} prompts with answers of {answer} tokens, in the time of the same one at a time");
    // Nothing in common, so that only computing together is measured.
    let lines =
        (0..*prompts).map(|i| (format!("{} is the number of this prompt, {}", i * 7919, words(i, *length)), *answer));
    let input = setting.input("parallel.jsonl", lines)?;
    let mut pieces: Vec<Piece<'_>> = Vec::new();
    for together in *parallel {
        let input = &input;
        pieces.push(Box::new(move || setting.job(input, &["--parallel", &together.to_string()])));
    }
    let (wall, cpu) = rounds_by_both(setting.rounds, &mut pieces)?;
    println!("  together  time that passed, quartiles   CPU time, quartiles         tokens/s");
    for (i, together) in parallel.iter().enumerate() {
        #[allow(clippy::cast_precision_loss, reason = "a job has few tokens")]
        let rate = (prompts * answer) as f64 / wall[i].median();
        println!(
            "  {together:>8}  {:<30}{:<28}{rate:>8.1}",
            ratio(&wall[i], &wall[0]),
            cpu_ratio(cpu[i].as_ref(), cpu[0].as_ref())
        );
    }
    Ok(())
}

/// A job whose prompts have beginnings in common, mixed up so that each comes back only after all others.
fn prefix(setting: &Setting<'_>) -> Result<(), Failure> {
    let (prompts, beginnings, length) = setting.scale.shared;
    println!(
        "  {prompts} prompts with {beginnings} beginnings of {length} words in turns, in the time of prompts without"
    );
    let shared = (0..prompts).map(|i| (format!("{} Question {i}?", words(i % beginnings, length)), 4));
    let shared = setting.input("shared.jsonl", shared)?;
    let own = (0..prompts).map(|i| (format!("{} Question {i}?", words(beginnings + i, length)), 4));
    let own = setting.input("own.jsonl", own)?;
    let mut pieces: Vec<Piece<'_>> = Vec::new();
    // The cache has room for a few of the beginnings.
    for (input, order) in [(&own, &[][..]), (&shared, &["--ordered"]), (&shared, &[])] {
        pieces.push(Box::new(move || setting.job(input, &[&["--parallel", "4", "-c", "2048"], order].concat())));
    }
    let (wall, cpu) = rounds_by_both(setting.rounds, &mut pieces)?;
    println!("  prompts                             time that passed, quartiles   CPU time, quartiles");
    for (i, name) in
        ["nothing in common", "in common, a short way ahead", "in common, sorted far ahead"].iter().enumerate()
    {
        println!("  {name:<36}{:<30}{}", ratio(&wall[i], &wall[0]), cpu_ratio(cpu[i].as_ref(), cpu[0].as_ref()));
    }
    Ok(())
}

/// Any words, the same for the same number, and others from the first on for another.
fn words(number: usize, count: usize) -> String {
    const WORDS: [&str; 8] = ["river", "stone", "cloud", "garden", "winter", "lantern", "harbour", "meadow"];
    let at = |place: usize| WORDS[(number * 31 + place * 7 + number * place) % WORDS.len()];
    let mut text = format!("{number}");
    for place in 0..count {
        // Writing to a String does not fail.
        let _ = write!(text, " {}", at(place));
    }
    text
}

impl Setting<'_> {
    /// A file of prompts, with the tokens of their answers.
    fn input(&self, name: &str, prompts: impl Iterator<Item = (String, usize)>) -> Result<PathBuf, Failure> {
        let line = |(prompt, tokens)| {
            format!("{{\"prompt\": \"{prompt}\", \"raw\": true, \"max_tokens\": {tokens}, \"ignore_eos\": true}}\n")
        };
        Ok(self.folder.write_bytes(name, prompts.map(line).collect::<String>().as_bytes())?)
    }

    /// Runs a job to its end.
    fn job(&self, input: &Path, more: &[&str]) -> Result<Spent, Failure> {
        let output = self.folder.path().join("out.jsonl");
        let mut job = Command::new(&self.program);
        job.arg("run").arg("--prompt-file").arg(input).arg("--output").arg(&output).arg("-m").arg(self.model);
        job.args(["--overwrite", "--quiet", "--temp", "0", "-t", &self.threads.to_string()]).args(more);
        // No settings of whoever runs this.
        job.env("HOME", self.folder.path()).env("XDG_CONFIG_HOME", self.folder.path()).current_dir(self.folder.path());
        job.stdin(Stdio::null()).stdout(Stdio::null());
        let cpu = children_cpu_seconds();
        let start = Instant::now();
        let status = job.status()?;
        let spent = Spent {
            wall: start.elapsed().as_secs_f64(),
            cpu: children_cpu_seconds().zip(cpu).map(|(end, start)| end - start),
        };
        let records = fs::read_to_string(&output)?.lines().count();
        let wanted = fs::read_to_string(input)?.lines().count();
        if status.success() && records == wanted {
            Ok(spent)
        } else {
            Err(format!("the job ended with {status} and {records} of {wanted} records").into())
        }
    }
}

/// CPU time of the programs that were started here and have ended.
#[cfg(unix)]
fn children_cpu_seconds() -> Option<f64> {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: writes to a local struct, of which all zeros are a value.
    let usage = unsafe {
        if libc::getrusage(libc::RUSAGE_CHILDREN, usage.as_mut_ptr()) != 0 {
            return None;
        }
        usage.assume_init()
    };
    #[allow(clippy::cast_precision_loss, reason = "no program runs for 2^52 seconds")]
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    Some(seconds(usage.ru_utime) + seconds(usage.ru_stime))
}

#[cfg(not(unix))]
fn children_cpu_seconds() -> Option<f64> {
    None
}

/// A ratio with its quartiles, for a cell of a table.
fn ratio(samples: &Samples, reference: &Samples) -> String {
    let [median, low, high] = samples.over(reference);
    format!("{median:.3} [{low:.3}, {high:.3}]")
}

/// As [`ratio`], where there is CPU time.
fn cpu_ratio(samples: Option<&Samples>, reference: Option<&Samples>) -> String {
    samples.zip(reference).map_or("-".to_owned(), |(samples, reference)| ratio(samples, reference))
}
