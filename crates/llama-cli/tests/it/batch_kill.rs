//! A job that is killed at any moment and gone on with has exactly one record for every input, and does nothing twice.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::io::Read;
use std::process::Child;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::batch::{Folder, tiny};

/// How often a job is killed.
const KILLS: usize = 30;

const JOB: [&str; 8] = ["--prompt-file", "in.jsonl", "--output", "out.jsonl", "--resume", "--raw", "--parallel", "4"];

/// SplitMix64: moments that can be had again by their seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// Inputs of all kinds: ours and OpenAI's, the same several times, and some that fail.
fn inputs(n: usize) -> String {
    let line = |i: usize| {
        match i % 8 {
        0 | 4 => json!({"id": "same", "prompt": "Once", "max_tokens": 6}).to_string(),
        1 => json!({"custom_id": "same", "method": "POST", "url": "/v1/completions", "body": {"prompt": "Once", "max_tokens": 5}}).to_string(),
        2 => json!({"id": i, "prompt": "Once ".repeat(400)}).to_string(),
        3 => "no JSON".to_owned(),
        5 => String::new(),
        _ => json!({"id": i, "prompt": format!("Once {i}"), "max_tokens": 1 + i % 13}).to_string(),
    }
    };
    (0..n).map(|i| line(i) + "\n").collect()
}

/// The key of a record.
fn key(record: &Value) -> String {
    let key = record["key"].as_str().or_else(|| record["id"].as_str()?.strip_prefix("batch_req_"));
    key.unwrap_or_else(|| panic!("no key: {record}")).to_owned()
}

/// The whole records that are there, as text.
fn whole(folder: &Folder) -> String {
    let text = std::fs::read(folder.path("out.jsonl")).unwrap_or_default();
    let end = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    String::from_utf8(text[..end].to_vec()).unwrap()
}

/// Waits for the end, for so long; true if it came.
fn ends_within(job: &mut Child, time: Duration) -> bool {
    let (tx, rx) = mpsc::sync_channel(1);
    let mut stderr = job.stderr.take().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || {
            // Its end closes the pipe.
            let mut text = String::new();
            let _ = stderr.read_to_string(&mut text);
            tx.send(text)
        });
        let ended = rx.recv_timeout(time).is_ok();
        if !ended {
            // SIGKILL: it cannot be noticed.
            job.kill().unwrap();
        }
        job.wait().unwrap();
        ended
    })
}

#[test]
fn a_job_that_is_killed_thirty_times_does_everything_once() {
    let seed = RandomState::new().hash_one(0) % 1_000_000;
    let mut random = Random(seed);
    let text = inputs(320);
    let wanted = text.lines().filter(|line| !line.is_empty()).count();
    // Moments are spread over the time that a whole job takes here and now.
    let started = Instant::now();
    let expected: BTreeSet<String> = {
        let folder = Folder::new();
        folder.write("in.jsonl", &text);
        folder.run(&[&JOB[..], &["-m", tiny()]].concat());
        folder.records("out.jsonl").iter().map(key).collect()
    };
    assert_eq!(expected.len(), wanted);
    let whole_job = u64::try_from(started.elapsed().as_micros()).unwrap();
    let (mut kills, mut in_the_middle, mut jobs) = (0, 0, 0);
    while kills < KILLS {
        jobs += 1;
        let folder = Folder::new();
        folder.write("in.jsonl", &text);
        let mut before = String::new();
        while kills < KILLS {
            let wait = Duration::from_micros(random.below(whole_job));
            let mut job = folder.job(&[&JOB[..], &["-m", tiny()]].concat()).spawn().unwrap();
            let ended = ends_within(&mut job, wait);
            let now = whole(&folder);
            assert!(
                now.starts_with(&before),
                "seed {seed}, job {jobs}, kill {kills} after {wait:?}: records have changed"
            );
            let (there, more) = (before.lines().count(), now.lines().count());
            before = now;
            if ended {
                break;
            }
            kills += 1;
            in_the_middle += usize::from(there < more && more < wanted);
        }
        // To its end: only what has no record is answered.
        let ended = folder.run(&[&JOB[..], &["-m", tiny()]].concat());
        let told = format!("seed {seed}, job {jobs}: {}", ended.stderr);
        assert_eq!(ended.code, Some(3), "{told}");
        let kept = whole(&folder);
        assert!(kept.starts_with(&before), "{told}");
        let all = folder.records("out.jsonl");
        let keys: BTreeSet<String> = all.iter().map(key).collect();
        assert_eq!((all.len(), &keys), (wanted, &expected), "{told}");
        let there = before.lines().count();
        if there > 0 && there < wanted {
            assert!(ended.stderr.contains(&format!("; {there} there already")), "{there}: {told}");
        }
    }
    assert!(
        in_the_middle > KILLS / 6,
        "seed {seed}: only {in_the_middle} of {kills} kills were in the middle of the work"
    );
}
