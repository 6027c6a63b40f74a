//! Answers as JSON: one object at the end, or one per event. Names are those of the records of a batch job; log
//! probabilities are as OpenAI's chat completions have them.

use llama_runtime::{Choice, Delta, Event, FinishReason, Finished};
use serde_json::{Map, Value, json};

use crate::record::{self, timings, usage};

/// What goes before the answer itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head<'a> {
    /// What tells the object from those of the events.
    pub(super) kind: Option<&'a str>,
    /// The prompt, if it is to be printed.
    pub(super) prompt: Option<&'a str>,
    /// Whether several answers were asked for.
    pub(super) several: bool,
}

/// The whole answer. What is said of the one choice stands at the top; with several it is said of each in `choices`.
pub(super) fn answer(finished: &Finished, head: Head<'_>) -> Value {
    let Head { kind, prompt, several } = head;
    let mut object = Map::new();
    if let Some(kind) = kind {
        object.insert("type".to_owned(), json!(kind));
    }
    if let Some(prompt) = prompt {
        object.insert("prompt".to_owned(), json!(prompt));
    }
    if several || finished.choices.is_empty() {
        let choices: Vec<Value> = finished
            .choices
            .iter()
            .enumerate()
            .map(|(index, choice)| {
                let mut one = Map::from_iter([("index".to_owned(), json!(index))]);
                one.extend(self::choice(choice));
                Value::Object(one)
            })
            .collect();
        object.insert("choices".to_owned(), json!(choices));
        object.insert("finish_reason".to_owned(), json!(finished.reason.as_str()));
    } else {
        object.extend(choice(&finished.choices[0]));
    }
    if let FinishReason::Error(error) = &finished.reason {
        object.insert("error".to_owned(), json!(error.to_string()));
    }
    object.insert("usage".to_owned(), usage(&finished.usage));
    object.insert("timings".to_owned(), timings(&finished.usage, &finished.timings, finished.choices.len()));
    Value::Object(object)
}

/// One event; `None` for those that say nothing about the answer, and for the last one.
pub(super) fn event(event: &Event) -> Option<Value> {
    let piece = |kind: &str, delta: &Delta| {
        let mut object = json!({"type": kind, "index": delta.choice, "text": delta.text});
        if !delta.logprobs.is_empty() {
            object["logprobs"] = record::logprobs(&delta.logprobs);
        }
        object
    };
    Some(match event {
        Event::Text(delta) => piece("text", delta),
        Event::Reasoning(delta) => piece("reasoning", delta),
        Event::ToolCall(delta) => json!({
            "type": "tool_call", "index": delta.choice, "call": delta.index, "id": delta.id, "name": delta.name,
            "arguments": delta.arguments,
        }),
        Event::ChoiceFinished { choice, reason } => {
            json!({"type": "choice_finished", "index": choice, "finish_reason": reason.as_str()})
        }
        _ => return None,
    })
}

fn choice(choice: &Choice) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("text".to_owned(), json!(choice.message.content));
    if choice.text != choice.message.content {
        // With thoughts and calls as the model wrote them, and with what could not be taken apart.
        object.insert("raw_text".to_owned(), json!(choice.text));
    }
    object.insert("message".to_owned(), json!(record::message(choice.message.clone())));
    object.insert("finish_reason".to_owned(), json!(record::finish_reason(&choice.message, &choice.reason)));
    match &choice.reason {
        FinishReason::StopString(text) => object.insert("stop_string".to_owned(), json!(text)),
        FinishReason::ContextFull => object.insert("context_full".to_owned(), json!(true)),
        _ => None,
    };
    if let Some(error) = &choice.malformed {
        object.insert("malformed".to_owned(), json!(error.to_string()));
    }
    if !choice.logprobs.is_empty() {
        object.insert("logprobs".to_owned(), record::logprobs(&choice.logprobs));
    }
    object
}
