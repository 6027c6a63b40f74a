//! `llama-cli tokenize`.

use llama_testkit::{fixtures, golden};

use crate::program::{Ended, llama, llama_with_stdin};

fn ids(ended: Ended) -> Vec<i32> {
    let text = ended.success();
    assert_eq!(text.matches('\n').count(), 1, "one line: {text}");
    serde_json::from_str(&text).unwrap()
}

fn path(path: &std::path::Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn golden_prompts_give_their_golden_tokens() {
    let demo = golden::demo_model_path();
    for name in ["hello", "unicode", "raw-story", "raw-unicode", "pirate"] {
        let golden = golden::demo();
        let entry = golden.entry(name).unwrap();
        assert_eq!(ids(llama(&["tokenize", "-m", path(&demo), &entry.prompt])), entry.prompt_tokens, "{name}");
        assert_eq!(ids(llama_with_stdin(&["tokenize"], &entry.prompt)), entry.prompt_tokens, "{name} from stdin");
    }
}

#[test]
fn the_demo_model_is_announced_on_stderr_only() {
    let ended = llama(&["tokenize", "Hello"]);
    assert!(ended.stderr.contains("demo model") && ended.stderr.contains("-m FILE"), "{}", ended.stderr);
    assert!(ended.stdout.starts_with('['));
    let model = path(fixtures::tiny_llama());
    assert_eq!(llama(&["tokenize", "-m", model, "Hello"]).stderr, "");
}

#[test]
fn special_tokens_are_parsed_unless_told_otherwise() {
    let model = path(fixtures::vocab_bpe());
    assert_eq!(ids(llama(&["tokenize", "-m", model, "<|im_end|>"])), [2]);
    let plain = ids(llama(&["tokenize", "-m", model, "--no-parse-special", "<|im_end|>"]));
    assert!(plain.len() > 1 && !plain.contains(&2), "{plain:?}");
}

#[test]
fn bos_is_added_unless_told_otherwise() {
    let model = path(fixtures::vocab_spm());
    let with = ids(llama(&["tokenize", "-m", model, "Hello"]));
    let without = ids(llama(&["tokenize", "-m", model, "--no-bos", "Hello"]));
    assert_eq!(with[1..], without);
}

#[test]
fn vocab_only_files_are_enough() {
    for model in [fixtures::vocab_bpe(), fixtures::vocab_spm(), fixtures::vocab_wpm()] {
        assert!(!ids(llama(&["tokenize", "-m", path(model), "hello"])).is_empty());
    }
}

#[test]
fn stdin_is_taken_as_it_is() {
    let model = path(fixtures::vocab_bpe());
    let plain = ids(llama_with_stdin(&["tokenize", "-m", model], "a"));
    let with_line_end = ids(llama_with_stdin(&["tokenize", "-m", model], "a\n"));
    assert_eq!(with_line_end.len(), plain.len() + 1);
    assert!(ids(llama_with_stdin(&["tokenize", "-m", model], "")).is_empty());
}

#[test]
fn stdin_that_is_not_utf8_is_refused_with_the_place() {
    let error = llama_with_stdin(&["tokenize"], b"ab\xffc").failure();
    assert!(error.contains("stdin") && error.contains("UTF-8") && error.contains('2'), "{error}");
}

#[test]
fn a_text_that_looks_like_a_flag_comes_after_two_dashes() {
    let model = path(fixtures::vocab_bpe());
    assert_eq!(ids(llama(&["tokenize", "-m", model, "--", "-ngl"])).len(), 4);
}

#[test]
fn the_text_may_come_from_a_flag_or_a_file() {
    let model = path(fixtures::vocab_bpe());
    let folder = llama_testkit::fixtures::TempModels::new().unwrap();
    let file = folder.write_bytes("text.txt", b"-ngl\n").unwrap();
    let expected = ids(llama_with_stdin(&["tokenize", "-m", model], "-ngl\n"));
    assert_eq!(ids(llama(&["tokenize", "-m", model, "-f", path(&file)])), expected);
    assert_eq!(ids(llama(&["tokenize", "-m", model, "-p", "-ngl\n"])), expected);
}

#[test]
fn pieces_are_shown_with_their_ids_and_bytes_that_are_no_text_escaped() {
    let model = path(fixtures::vocab_bpe());
    let ended = llama(&["tokenize", "-m", model, "--pieces", "--show-count", "<|im_end|>é"]);
    assert_eq!(ended.stderr, "tokens: 3\n");
    let text = ended.success();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "     2 -> \"<|im_end|>\"");
    assert!(lines[1].ends_with("-> \"\\xc3\"") && lines[2].ends_with("-> \"\\xa9\""), "{text}");
}
