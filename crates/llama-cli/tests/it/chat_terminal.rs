//! `llama-cli chat` for a person at a terminal.

use std::path::PathBuf;

use expectrl::process::unix::Signal;
use llama_testkit::fixtures::{self, TempModels};
use llama_testkit::models::Llama;

use crate::pty::{CTRL_C, CTRL_D, ENTER, Person, TAB, Terminal, UP, fifo};

const FRANCE: &str = "What is the capital of France?";
const PARIS: &str = "The capital of France is Paris.";

/// Ends with Ctrl+D at an empty prompt, and the terminal is as it was.
fn leave(mut terminal: Terminal) -> String {
    terminal.press(CTRL_D);
    let (code, printed) = terminal.end();
    assert_eq!(code, 0, "{printed:?}");
    assert_eq!(printed.matches("\x1b[?2004h").count(), printed.matches("\x1b[?2004l").count());
    printed
}

#[test]
fn a_question_is_answered_and_ctrl_d_leaves() {
    let person = Person::new();
    let mut terminal = person.chat(&[]);
    terminal.expect("demo model");
    terminal.expect_prompt();
    terminal.say(FRANCE);
    terminal.expect(PARIS);
    terminal.expect("[ Prompt: ");
    terminal.expect_prompt();
    leave(terminal);
}

#[test]
fn ctrl_c_at_the_prompt_clears_the_line_first_then_asks_then_leaves() {
    let person = Person::new();
    let mut terminal = person.recorded_chat(&[]);
    terminal.expect_prompt();
    terminal.press("something else");
    terminal.expect("else");
    terminal.press(CTRL_C);
    terminal.expect_prompt();
    terminal.say(FRANCE);
    terminal.expect(PARIS);
    terminal.expect_prompt();
    terminal.press(CTRL_C);
    terminal.expect("press Ctrl+C again to leave");
    terminal.press(CTRL_C);
    assert_eq!(terminal.end().0, 0);
    assert_eq!(person.messages(), [FRANCE]);
}

#[test]
fn ctrl_c_stops_an_answer_and_the_conversation_goes_on() {
    let person = Person::new();
    let model = fixtures::tiny_llama().to_str().unwrap();
    let mut terminal = person.recorded_chat(&["-m", model, "-c", "262144", "--no-markdown"]);
    terminal.expect_prompt();
    // Waits for the model.
    terminal.say("/stats");
    terminal.expect("Context: 0 of 262144");
    terminal.expect_prompt();
    terminal.say("Tell me more.");
    terminal.expect("\r\n");
    // Something of the answer, whatever it is.
    terminal.expect(" ");
    terminal.signal(Signal::SIGINT);
    terminal.expect("[ interrupted ]");
    terminal.expect_prompt();
    terminal.say("/stats");
    terminal.expect("1 turn(s)");
    terminal.expect_prompt();
    leave(terminal);
    assert!(person.read("said").contains("[ interrupted ]"));
}

#[test]
fn several_pasted_lines_are_one_message() {
    let person = Person::new();
    let mut terminal = person.recorded_chat(&[]);
    terminal.expect_prompt();
    terminal.paste("Hello!\nfor f in *; do \\\n  echo $f\ndone");
    terminal.expect("done");
    terminal.press(ENTER);
    terminal.expect("[ Prompt: ");
    terminal.expect_prompt();
    leave(terminal);
    assert_eq!(person.messages(), ["Hello!\nfor f in *; do \\\n  echo $f\ndone"]);
}

#[test]
fn a_line_goes_on_after_a_backslash_and_after_alt_enter() {
    let person = Person::new();
    let mut terminal = person.recorded_chat(&[]);
    terminal.expect_prompt();
    terminal.press("one\\");
    terminal.press(ENTER);
    terminal.press("two\x1b\rthree/");
    terminal.press(ENTER);
    terminal.expect("[ Prompt: ");
    terminal.expect_prompt();
    leave(terminal);
    assert_eq!(person.messages(), ["one\ntwo\nthree"]);
}

