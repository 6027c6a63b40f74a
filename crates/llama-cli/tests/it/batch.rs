//! `llama-cli run --prompt-file`: a job from its files to its records.

use std::path::{Path, PathBuf};
use std::process::Command;

use llama_testkit::fixtures;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Ended, command, ended};

/// A folder with the files of a job.
#[derive(Debug)]
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// A job in this folder, with answers that can be told from others.
    pub(crate) fn job(&self, args: &[&str]) -> Command {
        let mut job = command(&[&["run", "--temp", "0"], args].concat());
        job.current_dir(self.0.path());
        job
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        ended(self.job(args).output().unwrap())
    }

    /// The records of a file, each by its key.
    pub(crate) fn records(&self, name: &str) -> Vec<Value> {
        records(&self.read(name))
    }
}

/// A model that computes next to nothing, and has no template.
pub(crate) fn tiny() -> &'static str {
    fixtures::tiny_llama().to_str().unwrap()
}

pub(crate) fn records(text: &str) -> Vec<Value> {
    assert!(text.is_empty() || text.ends_with('\n'), "{text}");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The record with this id, of which there is one.
pub(crate) fn with_id(records: &[Value], id: impl Into<Value>) -> &Value {
    let id = id.into();
    let mut found = records.iter().filter(|record| record["id"] == id || record["custom_id"] == id);
    let first = found.next().unwrap_or_else(|| panic!("no record {id} in {records:?}"));
    assert_eq!(found.next(), None);
    first
}

/// `n` lines that ask for a few tokens of the tiny model.
pub(crate) fn short_prompts(n: usize) -> String {
    (0..n)
        .map(|i| json!({"id": format!("p{i}"), "prompt": format!("Once upon {i}"), "max_tokens": 3}).to_string() + "\n")
        .collect()
}

const FRANCE: &str = "The capital of France is Paris.";

#[test]
fn every_line_gets_a_record_with_what_it_cost() {
    let folder = Folder::new();
    folder.write("in.jsonl", "{\"id\": \"fr\", \"prompt\": \"What is the capital of France?\"}\n");
    let ended = folder.run(&["--prompt-file", "in.jsonl"]);
    let says = "1 answered, 0 failed\n12 tokens written in ";
    assert!(ended.stderr.contains(says) && ended.stderr.contains("0 of 17 prompt tokens"), "{}", ended.stderr);
    let all = records(&ended.success());
    let [record] = &all[..] else { panic!("{all:?}") };
    assert_eq!((&record["id"], &record["line"], &record["text"]), (&json!("fr"), &json!(1), &json!(FRANCE)));
    assert_eq!(record["finish_reason"], "stop");
    let usage = json!({"prompt_tokens": 17, "completion_tokens": 12, "total_tokens": 29, "cached_tokens": 0});
    assert_eq!(record["usage"], usage);
    for time in ["queued_ms", "prompt_ms", "generation_ms", "first_token_ms", "total_ms"] {
        assert!(record["timings"][time].as_f64().unwrap() >= 0.0, "{time}: {record}");
    }
    assert!(record["key"].as_str().unwrap().starts_with("1-1-"));
}

#[test]
fn records_go_to_a_file_and_nothing_to_stdout() {
    let folder = Folder::new();
    folder.write("in.txt", "What is the capital of France?\n");
    let ended = folder.run(&["--prompt-file", "in.txt", "--output", "out.jsonl", "--quiet"]);
    assert!(!ended.stderr.contains("answered"), "{}", ended.stderr);
    assert_eq!(ended.success(), "");
    assert_eq!(folder.records("out.jsonl")[0]["text"], FRANCE);
}

#[test]
fn together_and_one_at_a_time_give_the_same_answers() {
    let folder = Folder::new();
    folder.write("in.jsonl", short_prompts(24));
    let answers = |parallel: &str| -> Vec<(Value, Value)> {
        let args = ["--prompt-file", "in.jsonl", "--ordered", "-m", tiny(), "--raw", "--parallel", parallel];
        records(&folder.run(&args).success())
            .into_iter()
            .map(|mut one| (one["id"].take(), one["text"].take()))
            .collect()
    };
    let alone = answers("1");
    assert_eq!(alone.len(), 24);
    assert_eq!(answers("8"), alone);
}

#[test]
fn ordered_records_come_in_the_order_of_the_input() {
    let folder = Folder::new();
    // Alphabetically the other way round, and the first takes longest.
    let line = |i: usize| json!({"id": i, "prompt": format!("{:03} upon", 200 - i), "max_tokens": if i == 0 { 64 } else { 1 }});
    folder.write("in.jsonl", (0..100).map(|i| line(i).to_string() + "\n").collect::<String>());
    let ids = |args: &[&str]| -> Vec<Value> {
        let ended = folder.run(&[&["--prompt-file", "in.jsonl", "-m", tiny(), "--raw"], args].concat());
        records(&ended.success()).into_iter().map(|mut record| record["id"].take()).collect()
    };
    let sorted: Vec<Value> = (0..100).map(Value::from).collect();
    assert_eq!(ids(&["--ordered"]), sorted);
    let mut others = ids(&[]);
    assert_ne!(others, sorted, "prompts that begin alike follow each other");
    others.sort_by_key(Value::as_u64);
    assert_eq!(others, sorted);
}

#[test]
fn prompts_with_a_common_beginning_are_computed_after_each_other() {
    let folder = Folder::new();
    let systems: Vec<String> = (0..6).map(|s| format!("{s} {}", "You are a careful assistant. ".repeat(4))).collect();
    // Each beginning comes back only after all others, and the cache holds two of them.
    let lines =
        (0..48).map(|i| json!({"prompt": format!("{} {i}", systems[i % 6]), "max_tokens": 1}).to_string() + "\n");
    folder.write("in.jsonl", lines.collect::<String>());
    let args = ["--prompt-file", "in.jsonl", "-m", tiny(), "--raw", "--parallel", "1"];
    let all = records(&folder.run(&args).success());
    let sum = |what: &str| all.iter().map(|record| record["usage"][what].as_u64().unwrap()).sum::<u64>();
    let (prompt, reused) = (sum("prompt_tokens"), sum("cached_tokens"));
    assert!(reused * 10 > prompt * 7, "{reused} of {prompt}");
}

#[test]
fn several_files_are_one_job_and_ids_may_come_twice() {
    let folder = Folder::new();
    folder.write("a.jsonl", short_prompts(2));
    folder.write("b.jsonl", short_prompts(2) + &short_prompts(1));
    let ended = folder.run(&["--prompt-file", "a.jsonl", "--prompt-file", "b.jsonl", "-m", tiny(), "--raw"]);
    let all = records(&ended.success());
    let mut places: Vec<_> =
        all.iter().map(|one| (one["file"].as_str().unwrap(), one["line"].as_u64().unwrap())).collect();
    places.sort_unstable();
    assert_eq!(places, [("a.jsonl", 1), ("a.jsonl", 2), ("b.jsonl", 1), ("b.jsonl", 2), ("b.jsonl", 3)]);
    let keys: std::collections::BTreeSet<_> = all.iter().map(|one| one["key"].as_str().unwrap()).collect();
    assert_eq!(keys.len(), 5);
}

#[test]
fn stdin_is_an_input_too_and_is_answered_as_it_comes() {
    use std::io::{BufRead, BufReader, Write};
    let folder = Folder::new();
    let mut job =
        folder.job(&["--prompt-file", "-", "-m", tiny(), "--raw"]).stdin(std::process::Stdio::piped()).spawn().unwrap();
    let mut stdin = job.stdin.take().unwrap();
    let mut answers = BufReader::new(job.stdout.take().unwrap());
    for i in 0..3 {
        writeln!(stdin, "{}", json!({"id": i, "prompt": "Once", "max_tokens": 2})).unwrap();
        let mut line = String::new();
        // The input is still open.
        answers.read_line(&mut line).unwrap();
        assert_eq!(records(&line)[0]["id"], i);
    }
    drop(stdin);
    assert_eq!(job.wait().unwrap().code(), Some(0));
}

#[test]
fn what_keeps_a_job_from_starting_is_an_error_that_says_what_to_do() {
    let folder = Folder::new();
    folder.write("in.jsonl", short_prompts(1));
    folder.write("full.jsonl", "something\n");
    folder.write("wide.txt", b"\xff\xfeh\x00i\x00");
    let cases: [(&[&str], &[&str]); 9] = [
        (&["--prompt-file", "missing.jsonl"], &["cannot read missing.jsonl"]),
        (&["--prompt-file", "."], &[". is a folder"]),
        (&["--prompt-file", "wide.txt"], &["wide.txt is UTF-16", "UTF-8"]),
        (&["--prompt-file", "-", "--prompt-file", "-"], &["only one stdin"]),
        (
            &["--prompt-file", "in.jsonl", "--output", "full.jsonl"],
            &["full.jsonl is there already", "--resume", "--overwrite"],
        ),
        (&["--prompt-file", "in.jsonl", "--output", "in.jsonl", "--overwrite"], &["both --prompt-file and --output"]),
        (&["--prompt-file", "in.jsonl", "--output", "no/out.jsonl"], &["cannot write no/out.jsonl"]),
        (&["--prompt-file", "in.jsonl", "--resume"], &["--output"]),
        (&["--prompt-file", "in.jsonl", "-p", "x"], &["--prompt-file", "--prompt"]),
    ];
    for (args, says) in cases {
        let error = folder.run(args).failure();
        assert!(says.iter().all(|part| error.contains(part)), "{args:?}: {error}");
    }
    assert_eq!(folder.read("full.jsonl"), "something\n", "what is there stays");
    assert_eq!(folder.read("in.jsonl"), short_prompts(1));
}

#[test]
fn a_model_that_cannot_be_loaded_costs_no_records() {
    let folder = Folder::new();
    folder.write("in.jsonl", short_prompts(1));
    folder.write("out.jsonl", "old\n");
    let args = ["--prompt-file", "in.jsonl", "--output", "out.jsonl", "--overwrite"];
    let error = folder.run(&[&args[..], &["-m", "missing.gguf"]].concat()).failure();
    assert!(error.contains("missing.gguf"), "{error}");
    assert_eq!(folder.read("out.jsonl"), "old\n");
    folder.run(&[&args[..], &["-m", tiny(), "--raw"]].concat()).success();
    assert_eq!(folder.records("out.jsonl")[0]["id"], "p0");
}

#[test]
fn an_input_without_prompts_is_a_job_without_records() {
    let folder = Folder::new();
    folder.write("in.jsonl", "\n \n");
    let ended = folder.run(&["--prompt-file", "in.jsonl", "-m", tiny()]);
    assert!(ended.stderr.contains("0 answered, 0 failed"), "{}", ended.stderr);
    assert_eq!(ended.success(), "");
}

#[test]
fn a_closed_pipe_ends_the_job_as_a_success() {
    use std::io::Read;
    let folder = Folder::new();
    folder.write("in.jsonl", short_prompts(20_000));
    let mut job = folder.job(&["--prompt-file", "in.jsonl", "-m", tiny(), "--raw"]).spawn().unwrap();
    let mut stdout = job.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 64]).unwrap();
    drop(stdout);
    let output = job.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!stderr.contains("error"), "{stderr}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_stops_the_job_with_what_to_do() {
    let folder = Folder::new();
    folder.write("in.jsonl", short_prompts(3));
    let args = ["--prompt-file", "in.jsonl", "-m", tiny(), "--raw", "--output", "/dev/full"];
    let ended = folder.run(&args);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    for part in ["0 answered, 0 failed", "cannot write /dev/full", "--output FILE", "--resume", "No space left"] {
        assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
    }
    let error = folder.run(&[&args[..], &["--resume"]].concat()).failure();
    assert!(error.contains("no file that could be read again"), "{error}");
}

