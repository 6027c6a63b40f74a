//! What to render.

use super::error::ChatError;
use super::message::{Message, Role};
use super::tool::{Tool, ToolChoice};
use serde_json::{Map, Value, json};

/// How to treat a model that thinks before it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reasoning {
    /// Ask for thinking, where the template lets one choose. Default: true.
    pub enabled: bool,
    /// Split the thinking off into [`AssistantMessage::reasoning`](super::AssistantMessage::reasoning) instead of
    /// leaving it in the content with its tags. Default: true.
    pub split: bool,
    /// How much to think (`low`, `medium`, `high`), for templates that know it. Default: the template's own.
    pub effort: Option<String>,
}

impl Default for Reasoning {
    fn default() -> Self {
        Self { enabled: true, split: true, effort: None }
    }
}

/// What the answer has to look like.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub enum ResponseFormat {
    /// Anything.
    #[default]
    Text,
    /// JSON that follows this schema.
    JsonSchema(Value),
    /// Text that follows this grammar, in GBNF.
    Grammar(String),
}

/// Which part of a last assistant message the model is to go on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Continuation {
    /// The reasoning if the message has nothing else, else the content.
    Auto,
    /// The content.
    Content,
    /// The reasoning.
    Reasoning,
}

/// A conversation and how to go on with it. [`ChatRequest::new`] asks for an ordinary answer.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ChatRequest {
    /// The conversation so far.
    pub messages: Vec<Message>,
    /// What the model may call.
    pub tools: Vec<Tool>,
    /// Whether it may. Default: auto.
    pub tool_choice: ToolChoice,
    /// Several calls in one answer. Default: false.
    pub parallel_tool_calls: bool,
    /// Default: thinking on, split off.
    pub reasoning: Reasoning,
    /// Default: anything.
    pub response: ResponseFormat,
    /// End the prompt where the assistant begins to speak. Default: true; false to render a conversation as it is.
    pub add_generation_prompt: bool,
    /// Go on with the last message, which is the assistant's, instead of starting a new one. Default: no.
    pub continue_final: Option<Continuation>,
    /// More variables for the template, such as `custom_instructions` or `documents`.
    pub template_args: Map<String, Value>,
    /// Seconds since 1970 that the template is told as the current time. Default: the clock.
    pub now: Option<u64>,
}

impl ChatRequest {
    /// Asks for an answer to `messages`.
    pub fn new(messages: impl IntoIterator<Item = Message>) -> Self {
        Self {
            messages: messages.into_iter().collect(),
            tools: Vec::new(),
            tool_choice: ToolChoice::Auto,
            parallel_tool_calls: false,
            reasoning: Reasoning::default(),
            response: ResponseFormat::Text,
            add_generation_prompt: true,
            continue_final: None,
            template_args: Map::new(),
            now: None,
        }
    }

    /// Offers tools.
    #[must_use]
    pub fn tools(mut self, tools: impl IntoIterator<Item = Tool>) -> Self {
        self.tools.extend(tools);
        self
    }

    /// Whether tools may be called.
    #[must_use]
    pub fn tool_choice(mut self, choice: ToolChoice) -> Self {
        self.tool_choice = choice;
        self
    }

    /// Whether several calls may come in one answer.
    #[must_use]
    pub fn parallel_tool_calls(mut self, parallel: bool) -> Self {
        self.parallel_tool_calls = parallel;
        self
    }

    /// How to treat thinking.
    #[must_use]
    pub fn reasoning(mut self, reasoning: Reasoning) -> Self {
        self.reasoning = reasoning;
        self
    }

    /// What the answer has to look like.
    #[must_use]
    pub fn response(mut self, response: ResponseFormat) -> Self {
        self.response = response;
        self
    }

    /// Sets one more variable of the template.
    #[must_use]
    pub fn template_arg(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.template_args.insert(name.into(), value.into());
        self
    }

    /// The time that the template is told, in seconds since 1970.
    #[must_use]
    pub fn at(mut self, seconds: u64) -> Self {
        self.now = Some(seconds);
        self
    }

