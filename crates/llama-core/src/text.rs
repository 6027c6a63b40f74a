//! Bytes to whole UTF-8, piece by piece.
//!
//! A token is a run of bytes, not of characters: one emoji may come in four tokens. [`Utf8Stream`] holds back the few
//! bytes of a character that is not complete yet, so that what it hands out can be printed at once. It knows nothing of
//! tokens, vocabularies or stop strings (see [`stop`](crate::stop)).

/// The longest incomplete UTF-8 sequence: the first three bytes of a four-byte character.
const MAX_HELD: usize = 3;

/// Turns a stream of byte runs into text, holding back an incomplete character.
///
/// Whatever the runs are, the text handed out, up to and with [`finish`](Self::finish), is the one
/// [`String::from_utf8_lossy`] makes of all the bytes at once: each maximal invalid part becomes one U+FFFD, as the
/// WHATWG encoding standard asks, and no byte is lost without such a mark.
///
/// At most three bytes are held back. The type is plain data: `Send`, `Sync`, and a clone is an independent stream.
///
/// ```
/// use llama_core::text::Utf8Stream;
///
/// let mut stream = Utf8Stream::new();
/// let mut text = String::new();
/// assert_eq!(stream.push(b"caf\xc3", &mut text), "caf"); // half of "é" is held back
/// assert_eq!(stream.push(b"\xa9!", &mut text), "é!");
/// assert_eq!(stream.push(b"\xf0\x9f", &mut text), "");
/// assert_eq!(stream.finish(&mut text), "\u{FFFD}"); // the emoji never came
/// assert_eq!(text, "café!\u{FFFD}");
/// ```
#[derive(Debug, Clone, Default)]
pub struct Utf8Stream {
    held: [u8; MAX_HELD],
    held_len: usize,
}

impl Utf8Stream {
    /// Starts a stream with nothing held back.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends the text that `bytes` completes to `out`, and returns the part that was appended.
    ///
    /// The part is empty when `bytes` only adds to a character that is still incomplete.
    pub fn push<'o>(&mut self, bytes: &[u8], out: &'o mut String) -> &'o str {
        let start = out.len();
        let rest = self.complete_held(bytes, out);
        let mut chunks = rest.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            out.push_str(chunk.valid());
            let invalid = chunk.invalid();
            if invalid.is_empty() {
                continue;
            }
            if chunks.peek().is_none() && is_incomplete(invalid) {
                self.held[..invalid.len()].copy_from_slice(invalid);
                self.held_len = invalid.len();
            } else {
                out.push(char::REPLACEMENT_CHARACTER);
            }
        }
        &out[start..]
    }

    /// Ends the stream: a character that never became whole is written as one U+FFFD.
    ///
    /// Returns the part that was appended, which is empty if nothing was held back. The stream can be used again
    /// afterwards and starts afresh.
    pub fn finish<'o>(&mut self, out: &'o mut String) -> &'o str {
        let start = out.len();
        if self.held_len > 0 {
            out.push(char::REPLACEMENT_CHARACTER);
            self.held_len = 0;
        }
        &out[start..]
    }

    /// The bytes held back: the beginning of one character, at most three bytes.
    #[must_use]
    pub fn held(&self) -> &[u8] {
        &self.held[..self.held_len]
    }

    /// Moves bytes behind the held ones until these are a character or cannot become one; returns what is left.
    fn complete_held<'b>(&mut self, mut bytes: &'b [u8], out: &mut String) -> &'b [u8] {
        while self.held_len > 0 {
            let Some((&next, rest)) = bytes.split_first() else {
                break;
            };
            let mut candidate = [0_u8; MAX_HELD + 1];
            candidate[..self.held_len].copy_from_slice(self.held());
            candidate[self.held_len] = next;
            let candidate = &candidate[..=self.held_len];
            match str::from_utf8(candidate) {
                Ok(character) => {
                    out.push_str(character);
                    self.held_len = 0;
                    bytes = rest;
                }
                // A sequence that is still incomplete has at most three bytes, so there is room for it.
                Err(error) if error.error_len().is_none() => {
                    self.held[self.held_len] = next;
                    self.held_len += 1;
                    bytes = rest;
                }
                // The held bytes were a valid beginning, so the new byte is the one that does not fit. It may begin
                // a character itself, and is looked at again.
                Err(_) => {
                    out.push(char::REPLACEMENT_CHARACTER);
                    self.held_len = 0;
                }
            }
        }
        bytes
    }
}

fn is_incomplete(bytes: &[u8]) -> bool {
    matches!(str::from_utf8(bytes), Err(error) if error.valid_up_to() == 0 && error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Utf8Stream;

    fn in_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> String {
        let mut stream = Utf8Stream::new();
        let mut text = String::new();
        let mut parts = String::new();
        for piece in pieces {
            let part = stream.push(piece, &mut text).to_owned();
            assert!(stream.held().len() <= 3);
            parts.push_str(&part);
        }
        parts.push_str(stream.finish(&mut text));
        assert_eq!(parts, text);
        assert!(stream.held().is_empty());
        text
    }

    #[test]
    fn every_split_in_two_gives_the_whole_text() {
        let bytes = "aé€😀z".as_bytes();
        for at in 0..=bytes.len() {
            let (left, right) = bytes.split_at(at);
            assert_eq!(in_pieces([left, right]), "aé€😀z");
        }
    }

    #[test]
    fn a_character_is_shown_as_soon_as_its_last_byte_comes() {
        let mut stream = Utf8Stream::new();
        let mut text = String::new();
        for byte in &"😀".as_bytes()[..3] {
            assert_eq!(stream.push(&[*byte], &mut text), "");
        }
        assert_eq!(stream.held(), &"😀".as_bytes()[..3]);
        assert_eq!(stream.push(&"😀".as_bytes()[3..], &mut text), "😀");
        assert!(stream.held().is_empty());
    }

    #[test]
    fn an_invalid_byte_becomes_one_mark_and_hides_nothing_after_it() {
        assert_eq!(in_pieces([&b"a\xff"[..], b"b"]), "a\u{FFFD}b");
        assert_eq!(in_pieces([&b"\xe2\x82"[..], b"\xc3", b"\xa9"]), "\u{FFFD}é");
        assert_eq!(in_pieces([&b"\xed"[..], b"\xa0", b"\x80"]), String::from_utf8_lossy(b"\xed\xa0\x80"));
    }

    /// Bytes that meet the interesting cases (lead bytes, surrogates, overlong forms) far more often than chance would.
    fn tricky_bytes() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            any::<u8>().prop_map(|byte| vec![byte]),
            any::<char>().prop_map(|c| c.to_string().into_bytes()),
            prop::sample::select(vec![0xc0_u8, 0xc2, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf5, 0x80, 0x9f, 0xa0, 0xbf])
                .prop_map(|byte| vec![byte]),
        ];
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn any_split_of_any_bytes_reads_as_the_lossy_whole(
            bytes in tricky_bytes(),
            sizes in prop::collection::vec(0_usize..6, 0..60),
        ) {
            let mut rest = &bytes[..];
            let mut pieces = Vec::new();
            for size in sizes {
                let (piece, after) = rest.split_at(size.min(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            pieces.push(rest);
            prop_assert_eq!(in_pieces(pieces), String::from_utf8_lossy(&bytes));
        }
    }
}
