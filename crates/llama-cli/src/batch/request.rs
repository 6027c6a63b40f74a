//! From the fields of a line to a [`Request`]: what our format and OpenAI's have in common.

use std::path::Path;

use llama_runtime::{
    ChatRequest, Content, Defaults, Message, ModelInfo, Prompt, Reasoning, Request, Role, Structure, Token, Tool,
    ToolChoice,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::fields::{Fields, bad, parse};
use super::problem::Problem;
use super::sampling;
use crate::settings::{Effective, adapter_name};

/// Fields that say nothing of a raw prompt.
const CHAT_ONLY: [&str; 7] = [
    "tools",
    "tool_choice",
    "reasoning",
    "reasoning_effort",
    "reasoning_budget",
    "template_args",
    "chat_template_kwargs",
];

/// What the settings of the job say where a line says nothing.
#[derive(Debug)]
pub(super) struct Base {
    pub(super) effective: Effective,
    pub(super) info: ModelInfo,
    /// Prompts are continued as they are.
    pub(super) raw: bool,
}

/// What a line wants to be continued.
#[derive(Debug)]
pub(super) enum Words {
    /// As it is.
    Raw(Prompt),
    /// A conversation.
    Chat(Vec<Message>),
}

impl Base {
    /// A prompt without any settings of its own.
    pub(super) fn prompt(&self, text: String) -> Request {
        let words = self.words(text, None, None);
        match words {
            Words::Raw(prompt) => self.effective.request(prompt, &self.info),
            Words::Chat(messages) => self.effective.request(self.effective.chat_request(messages), &self.info),
        }
    }

    /// Takes the fields of a request that says nothing to answer: a mistyped name is the likelier mistake, and is left.
    pub(super) fn pass_over(&self, fields: &mut Fields) -> Result<(), Problem> {
        self.request(fields, Words::Chat(vec![Message::user("")])).map(|_| ())
    }

    /// How a prompt is meant: as a message, where there is a template for it.
    pub(super) fn words(&self, text: String, system: Option<String>, raw: Option<bool>) -> Words {
        let templated =
            self.info.has_chat_template || system.is_some() || self.effective.settings.chat.template.is_some();
        if raw.unwrap_or(self.raw || !templated) {
            return Words::Raw(Prompt::Text(text));
        }
        Words::Chat(self.with_system(vec![Message::user(text)], system))
    }

    /// The system prompt of the line, else of the conversation itself, else of the settings.
    pub(super) fn with_system(&self, mut messages: Vec<Message>, system: Option<String>) -> Vec<Message> {
        let has_one = messages.first().is_some_and(|first| matches!(first.role, Role::System | Role::Developer));
        let configured = self.effective.settings.chat.system.clone().filter(|_| !has_one);
        if let Some(text) = system.or(configured) {
            messages.insert(0, Message::system(text));
        }
        messages
    }

    /// The request of a line. Fields that mean something else are left.
    pub(super) fn request(&self, fields: &mut Fields, words: Words) -> Result<Request, Problem> {
        let prompt = match words {
            Words::Raw(prompt) => {
                if let Some(name) = CHAT_ONLY.iter().find(|name| fields.has(name)) {
                    return Err(bad(format!("`{name}` needs a chat; a raw prompt has no place for it")));
                }
                prompt
            }
            Words::Chat(messages) => self.chat(fields, messages)?.into(),
        };
        let mut request = self.effective.request(prompt, &self.info);
        if let Some(params) = &mut request.sampling {
            sampling::take(fields, params)?;
        }
        length(fields, &mut request)?;
        if let Some(structure) = structure(fields)? {
            request.structure = structure;
        }
        if let Some(choices) = fields.read(&["choices", "n"])? {
            request.choices = choices;
        }
        request.logprobs = logprobs(fields)?;
        if let Some((name, value)) = fields.take(&["reasoning_budget"])? {
            request.reasoning_budget = if value == -1 { None } else { Some(parse(name, value)?) };
        }
        if let Some(message) = fields.read(&["reasoning_budget_message"])? {
            request.reasoning_budget_message = message;
        }
        request.priority = fields.read(&["priority"])?;
        if let Some((_, value)) = fields.take(&["deadline"])? {
            let read: Defaults = parse("deadline", json!({ "total_deadline": value }))?;
            request.deadlines.total = Some(read.total_deadline);
        }
        if let Some(wanted) = fields.read::<Vec<AdapterField>>(&["adapters", "lora"])? {
            request.adapters = wanted.iter().map(|wanted| self.adapter(wanted)).collect::<Result<_, _>>()?;
        }
        Ok(request)
    }

    fn chat(&self, fields: &mut Fields, messages: Vec<Message>) -> Result<ChatRequest, Problem> {
        if messages.is_empty() {
            return Err(bad("`messages` is empty; give at least one message"));
        }
        let mut chat = self.effective.chat_request(messages);
        if let Some(tools) = fields.read::<Vec<Tool>>(&["tools"])? {
            chat.tools = tools;
        }
        if let Some(choice) = fields.read::<ToolChoice>(&["tool_choice"])? {
            chat.tool_choice = choice;
        }
        if let Some(parallel) = fields.read(&["parallel_tool_calls"])? {
            // Clients send it with requests that have no tools.
            chat.parallel_tool_calls = parallel;
        }
        if let Some((_, value)) = fields.take(&["reasoning"])? {
            reasoning(&value, &mut chat.reasoning)?;
        }
        if let Some(effort) = fields.read(&["reasoning_effort"])? {
            chat.reasoning.effort = Some(effort);
        }
        if let Some(args) = fields.read::<serde_json::Map<String, Value>>(&["template_args", "chat_template_kwargs"])? {
            chat.template_args.extend(args);
        }
        Ok(chat)
    }

    fn adapter(&self, wanted: &AdapterField) -> Result<(String, f32), Problem> {
        let known = &self.effective.settings.model.adapters;
        let same =
            |path: &Path, name: &str| path == Path::new(name) || path.file_stem().is_some_and(|stem| stem == name);
        let place = match &wanted.id {
            Value::Number(number) => {
                number.as_u64().and_then(|id| usize::try_from(id).ok()).filter(|id| *id < known.len())
            }
            Value::String(name) => known.iter().position(|adapter| same(&adapter.path, name)),
            _ => None,
        };
        let place = place.ok_or_else(|| {
            let names: Vec<_> = known.iter().map(|adapter| adapter.path.display().to_string()).collect();
            let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            bad(format!("`adapters`: the job has no adapter {}; it has {names}", wanted.id))
        })?;
        Ok((adapter_name(place), wanted.scale))
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AdapterField {
    /// Its place among those of the job, from 0, or its file.
    #[serde(alias = "path", alias = "name")]
    id: Value,
    #[serde(default = "one")]
    scale: f32,
}

fn one() -> f32 {
    1.0
}

/// A conversation.
pub(super) fn messages(name: &'static str, value: Value) -> Result<Vec<Message>, Problem> {
    let Value::Array(list) = value else { return Err(bad(format!("`{name}` is no array of messages"))) };
    let read = |(i, value): (usize, Value)| {
        for (j, part) in value["content"].as_array().into_iter().flatten().enumerate() {
            if part["type"] != "text" {
                let kind = part["type"].as_str().unwrap_or("unknown");
                return Err(bad(format!("`{name}[{i}].content[{j}]` is of type {kind}; only text is supported")));
            }
        }
        let wrong_content =
            !matches!(value.get("content"), None | Some(Value::Null | Value::String(_) | Value::Array(_)));
        if wrong_content {
            return Err(bad(format!("`{name}[{i}].content` is neither a text nor an array of parts")));
        }
        let says = ["content", "tool_calls", "reasoning_content"];
        if value.is_object() && !says.iter().any(|field| value.get(field).is_some()) {
            return Err(bad(format!("`{name}[{i}]` has no `content`")));
        }
        serde_json::from_value(value).map_err(|error| bad(format!("`{name}[{i}]`: {error}")))
    };
    list.into_iter().enumerate().map(read).collect()
}

/// A prompt as OpenAI's completions have it: a text, a list with one text, or tokens.
pub(super) fn prompt(value: Value) -> Result<Prompt, Problem> {
    let wrong = || bad("`prompt` has to be a text or an array of tokens; several prompts need a line each");
    match value {
        Value::String(text) => Ok(Prompt::Text(text)),
        Value::Array(list) if list.len() == 1 && list[0].is_string() => {
            Ok(Prompt::Text(list[0].as_str().unwrap_or_default().to_owned()))
        }
        Value::Array(list) => {
            let token = |item: &Value| item.as_i64().and_then(|id| i32::try_from(id).ok()).map(Token);
            list.iter().map(token).collect::<Option<Vec<_>>>().map(Prompt::Tokens).ok_or_else(wrong)
        }
        _ => Err(wrong()),
    }
}

fn length(fields: &mut Fields, request: &mut Request) -> Result<(), Problem> {
    if let Some((name, value)) = fields.take(&["max_tokens", "n_predict", "max_completion_tokens"])? {
        request.max_tokens = match value.as_i64() {
            Some(-1) => None,
            Some(tokens) if tokens > 0 => usize::try_from(tokens).ok(),
            _ => return Err(bad(format!("`{name}` is {value}, and must be -1 or the number of tokens, at least 1"))),
        };
    }
    if let Some((_, value)) = fields.take(&["stop"])? {
        request.stop = match value {
            Value::String(text) => vec![text],
            list => parse("stop", list)?,
        };
    }
    Ok(())
}

/// `Some(None)` is any text, whatever the settings of the job say.
fn structure(fields: &mut Fields) -> Result<Option<Option<Structure>>, Problem> {
    let mut found: Vec<(&str, Option<Structure>)> = Vec::new();
    if let Some((name, value)) = fields.take(&["grammar"])? {
        found.push((name, Some(Structure::gbnf(parse::<String>(name, value)?))));
    }
    if let Some((name, value)) = fields.take(&["regex"])? {
        found.push((name, Some(Structure::regex(parse::<String>(name, value)?))));
    }
    if let Some((name, schema)) = fields.take(&["json_schema"])? {
        found.push((name, Some(Structure::json_schema(schema))));
    }
    if let Some((name, value)) = fields.take(&["response_format"])? {
        found.push((name, response_format(&value)?));
    }
    if let [(first, _), (second, _), ..] = &found[..] {
        return Err(bad(format!("`{first}` and `{second}` cannot be asked for together; give one of them")));
    }
    Ok(found.pop().map(|(_, structure)| structure))
}

fn response_format(value: &Value) -> Result<Option<Structure>, Problem> {
    // Upstream's server has the schema beside the type, OpenAI's one level further in.
    let schema = value["json_schema"].get("schema").or_else(|| value.get("schema"));
    match (value["type"].as_str(), schema) {
        (Some("text"), _) => Ok(None),
        (Some("json_object"), None) => Ok(Some(Structure::json_object())),
        (Some("json_object" | "json_schema"), Some(schema)) => Ok(Some(Structure::json_schema(schema.clone()))),
        (Some("json_schema"), None) => Err(bad("`response_format` needs its schema in `json_schema.schema`")),
        _ => Err(bad(format!(
            "`response_format.type` is {}, and must be \"text\", \"json_object\" or \"json_schema\"",
            value["type"]
        ))),
    }
}

/// A number of alternatives, or `true` and `top_logprobs`.
fn logprobs(fields: &mut Fields) -> Result<Option<usize>, Problem> {
    let top: Option<usize> = fields.read(&["top_logprobs"])?;
    match fields.take(&["logprobs"])? {
        None | Some((_, Value::Bool(false))) if top.unwrap_or(0) > 0 => {
            Err(bad("`top_logprobs` needs `logprobs`: true"))
        }
        None | Some((_, Value::Bool(false))) => Ok(None),
        Some((_, Value::Bool(true))) => Ok(Some(top.unwrap_or(0))),
        Some((name, value)) => parse(name, value).map(Some),
    }
}

/// `true`, `"off"` or `{"enabled": true, "split": false, "effort": "low"}`.
fn reasoning(value: &Value, wanted: &mut Reasoning) -> Result<(), Problem> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Field {
        enabled: Option<bool>,
        split: Option<bool>,
        effort: Option<String>,
    }
    match value {
        Value::Bool(enabled) => wanted.enabled = *enabled,
        Value::String(text) if text == "on" || text == "auto" => wanted.enabled = true,
        Value::String(text) if text == "off" => wanted.enabled = false,
        Value::Object(_) => {
            let field: Field = parse("reasoning", value.clone())?;
            wanted.enabled = field.enabled.unwrap_or(wanted.enabled);
            wanted.split = field.split.unwrap_or(wanted.split);
            wanted.effort = field.effort.or(wanted.effort.take());
        }
        other => {
            return Err(bad(format!("`reasoning` is {other}, and must be true, false, \"on\", \"off\" or an object")));
        }
    }
    Ok(())
}

/// The beginning of what a request has computed, up to `limit` bytes: requests with the same one share work. What the
/// template puts before the messages is the same for the same tools and adapters.
pub(super) fn beginning(request: &Request, limit: usize) -> String {
    let mut text = String::new();
    for (name, scale) in &request.adapters {
        text.push_str(&format!("{name}*{scale}\n"));
    }
    match &request.prompt {
        Prompt::Text(prompt) => text.push_str(prompt.get(..prompt.floor_char_boundary(limit)).unwrap_or_default()),
        Prompt::Chat(chat) => {
            for tool in &chat.tools {
                text.push_str(&tool.name);
                text.push('\n');
            }
            for message in &chat.messages {
                if text.len() >= limit {
                    break;
                }
                text.push_str(&format!("{:?} ", message.role));
                match &message.content {
                    Content::Text(content) => text.push_str(&content[..content.floor_char_boundary(limit)]),
                    parts => text.push_str(&parts.to_text()),
                }
                text.push('\n');
            }
        }
        Prompt::Tokens(tokens) => {
            for token in tokens.iter().take(limit / 8) {
                text.push_str(&format!("{:08x}", token.0));
            }
        }
        _ => {}
    }
    text.truncate(text.floor_char_boundary(limit));
    text
}
