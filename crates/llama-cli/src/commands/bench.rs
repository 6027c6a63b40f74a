//! `llama-cli bench`: how fast models compute here.

use clap::Args;

use crate::bench::args::{ComputeArgs, RunArgs, ServeArgs, TestArgs};
use crate::bench::{self, Wanted};
use crate::interrupt::Interrupts;
use crate::settings::BenchSettings;

/// Measure how fast models compute here.
///
/// Every combination of the values given is a test. A list is 1,2,4, a range is 1-8, 1-8+2 or 1-8*2; a flag may also be given
/// several times. Names are those of llama.cpp's `bench` and `batched-bench`, in flags and in rows.
///
/// pp is a prompt, tg an answer, one step for each token; the speed is in tokens per second, those of all sequences together.
/// Reading text and choosing tokens are not measured, unless by --serve-like, which measures the engine with many clients.
///
/// Ctrl+C ends it with 130, and what was measured until then is printed.
#[derive(Debug, Args)]
#[command(args_override_self = true)]
pub(crate) struct BenchArgs {
    #[command(flatten)]
    tests: TestArgs,

    #[command(flatten)]
    compute: ComputeArgs,

    #[command(flatten)]
    run: RunArgs,

    #[command(flatten)]
    serve: ServeArgs,

    #[command(flatten)]
    settings: BenchSettings,
}

/// Runs the command.
pub(crate) fn run(args: &BenchArgs) -> anyhow::Result<()> {
    let interrupts = Interrupts::watch()?;
    let effective = args.settings.resolve()?;
    let wanted = Wanted { tests: &args.tests, compute: &args.compute, run: &args.run, serve: &args.serve };
    bench::run(&wanted, &effective, &interrupts)
}
