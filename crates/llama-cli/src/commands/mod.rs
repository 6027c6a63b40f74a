//! One file per command: its arguments, whose doc comments are the help, and `run`.

pub(crate) mod chat;
pub(crate) mod devices;
pub(crate) mod run;
pub(crate) mod tokenize;

use crate::args::{Cli, Command};

/// Does what was asked for.
pub(crate) fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        Command::Run(args) => run::run(args),
        Command::Chat(args) => chat::run(args),
        Command::Tokenize(args) => tokenize::run(&args),
        Command::Devices(args) => devices::run(&args),
    }
}
