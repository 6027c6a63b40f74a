//! Every setting, once: its key in files, what it may be, its variable and its flags.
//!
//! Flags, variables, files, the schema, the documented defaults and `config show` are all made from these rows. What the
//! values become is in [`Settings`](super::Settings); a test holds the two together.

use super::kind::Kind;
use super::rows;

/// One setting.
#[derive(Debug)]
pub(crate) struct Row {
    /// Its path in [`Settings`](super::Settings) and in files, such as `sampling.temperature`.
    pub(crate) key: &'static str,
    /// What it may be.
    pub(crate) kind: Kind,
    /// What it is, in a line or two.
    pub(crate) doc: &'static str,
    /// What holds where nothing is set and there is no value to show.
    pub(crate) unset: &'static str,
    /// Its flag, without dashes.
    pub(crate) long: &'static str,
    /// Its flag of one letter.
    pub(crate) short: Option<char>,
    /// Upstream's other long flags.
    pub(crate) aliases: &'static [&'static str],
    /// Upstream's flags of several letters with one dash, and which long flag each is.
    pub(crate) one_dash: &'static [(&'static str, &'static str)],
    /// Variables; the first that is set counts. The first of them is the one that is told.
    pub(crate) env: &'static [&'static str],
    /// Other flags that set it in their own way.
    pub(crate) also: &'static [Also],
    /// What help calls its value, where that says more than its kind.
    pub(crate) value_name: Option<&'static str>,
    /// Commands in which it would change nothing, and which do not take it therefore.
    pub(crate) not_in: &'static [&'static str],
    /// Rarely needed: left out of the short help.
    pub(crate) rare: bool,
}

/// A flag that sets a setting in its own way.
#[derive(Debug)]
pub(crate) struct Also {
    /// The flag, without dashes.
    pub(crate) long: &'static str,
    /// Its flag of one letter.
    pub(crate) short: Option<char>,
    /// Upstream's other names for it.
    pub(crate) aliases: &'static [&'static str],
    /// How its value is read.
    pub(crate) kind: Kind,
    /// What it is.
    pub(crate) doc: &'static str,
    /// Its variable.
    pub(crate) env: Option<&'static str>,
    /// Its value counts only where it is less than the setting's.
    pub(crate) only_lowers: bool,
}

impl Row {
    /// A setting with a flag of this name.
    pub(super) const fn new(key: &'static str, long: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self {
            key,
            kind,
            doc,
            unset: "",
            long,
            short: None,
            aliases: &[],
            one_dash: &[],
            env: &[],
            also: &[],
            value_name: None,
            not_in: &[],
            rare: false,
        }
    }

    pub(super) const fn short(mut self, short: char) -> Self {
        self.short = Some(short);
        self
    }

    pub(super) const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    pub(super) const fn one_dash(mut self, names: &'static [(&'static str, &'static str)]) -> Self {
        self.one_dash = names;
        self
    }

    pub(super) const fn env(mut self, names: &'static [&'static str]) -> Self {
        self.env = names;
        self
    }

    pub(super) const fn also(mut self, also: &'static [Also]) -> Self {
        self.also = also;
        self
    }

    pub(super) const fn unset(mut self, unset: &'static str) -> Self {
        self.unset = unset;
        self
    }

    pub(super) const fn value_name(mut self, name: &'static str) -> Self {
        self.value_name = Some(name);
        self
    }

    pub(super) const fn not_in(mut self, commands: &'static [&'static str]) -> Self {
        self.not_in = commands;
        self
    }

    pub(super) const fn rare(mut self) -> Self {
        self.rare = true;
        self
    }

    /// The table of files that it stands in, such as `sampling`.
    pub(crate) fn group(&self) -> &'static str {
        self.key.split_once('.').map_or(self.key, |(group, _)| group)
    }

    /// How its flag is called in messages: with its short form, if it has one.
    pub(crate) fn flag(&self) -> String {
        let dashes = self.one_dash.iter().find(|(_, long)| *long == self.long).map(|(short, _)| (*short).to_owned());
        match self.short.map(String::from).or(dashes) {
            Some(short) => format!("-{short}/--{}", self.long),
            None => format!("--{}", self.long),
        }
    }
}

