//! `cargo xtask check`: everything that can be said about the sources without running a test.
//!
//! All steps run, whatever the ones before found, so that one run shows the whole list.

mod words;

use std::process::{Command, ExitCode, Stdio};

use crate::outcome::{Failure, Step, must_succeed};
use crate::setup::{self, Tools};
use crate::{bindgen, imports, workspace};

type StepFn<'a> = &'a dyn Fn() -> Result<Step, Failure>;

/// Runs every step and lists at the end which failed and which were left out.
pub(crate) fn run() -> Result<ExitCode, Failure> {
    let tools = setup::prepare()?;
    let steps: [(&str, StepFn<'_>); 7] = [
        ("formatting", &|| cargo(&tools, &["fmt", "--all", "--check"])),
        ("import rules", &imports::check),
        ("words and sizes", &words::check),
        ("clippy", &|| cargo(&tools, &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])),
        ("docs", &|| docs(&tools)),
        ("bindings", &bindings),
        ("cargo deny", &deny),
    ];
    let mut report = Vec::new();
    let mut failed = false;
    for (name, step) in steps {
        eprintln!("\n== {name}");
        report.push(match step() {
            Ok(Step::Passed) => format!("ok       {name}"),
            Ok(Step::Skipped(why)) => format!("skipped  {name}: {why}"),
            Err(failure) => {
                failed = true;
                format!("FAILED   {name}: {failure}")
            }
        });
    }
    println!("\n{}", report.join("\n"));
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn cargo(tools: &Tools, args: &[&str]) -> Result<Step, Failure> {
    must_succeed(cargo_command(tools).args(args))?;
    Ok(Step::Passed)
}

fn cargo_command(tools: &Tools) -> Command {
    let mut command = workspace::cargo();
    tools.apply(&mut command);
    command.current_dir(workspace::root()).stdin(Stdio::null());
    command
}

fn docs(tools: &Tools) -> Result<Step, Failure> {
    let mut command = cargo_command(tools);
    let flags = std::env::var("RUSTDOCFLAGS").unwrap_or_default();
    command.args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", format!("{flags} -D warnings"));
    must_succeed(&mut command)?;
    Ok(Step::Passed)
}

/// Without libclang there is nothing to compare with: a person's machine may lack it, CI's may not.
fn bindings() -> Result<Step, Failure> {
    if !cfg!(target_os = "linux") {
        return Ok(Step::Skipped("they are generated from the headers as Linux sees them".to_owned()));
    }
    match setup::libclang() {
        Err(failure) if std::env::var_os("CI").is_none() => Ok(Step::Skipped(failure.to_string())),
        Err(failure) => Err(failure),
        Ok(_) => bindgen::run(bindgen::Mode::Check).map(|_| Step::Passed),
    }
}

fn deny() -> Result<Step, Failure> {
    let mut probe = workspace::cargo();
    probe.args(["deny", "--version"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if !probe.status().is_ok_and(|status| status.success()) {
        return Ok(Step::Skipped("cargo-deny is not installed".to_owned()));
    }
    // Advisories are left out: their database is fetched at every run, and a check must not depend on the network.
    let what = ["deny", "check", "bans", "licenses", "sources"];
    must_succeed(workspace::cargo().current_dir(workspace::root()).args(what))?;
    Ok(Step::Passed)
}
