//! `llama-cli run`: one prompt, one answer on stdout.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use llama_runtime::{ChatRequest, FinishReason, Message, ModelInfo, Prompt, Request};

use crate::args::{LengthArgs, ModelArgs, SamplingArgs};
use crate::exit::{self, Interrupted};
use crate::interrupt::Interrupts;
use crate::{answer, start, ui};

/// Answer one prompt. The text goes to stdout, and nothing else does.
///
/// The prompt is a message for the model's chat template, unless --raw is given or the model has no template. What a
/// model thinks before it answers is no part of the answer: it is shown on stderr if that is a terminal, and dropped
/// otherwise.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The prompt [default: stdin, if it is not a terminal]
    #[arg(short, long, value_name = "TEXT", allow_hyphen_values = true)]
    prompt: Option<String>,

    /// Read the prompt from a file, - for stdin; a line end at its end is left out
    #[arg(short = 'f', long, visible_alias = "file", value_name = "FILE", conflicts_with = "prompt")]
    prompt_file: Option<PathBuf>,

    /// What the model is told before the prompt (also -sys)
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, conflicts_with = "raw")]
    system_prompt: Option<String>,

    /// Continue the prompt as it is, without a chat template
    #[arg(long)]
    raw: bool,

    #[command(flatten)]
    pub(crate) length: LengthArgs,

    #[command(flatten)]
    pub(crate) sampling: SamplingArgs,

    #[command(flatten)]
    pub(crate) model: ModelArgs,
}

/// Runs the command.
pub(crate) fn run(args: RunArgs) -> anyhow::Result<()> {
    let interrupts = Interrupts::watch()?;
    let text = args.prompt_text()?;
    let (runtime, info) = start::engine(&args.model)?;
    let mut request = Request::new(args.prompt_for(&info, text)).sampling(args.sampling.params());
    request.max_tokens = args.length.max_tokens();
    let generation = runtime.submit(request)?.blocking();
    interrupts.answering(generation.cancel_handle());
    let finished = answer::show(generation)?;
    interrupts.idle(exit::INTERRUPTED);
    if ui::stdout_is_terminal() {
        ui::result("\n")?;
    }
    if let Some(remark) = answer::remark(&finished, info.sequence_limit) {
        ui::note(&remark);
    }
    match finished.reason {
        FinishReason::Cancelled => Err(Interrupted.into()),
        reason => answer::completed(reason),
    }
}

impl RunArgs {
    fn prompt_text(&self) -> anyhow::Result<String> {
        let text = match (&self.prompt, &self.prompt_file) {
            (Some(prompt), _) => prompt.clone(),
            (None, Some(path)) if path.as_os_str() != "-" => without_line_end(ui::file_text(path)?),
            (None, None) if ui::stdin_is_terminal() => {
                bail!(
                    "there is no prompt; give -p TEXT or -f FILE, pipe it in, or start a conversation with `llama-cli chat`"
                )
            }
            (None, _) => without_line_end(ui::stdin_text()?),
        };
        // Without a template some models can start from nothing; the engine knows which.
        if text.is_empty() && !self.raw {
            bail!("the prompt is empty; give -p TEXT or -f FILE, or pipe it in");
        }
        Ok(text)
    }

    fn prompt_for(&self, info: &ModelInfo, text: String) -> Prompt {
        if self.raw {
            return Prompt::Text(text);
        }
        if !info.has_chat_template && self.system_prompt.is_none() {
            ui::note(
                "This model has no chat template, so it continues the prompt as it is (--raw says so without this line).",
            );
            return Prompt::Text(text);
        }
        let system = self.system_prompt.iter().map(|text| Message::system(text.as_str()));
        ChatRequest::new(system.chain([Message::user(text)])).into()
    }
}

/// Editors end a file with a line end that is not meant for the model.
fn without_line_end(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_end_is_left_out() {
        for (text, expected) in [("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("a", "a"), ("\n", ""), ("", "")] {
            assert_eq!(without_line_end(text.to_owned()), expected);
        }
    }
}
