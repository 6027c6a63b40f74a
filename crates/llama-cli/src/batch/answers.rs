//! The records that answer lines of OpenAI's batches.

use std::time::{SystemTime, UNIX_EPOCH};

use llama_runtime::{Choice, Finished, Usage};
use serde_json::{Value, json};

use super::ID_PREFIX;
use super::entry::{Embedded, Outcome};
use super::key::Key;
use super::openai::{Endpoint, Head};
use super::problem::{At, Problem};
use crate::record::{self, timings};

/// The record of an input. `model` is what answers.
pub(super) fn record(head: Head, key: Key, outcome: Outcome, model: &str) -> Value {
    let (response, error) = match outcome {
        Outcome::Answered(finished) => (Some((200, body(&head, key, *finished, model))), None),
        Outcome::Embedded(vectors) => (Some((200, embeddings(*vectors, head.base64, model))), None),
        Outcome::Failed(problem, _) => match problem.at {
            At::Line => (None, Some(json!({ "code": problem.code, "message": problem.message }))),
            At::Request => (Some((400, refusal(&problem, "invalid_request_error"))), None),
            At::Answer => (Some((500, refusal(&problem, "server_error"))), None),
        },
    };
    let response =
        response.map(|(code, body)| json!({ "status_code": code, "request_id": format!("req_{key}"), "body": body }));
    // The id is ours to choose, and holds what a job is resumed by.
    json!({ "id": format!("{ID_PREFIX}{key}"), "custom_id": head.custom_id, "response": response, "error": error })
}

fn refusal(problem: &Problem, kind: &str) -> Value {
    json!({ "error": { "message": problem.message, "type": kind, "param": null, "code": problem.code } })
}

fn body(head: &Head, key: Key, finished: Finished, model: &str) -> Value {
    let chat = head.endpoint == Endpoint::Chat;
    let (prefix, object) = if chat { ("chatcmpl", "chat.completion") } else { ("cmpl", "text_completion") };
    let one = if chat { message } else { completion };
    let answers = finished.choices.len();
    let choices: Vec<Value> =
        finished.choices.into_iter().enumerate().map(|(index, choice)| one(index, choice)).collect();
    json!({
        "id": format!("{prefix}-{key}"),
        "object": object,
        "created": SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs()),
        "model": model,
        "choices": choices,
        "usage": usage(&finished.usage),
        "timings": timings(&finished.usage, &finished.timings, answers),
    })
}

fn message(index: usize, choice: Choice) -> Value {
    let reason = record::finish_reason(&choice.message, &choice.reason);
    let (text, reasoning) = (choice.message.content.clone(), choice.message.reasoning.clone());
    let calls = record::message(choice.message).tool_calls;
    let content = Some(text).filter(|text| calls.is_empty() || !text.is_empty());
    let mut message = json!({ "role": "assistant", "content": content, "refusal": null });
    if !reasoning.is_empty() {
        message["reasoning_content"] = json!(reasoning);
    }
    if !calls.is_empty() {
        message["tool_calls"] = json!(calls);
    }
    let logprobs = (!choice.logprobs.is_empty()).then(|| record::logprobs(&choice.logprobs));
    json!({ "index": index, "message": message, "logprobs": logprobs, "finish_reason": reason })
}

fn completion(index: usize, choice: Choice) -> Value {
    let logprobs = (!choice.logprobs.is_empty()).then(|| record::logprob_columns(&choice.logprobs));
    json!({ "index": index, "text": choice.text, "logprobs": logprobs, "finish_reason": choice.reason.as_str() })
}

fn usage(usage: &Usage) -> Value {
    json!({
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.generated,
        "total_tokens": usage.prompt + usage.generated,
        "prompt_tokens_details": { "cached_tokens": usage.reused },
    })
}

fn embeddings(embedded: Embedded, base64: bool, model: &str) -> Value {
    let one = |(index, vector): (usize, Vec<f32>)| {
        let embedding = if base64 { Value::from(to_base64(&vector)) } else { json!(vector) };
        json!({ "object": "embedding", "index": index, "embedding": embedding })
    };
    let data: Vec<Value> = embedded.vectors.into_iter().enumerate().map(one).collect();
    let tokens = embedded.usage.prompt;
    json!({
        "object": "list",
        "data": data,
        "model": model,
        "usage": { "prompt_tokens": tokens, "total_tokens": tokens },
        "timings": timings(&embedded.usage, &embedded.timings, 0),
    })
}

/// The numbers' bytes, the lowest first.
fn to_base64(vector: &[f32]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place > chunk.len() { '=' } else { char::from(digit) });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_of_the_bytes() {
        assert_eq!(to_base64(&[]), "");
        assert_eq!(to_base64(&[1.0]), "AACAPw==");
        assert_eq!(to_base64(&[1.0, -2.5]), "AACAPwAAIMA=");
        assert_eq!(to_base64(&[0.0, 0.0, 0.5]), "AAAAAAAAAAAAAAA/");
    }

    #[test]
    fn a_line_that_is_no_request_is_an_error_and_a_bad_request_a_response() {
        let key: Key = "1-2-0000000a".parse().unwrap();
        let record = |problem| {
            let head = Head { custom_id: Some("a".into()), ..Head::unknown() };
            record(head, key, Outcome::Failed(problem, None), "m")
        };
        let line = record(Problem::line("invalid_json", "no"));
        assert_eq!(line["id"], "batch_req_1-2-0000000a");
        assert_eq!((&line["response"], &line["error"]["code"]), (&Value::Null, &json!("invalid_json")));
        let refused = record(Problem::request("too_large", "no"));
        assert_eq!((&refused["response"]["status_code"], &refused["error"]), (&json!(400), &Value::Null));
        assert_eq!(refused["response"]["body"]["error"]["code"], "too_large");
        assert_eq!(record(Problem::answer("failed", "no"))["response"]["status_code"], 500);
    }
}
