//! From layers to what holds: reads the files and variables, puts them together, and checks the whole.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use llama_runtime::{ConfigError, EngineConfig};
use serde_json::{Map, Value};

use super::layers::{self, Layer, Level, Merged};
use super::places::{Surroundings, Wanted};
use super::{Effective, Settings, document, file, suggest, templates, variables};
use crate::{env, ui};

/// More tokens than any model was trained with.
const ANY_CONTEXT: u32 = 1 << 30;

/// What holds in the end.
///
/// # Errors
///
/// What is wrong, where it was set, and what may be set instead.
pub(crate) fn resolve(around: &Surroundings, wanted: &Wanted, flags: Level) -> anyhow::Result<Effective> {
    for doubt in variables::doubtful(around) {
        ui::note(&doubt);
    }
    let (mut layers, files) = from_files(around, wanted)?;
    let variables = variables::read(around)?;
    layers.push(variables.sets);
    layers.push(flags.sets);
    let mut merged = layers::merge(layers)?;
    for lower in variables.lowers.into_iter().chain(flags.lowers) {
        let key = lower.row.key;
        let held = merged.get(key).map_or_else(|| document::default_value(lower.row), |set| set.value.clone());
        if lower.value.as_i64() < held.as_i64() {
            merged.insert(key, lower);
        }
    }
    let mut settings = typed(&merged)?;
    read_named_files(&mut settings, &merged)?;
    templates::resolve(&mut settings, &merged)?;
    if settings.context.n_ctx == Some(0) {
        settings.context.n_ctx = None;
        settings.context.auto_ctx_limit = ANY_CONTEXT;
    }
    smaller_steps(&mut settings, &merged);
    check(&settings, &merged)?;
    Ok(Effective { settings, set: merged, files })
}

/// The layers of the files, lowest first, and the files that were read.
fn from_files(around: &Surroundings, wanted: &Wanted) -> anyhow::Result<(Vec<Layer>, Vec<PathBuf>)> {
    let profile = match &wanted.profile {
        Some(profile) => Some(("--profile", profile.as_str())),
        None => around.variable(env::LLAMA_PROFILE)?.map(|profile| (env::LLAMA_PROFILE, profile)),
    };
    let mut layers = Vec::new();
    let mut read = Vec::new();
    let mut known: Vec<String> = Vec::new();
    let mut found = false;
    for (path, required) in around.files(wanted)? {
        let Some(written) = file::read(&path, required, around)? else { continue };
        layers.push(written.plain);
        for (name, layer) in written.profiles {
            if profile.is_some_and(|(_, wanted)| wanted == name) {
                found = true;
                layers.push(layer);
            }
            known.push(name);
        }
        read.push(around.shown(&path));
    }
    match profile {
        Some((origin, profile)) if !found => {
            let shown = if profile.is_empty() { "\"\"" } else { profile };
            bail!("{origin} is {shown}, {}", no_profile(profile, &known, &read))
        }
        _ => Ok((layers, read)),
    }
}

fn no_profile(wanted: &str, known: &[String], files: &[PathBuf]) -> String {
    if files.is_empty() {
        return "but no settings file was found; `llama-cli config path` shows where they are looked for".to_owned();
    }
    if known.is_empty() {
        let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        return format!("but there are no profiles in {}", names.join(" and "));
    }
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let nearest = suggest::did_you_mean(wanted, known.iter().copied()).unwrap_or_default();
    format!("must be {}{nearest}", suggest::or(&known))
}

/// The typed settings: what nobody set has its default.
fn typed(merged: &Merged) -> anyhow::Result<Settings> {
    let mut tree = Map::new();
    for (key, entry) in merged {
        insert(&mut tree, key, entry.row.kind.typed(entry.value.clone()));
    }
    // The rows check all that the types check; what is left is a mistake of ours, told like one of the user's.
    serde_json::from_value(Value::Object(tree)).map_err(|error| {
        let culprit = merged.values().find(|entry| {
            let mut alone = Map::new();
            insert(&mut alone, entry.row.key, entry.row.kind.typed(entry.value.clone()));
            serde_json::from_value::<Settings>(Value::Object(alone)).is_err()
        });
        match culprit {
            Some(entry) => anyhow!("{}, but {error}", entry.subject()),
            None => anyhow!("the settings cannot be used: {error}"),
        }
    })
}

