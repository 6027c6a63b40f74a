//! A template, ready to render.

use super::error::{ChatError, Feature};
use super::native::{self, Origin, Templates};
use super::parser::Parsers;
use super::rendered::RenderedPrompt;
use super::request::{ChatRequest, ResponseFormat};
use crate::Model;
use serde::Deserialize;
use std::ffi::CString;
use std::ptr;
use std::sync::Arc;

/// What a template can show, found out by rendering probes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct TemplateCaps {
    /// The descriptions of tools.
    #[serde(rename = "supports_tools")]
    pub tools: bool,
    /// Calls that the assistant made.
    #[serde(rename = "supports_tool_calls")]
    pub tool_calls: bool,
    /// Several calls in one message.
    #[serde(rename = "supports_parallel_tool_calls")]
    pub parallel_tool_calls: bool,
    /// A system message; without, its text is put before the first user message.
    #[serde(rename = "supports_system_role")]
    pub system_role: bool,
    /// The thinking of earlier turns.
    #[serde(rename = "supports_preserve_reasoning")]
    pub preserve_reasoning: bool,
    /// How much to think.
    #[serde(rename = "supports_reasoning_effort")]
    pub reasoning_effort: bool,
    /// Content in several typed parts.
    #[serde(rename = "supports_typed_content")]
    pub typed_content: bool,
}

#[derive(Debug, Deserialize)]
struct Info {
    source: String,
    tool_use_source: String,
    explicit: bool,
    caps: TemplateCaps,
}

/// A compiled chat template. Cheap to clone; any thread may use it, also several at once.
#[derive(Debug, Clone)]
#[doc(alias = "common_chat_templates_init")]
pub struct ChatTemplate {
    templates: Arc<Templates>,
    info: Arc<Info>,
    parsers: Arc<Parsers>,
}

impl ChatTemplate {
    /// Compiles a template in Jinja's language. `bos` and `eos` are the texts of the tokens that the template may name
    /// as `bos_token` and `eos_token`; empty if there are none.
    ///
    /// # Errors
    ///
    /// [`ChatError::BadTemplate`] when it does not parse, [`ChatError::Limit`] when it does not come to an end.
    pub fn from_source(source: &str, bos: &str, eos: &str) -> Result<Self, ChatError> {
        let (source, bos, eos) = (checked(source)?, without_nul(bos)?, without_nul(eos)?);
        let origin = Origin { model: ptr::null(), source: Some(&source), bos: Some(&bos), eos: Some(&eos) };
        // SAFETY: no model is given.
        Self::new(unsafe { Templates::new(origin) }?)
    }

    /// The template that the model brings, or plain ChatML if it brings none ([`ChatTemplate::is_explicit`] tells).
    ///
    /// A model may bring a second template for requests with tools; it is then used for those.
    ///
    /// # Errors
    ///
    /// As [`ChatTemplate::from_source`].
    pub fn from_model(model: &Model) -> Result<Self, ChatError> {
        let origin = Origin { model: model.as_ptr(), source: None, bos: None, eos: None };
        // SAFETY: the reference keeps the model alive during the call, and nothing of it is kept.
        Self::new(unsafe { Templates::new(origin) }?)
    }

    /// Another template for a model: `source` is used, with the model's own begin and end tokens.
    ///
    /// # Errors
    ///
    /// As [`ChatTemplate::from_source`].
    pub fn from_model_with(model: &Model, source: &str) -> Result<Self, ChatError> {
        let source = checked(source)?;
        let origin = Origin { model: model.as_ptr(), source: Some(&source), bos: None, eos: None };
        // SAFETY: the reference keeps the model alive during the call, and nothing of it is kept.
        Self::new(unsafe { Templates::new(origin) }?)
    }

    /// Plain ChatML, which many models understand: what upstream uses for models without a template.
    ///
    /// # Errors
    ///
    /// [`ChatError::Thread`] when no thread can be started.
    pub fn chatml() -> Result<Self, ChatError> {
        let origin = Origin { model: ptr::null(), source: None, bos: None, eos: None };
        // SAFETY: no model is given.
        Self::new(unsafe { Templates::new(origin) }?)
    }

