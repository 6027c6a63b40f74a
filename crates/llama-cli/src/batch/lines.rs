//! The lines of an input, one after the other and never more than one in memory: [`Lines`].
//!
//! What a line means is none of its business; a line that cannot be used at all is told as such, and the next one follows.

use std::io::{self, BufRead};

use sha2::{Digest, Sha256};

use super::key::Print;

/// Bytes that a line, or a text that is one prompt, may have. Longer ones are read over without being kept.
pub(super) const MAX_LINE: usize = 16 << 20;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// A line with something in it.
#[derive(Debug, PartialEq)]
pub(super) struct Line {
    /// From 1; empty lines count.
    pub(super) number: u64,
    /// Of its bytes, without its end and without a byte order mark.
    pub(super) print: Print,
    /// What it says.
    pub(super) text: Result<String, Unreadable>,
}

/// Why a line cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// It has so many bytes, and [`MAX_LINE`] are allowed.
    TooLong(u64),
    /// Its first bad byte, from 0.
    NotUtf8(usize),
}

/// Reads lines.
#[derive(Debug)]
pub(super) struct Lines<R> {
    input: R,
    number: u64,
    limit: usize,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, number: 0, limit: MAX_LINE }
    }

    /// The next line that is not empty; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Line>> {
        while let Some(raw) = self.read(Some(b'\n'))? {
            if !raw.is_blank() {
                return Ok(Some(raw.line(self.number)));
            }
        }
        Ok(None)
    }

    /// All that is left as one line, without the line end at its end; `None` if it is empty.
    pub(super) fn whole(&mut self) -> io::Result<Option<Line>> {
        Ok(self.read(None)?.filter(|raw| !raw.is_blank()).map(|raw| raw.line(self.number)))
    }

    /// Everything up to `end`, which is left out, or up to the end of the input.
    fn read(&mut self, end: Option<u8>) -> io::Result<Option<Raw>> {
        let mut raw = Raw { kept: Vec::new(), over: None, bytes: 0 };
        loop {
            let chunk = match self.input.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                chunk => chunk?,
            };
            if chunk.is_empty() {
                break;
            }
            let at = end.and_then(|end| chunk.iter().position(|byte| *byte == end));
            raw.push(&chunk[..at.unwrap_or(chunk.len())], self.limit);
            let used = at.map_or(chunk.len(), |at| at + 1);
            self.input.consume(used);
            if at.is_some() {
                return Ok(Some(self.numbered(raw)));
            }
        }
        Ok((raw.bytes > 0).then(|| self.numbered(raw)))
    }

    fn numbered(&mut self, mut raw: Raw) -> Raw {
        self.number += 1;
        if self.number == 1 && raw.kept.starts_with(BOM) {
            raw.kept.drain(..BOM.len());
        }
        raw
    }
}

/// A line as it is read.
struct Raw {
    kept: Vec<u8>,
    /// Of a line that is too long: only its hash goes on.
    over: Option<Sha256>,
    bytes: u64,
}

impl Raw {
    fn push(&mut self, bytes: &[u8], limit: usize) {
        self.bytes += bytes.len() as u64;
        if self.over.is_none() && self.kept.len() + bytes.len() > limit {
            self.over = Some(Sha256::new_with_prefix(std::mem::take(&mut self.kept)));
        }
        match &mut self.over {
            Some(hash) => hash.update(bytes),
            None => self.kept.extend_from_slice(bytes),
        }
    }

    fn is_blank(&self) -> bool {
        self.over.is_none() && self.kept.iter().all(u8::is_ascii_whitespace)
    }

    fn line(mut self, number: u64) -> Line {
        if let Some(hash) = self.over {
            return Line { number, print: Print::of(hash), text: Err(Unreadable::TooLong(self.bytes)) };
        }
        // A whole text ends with a line end that is not meant for the model; a line has lost its own already.
        for end in [b'\n', b'\r'] {
            if self.kept.last() == Some(&end) {
                self.kept.pop();
            }
        }
        let print = Print::of(Sha256::new_with_prefix(&self.kept));
        let text = String::from_utf8(self.kept).map_err(|error| Unreadable::NotUtf8(error.utf8_error().valid_up_to()));
        Line { number, print, text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(input: &[u8]) -> Vec<(u64, Result<String, Unreadable>)> {
        // Chunks of three bytes: lines go across them.
        let mut lines = Lines::new(io::BufReader::with_capacity(3, input));
        lines.limit = 8;
        std::iter::from_fn(|| lines.next().unwrap()).map(|line| (line.number, line.text)).collect()
    }

    fn ok(number: u64, text: &str) -> (u64, Result<String, Unreadable>) {
        (number, Ok(text.to_owned()))
    }

    #[test]
    fn lines_come_without_marks_ends_and_empty_ones() {
        assert_eq!(all(b"\xef\xbb\xbfa\r\n\n \t\r\nb\nc"), [ok(1, "a"), ok(4, "b"), ok(5, "c")]);
        assert_eq!(all(b""), []);
        assert_eq!(all(b"\n\n"), []);
    }

    #[test]
    fn what_cannot_be_used_is_told_and_the_next_line_follows() {
        let lines = all(b"123456789012\nok\n\xffx\n12345678\n");
        let bad = [(1, Err(Unreadable::TooLong(12))), (3, Err(Unreadable::NotUtf8(0)))];
        assert_eq!(lines, [bad[0].clone(), ok(2, "ok"), bad[1].clone(), ok(4, "12345678")]);
    }

    #[test]
    fn a_fingerprint_is_of_all_bytes_but_the_end() {
        let print = |input: &[u8]| {
            let mut lines = Lines::new(input);
            lines.limit = 8;
            lines.next().unwrap().unwrap().print
        };
        assert_eq!(print(b"abc\r\n"), print(b"\xef\xbb\xbfabc"));
        assert_ne!(print(b"abc"), print(b"abd"));
        assert_ne!(print(b"abcdefgh1"), print(b"abcdefgh2"), "longer than is kept");
    }

    #[test]
    fn a_whole_text_keeps_its_lines_and_loses_the_last_end() {
        assert_eq!(Lines::new(&b"a\n\nb\r\n"[..]).whole().unwrap().unwrap().text.unwrap(), "a\n\nb");
        assert_eq!(Lines::new(&b" \n"[..]).whole().unwrap(), None);
    }
}
