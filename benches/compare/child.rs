//! Programs that are started, read and ended here.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::group::Group;

/// More than any of the programs prints as its result.
const MOST_OUTPUT: u64 = 16 << 20;
/// Lines of stderr that an error shows.
const TAIL_LINES: usize = 12;
/// Of one such line.
const LINE_BYTES: u64 = 4096;
/// How long what an ended program printed is waited for. Only a process that left its group holds the pipes any longer.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A program that came to its end as it should.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) stdout: String,
    /// The last lines of stderr.
    pub(crate) stderr: Vec<String>,
    /// From the start of the process to its end.
    pub(crate) took: Duration,
}

/// Why a program gave no result.
#[derive(Debug)]
pub(crate) struct ProgramError {
    line: String,
    what: String,
    tail: Vec<String>,
}

impl fmt::Display for ProgramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  {}", self.what, self.line)?;
        if self.tail.is_empty() {
            return write!(f, "\n  it printed nothing to stderr");
        }
        write!(f, "\n  the end of its stderr:")?;
        self.tail.iter().try_for_each(|line| write!(f, "\n  | {line}"))
    }
}

impl std::error::Error for ProgramError {}

/// A program without the settings of whoever runs this, with a home of its own.
pub(crate) fn command(program: &Path, home: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("LLAMA_")) {
            command.env_remove(name);
        }
    }
    command.env("HOME", home).env("XDG_CONFIG_HOME", home).current_dir(home);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs a program to its end, and ends it after `limit`.
pub(crate) fn run(mut command: Command, limit: Duration) -> Result<Finished, ProgramError> {
    let line = shown(&command);
    let failed = |what: String, tail| ProgramError { line: line.clone(), what, tail };
    let started = Instant::now();
    let mut group = Group::start(&mut command).map_err(|error| failed(format!("cannot start: {error}"), Vec::new()))?;
    let child = group.child();
    let out = reader(child.stdout.take(), read_bounded);
    let err = reader(child.stderr.take(), |stderr| tail(stderr, |_| ()));
    let end = started + limit;
    let (stdout, tail) = (until(end, &out), until(end, &err));
    let (Some(stdout), Some(tail)) = (stdout, tail.clone()) else {
        // It may have ended by itself just now.
        group.end();
        let tail = tail.or_else(|| until(Instant::now() + LAST_WORDS, &err)).unwrap_or_default();
        return Err(failed(format!("not through after {} s, so it was ended", limit.as_secs()), tail));
    };
    let status = group.wait();
    let took = started.elapsed();
    match status {
        Ok(status) if status.success() => Ok(Finished { stdout, stderr: tail, took }),
        Ok(status) => Err(failed(how_it_ended(status), tail)),
        Err(error) => Err(failed(format!("cannot wait for it: {error}"), tail)),
    }
}

/// Reads a pipe to its end on a thread of its own, which nobody has to wait for.
fn reader<R: Read + Send + 'static, T: Default + Send + 'static>(
    from: Option<R>,
    read: impl FnOnce(R) -> T + Send + 'static,
) -> mpsc::Receiver<T> {
    let (tx, rx) = mpsc::sync_channel(1);
    thread::spawn(move || {
        let found = from.map(read).unwrap_or_default();
        // Nobody listens any more after the limit.
        let _ = tx.send(found);
    });
    rx
}

/// What a reader has found, if it is through by then.
fn until<T>(end: Instant, reader: &mpsc::Receiver<T>) -> Option<T> {
    reader.recv_timeout(end.saturating_duration_since(Instant::now())).ok()
}

/// An error of a program whose output makes no sense.
pub(crate) fn not_understood(command_line: String, what: impl fmt::Display) -> ProgramError {
    ProgramError { line: command_line, what: format!("its output is not understood: {what}"), tail: Vec::new() }
}

/// The command as a person would type it, nearly.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn how_it_ended(status: ExitStatus) -> String {
    format!("ended with {status}")
}

