//! Going on with a job: what is there is kept, the rest is answered, and nothing else is taken for it.

use std::collections::BTreeSet;
use std::process::Stdio;

use serde_json::json;

use crate::batch::{Folder, short_prompts, tiny, with_id};
use crate::program::Ended;

/// The model in the folder of a job.
const MODEL: &str = "tiny.gguf";

const JOB: [&str; 6] = ["--prompt-file", "in.jsonl", "--output", "out.jsonl", "-m", MODEL];

/// A folder with an input and a model.
fn folder(input: &str) -> Folder {
    let folder = Folder::new();
    folder.write("in.jsonl", input);
    std::fs::copy(tiny(), folder.path(MODEL)).unwrap();
    folder
}

fn run(folder: &Folder, more: &[&str]) -> Ended {
    folder.run(&[&JOB[..], &["--raw"], more].concat())
}

fn keys(folder: &Folder) -> BTreeSet<String> {
    let all = folder.records("out.jsonl");
    let keys: BTreeSet<String> = all.iter().map(|record| record["key"].as_str().unwrap().to_owned()).collect();
    assert_eq!(keys.len(), all.len(), "one record for each input");
    keys
}

#[test]
fn only_what_has_no_record_is_answered() {
    // The same prompt and the same id several times: they are inputs of their own.
    let same = json!({"id": "same", "prompt": "Once", "max_tokens": 2}).to_string() + "\n";
    let folder = folder(&(same.repeat(3) + &short_prompts(5)));
    run(&folder, &[]).success();
    let all = folder.read("out.jsonl");
    let kept: String = all.split_inclusive('\n').take(3).collect();
    folder.write("out.jsonl", &kept);
    let ended = run(&folder, &["--resume"]);
    assert!(ended.stderr.contains("5 answered, 0 failed; 3 there already"), "{}", ended.stderr);
    ended.success();
    assert!(folder.read("out.jsonl").starts_with(&kept), "what was there is as it was");
    assert_eq!((keys(&folder).len(), folder.records("out.jsonl").len()), (8, 8));
}

#[test]
fn a_job_at_its_end_has_nothing_left_to_do_and_needs_no_model() {
    let folder = folder(&short_prompts(2));
    run(&folder, &["--resume"]).success();
    let all = folder.read("out.jsonl");
    std::fs::remove_file(folder.path(MODEL)).unwrap();
    let ended = run(&folder, &["--resume"]);
    assert!(ended.stderr.contains("Nothing left to do: 2 records there already, 0 of them failed"), "{}", ended.stderr);
    ended.success();
    assert_eq!(folder.read("out.jsonl"), all);
}

#[test]
fn lines_that_were_added_are_answered() {
    let folder = folder(&short_prompts(2));
    run(&folder, &[]).success();
    folder.write("in.jsonl", short_prompts(4));
    let ended = run(&folder, &["--resume"]);
    assert!(ended.stderr.contains("2 answered, 0 failed; 2 there already"), "{}", ended.stderr);
    assert_eq!(keys(&folder).len(), 4);
}

#[test]
fn a_last_line_that_is_cut_anywhere_is_written_again() {
    let folder = folder("{\"id\": \"good\", \"prompt\": \"Once\", \"max_tokens\": 1}\n[]\n");
    assert_eq!(run(&folder, &["--ordered"]).code, Some(3));
    let whole = folder.read("out.jsonl");
    let first = whole.find('\n').unwrap() + 1;
    for cut in first..=whole.len() {
        folder.write("out.jsonl", &whole[..cut]);
        let ended = run(&folder, &["--resume"]);
        assert_eq!(ended.code, Some(3), "{cut}: {}", ended.stderr);
        assert_eq!(
            ended.stderr.contains("was cut off"),
            cut > first && cut + 1 < whole.len(),
            "{cut}: {}",
            ended.stderr
        );
        // It fails without being computed, so it is the same to the byte.
        assert_eq!(folder.read("out.jsonl"), whole, "{cut}");
    }
}

