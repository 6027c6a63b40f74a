//! Built-in chat templates by name.

use anyhow::bail;

use super::layers::Merged;
use super::{Settings, suggest};

/// ChatML: each message between `<|im_start|>` with its role and `<|im_end|>`.
const CHATML: &str = "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n\
                      {% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/// The names that upstream has formats for in its code, which is not Jinja and cannot be used here.
const UPSTREAM: [&str; 12] = [
    "llama2",
    "llama3",
    "llama4",
    "mistral-v1",
    "mistral-v3",
    "mistral-v7",
    "phi3",
    "phi4",
    "gemma",
    "zephyr",
    "vicuna",
    "deepseek",
];

/// Puts the source of a template in the place of its name.
///
/// # Errors
///
/// A name without a template.
pub(crate) fn resolve(settings: &mut Settings, merged: &Merged) -> anyhow::Result<()> {
    let Some(template) = settings.chat.template.as_deref() else { return Ok(()) };
    if settings.chat.template_file.is_some() || is_source(template) {
        return Ok(());
    }
    if template == "chatml" {
        settings.chat.template = Some(CHATML.to_owned());
        return Ok(());
    }
    let subject = merged.get("chat.template").map(super::layers::Entry::subject).unwrap_or_default();
    let known = UPSTREAM.contains(&template);
    let why = if known { "but of the built-in formats there is only chatml" } else { "must be chatml or Jinja source" };
    let nearest = suggest::did_you_mean(template, ["chatml"]).unwrap_or_default();
    bail!(
        "{subject}, {why}{nearest}; leave it out to use the model's own template, or give the source with --chat-template-file FILE"
    )
}

/// Names have neither braces nor spaces.
fn is_source(text: &str) -> bool {
    text.contains(['{', '\n', ' '])
}
