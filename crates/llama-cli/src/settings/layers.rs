//! Values with where they are from, and layers of them, of which the later ones count.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use anyhow::bail;
use serde_json::Value;

use super::table::{ONE_OF, Row};

/// Where a value is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Built in.
    Default,
    /// The model's own file.
    Model,
    /// A line of a settings file, in a profile or not.
    File { path: PathBuf, line: usize, profile: Option<String> },
    /// An environment variable.
    Variable(String),
    /// A flag, as messages call it.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Model => f.write_str("model"),
            Self::File { path, line, profile: None } => write!(f, "{}:{line}", path.display()),
            Self::File { path, line, profile: Some(profile) } => {
                write!(f, "{}:{line} (profile {profile})", path.display())
            }
            Self::Variable(name) => f.write_str(name),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// A value that somebody set.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) row: &'static Row,
    /// In the form in which files write it; null where it was set to be left to the program.
    pub(crate) value: Value,
    /// As it was written.
    pub(crate) written: String,
    pub(crate) origin: Origin,
}

impl Entry {
    /// The beginning of a sentence about this value: where it is, what it is called there, and what it is.
    pub(crate) fn subject(&self) -> String {
        subject(self.row.key, &self.written, &self.origin)
    }
}

/// As [`Entry::subject`], for a value that could not be read.
pub(crate) fn subject(key: &str, written: &str, origin: &Origin) -> String {
    let written = shortened(written);
    match origin {
        Origin::File { path, line, .. } => format!("{}:{line}: {key} is {written}", path.display()),
        Origin::Default | Origin::Model => format!("{key} is {written}"),
        Origin::Variable(_) | Origin::Flag(_) => format!("{origin} is {written}"),
    }
}

/// A value as a message shows it.
fn shortened(text: &str) -> String {
    const MOST: usize = 60;
    let line = text.lines().next().filter(|line| !line.is_empty()).unwrap_or("\"\"");
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{} ..", &line[..end]),
        None if line.len() < text.trim_end().len() => format!("{line} .."),
        None => line.to_owned(),
    }
}

/// The values of one level: a file, a profile of a file, the variables or the flags.
pub(crate) type Layer = Vec<Entry>;

/// The values of the variables or the flags.
#[derive(Debug, Default)]
pub(crate) struct Level {
    pub(crate) sets: Layer,
    /// These count only where they are less than what is set otherwise.
    pub(crate) lowers: Layer,
}

/// The values that hold, by key.
pub(crate) type Merged = BTreeMap<&'static str, Entry>;

/// Puts layers together, lowest first.
///
/// # Errors
///
/// Two values on one level of which only one can hold.
pub(crate) fn merge(layers: impl IntoIterator<Item = Layer>) -> anyhow::Result<Merged> {
    let mut merged = Merged::new();
    for layer in layers {
        for rivals in ONE_OF {
            let mut set = layer.iter().filter(|entry| rivals.contains(&entry.row.key) && !entry.value.is_null());
            let Some(first) = set.next() else { continue };
            if let Some(second) = set.next() {
                bail!("{} and {} cannot be set together; leave one of them out", name(first), name(second));
            }
            merged.retain(|key, _| !rivals.contains(key));
        }
        merged.extend(layer.into_iter().map(|entry| (entry.row.key, entry)));
    }
    Ok(merged)
}

/// What a value is called where it was set.
fn name(entry: &Entry) -> String {
    match &entry.origin {
        Origin::File { path, line, .. } => format!("{}:{line}: {}", path.display(), entry.row.key),
        origin => origin.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::table::row;

    fn entry(key: &str, value: &str, flag: &str) -> Entry {
        let origin = Origin::Flag(flag.to_owned());
        Entry { row: row(key).unwrap(), value: value.into(), written: value.to_owned(), origin }
    }

    #[test]
    fn long_values_are_cut_in_messages_and_empty_ones_are_seen() {
        let cut = shortened(&"ä".repeat(100));
        assert_eq!(cut, "ä".repeat(60) + " ..");
        assert_eq!((shortened(""), shortened("a\nb")), ("\"\"".to_owned(), "a ..".to_owned()));
    }

    #[test]
    fn the_later_layer_counts_key_by_key() {
        let low = vec![entry("chat.system", "a", "low"), entry("model.path", "m", "low")];
        let merged = merge([low, vec![entry("chat.system", "b", "high")]]).unwrap();
        assert_eq!(merged["chat.system"].value, "b");
        assert_eq!(merged["model.path"].value, "m");
    }

    #[test]
    fn a_rival_on_a_higher_level_replaces_and_on_the_same_level_conflicts() {
        let low = vec![entry("answer.grammar", "root ::= \"a\"", "low")];
        let merged = merge([low, vec![entry("answer.json_schema_file", "s.json", "high")]]).unwrap();
        assert_eq!(merged.keys().copied().collect::<Vec<_>>(), ["answer.json_schema_file"]);
        let both =
            vec![entry("chat.system", "a", "--system-prompt"), entry("chat.system_file", "f", "--system-prompt-file")];
        let error = merge([both]).unwrap_err().to_string();
        assert_eq!(error, "--system-prompt and --system-prompt-file cannot be set together; leave one of them out");
    }
}
