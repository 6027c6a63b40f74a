//! An answer of `run` on its way to stdout: text as it comes, or JSON.

use std::borrow::Cow;

use clap::Args;
use llama_runtime::{AssistantMessage, Blocking, Event, Finished};
use serde_json::Value;

use super::json::{self, Head};
use crate::{record, ui};

/// What is printed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// Print one JSON object when the answer is complete: text, message with thoughts and tool calls, finish reason,
    /// usage and timings
    #[arg(long)]
    json: bool,

    /// Print one JSON object per line for each piece of the answer; the last one has all that --json prints
    #[arg(long, conflicts_with = "json")]
    jsonl: bool,

    /// Tell how likely each token was, and N alternatives, in JSON; --json is implied
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(super) logprobs: Option<u8>,

    /// Write N different answers; they need --json or --jsonl
    #[arg(long, value_name = "N", default_value_t = 1, hide_default_value = true,
          value_parser = clap::value_parser!(u32).range(1..=16))]
    pub(super) choices: u32,

    /// Print the prompt before the answer, as the model gets it
    #[arg(long, visible_alias = "display-prompt", overrides_with = "no_display_prompt")]
    pub(super) echo: bool,

    /// Print nothing but the answer, which is the default
    #[arg(long, overrides_with = "echo")]
    no_display_prompt: bool,

    /// Print the tokens of the prompt on stderr
    #[arg(long)]
    pub(super) verbose_prompt: bool,
}

/// How an answer is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Json,
    JsonLines,
}

impl OutputArgs {
    /// The first flag that is about one answer, if there is one.
    pub(super) fn given(&self) -> Option<&'static str> {
        let given = [
            (self.json, "--json"),
            (self.jsonl, "--jsonl"),
            (self.logprobs.is_some(), "--logprobs"),
            (self.choices > 1, "--choices"),
            (self.echo, "--echo"),
            (self.verbose_prompt, "--verbose-prompt"),
        ];
        given.into_iter().find(|(given, _)| *given).map(|(_, flag)| flag)
    }

    /// How the answer is printed.
    ///
    /// # Errors
    ///
    /// Several answers as text.
    pub(super) fn form(&self) -> anyhow::Result<Form> {
        if self.jsonl {
            return Ok(Form::JsonLines);
        }
        if self.json || self.logprobs.is_some() {
            return Ok(Form::Json);
        }
        if self.choices > 1 {
            anyhow::bail!(
                "--choices {}: several answers cannot be told apart as text; add --json or --jsonl",
                self.choices
            );
        }
        Ok(Form::Text)
    }
}

/// Prints an answer to its end, without the last object of JSON.
///
/// # Errors
///
/// Those of stdout; a closed pipe among them.
pub(super) fn stream(mut answer: Blocking, form: Form) -> anyhow::Result<Finished> {
    let mut text = Text::new();
    for event in answer.by_ref() {
        match event {
            Event::Finished(finished) => {
                text.close();
                return Ok(*finished);
            }
            event if form == Form::Text => text.tell(&event)?,
            event if form == Form::JsonLines => {
                if let Some(object) = json::event(&event) {
                    line(&object)?;
                }
            }
            _ => {}
        }
    }
    Ok(answer.finish())
}

/// Prints what belongs after the last piece.
///
/// # Errors
///
/// As [`stream`].
pub(super) fn end(finished: &Finished, form: Form, prompt: Option<&str>, several: bool) -> anyhow::Result<()> {
    match form {
        Form::Text => end_text(finished),
        Form::Json => print_text(&format!("{:#}\n", json::answer(finished, Head { kind: None, prompt, several }))),
        Form::JsonLines => line(&json::answer(finished, Head { kind: Some("finished"), prompt, several })),
    }
}

fn end_text(finished: &Finished) -> anyhow::Result<()> {
    let Some(choice) = finished.choices.first() else { return Ok(()) };
    print_text(&ending(&choice.message, ui::stdout_is_terminal()))?;
    if let Some(error) = &choice.malformed {
        ui::note(&harmless(&format!("[ {error}. --json prints all of it as `raw_text`. ]")));
    }
    Ok(())
}

