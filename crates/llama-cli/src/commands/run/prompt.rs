//! Where the prompt of `run` comes from, and what is around it.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::bail;
use clap::Args;
use llama_runtime::{ChatRequest, Message, ModelInfo, Prompt};

use crate::commands::template::{ToolArgs, tools};
use crate::escapes::EscapeArgs;
use crate::settings::Effective;
use crate::ui;

/// What to answer.
#[derive(Debug, Args)]
pub(crate) struct PromptArgs {
    /// The prompt [default: stdin, if it is not a terminal]
    #[arg(value_name = "PROMPT", conflicts_with_all = ["prompt", "file", "binary_file"])]
    text: Option<String>,

    /// The prompt, also where it begins with a dash
    #[arg(short, long, value_name = "TEXT", allow_hyphen_values = true)]
    prompt: Option<String>,

    /// Read the prompt from a file, - for stdin; a line end at its end is left out
    #[arg(short, long, value_name = "FILE", conflicts_with = "prompt")]
    file: Option<PathBuf>,

    /// As --file, with every byte as it is: a line end at its end too (also -bf)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["prompt", "file"])]
    binary_file: Option<PathBuf>,

    /// Continue the prompt as it is, without a chat template (also -no-cnv)
    #[arg(long, visible_alias = "no-conversation")]
    pub(super) raw: bool,

    /// With the model's chat template: as it is without --raw (also -cnv)
    #[arg(long, hide = true, overrides_with = "raw")]
    conversation: bool,

    /// One answer: as it is anyway (also -st)
    #[arg(long, hide = true)]
    single_turn: bool,

    #[command(flatten)]
    pub(super) escapes: EscapeArgs,

    #[command(flatten)]
    tools: ToolArgs,
}

impl PromptArgs {
    /// Whether tools are offered.
    pub(super) fn has_tools(&self) -> bool {
        self.tools.are_given()
    }

    /// The text of the prompt.
    ///
    /// # Errors
    ///
    /// When there is none, or it cannot be read.
    pub(super) fn text(&self) -> anyhow::Result<String> {
        let text =
            match (self.prompt.as_ref().map(|text| (text, "-p")), self.text.as_ref().map(|text| (text, "PROMPT"))) {
                (Some((text, flag)), _) | (None, Some((text, flag))) => self.typed(text, flag)?,
                (None, None) => self.read()?,
            };
        // Without a template some models can start from nothing; the engine knows which.
        if text.is_empty() && !self.raw {
            bail!("the prompt is empty; give -p TEXT or -f FILE, or pipe it in");
        }
        Ok(text)
    }

    fn typed(&self, text: &str, flag: &str) -> anyhow::Result<String> {
        self.escapes.resolve(text, flag)
    }

    fn read(&self) -> anyhow::Result<String> {
        let from_stdin = |path: &PathBuf| path.as_os_str() == "-";
        if self.tools.take_stdin() && self.file.as_ref().or(self.binary_file.as_ref()).is_none_or(from_stdin) {
            bail!("--tools: stdin is for the prompt; give the name of a file");
        }
        match (&self.file, &self.binary_file) {
            (Some(path), _) => Ok(ui::without_line_end(contents(path)?)),
            (None, Some(path)) => contents(path),
            (None, None) if ui::stdin_is_terminal() => bail!(
                "there is no prompt; give -p TEXT or -f FILE, pipe it in, or start a conversation with `llama-cli chat`"
            ),
            (None, None) => Ok(ui::without_line_end(ui::stdin_text()?)),
        }
    }

    /// What the model gets to continue.
    ///
    /// # Errors
    ///
    /// Tools that cannot be read, or that nobody would tell the model.
    pub(super) fn prompt(&self, effective: &Effective, info: &ModelInfo, text: String) -> anyhow::Result<Prompt> {
        if self.raw {
            if self.tools.are_given() {
                bail!(
                    "--tools are told to the model by its chat template, which --raw leaves out; drop one of the two"
                );
            }
            return Ok(Prompt::Text(text));
        }
        let system = effective.settings.chat.system.clone();
        let has_template = info.has_chat_template || effective.settings.chat.template.is_some();
        if !has_template && system.is_none() && !self.tools.are_given() {
            ui::note(
                "This model has no chat template, so it continues the prompt as it is (--raw says so without this line).",
            );
            return Ok(Prompt::Text(text));
        }
        let messages = system.map(Message::system).into_iter().chain([Message::user(text)]);
        let mut chat: ChatRequest = effective.chat_request(messages);
        tools::offer(&mut chat, &self.tools)?;
        // One time for whoever renders it, so that what is shown is what was asked.
        chat.now = SystemTime::now().duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs());
        Ok(chat.into())
    }
}

fn contents(path: &Path) -> anyhow::Result<String> {
    if path.as_os_str() == "-" { ui::stdin_text() } else { ui::file_text(path) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_end_is_left_out() {
        for (text, expected) in [("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("a", "a"), ("\n", ""), ("", "")] {
            assert_eq!(ui::without_line_end(text.to_owned()), expected);
        }
    }
}
