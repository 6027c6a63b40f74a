//! The batch job: `llama-cli run --prompt-file`.
//!
//! A thread reads the inputs ahead, within bounds; some workers have them answered; this thread writes the records. So an
//! input may be larger than memory, and a record that is written stays written whatever happens to the process.
//!
//! | file | what it does |
//! |---|---|
//! | `input`, `lines`, `source` | files, their formats, and their lines |
//! | `key`, `done` | which record answers which input |
//! | `entry` | one input, made of a line, and how it ended |
//! | `ours`, `openai`, `answers` | the two formats of lines and records |
//! | `request`, `sampling`, `fields`, `problem` | from the fields of a line to a request, or to what is wrong with it |
//! | `job`, `window`, `pool`, `worker` | which input is next, who answers it, and stopping |
//! | `journal` | the file of records, and what a killed job left in it |
//! | `progress` | the bar and the summary |

mod answers;
mod done;
mod entry;
mod fields;
mod input;
mod job;
mod journal;
mod key;
mod lines;
mod openai;
mod ours;
mod pool;
mod problem;
mod progress;
mod request;
mod sampling;
mod source;
mod window;
mod worker;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::bail;
use clap::Args;

use crate::exit::{self, Ended};
use crate::interrupt::Interrupts;
use crate::settings::{Effective, Purpose};
use crate::{start, ui};
use entry::Parser;
use input::Input;
use job::Job;
use journal::{Existing, Journal, Past};
use pool::Pool;
use progress::Progress;
use request::Base;
use source::Source;
use window::Bounds;

/// How the ids of OpenAI's records begin; the key follows.
const ID_PREFIX: &str = "batch_req_";

/// Inputs that are read ahead, so that prompts which begin alike can follow each other.
const AHEAD: Bounds = Bounds { entries: 1024, bytes: 32 << 20 };

/// Most requests that wait in the engine for a free sequence, so that it never waits for us.
const MAX_QUEUED: usize = 16;

const NO_TEMPLATE: &str =
    "This model has no chat template, so prompts are continued as they are (--raw says so without this line).";

/// Many prompts from a file.
#[derive(Debug, Args)]
#[command(next_help_heading = "Batch job")]
pub(crate) struct JobArgs {
    /// Answer every prompt of a file: .txt, .jsonl, or lines in the format of OpenAI's batches; - for stdin. May be
    /// given several times
    #[arg(long, value_name = "FILE", conflicts_with_all = ["prompt", "file"])]
    prompt_file: Vec<PathBuf>,

    /// Each line of a text file is a prompt, and not all of it one
    #[arg(long, requires = "prompt_file")]
    lines: bool,

    /// Where the records go, - for stdout [default: stdout]
    #[arg(long, value_name = "FILE", requires = "prompt_file")]
    output: Option<PathBuf>,

    /// Go on with the records that are in --output, and answer the rest
    #[arg(long, requires = "output")]
    resume: bool,

    /// As --resume, and answer again what failed
    #[arg(long, requires = "output")]
    retry_failed: bool,

    /// Give up what is in --output
    #[arg(long, requires = "output", conflicts_with_all = ["resume", "retry_failed"])]
    overwrite: bool,

    /// Write the records in the order of the prompts, and not as they come
    #[arg(long, requires = "prompt_file")]
    ordered: bool,

    /// Show no progress and no summary
    #[arg(long, requires = "prompt_file")]
    quiet: bool,

    /// Prompts are continued as they are: `--raw` of `run`.
    #[arg(skip)]
    pub(crate) raw: bool,
}

impl JobArgs {
    /// Whether the command line asks for a job.
    pub(crate) fn is_wanted(&self) -> bool {
        !self.prompt_file.is_empty()
    }

    fn existing(&self) -> Existing {
        match (self.overwrite, self.retry_failed, self.resume) {
            (true, _, _) => Existing::Overwrite,
            (false, true, _) => Existing::RetryFailed,
            (false, false, true) => Existing::Resume,
            (false, false, false) => Existing::Refuse,
        }
    }
}