/// What goes after the text of a message: a line end where the next thing begins a line, and the calls.
fn ending(message: &AssistantMessage, on_terminal: bool) -> String {
    let open = !message.content.is_empty() && !message.content.ends_with('\n');
    let mut out = String::new();
    if open && (on_terminal || !message.tool_calls.is_empty()) {
        out.push('\n');
    }
    if !message.tool_calls.is_empty() {
        let message = record::message(message.clone());
        out.extend(message.tool_calls.iter().map(|call| format!("{}\n", serde_json::json!(call))));
    }
    out
}

/// Prints text of the model or of the prompt; what a terminal would take for a command is made harmless there.
///
/// # Errors
///
/// Those of stdout.
pub(super) fn print_text(text: &str) -> anyhow::Result<()> {
    let text = if ui::stdout_is_terminal() { harmless(text) } else { Cow::Borrowed(text) };
    Ok(ui::result(&text)?)
}

fn line(object: &Value) -> anyhow::Result<()> {
    print_text(&format!("{object}\n"))
}

/// Control characters, but for line ends and tabs, in caret notation.
fn harmless(text: &str) -> Cow<'_, str> {
    let is_command = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if !text.contains(is_command) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match (is_command(c), u8::try_from(u32::from(c))) {
            (true, Ok(0x7f)) => out.push_str("^?"),
            (true, Ok(byte @ ..0x20)) => out.extend(['^', char::from(byte + 0x40)]),
            (true, _) => out.push(char::REPLACEMENT_CHARACTER),
            _ => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Text to stdout; thoughts to stderr, if a person watches it, since they are no result.
#[derive(Debug)]
struct Text {
    watched: bool,
    dim: bool,
    /// The last that was shown was a thought.
    open: bool,
}

impl Text {
    fn new() -> Self {
        Self { watched: ui::stderr_is_terminal(), dim: ui::stderr_has_colours(), open: false }
    }

    fn tell(&mut self, event: &Event) -> anyhow::Result<()> {
        match event {
            Event::Text(text) => {
                self.close();
                print_text(text)?;
            }
            Event::Reasoning(thought) if self.watched => ui::ask(&self.thought(thought)),
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self) {
        ui::ask(&self.end());
    }

    /// What to print before anything else.
    fn end(&mut self) -> String {
        if std::mem::take(&mut self.open) { self.dimmed("\n[ end of thinking ]") + "\n" } else { String::new() }
    }

    fn thought(&mut self, text: &str) -> String {
        let opening = if std::mem::replace(&mut self.open, true) { "" } else { "[ thinking ]\n" };
        self.dimmed(&format!("{opening}{}", harmless(text)))
    }

    fn dimmed(&self, text: &str) -> String {
        if self.dim { format!("\x1b[2m{text}\x1b[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_not_commanded_by_a_model() {
        assert_eq!(harmless("Paris\n\té"), "Paris\n\té");
        assert!(matches!(harmless("Paris"), Cow::Borrowed(_)));
        assert_eq!(harmless("\x1b[2Ja\rb\x7f\u{9b}1m\0"), "^[[2Ja^Mb^?\u{fffd}1m^@");
    }

    #[test]
    fn calls_come_after_the_text_on_lines_of_their_own() {
        let mut message = AssistantMessage::default();
        assert_eq!(ending(&message, true), "");
        message.content = "Well.".to_owned();
        assert_eq!((ending(&message, true).as_str(), ending(&message, false).as_str()), ("\n", ""));
        message.tool_calls.push(llama_runtime::ToolCall::new("", "f", "{}"));
        let call = r#"{"type":"function","function":{"name":"f","arguments":"{}"},"id":"call_0"}"#;
        assert_eq!(ending(&message, false), format!("\n{call}\n"));
        message.content.push('\n');
        assert_eq!(ending(&message, true), format!("{call}\n"));
    }

    #[test]
    fn thoughts_are_told_apart_from_the_answer() {
        let mut text = Text { watched: true, dim: true, open: false };
        assert_eq!(text.thought("Is it"), "\x1b[2m[ thinking ]\nIs it\x1b[0m");
        text.dim = false;
        assert_eq!(text.thought(" Paris\x1b?"), " Paris^[?");
        assert_eq!(text.end(), "\n[ end of thinking ]\n");
        assert_eq!(text.end(), "");
    }
}