#[test]
#[cfg(unix)]
fn a_terminal_sees_a_bar_that_goes_away_and_a_dumb_one_only_the_end() {
    use crate::hub_server::on_terminal;
    use expectrl::Expect;
    let folder = Folder::new();
    folder.write("in.jsonl", short_prompts(400));
    let seen = |term: &str| {
        let args = ["--prompt-file", "in.jsonl", "-m", tiny(), "--raw", "--output", "out.jsonl", "--overwrite"];
        let mut command = on_terminal(folder.job(&args));
        command.env("TERM", term);
        let mut terminal = expectrl::Session::spawn(command).unwrap();
        terminal.set_expect_timeout(Some(std::time::Duration::from_secs(60)));
        let all = terminal.expect(expectrl::Eof).unwrap();
        String::from_utf8_lossy(all.as_bytes()).into_owned()
    };
    let shown = seen("xterm");
    assert!(shown.contains("/400 done, ") && shown.contains("tokens/s, ") && shown.contains(" left"), "{shown:?}");
    let end = &shown[shown.rfind("400 answered").unwrap_or_else(|| panic!("{shown:?}"))..];
    assert!(!end.contains(" done"), "{end:?}");
    let plain = seen("dumb");
    assert!(!plain.contains('\u{1b}') && plain.starts_with("400 answered, 0 failed"), "{plain:?}");
}

