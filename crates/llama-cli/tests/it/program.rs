//! Starts the program as a person or a script would.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{LazyLock, Once, mpsc};
use std::time::Duration;

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
    at_home(&mut command);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Several times what all tests of this program take together on a slow machine.
const PATIENCE: Duration = Duration::from_secs(30 * 60);

/// From the first call on, all tests together have an end: most wait for a program, and one that hangs would keep whoever
/// runs them waiting. Programs that are left behind find their pipes closed.
fn bound_the_tests() {
    static BOUND: Once = Once::new();
    BOUND.call_once(|| {
        std::thread::spawn(|| {
            let (_sender, nothing) = mpsc::sync_channel::<()>(0);
            let _ = nothing.recv_timeout(PATIENCE);
            let minutes = PATIENCE.as_secs() / 60;
            let why =
                format!("the tests have not ended in {minutes} minutes: one that has begun and has no result hangs\n");
            // Not `eprintln`, which is kept for the result of a test.
            let _ = std::io::stderr().write_all(why.as_bytes());
            std::process::exit(1);
        });
    });
}

/// The home of a person without settings, models or a history. Tests that write there make their own.
pub(crate) fn home() -> &'static Path {
    static HOME: LazyLock<PathBuf> = LazyLock::new(|| {
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("home-{}", std::process::id()));
        // A process of an earlier day had the same number.
        let _ = std::fs::remove_dir_all(&home);
        std::fs::create_dir_all(&home).unwrap();
        home
    });
    &HOME
}

/// Nothing of whoever runs the tests is seen: no settings, no models, no variables.
pub(crate) fn at_home(command: &mut Command) {
    bound_the_tests();
    const PREFIXES: [&str; 7] = ["LLAMA_", "RUST_LOG", "HF_", "HUGGINGFACE_", "MODEL_ENDPOINT", "XDG_", "NO_COLOR"];
    for (name, _) in std::env::vars_os() {
        if PREFIXES.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    // How wide help is.
    command.env("COLUMNS", "100");
    command.env("HOME", home()).current_dir(home());
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
