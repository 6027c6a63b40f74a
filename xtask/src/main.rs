//! The project's own commands, run as `cargo xtask COMMAND`.
//!
//! Nothing here is part of the product: it prepares the machine, starts cargo with the right arguments and
//! adds up what came out. Std only, so that it compiles in a second or two on a fresh clone.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a command-line program reports on stdout")]

mod bench;
mod bindgen;
mod chat;
mod check;
mod imports;
mod json;
mod outcome;
mod setup;
mod summary;
mod test;
mod workspace;

use std::process::ExitCode;

use outcome::Failure;

const HELP: &str = "\
cargo xtask COMMAND

  chat [ARGS]         prepare the machine, build the release binary, start a chat
                      (ARGS go to `llama-cli chat`; without a model the demo model answers)
  test                prepare the machine, run every test, end with `N passed, N failed`
  check               formatting, clippy, docs, import rules, bindings, words; `cargo deny` if installed
  bindgen [--check]   rewrite crates/llama-sys/src/bindings.rs, or only say whether it is stale
  bench [ARGS]        prepare the machine, run the benchmarks (ARGS go to `cargo bench`)
  setup               only prepare the machine: a C++ compiler, make or ninja, cmake 3.20 or newer
  help                this text

No command asks a question. What is missing goes into .xtask/ in this folder if PyPI has it, or else is
installed by the system's package manager (as root, or with a sudo that asks for no password).
Delete .xtask/ to undo the first.
";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let command = args.next().unwrap_or_else(|| "help".to_owned());
    let mut rest: Vec<String> = args.collect();
    // `cargo xtask chat -- --seed 1` and `cargo xtask chat --seed 1` mean the same.
    if rest.first().is_some_and(|arg| arg == "--") {
        rest.remove(0);
    }
    match dispatch(&command, &rest) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::from(failure.code())
        }
    }
}

fn dispatch(command: &str, rest: &[String]) -> Result<ExitCode, Failure> {
    let flags: Vec<&str> = rest.iter().map(String::as_str).collect();
    match (command, flags.as_slice()) {
        ("chat", _) => chat::run(rest),
        ("bench", _) => bench::run(rest),
        ("test", []) => test::run(),
        ("check", []) => check::run(),
        ("setup", []) => {
            setup::prepare()?;
            Ok(ExitCode::SUCCESS)
        }
        ("bindgen", []) => bindgen::run(bindgen::Mode::Write),
        ("bindgen", ["--check"]) => bindgen::run(bindgen::Mode::Check),
        ("help" | "-h" | "--help", _) => {
            print!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        ("test" | "check" | "setup" | "bindgen", [flag, ..]) => {
            Err(Failure::usage(format!("`cargo xtask {command}` does not know `{flag}`; see `cargo xtask help`")))
        }
        _ => Err(Failure::usage(format!("no command `{command}`; see `cargo xtask help`"))),
    }
}