impl Also {
    pub(super) const fn new(long: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self { long, short: None, aliases: &[], kind, doc, env: None, only_lowers: false }
    }

    pub(super) const fn short(mut self, short: char) -> Self {
        self.short = Some(short);
        self
    }

    pub(super) const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    pub(super) const fn env(mut self, name: &'static str) -> Self {
        self.env = Some(name);
        self
    }

    pub(super) const fn only_lowers(mut self) -> Self {
        self.only_lowers = true;
        self
    }
}

/// A table of files: its name, the heading of its flags, and what it is about.
pub(crate) const GROUPS: [(&str, &str, &str); 10] = [
    ("model", "Model", "Which model."),
    ("hardware", "Hardware", "How its weights are loaded, and on what they are computed."),
    ("context", "Context", "The context: KV cache, threads, attention, RoPE."),
    ("batch", "Steps", "How much is computed together."),
    ("cache", "Prompt cache", "What is kept of prompts."),
    ("sampling", "Sampling", "How tokens are chosen."),
    ("answer", "Answer", "How long an answer may be, and what it has to look like."),
    ("chat", "Chat", "Conversations and templates."),
    ("reasoning", "Reasoning", "What the model thinks before it answers."),
    ("log", "Logging", "Diagnostics."),
];

/// Settings of which one is enough: what is set on a higher level replaces all of them, and two on one level are an error.
pub(crate) const ONE_OF: [&[&str]; 3] = [
    &["chat.system", "chat.system_file"],
    &["chat.template", "chat.template_file"],
    &["answer.grammar", "answer.grammar_file", "answer.json_schema", "answer.json_schema_file"],
];

/// Fields of the engine's own types that are set otherwise, and by what.
pub(crate) const NOT_SET: [(&str, &str); 3] = [
    ("hardware.chat_template", "chat.template"),
    ("sampling.grammar", "answer.grammar"),
    ("context.pooling", "nothing: no command makes embeddings"),
];

/// Every setting, in the order in which they are shown.
pub(crate) fn rows() -> impl Iterator<Item = &'static Row> {
    rows::ALL.iter().copied().flatten()
}

/// The setting of this key.
pub(crate) fn row(key: &str) -> Option<&'static Row> {
    rows().find(|row| row.key == key)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::settings::Settings;

    fn leaves(value: &Value, path: &str, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) if !members.is_empty() => {
                for (name, value) in members {
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    leaves(value, &path, found);
                }
            }
            _ => {
                found.insert(path.to_owned());
            }
        }
    }

    #[test]
    fn every_leaf_of_the_types_has_a_row_and_every_row_a_leaf() {
        let mut found = BTreeSet::new();
        leaves(&serde_json::to_value(Settings::default()).unwrap(), "", &mut found);
        for (key, _) in NOT_SET {
            assert!(found.remove(key), "{key} is no field");
        }
        let rows: BTreeSet<String> = rows().map(|row| row.key.to_owned()).collect();
        assert_eq!(found, rows);
    }

    #[test]
    fn every_row_is_in_a_group_and_every_name_is_there_once() {
        let mut names = BTreeSet::new();
        let mut variables = BTreeSet::new();
        for row in rows() {
            assert!(GROUPS.iter().any(|(group, ..)| *group == row.group()), "{}", row.key);
            let also = row.also.iter().flat_map(|also| std::iter::once(also.long).chain(also.aliases.iter().copied()));
            for name in std::iter::once(row.long).chain(row.aliases.iter().copied()).chain(also) {
                assert!(names.insert(name), "{name} twice");
            }
            let names = row.env.iter().copied().chain(row.also.iter().filter_map(|also| also.env));
            assert!(names.into_iter().all(|name| variables.insert(name)), "{}", row.key);
            assert!(row.doc.ends_with(|c: char| c.is_alphanumeric() || c == ')'), "{}: {}", row.key, row.doc);
        }
        for (_, long) in rows().flat_map(|row| row.one_dash) {
            assert!(names.contains(long) || names.contains(long.trim_start_matches("no-")), "{long}");
        }
    }

    #[test]
    fn settings_of_which_one_is_enough_are_settings() {
        assert!(ONE_OF.iter().copied().flatten().all(|key| row(key).is_some()));
    }
}
