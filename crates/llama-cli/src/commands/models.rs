//! `llama-cli models`: download, list, inspect and remove models.

use clap::{Args, Subcommand};

mod list;
mod pull;
mod rm;
mod show;

/// Download, list, inspect and remove models.
///
/// Models are kept in the cache that the hub's other tools use, so what one of them downloaded is here too.
#[derive(Debug, Args)]
pub(crate) struct ModelsArgs {
    /// What to do.
    #[command(subcommand)]
    command: ModelsCommand,
}

/// The commands.
#[derive(Debug, Subcommand)]
enum ModelsCommand {
    Pull(pull::PullArgs),
    List(list::ListArgs),
    Show(show::ShowArgs),
    Rm(rm::RmArgs),
}

/// Runs the command.
pub(crate) fn run(args: &ModelsArgs) -> anyhow::Result<()> {
    match &args.command {
        ModelsCommand::Pull(args) => pull::run(args),
        ModelsCommand::List(args) => list::run(args),
        ModelsCommand::Show(args) => show::run(args),
        ModelsCommand::Rm(args) => rm::run(args),
    }
}
