//! What a job takes and what it answers: text, lines, our fields, and OpenAI's batches.

use llama_core::{Model, ModelParams, Specials};
use llama_testkit::fixtures;
use serde_json::{Value, json};

use crate::batch::{Folder, records, tiny, with_id};

/// The records of a job with one file, and its exit code.
fn answers(name: &str, text: impl AsRef<[u8]>, args: &[&str]) -> (Vec<Value>, Option<i32>) {
    let folder = Folder::new();
    folder.write(name, text);
    let ended = folder.run(&[&["--prompt-file", name, "--ordered"], args].concat());
    (records(&ended.stdout), ended.code)
}

fn tiny_answers(lines: &[Value]) -> (Vec<Value>, Option<i32>) {
    let text: String = lines.iter().map(|line| line.to_string() + "\n").collect();
    answers("in.jsonl", text, &["-m", tiny(), "--raw", "-n", "4"])
}

/// The code and the message of a record's error.
fn error(record: &Value) -> (&str, &str) {
    (record["error"]["code"].as_str().unwrap(), record["error"]["message"].as_str().unwrap())
}

const FRANCE: &str = "What is the capital of France?";
const ITALY: &str = "What is the capital of Italy?";

#[test]
fn a_text_is_one_prompt_or_one_on_every_line() {
    let text = format!("\u{feff}{FRANCE}\r\n\r\n  \n{ITALY}");
    let (all, code) = answers("in.txt", &text, &["--lines"]);
    let found: Vec<_> = all.iter().map(|one| (one["id"].as_u64().unwrap(), one["text"].as_str().unwrap())).collect();
    assert_eq!(found, [(1, "The capital of France is Paris."), (4, "The capital of Italy is Rome.")]);
    assert_eq!(code, Some(0));
    let (all, _) = answers("in.txt", &text, &["-n", "1"]);
    assert_eq!(all.len(), 1);
    let one_line = answers("in.txt", format!("{FRANCE}\n"), &[]).0;
    assert_eq!(one_line[0]["text"], "The capital of France is Paris.");
}

#[test]
fn the_format_is_told_by_the_name_else_by_the_beginning() {
    let line = json!({"prompt": "Once", "max_tokens": 1}).to_string();
    let raw = ["-m", tiny(), "--raw", "-n", "1"];
    let tokens = |name: &str, args: &[&str]| {
        let (all, _) = answers(name, &line, &[&raw, args].concat());
        all[0]["usage"]["prompt_tokens"].as_u64().unwrap()
    };
    let as_json = tokens("in.jsonl", &[]);
    for (name, args) in
        [("in.jsonl", &["--lines"][..]), ("in.NDJSON", &[]), ("requests", &[]), ("in.json", &["--lines"])]
    {
        assert_eq!(tokens(name, args), as_json, "{name}");
    }
    for args in [&[][..], &["--lines"]] {
        assert!(tokens("in.txt", args) > as_json, "the braces are text");
    }
}

#[test]
fn a_line_that_cannot_be_used_has_an_error_and_the_others_their_answers() {
    let mut text: Vec<u8> = Vec::new();
    for line in [
        &b"{\"id\": \"good\", \"prompt\": \"Once\"}"[..],
        b"{\"prompt\": \"Once\"",
        b"{\"prompt\": \"\xff\"}",
        b"[1]",
        b"{\"prompt\": \"Once\", \"temperatur\": 1}",
        b"{\"id\": \"none\"}",
        b"{\"promt\": \"Once\"}",
        b"{\"id\": [1], \"prompt\": \"Once\"}",
        b"{\"id\": \"last\", \"prompt\": \"Once\"}\r",
    ] {
        text.extend_from_slice(line);
        text.push(b'\n');
    }
    let (all, code) = answers("in.jsonl", &text, &["-m", tiny(), "--raw", "-n", "2"]);
    assert_eq!((all.len(), code), (9, Some(3)));
    assert_eq!(with_id(&all, "good")["text"], with_id(&all, "last")["text"]);
    let expected = [
        (2, "invalid_json", "EOF while parsing an object at column 17"),
        (3, "not_utf8", "first bad byte at offset 12"),
        (4, "invalid_json", "is an array; write one JSON object per line"),
        (5, "unknown_field", "there is no field `temperatur`; did you mean `temperature`?"),
        (6, "invalid_request", "neither `prompt` nor `messages`"),
        (7, "unknown_field", "no field `promt`; did you mean `prompt`?"),
        (8, "invalid_request", "`id` is [1], and must be a text or a number"),
    ];
    for (line, code, says) in expected {
        let record = all.iter().find(|record| record["line"] == line).unwrap();
        let (found, message) = error(record);
        assert!(found == code && message.contains(says), "{record}");
        assert!(record.get("text").is_none());
    }
}

