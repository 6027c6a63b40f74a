//! Where the prompt of `llama-cli run` comes from, and what is done with it.

use std::fs;

use llama_testkit::fixtures::{self, TempModels};
use llama_testkit::models::Llama;

use crate::program::{Ended, llama, llama_with_stdin};

const QUESTION: &str = "What is the capital of France?";
const ANSWER: &str = "The capital of France is Paris.";

/// What the demo model copies, so that a test sees the prompt in the answer.
fn repeated(args: &[&str]) -> String {
    llama(&[&["run", "--temp", "0"][..], args].concat()).success()
}

fn tiny(args: &[&str]) -> Ended {
    let model = fixtures::tiny_llama().to_str().unwrap();
    llama(&[&["run", "-m", model, "--raw", "--temp", "0", "-n", "4"][..], args].concat())
}

#[test]
fn the_prompt_may_stand_without_a_flag() {
    assert_eq!(repeated(&[QUESTION]), ANSWER);
    let error = llama(&["run", QUESTION, "-p", QUESTION]).failure();
    assert!(error.contains("cannot be used with"), "{error}");
    assert_eq!(repeated(&["-p", "Hello!", "-p", QUESTION]), ANSWER, "the last one counts, as upstream has it");
}

#[test]
fn stdin_counts_only_where_there_is_no_prompt() {
    let run = ["run", "--temp", "0"];
    assert_eq!(llama_with_stdin(&run, QUESTION).success(), ANSWER);
    assert_eq!(llama_with_stdin(&[&run[..], &["-p", QUESTION]].concat(), "Hello!").success(), ANSWER);
}

