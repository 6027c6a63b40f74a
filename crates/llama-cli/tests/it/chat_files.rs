//! The files of `llama-cli chat`: sessions, transcripts, what is read into messages.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Stdio;

use tempfile::TempDir;

use crate::program::{Ended, command, llama_with_stdin, start};

const GWENDOLYN: &str = "My name is Gwendolyn.\n";
const WHO: &str = "What is my name?\n";

fn chat(args: &[&str], lines: &str) -> Ended {
    llama_with_stdin(&[&["chat", "--temp", "0"], args].concat(), lines)
}

fn path(folder: &TempDir, name: &str) -> String {
    folder.path().join(name).to_str().unwrap().to_owned()
}

#[test]
fn a_session_goes_on_in_the_next_process() {
    let folder = TempDir::new().unwrap();
    let file = path(&folder, "talk.json");
    chat(&["--session", &file], GWENDOLYN).success();
    let ended = chat(&["--session", &file], WHO);
    assert!(ended.stderr.contains("1 turn(s) were restored"), "{}", ended.stderr);
    assert_eq!(ended.success(), "Your name is Gwendolyn.\n");
    let saved: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!(saved["version"], 1);
    assert_eq!(saved["conversation"]["messages"].as_array().unwrap().len(), 4);
    assert!(saved["model"]["fingerprint"].as_str().unwrap().contains("parameters"));
}

#[test]
fn the_state_of_the_model_is_kept_beside_the_session() {
    let folder = TempDir::new().unwrap();
    let file = path(&folder, "talk.json");
    let reused = |file: &str| {
        let ended = chat(&["--session", file], "Hello!\n/stats\n");
        let line = ended.stderr.lines().find(|line| line.starts_with("Tokens: ")).unwrap().to_owned();
        assert!(!ended.stderr.contains("KV state"), "{}", ended.stderr);
        line.split("; ").next().unwrap().to_owned()
    };
    chat(&["--session", &file], GWENDOLYN).success();
    let other = path(&folder, "other.json");
    fs::copy(&file, &other).unwrap();
    assert!(!reused(&file).contains(", 0 of them"));
    assert!(reused(&other).contains(", 0 of them"), "its state is not there");
}

#[test]
fn a_damaged_state_is_told_and_the_conversation_goes_on() {
    let folder = TempDir::new().unwrap();
    let file = path(&folder, "talk.json");
    chat(&["--session", &file], GWENDOLYN).success();
    let state = format!("{file}.kv");
    let mut bytes = fs::read(&state).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&state, &bytes).unwrap();
    let ended = chat(&["--session", &file], WHO);
    assert!(ended.stderr.contains("The KV state was not restored: "), "{}", ended.stderr);
    assert_eq!(ended.success(), "Your name is Gwendolyn.\n");
}

#[test]
fn a_damaged_session_is_refused_and_left_as_it_is() {
    let folder = TempDir::new().unwrap();
    let file = path(&folder, "talk.json");
    for text in ["", "{\"version\": 1", "{\"version\": 7}", "[]", "my diary"] {
        fs::write(&file, text).unwrap();
        let error = chat(&["--session", &file], WHO).failure();
        assert!(error.contains("talk.json") && error.contains("left as it is"), "{error}");
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }
}

#[test]
fn a_session_of_another_model_goes_on_without_its_state() {
    let folder = TempDir::new().unwrap();
    let file = path(&folder, "talk.json");
    chat(&["--session", &file], GWENDOLYN).success();
    fs::write(format!("{file}.kv"), "whatever").unwrap();
    let tiny = llama_testkit::fixtures::tiny_llama().to_str().unwrap();
    let ended = chat(&["--session", &file, "-m", tiny, "-n", "4"], "");
    assert!(ended.stderr.contains("KV state was not restored: it is of another model"), "{}", ended.stderr);
    assert!(ended.stderr.contains("1 turn(s) were restored"), "{}", ended.stderr);
    ended.success();
}

#[test]
fn a_conversation_is_saved_and_loaded() {
    let folder = TempDir::new().unwrap();
    let (file, diary) = (path(&folder, "talk.json"), path(&folder, "diary.txt"));
    fs::write(&diary, "my diary").unwrap();
    let lines = format!("{GWENDOLYN}/save {file}\n/clear\n/load {file}\n/load {file}.not\n");
    assert!(chat(&[], &lines).stderr.contains("there is no file"));
    let text = chat(&[], &format!("{GWENDOLYN}/save {file}\n/clear\n/load {file}\n{WHO}")).success();
    assert!(text.ends_with("Your name is Gwendolyn.\n"), "{text}");
    // A file that is no conversation is neither read nor written.
    for command in ["/save", "/load"] {
        let ended = chat(&[], &format!("{command} {diary}\n"));
        assert!(ended.stderr.contains("no conversation that this program saved"), "{}", ended.stderr);
        assert_eq!((ended.code, fs::read_to_string(&diary).unwrap().as_str()), (Some(1), "my diary"));
    }
}

#[test]
fn what_is_taken_back_is_not_remembered() {
    let text = chat(&[], &format!("{GWENDOLYN}/undo\n{WHO}/undo\n/undo\n")).success();
    assert!(!text.lines().nth(1).unwrap().contains("Gwendolyn"), "{text}");
    let ended = chat(&[], "/undo\n");
    assert!(ended.stderr.contains("no message to take back"), "{}", ended.stderr);
}