    fn new(templates: Templates) -> Result<Self, ChatError> {
        let info = serde_json::from_str(&templates.info()?).map_err(ChatError::Answer)?;
        Ok(Self { templates: Arc::new(templates), info: Arc::new(info), parsers: Arc::default() })
    }

    /// The source, with upstream's corrections of known mistakes.
    pub fn source(&self) -> &str {
        &self.info.source
    }

    /// The model's second template, for requests with tools, if it brings one.
    pub fn tool_use_source(&self) -> Option<&str> {
        (!self.info.tool_use_source.is_empty()).then_some(self.info.tool_use_source.as_str())
    }

    /// Whether the template was given, by the model or the caller; false for the stand-in of models without one.
    pub fn is_explicit(&self) -> bool {
        self.info.explicit
    }

    /// What the template can show.
    #[doc(alias = "common_chat_templates_get_caps")]
    pub fn caps(&self) -> TemplateCaps {
        self.info.caps
    }

    /// Renders a conversation, and prepares what is needed to constrain, stop and parse the answer.
    ///
    /// The first time takes milliseconds: upstream renders many small probes to find out the formats of the template. What
    /// does not depend on the messages is remembered, for the last 16 different sets of tools, schema and settings and at most
    /// 4 MiB, so later times take a tenth of that; with tools, a third.
    ///
    /// # Errors
    ///
    /// [`ChatError::Unsupported`] when the template would leave tools out, [`ChatError::Raised`] when it refuses the
    /// messages, [`ChatError::Request`] and [`ChatError::Conflict`] for requests that make no sense,
    /// [`ChatError::Limit`] for templates without end, [`ChatError::Render`] for the rest.
    #[doc(alias = "common_chat_templates_apply")]
    pub fn render(&self, request: &ChatRequest) -> Result<RenderedPrompt, ChatError> {
        request.check()?;
        if !self.info.caps.tool_calls {
            if request.callable().next().is_some() {
                return Err(ChatError::Unsupported { feature: Feature::Tools });
            }
            if request.has_tool_history() {
                return Err(ChatError::Unsupported { feature: Feature::ToolHistory });
            }
        }
        let answer = self.templates.apply(&native::json_text(&request.to_wire())).map_err(|e| explain(e, request))?;
        let own_grammar = match &request.response {
            ResponseFormat::Grammar(gbnf) => Some(gbnf.as_str()),
            _ => None,
        };
        let rendered = RenderedPrompt::from_wire(&answer, own_grammar, Arc::clone(&self.parsers))?;
        // The probes can be wrong about a template; the prompt cannot.
        if request.callable().any(|tool| !rendered.prompt.contains(tool.name.as_str())) {
            return Err(ChatError::Unsupported { feature: Feature::Tools });
        }
        Ok(rendered)
    }
}

/// Upstream takes an empty source for "none given".
fn checked(source: &str) -> Result<CString, ChatError> {
    if source.trim().is_empty() {
        return Err(ChatError::BadTemplate { reason: "it is empty".to_owned() });
    }
    without_nul(source)
}

/// A template cannot hold NUL bytes: C would read only what stands before the first.
fn without_nul(text: &str) -> Result<CString, ChatError> {
    CString::new(text)
        .map_err(|nul| ChatError::BadTemplate { reason: format!("there is a NUL byte at {}", nul.nul_position()) })
}

/// Gives a failure of the rendering its variant. Upstream tells them apart by text only.
fn explain(error: ChatError, request: &ChatRequest) -> ChatError {
    let ChatError::Upstream(reason) = error else { return error };
    if let Some((_, message)) = reason.split_once("Jinja Exception: ") {
        return ChatError::Raised { message: message.trim().to_owned() };
    }
    if reason.contains("tool call arguments as JSON") {
        let calls = request.messages.iter().flat_map(|message| &message.tool_calls);
        if let Some(error) = calls.filter_map(|call| call.arguments_json().err()).next() {
            return error;
        }
    }
    ChatError::Render { reason }
}

/// Turns a JSON schema into a grammar in GBNF that allows what the schema does.
///
/// # Errors
///
/// [`ChatError::Request`] when the schema is not valid or uses what a grammar cannot say.
#[doc(alias = "json_schema_to_grammar")]
pub fn schema_to_grammar(schema: &serde_json::Value) -> Result<String, ChatError> {
    native::schema_to_grammar(&native::json_text(schema))
}
