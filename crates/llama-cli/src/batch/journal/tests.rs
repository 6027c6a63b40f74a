//! What is told from a file of records, and what becomes of it.

use super::*;

const RECORD: &str = r#"{"id":7,"line":1,"key":"1-1-0000000a","text":"a","usage":{}}"#;

#[test]
fn a_record_tells_its_input_and_whether_it_failed() {
    let stamp = |text: &str| stamp(text.as_bytes()).map(|(key, failed)| (key.to_string(), failed));
    let key = "1-1-0000000a".to_owned();
    assert_eq!(stamp(RECORD), Some((key.clone(), false)));
    assert_eq!(stamp(r#"{"id":"x","key":"1-1-0000000a","error":{"code":"a"}}"#), Some((key.clone(), true)));
    let openai = |response: &str, error: &str| {
        stamp(&format!(r#"{{"id":"batch_req_1-1-0000000a","custom_id":"a","response":{response},"error":{error}}}"#))
    };
    let response = |code: u16| format!(r#"{{"status_code":{code},"request_id":"r","body":{{}}}}"#);
    assert_eq!(openai(&response(200), "null"), Some((key.clone(), false)));
    assert_eq!(openai(&response(400), "null"), Some((key.clone(), true)));
    assert_eq!(openai("null", r#"{"code":"a"}"#), Some((key, true)));
    for other in ["{}", "[]", "", r#"{"id":"1-1-0000000a"}"#, r#"{"key":"x"}"#, &RECORD[..RECORD.len() - 1]] {
        assert_eq!(stamp(other), None, "{other}");
    }
}

#[test]
fn a_file_cut_at_any_place_is_repaired_to_its_whole_records() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.jsonl");
    let first = format!("{}\n", RECORD.replace("1-1-", "1-2-"));
    let all = format!("{first}{RECORD}\n");
    for cut in first.len()..=all.len() {
        std::fs::write(&path, &all[..cut]).unwrap();
        let (mut journal, past) = Journal::open(&path, Existing::Resume).unwrap();
        journal.begin(Existing::Resume).unwrap();
        journal.write("{}".to_owned()).unwrap();
        drop(journal);
        // Without the line end it is a record all the same.
        let whole = if cut + 1 >= all.len() { &all } else { &first };
        assert_eq!(past.was_torn, cut > first.len() && cut + 1 < all.len(), "{cut}");
        assert_eq!(past.done.len(), whole.lines().count() as u64, "{cut}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{whole}{{}}\n"), "{cut}");
    }
}

#[test]
fn failed_records_are_taken_out_and_both_files_stay_locked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.jsonl");
    let failed = r#"{"id":1,"line":2,"key":"1-2-0000000a","error":{"code":"a"}}"#;
    std::fs::write(&path, format!("{failed}\n{RECORD}\n")).unwrap();
    let early = File::open(&path).unwrap();
    let (mut journal, past) = Journal::open(&path, Existing::RetryFailed).unwrap();
    assert_eq!((past.done.len(), past.retried), (1, 1));
    journal.begin(Existing::RetryFailed).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{RECORD}\n"));
    let late = File::open(&path).unwrap();
    assert!(late.try_lock().is_err(), "the new one");
    assert!(early.try_lock().is_err(), "and the one that somebody opened before it was replaced");
    drop(journal);
    late.try_lock().unwrap();
}

#[test]
fn a_file_of_somebody_else_is_not_taken_for_a_torn_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.jsonl");
    for other in [r#"{"a": 1}"#, r#"{"id":1,"name":"x"}"#, "hello", "[1, 2"] {
        std::fs::write(&path, other).unwrap();
        let error = Journal::open(&path, Existing::Resume).unwrap_err().to_string();
        assert!(error.starts_with("line 1 of ") && error.contains("is no record of a job"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), other);
    }
    for torn in ["{", r#"{"id":1,"lin"#, "\0\0\0", "{\"id\":1,\0\0"] {
        std::fs::write(&path, torn).unwrap();
        assert!(Journal::open(&path, Existing::Resume).unwrap().1.was_torn, "{torn:?}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_says_how_the_job_goes_on() {
    let path = PathBuf::from("/dev/full");
    let file = || OpenOptions::new().write(true).open(&path).unwrap();
    let kept =
        Journal::File { file: file(), path: path.clone(), synced: Instant::now(), retries: false, replaced: None };
    for (mut journal, says) in [
        (kept, "make room, and go on with --resume"),
        (Journal::Special { file: file(), path: path.clone() }, "--output FILE"),
    ] {
        let error = journal.write(RECORD.to_owned()).unwrap_err().to_string();
        assert!(error.starts_with("cannot write /dev/full; ") && error.contains(says), "{error}");
    }
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = Journal::open(&folder.path().join("a/out.jsonl"), Existing::Refuse).unwrap_err().to_string();
    assert!(error.contains("there is no folder ") && error.ends_with("a; create it first"), "{error}");
}

#[test]
fn a_file_belongs_to_one_job() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.jsonl");
    let first = Journal::open(&path, Existing::Refuse).unwrap();
    let error = Journal::open(&path, Existing::Overwrite).unwrap_err().to_string();
    assert!(error.starts_with("another job writes to ") && error.contains("--output"), "{error}");
    drop(first);
    Journal::open(&path, Existing::Refuse).unwrap();
}
