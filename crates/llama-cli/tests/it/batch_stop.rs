//! Ctrl+C in a job: once finishes what has begun, twice stops at once, and both can be gone on with.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

use serde_json::json;

use crate::batch::{Folder, records, short_prompts, tiny};

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

const JOB: [&str; 7] = ["--raw", "-c", "65536", "--parallel", "1", "--prompt-file", "in.jsonl"];

#[test]
fn ctrl_c_once_stops_reading_and_finishes_what_has_begun() {
    let folder = Folder::new();
    folder.write("in.jsonl", short_prompts(1) + &short_prompts(4_000));
    for how in ["-INT", "-TERM"] {
        let args = [&JOB[..], &["-m", tiny()]].concat();
        let mut job = folder.job(&args).spawn().unwrap();
        let mut stdout = BufReader::new(job.stdout.take().unwrap());
        let mut all = String::new();
        stdout.read_line(&mut all).unwrap();
        signal(&job, how);
        stdout.read_to_string(&mut all).unwrap();
        let mut stderr = String::new();
        job.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!(job.wait().unwrap().code(), Some(130), "{stderr}");
        let all = records(&all);
        assert!(!all.is_empty() && all.len() < 4_001, "{}", all.len());
        assert!(all.iter().all(|record| record["finish_reason"] == "length"), "every record is whole");
        for says in
            ["that have begun; Ctrl+C again stops at once", "Interrupted: with --output FILE", "answered, 0 failed"]
        {
            assert!(stderr.contains(says), "{says}: {stderr}");
        }
    }
}

#[test]
fn a_job_that_waits_for_its_input_ends_at_once() {
    let folder = Folder::new();
    let mut job = folder.job(&["--prompt-file", "-", "-m", tiny(), "--raw"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = job.stdin.take().unwrap();
    stdin.write_all(short_prompts(1).as_bytes()).unwrap();
    let mut stdout = BufReader::new(job.stdout.take().unwrap());
    stdout.read_line(&mut String::new()).unwrap();
    signal(&job, "-INT");
    // Its stdin is open all the time.
    assert_eq!(job.wait().unwrap().code(), Some(130));
    drop(stdin);
}

#[test]
fn ctrl_c_twice_stops_at_once_and_what_was_cancelled_has_no_record() {
    let folder = Folder::new();
    // Thousands of tokens: it is being written when the first answer is there, and long after.
    let long = json!({"id": "long", "prompt": "Zebra", "max_tokens": 8_000, "ignore_eos": true}).to_string() + "\n";
    folder.write("in.jsonl", short_prompts(1) + &long);
    let args = [&JOB[..], &["-m", tiny()]].concat();
    let mut job = folder.job(&args).spawn().unwrap();
    let mut stdout = BufReader::new(job.stdout.take().unwrap());
    let mut written = String::new();
    stdout.read_line(&mut written).unwrap();
    let mut stderr = BufReader::new(job.stderr.take().unwrap());
    let mut text = String::new();
    signal(&job, "-INT");
    while !text.contains("stops at once") {
        assert!(stderr.read_line(&mut text).unwrap() > 0, "{text}");
    }
    signal(&job, "-INT");
    stderr.read_to_string(&mut text).unwrap();
    stdout.read_to_string(&mut written).unwrap();
    assert_eq!(job.wait().unwrap().code(), Some(130), "{text}");
    let done = records(&written);
    assert!(done.len() == 1 && done[0]["id"] == "p0", "{written}");
    // What was printed is as good as a file, and what was stopped is answered when the job goes on.
    folder.write("out.jsonl", written);
    let ended = folder.run(&[&args[..], &["--resume", "--output", "out.jsonl"]].concat());
    assert!(ended.stderr.contains("1 answered, 0 failed; 1 there already"), "{}", ended.stderr);
    assert_eq!((ended.code, folder.records("out.jsonl").len()), (Some(0), 2));
}
