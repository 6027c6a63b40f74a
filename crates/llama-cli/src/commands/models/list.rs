//! `llama-cli models list`: what is in the cache.

use std::fmt::Write;
use std::time::UNIX_EPOCH;

use clap::Args;
use serde_json::{Value, json};

use crate::calendar::day;
use crate::hub::cache::Cache;
use crate::hub::contents::{self, Contents, Model, Unfinished};
use crate::hub::progress::bytes;
use crate::ui;

/// List the models in the cache, whoever downloaded them.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Print JSON; sizes are in bytes
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &ListArgs) -> anyhow::Result<()> {
    let cache = Cache::from_env()?;
    let contents = contents::scan(&cache)?;
    if args.json {
        ui::result(&(serde_json::to_string_pretty(&json(&contents))? + "\n"))?;
        return Ok(());
    }
    if contents.models.is_empty() && contents.unfinished.is_empty() {
        let root = cache.root.display();
        ui::note(&format!("No models in {root}. `llama-cli models pull user/repo` downloads one."));
    }
    ui::result(&table(&contents)?)?;
    Ok(())
}

fn table(contents: &Contents) -> Result<String, std::fmt::Error> {
    let models = contents.models.iter().map(row);
    let rows: Vec<[String; 4]> = models.chain(contents.unfinished.iter().map(unfinished_row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (names, sizes) = (width(0), width(1));
    let mut text = String::new();
    for [name, size, date, place] in &rows {
        writeln!(text, "{name:names$}  {size:>sizes$}  {date:10}  {place}")?;
    }
    Ok(text)
}

fn row(model: &Model) -> [String; 4] {
    let mut place = model.path().display().to_string();
    if !model.missing.is_empty() {
        let _ = write!(place, "  (incomplete: {} of {} files are missing)", model.missing.len(), model.paths.len());
    }
    [model.name.to_string(), bytes(model.size), model.modified.map_or_else(String::new, day), place]
}

fn unfinished_row(found: &Unfinished) -> [String; 4] {
    let place = format!("{}  (incomplete: an unfinished download)", found.path.display());
    [found.name.to_string(), bytes(found.size), String::new(), place]
}

fn json(contents: &Contents) -> Value {
    let models: Vec<Value> = contents
        .models
        .iter()
        .map(|model| {
            json!({
                "name": model.name.to_string(),
                "path": model.path(),
                "paths": model.paths.iter().map(|path| model.repo.file(&model.commit, path)).collect::<Vec<_>>(),
                "commit": model.commit,
                "size": model.size,
                "complete": model.missing.is_empty(),
                "missing": model.missing,
                "modified": model.modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok()).map(|time| time.as_secs()),
            })
        })
        .collect();
    let unfinished: Vec<Value> = contents
        .unfinished
        .iter()
        .map(|found| json!({ "repo": found.name.to_string(), "path": found.path, "size": found.size }))
        .collect();
    json!({ "models": models, "unfinished": unfinished })
}
