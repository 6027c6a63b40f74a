//! Messages and tools in the shape of OpenAI's chat completions, from JSON. Each error says where in which file.

use std::fmt;
use std::path::Path;

use anyhow::{Context, bail};
use llama_core::chat::{Message, Tool};
use serde_json::Value;

use crate::ui;

const ROLES: [&str; 5] = ["system", "developer", "user", "assistant", "tool"];

/// A place in a file, such as `chat.json: messages[2].content`.
#[derive(Debug, Clone)]
pub(super) struct Place {
    file: String,
    path: String,
}

impl Place {
    pub(super) fn root(file: &str) -> Self {
        Self { file: file.to_owned(), path: String::new() }
    }

    pub(super) fn field(&self, name: &str) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        Self { file: self.file.clone(), path: format!("{}{dot}{name}", self.path) }
    }

    fn item(&self, index: usize) -> Self {
        Self { file: self.file.clone(), path: format!("{}[{index}]", self.path) }
    }

    /// The error that something else stands here.
    pub(super) fn is_not<T>(&self, found: &Value, expected: &str) -> anyhow::Result<T> {
        bail!("{self} is {}, and must be {expected}", shown(found))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "the JSON" } else { &self.path };
        write!(f, "{}: {path}", self.file)
    }
}

/// The JSON of a file, and what to call it.
///
/// # Errors
///
/// When it cannot be read or is no JSON.
pub(super) fn file(path: &Path) -> anyhow::Result<(Value, String)> {
    let (text, name) = if path.as_os_str() == "-" {
        (ui::stdin_text()?, "stdin".to_owned())
    } else {
        (ui::file_text(path)?, path.display().to_string())
    };
    let value = serde_json::from_str(&text).with_context(|| format!("{name} is not valid JSON"))?;
    Ok((value, name))
}

/// An array of messages.
///
/// # Errors
///
/// The place of what is not as it should be.
pub(super) fn messages(value: &Value, place: &Place) -> anyhow::Result<Vec<Message>> {
    list(value, place, "an array of messages")?
        .iter()
        .enumerate()
        .map(|(index, value)| message(value, &place.item(index)))
        .collect()
}

/// An array of tools.
///
/// # Errors
///
/// The place of what is not as it should be.
pub(super) fn tools(value: &Value, place: &Place) -> anyhow::Result<Vec<Tool>> {
    list(value, place, "an array of tools")?
        .iter()
        .enumerate()
        .map(|(index, value)| tool(value, &place.item(index)))
        .collect()
}

fn message(value: &Value, place: &Place) -> anyhow::Result<Message> {
    object(value, place, "a message: an object with `role` and `content`")?;
    match &value["role"] {
        Value::String(role) if ROLES.contains(&role.as_str()) => {}
        other => place.field("role").is_not(other, "one of system, developer, user, assistant and tool")?,
    }
    content(&value["content"], &place.field("content"))?;
    for name in ["reasoning_content", "tool_call_id", "name"] {
        optional_text(&value[name], &place.field(name))?;
    }
    let calls = &value["tool_calls"];
    if !calls.is_null() {
        let place = place.field("tool_calls");
        for (index, value) in list(calls, &place, "an array of calls")?.iter().enumerate() {
            call(value, &place.item(index))?;
        }
    }
    serde_json::from_value(value.clone()).with_context(|| format!("{place} is no message"))
}

fn content(value: &Value, place: &Place) -> anyhow::Result<()> {
    match value {
        Value::Null | Value::String(_) => Ok(()),
        Value::Array(parts) => parts.iter().enumerate().try_for_each(|(index, part)| {
            let place = place.item(index);
            if part["type"] != "text" {
                place.field("type").is_not(&part["type"], "\"text\": these models read nothing else")?;
            }
            text(&part["text"], &place.field("text"))
        }),
        other => place.is_not(other, "a text, an array of text parts or null"),
    }
}

fn call(value: &Value, place: &Place) -> anyhow::Result<()> {
    object(value, place, "a call: an object with `function`")?;
    optional_text(&value["id"], &place.field("id"))?;
    function_type(value, place)?;
    let place = place.field("function");
    object(&value["function"], &place, "an object with `name` and `arguments`")?;
    text(&value["function"]["name"], &place.field("name"))
}

