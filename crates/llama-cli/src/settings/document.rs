//! What the table says to people: help of flags, the documented defaults, the JSON schema, and a table for the docs.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::Settings;
use super::kind::Kind;
use super::table::{Also, GROUPS, Row, rows};
use super::unsupported::{ACCEPTED, REFUSED};

/// The values of [`Settings::default`].
static DEFAULTS: LazyLock<Value> = LazyLock::new(|| serde_json::to_value(Settings::default()).unwrap_or_default());

/// What holds where nobody set anything; null where the program chooses.
pub(crate) fn default_value(row: &Row) -> Value {
    at(&DEFAULTS, row.key)
}

/// The value at a path of names with dots between them.
pub(crate) fn at(tree: &Value, key: &str) -> Value {
    tidy(key.split('.').fold(tree, |value, name| &value[name]).clone())
}

/// Numbers of the settings are of single precision: 0.95 is not 0.949999988079071.
fn tidy(value: Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => number.as_f64().map_or(Value::Null, |number| json!(short(number))),
        Value::Array(members) => members.into_iter().map(tidy).collect(),
        Value::Object(members) => Value::Object(members.into_iter().map(|(name, value)| (name, tidy(value))).collect()),
        value => value,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "it was an f32 before it became a JSON number")]
fn short(number: f64) -> f64 {
    (number as f32).to_string().parse().unwrap_or(number)
}

/// A value as settings files write it, on one line.
pub(crate) fn toml(value: &Value) -> String {
    match value {
        Value::Array(members) => {
            let members: Vec<String> = members.iter().map(toml).collect();
            format!("[{}]", members.join(", "))
        }
        Value::Object(members) if members.is_empty() => "{}".to_owned(),
        Value::Object(members) => {
            let members: Vec<String> =
                members.iter().map(|(name, value)| format!("{} = {}", key(name), toml(value))).collect();
            format!("{{ {} }}", members.join(", "))
        }
        // JSON writes the rest as TOML does, but for one control character.
        value => value.to_string().replace('\u{7f}', "\\u007f"),
    }
}

fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if bare { name.to_owned() } else { toml(&name.into()) }
}

/// What holds where nothing is set, for people.
pub(crate) fn default_text(row: &Row) -> String {
    match default_value(row) {
        Value::Null => row.unset.to_owned(),
        Value::Bool(value) => if value { "on" } else { "off" }.to_owned(),
        Value::Array(members) if members.is_empty() => "none".to_owned(),
        Value::Object(members) if members.is_empty() => "none".to_owned(),
        Value::String(text) => text,
        value => toml(&value),
    }
}

/// The help of a setting's flag.
pub(crate) fn flag_help(row: &Row) -> String {
    let mut notes = Vec::new();
    if row.kind == Kind::Switch && default_value(row) == Value::Bool(true) {
        notes.push(format!("off: --{}", negated(row)));
    }
    if let Kind::Choice(_) | Kind::OnOff(_) = row.kind {
        notes.push(row.kind.allowed());
    }
    let dashes: Vec<String> = row.one_dash.iter().map(|(short, _)| format!("-{short}")).collect();
    if !dashes.is_empty() {
        notes.push(format!("also {}", dashes.join(", ")));
    }
    notes.push(format!("default: {}", default_text(row)));
    if let Some(name) = row.env.first() {
        notes.push(format!("env: {name}"));
    }
    format!("{} [{}]", row.doc, notes.join("; "))
}

/// The help of a flag that sets a setting in its own way.
pub(crate) fn also_help(also: &Also) -> String {
    also.doc.to_owned()
}

/// The flag that switches a setting off.
pub(crate) fn negated(row: &Row) -> String {
    format!("no-{}", row.long)
}

/// `config/llama.toml`: every setting with its default, commented out.
pub(crate) fn defaults() -> String {
    let mut text = String::from(
        "# Settings of llama-cli. Every line that sets something is commented out and shows the default: take away the #.\n\
         # `llama-cli config show` tells what holds and where it is from, `llama-cli config path` which files are read.\n\
         # Above a file count LLAMA_ARG_* variables, and above them flags. A profile is a group of settings that\n\
         # `--profile NAME` switches on: write its tables as [profile.NAME.sampling] and so on.\n",
    );
    for (group, _, about) in GROUPS {
        text.push_str(&format!("\n\n# {about}\n[{group}]\n"));
        for row in rows().filter(|row| row.group() == group) {
            text.push_str(&documented(row));
        }
    }
    text
}

