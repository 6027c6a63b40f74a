//! How the program ends: exit codes and the last message.
//!
//! 0 success, 1 any error (bad arguments too, as upstream), 130 interrupted by Ctrl+C.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use crate::ui;

/// What shells report for a program that SIGINT ended.
pub(crate) const INTERRUPTED: u8 = 130;

/// Ctrl+C ended the work. Whatever had to be said was said.
#[derive(Debug)]
pub(crate) struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// Help and version are successes that clap reports as errors.
pub(crate) fn after_parsing(error: &clap::Error) -> ExitCode {
    // A reader that has gone away needs no help text; a full disk is a failure.
    let told = error.print().and_then(|()| io::stdout().flush());
    match told {
        Err(problem) if problem.kind() != io::ErrorKind::BrokenPipe => after(Err(problem.into())),
        _ => ExitCode::from(u8::from(error.use_stderr())),
    }
}

pub(crate) fn after(result: anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    if error.is::<Interrupted>() {
        return ExitCode::from(INTERRUPTED);
    }
    if is_closed_pipe(&error) {
        return ExitCode::SUCCESS;
    }
    ui::note(&describe(&error));
    ExitCode::FAILURE
}

/// Whoever read our output has seen enough: `llama-cli run | head -1`.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// The error and its causes, each once: some of our errors repeat their cause in their own text.
fn describe(error: &anyhow::Error) -> String {
    let mut text = format!("error: {error}");
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str("\n  caused by: ");
            text.push_str(&cause);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context, anyhow};

    #[test]
    fn an_error_is_told_with_its_causes_and_no_cause_twice() {
        let error = Err::<(), _>(anyhow!("disk full")).context("disk full").context("cannot write x").unwrap_err();
        assert_eq!(describe(&error), "error: cannot write x\n  caused by: disk full");
    }

    #[test]
    fn only_a_closed_pipe_of_our_own_output_is_a_success() {
        let closed = anyhow::Error::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(is_closed_pipe(&closed.context("while writing")));
        assert!(!is_closed_pipe(&anyhow::Error::from(io::Error::from(io::ErrorKind::NotFound))));
    }
}
