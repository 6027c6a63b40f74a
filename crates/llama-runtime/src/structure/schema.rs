//! What a JSON schema demands, and whether it can be enforced: [`check`].
//!
//! The engine reads most of JSON schema, but not all of it exactly: it ignores words that it does not know, options of its
//! own can hide in a schema, references with escapes lead elsewhere, some bounds are taken inexactly. So a schema is not
//! passed on but written anew, from the keywords that are known to hold, in the one form in which they do:
//! references become definitions with plain names, tuples of older drafts become `prefixItems`, patterns are translated,
//! annotations are gone. What cannot be written so is refused with its place.

mod keywords;
mod numbers;
mod objects;
mod pattern;
mod place;
mod refs;

use serde_json::{Map, Value, json};

use super::StructureError;
use keywords::{Keyword, classify};
pub(super) use pattern::check_size as check_pattern;
use place::Place;
use refs::Definitions;

/// Size of a schema: the bytes of its texts, its values and subschemas, how deep they are nested, and how deep in all if
/// every definition is followed once, which is what the compiler may do by recursion.
pub(super) const MAX_BYTES: usize = 256 << 10;
pub(super) const MAX_NODES: usize = 10_000;
pub(super) const MAX_DEPTH: usize = 64;
pub(super) const MAX_LEVELS: usize = 2_048;
/// Patterns in all, and in one object, where each is compared with each.
pub(super) const MAX_PATTERNS: usize = 128;
pub(super) const MAX_OBJECT_PATTERNS: usize = 16;
/// Longest string and array that can be demanded or limited to: longer ones take a state per character, and no answer is
/// that long.
pub(super) const MAX_LENGTH: u64 = 16_384;
pub(super) const MAX_ITEMS: u64 = 65_536;

/// A schema that can be enforced.
pub(super) struct Checked {
    /// In the engine's form; an object.
    pub(super) schema: Value,
    /// Places of its subschemas, inner before outer.
    pub(super) places: Vec<String>,
}

/// Reads a schema.
///
/// # Errors
///
/// [`StructureError`] with the place of what cannot be enforced.
pub(super) fn check(root: &Value) -> Result<Checked, StructureError> {
    check_at(root, "")
}

/// Reads one subschema of `root` as if it stood alone.
///
/// # Errors
///
/// As [`check`].
pub(super) fn check_at(root: &Value, pointer: &str) -> Result<Checked, StructureError> {
    let mut walk = Walk::new(root);
    let at = Place::root().step_into(pointer);
    let value = root.pointer(pointer).ok_or_else(|| at.invalid("there is nothing"))?;
    let mut schema = match walk.schema(value, &at)? {
        Value::Object(schema) => schema,
        Value::Bool(true) => Map::new(),
        _ => return Err(at.unsatisfiable("the schema is `false`")),
    };
    let definitions = walk.definitions()?;
    if !definitions.is_empty() {
        schema.insert("$defs".into(), Value::Object(definitions));
    }
    walk.multiples.check(walk.intersects)?;
    Ok(Checked { schema: Value::Object(schema), places: walk.places })
}

/// One reading of a schema.
struct Walk<'s> {
    refs: Definitions<'s>,
    places: Vec<String>,
    multiples: numbers::Multiples,
    /// Whether one value is held to several schemas somewhere, so that their demands are combined.
    intersects: bool,
    nodes: usize,
    bytes: usize,
    patterns: usize,
    /// The deepest place since the last definition began.
    deepest: usize,
    /// The definitions that are being put in the place of a reference to them.
    within: Vec<String>,
}

impl<'s> Walk<'s> {
    fn new(root: &'s Value) -> Self {
        Self {
            refs: Definitions::new(root),
            places: Vec::new(),
            multiples: numbers::Multiples::default(),
            intersects: false,
            nodes: 0,
            bytes: 0,
            patterns: 0,
            deepest: 0,
            within: Vec::new(),
        }
    }

    /// Reads what references lead to, and what those lead to.
    fn definitions(&mut self) -> Result<Map<String, Value>, StructureError> {
        let mut definitions = Map::new();
        let mut levels = self.deepest;
        while let Some((name, pointer, value)) = self.refs.next() {
            self.deepest = 0;
            let at = Place::root().step_into(&pointer);
            definitions.insert(name, self.schema(value, &at)?);
            levels += self.deepest + 1;
            if levels > MAX_LEVELS {
                return Err(at.too_complex(format!("its definitions are {MAX_LEVELS} levels deep in all")));
            }
        }
        Ok(definitions)
    }

