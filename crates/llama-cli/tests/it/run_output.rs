//! What `llama-cli run` prints: text, JSON, and what only a terminal gets.

use std::io::Read;
#[cfg(unix)]
use std::io::{BufRead, BufReader};
#[cfg(unix)]
use std::process::Stdio;

use llama_testkit::fixtures::{self, TempModels};
use llama_testkit::golden;
use llama_testkit::models::Llama;
use serde_json::{Value, json};

use crate::program::{command, llama, start};

const QUESTION: &str = "What is the capital of France?";
const ANSWER: &str = "The capital of France is Paris.";

fn asked(args: &[&str]) -> String {
    llama(&[&["run", "-p", QUESTION, "--temp", "0"][..], args].concat()).success()
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn the_json_has_text_message_reason_usage_and_timings() {
    let answer = parsed(&asked(&["--json"]));
    let keys: Vec<&String> = answer.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["text", "message", "finish_reason", "usage", "timings"]);
    assert_eq!(answer["text"], ANSWER);
    assert_eq!(answer["message"], json!({"role": "assistant", "content": ANSWER}));
    assert_eq!(answer["finish_reason"], "stop");
    let usage = &answer["usage"];
    assert_eq!(usage["prompt_tokens"], golden::demo().entry("capital").unwrap().prompt_tokens.len());
    assert_eq!(usage["total_tokens"], json!(usage["prompt_tokens"].as_u64().unwrap() + 12));
    for name in ["prompt_ms", "generation_ms", "prompt_per_second", "generation_per_second", "total_ms"] {
        assert!(answer["timings"][name].as_f64().unwrap() > 0.0, "{name}");
    }
}

#[test]
fn the_json_says_how_an_answer_ended() {
    let stopped = parsed(&asked(&["--json", "--stop", " of"]));
    assert_eq!((&stopped["text"], &stopped["stop_string"]), (&json!("The capital"), &json!(" of")));
    assert_eq!(stopped["finish_reason"], "stop");
    let cut = parsed(&asked(&["--json", "-n", "1"]));
    assert_eq!((&cut["text"], &cut["finish_reason"]), (&json!("The"), &json!("length")));
    assert_eq!(cut["timings"]["generation_per_second"], Value::Null, "no token came after the first");
    let model = fixtures::tiny_llama().to_str().unwrap();
    let ended = llama(&["run", "-m", model, "--raw", "-p", "Once", "--temp", "0", "--json"]);
    assert!(ended.stderr.contains("context of 256 tokens is full"), "{}", ended.stderr);
    let full = parsed(&ended.success());
    assert_eq!((&full["finish_reason"], &full["context_full"]), (&json!("length"), &json!(true)));
}

#[test]
fn log_probabilities_are_those_of_the_tokens_of_the_answer() {
    let answer = parsed(&asked(&["--logprobs", "3"]));
    let tokens = answer["logprobs"]["content"].as_array().unwrap();
    let golden = golden::demo();
    let expected = &golden.entry("capital").unwrap().tokens;
    let mut bytes = Vec::new();
    for (token, id) in tokens.iter().zip(expected) {
        assert_eq!(token["id"], *id);
        let own: Vec<u8> = token["bytes"].as_array().unwrap().iter().map(|b| b.as_u64().unwrap() as u8).collect();
        assert_eq!(token["token"], String::from_utf8_lossy(&own).into_owned());
        bytes.extend(own);
        let top = token["top_logprobs"].as_array().unwrap();
        assert_eq!(top.len(), 3);
        assert_eq!(top[0]["id"], *id, "greedy takes the likeliest");
        assert_eq!(top[0]["logprob"], token["logprob"]);
        let likelihoods: Vec<f64> = top.iter().map(|one| one["logprob"].as_f64().unwrap()).collect();
        assert!(likelihoods.is_sorted_by(|a, b| a >= b) && likelihoods[0] <= 0.0, "{likelihoods:?}");
    }
    assert!(String::from_utf8(bytes).unwrap().starts_with(ANSWER));
    assert_eq!(parsed(&asked(&["--logprobs", "0"]))["logprobs"]["content"][0]["top_logprobs"], json!([]));
    assert!(asked(&["--json"]).find("logprobs").is_none());
}

