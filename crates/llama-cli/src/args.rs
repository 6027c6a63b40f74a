//! What was typed, and which command that is. Parsing reads no file and no environment.
//!
//! The flags of the settings are in [`settings`](crate::settings); what upstream writes otherwise than clap becomes what
//! clap understands in [`upstream`].

mod upstream;

use std::ffi::OsString;
use std::sync::LazyLock;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use llama_runtime::{llama_cpp_build, llama_cpp_source, llama_cpp_version};

use crate::commands::{bench, chat, completions, config, devices, doctor, man, models, run, template, tokenize};
use crate::demo;

/// What the program is called.
const PROGRAM: &str = "llama-cli";

const EXIT_CODES: &str = "Exit codes: 0 success, 1 any error, 3 a batch job some of whose records failed, 130 ended by \
Ctrl+C, 255 an empty prompt for a model that cannot start from nothing.";

/// Talk to GGUF models from the terminal.
///
/// Without -m a small demo model is used, which is built into the program. `llama-cli -m MODEL -p PROMPT` is short for
/// `llama-cli chat -m MODEL -p PROMPT`; with --raw, --prompt-file or -no-cnv it is short for `llama-cli run`.
#[derive(Debug, Parser)]
#[command(name = PROGRAM, max_term_width = 100, after_long_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Whether the command takes settings, and with them how it logs.
    #[arg(skip)]
    pub(crate) takes_settings: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(aliases = ["completion", "complete"])]
    Run(run::RunArgs),
    #[command(aliases = ["cli", "client"])]
    Chat(chat::ChatArgs),
    Models(models::ModelsArgs),
    #[command(alias = "batched-bench")]
    Bench(Box<bench::BenchArgs>),
    Template(template::TemplateArgs),
    Tokenize(tokenize::TokenizeArgs),
    Config(config::ConfigArgs),
    Devices(devices::DevicesArgs),
    Doctor(doctor::DoctorArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

impl Command {
    /// Does what was asked for.
    ///
    /// # Errors
    ///
    /// Those of the command.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Run(args) => run::run(args),
            Self::Chat(args) => chat::run(args),
            Self::Models(args) => models::run(&args),
            Self::Bench(args) => bench::run(&args),
            Self::Template(args) => template::run(&args),
            Self::Tokenize(args) => tokenize::run(&args),
            Self::Config(args) => config::run(&args),
            Self::Devices(args) => devices::run(&args),
            Self::Doctor(args) => doctor::run(&args),
            Self::Completions(args) => completions::run(&args, Cli::command()),
            Self::Man(args) => man::run(&args, Cli::command()),
        }
    }
}

/// Parses a whole command line, the program's name first.
pub(crate) fn parse(argv: Vec<OsString>) -> Result<Cli, clap::Error> {
    static VERSION: LazyLock<String> = LazyLock::new(version);
    let command = Cli::command().version(VERSION.as_str());
    let argv = upstream::understood(&command, argv)?;
    let matches = command.try_get_matches_from(argv)?;
    let mut cli = Cli::from_arg_matches(&matches)?;
    let mut innermost = &matches;
    while let Some((_, inner)) = innermost.subcommand() {
        innermost = inner;
    }
    cli.takes_settings = crate::settings::are_in(innermost);
    Ok(cli)
}

fn version() -> String {
    format!(
        "{}\nllama.cpp {} ({})\nbuild: {}\ndemo model: {}",
        env!("CARGO_PKG_VERSION"),
        llama_cpp_version(),
        llama_cpp_source(),
        llama_cpp_build(),
        demo::DESCRIPTION,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_version_names_llama_cpp_and_the_demo_model() {
        let text = version();
        assert!(text.starts_with(env!("CARGO_PKG_VERSION")));
        assert!(text.contains(&llama_cpp_version()) && text.contains(llama_cpp_build()) && text.contains("demo model"));
    }
}
