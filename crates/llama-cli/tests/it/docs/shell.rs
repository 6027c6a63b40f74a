//! Runs the commands of a document as a person would, in a folder of their own.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use super::book::{Block, Step};
use crate::hub_server::{Hub, on_loopback};
use crate::program::at_home;

/// Longer than any documented command takes, on the slowest machine.
const LIMIT: Duration = Duration::from_secs(120);

/// Ends the output of a command.
const MARK: char = '\u{1}';

/// A folder with a model in it, where one document's commands run, and a hub that has it too.
#[derive(Debug)]
pub(super) struct Session {
    folder: TempDir,
    hub: Hub,
}

impl Session {
    pub(super) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let model = llama_testkit::golden::demo_model_path();
        for name in ["model.gguf", "path/to/model.gguf"] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::copy(&model, path).unwrap();
        }
        let hub = Hub::start();
        hub.add("someone/tiny-GGUF", "tiny-Q8_0.gguf", &fs::read(model).unwrap());
        Self { folder, hub }
    }

    /// Runs a block in one shell, and tells what was not as its document says.
    pub(super) fn run(&mut self, block: &Block) -> Vec<String> {
        self.make_shown_files(block);
        let script: String = block.steps.iter().map(script).collect();
        let (stdout, stderr) = match self.outputs(&script) {
            Ok(outputs) => outputs,
            Err(problem) => return vec![format!("{}: {problem}", block.steps[0].line)],
        };
        let (mut stdout, mut stderr) = (stdout.split(MARK), stderr.split(MARK));
        let mut failures = Vec::new();
        for (i, step) in block.steps.iter().enumerate() {
            let (Some(out), Some(err)) = (stdout.next(), stderr.next()) else {
                failures.push(format!("{}: the shell ended before `{}`", step.line, step.command));
                break;
            };
            // The code of a command stands before the output of the next one.
            let (code, err) = (stdout.next().unwrap_or_default(), err.strip_prefix('\n').unwrap_or(err));
            let tells_code = block.steps.get(i + 1).is_some_and(|next| next.command == "echo $?");
            let out = out.strip_prefix('\n').unwrap_or(out);
            if let Err(problem) = judge(step, (out, err), code == "0" || tells_code) {
                failures.push(format!("{}: `{}` {problem}\nstdout:\n{out}\nstderr:\n{err}", step.line, step.command));
            }
        }
        failures
    }

    /// What `cat` shows of a file that is not there is what the file has.
    fn make_shown_files(&self, block: &Block) {
        for step in &block.steps {
            let Some(name) = step.command.strip_prefix("cat ").filter(|name| !name.contains([' ', '|', '>', '*']))
            else {
                continue;
            };
            let path = self.folder.path().join(name);
            let made_by_an_earlier_step = block.steps.iter().take_while(|other| other.line < step.line);
            let is_made = made_by_an_earlier_step.into_iter().any(|other| other.command.contains(name));
            if !path.exists() && !is_made && !step.output.iter().any(|line| line == "...") {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, step.output.join("\n") + "\n").unwrap();
            }
        }
    }

    fn outputs(&self, script: &str) -> Result<(String, String), String> {
        let mut shell = Command::new("sh");
        at_home(&mut shell);
        let programs = Path::new(env!("CARGO_BIN_EXE_llama-cli")).parent().unwrap().to_path_buf();
        let others = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(std::iter::once(programs).chain(std::env::split_paths(&others))).unwrap();
        shell.env("PATH", path).env("HOME", self.folder.path()).env("LLAMA_ARG_THREADS", "1");
        on_loopback(&self.hub, &mut shell);
        shell.current_dir(self.folder.path());
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut shell = shell.spawn().unwrap();
        // Commands that read a terminal find its end: the script itself comes as an argument would.
        shell.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        within_limit(shell)
    }
}

/// A command whose output and code can be told from those of the others. Its own stdin is empty.
fn script(step: &Step) -> String {
    let Step { command, .. } = step;
    format!(
        "(exit ${{code:-0}})\n{{ {command}\n}} </dev/null\ncode=$?; printf '\\001%s\\001\\n' \"$code\"; printf '\\001\\n' >&2\n"
    )
}

fn within_limit(mut shell: Child) -> Result<(String, String), String> {
    let reader = |mut pipe: Box<dyn Read + Send>| {
        let (tx, rx) = mpsc::sync_channel(1);
        thread::spawn(move || {
            let mut text = Vec::new();
            let _ = pipe.read_to_end(&mut text);
            tx.send(String::from_utf8_lossy(&text).into_owned())
        });
        rx
    };
    let stdout = reader(Box::new(shell.stdout.take().unwrap()));
    let stderr = reader(Box::new(shell.stderr.take().unwrap()));
    let outputs = stdout.recv_timeout(LIMIT).ok().zip(stderr.recv_timeout(LIMIT).ok());
    if outputs.is_none() {
        shell.kill().unwrap();
    }
    shell.wait().unwrap();
    outputs.ok_or_else(|| format!("the commands take longer than {} s", LIMIT.as_secs()))
}

fn judge(step: &Step, (out, err): (&str, &str), ended_well: bool) -> Result<(), String> {
    if !ended_well {
        return Err("fails".to_owned());
    }
    let both = format!("{err}{out}");
    if step.output.is_empty() || [out, err, &both].iter().any(|shown| matches(&step.output, shown)) {
        return Ok(());
    }
    Err(format!("does not print\n{}", step.output.join("\n")))
}

fn matches(expected: &[String], shown: &str) -> bool {
    let shown: Vec<&str> = shown.trim_end_matches('\n').split('\n').collect();
    // A blank line before the end of a block is layout.
    let end = expected.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
    lines_match(&expected[..end], &shown)
}

fn lines_match(expected: &[String], shown: &[&str]) -> bool {
    match (expected.split_first(), shown.split_first()) {
        (None, shown) => shown.is_none(),
        (Some((any, rest)), _) if any == "..." => (0..=shown.len()).any(|skipped| lines_match(rest, &shown[skipped..])),
        (Some((line, rest)), Some((first, others))) => line_matches(line, first) && lines_match(rest, others),
        (Some(_), None) => false,
    }
}

fn line_matches(expected: &str, shown: &str) -> bool {
    let mut parts = expected.split("[..]");
    let Some(mut left) = parts.next().and_then(|first| shown.strip_prefix(first)) else { return false };
    let mut ended = true;
    for part in parts {
        ended = false;
        let Some(at) = left.rfind(part) else { return false };
        left = &left[at + part.len()..];
    }
    !ended || left.is_empty()
}
