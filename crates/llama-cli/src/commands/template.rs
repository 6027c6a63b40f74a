//! `llama-cli template`: render a conversation as the model gets it, or parse what a model wrote.

mod conversation;
mod parse;
mod render;
pub(crate) mod source;
pub(crate) mod tools;
mod wire;

use clap::{Args, Subcommand};

pub(crate) use tools::ToolArgs;

/// Render a conversation as the model gets it, or parse what a model wrote.
///
/// Both go the way that chat and run go, so that trouble with a template can be seen. Only the vocabulary of the model is
/// loaded; with --chat-template or --chat-template-file no model is needed at all.
#[derive(Debug, Args)]
pub(crate) struct TemplateArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Render(render::RenderArgs),
    Parse(parse::ParseArgs),
}

/// Runs the command.
pub(crate) fn run(args: &TemplateArgs) -> anyhow::Result<()> {
    match &args.command {
        Command::Render(args) => render::run(args),
        Command::Parse(args) => parse::run(args),
    }
}
