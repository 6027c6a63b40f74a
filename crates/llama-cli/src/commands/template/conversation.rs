//! What is rendered: a conversation from a file, and how to go on with it.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use llama_core::chat::{ChatRequest, Message, ResponseFormat, ToolChoice};
use serde_json::{Map, Value, json};

use super::tools::{self, ToolArgs};
use super::wire::{self, Place};
use crate::settings::Effective;

/// A conversation, and how to go on with it.
#[derive(Debug, Args)]
pub(super) struct ConversationArgs {
    /// The conversation: a JSON array of OpenAI's messages, or a whole request with `messages`; - for stdin
    #[arg(long, value_name = "FILE")]
    pub(super) messages: Option<PathBuf>,

    #[command(flatten)]
    pub(super) tools: ToolArgs,

    /// Render the conversation as it is, without the beginning of an answer
    #[arg(long)]
    no_generation_prompt: bool,

    /// Ask the model to think before it answers, where its template lets one choose [default: as configured]
    #[arg(long, value_name = "WHEN")]
    reasoning: Option<When>,

    /// How much to think: `low`, `medium`, `high`, for templates that know it
    #[arg(long, value_name = "EFFORT")]
    reasoning_effort: Option<String>,

    /// More variables for the template: a JSON object
    #[arg(long, value_name = "JSON")]
    chat_template_kwargs: Option<String>,

    /// The time that the template is told, in seconds since 1970 [default: now]
    #[arg(long, value_name = "SECONDS")]
    now: Option<u64>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum When {
    On,
    Off,
    /// As the template wants.
    Auto,
}

impl ConversationArgs {
    /// Whether stdin is read for it.
    pub(super) fn takes_stdin(&self) -> bool {
        [&self.messages, &self.tools.tools].into_iter().flatten().any(|path| path.as_os_str() == "-")
    }

    /// The request, as chat and run make it from the same settings. Without a file it is one short question.
    ///
    /// # Errors
    ///
    /// The place of what is wrong.
    pub(super) fn request(&self, effective: &Effective) -> anyhow::Result<ChatRequest> {
        let both = [&self.messages, &self.tools.tools].into_iter().flatten().filter(|path| path.as_os_str() == "-");
        if both.count() > 1 {
            bail!("--messages and --tools cannot both be stdin; name a file for one of them");
        }
        let mut chat = match &self.messages {
            Some(path) => from_file(path, effective)?,
            None => effective.chat_request([Message::user("Hello")]),
        };
        tools::offer(&mut chat, &self.tools)?;
        match self.reasoning {
            Some(When::On | When::Auto) => chat.reasoning.enabled = true,
            Some(When::Off) => chat.reasoning.enabled = false,
            None => {}
        }
        if let Some(effort) = &self.reasoning_effort {
            chat.reasoning.effort = Some(effort.clone());
        }
        if let Some(text) = &self.chat_template_kwargs {
            chat.template_args.extend(variables(text)?);
        }
        chat.add_generation_prompt = !self.no_generation_prompt;
        chat.now = self.now;
        Ok(chat)
    }
}

fn variables(text: &str) -> anyhow::Result<Map<String, Value>> {
    let value: Value = serde_json::from_str(text).context("--chat-template-kwargs is not valid JSON")?;
    match value {
        Value::Object(variables) => Ok(variables),
        _ => bail!("--chat-template-kwargs must be a JSON object, such as '{{\"name\": \"value\"}}'"),
    }
}

fn from_file(path: &Path, effective: &Effective) -> anyhow::Result<ChatRequest> {
    let (value, name) = wire::file(path)?;
    let root = Place::root(&name);
    let Value::Object(body) = &value else {
        return Ok(effective.chat_request(wire::messages(&value, &root)?));
    };
    let Some(messages) = body.get("messages") else {
        bail!("{root} has no `messages`; give an array of messages, or an object with `messages`");
    };
    let mut chat = effective.chat_request(wire::messages(messages, &root.field("messages"))?);
    if let Some(list) = body.get("tools").filter(|list| !list.is_null()) {
        chat.tools = wire::tools(list, &root.field("tools"))?;
    }
    if let Some(choice) = body.get("tool_choice").filter(|choice| !choice.is_null()) {
        let place = root.field("tool_choice");
        chat.tool_choice = match serde_json::from_value::<ToolChoice>(choice.clone()) {
            Ok(choice) => choice,
            Err(_) => place.is_not(choice, "\"auto\", \"none\", \"required\" or an object that names a function")?,
        };
    }
    match body.get("parallel_tool_calls") {
        None | Some(Value::Null) => {}
        Some(Value::Bool(parallel)) => chat.parallel_tool_calls = *parallel,
        Some(other) => root.field("parallel_tool_calls").is_not(other, "true or false")?,
    }
    match body.get("reasoning_effort") {
        None | Some(Value::Null) => {}
        Some(Value::String(effort)) => chat.reasoning.effort = Some(effort.clone()),
        Some(other) => root.field("reasoning_effort").is_not(other, "a text")?,
    }
    match body.get("chat_template_kwargs") {
        None | Some(Value::Null) => {}
        Some(Value::Object(variables)) => chat.template_args.extend(variables.clone()),
        Some(other) => root.field("chat_template_kwargs").is_not(other, "an object")?,
    }
    if let Some(format) = body.get("response_format").filter(|format| !format.is_null()) {
        chat.response = response_format(format, &root.field("response_format"))?;
    }
    Ok(chat)
}

fn response_format(format: &Value, place: &Place) -> anyhow::Result<ResponseFormat> {
    match format["type"].as_str() {
        Some("text") => Ok(ResponseFormat::Text),
        Some("json_object") => Ok(ResponseFormat::JsonSchema(json!({"type": "object"}))),
        Some("json_schema") => {
            let schema = &format["json_schema"]["schema"];
            if !schema.is_object() {
                place.field("json_schema.schema").is_not(schema, "a JSON schema object")?;
            }
            Ok(ResponseFormat::JsonSchema(schema.clone()))
        }
        _ => place.field("type").is_not(&format["type"], "\"text\", \"json_object\" or \"json_schema\""),
    }
}
