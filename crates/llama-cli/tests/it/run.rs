//! `llama-cli run`, and the form without a command.

use std::io::Read;
use std::process::Stdio;

use llama_testkit::fixtures::{self, TempModels};
use llama_testkit::golden::{self, Entry};
use llama_testkit::models::Llama;

use crate::program::{command, ended, llama, llama_with_stdin, start};

fn golden_entry(name: &str) -> Entry {
    golden::demo().entry(name).unwrap().clone()
}

fn question(entry: &Entry) -> &str {
    &entry.messages.last().unwrap().content
}

#[test]
fn golden_questions_get_their_golden_answers_and_nothing_else_on_stdout() {
    for name in ["hello", "capital", "sum", "list", "unicode", "kv-cache"] {
        let entry = golden_entry(name);
        let ended = llama(&["run", "-p", question(&entry), "--temp", "0"]);
        assert!(ended.stderr.contains("demo model") && ended.stderr.contains("-m FILE"), "{}", ended.stderr);
        assert_eq!(ended.success(), entry.text, "{name}");
    }
}

#[test]
fn raw_prompts_are_continued_as_they_are_up_to_the_limit() {
    let entry = golden_entry("raw-forest");
    let n = entry.n_predict.to_string();
    let text = llama(&["run", "--raw", "--prompt", &entry.prompt, "--temp", "0", "--max-tokens", &n]).success();
    assert_eq!(text, entry.text);
    let text = llama(&["run", "--raw", "-p", &entry.prompt, "--temp", "0", "--n_predict", &n]).success();
    assert_eq!(text, entry.text);
}

#[test]
fn the_prompt_may_come_from_a_file_or_stdin_with_a_line_end() {
    let entry = golden_entry("capital");
    let folder = TempModels::new().unwrap();
    let file = folder.write_bytes("prompt.txt", format!("{}\n", question(&entry)).as_bytes()).unwrap();
    assert_eq!(llama(&["run", "-f", file.to_str().unwrap(), "--temp", "0"]).success(), entry.text);
    let line = format!("{}\r\n", question(&entry));
    assert_eq!(llama_with_stdin(&["run", "--temp", "0"], &line).success(), entry.text);
    assert_eq!(llama_with_stdin(&["run", "-f", "-", "--temp", "0"], &line).success(), entry.text);
}

#[test]
fn the_system_prompt_is_heard() {
    let entry = golden_entry("name");
    let system = &entry.messages[0].content;
    assert_eq!(llama(&["run", "-sys", system, "-p", question(&entry), "--temp", "0"]).success(), entry.text);
}

#[test]
fn a_seed_repeats_its_answer() {
    let model = fixtures::tiny_llama().to_str().unwrap();
    let ask =
        |seed: &str| llama(&["run", "-m", model, "--raw", "-p", "Once", "-n", "24", "--temp", "1", "--seed", seed]);
    let first = ask("7").success();
    assert_eq!(ask("7").success(), first);
    assert_ne!(ask("8").success(), first);
}

#[test]
fn a_model_without_a_template_is_run_raw_and_says_so() {
    let model = fixtures::tiny_llama().to_str().unwrap();
    let noted = llama(&["run", "-m", model, "-p", "Once", "-n", "8", "--temp", "0"]);
    assert!(noted.stderr.contains("no chat template") && noted.stderr.contains("--raw"), "{}", noted.stderr);
    let raw = llama(&["run", "-m", model, "-p", "Once", "-n", "8", "--temp", "0", "--raw"]);
    assert_eq!(raw.stderr, "");
    assert_eq!(raw.success(), noted.success());
}

/// Its answer begins inside of a thought, which a model without sense never ends.
const THINKING: &str = "{% for m in messages %}<|im_start|>{{ m.role }}\n\
    {% if m.reasoning_content %}<think>\n{{ m.reasoning_content }}\n</think>\n\n{% endif %}{{ m.content }}<|im_end|>\n\
    {% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n\
    {% if enable_thinking is defined and not enable_thinking %}\n</think>\n\n{% endif %}{% endif %}";

