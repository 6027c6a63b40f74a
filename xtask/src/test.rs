//! `cargo xtask test`: every test there is, and one closing line.
//!
//! The dev profile is used: Rust is compiled faster and checks its arithmetic, and llama.cpp is compiled with
//! optimisation in every profile.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use crate::outcome::{Failure, Step, cannot_start, shown};
use crate::setup::{self, Tools};
use crate::summary::{self, Counts};
use crate::workspace;

/// The demo model's training data has tests of its own, in Python's standard library alone.
const PYTHON_TEST: &str = "examples/demo-model/test_corpus.py";

/// Runs everything, also after a failure, and ends with `N passed, N failed`.
pub(crate) fn run() -> Result<ExitCode, Failure> {
    let tools = setup::prepare()?;
    let started = Instant::now();
    let mut sum = Counts::default();
    let mut failed = Vec::new();
    let mut note = |name: &str, counts: Counts| {
        sum.add(counts);
        if counts.failed > 0 {
            failed.push(name.to_owned());
        }
    };

    note("cargo test", unit_integration_and_doc_tests(&tools)?);
    note("building the benchmarks", benches_compile(&tools)?);
    for example in examples()? {
        note(&format!("example {}", example.name), run_example(&tools, &example)?);
    }
    match python_tests()? {
        (counts, Step::Passed) => note(PYTHON_TEST, counts),
        (_, Step::Skipped(why)) => println!("skipped {PYTHON_TEST}: {why}"),
    }

    println!();
    for name in &failed {
        println!("failed: {name}");
    }
    println!("tests took {} s, {} ignored", started.elapsed().as_secs(), sum.ignored);
    println!("{} passed, {} failed", sum.passed, sum.failed);
    Ok(if sum.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Without `--all-targets`: that would leave out the doc tests and run the benchmarks.
fn unit_integration_and_doc_tests(tools: &Tools) -> Result<Counts, Failure> {
    let mut command = cargo(tools);
    command.args(["test", "--workspace", "--no-fail-fast"]);
    counted(&mut command, &mut std::io::stdout().lock())
}

fn benches_compile(tools: &Tools) -> Result<Counts, Failure> {
    let mut command = cargo(tools);
    command.args(["test", "--workspace", "--benches", "--no-run", "--quiet"]);
    let success = command.status().map_err(|error| cannot_start(&command, &error))?.success();
    Ok(Counts::default().settled(success))
}

struct Example {
    package: String,
    name: String,
}

fn examples() -> Result<Vec<Example>, Failure> {
    let members = workspace::members()?;
    Ok(members
        .into_iter()
        .flat_map(|member| {
            let package = member.name;
            member.examples.into_iter().map(move |name| Example { package: package.clone(), name })
        })
        .collect())
}

/// An example passes when it ends well without arguments, as its first lines promise.
fn run_example(tools: &Tools, example: &Example) -> Result<Counts, Failure> {
    println!("\nexample {}", example.name);
    let mut command = cargo(tools);
    command.args(["run", "--quiet", "--package", &example.package, "--example", &example.name]);
    let status = command.status().map_err(|error| cannot_start(&command, &error))?;
    println!();
    Ok(if status.success() { Counts::PASSED } else { Counts::FAILED })
}

fn python_tests() -> Result<(Counts, Step), Failure> {
    let skipped = |why: &str| Ok((Counts::default(), Step::Skipped(why.to_owned())));
    if !workspace::root().join(PYTHON_TEST).is_file() {
        return skipped("there is no such file");
    }
    let Some(python) = setup::python::find() else {
        return skipped("there is no python3 on this machine");
    };
    println!("\n{PYTHON_TEST}");
    let script = Path::new(PYTHON_TEST);
    let mut command = Command::new(python);
    command.arg("-B").args(script.file_name());
    command.current_dir(workspace::root().join(script.parent().unwrap_or(Path::new(""))));
    let output = command.stdin(Stdio::null()).output().map_err(|error| cannot_start(&command, &error))?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    print!("{text}");
    let success = output.status.success();
    let counts = summary::python_output(&text).unwrap_or(if success { Counts::PASSED } else { Counts::FAILED });
    Ok((counts.settled(success), Step::Passed))
}

/// Cargo in the top folder with nothing to read: a test that waited for a person would wait for ever.
fn cargo(tools: &Tools) -> Command {
    let mut command = workspace::cargo();
    tools.apply(&mut command);
    command.current_dir(workspace::root()).stdin(Stdio::null());
    command
}

/// Copies the program's output to `out` line by line and adds up the result lines in it.
fn counted(command: &mut Command, out: &mut dyn Write) -> Result<Counts, Failure> {
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(|error| cannot_start(command, &error))?;
    let mut sum = Counts::default();
    if let Some(stdout) = child.stdout.take() {
        let mut reader = BufReader::new(stdout);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|len| len > 0) {
            // A closed pipe behind us is no reason to stop testing.
            let _ = out.write_all(&line).and_then(|()| out.flush());
            if let Some(counts) = summary::rust_line(&String::from_utf8_lossy(&line)) {
                sum.add(counts);
            }
            line.clear();
        }
    }
    let status = child.wait().map_err(|error| Failure::new(format!("`{}`: {error}", shown(command))))?;
    Ok(sum.settled(status.success()))
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn counted_adds_up_the_lines_that_a_program_prints() {
        let line = "test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0s";
        let mut copied = Vec::new();
        let counts = counted(&mut shell(&format!("echo '{line}'; echo '{line}'")), &mut copied).unwrap();
        assert_eq!(String::from_utf8(copied).unwrap(), format!("{line}\n{line}\n"));
        assert_eq!(counts, Counts { passed: 4, failed: 0, ignored: 2 });
    }

    #[test]
    fn counted_takes_a_bad_exit_without_a_result_line_as_a_failure() {
        assert_eq!(counted(&mut shell("exit 101"), &mut Vec::new()).unwrap(), Counts::FAILED);
    }
}