#[test]
fn a_line_without_end_is_an_error_of_its_own() {
    let mut text = br#"{"prompt": ""#.to_vec();
    text.resize(17 << 20, b'a');
    text.extend_from_slice(b"\"}\n{\"id\": \"next\", \"prompt\": \"Once\"}\n");
    let (all, code) = answers("in.jsonl", &text, &["-m", tiny(), "--raw", "-n", "2"]);
    assert_eq!((all.len(), code), (2, Some(3)));
    let (code, message) = error(&all[0]);
    assert!(code == "line_too_long" && message.contains("16 MiB"), "{message}");
    assert!(with_id(&all, "next")["text"].is_string());
}

#[test]
fn a_line_may_have_any_setting_of_a_request() {
    let many = json!({
        "id": 1, "prompt": "Once", "raw": true, "n_predict": 6, "temp": 1.0, "seed": 7, "top_k": 5, "top_p": 0.9, "min_p": 0.01,
        "repeat_penalty": 1.1, "stop": "zzz", "n": 2, "logprobs": 2, "priority": "background", "deadline": "5m", "adapters": [],
        "system": null,
    });
    let same = |id: i32, seed: i32| {
        let mut other = many.clone();
        (other["id"], other["seed"]) = (id.into(), seed.into());
        other
    };
    let (all, code) = tiny_answers(&[many.clone(), same(2, 7), same(3, 8)]);
    assert_eq!(code, Some(0), "{all:?}");
    let texts = |id: i32| -> Vec<&Value> {
        let choices = with_id(&all, id)["choices"].as_array().unwrap();
        assert!(
            choices
                .iter()
                .all(|choice| choice["logprobs"]["content"][0]["top_logprobs"].as_array().unwrap().len() == 2)
        );
        choices.iter().map(|choice| &choice["text"]).collect()
    };
    assert_eq!(texts(1).len(), 2);
    assert_eq!(texts(1), texts(2));
    assert_ne!(texts(1), texts(3));
    assert_eq!(with_id(&all, 1)["usage"]["completion_tokens"], 12);
}

#[test]
fn answers_follow_the_structure_that_a_line_asks_for() {
    let schema = json!({"type": "object", "properties": {"n": {"enum": [17]}}, "required": ["n"], "additionalProperties": false});
    let ask = |id: &str, name: &str, value: Value| json!({"id": id, "prompt": "Once", "max_tokens": 40, name: value});
    let openai = json!({"type": "json_schema", "json_schema": {"name": "x", "schema": schema}});
    let (all, _) = tiny_answers(&[
        ask("schema", "json_schema", schema.clone()),
        ask("openai", "response_format", openai),
        ask("grammar", "grammar", json!("root ::= \"yes\"")),
        ask("regex", "regex", json!("[0-9]{3}x")),
        ask("text", "response_format", json!({"type": "text"})),
        ask("bad", "json_schema", json!({"type": "wizard"})),
        ask("worse", "grammar", json!("root ::= (")),
        json!({"id": "both", "prompt": "Once", "grammar": "root ::= \"a\"", "regex": "a"}),
    ]);
    for id in ["schema", "openai"] {
        let text = with_id(&all, id)["text"].as_str().unwrap();
        assert_eq!(serde_json::from_str::<Value>(text).unwrap(), json!({"n": 17}), "{text}");
    }
    assert_eq!(with_id(&all, "grammar")["text"], "yes");
    assert!(with_id(&all, "regex")["text"].as_str().unwrap().ends_with('x'));
    assert_eq!(with_id(&all, "text")["usage"]["completion_tokens"], 40);
    for (id, says) in [("bad", "wizard"), ("worse", "grammar"), ("both", "cannot be asked for together")] {
        let (code, message) = error(with_id(&all, id));
        assert!(code.starts_with("invalid") && message.contains(says), "{message}");
    }
}