#[test]
fn a_transcript_has_who_said_what_and_what_was_done() {
    let folder = TempDir::new().unwrap();
    let file = path(&folder, "said.txt");
    let notes = path(&folder, "notes.txt");
    fs::write(&notes, "Paris is large.").unwrap();
    let lines = format!("What is the capital of France?\n/regen\n/clear\n/read {notes}\nHello!\n/undo\n");
    chat(&["-o", &file], &lines).success();
    let said = fs::read_to_string(&file).unwrap();
    let paris = "Assistant:\nThe capital of France is Paris.\n\n";
    let expected = format!(
        "User:\nWhat is the capital of France?\n\n{paris}[ the last answer is taken back, and given again ]\n\n{paris}\
         [ the conversation is forgotten ]\n\nUser: Added text file: {notes}\nUser:\nHello!\n\nAssistant:\n"
    );
    assert!(said.starts_with(&expected), "{said}");
    assert!(said.ends_with("[ the last message and its answer are taken back ]\n\n"), "{said}");
}

#[test]
fn a_transcript_that_cannot_be_written_is_told_before_anything_else() {
    let error = chat(&["-o", "/no/such/folder/said.txt", "-m", "/no/such/model.gguf"], GWENDOLYN).failure();
    assert!(error.contains("/no/such/folder/said.txt") && !error.contains("model.gguf"), "{error}");
}

#[test]
fn files_go_with_the_next_message_and_clear_drops_them() {
    let folder = TempDir::new().unwrap();
    let file = path(&folder, "talk.json");
    for (name, text) in [("a.txt", "My name is Gwendolyn."), ("b.txt", "second\n")] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let at = folder.path().display();
    let lines = format!("/read {at}/b.txt\n/clear\n/glob {at}/*.txt\nWhat is my name?\n");
    chat(&["--session", &file], &lines).success();
    let saved: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let expected = format!(
        "--- File: {at}/a.txt ---\nMy name is Gwendolyn.\n\n--- File: {at}/b.txt ---\nsecond\n\nWhat is my name?"
    );
    assert_eq!(saved["conversation"]["messages"][0]["content"], expected);
    let ended = chat(&[], &format!("/read {at}/none.txt\n"));
    assert!(ended.failure().contains("none.txt"));
}

#[test]
fn the_system_prompt_may_be_a_file() {
    let folder = TempDir::new().unwrap();
    let file = path(&folder, "system.txt");
    fs::write(&file, "Your name is Zorblax.\n").unwrap();
    for args in [&["-sysf", &file][..], &["--system-file", &file], &["--system", "Your name is Zorblax."]] {
        assert_eq!(chat(args, "Who are you?\n").success(), "My name is Zorblax.\n");
    }
    let text = chat(&[], "/system Your name is Zorblax.\nWho are you?\n/system\n/system -\n/system\n");
    assert!(
        text.stderr.contains("Your name is Zorblax.") && text.stderr.contains("no system prompt"),
        "{}",
        text.stderr
    );
    assert_eq!(text.success(), "My name is Zorblax.\n");
}

#[test]
fn the_first_message_may_be_a_file_and_the_only_one() {
    let folder = TempDir::new().unwrap();
    let file = path(&folder, "first.txt");
    fs::write(&file, "What is the capital of France?\n").unwrap();
    let text = chat(&["-f", &file, "-st"], "What is the capital of Italy?\n").success();
    assert_eq!(text, "The capital of France is Paris.\n");
    assert!(Path::new(&file).exists());
}

#[test]
fn two_chats_in_one_file_do_not_undo_each_other() {
    let folder = TempDir::new().unwrap();
    let file = path(&folder, "talk.json");
    let mut first = start(command(&["chat", "--temp", "0", "--session", &file]).stdin(Stdio::piped()));
    let mut stdin = first.stdin.take().unwrap();
    let mut stderr = BufReader::new(first.stderr.take().unwrap()).lines().map(Result::unwrap);
    stdin.write_all(format!("{GWENDOLYN}/stats\n").as_bytes()).unwrap();
    // By then it has kept its first turn.
    assert!(stderr.any(|line| line.starts_with("Context: ")));
    chat(&["--session", &file], "Hello!\n").success();
    let of_both = fs::read(&file).unwrap();
    stdin.write_all(WHO.as_bytes()).unwrap();
    drop(stdin);
    assert!(stderr.any(|line| line.contains("another program has written to") && line.contains("/save ")));
    assert!(stderr.next().is_none(), "nothing more is kept, and nothing is said about it");
    assert_eq!(first.wait().unwrap().code(), Some(1));
    assert_eq!(fs::read(&file).unwrap(), of_both);
}

#[test]
fn a_session_can_replace_what_is_in_its_file() {
    let folder = TempDir::new().unwrap();
    let (file, other) = (path(&folder, "talk.json"), path(&folder, "other.json"));
    chat(&["--session", &other], GWENDOLYN).success();
    let lines = format!("/session {file}\n/load {other}\n/save {file}\n{WHO}");
    assert_eq!(chat(&[], &lines).success(), "Your name is Gwendolyn.\n");
    assert!(fs::read_to_string(&file).unwrap().contains("Your name is Gwendolyn."));
}

#[test]
fn a_session_that_cannot_be_kept_is_told_before_anything_is_said() {
    let folder = TempDir::new().unwrap();
    let file = path(&folder, "none/talk.json");
    let error = chat(&["--session", &file], WHO).failure();
    assert!(error.contains("there is no folder") && error.contains("make it first"), "{error}");
}

#[test]
fn names_in_files_do_not_command_the_terminal() {
    let folder = TempDir::new().unwrap();
    let settings = path(&folder, "llama.toml");
    fs::write(&settings, "\"a\\u001b]0;owned\\u0007\" = 1\n").unwrap();
    let error = chat(&["--config", &settings], "").failure();
    assert!(error.contains("a\u{241b}]0;owned\u{2407}") && !error.contains('\x1b'), "{error}");
}