#[test]
fn escapes_are_understood_on_the_command_line_only() {
    let shown = |args: &[&str]| tiny(&[args, &["--echo"]].concat()).success();
    assert!(shown(&["-p", r#"a\tb\n\x41\\n\"\q"#]).starts_with("a\tb\nA\\n\"\\q"));
    assert!(shown(&["-p", r"a\nb", "-e"]).starts_with("a\nb"));
    assert!(shown(&[r"a\nb"]).starts_with("a\nb"));
    assert!(shown(&["-p", r"a\nb", "--no-escape"]).starts_with(r"a\nb"));
    assert!(shown(&["-p", r"a\nb", "--no-escape", "--escape"]).starts_with("a\nb"));
    let folder = TempModels::new().unwrap();
    let file = folder.write_bytes("prompt.txt", br"a\nb").unwrap();
    assert!(shown(&["-f", file.to_str().unwrap(), "-e"]).starts_with(r"a\nb"));
    assert!(shown(&["-bf", file.to_str().unwrap()]).starts_with(r"a\nb"));
}

#[test]
fn escapes_that_make_no_text_are_an_error_with_the_flag() {
    let expected = "error: -p: the escapes make bytes that are not valid UTF-8 (first bad byte at offset 2); correct \
                    them, or take the text as it is with --no-escape\n";
    assert_eq!(llama(&["run", "-p", r"ab\xff"]).failure(), expected);
    let error = llama(&["run", "-p", "a", "--stop", r"\xc3"]).failure();
    assert!(
        error.starts_with(r"error: -r/--stop is \xc3, whose escapes make bytes that are not valid UTF-8"),
        "{error}"
    );
}

#[test]
fn a_binary_file_is_taken_with_every_byte() {
    let folder = TempModels::new().unwrap();
    let file = folder.write_bytes("prompt.bin", b"a\0b\r\n\n").unwrap();
    let file = file.to_str().unwrap();
    assert!(tiny(&["-bf", file, "--echo"]).success().starts_with("a\0b\r\n\n"));
    assert!(tiny(&["--binary-file", file, "--echo"]).success().starts_with("a\0b\r\n\n"));
    let text = tiny(&["-f", file, "--echo"]).success();
    assert!(text.starts_with("a\0b\r\n") && !text.starts_with("a\0b\r\n\n"), "one line end less: {text:?}");
    let bad = folder.write_bytes("bad.bin", b"abc\xff").unwrap();
    let expected =
        format!("error: {} is not valid UTF-8 (first bad byte at offset 3); convert it to UTF-8\n", bad.display());
    assert_eq!(llama(&["run", "-bf", bad.to_str().unwrap()]).failure(), expected);
}

#[test]
fn the_echo_is_the_prompt_as_the_model_gets_it() {
    let text = repeated(&["-p", QUESTION, "--echo"]);
    assert_eq!(text, format!("<|im_start|>user\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n{ANSWER}"));
    let text = repeated(&["-p", QUESTION, "-sys", "Be kind.", "--display-prompt"]);
    assert!(text.starts_with("<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\n"), "{text}");
    assert_eq!(repeated(&["-p", QUESTION, "--echo", "--no-display-prompt"]), ANSWER);
    assert_eq!(tiny(&["-p", "Once", "--echo"]).success(), format!("Once{}", tiny(&["-p", "Once"]).success()));
}

#[test]
fn the_tokens_of_the_prompt_are_shown_on_stderr() {
    let ended = tiny(&["-p", "Hi", "--verbose-prompt"]);
    assert!(ended.stderr.starts_with("prompt: \"Hi\"\ntokens of the prompt: "), "{}", ended.stderr);
    assert!(ended.stderr.lines().skip(2).all(|line| line.contains(" -> \"")), "{}", ended.stderr);
    assert_eq!(ended.success(), tiny(&["-p", "Hi"]).success());
}

#[test]
fn a_system_prompt_may_come_from_a_file() {
    let folder = TempModels::new().unwrap();
    let file = folder.write_bytes("system.txt", b"Answer in one word.\n").unwrap();
    let file = file.to_str().unwrap();
    for flag in ["-sysf", "--system-prompt-file"] {
        assert_eq!(repeated(&["-p", "What is the capital of Japan?", flag, file]), "Tokyo");
    }
    let error = llama(&["run", "-p", "x", "-sysf", "-"]).failure();
    assert!(
        error.ends_with("--system-prompt-file is -, but stdin is for the prompt; give the name of a file\n"),
        "{error}"
    );
}

#[test]
fn the_system_prompt_and_the_stop_strings_are_settings_that_flags_replace() {
    let folder = TempModels::new().unwrap();
    let config = b"[chat]\nsystem = \"Be kind.\"\n[answer]\nstop = [\"tal o\"]\n";
    let config = folder.write_bytes("llama.toml", config).unwrap();
    let shown = |more: &[&str]| {
        let args = ["run", "--config", config.to_str().unwrap(), "-p", QUESTION, "--temp", "0", "-t", "1", "--echo"];
        llama(&[&args, more].concat()).success()
    };
    let (asked, told) =
        (format!("<|im_start|>user\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n"), "<|im_start|>system\n");
    let configured = shown(&[]);
    assert!(configured.starts_with(&format!("{told}Be kind.<|im_end|>\n{asked}")), "{configured}");
    assert_eq!(
        shown(&["-sys", ""]),
        format!("{asked}The capi"),
        "nothing is told, and the stop string of the file holds"
    );
    assert!(shown(&["-sys", "Be brief."]).starts_with(&format!("{told}Be brief.<|im_end|>\n")));
    assert_eq!(shown(&["-sys", "", "--stop", " France"]), format!("{asked}The capital of"));
    assert_eq!(shown(&["--raw", "-n", "2", "--stop", "zzz"]).find(told), None, "a raw prompt is as it is");
    let error = llama(&["run", "-p", "x", "--raw", "-sys", "a"]).failure();
    assert!(error.starts_with("error: -sys/--system-prompt is told to the model by its chat template"), "{error}");
}

#[test]
fn the_flags_of_upstream_for_raw_prompts_and_single_turns_work() {
    let model = fixtures::tiny_llama().to_str().unwrap();
    for flag in ["-no-cnv", "--no-conversation"] {
        let ended = llama(&["run", "-m", model, "-p", "Once", "--temp", "0", "-n", "4", flag]);
        assert_eq!(ended.stderr, "", "nothing is said about a template");
        assert_eq!(ended.success(), tiny(&["-p", "Once"]).success());
    }
    assert_eq!(repeated(&["-p", QUESTION, "-cnv", "-st"]), ANSWER);
}

#[test]
fn an_answer_ends_before_a_stop_string_also_across_tokens() {
    // The tokens are ` capital`, ` of`, ` F`, `ran`, `ce`.
    assert_eq!(repeated(&["-p", QUESTION, "--stop", "tal o"]), "The capi");
    assert_eq!(repeated(&["-p", QUESTION, "-r", "rance", "-r", "xyz"]), "The capital of F");
    assert_eq!(repeated(&["-p", QUESTION, "--reverse-prompt", "The"]), "");
    assert_eq!(repeated(&["-p", QUESTION, "--stop", r"\x46rance"]), "The capital of ");
    assert_eq!(repeated(&["-p", QUESTION, "--stop", r"\x46rance", "--no-escape"]), ANSWER);
    assert_eq!(repeated(&["-p", "List five animals.", "--stop", r"\n"]), "1. Mouse");
    let error = llama(&["run", "-p", "x", "--stop", ""]).failure();
    assert_eq!(error, "error: -r/--stop is \"\", must be texts, none of them empty\n");
}

#[test]
fn an_empty_raw_prompt_starts_from_the_beginning_of_text_or_ends_with_255() {
    let with_bos = fixtures::tiny_llama_spm().to_str().unwrap();
    let text = llama(&["run", "-m", with_bos, "--raw", "-p", "", "-n", "4", "--temp", "0"]).success();
    assert!(!text.is_empty());
    for ended in [tiny(&["-p", ""]), tiny(&[])] {
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(255), ""));
        let expected =
            "error: the prompt is empty, and this model adds no token of its own; give at least one character\n";
        assert_eq!(ended.stderr, expected);
    }
    let expected = "error: the prompt is empty; give -p TEXT or -f FILE, or pipe it in\n";
    assert_eq!(llama(&["run", "-p", ""]).failure(), expected);
}

#[test]
fn a_prompt_that_does_not_fit_is_an_error_with_numbers() {
    let error = tiny(&["-p", &"Once ".repeat(500)]);
    assert_eq!(error.code, Some(1));
    assert!(
        error.stderr.contains("tokens, and there is room for 255 with an answer of at least one"),
        "{}",
        error.stderr
    );
}

const TOOLS: &str = r#"[{"type": "function", "function": {"name": "get_weather", "description": "The weather.",
    "parameters": {"type": "object", "properties": {"city": {"enum": ["Rome"]}}, "required": ["city"]}}}]"#;

