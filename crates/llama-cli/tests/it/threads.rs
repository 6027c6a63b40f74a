//! How many threads compute, and what is kept of measuring that.

use std::path::Path;

use llama_testkit::fixtures;
use serde_json::Value;

use crate::program::{Ended, at_home, ended};

/// The program without `-t`, with a cache folder of its own.
fn llama(cache: &Path, args: &[&str]) -> Ended {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_llama-cli"));
    command.args(args);
    at_home(&mut command);
    command.env("XDG_CACHE_HOME", cache).stdin(std::process::Stdio::null());
    ended(command.output().unwrap())
}

fn tiny() -> &'static str {
    fixtures::tiny_llama().to_str().unwrap()
}

/// What doctor says with these settings.
fn threads(cache: &Path, settings: &str) -> Value {
    let file = cache.join("llama.toml");
    std::fs::write(&file, settings).unwrap();
    let report = llama(cache, &["doctor", "--json", "-m", tiny(), "--config", file.to_str().unwrap()]);
    serde_json::from_str::<Value>(&report.success()).unwrap()["model"]["threads"].clone()
}

#[test]
fn doctor_says_what_a_model_would_be_computed_with() {
    let cache = tempfile::tempdir().unwrap();
    assert_eq!(threads(cache.path(), "")["from"], "unknown");
    let set = threads(cache.path(), "context.threads = 2");
    assert_eq!((&set["decode"], &set["prefill"], &set["from"]), (&2.into(), &2.into(), &"set".into()));
    let set = threads(cache.path(), "context = { threads = 2, threads_batch = 3 }");
    assert_eq!((&set["decode"], &set["prefill"]), (&2.into(), &3.into()));
    let prompts = threads(cache.path(), "context.threads_batch = 3");
    assert_eq!(
        (&prompts["decode"], &prompts["prefill"], &prompts["from"]),
        (&Value::Null, &3.into(), &"unknown".into())
    );
}

#[test]
fn nothing_is_measured_or_kept_of_a_tiny_model() {
    let cache = tempfile::tempdir().unwrap();
    llama(cache.path(), &["run", "-m", tiny(), "--raw", "-p", "One", "-n", "2"]).success();
    assert_eq!(std::fs::read_dir(cache.path()).unwrap().count(), 0);
}

#[test]
fn a_broken_file_and_a_folder_that_is_none_stop_nobody() {
    let cache = tempfile::tempdir().unwrap();
    let folder = cache.path().join("llama-rs");
    let run = || llama(cache.path(), &["run", "-m", tiny(), "--raw", "-p", "One", "-n", "2"]);
    std::fs::write(&folder, "a file where the folder should be").unwrap();
    let ended = run();
    assert_eq!((ended.code, ended.stderr.contains("threads")), (Some(0), false), "{}", ended.stderr);
    std::fs::remove_file(&folder).unwrap();
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("threads.json"), "{\"measured\": [{\"key\"").unwrap();
    let ended = run();
    assert_eq!((ended.code, ended.stderr.contains("threads")), (Some(0), false), "{}", ended.stderr);
    assert_eq!(threads(cache.path(), "")["from"], "unknown");
}