fn documented(row: &Row) -> String {
    let name = row.key.split_once('.').map_or(row.key, |(_, name)| name);
    let value = default_value(row);
    let mut text = format!("\n# {}.\n", row.doc);
    if row.kind.has_range() {
        text.push_str(&format!("# Values: {}.\n", row.kind.allowed()));
    }
    if value.is_null() {
        text.push_str(&format!("# Default: {}. An example:\n# {name} = {}\n", row.unset, example(row)));
    } else {
        text.push_str(&format!("# {name} = {}\n", toml(&value)));
    }
    text
}

/// A value of the right kind, for settings without a default.
fn example(row: &Row) -> String {
    let text = match (row.key, row.kind) {
        ("model.path", _) => "models/model.gguf",
        ("model.hf", _) => "user/repo:Q4_K_M",
        ("chat.system", _) => "Answer in one sentence.",
        ("chat.template", _) => "chatml",
        ("answer.grammar", _) => "root ::= \"yes\" | \"no\"",
        ("log.filter", _) => "debug",
        (_, Kind::Int { min, max, .. }) => return 4.clamp(min, max).to_string(),
        (_, Kind::Float { .. }) => return "1.0".to_owned(),
        (_, Kind::Choice(words)) => words.last().map_or("", |(name, _)| *name),
        (_, Kind::Names) => return "[\"CUDA0\"]".to_owned(),
        (_, Kind::Schema) => return "{ type = \"object\" }".to_owned(),
        (_, Kind::Path) => "FILE",
        _ => "TEXT",
    };
    toml(&text.into())
}

/// `config/llama.schema.json`: the schema of settings files, for editors.
pub(crate) fn schema() -> Value {
    let settings = groups();
    let mut properties = settings.clone();
    properties.insert(
        "profile".to_owned(),
        json!({
            "description": "Groups of settings that --profile NAME switches on.",
            "type": "object",
            "additionalProperties": { "type": "object", "additionalProperties": false, "properties": settings },
        }),
    );
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Settings of llama-cli",
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    })
}

fn groups() -> Map<String, Value> {
    let mut groups = Map::new();
    for row in rows() {
        let names: Vec<&str> = row.key.split('.').collect();
        nest(&mut groups, &names, schema_of(row));
    }
    for (group, _, about) in GROUPS {
        if let Some(Value::Object(table)) = groups.get_mut(group) {
            table.insert("description".to_owned(), about.into());
        }
    }
    groups
}

fn nest(properties: &mut Map<String, Value>, names: &[&str], leaf: Value) {
    match names {
        [] => {}
        [name] => {
            properties.insert((*name).to_owned(), leaf);
        }
        [name, rest @ ..] => {
            let table = properties
                .entry(*name)
                .or_insert_with(|| json!({ "type": "object", "additionalProperties": false, "properties": {} }));
            if let Some(Value::Object(inner)) = table.get_mut("properties") {
                nest(inner, rest, leaf);
            }
        }
    }
}

