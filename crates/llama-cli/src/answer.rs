//! An answer as it comes: its text to stdout, what the model thinks before it to stderr.

use std::io;

use anyhow::bail;
use llama_runtime::{Blocking, Event, FinishReason, Finished};

use crate::ui;

/// Shows an answer to its end.
///
/// # Errors
///
/// Those of stdout; a closed pipe among them.
pub(crate) fn show(mut answer: Blocking) -> io::Result<Finished> {
    let mut thoughts = Thoughts::new();
    for event in answer.by_ref() {
        match event {
            Event::Text(text) => {
                thoughts.close();
                ui::result(&text)?;
            }
            Event::Reasoning(thought) => thoughts.show(&thought),
            Event::Finished(finished) => {
                thoughts.close();
                return Ok(*finished);
            }
            _ => {}
        }
    }
    Ok(answer.finish())
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
        ui::ask(&self.thought(thought));
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
