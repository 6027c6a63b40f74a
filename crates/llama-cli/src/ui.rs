//! Where words go: results to stdout, everything else to stderr.

use std::env;
use std::fs::File;
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::path::Path;

use anyhow::{Context, bail};

/// Bytes that a text may have: far more than any model can take in, and less than hurts a machine. Pipes and devices
/// can go on for ever.
const MAX_TEXT: u64 = 64 << 20;

/// Tells something that is not a result.
pub(crate) fn note(text: &str) {
    // Without a stderr there is nobody to tell.
    let _ = writeln!(io::stderr(), "{text}");
}

/// As [`note`], without ending the line.
pub(crate) fn ask(text: &str) {
    let mut stderr = io::stderr();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

/// Writes a piece of the result, to be seen at once.
///
/// # Errors
///
/// The system's; a closed pipe among them.
pub(crate) fn result(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// All of stdin, as text.
///
/// # Errors
///
/// When it cannot be read, is too long or is not UTF-8.
pub(crate) fn stdin_text() -> anyhow::Result<String> {
    text(bounded(io::stdin().lock(), "stdin", MAX_TEXT)?, "stdin")
}

/// The next line of a conversation, with its end; empty at the end of the input.
///
/// # Errors
///
/// When it cannot be read or is too long.
pub(crate) fn line(input: &mut impl BufRead) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = input.take(MAX_TEXT + 1).read_until(b'\n', &mut bytes).context("cannot read stdin")?;
    within(read, "the line", MAX_TEXT)?;
    Ok(bytes)
}

/// A whole file, as text.
///
/// # Errors
///
/// When it cannot be read, is too long or is not UTF-8.
pub(crate) fn file_text(path: &Path) -> anyhow::Result<String> {
    let name = path.display().to_string();
    let file = File::open(path).with_context(|| format!("cannot read {name}"))?;
    text(bounded(file, &name, MAX_TEXT)?, &name)
}

fn bounded(input: impl Read, origin: &str, limit: u64) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = input.take(limit + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read {origin}"))?;
    within(read, origin, limit)?;
    Ok(bytes)
}

fn within(read: usize, origin: &str, limit: u64) -> anyhow::Result<()> {
    if read as u64 > limit {
        bail!(
            "{origin} is longer than {} MiB, which is more than any model can read; give a shorter text",
            limit >> 20
        );
    }
    Ok(())
}

/// Names the place of the first bad byte.
pub(crate) fn text(bytes: Vec<u8>, origin: &str) -> anyhow::Result<String> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        anyhow::anyhow!("{origin} is not valid UTF-8 (first bad byte at offset {at}); convert it to UTF-8")
    })
}

pub(crate) fn stdin_is_terminal() -> bool {
    io::stdin().is_terminal()
}

pub(crate) fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}

pub(crate) fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Whether stderr is a terminal where colours are wanted.
pub(crate) fn stderr_has_colours() -> bool {
    stderr_is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_without_end_is_refused() {
        let error = bounded(io::repeat(b'a'), "the pipe", 3 << 20).unwrap_err();
        assert!(error.to_string().starts_with("the pipe is longer than 3 MiB"), "{error}");
        assert_eq!(bounded(&b"abc"[..], "the pipe", 3).unwrap(), b"abc");
    }

    #[test]
    fn lines_come_one_by_one() {
        let mut input = &b"a\n\nb"[..];
        let lines: Vec<_> = (0..4).map(|_| line(&mut input).unwrap()).collect();
        assert_eq!(lines, [&b"a\n"[..], b"\n", b"b", b""]);
    }
}
