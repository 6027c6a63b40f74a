//! The file of results: what is found again, and what is not.

use super::*;

fn choice(keep: Option<ThreadCounts>) -> ThreadChoice {
    let mut choice = ThreadChoice::default();
    choice.counts = ThreadCounts { decode: 7, prefill: 7 };
    choice.keep = keep;
    choice
}

/// Worth keeping.
fn found(decode: u32) -> ThreadChoice {
    choice(Some(ThreadCounts { decode, prefill: 3 }))
}

fn kept(folder: &Path, key: &str) -> Kept {
    Kept { file: folder.join("cache/threads.json"), key: key.to_owned() }
}

#[test]
fn a_result_is_found_again_for_what_it_was_measured_with_only() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (kept(folder.path(), "one"), kept(folder.path(), "other"));
    assert_eq!(one.read(), None);
    one.write(&found(2));
    assert_eq!(one.read(), Some(ThreadCounts { decode: 2, prefill: 3 }));
    assert_eq!(other.read(), None, "another machine, model or program");
    one.write(&found(1));
    assert_eq!(one.read().map(|counts| counts.decode), Some(1), "the newest counts");
    assert_eq!(content(&one.file).measured.len(), 1);
}

#[test]
fn what_says_nothing_about_other_times_is_not_kept_and_takes_nothing_away() {
    let folder = tempfile::tempdir().unwrap();
    let kept = kept(folder.path(), "one");
    kept.write(&choice(None));
    assert_eq!(kept.read(), None);
    assert!(!kept.file.exists());
    kept.write(&found(2));
    kept.write(&choice(None));
    assert_eq!(kept.read().map(|counts| counts.decode), Some(2));
}

#[test]
fn that_it_takes_too_long_is_kept_too() {
    let folder = tempfile::tempdir().unwrap();
    let kept = kept(folder.path(), "one");
    for counts in [ThreadCounts::default(), ThreadCounts { decode: 2, prefill: 0 }] {
        kept.write(&choice(Some(counts)));
        assert_eq!(kept.read(), Some(counts));
    }
}

#[test]
fn a_result_gets_old_and_one_from_the_future_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let kept = kept(folder.path(), "one");
    kept.write(&found(2));
    let text = std::fs::read_to_string(&kept.file).unwrap();
    let time = content(&kept.file).measured[0].time;
    for (written, found) in [(time - STALE + 60, true), (time - STALE - 1, false), (time + 3600, false)] {
        std::fs::write(&kept.file, text.replace(&time.to_string(), &written.to_string())).unwrap();
        assert_eq!(kept.read().is_some(), found, "{written} of {time}");
    }
}

#[test]
fn a_file_that_is_broken_or_not_ours_is_as_none_and_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let kept = kept(folder.path(), "one");
    std::fs::create_dir(folder.path().join("cache")).unwrap();
    let huge = format!("{{\"measured\": [{}]}}", " ".repeat(1 << 20));
    let many = format!(r#"{{"measured":[{{"key":"one","decode":513,"prefill":1,"time":{}}}]}}"#, seconds());
    for text in ["", "{", "[]", "{\"measured\": 7}", "\u{0}", &huge, &many] {
        std::fs::write(&kept.file, text).unwrap();
        assert_eq!(kept.read(), None);
        kept.write(&found(2));
        assert_eq!(kept.read().map(|counts| counts.decode), Some(2));
    }
}

#[test]
fn the_file_does_not_grow() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..MOST + 10 {
        kept(folder.path(), &format!("{number:064}")).write(&found(2));
    }
    let last = kept(folder.path(), &format!("{:064}", MOST + 9));
    assert_eq!(content(&last.file).measured.len(), MOST);
    assert!(last.read().is_some());
    assert!(std::fs::metadata(&last.file).unwrap().len() < LARGEST);
}

#[test]
fn a_folder_that_cannot_be_written_to_is_let_be() {
    let folder = tempfile::tempdir().unwrap();
    // A file where the folder should be.
    std::fs::write(folder.path().join("cache"), "").unwrap();
    let kept = kept(folder.path(), "one");
    kept.write(&found(2));
    assert_eq!(kept.read(), None);
}

#[test]
fn the_key_is_of_the_file_as_it_is_and_of_what_decides_where_is_computed() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model.gguf");
    assert_eq!(key(&model, &Settings::default()), None, "no such file");
    std::fs::write(&model, "one").unwrap();
    let before = key(&model, &Settings::default()).unwrap();
    assert_eq!(key(&model, &Settings::default()), Some(before.clone()));
    let mut settings = Settings::default();
    settings.context.flash_attention = llama_runtime::FlashAttention::Off;
    assert_ne!(key(&model, &settings), Some(before.clone()));
    std::fs::write(&model, "other").unwrap();
    assert_ne!(key(&model, &Settings::default()), Some(before));
}

#[test]
fn numbers_that_are_set_need_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model.gguf");
    std::fs::write(&model, "one").unwrap();
    let mut settings = Settings::default();
    assert!(Kept::of(&model, &settings).is_some());
    settings.context.threads = Some(2);
    assert_eq!(Kept::of(&model, &settings), None);
}
