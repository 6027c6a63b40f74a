//! Tools that the model may call: a file with their descriptions in the shape of OpenAI's chat completions.

use std::path::PathBuf;

use clap::Args;
use llama_core::chat::{ChatRequest, ToolChoice};

use super::wire::{self, Place};

/// What the model may call.
#[derive(Debug, Args)]
pub(crate) struct ToolArgs {
    /// Tools that the model may call: a JSON array as OpenAI's `tools`, - for stdin
    #[arg(long, value_name = "FILE")]
    pub(super) tools: Option<PathBuf>,

    /// Whether tools may be called: `auto`, `none`, `required`, or the name of the one to call [default: auto]
    #[arg(long, value_name = "CHOICE")]
    tool_choice: Option<String>,

    /// Let the model make several calls in one answer
    #[arg(long)]
    parallel_tool_calls: bool,
}

impl ToolArgs {
    /// Whether stdin is read for them.
    pub(crate) fn take_stdin(&self) -> bool {
        self.tools.as_ref().is_some_and(|path| path.as_os_str() == "-")
    }

    /// Whether there is a file of tools.
    pub(crate) fn are_given(&self) -> bool {
        self.tools.is_some()
    }
}

/// Puts the tools into a request; what it has is kept where nothing was typed.
///
/// # Errors
///
/// A file that cannot be read, with the place in it.
pub(crate) fn offer(chat: &mut ChatRequest, args: &ToolArgs) -> anyhow::Result<()> {
    if let Some(path) = &args.tools {
        let (value, name) = wire::file(path)?;
        let root = Place::root(&name);
        // A whole request body serves as well.
        let list = match value.get("tools") {
            Some(list) => wire::tools(list, &root.field("tools"))?,
            None => wire::tools(&value, &root)?,
        };
        chat.tools = list;
    }
    if let Some(choice) = &args.tool_choice {
        chat.tool_choice = match choice.as_str() {
            "auto" => ToolChoice::Auto,
            "none" => ToolChoice::None,
            "required" => ToolChoice::Required,
            name => ToolChoice::Function(name.to_owned()),
        };
    }
    chat.parallel_tool_calls |= args.parallel_tool_calls;
    Ok(())
}
