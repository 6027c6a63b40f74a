//! Which modules a file names through `crate::` and `super::`, and what a crate root re-exports.

use std::collections::BTreeMap;

use super::source::{self, Word};

/// The first name of each path that starts at the crate root, with its line. `depth` is how many `super`s
/// lead there. Wants the output of `source::code`.
pub(super) fn from_crate_root(code: &str, depth: usize) -> Vec<(usize, String)> {
    let words = source::words(code);
    let mut found = Vec::new();
    let mut supers = 0;
    for word in &words {
        supers = if word.text == "super" { if word.joined { supers + 1 } else { 1 } } else { 0 };
        let at_root = word.text == "crate" || supers == depth;
        if at_root && !is_visibility(code, word) {
            found.extend(names_behind(code, word).into_iter().filter(|(_, name)| name != "super"));
        }
    }
    found
}

/// The first name of each path into another crate, with its line. Wants the output of `source::code`.
pub(super) fn from_crate(code: &str, name: &str) -> Vec<(usize, String)> {
    let words = source::words(code);
    words.iter().filter(|word| word.text == name).flat_map(|word| names_behind(code, word)).collect()
}

/// The names behind `word::`, with their lines.
fn names_behind(code: &str, word: &Word<'_>) -> Vec<(usize, String)> {
    let Some(rest) = code[word.end..].trim_start().strip_prefix("::") else { return Vec::new() };
    let from = code.len() - rest.len();
    let line = |offset: usize| 1 + code[..from + offset].matches('\n').count();
    first_names(rest).into_iter().map(|(offset, name)| (line(offset), name.to_owned())).collect()
}

/// `pub(in crate::model)` says who sees, not what is imported.
fn is_visibility(code: &str, word: &Word<'_>) -> bool {
    let before = code[..word.end - word.text.len()].trim_end();
    before.strip_suffix("in").is_some_and(|rest| rest.trim_end().ends_with("pub("))
}

/// The name behind `crate::`, or each first name of the group there; with the byte where it stands.
fn first_names(rest: &str) -> Vec<(usize, &str)> {
    let inner = rest.trim_start();
    let start = rest.len() - inner.len();
    let name_at = |at: usize| {
        let text = &rest[at..];
        let len = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
        (len > 0).then_some((at, &text[..len]))
    };
    if !inner.starts_with('{') {
        return name_at(start).into_iter().collect();
    }
    let mut names = Vec::new();
    let mut depth = 0;
    let mut wanted = false;
    for (at, c) in rest.char_indices() {
        match c {
            '{' => {
                depth += 1;
                wanted = depth == 1;
            }
            '}' if depth == 1 => break,
            '}' => depth -= 1,
            ',' if depth == 1 => wanted = true,
            c if wanted && !c.is_whitespace() => {
                names.extend(name_at(at));
                wanted = false;
            }
            _ => {}
        }
    }
    names
}

/// For each name that a crate root re-exports, the module it is from: `pub use model::{Model, LoadError};`.
pub(super) fn reexports(code: &str) -> BTreeMap<String, String> {
    let mut map = BTreeMap::new();
    for (at, _) in code.match_indices("pub use ") {
        let statement = code[at + "pub use ".len()..].split(';').next().unwrap_or("");
        let mut names = source::words(statement).into_iter().map(|word| word.text);
        let Some(module) = names.find(|name| !matches!(*name, "self" | "crate")) else {
            continue;
        };
        for name in names.filter(|name| *name != "as") {
            map.entry(name.to_owned()).or_insert_with(|| module.to_owned());
        }
    }
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(code: &str, depth: usize) -> Vec<String> {
        from_crate_root(code, depth).into_iter().map(|(_, name)| name).collect()
    }

    #[test]
    fn single_and_grouped_imports_give_their_first_names() {
        assert_eq!(names("use crate::model::Model;", 1), ["model"]);
        assert_eq!(names("use crate::{ids::{Pos, Token}, raw, model::Model};", 1), ["ids", "raw", "model"]);
        assert_eq!(names("let x = crate::raw::check(1);", 1), ["raw"]);
        assert!(names("use std::fs; use model::x; mod crate_; self::x()", 1).is_empty());
    }

    #[test]
    fn super_counts_when_it_leads_to_the_root() {
        assert_eq!(names("use super::ids::Token;", 1), ["ids"]);
        assert!(names("use super::Model;", 2).is_empty());
        assert_eq!(names("use super::super::raw::check;", 2), ["raw"]);
    }

    #[test]
    fn paths_into_another_crate_give_their_first_names() {
        let names = |code| from_crate(code, "llama_core").into_iter().map(|(_, name)| name).collect::<Vec<_>>();
        assert_eq!(names("use llama_core::{Token, chat::Message};"), ["Token", "chat"]);
        assert_eq!(names("fn x(token: llama_core::SeqId) {}"), ["SeqId"]);
        assert!(names("use crate::model; use other::llama;").is_empty());
    }

    #[test]
    fn a_visibility_is_no_import() {
        assert!(names("pub(in crate::model) fn x() {} pub(crate) fn y() {}", 1).is_empty());
        assert_eq!(names("for x in crate::model::all() {}", 1), ["model"]);
    }

    #[test]
    fn lines_are_those_of_the_names() {
        let lines: Vec<usize> =
            from_crate_root("use crate::{\n    ids,\n    raw,\n};", 1).into_iter().map(|f| f.0).collect();
        assert_eq!(lines, [2, 3]);
    }

    #[test]
    fn reexports_lead_back_to_their_module() {
        let map = reexports("pub use model::{LoadError, params::ModelParams as Params};\npub use self::ids::Token;");
        assert_eq!(map["LoadError"], "model");
        assert_eq!(map["Params"], "model");
        assert_eq!(map["Token"], "ids");
    }
}