#[test]
fn tools_are_told_to_the_model() {
    let folder = TempModels::new().unwrap();
    let tools = folder.write_bytes("tools.json", TOOLS.as_bytes()).unwrap();
    let model = folder.write("tools.gguf", &Llama::tiny_tools().file()).unwrap();
    let (tools, model) = (tools.to_str().unwrap(), model.to_str().unwrap());
    let run = ["run", "-m", model, "-p", "Rome?", "--tools", tools, "--temp", "0", "-n", "4", "--echo"];
    let prompt = llama(&run).success();
    assert!(prompt.contains("<tools>\n{") && prompt.contains("\"get_weather\""), "{prompt}");
    let error = llama(&[&run[..], &["--tool-choice", "fly"]].concat()).failure();
    assert_eq!(
        error,
        "error: the chat request is not valid: tool_choice names \"fly\", which is not among the tools\n"
    );
    let error = llama(&[&run[..], &["--raw"]].concat()).failure();
    let expected =
        "error: --tools are told to the model by its chat template, which --raw leaves out; drop one of the two\n";
    assert_eq!(error, expected);
    let error = llama(&["run", "-p", "x", "--tools", tools]).failure();
    assert!(error.ends_with("error: the chat template does not support tools\n"), "{error}");
}

/// The model knows nothing of tools. With this it would rather end its answer than anything else, and rather begin a call
/// than talk, but not twice; so it is the grammar that makes it call.
fn would_rather_end(model: &str) -> Vec<String> {
    let mut flags = ["--repeat-last-n", "1", "--frequency-penalty", "30"].map(str::to_owned).to_vec();
    for (text, bias) in [("<|im_end|>", "100"), ("<tool_call>", "50"), ("\n", "40")] {
        let ids: Vec<i32> = serde_json::from_str(&llama(&["tokenize", "-m", model, text]).success()).unwrap();
        let [id] = ids[..] else { panic!("{text} is no token") };
        flags.extend(["--logit-bias".to_owned(), format!("{id}+{bias}")]);
    }
    flags
}

