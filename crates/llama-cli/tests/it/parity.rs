//! What `docs/llama-app-parity.md` says about upstream's flags is true.

use std::fs;
use std::path::Path;

use crate::program::command;

/// A row of a table of flags: the flags with a value for each that takes one, and what is said about them.
fn rows(text: &str) -> Vec<(Vec<Vec<String>>, String)> {
    let flags = text.split("\n## Flags\n").nth(1).expect("the document has a part about flags");
    let rows = flags.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| {
        let mut cells = row.split(" | ");
        let cell = cells.next().unwrap_or_default();
        let given = cell.split("` `").map(|flag| flag.trim_end_matches('`').split(' ').map(value).collect());
        (given.collect(), cells.next().unwrap_or_default().to_owned())
    })
    .collect()
}

/// What stands for a kind of value.
fn value(word: &str) -> String {
    match word {
        "N" => "1".to_owned(),
        "TEXT" => "x".to_owned(),
        "REPO" => "user/repo".to_owned(),
        "URL" => "http://127.0.0.1:1/".to_owned(),
        other => other.to_owned(),
    }
}

/// Files that flags name.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("FILE"), "{}").unwrap();
    folder
}

/// Whether the command takes the flag, and what it says: help ends the parsing before anything is done.
fn tried(name: &str, flag: &[String], folder: &Path) -> (bool, String) {
    let args: Vec<&str> = std::iter::once(name).chain(flag.iter().map(String::as_str)).chain(["--help"]).collect();
    let output = command(&args).current_dir(folder).output().unwrap();
    (output.status.success(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn flags_that_are_there_are_taken_and_others_are_refused_with_a_reason() {
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/llama-app-parity.md")).unwrap();
    let folder = folder();
    let rows = rows(&text);
    assert!(rows.len() > 50, "{}", rows.len());
    let mut wrong = Vec::new();
    for (flags, status) in rows {
        for flag in flags {
            let known = ["chat", "run"].map(|name| tried(name, &flag, folder.path()));
            let taken = known.iter().any(|(taken, _)| *taken);
            let explained =
                known.iter().all(|(_, said)| said.contains(&flag[0]) && !said.contains("unexpected argument"));
            let right = match status.as_str() {
                "same" | "better" => taken,
                "different" => taken || explained,
                "not yet" => !taken && explained,
                other => panic!("{flag:?} is {other:?}"),
            };
            if !right {
                wrong.push(format!(
                    "{} is {status}, but: {}",
                    flag.join(" "),
                    known[0].1.lines().next().unwrap_or("taken")
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} flags:\n{}", wrong.len(), wrong.join("\n"));
}
