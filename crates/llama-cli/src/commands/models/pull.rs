//! `llama-cli models pull`: downloads a model.

use clap::Args;

use crate::hub::name::Name;
use crate::hub::{self, Wanted};
use crate::interrupt::Interrupts;
use crate::settings::FetchArgs;
use crate::ui;

/// Download a model into the cache and print its path; of a split model, the paths of all files.
///
/// What is in the cache already is not downloaded again, and a download that broke off goes on where it was. Without a
/// quant Q4_K_M is taken, or else Q8_0, or else the first model of the repository.
#[derive(Debug, Args)]
pub(crate) struct PullArgs {
    /// The model: user/repo or user/repo:quant
    #[arg(value_name = "MODEL")]
    model: String,

    /// Take this file of the repository (also --hf-file)
    #[arg(long, visible_alias = "hf-file", value_name = "PATH")]
    file: Option<String>,

    /// Take a branch, a tag or a commit [default: main]
    #[arg(long, value_name = "REVISION")]
    revision: Option<String>,

    #[command(flatten)]
    settings: FetchArgs,
}

/// Runs the command.
pub(super) fn run(args: &PullArgs) -> anyhow::Result<()> {
    // Ctrl+C ends the program with 130 from here on; what came is kept.
    let _interrupts = Interrupts::watch()?;
    let wanted =
        Wanted { name: Name::parse(&args.model)?, file: args.file.as_deref(), revision: args.revision.as_deref() };
    let offline = args.settings.resolve()?.settings.model.offline;
    for path in hub::pull(&wanted, offline)? {
        ui::result(&format!("{}\n", path.display()))?;
    }
    Ok(())
}