#[test]
fn lines_of_json_put_together_are_the_answer() {
    let text = asked(&["--jsonl", "--logprobs", "0"]);
    let lines: Vec<Value> = text.lines().map(parsed).collect();
    let (last, pieces) = lines.split_last().unwrap();
    assert!(pieces.len() > 1 && pieces.iter().all(|piece| piece["type"] == "text" && piece["index"] == 0), "{text}");
    let joined: String = pieces.iter().map(|piece| piece["text"].as_str().unwrap()).collect();
    assert_eq!((joined.as_str(), &last["text"]), (ANSWER, &json!(ANSWER)));
    assert_eq!((&last["type"], &last["finish_reason"]), (&json!("finished"), &json!("stop")));
    assert!(text.lines().next_back().unwrap().starts_with(r#"{"type":"finished""#));
    assert!(pieces[0]["logprobs"]["content"][0]["logprob"].is_number());
}

#[test]
fn several_answers_are_written_and_need_json() {
    let model = fixtures::tiny_llama().to_str().unwrap();
    let run = ["run", "-m", model, "--raw", "-p", "Once", "-n", "6", "--temp", "1", "--seed", "3", "--choices", "3"];
    let error = llama(&run).failure();
    let expected = "error: --choices 3: several answers cannot be told apart as text; add --json or --jsonl\n";
    assert_eq!(error, expected);
    let answer = parsed(&llama(&[&run[..], &["--json"]].concat()).success());
    let choices = answer["choices"].as_array().unwrap();
    let texts: std::collections::BTreeSet<&str> = choices.iter().map(|one| one["text"].as_str().unwrap()).collect();
    assert_eq!((choices.len(), texts.len()), (3, 3), "three different ones: {texts:?}");
    assert_eq!(answer["usage"]["completion_tokens"], 18);
    let lines = llama(&[&run[..], &["--jsonl"]].concat()).success();
    let ended = lines.lines().map(parsed).filter(|line| line["type"] == "choice_finished").count();
    assert_eq!(ended, 2, "the last one ends with the answer");
    assert!(llama(&["run", "-p", "x", "--choices", "0"]).failure().contains("1..=16"));
}

/// Its answer begins inside of a thought.
const THINKING: &str = "{% for m in messages %}<|im_start|>{{ m.role }}\n\
    {% if m.reasoning_content %}<think>\n{{ m.reasoning_content }}\n</think>\n\n{% endif %}{{ m.content }}<|im_end|>\n\
    {% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n\
    {% if enable_thinking is defined and not enable_thinking %}\n</think>\n\n{% endif %}{% endif %}";

#[test]
fn thoughts_are_in_the_json() {
    let folder = TempModels::new().unwrap();
    let model = Llama { chat_template: Some(THINKING.into()), ..Llama::tiny() };
    let path = folder.write("thinking.gguf", &model.file()).unwrap();
    let run = ["run", "-m", path.to_str().unwrap(), "-p", "Hi", "-n", "8", "--temp", "0"];
    let answer = parsed(&llama(&[&run[..], &["--json"]].concat()).success());
    let thought = answer["message"]["reasoning_content"].as_str().unwrap();
    assert_eq!((&answer["message"]["content"], &answer["text"]), (&json!(""), &json!("")));
    assert!(answer["raw_text"].as_str().unwrap().contains(thought.trim()));
    let lines = llama(&[&run[..], &["--jsonl"]].concat()).success();
    let pieces = lines.lines().map(parsed).filter(|line| line["type"] == "reasoning");
    let joined: String = pieces.map(|piece| piece["text"].as_str().unwrap().to_owned()).collect();
    assert!(!joined.is_empty() && joined.trim() == thought.trim(), "{joined:?} {thought:?}");
}

#[test]
fn the_echo_is_in_the_json_where_it_is_asked_for() {
    assert!(parsed(&asked(&["--json"])).get("prompt").is_none());
    let prompt = parsed(&asked(&["--json", "--echo"]))["prompt"].clone();
    assert_eq!(prompt, golden::demo().entry("capital").unwrap().prompt);
}

#[test]
fn the_speed_is_told_on_stderr_where_it_is_asked_for() {
    let ended = llama(&["run", "-p", QUESTION, "--temp", "0", "--show-timings"]);
    assert!(ended.stderr.contains("[ Prompt: ") && ended.stderr.contains(" t/s ]"), "{}", ended.stderr);
    assert_eq!(ended.success(), ANSWER);
}

#[test]
fn flags_of_one_answer_are_refused_in_a_job() {
    for (flag, rest) in [("--json", &["--json"][..]), ("--logprobs", &["--logprobs", "1"]), ("--echo", &["--echo"])] {
        let error = llama(&[&["run", "--prompt-file", "x.jsonl"][..], rest].concat()).failure();
        let expected =
            format!("error: {flag} is for a single prompt; leave it out, as the records of --prompt-file are JSON\n");
        assert_eq!(error, expected);
    }
}

fn long_answer() -> std::process::Command {
    let model = fixtures::tiny_llama().to_str().unwrap();
    command(&["run", "-m", model, "--raw", "-p", "Once", "-c", "262144", "--temp", "0", "--jsonl"])
}

#[test]
#[cfg(unix)]
fn ctrl_c_ends_lines_of_json_with_the_whole_object() {
    let mut child = start(&mut long_answer());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(parsed(&lines.next().unwrap().unwrap())["type"], "text");
    let pressed = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(pressed.success());
    let last = parsed(&lines.last().unwrap().unwrap());
    assert_eq!((&last["type"], &last["finish_reason"]), (&json!("finished"), &json!("cancelled")));
    assert!(!last["text"].as_str().unwrap().is_empty());
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn a_reader_that_has_seen_enough_of_the_json_is_a_success() {
    let mut child = start(&mut long_answer());
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0]).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()), (Some(0), ""));
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_an_error_that_says_what_was_not_written() {
    for form in ["--json", "--jsonl", "--echo"] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let output = command(&["run", "-p", "Hello", "-n", "2", form]).stdout(full).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1));
        let expected = "error: cannot write to stdout: No space left on device (os error 28)\n";
        assert!(error.ends_with(expected), "{error}");
    }
}

