//! Which template: the model's, one from the settings or the command line, or ChatML.

use std::path::PathBuf;

use anyhow::{anyhow, bail};
use clap::Args;
use llama_core::Model;
use llama_core::chat::ChatTemplate;

use crate::commands::tokenize;
use crate::settings::{Effective, SourceArgs};
use crate::ui;

/// Which model, and which template.
#[derive(Debug, Args)]
pub(crate) struct TemplateSource {
    /// A template in place of the model's: a file in Jinja's language
    #[arg(long, value_name = "FILE", conflicts_with = "chat_template")]
    chat_template_file: Option<PathBuf>,

    /// A template in place of the model's: its source, or `chatml`
    #[arg(long, value_name = "SOURCE", allow_hyphen_values = true)]
    chat_template: Option<String>,

    #[command(flatten)]
    model: SourceArgs,
}

/// Then what is rendered is not all that a model would get.
const NO_TOKENS: &str =
    "Without a model bos_token and eos_token are empty in the template; -m FILE gives it those of the model.";

/// A template, and the model it is for if there is one.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) template: ChatTemplate,
    pub(super) model: Option<Model>,
    pub(super) effective: Effective,
}

impl TemplateSource {
    /// Loads the template.
    ///
    /// # Errors
    ///
    /// What is wrong with the model or the template.
    pub(super) fn load(&self) -> anyhow::Result<Loaded> {
        let mut effective = self.model.resolve()?;
        let given = self.given()?;
        let named = effective.settings.model.path.is_some() || effective.settings.model.hf.is_some();
        if let Some((source, origin)) = given.as_ref().filter(|_| !named) {
            let template = ChatTemplate::from_source(source, "", "").map_err(|error| anyhow!("{origin}: {error}"))?;
            if ["bos_token", "eos_token"].iter().any(|name| source.contains(name)) {
                ui::note(NO_TOKENS);
            }
            return Ok(Loaded { template, model: None, effective });
        }
        tokenize::announce(&effective);
        let model = tokenize::vocabulary(&effective)?;
        let template = match given {
            Some((source, origin)) => {
                let template =
                    ChatTemplate::from_model_with(&model, &source).map_err(|error| anyhow!("{origin}: {error}"))?;
                effective.settings.chat.template = Some(source);
                template
            }
            None => of_model(&effective, &model)?,
        };
        Ok(Loaded { template, model: Some(model), effective })
    }

    /// The source on the command line, and where it is from.
    fn given(&self) -> anyhow::Result<Option<(String, String)>> {
        if let Some(path) = &self.chat_template_file {
            return Ok(Some((ui::file_text(path)?, path.display().to_string())));
        }
        let Some(source) = &self.chat_template else { return Ok(None) };
        if source == "chatml" {
            return Ok(Some((ChatTemplate::chatml()?.source().to_owned(), source.clone())));
        }
        if !source.contains('{') && !source.trim().is_empty() {
            bail!(
                "--chat-template {source}: there is no template of this name; give `chatml`, the source of a template, or \
                 a file with --chat-template-file"
            );
        }
        Ok(Some((source.clone(), "--chat-template".to_owned())))
    }
}

/// The template that the engine uses for a model: the one of the settings, or the model's own, or ChatML.
///
/// # Errors
///
/// What is wrong with it.
pub(crate) fn of_model(effective: &Effective, model: &Model) -> anyhow::Result<ChatTemplate> {
    let settings = &effective.settings;
    Ok(match settings.chat.template.as_ref().or(settings.hardware.weights.chat_template.as_ref()) {
        Some(source) => ChatTemplate::from_model_with(model, source)?,
        None => ChatTemplate::from_model(model)?,
    })
}