#[test]
fn calls_of_tools_are_printed_after_the_text_and_in_the_json() {
    let folder = TempModels::new().unwrap();
    let tools = folder.write_bytes("tools.json", TOOLS.as_bytes()).unwrap();
    let model = folder.write("tools.gguf", &Llama::tiny_tools().file()).unwrap();
    let (tools, model) = (tools.to_str().unwrap(), model.to_str().unwrap());
    let wishes = would_rather_end(model);
    let mut run = vec!["run", "-m", model, "-p", "Rome?", "--tools", tools, "--tool-choice", "required", "--temp", "0"];
    run.extend(wishes.iter().map(String::as_str));
    let ended = llama(&run);
    assert_eq!(ended.stderr, "");
    let call: serde_json::Value = serde_json::from_str(&ended.success()).unwrap();
    assert_eq!((&call["id"], &call["function"]["name"]), (&"call_0".into(), &"get_weather".into()));
    let arguments: serde_json::Value = serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap();
    assert_eq!(arguments["city"], "Rome");
    let answer: serde_json::Value = serde_json::from_str(&llama(&[&run[..], &["--json"]].concat()).success()).unwrap();
    assert_eq!((&answer["finish_reason"], &answer["message"]["tool_calls"][0]), (&"tool_calls".into(), &call));
    assert!(answer["raw_text"].as_str().unwrap().contains("<tool_call>"), "as the model wrote it");
    let lines = llama(&[&run[..], &["--jsonl"]].concat()).success();
    let pieces = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let pieces: Vec<_> = pieces.filter(|piece| piece["type"] == "tool_call").collect();
    let joined: String = pieces.iter().filter_map(|piece| piece["arguments"].as_str()).collect();
    assert_eq!(joined, call["function"]["arguments"].as_str().unwrap());
    let refused = llama(&[&run[..], &["--grammar", "root ::= \"x\""]].concat()).failure();
    assert!(refused.contains("tools") && refused.contains("cannot be asked for together"), "{refused}");
}

#[test]
fn tools_that_are_none_are_an_error_with_the_place() {
    let folder = TempModels::new().unwrap();
    for (text, expected) in [
        ("{}", ": the JSON is an object, and must be an array of tools"),
        ("[{}]", ": [0].type is missing, and must be \"function\""),
        (r#"[{"type": "function", "function": {}}]"#, ": [0].function.name is missing, and must be a text"),
        ("[", " is not valid JSON"),
    ] {
        let path = folder.write_bytes("tools.json", text.as_bytes()).unwrap();
        let error = llama(&["run", "-p", "x", "--tools", path.to_str().unwrap()]).failure();
        let expected = format!("error: {}{expected}\n", path.display());
        assert!(error.contains(&expected), "{error} has no {expected}");
    }
    let expected = "error: --tools: stdin is for the prompt; give the name of a file\n";
    assert_eq!(llama_with_stdin(&["run", "--tools", "-"], "x").failure(), expected);
    let expected = "error: cannot read no-such-file.json; check the spelling and the current directory\n";
    assert!(llama(&["run", "-p", "x", "--tools", "no-such-file.json"]).failure().contains(expected));
}

#[test]
fn a_gpu_that_is_required_and_not_there_is_an_error_with_the_reason() {
    let expected =
        "error: a GPU is required (--require-gpu), but no layer may be on it (--gpu-layers 0); give --gpu-layers all\n";
    for args in [&["run", "-p", "x"][..], &["chat"]] {
        assert_eq!(llama(&[args, &["--require-gpu", "-ngl", "0"]].concat()).failure(), expected);
    }
    if cfg!(any(feature = "cuda", feature = "metal", feature = "vulkan", feature = "rpc", feature = "dynamic-backends"))
    {
        return;
    }
    let expected = "error: a GPU is required (--require-gpu), but this program was built without a backend for one; build \
                    it with the feature cuda, vulkan or metal\n";
    assert_eq!(llama(&["run", "-p", "x", "--require-gpu"]).failure(), expected);
    assert_eq!(llama(&["chat", "--require-gpu"]).failure(), expected);
}

#[test]
fn a_file_of_a_prompt_that_is_none_is_an_error_and_stays() {
    let folder = TempModels::new().unwrap();
    let path = folder.write_bytes("prompt.cache", b"these are notes").unwrap();
    let name = path.to_str().unwrap();
    let ended = tiny(&["-p", "Once", "--prompt-cache", name]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
    let expected = format!(
        "error: --prompt-cache {name}: the file cannot be used; delete it to have it made anew, or name another one\n"
    );
    assert!(ended.stderr.starts_with(&expected), "{}", ended.stderr);
    assert_eq!(fs::read(&path).unwrap(), b"these are notes");
    let ended = tiny(&["-p", "Once", "--prompt-cache", folder.path().to_str().unwrap()]);
    let expected =
        format!("error: --prompt-cache {}: this is no file of a prompt; name another one\n", folder.path().display());
    assert_eq!((ended.code, ended.stderr), (Some(1), expected));
    let error = llama(&["run", "-p", "x", "--prompt-cache-all"]).failure();
    assert!(error.contains("--prompt-cache <FILE>"), "{error}");
}
