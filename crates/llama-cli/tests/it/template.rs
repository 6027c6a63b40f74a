//! `llama-cli template render` and `template parse`.

use std::path::PathBuf;

use llama_testkit::fixtures::{self, TempModels};
use llama_testkit::{chat, golden};
use serde_json::{Value, json};

use crate::program::{Ended, llama, llama_with_stdin};

/// Files for a test.
struct Files(TempModels);

impl Files {
    fn new() -> Self {
        Self(TempModels::new().unwrap())
    }

    fn path(&self, name: &str, text: &str) -> String {
        let path: PathBuf = self.0.write_bytes(name, text.as_bytes()).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn json(&self, name: &str, value: &Value) -> String {
        self.path(name, &value.to_string())
    }

    /// The template with tools and thoughts.
    fn template(&self) -> String {
        self.path("tools.jinja", chat::TOOLS)
    }

    fn tools(&self) -> String {
        self.json("tools.json", &json!([tool("add"), tool("sub")]))
    }
}

fn tool(name: &str) -> Value {
    json!({"type": "function", "function": {"name": name, "description": "Counts.",
        "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}}})
}

fn rendered(args: &[&str]) -> Ended {
    llama(&[&["template", "render"][..], args].concat())
}

fn parsed(args: &[&str], text: &str) -> Ended {
    llama_with_stdin(&[&["template", "parse"][..], args].concat(), text)
}

fn message(ended: Ended) -> Value {
    serde_json::from_str(&ended.success()).unwrap()
}

#[test]
fn the_prompt_is_exactly_what_the_model_gets() {
    let files = Files::new();
    let demo = golden::demo_model_path();
    for name in ["capital", "one-word", "memory", "unicode", "long-chat"] {
        let golden = golden::demo();
        let entry = golden.entry(name).unwrap();
        let messages: Vec<Value> =
            entry.messages.iter().map(|one| json!({"role": one.role, "content": one.content})).collect();
        let path = files.json("messages.json", &json!(messages));
        assert_eq!(rendered(&["-m", demo.to_str().unwrap(), "--messages", &path]).success(), entry.prompt, "{name}");
    }
    let text = llama_with_stdin(&["template", "render", "--messages", "-"], r#"[{"role": "user", "content": "Hi"}]"#);
    assert!(text.stderr.contains("demo model"));
    assert_eq!(text.success(), "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
}

#[test]
fn the_prompt_of_run_is_the_same() {
    let files = Files::new();
    let path = files.json("m.json", &json!([{"role": "system", "content": "S"}, {"role": "user", "content": "Hi"}]));
    let prompt = rendered(&["--messages", &path]).success();
    let echoed = llama(&["run", "-sys", "S", "-p", "Hi", "--echo", "-n", "1", "--temp", "0"]).success();
    assert!(echoed.starts_with(&prompt), "{echoed} {prompt}");
}

#[test]
fn a_template_without_a_model_says_that_it_has_no_special_tokens() {
    let files = Files::new();
    let path = files.json("m.json", &json!([{"role": "user", "content": "Hi"}]));
    let source = "{{ bos_token }}{{ messages[0].content }}";
    let alone = rendered(&["--chat-template", source, "--messages", &path]);
    assert_eq!(
        alone.stderr,
        "Without a model bos_token and eos_token are empty in the template; -m FILE gives it those of the model.\n"
    );
    assert_eq!(alone.success(), "Hi");
    let demo = golden::demo_model_path();
    let with_model = rendered(&["--chat-template", source, "--messages", &path, "-m", demo.to_str().unwrap()]);
    assert_eq!((with_model.stderr.as_str(), with_model.stdout.as_str()), ("", "<|endoftext|>Hi"));
    assert_eq!(rendered(&["--chat-template", "{{ messages[0].content }}", "--messages", &path]).stderr, "");
}

#[test]
fn the_prompt_of_run_is_the_same_with_a_template_of_ones_own() {
    let files = Files::new();
    let (template, path) = (files.template(), files.json("m.json", &json!([{"role": "user", "content": "Hi"}])));
    let prompt = rendered(&["--chat-template-file", &template, "--messages", &path, "--reasoning", "off"]).success();
    let run = ["run", "-p", "Hi", "--chat-template-file", &template, "--reasoning", "off", "--echo", "-n", "1"];
    let echoed = llama(&run).success();
    assert!(prompt.contains("<think>\n\n</think>") && echoed.starts_with(&prompt), "{echoed} {prompt}");
    // A structure holds from the first token, so the model does not think.
    let run = ["run", "-p", "Hi", "--chat-template-file", &template, "--echo", "--grammar", r#"root ::= "yes""#];
    assert_eq!(llama(&run).success(), format!("{prompt}yes"));
}

#[test]
fn a_vocabulary_with_a_template_is_enough_and_so_is_a_template() {
    let files = Files::new();
    let messages = files.json("m.json", &json!([{"role": "user", "content": "Hi"}]));
    let vocab = fixtures::vocab_bpe().to_str().unwrap();
    let plain = files.path("plain.jinja", chat::PLAIN);
    let expected = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n";
    let from_model = rendered(&["-m", vocab, "--chat-template-file", &plain, "--messages", &messages]);
    let alone = rendered(&["--chat-template-file", &plain, "--messages", &messages]);
    let source = rendered(&["--chat-template", chat::PLAIN, "--messages", &messages]);
    let named = rendered(&["--chat-template", "chatml", "--messages", &messages]);
    for ended in [from_model, alone, source, named] {
        assert_eq!(ended.stderr, "", "no model is missing");
        assert_eq!(ended.success(), expected);
    }
}

#[test]
fn tools_results_thoughts_and_the_beginning_of_the_answer_are_rendered() {
    let files = Files::new();
    let (template, tools) = (files.template(), files.tools());
    let messages = files.json(
        "m.json",
        &json!([
            {"role": "user", "content": [{"type": "text", "text": "1+1?"}]},
            {"role": "assistant", "content": null, "reasoning_content": "Add.", "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "add", "arguments": "{\"a\": 1}"}}]},
            {"role": "tool", "tool_call_id": "c1", "content": "2"},
        ]),
    );
    let base = ["--chat-template-file", &template, "--messages", &messages];
    let text = rendered(&[&base[..], &["--tools", &tools]].concat()).success();
    assert!(text.starts_with("<|im_start|>system\nYou can call these tools"), "{text}");
    assert!(text.contains("\"name\": \"add\"") && text.contains("\"name\": \"sub\""), "{text}");
    let conversation = "<|im_start|>user\n1+1?<|im_end|>\n<|im_start|>assistant\n<think>\nAdd.\n</think>\n\n<tool_call>\n\
        {\"name\": \"add\", \"arguments\": {\"a\": 1}}\n</tool_call><|im_end|>\n<|im_start|>user\n<tool_response>\n2\n\
        </tool_response><|im_end|>\n";
    assert!(text.ends_with(&format!("{conversation}<|im_start|>assistant\n")), "{text}");
    let text = rendered(&[&base[..], &["--no-generation-prompt"]].concat()).success();
    assert_eq!(text, conversation);
    let text = rendered(&[&base[..], &["--reasoning", "off"]].concat()).success();
    assert!(text.ends_with("<|im_start|>assistant\n<think>\n\n</think>\n\n"), "{text}");
    let on = rendered(&[&base[..], &["--reasoning", "on"]].concat()).success();
    assert_eq!(on, rendered(&[&base[..], &["--reasoning", "auto"]].concat()).success());
}

#[test]
fn a_whole_request_is_taken_with_its_tools_and_variables() {
    let files = Files::new();
    let source = "{{ kind }}/{{ reasoning_effort }}|{% for m in messages %}{{ m.content }}{% endfor %}";
    let body = files.json(
        "body.json",
        &json!({"model": "any", "messages": [{"role": "user", "content": "Hi"}], "temperature": 0,
            "chat_template_kwargs": {"kind": "file"}, "reasoning_effort": "low"}),
    );
    let base = ["--chat-template", source, "--messages", &body];
    assert_eq!(rendered(&base).success(), "file/low|Hi");
    let flags = ["--chat-template-kwargs", r#"{"kind": "flag"}"#, "--reasoning-effort", "high"];
    assert_eq!(rendered(&[&base[..], &flags].concat()).success(), "flag/high|Hi");
    let with_tools = files.json(
        "tools-body.json",
        &json!({"messages": [{"role": "user", "content": "Hi"}], "tools": [tool("add"), tool("sub")],
            "tool_choice": {"type": "function", "function": {"name": "sub"}}}),
    );
    let text = rendered(&["--chat-template-file", &files.template(), "--messages", &with_tools]).success();
    assert!(text.contains("\"sub\"") && !text.contains("\"add\""), "only the one that is chosen: {text}");
}

#[test]
fn the_time_can_be_set() {
    let files = Files::new();
    let messages = files.json("m.json", &json!([{"role": "user", "content": "Hi"}]));
    let source = "{{ strftime_now('%Y') }}{% for m in messages %}{{ m.content }}{% endfor %}";
    // The middle of a year, so that the place on earth does not matter.
    let text = rendered(&["--chat-template", source, "--messages", &messages, "--now", "992692800"]).success();
    assert_eq!(text, "2001Hi");
}

#[test]
fn the_json_has_what_belongs_to_the_prompt() {
    let files = Files::new();
    let messages = files.json("m.json", &json!([{"role": "user", "content": "Hi"}]));
    let (template, tools) = (files.template(), files.tools());
    let vocab = fixtures::vocab_bpe().to_str().unwrap();
    let args = ["-m", vocab, "--chat-template-file", &template, "--messages", &messages, "--tools", &tools];
    let prompt = rendered(&args).success();
    let report = message(rendered(&[&args[..], &["--json"]].concat()));
    assert_eq!(report["prompt"], prompt);
    let ids: Vec<i32> = serde_json::from_str(&llama(&["tokenize", "-m", vocab, &prompt]).success()).unwrap();
    assert_eq!(report["tokens"], ids.len());
    assert_eq!(report["generation_prompt"], "<|im_start|>assistant\n");
    assert_eq!((&report["grammar"]["lazy"], &report["caps"]["tools"]), (&json!(true), &json!(true)));
    assert!(report["grammar"]["gbnf"].as_str().unwrap().contains("root ::="));
    assert_eq!((&report["thinking_start"], &report["supports_thinking"]), (&json!("<think>"), &json!(true)));
    let plain = message(rendered(&["--chat-template", "chatml", "--messages", &messages, "--json"]));
    assert_eq!((&plain["grammar"], &plain["tokens"]), (&Value::Null, &Value::Null));
}

#[test]
fn what_a_model_wrote_is_taken_apart() {
    let files = Files::new();
    let (template, tools) = (files.template(), files.tools());
    let base = ["--chat-template-file", &template, "--tools", &tools];
    let text = "<think>\nAdd.\n</think>\n\n<tool_call>\n{\"name\": \"add\", \"arguments\": {\"a\": 1}}\n</tool_call>\n";
    let said = message(parsed(&base, text));
    assert_eq!((&said["role"], &said["content"]), (&json!("assistant"), &json!("")));
    assert_eq!(said["reasoning_content"].as_str().unwrap().trim(), "Add.");
    let call = &said["tool_calls"][0];
    assert_eq!((&call["id"], &call["type"]), (&json!("call_0"), &json!("function")));
    assert_eq!(call["function"], json!({"name": "add", "arguments": "{\"a\": 1}"}));
    let plain = message(parsed(&["--chat-template", "chatml"], "Paris.\n"));
    assert_eq!(plain, json!({"role": "assistant", "content": "Paris."}), "without the line end of the input");
}

#[test]
fn a_text_that_is_still_written_is_taken_apart_as_far_as_it_can_be() {
    let files = Files::new();
    let (template, tools) = (files.template(), files.tools());
    let base = ["--chat-template-file", &template, "--tools", &tools, "--partial"];
    let thinking = message(parsed(&base, "<think>\nAdd th"));
    assert_eq!((thinking["reasoning_content"].as_str().unwrap().trim(), &thinking["content"]), ("Add th", &json!("")));
    let calling = "<think>\nAdd.\n</think>\n\n<tool_call>\n{\"name\": \"add\", \"arguments\": {\"a\": 1";
    let ended = parsed(&base, calling);
    assert_eq!(ended.stderr, "");
    assert_eq!(message(ended)["tool_calls"][0]["function"]["name"], "add");
    let marker = message(parsed(&base, "Yes <tool"));
    assert_eq!(marker["content"].as_str().unwrap().trim(), "Yes", "what could become a marker is held back");
    let whole = parsed(&base[..4], calling);
    assert!(whole.stderr.starts_with("warning: the arguments of the call to add are not JSON"), "{}", whole.stderr);
}

#[test]
fn a_text_that_does_not_follow_the_format_is_an_error_and_can_be_had_all_the_same() {
    let files = Files::new();
    let (template, tools) = (files.template(), files.tools());
    let base = ["--chat-template-file", &template, "--tools", &tools];
    let text = "<tool_call>\n{\"name\": \"no_such_tool\", \"arguments\": {}}\n</tool_call>";
    let error = parsed(&base, text).failure();
    assert!(error.starts_with("error: the text on stdin cannot be parsed "), "{error}");
    assert!(error.contains("; --lenient prints all of it as content\n") && error.contains("format"), "{error}");
    let ended = parsed(&[&base[..], &["--lenient"]].concat(), text);
    assert!(ended.stderr.starts_with("warning: the model's text does not follow its format"), "{}", ended.stderr);
    assert_eq!(message(ended), json!({"role": "assistant", "content": text}));
}

#[test]
fn mistakes_in_a_file_are_told_with_their_place() {
    let files = Files::new();
    for (value, expected) in [
        (json!(3), "the JSON is 3, and must be an array of messages"),
        (json!({"prompt": 1}), "the JSON has no `messages`; give an array of messages, or an object with `messages`"),
        (
            json!([{"role": "wizard", "content": "x"}]),
            "[0].role is \"wizard\", and must be one of system, developer, user, assistant and tool",
        ),
        (
            json!([{"content": "x"}]),
            "[0].role is missing, and must be one of system, developer, user, assistant and tool",
        ),
        (
            json!({"messages": [{"role": "user", "content": {"a": 1}}]}),
            "messages[0].content is an object, and must be a text, an array of text parts or null",
        ),
        (
            json!({"messages": [], "tools": [{"type": "search"}]}),
            "tools[0].type is \"search\", and must be \"function\"",
        ),
        (
            json!({"messages": [], "tool_choice": "maybe"}),
            "tool_choice is \"maybe\", and must be \"auto\", \"none\", \"required\" or an object that names a function",
        ),
        (json!({"messages": [], "chat_template_kwargs": 1}), "chat_template_kwargs is 1, and must be an object"),
    ] {
        let path = files.json("m.json", &value);
        let error = rendered(&["--chat-template", "chatml", "--messages", &path]).failure();
        assert_eq!(error, format!("error: {path}: {expected}\n"));
    }
}

#[test]
fn other_mistakes_say_what_to_do() {
    let files = Files::new();
    let messages = files.json("m.json", &json!([{"role": "user", "content": "Hi"}]));
    let render = |args: &[&str]| rendered(&[args, &["--messages", &messages]].concat()).failure();
    for (error, expected) in [
        (rendered(&[]).failure(), "error: there is no conversation; give --messages FILE, or --messages - for stdin\n"),
        (
            rendered(&["--messages", "-", "--tools", "-", "--chat-template", "chatml"]).failure(),
            "error: --messages and --tools cannot both be stdin; name a file for one of them\n",
        ),
        (
            parsed(&["--messages", "-"], "x").failure(),
            "error: stdin is for the text of the model; name a file for --messages and --tools\n",
        ),
        (
            render(&["--chat-template", "llama3"]),
            "error: --chat-template llama3: there is no template of this name; give `chatml`, the source of a template, or \
             a file with --chat-template-file\n",
        ),
        (
            render(&["--chat-template", "{{ raise_exception('roles must alternate') }}"]),
            "error: the chat template refuses these messages: roles must alternate\n",
        ),
        (
            render(&["--chat-template", "chatml", "--chat-template-kwargs", "[]"]),
            "error: --chat-template-kwargs must be a JSON object, such as '{\"name\": \"value\"}'\n",
        ),
        (
            render(&["--chat-template", "chatml", "--tools", &files.tools()]),
            "error: the chat template does not support tools\n",
        ),
    ] {
        assert_eq!(error, expected);
    }
    let broken = files.path("broken.jinja", "{% for %}");
    let error = render(&["--chat-template-file", &broken]);
    assert!(error.starts_with(&format!("error: {broken}: the chat template is not valid: ")), "{error}");
    let error = rendered(&["--messages", &files.path("no.json", "[{]"), "--chat-template", "chatml"]).failure();
    assert!(error.contains("no.json is not valid JSON\n  caused by: ") && error.contains("line 1 column 3"), "{error}");
    let error = rendered(&["--messages", &messages, "-m", "no-such.gguf"]).failure();
    assert!(error.starts_with("error: ") && error.contains("no-such.gguf"), "{error}");
}
