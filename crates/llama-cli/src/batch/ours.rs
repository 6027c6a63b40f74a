//! Our own format: lines with `prompt` or `messages` and any setting of a request, and the records that answer them.

use llama_runtime::{Choice, FinishReason, Finished, Message, Prompt};
use serde_json::{Map, Value, json};

use super::entry::{Ask, Outcome};
use super::fields::{Fields, bad};
use super::key::Key;
use super::problem::Problem;
use super::request::{self, Base, Words};
use crate::record::{self, timings, usage};

/// How a record begins.
#[derive(Debug)]
pub(super) struct Head {
    /// The line's own, else its number.
    pub(super) id: Value,
    /// Which file, where a job has several.
    pub(super) file: Option<String>,
    /// Whether it was asked for by `messages`, and is told as one.
    pub(super) chat: bool,
}

/// Takes what the record needs, also of a line that is wrong otherwise.
pub(super) fn id(fields: &mut Fields, line: u64) -> Result<Value, Problem> {
    match fields.take(&["id"])? {
        None => Ok(Value::from(line)),
        Some((_, id @ (Value::String(_) | Value::Number(_)))) => Ok(id),
        Some((_, other)) => Err(bad(format!("`id` is {other}, and must be a text or a number"))),
    }
}

/// The request of a line, and whether it has `messages`.
pub(super) fn ask(mut fields: Fields, base: &Base) -> Result<(Ask, bool), Problem> {
    let system: Option<String> = fields.read(&["system"])?;
    let raw: Option<bool> = fields.read(&["raw"])?;
    if raw == Some(true) && system.is_some() {
        return Err(bad("`raw` and `system` cannot be asked for together; put the instructions into the prompt"));
    }
    let prompt = fields.take(&["prompt"])?;
    let messages = fields.take(&["messages"])?;
    let chat = messages.is_some();
    let words = match (prompt, messages) {
        (Some(_), Some(_)) => return Err(bad("`prompt` and `messages` are both given; give one of them")),
        (None, None) => {
            base.pass_over(&mut fields)?;
            fields.finish()?;
            return Err(bad("there is neither `prompt` nor `messages`; give one of them"));
        }
        (Some((_, value)), None) => match request::prompt(value)? {
            Prompt::Text(text) => base.words(text, system, raw),
            tokens => Words::Raw(tokens),
        },
        (None, Some(_)) if raw == Some(true) => {
            return Err(bad("`raw` needs `prompt`; messages go through a template"));
        }
        (None, Some((name, value))) => {
            let messages: Vec<Message> = request::messages(name, value)?;
            Words::Chat(base.with_system(messages, system))
        }
    };
    let request = base.request(&mut fields, words)?;
    fields.finish()?;
    Ok((Ask::Generate(Box::new(request)), chat))
}

/// The record of an input.
pub(super) fn record(head: Head, key: Key, outcome: Outcome) -> Value {
    let mut record = Map::new();
    record.insert("id".into(), head.id);
    if let Some(file) = head.file {
        record.insert("file".into(), file.into());
    }
    record.insert("line".into(), key.line.into());
    record.insert("key".into(), key.to_string().into());
    match outcome {
        Outcome::Answered(finished) => answer(&mut record, *finished, head.chat),
        Outcome::Failed(problem, finished) => {
            if let Some(finished) = finished {
                answer(&mut record, *finished, head.chat);
            }
            record.insert("error".into(), json!({ "code": problem.code, "message": problem.message }));
        }
        // Not asked for in this format.
        Outcome::Embedded(_) => {}
    }
    Value::Object(record)
}

fn answer(record: &mut Map<String, Value>, finished: Finished, chat: bool) {
    let answers = finished.choices.len();
    let mut choices: Vec<Map<String, Value>> =
        finished.choices.into_iter().map(|answer| choice(answer, chat)).collect();
    if choices.len() > 1 {
        for (index, choice) in choices.iter_mut().enumerate() {
            choice.insert("index".into(), index.into());
        }
        record.insert("choices".into(), choices.into());
    } else if let Some(only) = choices.pop() {
        record.extend(only);
    } else {
        record.insert("finish_reason".into(), finished.reason.as_str().into());
    }
    record.insert("usage".into(), usage(&finished.usage));
    record.insert("timings".into(), timings(&finished.usage, &finished.timings, answers));
}

fn choice(choice: Choice, chat: bool) -> Map<String, Value> {
    let mut fields = Map::new();
    let reason = record::finish_reason(&choice.message, &choice.reason);
    fields.insert("text".into(), choice.message.content.clone().into());
    if !chat && !choice.message.reasoning.is_empty() {
        fields.insert("reasoning".into(), choice.message.reasoning.clone().into());
    }
    let message = record::message(choice.message);
    if !message.tool_calls.is_empty() {
        fields.insert("tool_calls".into(), json!(message.tool_calls));
    }
    if choice.malformed.is_some() {
        // Not all of it could be taken apart.
        fields.insert("raw_text".into(), choice.text.into());
    }
    if chat {
        fields.insert("message".into(), json!(message));
    }
    fields.insert("finish_reason".into(), reason.into());
    if let FinishReason::StopString(text) = &choice.reason {
        fields.insert("stop_string".into(), text.as_str().into());
    }
    if matches!(choice.reason, FinishReason::ContextFull) {
        fields.insert("context_full".into(), true.into());
    }
    if !choice.logprobs.is_empty() {
        fields.insert("logprobs".into(), record::logprobs(&choice.logprobs));
    }
    fields
}
