//! `$ref`: which parts of the schema are referred to.

use std::collections::HashMap;

use serde_json::Value;

use super::Place;
use crate::structure::StructureError;

/// The definitions that references lead to, in the order in which they are met.
pub(super) struct Definitions<'s> {
    root: &'s Value,
    /// By pointer.
    names: HashMap<String, usize>,
    /// Met and not yet read.
    waiting: Vec<(String, String, &'s Value)>,
}

impl<'s> Definitions<'s> {
    pub(super) fn new(root: &'s Value) -> Self {
        Self { root, names: HashMap::new(), waiting: Vec::new() }
    }

    /// A definition to read: its name, its place, itself.
    pub(super) fn next(&mut self) -> Option<(String, String, &'s Value)> {
        self.waiting.pop()
    }

    /// The name of what a `$ref` leads to.
    ///
    /// # Errors
    ///
    /// As [`Definitions::target`].
    pub(super) fn name(&mut self, reference: &Value, at: &Place) -> Result<String, StructureError> {
        let (pointer, target) = self.target(reference, at)?;
        let next = self.names.len();
        let index = *self.names.entry(pointer.clone()).or_insert(next);
        let name = format!("r{index}");
        if index == next {
            self.waiting.push((name.clone(), pointer, target));
        }
        Ok(name)
    }

    /// What a `$ref` leads to: its place and itself.
    ///
    /// # Errors
    ///
    /// It leads out of the schema, or to nothing.
    pub(super) fn target(&self, reference: &Value, at: &Place) -> Result<(String, &'s Value), StructureError> {
        let text = reference.as_str().ok_or_else(|| at.invalid("`$ref` is a string"))?;
        let pointer = text.strip_prefix('#').and_then(unescape);
        let Some(pointer) = pointer.filter(|pointer| pointer.is_empty() || pointer.starts_with('/')) else {
            return Err(at.unsupported(
                format!("`{text}` is not a place in this schema"),
                "put what it refers to under `$defs` and write `#/$defs/NAME`",
            ));
        };
        let target = self.root.pointer(&pointer);
        let target = target.ok_or_else(|| at.invalid(format!("`{text}` leads nowhere in this schema")))?;
        if under_id(self.root, &at.pointer) {
            return Err(at.unsupported(
                "a reference inside a subschema with an `$id` of its own is relative to that",
                "remove the inner `$id`",
            ));
        }
        Ok((pointer, target))
    }
}

/// A JSON pointer in a URI fragment, without the URI's escapes; `None` if they are broken.
fn unescape(fragment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(fragment.len());
    let mut rest = fragment.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            let (high, low) = (digit()?, digit()?);
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// Whether a part of the schema on the way to `pointer`, but not its root, has an `$id`.
fn under_id(root: &Value, pointer: &str) -> bool {
    let ends = pointer.match_indices('/').map(|(i, _)| i).filter(|i| *i > 0);
    ends.filter_map(|end| root.pointer(&pointer[..end])).any(|part| part.get("$id").is_some_and(Value::is_string))
}

#[cfg(test)]
mod tests {
    use super::unescape;

    #[test]
    fn fragments_lose_the_escapes_of_uris_only() {
        assert_eq!(unescape("/$defs/a%20b~1c").as_deref(), Some("/$defs/a b~1c"));
        assert_eq!(unescape("/%c3%a9").as_deref(), Some("/é"));
        for broken in ["/%", "/%4", "/%zz", "/%ff", "/%+1"] {
            assert_eq!(unescape(broken), None, "{broken}");
        }
    }
}
