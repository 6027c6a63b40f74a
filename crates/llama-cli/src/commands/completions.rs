//! `llama-cli completions`: the script that makes a shell complete our commands and options.

use clap::{Args, Command};
use clap_complete::Shell;

use crate::ui;

/// Print a completion script for a shell
///
/// bash: `llama-cli completions bash > ~/.local/share/bash-completion/completions/llama-cli`. zsh: into a folder of $fpath,
/// as `_llama-cli`. fish: `llama-cli completions fish > ~/.config/fish/completions/llama-cli.fish`.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Runs the command, for all of the program.
pub(crate) fn run(args: &CompletionsArgs, mut program: Command) -> anyhow::Result<()> {
    let name = program.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut program, name, &mut script);
    // clap_complete 4.6 spells a program with a dash in its name in two ways in its script for bash, so that no option of a
    // command would be found.
    let script = ui::text(script, "the script")?.replace("llama__subcmd__cli", "llama__cli");
    Ok(ui::result(&script)?)
}