fn read_bounded(from: impl Read) -> String {
    let mut bytes = Vec::new();
    let mut from = from.take(MOST_OUTPUT);
    // What was read until an error stays in the buffer.
    let _ = from.read_to_end(&mut bytes);
    let _ = io::copy(from.get_mut(), &mut io::sink());
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads to the end, keeps the last lines and shows each.
fn tail(from: impl Read, mut each: impl FnMut(&str)) -> Vec<String> {
    let mut from = BufReader::new(from);
    let mut lines = VecDeque::new();
    let mut line = Vec::new();
    while let Ok(1..) = from.by_ref().take(LINE_BYTES).read_until(b'\n', &mut line) {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        line.clear();
        each(&text);
        if !text.is_empty() {
            lines.push_back(text);
        }
        if lines.len() > TAIL_LINES {
            lines.pop_front();
        }
    }
    lines.into()
}

/// A program that goes on until it is dropped: a server, a neighbour.
#[derive(Debug)]
pub(crate) struct Background {
    group: Group,
    line: String,
    printed: mpsc::Receiver<()>,
    readers: Vec<mpsc::Receiver<Vec<String>>>,
}

impl Background {
    pub(crate) fn start(mut command: Command) -> Result<Self, ProgramError> {
        let line = shown(&command);
        let failed =
            |error| ProgramError { line: line.clone(), what: format!("cannot start: {error}"), tail: Vec::new() };
        let mut group = Group::start(&mut command).map_err(failed)?;
        // A line is a reason to look whether it is ready; a full channel already is one.
        let (tx, printed) = mpsc::sync_channel(1);
        let child = group.child();
        let stderr = child.stderr.take().map(|from| Box::new(from) as Box<dyn Read + Send>);
        let stdout = child.stdout.take().map(|from| Box::new(from) as Box<dyn Read + Send>);
        let read = |from| {
            let tx = tx.clone();
            let each = move |_: &str| {
                let _ = tx.try_send(());
            };
            reader(Some(from), |from| tail(from, each))
        };
        let readers = [stderr, stdout].into_iter().flatten().map(read).collect();
        Ok(Self { group, line, printed, readers })
    }

    /// Looks after every line that it prints, and at least every half second, whether it is ready.
    pub(crate) fn until(self, limit: Duration, mut ready: impl FnMut() -> bool) -> Result<Self, ProgramError> {
        let started = Instant::now();
        while started.elapsed() < limit {
            match self.printed.recv_timeout(Duration::from_millis(500)) {
                Err(mpsc::RecvTimeoutError::Disconnected) => return Err(self.failed("ended before it was ready")),
                _ if ready() => return Ok(self),
                _ => {}
            }
        }
        Err(self.failed(&format!("not ready after {} s", limit.as_secs())))
    }

    /// Ends it; an error with what it printed last.
    pub(crate) fn failed(mut self, what: &str) -> ProgramError {
        self.group.end();
        let end = Instant::now() + LAST_WORDS;
        let tails = self.readers.iter().filter_map(|reader| until(end, reader));
        ProgramError { line: self.line.clone(), what: what.to_owned(), tail: tails.flatten().collect() }
    }

    /// Whether it has not ended.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.group.child().try_wait(), Ok(None))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = command(Path::new("/bin/sh"), Path::new("/"));
        command.args(["-c", script]);
        command
    }

    const LIMIT: Duration = Duration::from_secs(60);

    #[test]
    fn a_result_is_what_was_printed_to_stdout() {
        let finished = run(shell("echo result; echo noise >&2"), LIMIT).expect("it succeeds");
        assert_eq!(finished.stdout, "result\n");
    }

    #[test]
    fn a_failure_shows_the_command_and_the_end_of_stderr() {
        let error = run(shell("for i in $(seq 50); do echo line $i >&2; done; exit 7"), LIMIT).expect_err("status 7");
        let text = error.to_string();
        assert!(text.contains("/bin/sh -c") && text.contains('7') && text.contains("| line 50"), "{text}");
        assert!(!text.contains("| line 38\n"), "{text}");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = run(command(Path::new("/no/such/program"), Path::new("/")), LIMIT).expect_err("there is none");
        assert!(error.to_string().contains("/no/such/program"));
    }

    #[test]
    fn a_program_that_hangs_is_ended() {
        let error = run(shell("echo before >&2; exec sleep 600"), Duration::from_millis(200)).expect_err("the limit");
        assert!(error.to_string().contains("so it was ended"), "{error}");
    }

    /// The pipes come to their end, so that "before" is known, only when what the wrapper started is gone too.
    #[test]
    fn a_wrapper_that_hangs_is_ended_with_what_it_started() {
        let started = Instant::now();
        let wrapper = shell("echo before >&2; sleep 600; echo after");
        let error = run(wrapper, Duration::from_millis(200)).expect_err("the limit").to_string();
        assert!(error.contains("so it was ended") && error.contains("| before"), "{error}");
        assert!(started.elapsed() < Duration::from_secs(60));
    }

    #[test]
    fn a_server_within_a_wrapper_ends_with_its_owner() {
        let server = Background::start(shell("echo listening >&2; sleep 600; echo after"))
            .and_then(|server| server.until(LIMIT, || true))
            .expect("it is ready");
        let error = server.failed("was asked to").to_string();
        assert!(error.contains("| listening"), "{error}");
    }

    /// As a wrapper does whose server goes on in the background.
    #[test]
    fn pipes_that_outlive_the_program_are_no_reason_to_wait_beyond_the_limit() {
        let started = Instant::now();
        let error = run(shell("sleep 600 &"), Duration::from_millis(200)).expect_err("the limit").to_string();
        assert!(error.contains("so it was ended"), "{error}");
        assert!(started.elapsed() < Duration::from_secs(60));
    }

    #[test]
    fn a_server_is_ready_when_it_says_so_and_ends_with_its_owner() {
        let mut asked = 0;
        let mut server = Background::start(shell("echo listening >&2; exec sleep 600"))
            .and_then(|server| {
                server.until(LIMIT, || {
                    asked += 1;
                    true
                })
            })
            .expect("it is ready");
        assert!(server.is_running());
        assert_eq!(asked, 1);
        let error = server.failed("was asked to");
        assert!(error.to_string().contains("| listening"), "{error}");
    }

    #[test]
    fn a_server_that_ends_at_once_is_an_error() {
        let started = Background::start(shell("echo no such model >&2; exit 1"));
        let error = started.and_then(|server| server.until(LIMIT, || false)).expect_err("it ended");
        assert!(error.to_string().contains("no such model"), "{error}");
    }
}