/// Runs a job to its end.
///
/// # Errors
///
/// What keeps the whole job from going on; a prompt that fails is a record. [`Ended`] with
/// [`SOME_FAILED`](crate::exit::SOME_FAILED) if there was one.
pub(crate) fn run(args: &JobArgs, effective: &Effective, interrupts: &Interrupts) -> anyhow::Result<()> {
    let (source, mut journal, before) = open(args)?;
    // What is wrong with the files is told before minutes are spent on loading a model, and nothing is lost before it works.
    let can_be_read_twice = source.inputs.iter().all(Input::is_file);
    if source.done.len() > 0 && can_be_read_twice && source.verify()? == 0 {
        // What failed may be of prompts that are no longer there.
        journal.begin(args.existing())?;
        return nothing_left(args, before);
    }
    let (runtime, info) = start::engine(effective, Purpose::Job)?;
    journal.begin(args.existing())?;
    let has_template = info.has_chat_template || effective.settings.chat.template.is_some();
    if !has_template && !args.raw && !args.quiet {
        ui::note(NO_TEMPLATE);
    }
    let parallel = effective.settings.batch.max_sequences as usize;
    let workers = parallel + parallel.min(MAX_QUEUED);
    // Held back records are lost when the program is killed, so there are few.
    let ahead = if args.ordered { Bounds { entries: 2 * workers, ..AHEAD } } else { AHEAD };
    let shows_bar = !args.quiet && (!matches!(journal, Journal::Stdout) || !ui::stdout_is_terminal());
    let job = Job {
        journal,
        progress: Progress::new(&source.inputs, shows_bar, before),
        pool: Arc::new(Pool::new(ahead, args.ordered, !can_be_read_twice)),
        workers,
        model: model_name(effective),
        quiet: args.quiet,
        ordered: args.ordered,
    };
    let parser = Parser::new(Base { effective: effective.clone(), info, raw: args.raw }, source.inputs.len() > 1);
    job.run(source, parser, &runtime, interrupts)
}

/// The inputs, where the records go, and how many there are: all of them, and those that failed.
fn open(args: &JobArgs) -> anyhow::Result<(Source, Journal, (u64, u64))> {
    let inputs = Input::all(&args.prompt_file, args.lines)?;
    let (journal, past) = match &args.output {
        Some(path)
            if path.as_os_str() == "-" && matches!(args.existing(), Existing::Resume | Existing::RetryFailed) =>
        {
            bail!("--output - is stdout, which cannot be read again for --resume; give the name of a file")
        }
        None => (Journal::Stdout, Past::default()),
        Some(path) if path.as_os_str() == "-" => (Journal::Stdout, Past::default()),
        Some(path) => {
            refuse_input(&inputs, path)?;
            Journal::open(path, args.existing())?
        }
    };
    let output = args.output.as_ref().map_or_else(String::new, |path| path.display().to_string());
    if past.was_torn && !args.quiet {
        ui::note(&format!("The last record in {output} was cut off; its prompt is answered again."));
    }
    let before = (past.done.len(), past.failed);
    Ok((Source { inputs, done: past.done, output }, journal, before))
}

/// A job that was resumed at its end needs no model.
fn nothing_left(args: &JobArgs, before: (u64, u64)) -> anyhow::Result<()> {
    if !args.quiet {
        ui::note(&format!("Nothing left to do: {} records there already, {} of them failed", before.0, before.1));
    }
    if before.1 > 0 { Err(Ended(exit::SOME_FAILED).into()) } else { Ok(()) }
}

/// A job that writes over what it reads has no end.
fn refuse_input(inputs: &[Input], output: &Path) -> anyhow::Result<()> {
    let Ok(output) = output.canonicalize() else { return Ok(()) };
    let same = |input: &&Input| input.is_file() && input.path().canonicalize().is_ok_and(|path| path == output);
    match inputs.iter().find(same) {
        Some(input) => bail!("{} is both --prompt-file and --output; choose another --output", input.name()),
        None => Ok(()),
    }
}

/// What the model is called in OpenAI's records.
fn model_name(effective: &Effective) -> String {
    let source = &effective.settings.model;
    match (&source.path, &source.hf) {
        (Some(path), _) => path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
        (None, Some(repo)) => repo.clone(),
        (None, None) => "demo".to_owned(),
    }
}