#[test]
fn in_multiline_mode_enter_goes_on() {
    let person = Person::new();
    let mut terminal = person.recorded_chat(&["-mli"]);
    terminal.expect_prompt();
    terminal.say("one");
    terminal.say("two\\");
    terminal.expect("[ Prompt: ");
    terminal.expect_prompt();
    terminal.say("/exit");
    assert_eq!(terminal.end().0, 0);
    assert_eq!(person.messages(), ["one\ntwo"]);
}

#[test]
fn tab_completes_commands_and_files() {
    let person = Person::new();
    std::fs::write(person.file("my notes.txt"), "Remember the milk.").unwrap();
    let mut terminal = person.recorded_chat(&[]);
    terminal.expect_prompt();
    terminal.press("/rea");
    terminal.press(TAB);
    terminal.press("~/my");
    terminal.press(TAB);
    terminal.expect("notes.txt");
    terminal.press(ENTER);
    terminal.expect("goes with the next message");
    terminal.expect_prompt();
    terminal.say("Hello!");
    terminal.expect("[ Prompt: ");
    terminal.expect_prompt();
    leave(terminal);
    assert!(person.read("said").contains("User: Added text file: "), "{}", person.read("said"));
}

#[test]
fn what_was_typed_is_there_in_the_next_conversation() {
    let person = Person::new();
    let mut terminal = person.chat(&[]);
    terminal.expect_prompt();
    terminal.say(FRANCE);
    terminal.expect(PARIS);
    terminal.expect_prompt();
    leave(terminal);
    let mut terminal = person.recorded_chat(&[]);
    terminal.expect_prompt();
    terminal.press(UP);
    terminal.expect("France?");
    terminal.press(ENTER);
    terminal.expect(PARIS);
    terminal.expect_prompt();
    leave(terminal);
    assert_eq!(person.messages(), [FRANCE]);
    let history = person.file(".local/state/llama-rs/history");
    assert!(std::fs::read_to_string(&history).unwrap().contains(FRANCE));
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&history).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn without_a_history_nothing_is_kept() {
    let person = Person::new();
    let mut terminal = person.chat(&["--no-history"]);
    terminal.expect_prompt();
    terminal.say("/help");
    terminal.expect("/regen");
    terminal.expect_prompt();
    leave(terminal);
    assert!(!std::path::Path::new(&person.file(".local")).exists());
}

#[test]
fn a_history_that_cannot_be_written_is_a_note() {
    let person = Person::new();
    std::fs::write(person.file(".local"), "in the way").unwrap();
    let mut terminal = person.chat(&[]);
    terminal.expect_prompt();
    terminal.say(FRANCE);
    terminal.expect("is not kept for the next time");
    terminal.expect(PARIS);
    terminal.expect_prompt();
    leave(terminal);
}

#[test]
fn the_size_may_change_while_one_types_and_while_it_answers() {
    let person = Person::new();
    let mut terminal = person.recorded_chat(&[]);
    terminal.expect_prompt();
    let (first, rest) = FRANCE.split_at(12);
    terminal.press(first);
    terminal.expect("What");
    terminal.resize(10, 5);
    terminal.expect("\x1b[?25h");
    terminal.say(rest);
    terminal.resize(100, 30);
    terminal.expect(PARIS);
    terminal.resize(20, 10);
    terminal.expect_prompt();
    leave(terminal);
    assert_eq!(person.messages(), [FRANCE]);
}

/// A session whose model is not there before somebody writes to the pipe: it is taken up while it is loaded.
fn slow_session(person: &Person) -> (String, PathBuf) {
    let session = person.file("session.json");
    let mut terminal = person.chat(&["--session", &session]);
    terminal.expect_prompt();
    terminal.say("My name is Gwendolyn.");
    terminal.expect("[ Prompt: ");
    terminal.expect_prompt();
    leave(terminal);
    let state = PathBuf::from(format!("{session}.kv"));
    // It is only there if it could be saved.
    let _ = std::fs::remove_file(&state);
    fifo(&state);
    (session, state)
}

