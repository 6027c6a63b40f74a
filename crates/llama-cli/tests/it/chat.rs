//! `llama-cli chat` with lines on stdin.

use llama_testkit::fixtures;

use crate::program::{llama, llama_with_stdin};

fn chat(args: &[&str], lines: &str) -> crate::program::Ended {
    let all: Vec<&str> = ["chat", "--temp", "0"].iter().chain(args).copied().collect();
    llama_with_stdin(&all, lines)
}

#[test]
fn the_second_answer_knows_the_first_message() {
    let ended = chat(&[], "My name is Gwendolyn.\nWhat is my name?\n");
    assert!(ended.stderr.contains("demo model") && ended.stderr.contains("-m FILE"), "{}", ended.stderr);
    let text = ended.success();
    let answers: Vec<&str> = text.lines().collect();
    assert_eq!(answers.len(), 2, "{text}");
    assert_eq!(answers[1], "Your name is Gwendolyn.");
}

#[test]
fn clear_forgets_and_exit_leaves() {
    let text = chat(&[], "My name is Gwendolyn.\n/clear\nWhat is my name?\n/exit\nHello!\n").success();
    let answers: Vec<&str> = text.lines().collect();
    assert_eq!(answers.len(), 2, "{text}");
    assert!(!answers[1].contains("Gwendolyn"), "{text}");
}

#[test]
fn regen_answers_the_same_message_again() {
    let text = chat(&[], "What is the capital of France?\n/regen\n").success();
    assert_eq!(text, "The capital of France is Paris.\n".repeat(2));
    let ended = chat(&[], "/regen\n");
    assert!(ended.stderr.contains("no message"), "{}", ended.stderr);
    assert_eq!(ended.success(), "");
}

#[test]
fn the_first_message_and_the_system_prompt_may_be_flags() {
    let text = chat(&["-sys", "Your name is Zorblax.", "-p", "Who are you?"], "").success();
    assert_eq!(text, "My name is Zorblax.\n");
}

#[test]
fn empty_lines_and_an_empty_stdin_say_nothing() {
    assert_eq!(chat(&[], "").success(), "");
    assert_eq!(chat(&[], "\n  \n").success(), "");
    assert_eq!(llama(&["chat"]).success(), "");
}

#[test]
fn help_and_unknown_commands_are_answered_on_stderr() {
    let ended = chat(&[], "/help\n/rgen\n");
    assert!(ended.stderr.contains("/regen") && ended.stderr.contains("no command /rgen"), "{}", ended.stderr);
    assert_eq!(ended.success(), "");
}

#[test]
fn a_full_context_forgets_the_oldest_turns_and_says_so() {
    let model = fixtures::tiny_llama().to_str().unwrap();
    let line = "Tell me more about it, please, and then tell me about something else too.\n";
    let ended = chat(&["-m", model, "-n", "16"], &line.repeat(6));
    assert!(ended.stderr.contains("forgot the oldest"), "{}", ended.stderr);
    assert!(ended.stderr.contains("no chat template"), "{}", ended.stderr);
    ended.success();
}

#[test]
fn an_answer_that_is_cut_by_the_context_says_so() {
    let model = fixtures::tiny_llama().to_str().unwrap();
    let ended = chat(&["-m", model], "Tell me more.\n");
    assert!(ended.stderr.contains("answer was cut"), "{}", ended.stderr);
    ended.success();
}

#[test]
fn a_script_learns_that_a_message_was_refused() {
    let model = fixtures::tiny_llama().to_str().unwrap();
    let error = chat(&["-m", model], &"too long ".repeat(200)).failure();
    assert!(error.contains("tokens"), "{error}");
}

#[test]
fn text_that_looks_like_a_command_can_be_said() {
    let ended = chat(&["-n", "1"], "//help\n/etc/hosts\n/help me\n");
    assert_eq!(ended.stderr.matches("/regen").count(), 0, "{}", ended.stderr);
    assert_eq!(ended.success().lines().count(), 3);
}

#[test]
fn commands_of_media_say_what_this_build_takes() {
    for command in ["/image a.png", "/audio a.wav", "/video"] {
        let error = chat(&[], &format!("{command}\n")).failure();
        assert!(error.contains("text only") && error.contains("/read"), "{error}");
    }
}

#[test]
fn settings_are_changed_and_shown() {
    let ended = chat(&[], "/set max-tokens 2\nWhat is the capital of France?\n/set\n");
    assert!(ended.stderr.contains("max_tokens = 2") && ended.stderr.contains("temperature = 0"), "{}", ended.stderr);
    assert_ne!(ended.success(), "The capital of France is Paris.\n");
    let error = chat(&[], "/set temprature 1\n").failure();
    assert!(error.contains("did you mean temperature?"), "{error}");
}

#[test]
fn an_answer_follows_a_grammar_or_a_schema() {
    let text = chat(&[], "/set grammar root ::= \"yes\" | \"no\"\nIs it raining?\n/set grammar none\n").success();
    assert!(matches!(text.trim(), "yes" | "no"), "{text}");
    let schema = r#"/set json-schema {"type": "object", "properties": {"n": {"const": 5}}, "required": ["n"], "additionalProperties": false}"#;
    let text = chat(&[], &format!("{schema}\nHow many?\n")).success();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["n"], 5);
}

#[test]
fn the_use_of_the_context_is_told() {
    let ended = chat(&["-c", "512"], "Hello!\n/stats\n/model\n");
    assert!(ended.stderr.contains(" of 512 tokens") && ended.stderr.contains("1 turn(s)"), "{}", ended.stderr);
    assert!(ended.stderr.contains("generated") && ended.stderr.contains("demo model ("), "{}", ended.stderr);
    ended.success();
}

#[test]
fn speeds_are_told_when_asked_for() {
    let told = |args: &[&str]| chat(args, "Hello!\n").stderr.contains("[ Prompt: ");
    assert!(told(&["--show-timings"]));
    assert!(!told(&[]) && !told(&["--no-show-timings"]));
}

#[test]
fn lines_go_on_after_a_backslash() {
    let text = chat(&["--show-timings"], "My name is \\\nGwendolyn.\nWhat is my name?");
    assert_eq!(text.stderr.matches("[ Prompt: ").count(), 2, "{}", text.stderr);
}

#[test]
fn a_first_message_that_is_too_long_is_refused_with_numbers() {
    let error = chat(&["-c", "512", "-p", &"word ".repeat(1000)], "").failure();
    assert!(error.contains("tokens") && error.contains("has 512") && error.contains("-c N"), "{error}");
}

#[test]
fn an_answer_that_fails_before_its_first_word_prints_nothing() {
    let error = llama_with_stdin(&["chat", "-l", "99999999-1"], "Hello!\n").failure();
    assert!(error.contains("token 99999999 is not one of"), "{error}");
}
