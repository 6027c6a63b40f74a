//! Reads JSON, as far as `cargo metadata` needs it. Not a validator: it accepts some text that is not JSON.

use std::collections::BTreeMap;
use std::ops::Index;

/// A JSON value. Asking for what is not there gives an empty answer, not an error: cargo's output has the
/// documented shape, and a missing field means the same as an empty one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// `null`, numbers and booleans: nobody here reads them.
    Other,
    Text(String),
    List(Vec<Self>),
    Map(BTreeMap<String, Self>),
}

impl Value {
    /// The string, or an empty one.
    pub(crate) fn text(&self) -> &str {
        if let Self::Text(text) = self { text } else { "" }
    }

    /// The elements of a list, or none.
    pub(crate) fn items(&self) -> &[Self] {
        if let Self::List(items) = self { items } else { &[] }
    }
}

impl Index<&str> for Value {
    type Output = Self;

    fn index(&self, key: &str) -> &Self {
        let Self::Map(map) = self else {
            return &Self::Other;
        };
        map.get(key).unwrap_or(&Self::Other)
    }
}

/// Parses one value; the error names the byte where it stopped.
pub(crate) fn parse(text: &str) -> Result<Value, String> {
    let mut reader = Reader { text, at: 0 };
    let value = reader.value()?;
    reader.space();
    if reader.at == text.len() { Ok(value) } else { Err(reader.unexpected()) }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl Reader<'_> {
    fn value(&mut self) -> Result<Value, String> {
        self.space();
        match self.peek() {
            Some(b'{') => self.map(),
            Some(b'[') => self.list(),
            Some(b'"') => self.string().map(Value::Text),
            Some(_) => self.word(),
            None => Err(self.unexpected()),
        }
    }

    fn map(&mut self) -> Result<Value, String> {
        let mut map = BTreeMap::new();
        self.at += 1;
        while !self.ends_with(b'}', map.is_empty())? {
            self.space();
            let key = self.string()?;
            self.space();
            self.expect(b':')?;
            map.insert(key, self.value()?);
        }
        Ok(Value::Map(map))
    }

    fn list(&mut self) -> Result<Value, String> {
        let mut items = Vec::new();
        self.at += 1;
        while !self.ends_with(b']', items.is_empty())? {
            items.push(self.value()?);
        }
        Ok(Value::List(items))
    }

    /// Whether the closing bracket came; otherwise steps over the comma, which the first element lacks.
    fn ends_with(&mut self, close: u8, first: bool) -> Result<bool, String> {
        self.space();
        if self.peek() == Some(close) {
            self.at += 1;
            return Ok(true);
        }
        if !first {
            self.expect(b',')?;
        }
        Ok(false)
    }

    fn string(&mut self) -> Result<String, String> {
        self.expect(b'"')?;
        let mut units = Vec::new();
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let Some(c) = rest.chars().next() else {
                return Err(self.unexpected());
            };
            self.at += c.len_utf8();
            if c == '\\' && rest.as_bytes().get(1) == Some(&b'u') {
                units.push(self.unit()?);
                continue;
            }
            // Escapes may be surrogate halves, so they are decoded together when their run ends.
            out.extend(char::decode_utf16(units.drain(..)).map(|half| half.unwrap_or(char::REPLACEMENT_CHARACTER)));
            match c {
                '"' => return Ok(out),
                '\\' => out.push(self.escape()?),
                _ => out.push(c),
            }
        }
    }

    /// The four digits after a backslash and `u`; the backslash is behind us.
    fn unit(&mut self) -> Result<u16, String> {
        let digits = self.text.get(self.at + 1..self.at + 5).and_then(|hex| u16::from_str_radix(hex, 16).ok());
        let unit = digits.ok_or_else(|| self.unexpected())?;
        self.at += 5;
        Ok(unit)
    }

    fn escape(&mut self) -> Result<char, String> {
        let c = match self.peek() {
            Some(b'n') => '\n',
            Some(b't') => '\t',
            Some(b'r') => '\r',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(c @ (b'"' | b'\\' | b'/')) => char::from(c),
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        Ok(c)
    }

    fn word(&mut self) -> Result<Value, String> {
        let rest = &self.text[self.at..];
        let len = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c))).unwrap_or(rest.len());
        if len == 0 {
            return Err(self.unexpected());
        }
        self.at += len;
        Ok(Value::Other)
    }

    fn expect(&mut self, byte: u8) -> Result<(), String> {
        if self.peek() != Some(byte) {
            return Err(self.unexpected());
        }
        self.at += 1;
        Ok(())
    }

    fn space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn unexpected(&self) -> String {
        match self.text.get(self.at..).and_then(|rest| rest.chars().next()) {
            Some(c) => format!("unexpected {c:?} at byte {}", self.at),
            None => format!("unexpected end at byte {}", self.at),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn nested_values_are_reached_by_key() {
        let value = parse(r#" {"a": [ {"b": "c"}, 1.5e-3, null, [] ], "d": {} } "#).unwrap();
        assert_eq!(value["a"].items()[0]["b"].text(), "c");
        assert_eq!(value["a"].items().len(), 4);
        assert_eq!(value["no such key"].text(), "");
    }

    #[test]
    fn escapes_become_characters() {
        let value = parse(r#""C:\\x\n\"\u00e9\ud83d\ude00é""#).unwrap();
        assert_eq!(value.text(), "C:\\x\n\"é😀é");
    }

    #[test]
    fn broken_text_names_the_place() {
        for text in ["", "{", "[1,", "{\"a\"}", "\"x", "[1 2]", "\"\\q\"", "\"\\u12\"", "{} x", ","] {
            assert!(parse(text).unwrap_err().contains("at byte"), "{text}");
        }
    }
}