#[test]
fn thoughts_are_no_part_of_the_answer() {
    let folder = TempModels::new().unwrap();
    let model = Llama { chat_template: Some(THINKING.into()), ..Llama::tiny() };
    let path = folder.write("thinking.gguf", &model.file()).unwrap();
    let path = path.to_str().unwrap();
    let run = ["run", "-m", path, "-p", "Hi", "-n", "8", "--temp", "0"];
    let ended = llama(&run);
    assert!(ended.stderr.contains("only thought"), "{}", ended.stderr);
    assert_eq!(ended.success(), "");
    let raw = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n<think>\n";
    let ended = llama(&["run", "-m", path, "--raw", "-p", raw, "-n", "8", "--temp", "0"]);
    assert_eq!(ended.stderr, "");
    assert_ne!(ended.success(), "", "as it is, with what it thinks");
}

#[test]
fn an_answer_that_fills_the_context_is_a_success_that_says_so() {
    let model = fixtures::tiny_llama().to_str().unwrap();
    let ended = llama(&["run", "-m", model, "--raw", "-p", "Once", "--temp", "0", "-n", "-1"]);
    assert!(ended.stderr.contains("context of 256 tokens is full") && ended.stderr.contains("-c"), "{}", ended.stderr);
    assert!(!ended.success().is_empty());
}

#[test]
fn an_empty_prompt_is_an_error_that_says_what_to_do() {
    for ended in [llama_with_stdin(&["run"], ""), llama_with_stdin(&["run"], "\n"), llama(&["run", "-p", ""])] {
        let error = ended.failure();
        assert!(error.contains("empty") && error.contains("-p"), "{error}");
    }
}

#[test]
fn bad_files_are_errors_with_the_path() {
    let folder = TempModels::new().unwrap();
    let text = folder.write_bytes("notes.gguf", b"these are notes").unwrap();
    let missing = folder.path().join("missing.gguf");
    for path in [text.as_path(), missing.as_path(), folder.path()] {
        let path = path.to_str().unwrap();
        let error = llama(&["run", "-m", path, "-p", "x"]).failure();
        assert!(error.starts_with("error: ") && error.contains(path), "{error}");
        let error = llama(&["tokenize", "-m", path, "x"]).failure();
        assert!(error.starts_with("error: ") && error.contains(path), "{error}");
    }
    let error = llama(&["run", "-f", missing.to_str().unwrap()]).failure();
    assert!(error.contains("missing.gguf") && error.contains("caused by"), "{error}");
}

#[test]
fn a_prompt_that_cannot_fit_and_a_bad_value_are_errors() {
    let model = fixtures::tiny_llama().to_str().unwrap();
    let error = llama_with_stdin(&["run", "-m", model, "--raw"], "Once ".repeat(500)).failure();
    assert!(error.contains("tokens") && error.contains("255"), "{error}");
    let error = llama(&["run", "-m", model, "--raw", "-p", "x", "--top-p", "7"]).failure();
    assert!(error.contains("--top-p"), "{error}");
    let error = llama_with_stdin(&["run"], b"\xff").failure();
    assert!(error.contains("UTF-8"), "{error}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_an_error() {
    for args in [&["--version"][..], &["--help"], &["devices"], &["run", "-p", "Hello", "-n", "2"]] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let result = ended(command(args).stdout(full).output().unwrap());
        assert_eq!(result.code, Some(1), "{args:?}");
        assert!(result.stderr.contains("No space left"), "{args:?}: {}", result.stderr);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_prompt_without_end_is_an_error() {
    let endless = std::fs::File::open("/dev/zero").unwrap();
    let result = ended(command(&["run"]).stdin(endless).output().unwrap());
    assert!(result.failure().contains("stdin is longer than 64 MiB"));
    assert!(llama(&["run", "-f", "/dev/zero"]).failure().contains("/dev/zero is longer than 64 MiB"));
}

#[test]
fn a_closed_pipe_is_a_success() {
    let model = fixtures::tiny_llama().to_str().unwrap();
    let mut child = start(&mut command(&["run", "-m", model, "--raw", "-p", "Once", "-c", "65536", "--temp", "0"]));
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0]).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
fn a_closed_stderr_is_no_trouble() {
    let entry = golden_entry("capital");
    let mut child = start(command(&["run", "-p", question(&entry), "--temp", "0"]).stderr(Stdio::piped()));
    drop(child.stderr.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), entry.text);
}
