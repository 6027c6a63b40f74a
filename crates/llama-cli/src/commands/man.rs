//! `llama-cli man`: the manual pages, from the same definition as the help.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Command};
use clap_mangen::Man;

use crate::ui;

/// Print the manual page, or write all of them into a folder
///
/// `llama-cli man | man -l -` shows it. With --out there is one page for the program and one for each command, such as
/// llama-cli-run.1 and llama-cli-models-pull.1.
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// The command whose page to print, such as `run` or `models pull` [default: the program's]
    #[arg(value_name = "COMMAND", conflicts_with = "out")]
    of: Vec<String>,

    /// Write every page into this folder, which is made if it is not there
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

/// Runs the command, for all of the program.
pub(crate) fn run(args: &ManArgs, mut program: Command) -> anyhow::Result<()> {
    // Names the commands below it, with the program's name before theirs.
    program.build();
    if let Some(folder) = &args.out {
        fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        return write(&program, folder);
    }
    let command = args.of.iter().try_fold(&program, |command, name| below(command, name))?;
    Ok(ui::result(&page(command)?)?)
}

fn below<'c>(command: &'c Command, name: &str) -> anyhow::Result<&'c Command> {
    command.find_subcommand(name).with_context(|| {
        let known: Vec<_> = visible(command).map(Command::get_name).collect();
        let of = command.get_bin_name().unwrap_or(command.get_name());
        if known.is_empty() {
            format!("{of} has no commands of its own, so there is no {of} {name}")
        } else {
            format!("there is no command {of} {name}; choose one of {}", known.join(", "))
        }
    })
}

/// Its page, and those of the commands below it.
fn write(command: &Command, folder: &Path) -> anyhow::Result<()> {
    let path = folder.join(format!("{}.1", page_name(command)));
    fs::write(&path, page(command)?).with_context(|| format!("cannot write {}", path.display()))?;
    ui::result(&format!("{}\n", path.display()))?;
    visible(command).try_for_each(|command| write(command, folder))
}

/// clap makes a `help` command of its own for each that has commands.
fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help")
}

fn page(command: &Command) -> anyhow::Result<String> {
    let mut page = Vec::new();
    let named = command.clone().name(page_name(command)).version(env!("CARGO_PKG_VERSION"));
    Man::new(named).render(&mut page).context("cannot make the page")?;
    ui::text(page, "the page")
}

fn page_name(command: &Command) -> String {
    command.get_bin_name().unwrap_or(command.get_name()).replace(' ', "-")
}