    /// Counts one value or subschema, and the bytes of its text.
    fn count(&mut self, at: &Place, bytes: usize) -> Result<(), StructureError> {
        self.nodes += 1;
        self.bytes += bytes + 8;
        self.deepest = self.deepest.max(at.depth);
        if at.depth > MAX_DEPTH {
            return Err(at.too_complex(format!("it is nested more than {MAX_DEPTH} deep")));
        }
        if self.nodes > MAX_NODES {
            return Err(at.too_complex(format!("the schema has more than {MAX_NODES} parts")));
        }
        if self.bytes > MAX_BYTES {
            return Err(at.too_complex(format!("the schema has more than {MAX_BYTES} bytes")));
        }
        Ok(())
    }

    fn schema(&mut self, value: &'s Value, at: &Place) -> Result<Value, StructureError> {
        self.count(at, 0)?;
        let schema = match value {
            Value::Bool(_) => return Ok(value.clone()),
            Value::Object(schema) => schema,
            _ => return Err(at.invalid("a schema is an object or a boolean")),
        };
        for (word, value) in schema {
            self.count(at, word.len())?;
            known(word, value, at)?;
        }
        let types = types(schema, at)?;
        let mut out = Map::new();
        if schema.contains_key("type") {
            out.insert("type".into(), json!(types));
        }
        self.numbers(schema, &types, at, &mut out)?;
        self.strings(schema, &types, at, &mut out)?;
        self.arrays(schema, at, &mut out)?;
        self.objects(schema, at, &mut out)?;
        let alone = out.is_empty();
        self.combinations(schema, at, &mut out)?;
        // Several keywords of this kind, or one and others, hold one value to several schemas.
        self.intersects |= out.contains_key("allOf") || (!alone && out.len() > 1 && combines(&out));
        // A named property that matches a pattern is held to both.
        self.intersects |= out.contains_key("properties") && out.contains_key("patternProperties");
        self.intersects |= out.keys().filter(|word| COMBINING.contains(&word.as_str())).count() > 1;
        self.places.push(at.pointer.clone());
        Ok(Value::Object(out))
    }

    /// The keywords that say which of several schemas or values hold. They come last: the engine reads a schema in its
    /// order, and takes what stands between two of them apart from the rest.
    fn combinations(&mut self, schema: &'s Map<String, Value>, at: &Place, out: &mut Map<String, Value>) -> Outcome {
        if let Some(value) = schema.get("const") {
            self.plain_value(value, &at.step("const"))?;
            out.insert("const".into(), value.clone());
        }
        if let Some(values) = schema.get("enum") {
            let at = at.step("enum");
            let list = values.as_array().ok_or_else(|| at.invalid("`enum` is an array"))?;
            if list.is_empty() {
                return Err(at.unsatisfiable("`enum` is empty"));
            }
            for (i, value) in list.iter().enumerate() {
                self.plain_value(value, &at.index(i))?;
            }
            out.insert("enum".into(), values.clone());
        }
        for word in ["allOf", "anyOf", "oneOf"] {
            if let Some(value) = schema.get(word) {
                let at = at.step(word);
                if value.as_array().is_some_and(Vec::is_empty) {
                    return Err(at.invalid(format!("`{word}` needs at least one schema")));
                }
                let list = if word == "oneOf" { self.alternatives(value, &at)? } else { self.schema_list(value, &at)? };
                out.insert(word.into(), list);
            }
        }
        if let Some(value) = schema.get("$ref") {
            let at = at.step("$ref");
            let name = self.refs.name(value, &at)?;
            out.insert("$ref".into(), json!(format!("#/$defs/{name}")));
        }
        Ok(())
    }

    /// The schemas of a `oneOf`. The engine has to see that they exclude each other and does not look through references,
    /// so what a plain reference leads to is put in its place, but not within itself.
    fn alternatives(&mut self, value: &'s Value, at: &Place) -> Result<Value, StructureError> {
        let list = value.as_array().ok_or_else(|| at.invalid("an array of schemas is needed here"))?;
        let mut out = Vec::with_capacity(list.len());
        for (i, option) in list.iter().enumerate() {
            let at = at.index(i);
            let target = match option.as_object().and_then(|option| option.get("$ref")) {
                Some(reference) if option.as_object().is_some_and(|option| option.len() == 1) => {
                    Some(self.refs.target(reference, &at.step("$ref"))?)
                }
                _ => None,
            };
            match target.filter(|(pointer, _)| !self.within.contains(pointer)) {
                Some((pointer, target)) => {
                    let there = Place { pointer: pointer.clone(), depth: at.depth + 1 };
                    self.within.push(pointer);
                    out.push(self.schema(target, &there)?);
                    self.within.pop();
                }
                None => out.push(self.schema(option, &at)?),
            }
        }
        Ok(Value::Array(out))
    }