    /// Tools that the model may really call.
    pub(super) fn callable(&self) -> impl Iterator<Item = &Tool> {
        let none = self.tool_choice == ToolChoice::None;
        self.offered().filter(move |_| !none)
    }

    /// Tools to show: a named choice shows only the one.
    fn offered(&self) -> impl Iterator<Item = &Tool> {
        self.tools.iter().filter(|tool| match &self.tool_choice {
            ToolChoice::Function(name) => tool.name == *name,
            _ => true,
        })
    }

    pub(super) fn has_tool_history(&self) -> bool {
        self.messages.iter().any(|message| message.role == Role::Tool || !message.tool_calls.is_empty())
    }

    /// Finds what upstream would drop without a word or fail on without saying where.
    pub(super) fn check(&self) -> Result<(), ChatError> {
        let refuse = |reason: String| Err(ChatError::Request { reason });
        if self.callable().next().is_some() {
            match self.response {
                ResponseFormat::Text => {}
                ResponseFormat::JsonSchema(_) => {
                    return Err(ChatError::Conflict { first: "tools", second: "a response schema" });
                }
                ResponseFormat::Grammar(_) => {
                    return Err(ChatError::Conflict { first: "tools", second: "a grammar" });
                }
            }
        } else if let ToolChoice::Function(name) = &self.tool_choice {
            return refuse(format!("tool_choice names {name:?}, which is not among the tools"));
        } else if self.tool_choice == ToolChoice::Required {
            return refuse("tool_choice is required, but there are no tools".to_owned());
        }
        if let ResponseFormat::JsonSchema(schema) = &self.response
            && !schema.is_object()
        {
            return refuse("the response schema is not a JSON object".to_owned());
        }
        for (i, tool) in self.tools.iter().enumerate() {
            if tool.name.is_empty() || !tool.parameters.is_object() {
                return refuse(format!("tool {i} needs a name, and a JSON schema object as its parameters"));
            }
        }
        if self.continue_final.is_some() && self.messages.last().is_none_or(|last| last.role != Role::Assistant) {
            return refuse("only a last message of the assistant can be continued".to_owned());
        }
        Ok(())
    }

    /// The inputs of `lrs_chat_apply`.
    pub(super) fn to_wire(&self) -> Value {
        let mut wire = json!({
            "messages": self.messages.iter().map(message_wire).collect::<Vec<_>>(),
            "tool_choice": match self.tool_choice {
                ToolChoice::Auto => "auto",
                ToolChoice::None => "none",
                ToolChoice::Required | ToolChoice::Function(_) => "required",
            },
            "parallel_tool_calls": self.parallel_tool_calls,
            "add_generation_prompt": self.add_generation_prompt,
            "enable_thinking": self.reasoning.enabled,
            "reasoning_format": if self.reasoning.split { "auto" } else { "none" },
        });
        let tools: Vec<_> = self.offered().collect();
        if !tools.is_empty() {
            wire["tools"] = json!(tools);
        }
        if let ResponseFormat::JsonSchema(schema) = &self.response {
            wire["json_schema"] = schema.clone();
        }
        if let Some(part) = self.continue_final {
            wire["continue_final_message"] = match part {
                Continuation::Auto => Value::Bool(true),
                Continuation::Content => Value::from("content"),
                Continuation::Reasoning => Value::from("reasoning_content"),
            };
        }
        if let Some(now) = self.now {
            wire["now"] = Value::from(now);
        }
        let mut args = self.template_args.clone();
        if let Some(effort) = &self.reasoning.effort {
            args.entry("reasoning_effort").or_insert_with(|| Value::from(effort.as_str()));
        }
        wire["chat_template_kwargs"] = Value::Object(args);
        wire
    }
}

/// A call without arguments is written as an empty object: templates that read the arguments demand JSON.
fn message_wire(message: &Message) -> Value {
    let mut wire = json!(message);
    if let Some(calls) = wire.get_mut("tool_calls").and_then(Value::as_array_mut) {
        for call in calls {
            let arguments = &mut call["function"]["arguments"];
            if arguments.as_str().is_some_and(|text| text.trim().is_empty()) {
                *arguments = Value::from("{}");
            }
        }
    }
    wire
}
