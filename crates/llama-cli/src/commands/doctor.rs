//! `llama-cli doctor`: tell what this program can use on this machine, and why not.

mod backends;
mod cache;
mod machine;
mod model;
mod program;
mod text;

use std::path::PathBuf;

use clap::Args;
use llama_core::{Device, devices};
use serde::Serialize;

use crate::exit::Ended;
use crate::settings::{Effective, LookArgs};
use crate::{gpu, ui};

/// Tell what this program can use on this machine, and why not.
///
/// Problems come first, each with what to do. Ends with 1 if something is broken, such as a model file that cannot be
/// read, and with 0 otherwise.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    source: LookArgs,
}

/// All that is told. Its names are those of the JSON.
#[derive(Debug, Serialize)]
struct Report {
    /// Nothing is broken.
    ok: bool,
    problems: Vec<Problem>,
    program: program::Program,
    llama_cpp: program::LlamaCpp,
    backends: Vec<backends::Backend>,
    devices: Vec<Device>,
    cpu: machine::Cpu,
    kernels: machine::Kernels,
    memory: machine::Memory,
    config: Config,
    cache: Option<cache::Cache>,
    model: model::Model,
    terminal: machine::Terminal,
}

/// What is not as it should be.
#[derive(Debug, Serialize)]
struct Problem {
    level: Level,
    what: String,
    /// What to do about it.
    #[serde(rename = "try")]
    remedy: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    /// Something is broken.
    Error,
    /// It works, but not as well as it could.
    Warning,
}

/// Where settings are from.
#[derive(Debug, Serialize)]
struct Config {
    files: Vec<PathBuf>,
}

impl Problem {
    fn error(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { level: Level::Error, what: what.into(), remedy: remedy.into() }
    }

    fn warning(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { level: Level::Warning, what: what.into(), remedy: remedy.into() }
    }
}

/// Runs the command.
pub(crate) fn run(args: &DoctorArgs) -> anyhow::Result<()> {
    let report = examine(args.source.resolve());
    let text = if args.json { serde_json::to_string_pretty(&report)? + "\n" } else { text::of(&report) };
    ui::result(&text)?;
    if report.ok { Ok(()) } else { Err(Ended(1).into()) }
}

fn examine(settings: anyhow::Result<Effective>) -> Report {
    let mut problems = Vec::new();
    let devices = devices();
    let mut model = model::Model::default();
    match &settings {
        Ok(effective) => {
            if let Err(error) = gpu::check(effective) {
                problems
                    .push(Problem::error(format!("{error:#}"), "see the backends below, or leave --require-gpu out"));
            }
            model = model::Model::look(effective, &mut problems);
        }
        Err(error) => {
            let what = format!("the settings cannot be used: {error:#}");
            problems.push(Problem::error(what, "correct what is named there; the model is not looked at before"));
        }
    }
    let cpu = machine::Cpu::look(&devices, &mut problems);
    let memory = machine::Memory::look(&devices, &mut problems);
    problems.sort_by_key(|problem| problem.level != Level::Error);
    Report {
        ok: problems.iter().all(|problem| problem.level != Level::Error),
        problems,
        program: program::Program::new(),
        llama_cpp: program::LlamaCpp::new(),
        backends: backends::look(&devices),
        cpu,
        kernels: machine::Kernels::look(),
        memory,
        config: Config { files: settings.map_or_else(|_| Vec::new(), |effective| effective.files) },
        cache: cache::Cache::look(),
        model,
        terminal: machine::Terminal::look(),
        devices,
    }
}
