//! What Tab completes: commands, and the files that they take.

use std::fs;
use std::path::{MAIN_SEPARATOR, Path};

use reedline::{Completer, CompletionResult, Span, Suggestion};

use super::command;

/// Most files that are offered, and looked at in a folder.
const MAX_OFFERED: usize = 200;
const MAX_LOOKED_AT: usize = 10_000;

/// Completes the line before the cursor.
#[derive(Debug)]
pub(super) struct Commands;

impl Completer for Commands {
    fn complete(&mut self, line: &str, pos: usize) -> CompletionResult {
        let typed = line.get(..pos).unwrap_or(line);
        CompletionResult::fresh(offers(typed))
    }
}

fn offers(typed: &str) -> Vec<Suggestion> {
    if let Some(at) = command::file_at(typed) {
        return files(&typed[at..], at);
    }
    if !typed.starts_with('/') {
        return Vec::new();
    }
    let offer = |(name, about): (&str, &str)| Suggestion {
        value: name.to_owned(),
        description: Some(about.to_owned()),
        span: Span::new(0, typed.len()),
        append_whitespace: true,
        ..Suggestion::default()
    };
    command::names().filter(|(name, _)| name.starts_with(typed)).map(offer).collect()
}

/// The files that begin with `typed`, which begins at `at`. What was typed of the folder stays as it is.
fn files(typed: &str, at: usize) -> Vec<Suggestion> {
    let name_at = typed.rfind(['/', MAIN_SEPARATOR]).map_or(0, |slash| slash + 1);
    let (folder, name) = typed.split_at(name_at);
    let opened = folder.trim_start_matches(['"', '\'']);
    let looked_in = if opened.is_empty() { Path::new(".").to_owned() } else { command::file(opened) };
    let Ok(entries) = fs::read_dir(looked_in) else { return Vec::new() };
    let name = if folder.is_empty() { name.trim_start_matches(['"', '\'']) } else { name };
    let mut found: Vec<String> = Vec::new();
    for entry in entries.take(MAX_LOOKED_AT).flatten() {
        // A name that is no text cannot be typed.
        let Ok(mut full) = entry.file_name().into_string() else { continue };
        let hidden = full.starts_with('.') && !name.starts_with('.');
        if hidden || !full.starts_with(name) || full.contains(char::is_control) {
            continue;
        }
        // A link to a folder is one too.
        if entry.path().is_dir() {
            full.push('/');
        }
        found.push(full);
    }
    found.sort_unstable();
    found.truncate(MAX_OFFERED);
    let span = Span::new(at, at + typed.len());
    let kept = &typed[..typed.len() - name.len()];
    found.into_iter().map(|full| Suggestion { value: format!("{kept}{full}"), span, ..Suggestion::default() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(typed: &str) -> Vec<String> {
        offers(typed).into_iter().map(|offer| offer.value).collect()
    }

    #[test]
    fn commands_are_completed_at_the_beginning_only() {
        assert_eq!(values("/re"), ["/regen", "/read"]);
        assert_eq!(values("/help"), ["/help"]);
        assert_eq!(values("re"), [""; 0]);
        assert_eq!(values("/clear x"), [""; 0]);
    }

    #[test]
    fn files_are_completed_with_their_spaces() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["my notes.txt", "my plan.txt", ".hidden"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        fs::create_dir(folder.path().join("sub")).unwrap();
        let at = folder.path().display();
        assert_eq!(values(&format!("/read {at}/my n")), [format!("{at}/my notes.txt")]);
        assert_eq!(values(&format!("/load {at}/my")).len(), 2);
        assert_eq!(values(&format!("/save {at}/s")), [format!("{at}/sub/")]);
        assert_eq!(values(&format!("/read {at}/")).len(), 3, "hidden ones are not offered");
        assert_eq!(values(&format!("/read {at}/.h")), [format!("{at}/.hidden")]);
        let span = offers(&format!("/read {at}/my n"))[0].span;
        assert_eq!((span.start, span.end), (6, format!("/read {at}/my n").len()));
        assert_eq!(values("/read /no/such/folder/x"), [""; 0]);
    }
}