    fn schema_list(&mut self, value: &'s Value, at: &Place) -> Result<Value, StructureError> {
        let list = value.as_array().ok_or_else(|| at.invalid("an array of schemas is needed here"))?;
        list.iter().enumerate().map(|(i, value)| self.schema(value, &at.index(i))).collect()
    }

    /// A value of `const` or `enum`.
    fn plain_value(&mut self, value: &Value, at: &Place) -> Outcome {
        self.count(at, value.as_str().map_or(0, str::len))?;
        match value {
            Value::Null | Value::Bool(_) => Ok(()),
            Value::Number(number) => numbers::exact(number, at).map(drop),
            Value::String(text) if text.chars().any(cannot_be_written) => {
                Err(at.unsupported("control characters cannot be written", "leave them out of the text"))
            }
            Value::String(_) => Ok(()),
            Value::Array(items) => {
                let at = Place { depth: at.depth + 1, ..at.clone() };
                items.iter().enumerate().try_for_each(|(i, item)| self.plain_value(item, &at.index(i)))
            }
            Value::Object(map) => map.iter().try_for_each(|(key, value)| {
                self.count(at, key.len())?;
                self.plain_value(value, &at.step(key))
            }),
        }
    }

    fn strings(
        &mut self,
        schema: &Map<String, Value>,
        types: &[&str],
        at: &Place,
        out: &mut Map<String, Value>,
    ) -> Outcome {
        for word in ["minLength", "maxLength"] {
            copy_size(schema, word, MAX_LENGTH, at, out)?;
        }
        if let Some(value) = schema.get("pattern") {
            let at = at.step("pattern");
            let text = value.as_str().ok_or_else(|| at.invalid("`pattern` is a string"))?;
            out.insert("pattern".into(), json!(self.pattern(text, &at)?));
        }
        let Some(value) = schema.get("format") else { return Ok(()) };
        let at = at.step("format");
        let format = value.as_str().ok_or_else(|| at.invalid("`format` is a string"))?;
        if types.contains(&"string") && keywords::STRING_FORMATS.contains(&format) {
            out.insert("format".into(), value.clone());
            return Ok(());
        }
        // That of a number is read with the numbers.
        if keywords::number_range(format).is_some() && !types.contains(&"string") && types.iter().any(|t| is_number(t))
        {
            return Ok(());
        }
        let known = keywords::STRING_FORMATS.join("`, `");
        let hint = format!("for strings use one of `{known}`, or `pattern`; for numbers `minimum` and `maximum`");
        Err(at.unsupported(format!("the format `{format}` cannot be enforced for this `type`"), hint))
    }

    fn pattern(&mut self, text: &str, at: &Place) -> Result<String, StructureError> {
        self.count(at, text.len())?;
        self.patterns += 1;
        if self.patterns > MAX_PATTERNS {
            return Err(at.too_complex(format!("the schema has more than {MAX_PATTERNS} patterns")));
        }
        pattern::translate(text).map_err(|why| {
            at.unsupported(format!("the pattern {why}"), "write it with classes, groups and repetitions only")
        })
    }

    fn arrays(&mut self, schema: &'s Map<String, Value>, at: &Place, out: &mut Map<String, Value>) -> Outcome {
        for word in ["minItems", "maxItems"] {
            copy_size(schema, word, MAX_ITEMS, at, out)?;
        }
        // In drafts before 2020-12 `items` is what is now `prefixItems`, if it is an array, and `additionalItems` the rest.
        let old = schema.get("items").filter(|items| items.is_array()).is_some();
        let (prefix, rest) = if old { ("items", "additionalItems") } else { ("prefixItems", "items") };
        let stray = if old { "prefixItems" } else { "additionalItems" };
        if schema.contains_key(stray) {
            return Err(at.step(stray).unsupported(
                format!("`{stray}` has no meaning here"),
                "give the first items by `prefixItems` and the others by `items`",
            ));
        }
        if let Some(value) = schema.get(prefix) {
            out.insert("prefixItems".into(), self.schema_list(value, &at.step(prefix))?);
        }
        if let Some(value) = schema.get(rest) {
            out.insert("items".into(), self.schema(value, &at.step(rest))?);
        }
        Ok(())
    }
}