/// What a terminal shows of a run.
#[cfg(unix)]
fn on_a_terminal(args: &[&str]) -> String {
    use expectrl::Expect;

    let mut command = command(args);
    command.stdin(Stdio::inherit()).stdout(Stdio::inherit()).stderr(Stdio::inherit());
    let mut session = expectrl::Session::spawn(command).unwrap();
    session.set_expect_timeout(Some(std::time::Duration::from_secs(60)));
    let seen = session.expect(expectrl::Eof).unwrap();
    String::from_utf8(seen.as_bytes().to_vec()).unwrap()
}

#[test]
#[cfg(unix)]
fn a_terminal_gets_a_line_end_and_is_not_commanded() {
    let text = on_a_terminal(&["run", "-p", QUESTION, "--temp", "0"]);
    assert!(text.ends_with(&format!("{ANSWER}\r\n")), "{text:?}");
    let model = fixtures::tiny_llama().to_str().unwrap();
    let run = ["run", "-m", model, "--raw", "--no-escape", "-n", "1", "--echo", "-p", "a\x1b[2Jb"];
    let text = on_a_terminal(&run);
    assert!(text.contains("a^[[2Jb") && !text.contains("\x1b[2J"), "{text:?}");
    assert!(llama(&run).success().starts_with("a\x1b[2Jb"), "a file gets it as it is");
    let run = ["run", "-p", "Hi", "--grammar", r#"root ::= "x\x1B[31my""#];
    let text = on_a_terminal(&run);
    assert!(text.ends_with("x^[[31my\r\n"), "{text:?}");
    assert_eq!(llama(&run).success(), "x\x1b[31my");
}

#[test]
fn a_file_of_the_prompt_spares_its_computation_and_changes_no_answer() {
    let folder = TempModels::new().unwrap();
    let path = folder.path().join("prompt.cache");
    let name = path.to_str().unwrap();
    let question = "Repeat after me: the blue zebra has 42 lamps and the red zebra has 17 of them";
    let run = |args: &[&str]| {
        parsed(&llama(&[&["run", "-p", question, "--temp", "0", "--json"][..], args].concat()).success())
    };
    let cached = |answer: &Value| answer["usage"]["cached_tokens"].as_u64().unwrap();
    let plain = run(&[]);
    run(&["--prompt-cache", name, "--prompt-cache-ro"]);
    assert!(!path.exists(), "nothing is written");
    let made = run(&["--prompt-cache", name]);
    let size = std::fs::metadata(&path).unwrap().len();
    let again = run(&["--prompt-cache", name, "--prompt-cache-ro"]);
    assert_eq!((cached(&plain), cached(&made)), (0, 0));
    let prompt = again["usage"]["prompt_tokens"].as_u64().unwrap();
    assert!(cached(&again) > prompt / 2, "{} of {prompt}", cached(&again));
    for answer in [&made, &again] {
        assert_eq!(answer["text"], plain["text"]);
    }
    run(&["--prompt-cache", name, "--prompt-cache-all"]);
    assert!(std::fs::metadata(&path).unwrap().len() > size, "the answer is kept too");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "and no draft is left");
    // An empty file is one that is not there yet.
    std::fs::write(&path, b"").unwrap();
    assert_eq!(cached(&run(&["--prompt-cache", name])), 0);
    assert!(std::fs::metadata(&path).unwrap().len() > 0);
}
