//! An answer as it comes: its text to stdout, what the model thinks before it to stderr.

use std::io;

use anyhow::bail;
use llama_runtime::{Blocking, Event, FinishReason, Finished};

use crate::markdown::Markdown;
use crate::ui;

/// Where an answer is shown.
#[derive(Debug)]
pub(crate) struct Screen {
    thoughts: Thoughts,
    /// For a person who wants it.
    markdown: Option<Markdown>,
    /// Text could be commands to who shows it.
    terminal: bool,
    /// What was shown ends with a line end.
    line_ended: bool,
}

impl Screen {
    /// Shows the text as it is.
    pub(crate) fn plain() -> Self {
        Self { thoughts: Thoughts::new(), markdown: None, terminal: ui::stdout_is_terminal(), line_ended: false }
    }

    /// Shows what the text means, where stdout is a terminal with colours.
    pub(crate) fn markdown() -> Self {
        Self { markdown: ui::stdout_has_colours().then(Markdown::default), ..Self::plain() }
    }

    /// Without colours, whatever the terminal can do.
    #[must_use]
    pub(crate) fn colourless(mut self) -> Self {
        self.thoughts.dim = false;
        self.markdown = None;
        self
    }

    /// Shows an answer to its end.
    ///
    /// # Errors
    ///
    /// Those of stdout; a closed pipe among them.
    pub(crate) fn show(&mut self, mut answer: Blocking) -> io::Result<Finished> {
        let mut finished = None;
        for event in answer.by_ref() {
            match event {
                Event::Text(text) => {
                    self.thoughts.close();
                    self.text(&text)?;
                }
                Event::Reasoning(thought) => self.thoughts.show(&thought),
                Event::Finished(end) => finished = Some(*end),
                _ => {}
            }
        }
        self.thoughts.close();
        if let Some(markdown) = &mut self.markdown {
            ui::result(&markdown.finish())?;
        }
        Ok(finished.unwrap_or_else(|| answer.finish()))
    }

    /// Ends the last line, if the answer did not.
    ///
    /// # Errors
    ///
    /// Those of stdout.
    pub(crate) fn end_line(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.line_ended, true) { Ok(()) } else { ui::result("\n") }
    }

    fn text(&mut self, text: &str) -> io::Result<()> {
        if !text.is_empty() {
            self.line_ended = text.ends_with('\n');
        }
        match &mut self.markdown {
            Some(markdown) => ui::result(&markdown.push(text)),
            None if self.terminal => ui::result(&ui::harmless(text)),
            None => ui::result(text),
        }
    }
}

/// What a person should know about how an answer ended that is none of their doing.
pub(crate) fn remark(finished: &Finished, capacity: usize) -> Option<String> {
    if matches!(finished.reason, FinishReason::ContextFull) {
        return Some(format!(
            "[ The answer was cut: the context of {capacity} tokens is full. -c N makes it larger. ]"
        ));
    }
    let message = &finished.choices.first()?.message;
    let only_thought = message.content.is_empty() && !message.reasoning.is_empty();
    (only_thought && finished.reason.is_complete())
        .then(|| "[ The model has only thought so far, and said nothing. -n N lets it go on for longer. ]".to_owned())
}

/// Whether an answer that nobody cancelled came to its end.
///
/// # Errors
///
/// Why not.
pub(crate) fn completed(reason: FinishReason) -> anyhow::Result<()> {
    match reason {
        FinishReason::Error(error) => Err(error.into()),
        FinishReason::SlowConsumer => bail!("the answer was given up: nobody read it for too long"),
        reason if reason.is_complete() => Ok(()),
        reason => bail!("the answer was given up ({})", reason.as_str()),
    }
}

/// Thoughts are no result: they are for a person to watch, and nobody else sees them.
#[derive(Debug)]
struct Thoughts {
    watched: bool,
    dim: bool,
    /// The last that was shown was a thought.
    open: bool,
}

impl Thoughts {
    fn new() -> Self {
        Self { watched: ui::stderr_is_terminal(), dim: ui::stderr_has_colours(), open: false }
    }

    fn show(&mut self, thought: &str) {
        ui::ask(&self.thought(&ui::harmless(thought)));
    }

    fn close(&mut self) {
        ui::ask(&self.end());
    }

    /// What to print for a thought.
    fn thought(&mut self, text: &str) -> String {
        if !self.watched {
            return String::new();
        }
        let opening = if std::mem::replace(&mut self.open, true) { "" } else { "[ thinking ]\n" };
        self.dimmed(&format!("{opening}{text}"))
    }

    /// What to print before anything else.
    fn end(&mut self) -> String {
        if std::mem::take(&mut self.open) { self.dimmed("\n[ end of thinking ]") + "\n" } else { String::new() }
    }

    fn dimmed(&self, text: &str) -> String {
        if self.dim { format!("\x1b[2m{text}\x1b[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thoughts_are_told_apart_from_the_answer() {
        let mut thoughts = Thoughts { watched: true, dim: false, open: false };
        assert_eq!(thoughts.end(), "", "nothing was thought");
        let shown = [thoughts.thought("Is it"), thoughts.thought(" Paris?"), thoughts.end(), thoughts.end()].concat();
        assert_eq!(shown, "[ thinking ]\nIs it Paris?\n[ end of thinking ]\n");
        thoughts.dim = true;
        assert_eq!(thoughts.thought("Hm."), "\x1b[2m[ thinking ]\nHm.\x1b[0m");
    }

    #[test]
    fn nobody_sees_thoughts_without_a_terminal() {
        let mut thoughts = Thoughts { watched: false, dim: true, open: false };
        assert_eq!(thoughts.thought("Is it Paris?") + &thoughts.end(), "");
    }

    #[test]
    fn an_answer_that_was_given_up_is_no_success() {
        assert!(completed(FinishReason::Length).is_ok());
        for reason in [FinishReason::SlowConsumer, FinishReason::Shed, FinishReason::Shutdown] {
            assert!(completed(reason).is_err());
        }
    }
}
