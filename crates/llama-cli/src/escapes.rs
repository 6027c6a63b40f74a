//! Escapes in texts that were typed on the command line: `\n \r \t \' \" \\ \xHH`, as llama.cpp takes them. Files and stdin
//! are never touched: they can hold any byte as it is.

use clap::Args;

/// Whether backslashes on the command line mean something.
#[derive(Debug, Args)]
pub(crate) struct EscapeArgs {
    /// Understand \n \r \t \' \" \\ \xHH in the prompt and the stop strings of the command line; files and stdin are
    /// taken as they are; this is the default
    #[arg(short, long, overrides_with = "no_escape")]
    escape: bool,

    /// Take backslashes on the command line as they are
    #[arg(long, overrides_with = "escape")]
    no_escape: bool,
}

impl EscapeArgs {
    /// Whether every backslash stands for itself.
    pub(crate) fn are_off(&self) -> bool {
        self.no_escape
    }

    /// A text of the command line as it was meant; `flag` names where it was given.
    ///
    /// # Errors
    ///
    /// Escapes that make no text.
    pub(crate) fn resolve(&self, text: &str, flag: &str) -> anyhow::Result<String> {
        if self.no_escape { Ok(text.to_owned()) } else { resolve(text, flag) }
    }
}

/// Resolves the escapes of a text; what is no escape stays as it is.
///
/// # Errors
///
/// When bytes that were given as `\xHH` are no UTF-8; `flag` names where the text was given.
fn resolve(text: &str, flag: &str) -> anyhow::Result<String> {
    String::from_utf8(bytes(text)).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        anyhow::anyhow!(
            "{flag}: the escapes make bytes that are not valid UTF-8 (first bad byte at offset {at}); correct them, or \
             take the text as it is with --no-escape"
        )
    })
}

fn bytes(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.extend_from_slice(before.as_bytes());
        let (byte, length) = escape(after);
        out.push(byte.unwrap_or(b'\\'));
        rest = &after[length..];
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

/// The byte that an escape stands for, and how long it is without its backslash; no length where there is none.
fn escape(after: &str) -> (Option<u8>, usize) {
    match after.as_bytes() {
        [b'n', ..] => (Some(b'\n'), 1),
        [b'r', ..] => (Some(b'\r'), 1),
        [b't', ..] => (Some(b'\t'), 1),
        [quoted @ (b'\'' | b'"' | b'\\'), ..] => (Some(*quoted), 1),
        [b'x', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
            (u8::from_str_radix(&after[1..3], 16).ok(), 3)
        }
        _ => (None, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_those_of_upstream() {
        for (text, expected) in [
            (r"a\nb\r\t", "a\nb\r\t"),
            (r#"\'\"\\"#, "'\"\\"),
            (r"\\n", r"\n"),
            (r"\x41\xc3\xa9", "Aé"),
            (r"\x4", r"\x4"),
            (r"\xzz", r"\xzz"),
            (r"\q \", r"\q \"),
            ("\\é", "\\é"),
            (r"\x4é", r"\x4é"),
            ("", ""),
        ] {
            assert_eq!(resolve(text, "-p").unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_with_the_flag_and_the_place() {
        let error = resolve(r"ab\xff", "--stop").unwrap_err().to_string();
        assert!(
            error.starts_with("--stop: ") && error.contains("offset 2") && error.contains("--no-escape"),
            "{error}"
        );
    }
}