#[test]
fn an_input_that_is_not_the_same_is_refused() {
    let folder = folder(&short_prompts(4));
    run(&folder, &[]).success();
    let all = folder.read("out.jsonl");
    let refused = |says: &[&str], more: &[&str]| {
        let error = run(&folder, &[&["--resume"], more].concat()).failure();
        assert!(says.iter().all(|part| error.contains(part)), "{error}");
        assert_eq!(folder.read("out.jsonl"), all);
    };
    folder.write("in.jsonl", short_prompts(4).replace("upon 2", "upon two"));
    refused(&["line 3 of in.jsonl", "out.jsonl", "--overwrite"], &[]);
    folder.write("in.jsonl", short_prompts(3));
    refused(&["out.jsonl has records (1) of prompts that are not in the input", "--overwrite"], &[]);
    folder.write("in.jsonl", short_prompts(4));
    folder.write("other.jsonl", short_prompts(1).replace("Once", "Twice"));
    // As a second file it is more of the same job; as the first it is another one.
    assert_eq!(run(&folder, &["--resume", "--prompt-file", "other.jsonl"]).code, Some(0));
    let error = folder.run(&[&["--prompt-file", "other.jsonl"], &JOB[..], &["--resume"]].concat()).failure();
    assert!(error.contains("line 1 of other.jsonl"), "{error}");
}

#[test]
fn an_input_from_stdin_is_compared_as_it_comes() {
    let folder = folder(&short_prompts(3));
    let from_stdin = |text: String| {
        let args = ["--prompt-file", "-", "--output", "out.jsonl", "-m", MODEL, "--raw", "--resume"];
        let mut job = folder.job(&args).stdin(Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(&mut job.stdin.take().unwrap(), text.as_bytes()).unwrap();
        crate::program::ended(job.wait_with_output().unwrap())
    };
    from_stdin(short_prompts(2)).success();
    from_stdin(short_prompts(3)).success();
    assert_eq!(keys(&folder).len(), 3);
    let ended = from_stdin(short_prompts(3).replace("upon 1", "upon one"));
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("line 2 of stdin"), "{}", ended.stderr);
    assert_eq!(keys(&folder).len(), 3);
}

#[test]
fn a_file_that_is_no_job_is_left_alone() {
    let folder = folder(&short_prompts(2));
    for (text, says) in [
        ("notes\nmore\n", "line 1 of out.jsonl is no record of a job"),
        ("{\"id\": 1}\n", "line 1 of out.jsonl is no record of a job"),
    ] {
        folder.write("out.jsonl", text);
        let error = run(&folder, &["--resume"]).failure();
        assert!(error.contains(says) && error.contains("--overwrite"), "{error}");
        assert_eq!(folder.read("out.jsonl"), text);
    }
    run(&folder, &["--overwrite"]).success();
    let all = folder.read("out.jsonl");
    folder.write("out.jsonl", all.clone() + &all);
    let error = run(&folder, &["--resume"]).failure();
    assert!(error.contains("two records of the same input"), "{error}");
}

