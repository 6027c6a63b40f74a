//! The setting `kernels`: who may switch this program's own matrix kernels off, and where that is told.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::bench::tiny;
use crate::program::{command, ended, llama};

/// What `doctor` says with this environment and these flags.
fn kernels(variables: &[(&str, &str)], args: &[&str]) -> Value {
    let mut command = command(&[&["doctor", "--json"], args].concat());
    command.envs(variables.iter().copied());
    let report: Value = serde_json::from_str(&ended(command.output().unwrap()).success()).unwrap();
    report["kernels"].clone()
}

/// Whether this machine and this build can use our kernels at all.
pub(crate) fn there_are_kernels() -> bool {
    kernels(&[], &[])["on"] == true
}

#[test]
fn kernels_can_be_switched_off_everywhere_and_the_nearest_counts() {
    let whole = kernels(&[], &[]);
    assert_eq!(whole["on"].as_bool().unwrap(), !whole["instructions"].is_null(), "{whole}");
    assert_eq!(whole["on"].as_bool().unwrap(), whole["why_not"].is_null(), "{whole}");
    let folder = tempfile::tempdir().unwrap();
    let file = |text: &str| -> PathBuf {
        let path = folder.path().join("llama.toml");
        std::fs::write(&path, text).unwrap();
        path
    };
    let off = file("hardware.kernels = \"off\"\n");
    let off = off.to_str().unwrap();
    let is_off = |found: &Value| {
        if there_are_kernels() {
            assert_eq!(*found, json!({ "on": false, "instructions": null, "why_not": "they are switched off" }));
        }
    };
    is_off(&kernels(&[("LLAMA_KERNELS", "off")], &[]));
    is_off(&kernels(&[("LLAMA_ARG_KERNELS", "0")], &[]));
    is_off(&kernels(&[], &["--kernels", "off"]));
    is_off(&kernels(&[], &["--config", off]));
    is_off(&kernels(&[("LLAMA_KERNELS", "on")], &["--kernels", "off"]));
    assert_eq!(kernels(&[("LLAMA_KERNELS", "off")], &["--kernels", "on"]), whole);
    assert_eq!(kernels(&[("LLAMA_KERNELS", "on")], &["--config", off]), whole);
    let off = file("hardware.kernels = false\n");
    is_off(&kernels(&[], &["--config", off.to_str().unwrap()]));
    let text = ended(command(&["doctor"]).env("LLAMA_KERNELS", "off").output().unwrap()).success();
    assert!(text.lines().any(|line| line.starts_with("kernels     off: ")), "{text}");
}

#[test]
fn the_log_says_at_each_load_which_kernels_are_used_and_settings_where_that_is_from() {
    let mut logged = command(&["run", "-m", tiny(), "--raw", "-p", "x", "-n", "1"]);
    let stderr =
        ended(logged.envs([("LLAMA_LOG", "llama_core=info"), ("LLAMA_KERNELS", "off")]).output().unwrap()).stderr;
    let line = stderr.lines().find(|line| line.contains("the model is loaded")).unwrap_or_else(|| panic!("{stderr}"));
    assert!(line.contains("kernels=\"off: "), "{line}");
    let mut shown = command(&["config", "show", "--changed", "--json"]);
    let shown: Value =
        serde_json::from_str(&ended(shown.env("LLAMA_KERNELS", "off").output().unwrap()).success()).unwrap();
    let expected = json!({ "hardware.kernels": { "value": false, "origin": "variable", "variable": "LLAMA_KERNELS" } });
    assert_eq!(shown, expected);
}

#[test]
fn a_wrong_word_for_the_kernels_is_told_with_where_it_is() {
    let mut with_variable = command(&["run", "-p", "x"]);
    let error = ended(with_variable.env("LLAMA_KERNELS", "maybe").output().unwrap()).failure();
    assert_eq!(error, "error: LLAMA_KERNELS is maybe, must be on or off\n");
    assert_eq!(llama(&["run", "-p", "x", "--kernels", "2"]).failure(), "error: --kernels is 2, must be on or off\n");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("llama.toml"), "[hardware]\nkernels = 'yes'\n").unwrap();
    let error = ended(command(&["run", "-p", "x"]).current_dir(folder.path()).output().unwrap()).failure();
    assert_eq!(error, "error: llama.toml:2: hardware.kernels is 'yes', must be on or off\n");
}