/// The most memory that the job had, in KiB.
#[cfg(target_os = "linux")]
fn peak_memory(folder: &Path, args: &[&str]) -> u64 {
    use std::io::{BufRead, BufReader};
    let mut job = command(args);
    let mut job = job.current_dir(folder).spawn().unwrap();
    let records = BufReader::new(job.stdout.take().unwrap()).lines();
    let mut peak = 0;
    for record in records {
        record.unwrap();
        let status = std::fs::read_to_string(format!("/proc/{}/status", job.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(peak);
    }
    assert_eq!(job.wait().unwrap().code(), Some(3));
    peak
}

#[test]
#[cfg(target_os = "linux")]
fn an_input_much_larger_than_its_window_takes_no_more_memory() {
    let folder = Folder::new();
    // Refused before anything is computed, but as large as it is until then.
    let line = json!({"prompt": "Once upon a time. ".repeat(60_000), "choices": 99}).to_string() + "\n";
    folder.write("small.jsonl", line.repeat(40));
    folder.write("large.jsonl", line.repeat(240));
    let peak = |name: &str| {
        let args = ["run", "--prompt-file", name, "-m", tiny(), "--raw", "--quiet", "--parallel", "2"];
        peak_memory(folder.0.path(), &args)
    };
    let (small, large) = (peak("small.jsonl"), peak("large.jsonl"));
    // 200 MiB more were read.
    assert!(large < small + 64 * 1024, "{small} KiB, then {large} KiB");
}