fn schema_of(row: &Row) -> Value {
    let texts = || json!({ "type": "array", "items": { "type": "string", "minLength": 1 } });
    let object = || json!({ "type": "object" });
    let mut schema = match row.kind {
        Kind::Switch => json!({ "type": "boolean" }),
        Kind::OnOff(words) => {
            let words = words.iter().map(|(word, _)| *word);
            json!({ "anyOf": [{ "type": "boolean" }, { "enum": words.collect::<Vec<_>>() }] })
        }
        Kind::Int { min, max, unset: [] } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Int { min, max, unset } => {
            json!({ "anyOf": [{ "type": "integer", "minimum": min, "maximum": max }, { "enum": unset }] })
        }
        Kind::Float { min, max } => json!({ "type": "number", "minimum": min, "maximum": max }),
        Kind::Text | Kind::Path => json!({ "type": "string", "minLength": 1 }),
        Kind::Choice(words) => {
            let names = words.iter().flat_map(|(name, aliases)| std::iter::once(name).chain(*aliases));
            json!({ "type": "string", "enum": names.collect::<Vec<_>>() })
        }
        Kind::Time | Kind::Size => json!({ "type": ["string", "number"] }),
        Kind::Seed => {
            json!({ "anyOf": [{ "type": "integer", "minimum": -1, "maximum": u32::MAX }, { "const": "random" }] })
        }
        Kind::Layers => {
            json!({ "anyOf": [{ "type": "integer", "minimum": -1, "maximum": u32::MAX }, { "enum": ["all", "auto"] }] })
        }
        Kind::Stages => json!({ "anyOf": [texts(), { "type": "string" }] }),
        Kind::Texts | Kind::Breakers | Kind::Names => json!({ "anyOf": [texts(), { "type": "string" }] }),
        Kind::Shares => json!({ "type": "array", "items": { "type": "number", "minimum": 0 } }),
        Kind::Adapters => {
            let table = json!({
                "type": "object",
                "required": ["path"],
                "additionalProperties": false,
                "properties": { "path": { "type": "string" }, "scale": { "type": "number" } },
            });
            json!({ "type": ["array", "string"], "items": { "anyOf": [{ "type": "string" }, table] } })
        }
        Kind::Overrides => {
            json!({ "type": "object", "additionalProperties": { "type": ["integer", "number", "boolean", "string"] } })
        }
        Kind::LogitBias => {
            let pair = json!({
                "type": "object",
                "required": ["token", "bias"],
                "additionalProperties": false,
                "properties": { "token": { "type": "integer", "minimum": 0 }, "bias": { "type": ["number", "boolean"] } },
            });
            json!({ "type": ["array", "string"], "items": { "anyOf": [{ "type": "string" }, pair] } })
        }
        Kind::Schema => json!({ "type": ["object", "boolean", "string"] }),
        Kind::Object => json!({ "anyOf": [object(), { "type": "string" }] }),
        Kind::Inverse | Kind::ScaledAdapters | Kind::StageLetters | Kind::Stands(_) => json!({}),
    };
    if let Value::Object(members) = &mut schema {
        members.insert("description".to_owned(), row.doc.into());
        let default = default_value(row);
        if !default.is_null() {
            members.insert("default".to_owned(), default);
        }
    }
    schema
}

/// The table of settings as Markdown, for the documentation.
pub(crate) fn markdown() -> String {
    let mut text = String::new();
    for (group, heading, about) in GROUPS {
        text.push_str(&format!("### {heading} (`[{group}]`)\n\n{about}\n\n"));
        text.push_str("| Key | Flags | Variable | Default | Values | What it is |\n|---|---|---|---|---|---|\n");
        for row in rows().filter(|row| row.group() == group) {
            text.push_str(&markdown_row(row));
        }
        text.push('\n');
    }
    text.push_str("### Flags of llama.cpp that change nothing here\n\n| Flag | Why |\n|---|---|\n");
    for accepted in ACCEPTED {
        let values =
            if accepted.values.is_empty() { String::new() } else { format!(" {}", accepted.values.join(", ")) };
        text.push_str(&format!("| `--{}{values}` | {} |\n", accepted.long, accepted.why));
    }
    text.push_str("\n### Flags of llama.cpp that are refused\n\n| Flags | What to do |\n|---|---|\n");
    for refused in REFUSED {
        let long = refused.longs.iter().map(|long| format!("`--{long}`"));
        let flags: Vec<String> = long.chain(refused.one_dash.iter().map(|short| format!("`-{short}`"))).collect();
        text.push_str(&format!("| {} | {} |\n", flags.join(" "), refused.remedy));
    }
    text
}

fn markdown_row(row: &Row) -> String {
    let variables: Vec<String> = row.env.iter().map(|name| format!("`{name}`")).collect();
    let cells = [
        format!("`{}`", row.key),
        flags(row).join(" "),
        variables.join(" "),
        default_text(row),
        row.kind.allowed(),
        row.doc.to_owned(),
    ];
    let cells = cells.map(|cell| cell.replace('|', "\\|").replace('\n', "\\n"));
    format!("| {} |\n", cells.join(" | "))
}

/// Every flag that sets it.
fn flags(row: &Row) -> Vec<String> {
    let mut flags = Vec::new();
    flags.extend(row.short.map(|short| format!("`-{short}`")));
    flags.extend(row.one_dash.iter().map(|(short, _)| format!("`-{short}`")));
    flags.push(format!("`--{}`", row.long));
    flags.extend(row.aliases.iter().map(|alias| format!("`--{alias}`")));
    if row.kind == Kind::Switch {
        flags.push(format!("`--{}`", negated(row)));
    }
    for also in row.also {
        flags.extend(also.short.map(|short| format!("`-{short}`")));
        flags.push(format!("`--{}`", also.long));
        flags.extend(also.aliases.iter().map(|alias| format!("`--{alias}`")));
    }
    flags
}