fn tool(value: &Value, place: &Place) -> anyhow::Result<Tool> {
    object(value, place, "a tool: an object with `type` and `function`")?;
    let kind = &value["type"];
    if kind != "function" {
        place.field("type").is_not(kind, "\"function\"")?;
    }
    let inner = place.field("function");
    let function = &value["function"];
    object(function, &inner, "an object with `name`, `description` and `parameters`")?;
    text(&function["name"], &inner.field("name"))?;
    optional_text(&function["description"], &inner.field("description"))?;
    if !matches!(function["parameters"], Value::Null | Value::Object(_)) {
        inner.field("parameters").is_not(&function["parameters"], "a JSON schema object")?;
    }
    let mut tool = value.clone();
    if let Some(function) = tool["function"].as_object_mut() {
        // Written or not, it means that there is none.
        function.retain(|_, value| !value.is_null());
    }
    serde_json::from_value(tool).with_context(|| format!("{place} is no tool"))
}

fn function_type(value: &Value, place: &Place) -> anyhow::Result<()> {
    match value.get("type") {
        None => Ok(()),
        Some(kind) if kind == "function" => Ok(()),
        Some(other) => place.field("type").is_not(other, "\"function\""),
    }
}

fn list<'v>(value: &'v Value, place: &Place, expected: &str) -> anyhow::Result<&'v Vec<Value>> {
    match value {
        Value::Array(items) => Ok(items),
        other => place.is_not(other, expected),
    }
}

fn object(value: &Value, place: &Place, expected: &str) -> anyhow::Result<()> {
    if value.is_object() { Ok(()) } else { place.is_not(value, expected) }
}

fn text(value: &Value, place: &Place) -> anyhow::Result<()> {
    if value.is_string() { Ok(()) } else { place.is_not(value, "a text") }
}

fn optional_text(value: &Value, place: &Place) -> anyhow::Result<()> {
    if value.is_null() { Ok(()) } else { text(value, place) }
}

/// What was found, short enough for a line. What is not there reads as null.
fn shown(value: &Value) -> String {
    const LONGEST: usize = 40;
    match value {
        Value::Null => "missing".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::String(text) if text.chars().count() > LONGEST => "a long text".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(value: &Value) -> String {
        messages(value, &Place::root("chat.json").field("messages")).unwrap_err().to_string()
    }

    #[test]
    fn each_mistake_is_named_with_its_place() {
        for (value, expected) in [
            (json!({}), "chat.json: messages is an object, and must be an array of messages"),
            (json!([1]), "chat.json: messages[0] is 1, and must be a message: an object with `role` and `content`"),
            (
                json!([{"role": "user", "content": "a"}, {"role": "wizard"}]),
                "chat.json: messages[1].role is \"wizard\", and must be one of system, developer, user, assistant and tool",
            ),
            (
                json!([{"role": "user", "content": 3}]),
                "chat.json: messages[0].content is 3, and must be a text, an array of text parts or null",
            ),
            (
                json!([{"role": "user", "content": [{"type": "image_url"}]}]),
                "chat.json: messages[0].content[0].type is \"image_url\", and must be \"text\": these models read nothing else",
            ),
            (
                json!([{"role": "assistant", "tool_calls": [{"function": {"arguments": "{}"}}]}]),
                "chat.json: messages[0].tool_calls[0].function.name is missing, and must be a text",
            ),
        ] {
            assert_eq!(refused(&value), expected);
        }
    }

    #[test]
    fn tools_are_checked_the_same_way() {
        let place = Place::root("tools.json");
        let error = tools(&json!([{"type": "function", "function": {"name": "f", "parameters": []}}]), &place);
        let expected = "tools.json: [0].function.parameters is an array, and must be a JSON schema object";
        assert_eq!(error.unwrap_err().to_string(), expected);
        let bare =
            tools(&json!([{"type": "function", "function": {"name": "f", "description": null}}]), &place).unwrap();
        assert_eq!(bare[0].name, "f");
    }

    #[test]
    fn arguments_may_be_text_or_json() {
        let value = json!([{"role": "assistant", "content": null, "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": {"x": 1}}}]}]);
        let read = messages(&value, &Place::root("x")).unwrap();
        assert_eq!(read[0].tool_calls[0].arguments, r#"{"x":1}"#);
    }
}