#[test]
fn what_failed_stays_unless_it_is_to_be_tried_again() {
    let long = json!({"id": "long", "prompt": "Once ".repeat(300), "max_tokens": 1}).to_string() + "\n";
    let folder = folder(&(short_prompts(2) + &long + &short_prompts(1)));
    assert_eq!(run(&folder, &[]).code, Some(3));
    let failed = |folder: &Folder| with_id(&folder.records("out.jsonl"), "long").get("error").is_some();
    assert!(failed(&folder));
    let all = folder.read("out.jsonl");
    let ended = run(&folder, &["--resume"]);
    assert!(ended.stderr.contains("Nothing left to do: 4 records there already, 1 of them failed"), "{}", ended.stderr);
    assert_eq!((ended.code, folder.read("out.jsonl")), (Some(3), all.clone()));
    // Where there is more room it is none any more.
    let ended = run(&folder, &["--retry-failed", "-c", "4096"]);
    assert!(ended.stderr.contains("1 answered, 0 failed; 3 there already"), "{}", ended.stderr);
    ended.success();
    assert!(!failed(&folder));
    assert_eq!(keys(&folder).len(), 4);
    let good =
        |text: &str| text.lines().filter(|line| !line.contains("\"long\"")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(good(&folder.read("out.jsonl")), good(&all));
    assert!(!folder.path("out.jsonl.rewritten").exists());
}

#[test]
fn a_failed_record_of_a_line_that_is_gone_is_taken_out() {
    let folder = folder(&(short_prompts(2) + "nonsense\n"));
    assert_eq!(run(&folder, &[]).code, Some(3));
    folder.write("in.jsonl", short_prompts(2));
    let error = run(&folder, &["--resume"]).failure();
    assert!(error.contains("has records (1) of prompts that are not in the input"), "{error}");
    let ended = run(&folder, &["--retry-failed"]);
    assert!(ended.stderr.contains("Nothing left to do: 2 records there already, 0 of them failed"), "{}", ended.stderr);
    ended.success();
    assert_eq!(keys(&folder).len(), 2);
    run(&folder, &["--resume"]).success();
}

#[test]
fn stdout_cannot_be_gone_on_with() {
    let folder = folder(&short_prompts(1));
    let error = folder.run(&["--prompt-file", "in.jsonl", "--output", "-", "--resume"]).failure();
    assert_eq!(
        error,
        "error: --output - is stdout, which cannot be read again for --resume; give the name of a file\n"
    );
}

#[test]
fn openai_records_are_resumed_too_and_failed_ones_found() {
    let line = |id: &str, prompt: &str| {
        json!({"custom_id": id, "method": "POST", "url": "/v1/completions", "body": {"prompt": prompt, "max_tokens": 2}}).to_string() + "\n"
    };
    let folder = folder(&(line("a", "Once") + "nonsense\n" + &line("a", "Once") + &line("b", &"Once ".repeat(300))));
    assert_eq!(run(&folder, &["--ordered"]).code, Some(3));
    let all = folder.read("out.jsonl");
    folder.write("out.jsonl", all.split_inclusive('\n').take(2).collect::<String>());
    let ended = run(&folder, &["--resume", "--ordered"]);
    assert!(ended.stderr.contains("1 answered, 1 failed; 2 there already, 1 of them failed"), "{}", ended.stderr);
    let ended = run(&folder, &["--retry-failed"]);
    assert!(ended.stderr.contains("0 answered, 2 failed; 2 there already"), "{}", ended.stderr);
    let ids: BTreeSet<String> =
        folder.records("out.jsonl").iter().map(|record| record["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!((ids.len(), folder.records("out.jsonl").len()), (4, 4));
}

#[test]
fn two_jobs_do_not_write_to_one_file() {
    let folder = Folder::new();
    folder.write("in.jsonl", "{\"prompt\": \"Hello\", \"max_tokens\": 1}\n");
    let to_file = ["--output", "out.jsonl", "--prompt-file"];
    let mut first = folder.job(&[&to_file[..], &["-"]].concat()).stdin(Stdio::piped()).spawn().unwrap();
    // Before it loads its model, of which it tells, it has the file; and it waits for its input.
    std::io::Read::read_exact(first.stderr.as_mut().unwrap(), &mut [0]).unwrap();
    for how in [&["--resume"][..], &["--overwrite"], &["--retry-failed"], &[]] {
        let error = folder.run(&[&to_file[..], &["in.jsonl"], how].concat()).failure();
        assert!(error.contains("another job writes to out.jsonl") && error.contains("--output"), "{error}");
    }
    drop(first.stdin.take());
    assert_eq!(first.wait().unwrap().code(), Some(0));
    folder.run(&[&to_file[..], &["in.jsonl"]].concat()).success();
    assert_eq!(folder.records("out.jsonl").len(), 1);
}
