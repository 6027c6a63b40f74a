//! `llama-cli bench`: how fast models compute, without and with the engine around them.
//!
//! `matrix` makes tests of lists of values, `measure` runs them through `rig`, the bare decode loop, and `print` writes
//! each row when it is there. `serve` measures the engine of `llama-runtime` as clients see it.

pub(crate) mod args;
mod lists;
mod matrix;
mod measure;
mod options;
mod print;
mod progress;
mod random;
mod rig;
mod row;
mod samples;
mod serve;
mod stop;
mod subject;
mod table;

use std::time::Duration;

use anyhow::bail;
use llama_runtime::GpuLayers;

use crate::exit::{self, Ended};
use crate::gpu;
use crate::interrupt::Interrupts;
use crate::settings::Effective;
use args::{ComputeArgs, RunArgs, ServeArgs, TestArgs};
use matrix::Case;
use measure::Measurement;
use print::Printer;
use progress::Progress;
use stop::Stop;
use subject::Source;

/// How often a test is run where nobody says.
const REPETITIONS: u32 = 5;

/// Everything that was asked for.
#[derive(Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) tests: &'a TestArgs,
    pub(crate) compute: &'a ComputeArgs,
    pub(crate) run: &'a RunArgs,
    pub(crate) serve: &'a ServeArgs,
}

/// Measures and prints.
///
/// # Errors
///
/// What cannot be measured, or [`Ended`] by Ctrl+C. What was measured before is printed.
pub(crate) fn run(wanted: &Wanted<'_>, effective: &Effective, interrupts: &Interrupts) -> anyhow::Result<()> {
    if !wanted.serve.serve_like {
        no_engine(effective)?;
    }
    let sources = Source::all(&wanted.tests.model, effective)?;
    let ways = matrix::ways(wanted.compute, effective, sources.len())?;
    on_gpus(&ways, &sources, effective)?;
    let variants = subject::variants(lists::all(&wanted.compute.kernels))?;
    let mut printer = Printer::new(wanted.run.output, wanted.run.output_err);
    let stop = Stop::watch(interrupts);
    if wanted.serve.serve_like {
        let clients = serve::Clients { wanted, effective, sources, variants, stop: stop.clone() };
        clients.run(&ways, &mut printer)?;
    } else {
        let cases = matrix::cases(wanted.tests, ways)?;
        let mut measurement = Measurement {
            effective,
            sources,
            variants,
            repetitions: wanted.run.repetitions.unwrap_or(REPETITIONS),
            warm_up: !wanted.run.no_warmup,
            delay: Duration::from_secs(wanted.run.delay.into()),
            // Only where it was given for this: the settings' own is for conversations.
            cells: effective.flag_of(&["context.n_ctx"]).and(effective.settings.context.n_ctx),
            stop: stop.clone(),
            progress: Progress::new(wanted.run.progress),
        };
        measurement.run(&cases, &mut printer)?;
    }
    if stop.is_set() { Err(Ended(exit::INTERRUPTED).into()) } else { Ok(()) }
}

/// Fails where a GPU is required and a way to compute would use none.
fn on_gpus(ways: &[Case], sources: &[Source], effective: &Effective) -> anyhow::Result<()> {
    let mut seen: Vec<(usize, GpuLayers)> = Vec::new();
    for load in ways.iter().map(|way| &way.load) {
        let this = (load.model, load.gpu_layers);
        // Looking at a file takes time, and other flags change nothing about it.
        if !seen.contains(&this) {
            gpu::check_one(effective, sources[load.model].path(), load.gpu_layers)?;
            seen.push(this);
        }
    }
    Ok(())
}

/// Refuses flags about what only the engine does, where there is none.
fn no_engine(effective: &Effective) -> anyhow::Result<()> {
    const KEYS: [&str; 6] = [
        "batch.step_time",
        "batch.min_chunk",
        "cache.prefix_reuse",
        "cache.min_prefix",
        "cache.host_memory",
        "context.auto_ctx_limit",
    ];
    match effective.flag_of(&KEYS) {
        Some(flag) => bail!(
            "{flag} is about the engine, and without --serve-like only bare decoding is measured; add --serve-like, or leave \
             {flag} out"
        ),
        None => Ok(()),
    }
}
