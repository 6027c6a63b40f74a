//! The chat template of a model, made ready beside its context: [`Template`].
//!
//! llama.cpp finds out what a template can do, and what the answers to it look like, by rendering many small conversations: some
//! milliseconds each time something new is asked of it. A context takes as long to make, so both are done at once, and the first
//! question of a chat finds its template warm.

use std::thread::{self, JoinHandle};

use llama_core::Model;
use llama_core::chat::{ChatRequest, ChatTemplate, Message};

/// The reason, where the template is broken.
type Made = Result<ChatTemplate, String>;

/// A template that is there, or on its way.
#[derive(Debug)]
pub(crate) enum Template {
    /// It stands in the configuration.
    Given(ChatTemplate),
    /// The model brings it.
    Own(Own),
}

impl Template {
    /// Starts to make the template that `model` brings.
    pub(crate) fn begin(model: &Model) -> Self {
        let own = model.clone();
        let thread = thread::Builder::new().name("llama-template".to_owned()).spawn(move || make(&own));
        Self::Own(Own { model: model.clone(), thread: thread.ok() })
    }

    /// Whether it stands in the configuration.
    pub(crate) fn is_given(&self) -> bool {
        matches!(self, Self::Given(_))
    }

    /// Waits for it.
    pub(crate) fn finish(self) -> Made {
        match self {
            Self::Given(template) => Ok(template),
            Self::Own(own) => own.finish(),
        }
    }
}

/// A template that a thread makes.
#[derive(Debug)]
pub(crate) struct Own {
    model: Model,
    /// `None` if the system has no thread left, and after the end.
    thread: Option<JoinHandle<Made>>,
}

impl Own {
    fn finish(mut self) -> Made {
        match self.thread.take() {
            Some(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            None => make(&self.model),
        }
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            // The weights go with the last user of the model: that has to be whoever asked for them. What became of the template
            // is of no interest any more.
            let _ = thread.join();
        }
    }
}

fn make(model: &Model) -> Made {
    let template = ChatTemplate::from_model(model).map_err(|error| error.to_string())?;
    // What it finds out is remembered. A template that cannot render this may be able to render what will be asked.
    let _ = template.render(&ChatRequest::new([Message::user("Hello")])).and_then(|rendered| rendered.parser());
    Ok(template)
}

#[cfg(test)]
mod tests {
    use llama_core::ModelParams;
    use llama_testkit::fixtures;

    use super::*;

    #[test]
    fn it_is_the_template_of_the_model() {
        let model = Model::load(fixtures::tiny_tools(), ModelParams::default()).unwrap();
        let chat = ChatRequest::new([Message::user("Hello there")]);
        let ahead = Template::begin(&model).finish().unwrap().render(&chat).unwrap();
        let here = ChatTemplate::from_model(&model).unwrap().render(&chat).unwrap();
        assert_eq!(ahead.prompt, here.prompt);
    }
}
