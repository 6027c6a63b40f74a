//! Starts the program as a person or a script would.

use std::io::Write;
use std::process::{Child, Command, Output, Stdio};

/// What a finished program left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Its stdout, if it was a success.
    pub(crate) fn success(self) -> String {
        assert_eq!(self.code, Some(0), "stderr: {}", self.stderr);
        self.stdout
    }

    /// Its stderr, if it ended with code 1 and printed no result.
    pub(crate) fn failure(self) -> String {
        assert_eq!((self.code, self.stdout.as_str()), (Some(1), ""), "stderr: {}", self.stderr);
        self.stderr
    }
}

/// The program with these arguments, unaffected by the variables of whoever runs the tests. It computes on one thread:
/// several tests run at once, and threads of llama.cpp that share a core spend their time waiting for each other.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_llama-cli"));
    command.args(args);
    if matches!(args.first(), Some(&("run" | "chat" | "-m"))) && !args.contains(&"--help") {
        command.args(["-t", "1"]);
    }
    command.env_remove("RUST_LOG").env_remove("LLAMA_LOG");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs to the end with nothing on stdin.
pub(crate) fn llama(args: &[&str]) -> Ended {
    ended(command(args).output().unwrap())
}

/// Runs to the end with these bytes on stdin.
pub(crate) fn llama_with_stdin(args: &[&str], stdin: impl AsRef<[u8]>) -> Ended {
    let mut child = start(command(args).stdin(Stdio::piped()));
    // A program that fails early closes the pipe.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_ref());
    ended(child.wait_with_output().unwrap())
}

pub(crate) fn start(command: &mut Command) -> Child {
    command.spawn().unwrap()
}

pub(crate) fn ended(output: Output) -> Ended {
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}