#[test]
fn conversations_are_answered_with_a_message() {
    let messages = json!([
        {"role": "user", "content": [{"type": "text", "text": FRANCE}]},
        {"role": "assistant", "content": "The capital of France is Paris."},
        {"role": "user", "content": ITALY},
    ]);
    let lines = [
        json!({"id": "chat", "messages": messages}),
        json!({"id": "system", "prompt": "What is your name?", "system": "Your name is Ada.", "max_tokens": 1}),
        json!({"id": "named", "messages": [{"role": "user", "content": "Hi"}], "system": "Your name is Ada.", "max_tokens": 1}),
        json!({"id": "image", "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]}),
        json!({"id": "role", "messages": [{"role": "wizard", "content": "x"}]}),
        json!({"id": "none", "messages": []}),
        json!({"id": "typo", "messages": [{"role": "user", "contnet": "Hi"}]}),
        json!({"id": "raw", "raw": true, "messages": messages}),
        json!({"id": "two", "prompt": "x", "messages": messages}),
    ];
    let text: String = lines.iter().map(|line| line.to_string() + "\n").collect();
    let (all, code) = answers("in.jsonl", text, &[]);
    assert_eq!(code, Some(3));
    let chat = with_id(&all, "chat");
    let answer = "The capital of Italy is Rome.";
    assert_eq!((&chat["text"], &chat["message"]), (&json!(answer), &json!({"role": "assistant", "content": answer})));
    for id in ["system", "named"] {
        assert!(with_id(&all, id)["usage"]["prompt_tokens"].as_u64().unwrap() > 15, "the system prompt is in it");
    }
    for (id, says) in [
        ("image", "`messages[0].content[0]` is of type image_url; only text"),
        ("role", "`messages[0]`: unknown variant `wizard`"),
        ("none", "`messages` is empty"),
        ("typo", "`messages[0]` has no `content`"),
        ("raw", "`raw` needs `prompt`"),
        ("two", "`prompt` and `messages` are both given"),
    ] {
        let (code, message) = error(with_id(&all, id));
        assert!(code == "invalid_request" && message.contains(says), "{message}");
    }
}

/// The model knows nothing of tools. With this it would rather end its answer than anything else, and rather begin a call
/// than talk, but not twice; so it is what the line asks for that makes it call.
fn would_rather_end(mut request: Value) -> Value {
    let model = Model::load(fixtures::tiny_tools(), ModelParams::default()).unwrap();
    let mut bias = serde_json::Map::new();
    for (text, wish) in [("<|im_end|>", 100), ("<tool_call>", 50), ("\n", 40)] {
        let [token] = model.vocab().tokenize(text, Specials::Parse).unwrap()[..] else { panic!("{text} is no token") };
        bias.insert(token.0.to_string(), wish.into());
    }
    request["logit_bias"] = bias.into();
    (request["penalty_last_n"], request["frequency_penalty"]) = (1.into(), 30.into());
    (request["temperature"], request["max_tokens"]) = (0.into(), 200.into());
    request
}

#[test]
fn a_required_tool_call_comes_back_as_one() {
    let parameters = json!({"type": "object", "properties": {"city": {"enum": ["Rome"]}}, "required": ["city"], "additionalProperties": false});
    let tool = json!({"type": "function", "function": {"name": "weather", "description": "Tells the weather.", "parameters": parameters}});
    let call =
        json!({"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\": \"Rome\"}"}});
    let ask = would_rather_end(
        json!({"messages": [{"role": "user", "content": "Weather?"}], "tools": [tool], "tool_choice": "required"}),
    );
    let mut ours = ask.clone();
    ours["id"] = "ours".into();
    let mut body = ask;
    body["messages"] = json!([{"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": null, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "Sunny."}, {"role": "user", "content": "And now?"}]);
    let openai = openai("openai", "/v1/chat/completions", body);
    let bad = json!({"id": "bad", "messages": [{"role": "user", "content": "Weather?"}], "tool_choice": "required"});
    let model = fixtures::tiny_tools().to_str().unwrap();
    let (all, code) = answers("in.jsonl", format!("{ours}\n{openai}\n{bad}\n"), &["-m", model, "-c", "4096"]);
    assert_eq!(code, Some(3));
    let record = with_id(&all, "ours");
    assert_eq!(record["finish_reason"], "tool_calls", "{record}");
    assert_eq!(record["tool_calls"], record["message"]["tool_calls"]);
    assert_eq!(record["tool_calls"][0]["function"]["name"], "weather");
    assert_eq!(record["tool_calls"][0]["id"], "call_0", "a result has to name its call");
    let choice = &with_id(&all, "openai")["response"]["body"]["choices"][0];
    assert_eq!((&choice["finish_reason"], &choice["message"]["content"]), (&json!("tool_calls"), &Value::Null));
    let call = &choice["message"]["tool_calls"][0];
    assert!(!call["id"].as_str().unwrap().is_empty(), "{call}");
    let arguments = call["function"]["arguments"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(arguments).unwrap()["city"], "Rome");
    assert!(error(with_id(&all, "bad")).1.contains("no tools"));
}

#[test]
fn a_prompt_that_cannot_fit_is_an_error_of_its_own() {
    let (all, code) =
        tiny_answers(&[json!({"id": 1, "prompt": "Once ".repeat(500)}), json!({"id": 2, "prompt": "Once"})]);
    assert_eq!(code, Some(3));
    let (code, message) = error(with_id(&all, 1));
    assert!(code == "too_large" && message.contains("there is room for 255"), "{message}");
    assert_eq!(with_id(&all, 2)["finish_reason"], "length");
}

fn openai(id: &str, url: &str, body: Value) -> Value {
    json!({"custom_id": id, "method": "POST", "url": url, "body": body})
}

#[test]
fn openai_chat_lines_are_answered_as_openai_does() {
    let body = json!({"model": "gpt-4o", "messages": [{"role": "user", "content": FRANCE}], "max_completion_tokens": 30,
        "temperature": 0, "user": "u", "logprobs": true, "top_logprobs": 1, "stream": false});
    let line = openai("request-1", "/v1/chat/completions", body);
    let (all, code) = answers("in.jsonl", line.to_string(), &[]);
    assert_eq!(code, Some(0));
    let record = &all[0];
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(record), ["id", "custom_id", "response", "error"]);
    assert!(record["id"].as_str().unwrap().starts_with("batch_req_1-1-"));
    assert_eq!((&record["custom_id"], &record["error"]), (&json!("request-1"), &Value::Null));
    assert_eq!(names(&record["response"]), ["status_code", "request_id", "body"]);
    assert_eq!(record["response"]["status_code"], 200);
    let body = &record["response"]["body"];
    assert_eq!(names(body), ["id", "object", "created", "model", "choices", "usage", "timings"]);
    assert_eq!((&body["object"], &body["model"]), (&json!("chat.completion"), &json!("demo")));
    assert!(body["created"].as_u64().unwrap() > 1_700_000_000);
    let choice = &body["choices"][0];
    assert_eq!(
        choice["message"],
        json!({"role": "assistant", "content": "The capital of France is Paris.", "refusal": null})
    );
    assert_eq!((&choice["index"], &choice["finish_reason"]), (&json!(0), &json!("stop")));
    let first = &choice["logprobs"]["content"][0];
    assert_eq!(first["top_logprobs"].as_array().unwrap().len(), 1);
    assert!(first["logprob"].as_f64().unwrap() <= 0.0 && first["token"].is_string() && first["bytes"].is_array());
    let usage = json!({"prompt_tokens": 17, "completion_tokens": 12, "total_tokens": 29, "prompt_tokens_details": {"cached_tokens": 0}});
    assert_eq!(body["usage"], usage);
}

