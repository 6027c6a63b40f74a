use clap::CommandFactory;

use super::*;
use crate::args::Cli;

fn try_line(args: &[&str]) -> Result<Vec<String>, String> {
    let argv = std::iter::once("llama-cli").chain(args.iter().copied()).map(OsString::from).collect();
    let line = understood(&Cli::command(), argv).map_err(|error| error.to_string())?;
    Ok(line.into_iter().skip(1).map(|arg| arg.into_string().unwrap()).collect())
}

fn line(args: &[&str]) -> Vec<String> {
    try_line(args).unwrap()
}

#[test]
fn long_flags_with_one_dash_and_underscores_are_understood() {
    assert_eq!(line(&["run", "-ngl", "3"]), ["run", "--gpu-layers", "3"]);
    assert_eq!(line(&["run", "-ngl=3", "-sys", "-x"]), ["run", "--gpu-layers=3", "--system-prompt", "-x"]);
    assert_eq!(line(&["run", "--n_predict=a_b"]), ["run", "--n-predict=a_b"]);
    assert_eq!(line(&["run", "-nkvo", "-fa", "on"]), ["run", "--no-kv-offload", "--flash-attn", "on"]);
    assert_eq!(line(&["config", "show", "-ctk", "f16"]), ["config", "show", "--cache-type-k", "f16"]);
}

#[test]
fn a_value_that_looks_like_a_flag_is_left_alone() {
    assert_eq!(line(&["run", "-p", "-ngl"]), ["run", "-p", "-ngl"]);
    assert_eq!(line(&["run", "-sys", "-sys"]), ["run", "--system-prompt", "-sys"]);
    assert_eq!(line(&["run", "-m", "--mmap", "-n", "-1"]), ["run", "-m", "--mmap", "-n", "-1"]);
    assert_eq!(line(&["run", "--stop", "--a_b"]), ["run", "--stop", "--a_b"]);
    assert_eq!(line(&["tokenize", "--", "-ngl", "--a_b"]), ["tokenize", "--", "-ngl", "--a_b"]);
    assert_eq!(line(&["run", "-p", "x", "-n5"]), ["run", "-p", "x", "-n5"]);
}

#[test]
fn a_flag_first_is_a_chat_unless_it_can_only_be_a_run() {
    assert_eq!(line(&["-m", "x", "-p", "y"]), ["chat", "-m", "x", "-p", "y"]);
    assert_eq!(line(&["-m", "x", "-no-cnv", "-p", "y"]), ["run", "-m", "x", "--no-conversation", "-p", "y"]);
    assert_eq!(line(&["--raw", "-p", "y"]), ["run", "--raw", "-p", "y"]);
    assert_eq!(line(&["--prompt-file", "f"]), ["run", "--prompt-file", "f"]);
    assert_eq!(line(&["-p", "--raw"]), ["chat", "-p", "--raw"], "a prompt is no flag");
    assert_eq!(line(&["--version"]), ["--version"]);
    assert_eq!(line(&["version"]), ["--version"]);
    assert_eq!(line(&["-h"]), ["-h"]);
    assert_eq!(line(&[]), ["--help"]);
}

#[test]
fn flags_that_ask_for_information_become_commands() {
    assert_eq!(line(&["--list-devices"]), ["devices"]);
    assert_eq!(line(&["-cl"]), ["models", "list"]);
    assert_eq!(line(&["-m", "x", "--completion-bash"]), ["completions", "bash"]);
    assert_eq!(line(&["-m", "x", "--version"]), ["--version"]);
}

#[test]
fn what_happens_anyway_is_left_out() {
    assert_eq!(line(&["-cnv", "--jinja", "-cb", "--no-warmup", "-p", "x"]), ["chat", "-p", "x"]);
    assert_eq!(line(&["run", "-fit", "off", "-p", "x"]), ["run", "-p", "x"]);
    assert_eq!(line(&["run", "--spec-type=none", "-p", "x"]), ["run", "-p", "x"]);
}

#[test]
fn what_is_not_there_is_refused_with_a_remedy() {
    for (args, expected) in [
        (&["run", "--mmap"][..], "error: --mmap is not a flag of this program: use --load-mode mmap\n"),
        (
            &["--mlock", "-p", "x"],
            "error: --mlock is not a flag of this program: use --load-mode mlock, or mmap_mlock to map the file too\n",
        ),
        (
            &["run", "-md", "x"],
            "error: -md is not a flag of this program: leave it out: decoding is not speculative here, and the answers are the same without\n",
        ),
        (
            &["run", "--draft-max", "3"],
            "error: --draft-max is not a flag of this program: leave it out: decoding is not speculative here, and the answers are the same without\n",
        ),
        (
            &["run", "-fit", "on"],
            "error: -fit is not a flag of this program: use --gpu-layers and --ctx-size; `llama-cli models show` tells what fits\n",
        ),
        (
            &["run", "-mu", "x"],
            "error: -mu is not a flag of this program: download the file and give it with -m FILE, or name its repository with -hf user/repo\n",
        ),
        (
            &["serve"],
            "error: there is no command serve; this program is no server; use `llama-cli chat` or `llama-cli run`\n",
        ),
        (
            &["tokenize", "--top-k", "3"],
            "error: `llama-cli tokenize` does not take --top-k; `llama-cli run` or `llama-cli chat` does\n",
        ),
    ] {
        assert_eq!(try_line(args).unwrap_err(), expected, "{args:?}");
    }
}

#[test]
fn a_word_that_no_flag_takes_is_refused_with_what_to_do() {
    for (args, remedy) in [
        (
            &["-p", "What", "is", "this?"][..],
            "`llama-cli chat` does not take the word \"is\": a prompt is given with -p",
        ),
        (&["-m", "x", "config", "show"], "a command comes first: `llama-cli config ..`"),
        (&["devices", "all"], "`llama-cli devices --help`"),
        (&[""], "no command \"\""),
    ] {
        let error = try_line(args).unwrap_err();
        assert!(error.contains(remedy), "{error}");
    }
    let error = try_line(&["-fa", "-p", "Hello"]).unwrap_err();
    assert!(error.contains("-fa needs a value, and -p is a flag"), "{error}");
    // It may be the value of a flag that nobody knows, which clap tells with the nearest name.
    assert_eq!(line(&["run", "--tmep", "1"]), ["run", "--tmep", "1"]);
    assert_eq!(line(&["tokenize", "some", "text"]), ["tokenize", "some", "text"]);
}
