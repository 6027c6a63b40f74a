//! Completion scripts and manual pages.

use std::process::Command;

use crate::program::llama;

const COMMANDS: [&str; 10] =
    ["run", "chat", "models", "template", "tokenize", "config", "devices", "doctor", "completions", "man"];

#[test]
fn every_shell_gets_a_script_that_knows_the_commands() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = llama(&["completions", shell]).success();
        for command in COMMANDS {
            assert!(script.contains(command), "{command} in the script for {shell}");
        }
        assert!(script.contains("temp"), "{shell}");
    }
    let error = llama(&["completions", "tcsh"]).failure();
    assert!(error.contains("tcsh") && error.contains("bash") && error.contains("fish"), "{error}");
}

/// What bash offers for the last of these words.
#[cfg(unix)]
fn offered(words: &[&str]) -> Option<String> {
    let script = llama(&["completions", "bash"]).success();
    let ask = format!(
        "{script}\nCOMP_WORDS=({}); COMP_CWORD={}; _llama__cli llama-cli {} {}; echo \"${{COMPREPLY[@]}}\"",
        words.join(" "),
        words.len() - 1,
        words[words.len() - 1],
        words[words.len() - 2],
    );
    let output = Command::new("bash").args(["--norc", "-c", &ask]).output().ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

#[cfg(unix)]
#[test]
fn bash_completes_commands_and_options() {
    // A machine without bash has nothing to complete in it.
    let Some(commands) = offered(&["llama-cli", "te"]) else { return };
    assert_eq!(commands.trim(), "template");
    let options = offered(&["llama-cli", "run", "--temp"]).unwrap();
    assert!(options.split_whitespace().any(|option| option == "--temp"), "{options}");
}

#[test]
fn there_is_a_page_for_the_program_and_for_each_command() {
    let page = llama(&["man"]).success();
    assert!(page.contains(".TH llama-cli 1") && page.contains("Exit codes"), "{page}");
    let run = llama(&["man", "run"]).success();
    assert!(run.contains("\\fBllama\\-cli run\\fR") || run.contains("llama\\-cli\\-run"), "{run}");
    assert!(run.contains("\\-\\-temp"), "{run}");

    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man");
    let written = llama(&["man", "--out", pages.to_str().unwrap()]).success();
    for name in std::iter::once("llama-cli".to_owned()).chain(COMMANDS.map(|name| format!("llama-cli-{name}"))) {
        let path = pages.join(format!("{name}.1"));
        assert!(written.lines().any(|line| line == path.to_str().unwrap()), "{name} in {written}");
        assert!(std::fs::read_to_string(&path).unwrap().contains(".SH NAME"));
    }
}

#[test]
fn a_page_that_is_not_there_is_told_with_those_that_are() {
    let error = llama(&["man", "rnu"]).failure();
    assert!(error.contains("no command llama-cli rnu") && error.contains("run"), "{error}");
    let error = llama(&["man", "run", "x"]).failure();
    assert!(error.contains("llama-cli run has no commands"), "{error}");
    let error = llama(&["man", "--out", "/dev/null/man"]).failure();
    assert!(error.contains("/dev/null/man"), "{error}");
}
