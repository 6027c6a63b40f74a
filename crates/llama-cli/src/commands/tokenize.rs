//! `llama-cli tokenize`: text to token ids.

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use llama_core::{AddSpecial, Model, Specials, Token, Vocab};

use crate::settings::{Effective, SourceArgs};
use crate::{demo, hub, ui};

/// Print the tokens of a text as a JSON array of ids.
///
/// Only the vocabulary of the model is loaded, so vocab-only files work too.
#[derive(Debug, Args)]
pub(crate) struct TokenizeArgs {
    /// Do not add the special tokens (BOS, EOS) that the model wants around a text
    #[arg(long)]
    no_bos: bool,

    /// Take names of special tokens, such as `<|im_start|>`, as plain text
    #[arg(long)]
    no_parse_special: bool,

    /// Print each token on a line of its own, with its text, instead of JSON
    #[arg(long)]
    pieces: bool,

    /// Print how many tokens there are on stderr
    #[arg(long)]
    show_count: bool,

    /// Read the text from a file, as it is, - for stdin
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["text", "prompt"])]
    file: Option<PathBuf>,

    /// The text, also where it begins with a dash
    #[arg(short, long, value_name = "TEXT", allow_hyphen_values = true, conflicts_with = "text")]
    prompt: Option<String>,

    /// The text [default: all of stdin, as it is]
    text: Option<String>,

    #[command(flatten)]
    source: SourceArgs,
}

/// Runs the command.
pub(crate) fn run(args: &TokenizeArgs) -> anyhow::Result<()> {
    let effective = args.source.resolve()?;
    announce(&effective);
    let model = vocabulary(&effective)?;
    let text = args.read()?;
    let add = if args.no_bos { AddSpecial::Never } else { AddSpecial::AsModelWants };
    let specials = if args.no_parse_special { Specials::AsText } else { Specials::Parse };
    let vocab = model.vocab();
    let tokens = vocab.tokenize_with(&text, specials, add)?;
    if args.show_count {
        ui::note(&format!("tokens: {}", tokens.len()));
    }
    if args.pieces {
        ui::result(&listed(&vocab, &tokens)?)?;
        return Ok(());
    }
    let ids: Vec<i32> = tokens.into_iter().map(|Token(id)| id).collect();
    ui::result(&format!("{}\n", serde_json::to_string(&ids)?))?;
    Ok(())
}

impl TokenizeArgs {
    fn read(&self) -> anyhow::Result<String> {
        match (self.text.as_ref().or(self.prompt.as_ref()), &self.file) {
            (Some(text), _) => Ok(text.clone()),
            (None, Some(path)) if path.as_os_str() != "-" => ui::file_text(path),
            _ => {
                if ui::stdin_is_terminal() {
                    ui::note("Reading the text from stdin; Ctrl+D ends it.");
                }
                ui::stdin_text()
            }
        }
    }
}

/// Says so where the demo model is meant.
pub(crate) fn announce(effective: &Effective) {
    let source = &effective.settings.model;
    if source.path.is_none() && source.hf.is_none() {
        demo::notice();
    }
}

/// The vocabulary and the metadata of the model that was asked for, or of the demo model; no weights.
///
/// # Errors
///
/// Why there is no such model.
pub(crate) fn vocabulary(effective: &Effective) -> anyhow::Result<Model> {
    // As the engine loads it: what replaces metadata can change how text is tokenized.
    let mut params = effective.settings.hardware.weights.to_params();
    params.vocab_only = true;
    let source = &effective.settings.model;
    Ok(match (&source.path, &source.hf) {
        (Some(path), _) => Model::load(path, params)?,
        (None, Some(repo)) => Model::load(hub::locate(source, repo)?, params)?,
        (None, None) => Model::from_bytes(demo::IMAGE, params)?,
    })
}

/// The tokens of a prompt as the engine makes them: how many, and one line for each.
///
/// # Errors
///
/// Those of the model and of its vocabulary.
pub(crate) fn of_prompt(effective: &Effective, text: &str) -> anyhow::Result<(usize, String)> {
    let model = vocabulary(effective)?;
    let vocab = model.vocab();
    let tokens = vocab.tokenize_with(text, Specials::Parse, AddSpecial::AsModelWants)?;
    Ok((tokens.len(), listed(&vocab, &tokens)?))
}

/// One line per token: its id and its text. Bytes that are no text are escaped.
fn listed(vocab: &Vocab<'_>, tokens: &[Token]) -> anyhow::Result<String> {
    let mut out = String::new();
    for token in tokens {
        let piece = vocab.piece(*token, Specials::Parse)?;
        match std::str::from_utf8(&piece) {
            Ok(text) => writeln!(out, "{:>6} -> {text:?}", token.0),
            Err(_) => writeln!(out, "{:>6} -> \"{}\"", token.0, piece.escape_ascii()),
        }
        .context("cannot list the tokens")?;
    }
    Ok(out)
}
