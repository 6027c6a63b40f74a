//! `llama-cli template parse`: from what a model wrote to the message that it means.

use anyhow::{Context, bail};
use clap::Args;
use llama_core::chat::{AssistantMessage, ChatError, ChatParser};

use super::conversation::ConversationArgs;
use super::source::TemplateSource;
use crate::{record, ui};

/// Read what a model wrote from stdin, and print the message that it means, as OpenAI's JSON.
///
/// A line end at the end of the input is left out. What the model may write depends on the request: give the same
/// --messages, --tools and --reasoning as for the prompt. Calls get an id where the model's format has none.
#[derive(Debug, Args)]
pub(super) struct ParseArgs {
    /// The text is not complete: print what can be told of it so far
    #[arg(long)]
    partial: bool,

    /// Print a text that does not follow the format as the content of the message, with a warning, instead of failing
    #[arg(long)]
    lenient: bool,

    #[command(flatten)]
    conversation: ConversationArgs,

    #[command(flatten)]
    source: TemplateSource,
}

/// Runs the command.
pub(super) fn run(args: &ParseArgs) -> anyhow::Result<()> {
    if args.conversation.takes_stdin() {
        bail!("stdin is for the text of the model; name a file for --messages and --tools");
    }
    let loaded = args.source.load()?;
    let parser = loaded.template.render(&args.conversation.request(&loaded.effective)?)?.parser()?;
    if ui::stdin_is_terminal() {
        ui::note("Reading the text from stdin; Ctrl+D ends it.");
    }
    let text = ui::without_line_end(ui::stdin_text()?);
    let message = match read(&parser, &text, args.partial) {
        Err(error @ ChatError::Mismatch { .. }) => {
            let place = place(&text, follows(&parser, &text));
            if !args.lenient {
                return Err(error).with_context(|| {
                    format!("the text on stdin cannot be parsed {place}; --lenient prints all of it as content")
                });
            }
            ui::note(&format!("warning: {error} ({place}); all of it is printed as content"));
            let mut message = AssistantMessage::default();
            message.content = text;
            message
        }
        message => message?,
    };
    if !args.partial {
        for error in message.tool_calls.iter().filter_map(|call| call.arguments_json().err()) {
            ui::note(&format!("warning: {error}; if the text is cut off, --partial says so without this line"));
        }
    }
    ui::result(&format!("{:#}\n", serde_json::json!(record::message(message))))?;
    Ok(())
}

fn read(parser: &ChatParser, text: &str, partial: bool) -> Result<AssistantMessage, ChatError> {
    if partial { parser.parse_partial(text) } else { parser.parse(text) }
}

/// How many bytes of the text could still become right. A few parses find the place, as more text does not mend it.
fn follows(parser: &ChatParser, text: &str) -> usize {
    let (mut right, mut wrong) = (0, text.len() + 1);
    while wrong - right > 1 {
        let middle = text.floor_char_boundary(right.midpoint(wrong));
        if middle == right {
            break;
        }
        if parser.parse_partial(&text[..middle]).is_ok() {
            right = middle;
        } else {
            wrong = middle;
        }
    }
    right
}

fn place(text: &str, at: usize) -> String {
    if at >= text.len() {
        return "to its end: it is cut off, or its end is not what the request allows".to_owned();
    }
    let before = &text[..at];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("from line {line}, column {column} on")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_line_and_a_column() {
        assert_eq!(place("ab\ncdé!", 7), "from line 2, column 4 on");
        assert_eq!(place("ab", 0), "from line 1, column 1 on");
        assert_eq!(place("ab", 2), "to its end: it is cut off, or its end is not what the request allows");
    }
}
