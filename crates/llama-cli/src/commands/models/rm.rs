//! `llama-cli models rm`: removes models from the cache.

use anyhow::bail;
use clap::Args;

use crate::hub::cache::Cache;
use crate::hub::name::Name;
use crate::hub::progress::bytes;
use crate::hub::remove;
use crate::ui;

/// Remove a model from the cache; without a quant, all models of the repository.
///
/// Files of the repository that are no models, and contents that another revision uses, stay.
#[derive(Debug, Args)]
pub(crate) struct RmArgs {
    /// The model, as `models list` names it
    #[arg(value_name = "MODEL")]
    model: String,

    /// Do not ask
    #[arg(short, long)]
    yes: bool,

    /// Only say what would be removed
    #[arg(long)]
    dry_run: bool,
}

/// Runs the command.
pub(super) fn run(args: &RmArgs) -> anyhow::Result<()> {
    let name = Name::parse(&args.model)?;
    let removal = remove::plan(&Cache::from_env()?, &name)?;
    let (names, freed) = (removal.names.join(", "), bytes(removal.freed));
    if args.dry_run {
        ui::note(&format!("Would remove {names} and free {freed}."));
        return Ok(());
    }
    if !args.yes && !confirmed(&names, &freed)? {
        bail!("nothing was removed");
    }
    removal.apply()?;
    ui::note(&format!("Removed {names}; {freed} are free again."));
    Ok(())
}

fn confirmed(names: &str, freed: &str) -> anyhow::Result<bool> {
    if !ui::stdin_is_terminal() {
        bail!("would remove {names} and free {freed}; --yes says so where nobody can be asked");
    }
    ui::ask(&format!("Remove {names} and free {freed}? [y/N] "));
    let answer = ui::line(&mut std::io::stdin().lock())?;
    let answer = String::from_utf8_lossy(&answer).trim().to_ascii_lowercase();
    Ok(["y", "yes"].contains(&answer.as_str()))
}