#[test]
fn the_prompt_does_not_wait_for_the_model_and_a_message_does() {
    let person = Person::new();
    let (session, state) = slow_session(&person);
    let mut terminal = person.chat(&["--session", &session]);
    terminal.expect("1 turn(s) were restored");
    terminal.expect_prompt();
    terminal.say("What is my name?");
    terminal.expect("Loading the model");
    // The program reads this, and it is no state of a model.
    std::fs::write(&state, "nothing of use").unwrap();
    terminal.expect("The KV state was not restored: ");
    terminal.expect("Your name is Gwendolyn.");
    terminal.expect_prompt();
    std::fs::remove_file(&state).unwrap();
    leave(terminal);
}

#[test]
fn ctrl_c_while_a_message_waits_for_the_model_leaves() {
    let person = Person::new();
    let (session, _) = slow_session(&person);
    let before = std::fs::read(&session).unwrap();
    let mut terminal = person.chat(&["--session", &session]);
    terminal.expect_prompt();
    terminal.say("Hello!");
    terminal.expect("Loading the model");
    terminal.signal(Signal::SIGINT);
    let (code, printed) = terminal.end();
    assert_eq!(code, 130, "{printed:?}");
    assert_eq!(std::fs::read(&session).unwrap(), before);
}

#[test]
fn one_can_leave_while_the_model_is_loaded() {
    let person = Person::new();
    let (session, _) = slow_session(&person);
    let mut terminal = person.chat(&["--session", &session]);
    terminal.expect_prompt();
    leave(terminal);
}

#[test]
fn a_model_that_cannot_be_loaded_ends_the_conversation_with_the_reason() {
    let person = Person::new();
    let model = person.file("model.gguf");
    std::fs::write(&model, "no model").unwrap();
    for path in [model.as_str(), "/no/such/model.gguf"] {
        let (code, printed) = person.chat(&["-m", path]).end();
        assert_eq!(code, 1, "{printed:?}");
        assert!(printed.contains("error: ") && printed.contains(path), "{printed:?}");
    }
}

#[test]
fn a_model_that_fails_while_one_types_leaves_the_terminal_as_it_was() {
    let person = Person::new();
    let adapter = person.file("lora.gguf");
    std::fs::write(&adapter, "no adapter").unwrap();
    let model = fixtures::tiny_llama().to_str().unwrap();
    // Adapters come after the model, so the prompt is usually there first.
    let (code, printed) = person.chat(&["-m", model, "--lora", &adapter]).end();
    assert_eq!(code, 1, "{printed:?}");
    assert!(printed.contains("error: ") && printed.contains("lora.gguf"), "{printed:?}");
    assert_eq!(printed.matches("\x1b[?2004h").count(), printed.matches("\x1b[?2004l").count());
}

#[test]
fn markdown_is_rendered_and_can_be_turned_off() {
    let person = Person::new();
    let model = fixtures::tiny_llama().to_str().unwrap();
    let grammar = r###"/set grammar root ::= "# Top\n**bold** and `code`\n- item\n```\nlet x;\n```""###;
    for (args, expected) in [
        (&[][..], "\x1b[0;1;4mTop\x1b[0m\r\n\x1b[0;1mbold\x1b[0m and \x1b[0;36mcode\x1b[0m\r\n"),
        (&["--no-markdown"], "# Top\r\n**bold** and `code`\r\n- item\r\n"),
    ] {
        let mut terminal = person.chat(&[&["-m", model], args].concat());
        terminal.expect_prompt();
        terminal.say(grammar);
        terminal.expect_prompt();
        terminal.say("Go.");
        terminal.expect(expected);
        terminal.expect("let x;");
        terminal.expect_prompt();
        leave(terminal);
    }
}

