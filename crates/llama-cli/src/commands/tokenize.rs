//! `llama-cli tokenize`: text to token ids.

use std::path::PathBuf;

use clap::Args;
use llama_core::{AddSpecial, Model, ModelParams, Specials, Token};

use crate::{demo, ui};

/// Print the tokens of a text as a JSON array of ids.
///
/// Only the vocabulary of the model is loaded, so vocab-only files work too.
#[derive(Debug, Args)]
pub(crate) struct TokenizeArgs {
    /// The model: a GGUF file [default: the built-in demo model]
    #[arg(short, long, value_name = "FILE")]
    model: Option<PathBuf>,

    /// Do not add the special tokens (BOS, EOS) that the model wants around a text
    #[arg(long)]
    no_bos: bool,

    /// Take names of special tokens, such as `<|im_start|>`, as plain text
    #[arg(long)]
    no_parse_special: bool,

    /// The text [default: all of stdin, as it is]
    text: Option<String>,
}

/// Runs the command.
pub(crate) fn run(args: &TokenizeArgs) -> anyhow::Result<()> {
    let mut params = ModelParams::default();
    params.vocab_only = true;
    let model = match &args.model {
        Some(path) => Model::load(path, params)?,
        None => {
            demo::notice();
            Model::from_bytes(demo::IMAGE, params)?
        }
    };
    let stdin;
    let text = match &args.text {
        Some(text) => text,
        None => {
            if ui::stdin_is_terminal() {
                ui::note("Reading the text from stdin; Ctrl+D ends it.");
            }
            stdin = ui::stdin_text()?;
            &stdin
        }
    };
    let add = if args.no_bos { AddSpecial::Never } else { AddSpecial::AsModelWants };
    let specials = if args.no_parse_special { Specials::AsText } else { Specials::Parse };
    let tokens = model.vocab().tokenize_with(text, specials, add)?;
    let ids: Vec<i32> = tokens.into_iter().map(|Token(id)| id).collect();
    ui::result(&format!("{}\n", serde_json::to_string(&ids)?))?;
    Ok(())
}