fn insert(tree: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            tree.insert(path.to_owned(), value);
        }
        Some((group, rest)) => {
            let inner = tree.entry(group).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

/// Texts that stand in files of their own.
fn read_named_files(settings: &mut Settings, merged: &Merged) -> anyhow::Result<()> {
    let read = |key: &str, path: &Option<PathBuf>| -> anyhow::Result<Option<String>> {
        path.as_deref().map(|path| named_file(key, path, merged)).transpose()
    };
    if let Some(text) = read("chat.system_file", &settings.chat.system_file)? {
        settings.chat.system = Some(ui::without_line_end(text));
    }
    if let Some(text) = read("chat.template_file", &settings.chat.template_file)? {
        settings.chat.template = Some(text);
    }
    if let Some(text) = read("answer.grammar_file", &settings.answer.grammar_file)? {
        settings.answer.grammar = Some(text);
    }
    if let Some(text) = read("answer.json_schema_file", &settings.answer.json_schema_file)? {
        let schema = super::kind::Kind::Schema.accept(text.into());
        let subject = merged.get("answer.json_schema_file").map(layers::Entry::subject).unwrap_or_default();
        settings.answer.json_schema = Some(schema.map_err(|wrong| anyhow!("{subject}, whose text {wrong}"))?);
    }
    Ok(())
}

fn named_file(key: &str, path: &Path, merged: &Merged) -> anyhow::Result<String> {
    let subject = merged.get(key).map(layers::Entry::subject).unwrap_or_default();
    if path.as_os_str() == "-" {
        bail!("{subject}, but stdin is for the prompt; give the name of a file");
    }
    ui::file_text(path).with_context(|| format!("{subject}, which cannot be used"))
}

/// A step has room for `min_chunk` tokens and one of each sequence; whoever asked only for small steps wants these smaller.
fn smaller_steps(settings: &mut Settings, merged: &Merged) {
    let step = settings.batch.step_tokens;
    if !merged.contains_key("batch.min_chunk") {
        settings.batch.min_chunk = settings.batch.min_chunk.min(step);
    }
    if !merged.contains_key("batch.max_sequences") {
        settings.batch.max_sequences = settings.batch.max_sequences.min(step);
    }
}

/// What only the engine's own check knows: values that have to fit each other.
fn check(settings: &Settings, merged: &Merged) -> anyhow::Result<()> {
    let mut config = EngineConfig::default();
    config.model = settings.hardware.weights.clone();
    config.context = settings.context.clone();
    config.batch = settings.batch.clone();
    config.cache = settings.cache.clone();
    config.defaults.sampling = settings.sampling.clone();
    let Err(error) = config.validate() else { return Ok(()) };
    let (field, wrong) = match &error {
        ConfigError::OutOfRange { field, allowed, .. } => (field, format!("must be {allowed}")),
        ConfigError::Conflict { field, why, .. } => (field, format!("but {why}")),
        _ => bail!("{error}"),
    };
    let key = our_key(field);
    // A field may be a part of a setting, such as one of the overrides.
    let set = merged.iter().find(|(known, _)| key == **known || key.starts_with(&format!("{known}.")));
    match set {
        Some((_, entry)) => bail!("{}, {wrong}", entry.subject()),
        None => bail!("{}", error.to_string().replacen(field.as_str(), &key, 1)),
    }
}

/// The engine's configuration calls some groups otherwise.
fn our_key(field: &str) -> String {
    for (theirs, ours) in [("model.", "hardware."), ("defaults.", "")] {
        if let Some(rest) = field.strip_prefix(theirs) {
            return format!("{ours}{rest}");
        }
    }
    field.to_owned()
}
