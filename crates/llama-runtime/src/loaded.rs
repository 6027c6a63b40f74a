//! What the engine thread tells about its model once it is ready: [`Loaded`].

use llama_core::Model;
use llama_core::chat::ChatTemplate;

/// What callers need to prepare requests on their own threads.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) model: Model,
    /// The reason, where the model's template is broken: it can still be used without one.
    pub(crate) template: Result<ChatTemplate, String>,
    /// Whether the model brings the template, broken or not.
    pub(crate) has_template: bool,
    /// Tokens the context holds.
    pub(crate) capacity: usize,
}

impl Loaded {
    pub(crate) fn new(model: Model, capacity: usize) -> Self {
        let has_template = model.chat_template(None).is_some();
        let template = ChatTemplate::from_model(&model).map_err(|error| error.to_string());
        Self { model, template, has_template, capacity }
    }
}
