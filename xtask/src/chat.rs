//! `cargo xtask chat`: from a fresh clone to a conversation.

use std::process::{Command, ExitCode};

use crate::outcome::{Failure, cannot_start};
use crate::{setup, workspace};

/// Builds the release binary and becomes `llama-cli chat`.
pub(crate) fn run(args: &[String]) -> Result<ExitCode, Failure> {
    let tools = setup::prepare()?;
    let mut command = workspace::cargo();
    tools.apply(&mut command);
    // The caller's folder is kept: a model given as `-m some/file.gguf` is looked for there.
    command.args(["run", "--release", "--package", "llama-cli", "--manifest-path"]);
    command.arg(workspace::root().join("Cargo.toml")).args(["--", "chat"]).args(args);
    become_it(command)
}

/// Replaces this process, as cargo then does with itself: Ctrl+C and the exit code are the chat's alone.
#[cfg(unix)]
fn become_it(mut command: Command) -> Result<ExitCode, Failure> {
    use std::os::unix::process::CommandExt;
    let error = command.exec();
    Err(cannot_start(&command, &error))
}

/// Waits for the child where a process cannot be replaced.
#[cfg(not(unix))]
fn become_it(mut command: Command) -> Result<ExitCode, Failure> {
    let status = command.status().map_err(|error| cannot_start(&command, &error))?;
    Ok(crate::outcome::passed_on(status))
}