#[test]
fn what_the_model_writes_cannot_command_the_terminal() {
    let person = Person::new();
    let model = fixtures::tiny_llama().to_str().unwrap();
    for args in [&[][..], &["--no-markdown"], &["--simple-io"]] {
        let mut terminal = person.chat(&[&["-m", model, "--no-history"], args].concat());
        terminal.expect("> ");
        terminal.say(r#"/set grammar root ::= "a\x1b]0;title\x07b""#);
        terminal.expect(" ]\r\n");
        terminal.say("Go.");
        terminal.expect("a\u{241b}]0;title\u{2407}b");
        terminal.expect("[ Prompt: ");
        terminal.expect("> ");
        terminal.press(CTRL_C);
        terminal.expect("press Ctrl+C again");
        terminal.press(CTRL_C);
        assert_eq!(terminal.end().0, 0);
    }
}

#[test]
fn thoughts_are_shown_dim_and_apart() {
    let template = "{% for m in messages %}<|im_start|>{{ m.role }}\n\
        {% if m.reasoning_content %}<think>\n{{ m.reasoning_content }}\n</think>\n\n{% endif %}{{ m.content }}<|im_end|>\n\
        {% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n\
        {% if enable_thinking is defined and not enable_thinking %}\n</think>\n\n{% endif %}{% endif %}";
    let folder = TempModels::new().unwrap();
    let model = Llama { chat_template: Some(template.into()), ..Llama::tiny() };
    let model = folder.write("thinker.gguf", &model.file()).unwrap();
    let person = Person::new();
    let mut terminal = person.chat(&["-m", model.to_str().unwrap(), "-n", "8"]);
    terminal.expect_prompt();
    terminal.say("Go.");
    terminal.expect("\x1b[2m[ thinking ]\r\n");
    terminal.expect("[ end of thinking ]\x1b[0m\r\n");
    terminal.expect("only thought so far");
    terminal.expect_prompt();
    leave(terminal);
}

#[test]
fn a_single_turn_ends_after_its_answer() {
    let person = Person::new();
    let (code, printed) = person.chat(&["-st", "-p", FRANCE]).end();
    assert_eq!(code, 0);
    assert!(printed.contains(&format!("> {FRANCE}")) && printed.contains(PARIS), "{printed:?}");
}

#[test]
fn no_color_has_no_colours() {
    let person = Person::new().with("NO_COLOR", "1");
    let mut terminal = person.chat(&["-p", FRANCE]);
    terminal.expect(PARIS);
    terminal.expect_prompt();
    let printed = leave(terminal);
    let codes = printed.split("\x1b[").skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| c.is_ascii_alphabetic())?;
        rest[end..].starts_with('m').then(|| rest[..end].to_owned())
    });
    let colours: Vec<String> = codes.filter(|code| !matches!(code.as_str(), "" | "0")).collect();
    assert!(colours.is_empty(), "{colours:?} in {printed:?}");
}

#[test]
fn a_dumb_terminal_gets_plain_lines() {
    let person = Person::new().with("TERM", "dumb");
    let mut terminal = person.chat(&[]);
    terminal.expect("> ");
    terminal.press(&format!("{FRANCE}\n"));
    terminal.expect(PARIS);
    terminal.expect("> ");
    terminal.press(CTRL_C);
    terminal.expect("press Ctrl+C again");
    terminal.press(CTRL_C);
    let (code, printed) = terminal.end();
    assert_eq!(code, 0);
    assert!(!printed.contains('\x1b'), "{printed:?}");
}

#[test]
fn a_signal_that_ends_the_program_leaves_the_terminal_as_it_was() {
    let person = Person::new();
    let mut terminal = person.chat(&[]);
    terminal.expect_prompt();
    terminal.press("half a line");
    terminal.expect("line");
    terminal.signal(Signal::SIGTERM);
    let (code, printed) = terminal.end();
    assert_eq!(code, 0, "{printed:?}");
    assert!(printed.contains("\x1b[?2004l"), "{printed:?}");
}
