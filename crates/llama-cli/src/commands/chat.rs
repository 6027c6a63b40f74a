//! `llama-cli chat`: a conversation, message by message.

use std::path::PathBuf;

use clap::Args;

use crate::chat::{Chat, Options};
use crate::escapes::EscapeArgs;
use crate::interrupt::Interrupts;
use crate::settings::SettingArgs;
use crate::ui;

/// Talk with a model. Each line is a message; piped lines are answered one after another.
///
/// Answers go to stdout. What a model thinks before it answers is shown on stderr if that is a terminal, and dropped
/// otherwise. On a terminal the model is loaded while you type, /help lists the commands, and Ctrl+C stops an answer.
#[derive(Debug, Args)]
pub(crate) struct ChatArgs {
    /// The first message; then the conversation goes on
    #[arg(short, long, value_name = "TEXT", allow_hyphen_values = true)]
    prompt: Option<String>,

    /// Read the first message from a file; a line end at its end is left out
    #[arg(short, long, value_name = "FILE", conflicts_with = "prompt")]
    file: Option<PathBuf>,

    #[command(flatten)]
    escapes: EscapeArgs,

    /// End after the first answer (also -st)
    #[arg(long)]
    single_turn: bool,

    /// Keep the conversation in this file, and go on with what is in it. The state of the model is kept beside it, in
    /// FILE.kv
    #[arg(long, value_name = "FILE")]
    session: Option<PathBuf>,

    /// Write who said what to this file
    #[arg(short, long, visible_alias = "output-file", value_name = "FILE")]
    output: Option<PathBuf>,

    /// Plain lines: no line editor, no Markdown
    #[arg(long)]
    simple_io: bool,

    #[command(flatten)]
    pub(crate) settings: SettingArgs,
}

/// Runs the command.
pub(crate) fn run(args: ChatArgs) -> anyhow::Result<()> {
    let interrupts = Interrupts::watch()?;
    let first = match (&args.file, &args.prompt) {
        (Some(path), _) => Some(ui::without_line_end(ui::file_text(path)?)),
        (None, Some(text)) => Some(args.escapes.resolve(text, "-p")?),
        (None, None) => None,
    };
    // As at the prompt, a message without text is none.
    let first = first.filter(|text| !text.trim().is_empty());
    let settings = args.settings.clone();
    let settings = if args.escapes.are_off() { settings.without_escapes() } else { settings };
    let effective = settings.resolve()?;
    Chat::start(effective, args.options(), interrupts)?.run(first)
}

impl ChatArgs {
    /// How the conversation is held, besides the settings.
    pub(crate) fn options(&self) -> Options {
        Options {
            simple: self.simple_io,
            session: self.session.clone(),
            transcript: self.output.clone(),
            single_turn: self.single_turn,
        }
    }
}
