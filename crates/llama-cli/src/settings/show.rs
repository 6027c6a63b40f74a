//! Every setting with its value and where that is from, as `config show` prints it.

use std::fmt::Write;

use llama_runtime::SamplingParams;
use serde_json::{Map, Value, json};

use super::layers::Origin;
use super::table::{GROUPS, Row, rows};
use super::{Effective, document};

/// A setting as it holds.
#[derive(Debug)]
pub(crate) struct Shown {
    row: &'static Row,
    /// Null where the program chooses.
    value: Value,
    origin: Origin,
}

/// All settings, or those that somebody set. `suggested` is how tokens are chosen when the model has had its say.
pub(crate) fn shown(effective: &Effective, suggested: Option<&SamplingParams>, changed: bool) -> Vec<Shown> {
    let with_model = suggested.and_then(|params| serde_json::to_value(params).ok());
    let without = serde_json::to_value(&effective.settings.sampling).unwrap_or_default();
    let of_model = |row: &Row| {
        let field = row.key.strip_prefix("sampling.")?;
        let suggested = document::at(with_model.as_ref()?, field);
        (suggested != document::at(&without, field)).then_some(suggested)
    };
    let all = rows().map(|row| match (effective.set.get(row.key), of_model(row)) {
        (Some(entry), _) => Shown { row, value: entry.value.clone(), origin: entry.origin.clone() },
        (None, Some(value)) => Shown { row, value, origin: Origin::Model },
        (None, None) => Shown { row, value: document::default_value(row), origin: Origin::Default },
    });
    all.filter(|shown| !changed || shown.origin != Origin::Default).collect()
}

/// As a settings file with the origins as comments.
pub(crate) fn text(settings: &[Shown]) -> String {
    let mut text = String::new();
    for (group, ..) in GROUPS {
        let members: Vec<_> = settings.iter().filter(|shown| shown.row.group() == group).map(line).collect();
        if members.is_empty() {
            continue;
        }
        let width =
            members.iter().map(|(line, _)| line.chars().count()).filter(|width| *width <= 44).max().unwrap_or(0);
        let gap = if text.is_empty() { "" } else { "\n" };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{gap}[{group}]");
        for (line, origin) in members {
            let _ = writeln!(text, "{line:width$}  # {origin}");
        }
    }
    text
}

/// A line of the file, and what it says about the origin.
fn line(shown: &Shown) -> (String, String) {
    let name = shown.row.key.split_once('.').map_or(shown.row.key, |(_, name)| name);
    if shown.value.is_null() {
        let origin = if shown.origin == Origin::Default { String::new() } else { format!(" ({})", shown.origin) };
        return (format!("# {name}"), format!("not set{origin}: {}", shown.row.unset));
    }
    (format!("{name} = {}", document::toml(&shown.value)), shown.origin.to_string())
}

/// As one JSON object, by key.
pub(crate) fn json(settings: &[Shown]) -> Value {
    let members = settings.iter().map(|shown| {
        let mut member = Map::new();
        member.insert("value".to_owned(), shown.value.clone());
        let (origin, more) = match &shown.origin {
            Origin::Default => ("default", json!({})),
            Origin::Model => ("model", json!({})),
            Origin::File { path, line, profile } => {
                ("file", json!({ "file": path.display().to_string(), "line": line, "profile": profile }))
            }
            Origin::Variable(name) => ("variable", json!({ "variable": name })),
            Origin::Flag(flag) => ("flag", json!({ "flag": flag })),
        };
        member.insert("origin".to_owned(), origin.into());
        if let Value::Object(more) = more {
            member.extend(more);
        }
        (shown.row.key.to_owned(), Value::Object(member))
    });
    Value::Object(members.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_model_suggests_is_told_and_what_somebody_set_is_not_its() {
        let effective = Effective::default();
        let mut suggested = effective.settings.sampling.clone();
        suggested.top_k = 7;
        let settings = shown(&effective, Some(&suggested), true);
        assert_eq!(text(&settings), "[sampling]\ntop_k = 7  # model\n");
        assert_eq!(json(&settings)["sampling.top_k"], json!({ "value": 7, "origin": "model" }));
    }

    #[test]
    fn what_is_left_to_the_program_says_so() {
        let all = text(&shown(&Effective::default(), None, false));
        assert!(all.contains("# threads ") && all.contains("# not set: measured at load"), "{all}");
        assert!(all.contains("min_p = 0.05 "), "{all}");
    }
}