#[test]
fn openai_completions_and_embeddings_are_answered_too() {
    let lines = [
        openai(
            "text",
            "/v1/completions",
            json!({"model": "m", "prompt": "Once", "max_tokens": 3, "logprobs": 2, "n": 2}),
        ),
        openai("tokens", "/v1/completions", json!({"model": "m", "prompt": [1, 5, 9], "max_tokens": 2, "best_of": 1})),
        openai("float", "/v1/embeddings", json!({"model": "m", "input": ["Once", "upon"]})),
        openai("base64", "/v1/embeddings", json!({"model": "m", "input": "Once", "encoding_format": "base64"})),
    ];
    let (all, code) = tiny_answers(&lines);
    assert_eq!(code, Some(0), "{all:?}");
    let body = |id: &str| &with_id(&all, id)["response"]["body"];
    let text = body("text");
    assert_eq!((&text["object"], text["choices"].as_array().unwrap().len()), (&json!("text_completion"), 2));
    let logprobs = &text["choices"][1]["logprobs"];
    for column in ["tokens", "token_logprobs", "top_logprobs", "text_offset"] {
        assert_eq!(logprobs[column].as_array().unwrap().len(), 3, "{logprobs}");
    }
    assert_eq!(body("tokens")["usage"]["prompt_tokens"], 3);
    let vectors = body("float")["data"].as_array().unwrap();
    assert_eq!((vectors.len(), &vectors[1]["index"], &vectors[1]["object"]), (2, &json!(1), &json!("embedding")));
    let length = vectors[0]["embedding"].as_array().unwrap().len();
    let encoded = body("base64")["data"][0]["embedding"].as_str().unwrap();
    assert_eq!(encoded.len(), (length * 4).div_ceil(3) * 4);
    assert!(body("float")["usage"]["total_tokens"].as_u64().unwrap() > 0);
}

