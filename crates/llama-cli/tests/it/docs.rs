//! What the documents say about the program is true: every command line in them is run, and its output compared.
//!
//! A `console` block is a terminal: lines after `$ ` are commands, the lines below each are what it prints (`...` is any
//! number of lines, `[..]` anything in a line). A file that is not there is made by the `$ cat FILE` that shows it. A
//! `sh` block is commands only. Every command has to succeed, unless `$ echo $?` shows its code.

mod book;
mod shell;

use std::path::{Path, PathBuf};

use book::{Block, Kind};

/// Commands that are run elsewhere, by how they begin, and where.
const ELSEWHERE: [(&str, &str); 19] = [
    ("git clone ", "it would copy the repository into itself"),
    ("cargo xtask chat", "a release build; the same program is tested here"),
    ("cargo xtask test", "runs this very test"),
    ("cargo xtask check", "runs beside this test, in .ci/run"),
    ("cargo xtask bench", "minutes of measuring on a machine that is idle"),
    ("cargo xtask bindgen", "needs libclang"),
    ("cargo xtask setup", "runs before every test"),
    ("cargo build", "a release build"),
    ("cargo run --release -p llama-rs-examples", "a release build; every example is compiled by the tests"),
    ("cargo bench", "minutes of measuring on a machine that is idle"),
    ("cargo deny", "needs the network"),
    ("cargo test -p llama-core --no-default-features", "with sanitizers: a build of its own"),
    ("cargo run -p llama-cli --no-default-features", "with sanitizers: a build of its own"),
    ("RUSTC_BOOTSTRAP=1", "the kernels with sanitizers: a build of its own"),
    ("CARGO_TARGET_", "the kernels under valgrind and in an emulator, which have to be installed"),
    ("cd llama.cpp", "building upstream's programs: another repository"),
    ("cmake -B build", "building upstream's programs: another repository"),
    ("cmake --build build", "building upstream's programs: another repository"),
    ("export LLAMA_", "names of upstream's programs, for benchmarks"),
];

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every document that people read.
fn documents() -> Vec<PathBuf> {
    let mut found = vec![top().join("README.md"), top().join("CONTRIBUTING.md"), top().join("config/README.md")];
    let folder = std::fs::read_dir(top().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    found.extend(folder.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    found.sort();
    found
}

fn is_elsewhere(command: &str) -> bool {
    ELSEWHERE.iter().any(|(beginning, _)| command.starts_with(beginning))
}

/// Runs what one document says, block by block in one folder, and tells what was not so.
fn failures_of(document: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(document).unwrap();
    let mut session = shell::Session::new();
    let mut failures = Vec::new();
    for mut block in book::blocks(&text) {
        block.steps.retain(|step| !is_elsewhere(&step.command));
        if !block.steps.is_empty() {
            let name = document.file_name().unwrap().to_string_lossy();
            failures.extend(session.run(&block).into_iter().map(|failure| format!("{name}:{failure}")));
        }
    }
    failures
}

#[cfg(unix)]
#[test]
fn every_command_line_in_the_documents_does_what_they_say() {
    let failures: Vec<_> = documents().iter().flat_map(|document| failures_of(document)).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn the_documents_have_commands_to_run() {
    let text = std::fs::read_to_string(top().join("README.md")).unwrap();
    let ours = book::blocks(&text).into_iter().flat_map(|block| block.steps);
    assert!(ours.filter(|step| step.command.starts_with("llama-cli ")).count() > 0);
}

/// A command in the text, such as `llama-cli run [-p TEXT]`, names only what there is.
#[test]
fn commands_and_options_that_the_text_names_exist() {
    for document in documents() {
        let text = std::fs::read_to_string(&document).unwrap();
        for (line, words) in book::mentioned(&text, "llama-cli") {
            let place = format!("{}:{line}: {}", document.display(), words.join(" "));
            book::check_mention(&words).unwrap_or_else(|problem| panic!("{place}: {problem}"));
        }
    }
}

#[test]
fn what_ci_runs_is_what_the_readme_says() {
    let script = std::fs::read_to_string(top().join(".ci/run")).unwrap();
    let readme = std::fs::read_to_string(top().join("README.md")).unwrap();
    for command in ["cargo xtask check", "cargo xtask test"] {
        assert!(script.contains(command) && readme.contains(command), "{command}");
    }
}

#[cfg(unix)]
#[test]
fn a_document_that_is_wrong_is_noticed() {
    let check = |text: &str| {
        let mut session = shell::Session::new();
        book::blocks(text).iter().flat_map(|block: &Block| session.run(block)).collect::<Vec<_>>()
    };
    let console = |body: &str| format!("text\n\n```console\n{body}\n```\n");
    for right in ["$ echo a\na", "$ echo a; echo b; echo c\na\n...\nc", "$ echo took 17 ms\ntook [..] ms", "$ true"] {
        assert_eq!(check(&console(right)), Vec::<String>::new(), "{right}");
    }
    assert_eq!(check(&console("$ cat x.txt\nline\n$ cat x.txt\nline")), Vec::<String>::new());
    assert_eq!(check(&console("$ false\n$ echo $?\n1")), Vec::<String>::new());
    for wrong in ["$ echo a\nb", "$ echo a\na\nb", "$ false", "$ echo a; echo b\na", "$ false\n$ echo $?\n2"] {
        assert_eq!(check(&console(wrong)).len(), 1, "{wrong}");
    }
    assert_eq!(check("```sh\nfalse\n```\n").len(), 1);
    assert_eq!(book::blocks("```sh\necho a \\\n  b\n```\n")[0].steps[0].command, "echo a \\\n  b");
    assert_eq!(book::blocks("```sh\n# said\ntrue\n```\n")[0].kind, Kind::Commands);
}
