//! Rules about the text, names and sizes of tracked files.

use std::fs;
use std::process::{Command, Stdio};

use crate::outcome::{Failure, Step};
use crate::workspace;

/// What no tracked file says. Split, so that this file passes.
const FORBIDDEN: &[(&str, &str)] = &[
    (concat!("crates", ".io"), REGISTRY),
    (concat!("pypi", ".org"), REGISTRY),
    (concat!("python", "hosted.org"), REGISTRY),
    (concat!("npm", "js.org"), REGISTRY),
    (concat!("/wo", "rk/"), MACHINE),
    (concat!("/ro", "ot/"), MACHINE),
    (concat!("TO", "DO"), UNFINISHED),
    (concat!("FIX", "ME"), UNFINISHED),
];

const REGISTRY: &str = "a package registry's host: which one is used is the user's setting";
const MACHINE: &str = "a path of one machine";
const UNFINISHED: &str = "unfinished work belongs in the tracker";

/// Lock files, and the copy of one that travels with a package, name the registry that their checksums are from.
const WRITTEN_BY_CARGO: &[&str] = &["Cargo.lock", "lock.toml"];

/// Such a file has no one job.
const FORBIDDEN_NAMES: &[&str] =
    &["utils.rs", "util.rs", "common.rs", "helpers.rs", "helper.rs", "manager.rs", "misc.rs"];

/// The demo model is the largest thing that belongs here.
const MAX_BYTES: u64 = 8 << 20;

/// A Rust file longer than this says why in its first lines.
const LONG_LINES: usize = 500;
const HEAD_LINES: usize = 25;
/// How a file says it, in lower case.
const REASONS: &[&str] = &["one file", "one thing", "this long", "long because", "generated"];

/// Reports every breach on stderr; long files only warn.
pub(crate) fn check() -> Result<Step, Failure> {
    let root = workspace::root();
    let Some(files) = tracked()? else {
        return Ok(Step::Skipped("this is no git checkout".to_owned()));
    };
    let mut found = 0;
    let mut report = |finding: String| {
        eprintln!("{finding}");
        found += 1;
    };
    for file in &files {
        let path = root.join(file);
        let size = fs::symlink_metadata(&path).map_or(0, |metadata| metadata.len());
        if size > MAX_BYTES {
            report(format!("{file}: {} MiB; nothing tracked is over {} MiB", size >> 20, MAX_BYTES >> 20));
            continue;
        }
        let name = file.rsplit('/').next().unwrap_or(file);
        if FORBIDDEN_NAMES.contains(&name) {
            report(format!("{file}: name the file after its one job"));
        }
        // What is not UTF-8 is no text.
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        if !WRITTEN_BY_CARGO.contains(&name) {
            findings(&text).for_each(|(line, word, why)| report(format!("{file}:{line}: `{word}`: {why}")));
        }
        if name.ends_with(".rs") && is_long_without_reason(&text) {
            eprintln!(
                "warning: {file} has {} lines and does not say at its top why it is one file",
                text.lines().count()
            );
        }
    }
    if found == 0 { Ok(Step::Passed) } else { Err(Failure::new(format!("{found} findings, listed above"))) }
}

/// What git tracks, or `None` outside a checkout.
fn tracked() -> Result<Option<Vec<String>>, Failure> {
    let mut git = Command::new("git");
    git.current_dir(workspace::root()).args(["ls-files", "-z"]).stdin(Stdio::null()).stderr(Stdio::null());
    let Ok(output) = git.output() else {
        return Ok(None);
    };
    if !output.status.success() {
        return Ok(None);
    }
    let names =
        String::from_utf8(output.stdout).map_err(|_| Failure::new("git tracks a file whose name is not UTF-8"))?;
    Ok(Some(names.split_terminator('\0').map(str::to_owned).collect()))
}

fn findings(text: &str) -> impl Iterator<Item = (usize, &'static str, &'static str)> {
    text.lines().enumerate().flat_map(|(at, line)| {
        FORBIDDEN.iter().filter(|(word, _)| says(line, word)).map(move |(word, why)| (at + 1, *word, *why))
    })
}

/// Whether the word stands in the line, and not as a part of a longer name.
fn says(line: &str, word: &str) -> bool {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        // A path may go on; a word may not.
        let goes_on = !word.ends_with('/') && after.is_some_and(part_of_name);
        let inside = before.is_some_and(|c| part_of_name(c) || word.starts_with('/') && "-.})".contains(c));
        !goes_on && !inside
    })
}

fn is_long_without_reason(text: &str) -> bool {
    if text.lines().count() <= LONG_LINES {
        return false;
    }
    let head: String = text.lines().take(HEAD_LINES).collect::<Vec<_>>().join("\n").to_lowercase();
    !REASONS.iter().any(|reason| head.contains(reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_machine_paths_are_found_with_their_line() {
        let text = format!("fine\nsee {} for it\ncd {}x", concat!("crates", ".io"), concat!("/wo", "rk/"));
        let lines: Vec<usize> = findings(&text).map(|(line, ..)| line).collect();
        assert_eq!(lines, [2, 3]);
    }

    #[test]
    fn a_longer_name_is_not_the_word() {
        let path = concat!("/ro", "ot/");
        assert!(!says(&format!("src{path}mod.rs"), path));
        assert!(!says(&format!("${{HOME}}{path}x"), path));
        assert!(says(&format!("\"{path}x\""), path));
        assert!(!says(concat!("MAS", "TO", "DON"), concat!("TO", "DO")));
    }

    #[test]
    fn a_long_file_needs_a_reason_at_its_top() {
        let long = "x\n".repeat(LONG_LINES + 1);
        assert!(is_long_without_reason(&long));
        assert!(!is_long_without_reason(&format!("//! One file because the table is one.\n{long}")));
        assert!(!is_long_without_reason("x\n"));
    }
}
