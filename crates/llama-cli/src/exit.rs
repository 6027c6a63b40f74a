//! How the program ends: exit codes and the last message.
//!
//! 0 success, 1 any error (bad arguments too, as upstream), 3 a batch job with records that failed, 130 interrupted by
//! Ctrl+C.

use std::fmt;
use std::io::{self, Write};
use std::panic::{self, AssertUnwindSafe, Location};
use std::process::ExitCode;

use crate::ui;

/// Any error.
pub(crate) const FAILED: u8 = 1;

/// What shells report for a program that SIGINT ended.
pub(crate) const INTERRUPTED: u8 = 130;

/// A batch job came to its end, and some of its records are errors.
pub(crate) const SOME_FAILED: u8 = 3;

/// The program ends with this code. Whatever had to be said was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ended(pub(crate) u8);

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ended with code {}", self.0)
    }
}

impl std::error::Error for Ended {}

/// Help and version are successes that clap reports as errors.
pub(crate) fn after_parsing(error: &clap::Error) -> ExitCode {
    // A reader that has gone away needs no help text; a full disk is a failure.
    let told = error.print().and_then(|()| io::stdout().flush());
    match told {
        Err(problem) if problem.kind() != io::ErrorKind::BrokenPipe => after(Err(problem.into())),
        _ => ExitCode::from(u8::from(error.use_stderr())),
    }
}

/// Does the work of the program. A bug that panics is told as one, without a trace of the stack that nobody can use, and is
/// a failure like any other.
pub(crate) fn guarded(work: impl FnOnce() -> anyhow::Result<()>) -> ExitCode {
    panic::set_hook(Box::new(|info| ui::note(&bug(info.payload_as_str(), info.location()))));
    panic::catch_unwind(AssertUnwindSafe(work)).map_or(ExitCode::FAILURE, after)
}

fn bug(what: Option<&str>, place: Option<&Location<'_>>) -> String {
    let what = what.unwrap_or("of an unknown kind");
    let place = place.map(|place| format!(" ({}:{})", place.file(), place.line())).unwrap_or_default();
    format!(
        "error: this is a bug in llama-cli, not in what you did: {what}{place}\n  please report it with the command line that \
         led to it and what `llama-cli --version` prints"
    )
}

pub(crate) fn after(result: anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    if let Some(Ended(code)) = error.downcast_ref() {
        return ExitCode::from(*code);
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
    fn a_bug_is_told_as_one_and_is_a_failure() {
        let text = bug(Some("index 3 of 2"), Some(Location::caller()));
        assert!(text.starts_with("error: this is a bug") && text.contains("index 3 of 2") && text.contains("exit.rs:"));
        assert!(!text.contains("panicked"), "{text}");
        // The other tests of this process keep the hook they have.
        let hook = panic::take_hook();
        let code = guarded(|| panic!("a bug"));
        panic::set_hook(hook);
        assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::FAILURE));
    }

    #[test]
    fn only_a_closed_pipe_of_our_own_output_is_a_success() {
        let closed = anyhow::Error::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(is_closed_pipe(&closed.context("while writing")));
        assert!(!is_closed_pipe(&anyhow::Error::from(io::Error::from(io::ErrorKind::NotFound))));
    }
}