type Outcome = Result<(), StructureError>;

const COMBINING: [&str; 6] = ["const", "enum", "allOf", "anyOf", "oneOf", "$ref"];

fn combines(schema: &Map<String, Value>) -> bool {
    COMBINING.iter().any(|word| schema.contains_key(*word))
}

/// Whether a keyword may be used here at all.
fn known(word: &str, value: &Value, at: &Place) -> Outcome {
    let here = at.step(word);
    match classify(word) {
        Keyword::Annotation if word == "$schema" => known_draft(value, &here),
        Keyword::Annotation | Keyword::Assertion => Ok(()),
        // Says that nothing is demanded.
        Keyword::Unsupported(_) if matches!(word, "uniqueItems" | "nullable") && *value == Value::Bool(false) => Ok(()),
        Keyword::Unsupported(hint) => Err(here.unsupported(format!("`{word}` cannot be enforced"), hint)),
        Keyword::Unknown(Some(meant)) => {
            Err(here.unsupported(format!("`{word}` is not a keyword"), format!("did you mean `{meant}`?")))
        }
        Keyword::Unknown(None) => {
            Err(here.unsupported(format!("`{word}` is not a keyword"), "remove it; notes of your own start with `x-`"))
        }
    }
}

fn known_draft(value: &Value, at: &Place) -> Outcome {
    const DRAFTS: [&str; 5] =
        ["draft-04/schema", "draft-06/schema", "draft-07/schema", "draft/2019-09/schema", "draft/2020-12/schema"];
    let uri = value.as_str().unwrap_or_default().trim_end_matches('#');
    let path = uri.strip_prefix("http://").or_else(|| uri.strip_prefix("https://")).unwrap_or_default();
    match path.strip_prefix("json-schema.org/") {
        Some(draft) if DRAFTS.contains(&draft) => Ok(()),
        _ => Err(at.unsupported("this kind of schema is not known", "use draft 2020-12, or leave `$schema` out")),
    }
}

/// The types that the value may have.
fn types<'v>(schema: &'v Map<String, Value>, at: &Place) -> Result<Vec<&'v str>, StructureError> {
    const TYPES: [&str; 7] = ["null", "boolean", "integer", "number", "string", "array", "object"];
    let at = at.step("type");
    let types: Vec<&str> = match schema.get("type") {
        None => return Ok(TYPES.to_vec()),
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) if !names.is_empty() => {
            let names: Option<_> = names.iter().map(Value::as_str).collect();
            names.ok_or_else(|| at.invalid("`type` names types by strings"))?
        }
        Some(_) => return Err(at.invalid("`type` is the name of a type or an array of such names")),
    };
    match types.iter().find(|name| !TYPES.contains(name)) {
        Some(name) => Err(at.invalid(format!("there is no type `{name}`; there are `{}`", TYPES.join("`, `")))),
        None => Ok(types),
    }
}

fn is_number(name: &str) -> bool {
    matches!(name, "integer" | "number")
}

/// Copies a size, such as `maxItems`.
fn copy_size(schema: &Map<String, Value>, word: &str, most: u64, at: &Place, out: &mut Map<String, Value>) -> Outcome {
    let Some(value) = schema.get(word) else { return Ok(()) };
    let at = at.step(word);
    // Drafts allow `3.0`.
    let whole = value.as_f64().filter(|n| n.fract() == 0.0 && *n >= 0.0 && *n <= 1e15);
    let size = whole.ok_or_else(|| at.invalid(format!("`{word}` is a whole number from 0 on")))?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number from 0 to 1e15")]
    let size = size as u64;
    if size > most {
        return Err(at.too_complex(format!("`{word}` is {size}, the limit is {most}")));
    }
    out.insert(word.into(), json!(size));
    Ok(())
}

/// Control characters have no escape that may be used, but for five.
fn cannot_be_written(c: char) -> bool {
    (c < ' ' && !matches!(c, '\u{8}' | '\u{c}' | '\n' | '\r' | '\t')) || c == '\u{7f}'
}
