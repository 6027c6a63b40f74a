//! The prompt as the model gets it, for `--echo`, `--verbose-prompt` and `--prompt-cache-all`: the engine renders and
//! tokenizes the same way, and keeps the result to itself.

use llama_runtime::{Prompt, Request};

use crate::commands::template::source;
use crate::commands::tokenize;
use crate::settings::Effective;

/// The text that is tokenized for a request.
///
/// # Errors
///
/// When it cannot be rendered.
pub(super) fn text(effective: &Effective, request: &Request) -> anyhow::Result<String> {
    match &request.prompt {
        Prompt::Text(text) => Ok(text.clone()),
        Prompt::Chat(chat) => {
            let mut chat = (**chat).clone();
            // As the engine does: the structure holds from the first token of the answer.
            chat.reasoning.enabled &= request.structure.is_none();
            let template = source::of_model(effective, &tokenize::vocabulary(effective)?)?;
            Ok(template.render(&chat)?.prompt)
        }
        _ => Ok(String::new()),
    }
}

/// The tokens of a prompt, one per line, with how many they are.
///
/// # Errors
///
/// When it cannot be tokenized.
pub(super) fn tokens(effective: &Effective, text: &str) -> anyhow::Result<String> {
    let (count, list) = tokenize::of_prompt(effective, text)?;
    Ok(format!("prompt: {text:?}\ntokens of the prompt: {count}\n{}", list.trim_end()))
}
