//! Tools in the shape of OpenAI's chat completions.

use super::error::ChatError;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Value, json};

/// A function that the model may call.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Tool {
    /// Name, as the model will write it.
    pub name: String,
    /// What it does, for the model.
    pub description: String,
    /// JSON schema of its arguments, an object.
    pub parameters: Value,
}

impl Tool {
    /// A tool whose arguments follow `parameters`, a JSON schema of type object.
    pub fn new(name: impl Into<String>, description: impl Into<String>, parameters: Value) -> Self {
        Self { name: name.into(), description: description.into(), parameters }
    }
}

impl Serialize for Tool {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let function = json!({"name": self.name, "description": self.description, "parameters": self.parameters});
        json!({"type": "function", "function": function}).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Tool {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Wire {
            r#type: String,
            function: Function,
        }
        #[derive(Deserialize)]
        struct Function {
            name: String,
            #[serde(default)]
            description: String,
            #[serde(default = "no_arguments")]
            parameters: Value,
        }
        let wire = Wire::deserialize(deserializer)?;
        expect_function(&wire.r#type)?;
        Ok(Self::new(wire.function.name, wire.function.description, wire.function.parameters))
    }
}

fn no_arguments() -> Value {
    json!({"type": "object", "properties": {}})
}

fn expect_function<E: de::Error>(kind: &str) -> Result<(), E> {
    if kind == "function" { Ok(()) } else { Err(E::invalid_value(de::Unexpected::Str(kind), &"the type \"function\"")) }
}

/// One call that the model makes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ToolCall {
    /// Names the call, so that a result can refer to it; empty where the model's format has no ids.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// JSON, as the model wrote it: not necessarily valid, and cut off where generation was.
    pub arguments: String,
}

impl ToolCall {
    /// A call; `arguments` is JSON text.
    pub fn new(id: impl Into<String>, name: impl Into<String>, arguments: impl Into<String>) -> Self {
        Self { id: id.into(), name: name.into(), arguments: arguments.into() }
    }

    /// The arguments, read; none at all count as `{}`.
    ///
    /// # Errors
    ///
    /// [`ChatError::Arguments`] when the model did not write JSON.
    pub fn arguments_json(&self) -> Result<Value, ChatError> {
        if self.arguments.trim().is_empty() {
            return Ok(json!({}));
        }
        serde_json::from_str(&self.arguments).map_err(|source| ChatError::Arguments { call: self.name.clone(), source })
    }
}

impl Serialize for ToolCall {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut wire = json!({"type": "function", "function": {"name": self.name, "arguments": self.arguments}});
        if !self.id.is_empty() {
            wire["id"] = Value::from(self.id.as_str());
        }
        wire.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ToolCall {
    /// Arguments may be text, as OpenAI has it, or JSON, as some clients write it.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Wire {
            #[serde(default)]
            id: Option<String>,
            #[serde(default = "function")]
            r#type: String,
            function: Function,
        }
        #[derive(Deserialize)]
        struct Function {
            name: String,
            #[serde(default)]
            arguments: Value,
        }
        fn function() -> String {
            "function".to_owned()
        }
        let wire = Wire::deserialize(deserializer)?;
        expect_function(&wire.r#type)?;
        let arguments = match wire.function.arguments {
            Value::Null => String::new(),
            Value::String(text) => text,
            other => other.to_string(),
        };
        Ok(Self::new(wire.id.unwrap_or_default(), wire.function.name, arguments))
    }
}

/// Whether the model may, must or must not call tools.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ToolChoice {
    /// The model decides.
    #[default]
    Auto,
    /// Tools are shown, calls are not allowed.
    None,
    /// At least one call.
    Required,
    /// A call of this tool.
    Function(String),
}

impl Serialize for ToolChoice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => "auto".serialize(serializer),
            Self::None => "none".serialize(serializer),
            Self::Required => "required".serialize(serializer),
            Self::Function(name) => json!({"type": "function", "function": {"name": name}}).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ToolChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = Value::deserialize(deserializer)?;
        match wire.as_str() {
            Some("auto") => return Ok(Self::Auto),
            Some("none") => return Ok(Self::None),
            Some("required") => return Ok(Self::Required),
            _ => {}
        }
        let name = wire.get("function").and_then(|function| function.get("name")).and_then(Value::as_str);
        name.map(|name| Self::Function(name.to_owned()))
            .ok_or_else(|| de::Error::custom("tool_choice is \"auto\", \"none\", \"required\" or names a function"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn tools_and_choices_read_and_write_openai_json() {
        let wire = json!({"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}});
        let tool: Tool = serde_json::from_value(wire.clone()).unwrap();
        assert_eq!(serde_json::to_value(&tool).unwrap(), wire);
        for choice in [ToolChoice::Auto, ToolChoice::None, ToolChoice::Required, ToolChoice::Function("f".into())] {
            let wire = serde_json::to_value(&choice).unwrap();
            assert_eq!(serde_json::from_value::<ToolChoice>(wire).unwrap(), choice);
        }
        assert!(serde_json::from_value::<ToolChoice>(json!("sometimes")).is_err());
        assert!(serde_json::from_value::<Tool>(json!({"type": "web_search", "function": {"name": "f"}})).is_err());
    }

    #[test]
    fn arguments_may_be_json_and_are_checked_when_read() {
        let wire = json!({"function": {"name": "f", "arguments": {"a": 1}}});
        let call: ToolCall = serde_json::from_value(wire).unwrap();
        assert_eq!(call.arguments_json().unwrap(), json!({"a": 1}));
        assert_eq!(ToolCall::new("", "f", "").arguments_json().unwrap(), json!({}));
        let cut = ToolCall::new("", "f", "{\"a\": ").arguments_json().unwrap_err();
        assert!(matches!(cut, ChatError::Arguments { call, .. } if call == "f"));
    }
}
