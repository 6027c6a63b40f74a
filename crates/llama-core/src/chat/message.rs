//! Messages in the shape of OpenAI's chat completions.

use super::tool::ToolCall;
use serde::{Deserialize, Serialize};

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Role {
    /// Instructions that stand above the conversation.
    System,
    /// Like system; only some templates tell the two apart, for the others it becomes system.
    Developer,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// The result of a tool call.
    Tool,
}

/// A piece of text among several in one message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "text")]
pub struct TextPart {
    /// The text.
    pub text: String,
}

/// What a message says: one text, or several parts. Templates that know only one text get the parts joined by newlines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Content {
    /// One text.
    Text(String),
    /// Several texts.
    Parts(Vec<TextPart>),
}

impl Content {
    /// All of it as one text, parts joined by newlines.
    pub fn to_text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Parts(parts) => parts.iter().map(|part| part.text.as_str()).collect::<Vec<_>>().join("\n"),
        }
    }
}

impl<T: Into<String>> From<T> for Content {
    fn from(text: T) -> Self {
        Self::Text(text.into())
    }
}

impl Default for Content {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

/// One message of a conversation. Serialises to and from OpenAI's JSON (`reasoning_content` as other servers write it).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said; empty for a message that only calls tools.
    #[serde(default, deserialize_with = "null_is_default")]
    pub content: Content,
    /// What the model thought before it answered.
    #[serde(default, rename = "reasoning_content", skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<String>,
    /// Calls that the assistant makes.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub tool_calls: Vec<ToolCall>,
    /// Which call a tool message answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// Name of the tool that answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl Message {
    /// A message with nothing but text.
    pub fn new(role: Role, content: impl Into<Content>) -> Self {
        Self { role, content: content.into(), reasoning: None, tool_calls: Vec::new(), tool_call_id: None, name: None }
    }

    /// Instructions.
    pub fn system(content: impl Into<Content>) -> Self {
        Self::new(Role::System, content)
    }

    /// What the person says.
    pub fn user(content: impl Into<Content>) -> Self {
        Self::new(Role::User, content)
    }

    /// What the model said.
    pub fn assistant(content: impl Into<Content>) -> Self {
        Self::new(Role::Assistant, content)
    }

    /// The result of `call`.
    pub fn tool_result(call: &ToolCall, content: impl Into<Content>) -> Self {
        let mut message = Self::new(Role::Tool, content);
        message.tool_call_id = (!call.id.is_empty()).then(|| call.id.clone());
        message.name = Some(call.name.clone());
        message
    }

    /// Adds what the model thought.
    #[must_use]
    pub fn with_reasoning(mut self, reasoning: impl Into<String>) -> Self {
        self.reasoning = Some(reasoning.into());
        self
    }

    /// Adds calls of tools.
    #[must_use]
    pub fn with_tool_calls(mut self, calls: impl IntoIterator<Item = ToolCall>) -> Self {
        self.tool_calls.extend(calls);
        self
    }
}

/// What the model's text means, taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AssistantMessage {
    /// The answer.
    pub content: String,
    /// What the model thought before it; empty when it did not, or when it was not asked to be split off.
    #[serde(rename = "reasoning_content")]
    pub reasoning: String,
    /// Calls of tools, in order.
    #[serde(deserialize_with = "plain_calls")]
    pub tool_calls: Vec<ToolCall>,
}

/// The C++ side gives calls without OpenAI's envelope.
fn plain_calls<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<ToolCall>, D::Error> {
    #[derive(Deserialize)]
    struct Plain {
        id: String,
        name: String,
        arguments: String,
    }
    let calls = Vec::<Plain>::deserialize(deserializer)?;
    Ok(calls.into_iter().map(|call| ToolCall::new(call.id, call.name, call.arguments)).collect())
}

impl From<AssistantMessage> for Message {
    /// The message to append to the conversation.
    fn from(answer: AssistantMessage) -> Self {
        let mut message = Self::assistant(answer.content).with_tool_calls(answer.tool_calls);
        message.reasoning = (!answer.reasoning.is_empty()).then_some(answer.reasoning);
        message
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn messages_read_and_write_openai_json() {
        let wire = json!({
            "role": "assistant", "content": "", "reasoning_content": "hm",
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"a\": 1}"}}],
        });
        let message: Message = serde_json::from_value(wire.clone()).unwrap();
        assert_eq!(message.tool_calls, [ToolCall::new("c1", "f", "{\"a\": 1}")]);
        assert_eq!(serde_json::to_value(&message).unwrap(), wire);
    }

    #[test]
    fn null_content_and_text_parts_are_read() {
        let message: Message = serde_json::from_value(json!({"role": "assistant", "content": null})).unwrap();
        assert_eq!(message.content, Content::from(""));
        let parts = json!({"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]});
        let message: Message = serde_json::from_value(parts).unwrap();
        assert_eq!(message.content.to_text(), "a\nb");
    }

    #[test]
    fn an_unknown_role_is_refused_by_name() {
        let error = serde_json::from_value::<Message>(json!({"role": "wizard", "content": "x"})).unwrap_err();
        assert!(error.to_string().contains("wizard"), "{error}");
    }
}
