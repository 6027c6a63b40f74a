//! Where words go: results to stdout, everything else to stderr.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::path::Path;

use anyhow::{Context, bail};

use crate::env;

/// Bytes that a text may have: far more than any model can take in, and less than hurts a machine. Pipes and devices
/// can go on for ever.
const MAX_TEXT: u64 = 64 << 20;

/// Tells something that is not a result. Names and values of files may be in it, and command no terminal.
pub(crate) fn note(text: &str) {
    // Without a stderr there is nobody to tell.
    let _ = writeln!(io::stderr(), "{}", harmless(text));
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
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(named)
}

/// The system's words do not tell what could not be written.
fn named(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot write to stdout: {error}"))
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
    file_text_up_to(path, MAX_TEXT)
}

/// As [`file_text`], for what may have so many bytes.
///
/// # Errors
///
/// As there.
pub(crate) fn file_text_up_to(path: &Path, bytes: u64) -> anyhow::Result<String> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| cannot_read(&name, error))?;
    text(bounded(file, &name, bytes)?, &name)
}

/// That a file cannot be read, and what to do about it.
pub(crate) fn cannot_read(what: &str, error: io::Error) -> anyhow::Error {
    let remedy = match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => "; check the spelling and the current directory",
        io::ErrorKind::IsADirectory => "; give the path of a file inside it",
        io::ErrorKind::PermissionDenied => "; check who may read it",
        _ => "",
    };
    anyhow::Error::new(error).context(format!("cannot read {what}{remedy}"))
}

/// That a file cannot be written, and what to do about it.
pub(crate) fn cannot_write(what: &str, error: io::Error) -> anyhow::Error {
    let remedy = match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => "; make its folder first, or give another path",
        io::ErrorKind::IsADirectory => "; give the path of a file inside it",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "; check who may write there, or give another path"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; make room, or give a path on another disk",
        _ => "",
    };
    anyhow::Error::new(error).context(format!("cannot write {what}{remedy}"))
}

/// Editors end a file with a line end that is not meant for the model.
pub(crate) fn without_line_end(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}

fn bounded(input: impl Read, origin: &str, limit: u64) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = input.take(limit + 1).read_to_end(&mut bytes).map_err(|error| cannot_read(origin, error))?;
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
    stderr_is_terminal() && colours_are_wanted()
}

/// The same of stdout.
pub(crate) fn stdout_has_colours() -> bool {
    stdout_is_terminal() && colours_are_wanted()
}

fn colours_are_wanted() -> bool {
    std::env::var_os(env::NO_COLOR).is_none_or(|value| value.is_empty()) && !terminal_is_dumb()
}

/// Whether the terminal can do no more than take text.
pub(crate) fn terminal_is_dumb() -> bool {
    std::env::var_os(env::TERM).is_some_and(|term| term == "dumb")
}

/// A text that a terminal only shows: characters that would command it are shown as their pictures, and nothing is left
/// out. Line ends and tabs stay.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    if text.contains(commands_a_terminal) { text.chars().map(picture).collect::<String>().into() } else { text.into() }
}

fn commands_a_terminal(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\t')
}

fn picture(c: char) -> char {
    match u32::from(c) {
        _ if !commands_a_terminal(c) => c,
        // The block of pictures has them in the same order.
        code @ 0..0x20 => char::from_u32(0x2400 + code).unwrap_or(char::REPLACEMENT_CHARACTER),
        0x7f => '\u{2421}',
        _ => char::REPLACEMENT_CHARACTER,
    }
}

/// Puts the terminal back as a shell expects it, before the program ends in the middle of something.
pub(crate) fn leave_terminal() {
    let was_raw = crossterm::terminal::is_raw_mode_enabled().unwrap_or(false);
    if was_raw {
        // There is nobody left to tell if it fails.
        let _ = crossterm::terminal::disable_raw_mode();
    }
    if stderr_is_terminal() && !terminal_is_dumb() {
        // Pastes come as if typed again, the cursor is seen, and a line of its own is begun.
        ask(if was_raw { "\x1b[?2004l\x1b[?25h\r\n" } else { "\x1b[?25h" });
    }
    if stderr_has_colours() {
        ask("\x1b[0m");
    }
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
    fn nothing_in_a_text_commands_the_terminal_and_nothing_is_lost() {
        assert!(matches!(harmless("plain\n\ttext \u{e9}"), Cow::Borrowed(_)));
        let shown = harmless("\x1b[31mred\x07\r\u{9b}2J\x7f");
        assert_eq!(shown, "\u{241b}[31mred\u{2407}\u{240d}\u{fffd}2J\u{2421}");
        assert!(!shown.chars().any(commands_a_terminal));
    }

    #[test]
    fn a_file_that_cannot_be_used_is_told_with_what_to_do() {
        for (kind, read, write) in [
            (io::ErrorKind::NotFound, "check the spelling", "make its folder first"),
            (io::ErrorKind::IsADirectory, "a file inside it", "a file inside it"),
            (io::ErrorKind::PermissionDenied, "who may read", "who may write"),
        ] {
            let texts = [cannot_read("f", kind.into()), cannot_write("f", kind.into())].map(|error| error.to_string());
            assert!(texts[0].starts_with("cannot read f; ") && texts[0].contains(read), "{texts:?}");
            assert!(texts[1].starts_with("cannot write f; ") && texts[1].contains(write), "{texts:?}");
        }
    }

    #[test]
    fn lines_come_one_by_one() {
        let mut input = &b"a\n\nb"[..];
        let lines: Vec<_> = (0..4).map(|_| line(&mut input).unwrap()).collect();
        assert_eq!(lines, [&b"a\n"[..], b"\n", b"b", b""]);
    }
}
