//! Which words a schema may use, and what to say about the others.

/// Describe a schema and demand nothing. `$defs` and `definitions` are looked into where a `$ref` points there.
const ANNOTATIONS: &[&str] = &[
    "$anchor",
    "$comment",
    "$defs",
    "$id",
    "$schema",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "default",
    "definitions",
    "deprecated",
    "description",
    "discriminator",
    "example",
    "examples",
    "externalDocs",
    "id",
    "readOnly",
    "title",
    "writeOnly",
];

/// Demands that are enforced.
const ASSERTIONS: &[&str] = &[
    "$ref",
    "additionalItems",
    "additionalProperties",
    "allOf",
    "anyOf",
    "const",
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "items",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "oneOf",
    "pattern",
    "patternProperties",
    "prefixItems",
    "properties",
    "required",
    "type",
];

/// Demands of JSON schema that cannot be enforced while a text is written, with what to do instead.
const UNSUPPORTED: &[(&str, &str)] = &[
    ("$dynamicRef", "use `$ref`"),
    ("$recursiveRef", "use `$ref`"),
    ("contains", "drop it, or give the items by `prefixItems`"),
    ("dependencies", "write the cases as alternatives of `anyOf`"),
    ("dependentRequired", "write the cases as alternatives of `anyOf`"),
    ("dependentSchemas", "write the cases as alternatives of `anyOf`"),
    ("else", "write the cases as alternatives of `anyOf`"),
    ("if", "write the cases as alternatives of `anyOf`"),
    ("maxContains", "drop it, or give the items by `prefixItems`"),
    ("minContains", "drop it, or give the items by `prefixItems`"),
    ("not", "say what is allowed instead"),
    ("nullable", "use a `type` of the kind [\"string\", \"null\"]"),
    ("propertyNames", "use `patternProperties` and set `additionalProperties` to false"),
    ("then", "write the cases as alternatives of `anyOf`"),
    ("unevaluatedItems", "use `items`"),
    ("unevaluatedProperties", "use `additionalProperties`"),
    ("uniqueItems", "drop it and check the answer, or use an object with one property for each possible item"),
];

/// What a keyword is.
#[derive(Debug, PartialEq)]
pub(super) enum Keyword {
    Annotation,
    Assertion,
    /// With what to do instead.
    Unsupported(&'static str),
    /// With the known keyword that it resembles.
    Unknown(Option<&'static str>),
}

/// Keywords without a meaning in JSON schema are errors, unless they start with `x-`: a mistyped demand would be lost.
pub(super) fn classify(word: &str) -> Keyword {
    if ASSERTIONS.contains(&word) {
        Keyword::Assertion
    } else if ANNOTATIONS.contains(&word) || word.starts_with("x-") {
        Keyword::Annotation
    } else if let Some((_, hint)) = UNSUPPORTED.iter().find(|(name, _)| *name == word) {
        Keyword::Unsupported(hint)
    } else {
        Keyword::Unknown(nearest(word))
    }
}

/// The known keyword nearest to `word`, if it is near enough to be meant.
fn nearest(word: &str) -> Option<&'static str> {
    if word.len() > 32 {
        return None;
    }
    let known = ASSERTIONS.iter().chain(ANNOTATIONS).chain(UNSUPPORTED.iter().map(|(name, _)| name));
    let (distance, name) = known.map(|name| (distance(word, name), *name)).min()?;
    (distance <= 1 + name.len() / 4).then_some(name)
}

/// Edits from one to the other: characters put in, left out or changed, whatever their case.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, a) in a.to_lowercase().chars().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in b.iter().enumerate() {
            let changed = corner + usize::from(a != *b);
            corner = row[j + 1];
            row[j + 1] = changed.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// Formats of strings that are enforced by their shape.
pub(super) const STRING_FORMATS: &[&str] =
    &["date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uri", "uuid"];

/// Formats of numbers, as range. Those of 64 bits end where a reader that has only floating point numbers stops being
/// exact.
pub(super) fn number_range(format: &str) -> Option<(f64, f64)> {
    const EXACT: f64 = 9_007_199_254_740_991.0;
    Some(match format {
        "int8" => (-128.0, 127.0),
        "int16" => (-32_768.0, 32_767.0),
        "int32" => (-2_147_483_648.0, 2_147_483_647.0),
        "int64" | "int" => (-EXACT, EXACT),
        "uint8" => (0.0, 255.0),
        "uint16" => (0.0, 65_535.0),
        "uint32" => (0.0, 4_294_967_295.0),
        "uint64" | "uint" => (0.0, EXACT),
        "float" | "double" => (f64::NEG_INFINITY, f64::INFINITY),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_find_what_was_meant() {
        let cases = [
            ("require", Some("required")),
            ("additionalproperties", Some("additionalProperties")),
            ("min_length", Some("minLength")),
            ("maxitem", Some("maxItems")),
            ("uniqueItem", Some("uniqueItems")),
            ("propertees", Some("properties")),
            ("qwertyuiop", None),
            ("", None),
        ];
        for (word, meant) in cases {
            assert_eq!(classify(word), Keyword::Unknown(meant), "{word}");
        }
        assert_eq!(classify(&"minLength".repeat(1000)), Keyword::Unknown(None));
    }

    #[test]
    fn no_word_is_in_two_lists() {
        let mut words: Vec<&str> = ASSERTIONS.iter().chain(ANNOTATIONS).copied().collect();
        words.extend(UNSUPPORTED.iter().map(|(name, _)| *name));
        words.sort_unstable();
        assert!(words.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