#[test]
fn openai_lines_that_are_wrong_have_errors_where_openai_has_them() {
    let chat = "/v1/chat/completions";
    let good =
        json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1, "modalities": ["text"]});
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        openai(name, chat, body)
    };
    let mut lines: Vec<String> = [
        openai("url", "/v1/embedding", good.clone()),
        json!({"custom_id": "method", "method": "GET", "url": chat, "body": good}),
        json!({"custom_id": "outer", "method": "POST", "url": chat, "body": good, "priority": 1}),
        json!({"custom_id": "body", "method": "POST", "url": chat}),
        json!({"method": "POST", "url": chat, "body": good}),
        with("max_token", json!(1)),
        openai("mesages", chat, json!({"mesages": [], "tools": [], "tool_choice": "auto"})),
        with("stream", json!(true)),
        with("n", json!(99)),
        with("functions", json!([])),
        with("modalities", json!(["text", "audio"])),
        openai("tokens", "/v1/embeddings", json!({"input": [1, 2]})),
        openai("ok", chat, good.clone()),
    ]
    .map(|line| line.to_string())
    .to_vec();
    // Of these nothing is known but that their neighbours are of this format.
    lines.push("{\"custom_id\": \"torn".to_owned());
    lines.push("nonsense".to_owned());
    let (all, code) = answers("in.jsonl", lines.join("\n"), &[]);
    assert_eq!((all.len(), code), (15, Some(3)));
    let of_line = |record: &Value, code: &str, says: &str| {
        let (found, message) = error(record);
        assert!(found == code && message.contains(says) && record["response"].is_null(), "{record}");
    };
    of_line(with_id(&all, "url"), "invalid_url", "`/v1/embeddings`");
    of_line(with_id(&all, "method"), "invalid_method", "\"POST\"");
    of_line(with_id(&all, "outer"), "unknown_field", "no field `priority`");
    of_line(with_id(&all, "body"), "invalid_request", "`body` is missing");
    of_line(&all[4], "invalid_request", "`custom_id`");
    of_line(&all[13], "invalid_json", "column");
    of_line(&all[14], "invalid_json", "column");
    assert!(all[14]["custom_id"].is_null());
    for (id, code, says) in [
        ("max_token", "unknown_field", "did you mean `max_tokens`?"),
        ("mesages", "unknown_field", "did you mean `messages`?"),
        ("stream", "invalid_request", "`stream` is not supported"),
        ("n", "invalid", "`choices` is 99"),
        ("functions", "invalid_request", "write `tools`"),
        ("modalities", "invalid_request", "only text is answered"),
        ("tokens", "invalid_request", "`input` has to be a text or an array of texts"),
    ] {
        let record = with_id(&all, id);
        assert_eq!((&record["response"]["status_code"], &record["error"]), (&json!(400), &Value::Null), "{record}");
        let error = &record["response"]["body"]["error"];
        assert_eq!((&error["code"], &error["type"]), (&json!(code), &json!("invalid_request_error")));
        assert!(error["message"].as_str().unwrap().contains(says), "{error}");
    }
    assert_eq!(with_id(&all, "ok")["response"]["status_code"], 200);
}

#[test]
fn an_answer_that_is_cut_by_its_deadline_keeps_what_was_written() {
    let line = json!({"id": 1, "prompt": "Once", "raw": true, "deadline": 0.3, "ignore_eos": true});
    let (all, code) = answers("in.jsonl", line.to_string(), &["-m", tiny(), "-c", "1048576"]);
    let record = with_id(&all, 1);
    assert_eq!(code, Some(3));
    assert_eq!((error(record).0, &record["finish_reason"]), ("deadline", &json!("deadline")));
    assert!(!record["text"].as_str().unwrap().is_empty(), "{record}");
}
