//! What cannot be enforced is refused, by place.

use serde_json::{Value, json};

use super::refusal;
use crate::structure::StructureError;

/// Schemas with the place of what is refused.
#[test]
#[rustfmt::skip]
fn unsupported_demands_are_named_by_place() {
    let cases: Vec<(Value, &str)> = vec![
        (json!({"properties": {"age": {"not": {"const": 3}}}}), "/properties/age/not"),
        (json!({"type": "array", "uniqueItems": true}), "/uniqueItems"),
        (json!({"items": {"contains": {"const": 1}}}), "/items/contains"),
        (json!({"anyOf": [{"type": "null"}, {"minContains": 1}]}), "/anyOf/1/minContains"),
        (json!({"if": {"type": "null"}}), "/if"),
        (json!({"allOf": [{"then": true}]}), "/allOf/0/then"),
        (json!({"else": true}), "/else"),
        (json!({"dependentRequired": {"a": ["b"]}}), "/dependentRequired"),
        (json!({"dependentSchemas": {}}), "/dependentSchemas"),
        (json!({"dependencies": {}}), "/dependencies"),
        (json!({"propertyNames": {"pattern": "a"}}), "/propertyNames"),
        (json!({"unevaluatedProperties": false}), "/unevaluatedProperties"),
        (json!({"unevaluatedItems": false}), "/unevaluatedItems"),
        (json!({"$dynamicRef": "#a"}), "/$dynamicRef"),
        (json!({"nullable": true}), "/nullable"),
        (json!({"properties": {"a/b~c": {"requird": []}}}), "/properties/a~1b~0c/requird"),
        (json!({"type": "object", "additionalproperties": false}), "/additionalproperties"),
        (json!({"properties": {"a": {"$ref": "https://example.com/schema"}}}), "/properties/a/$ref"),
        (json!({"$ref": "other.json#/a"}), "/$ref"),
        (json!({"$ref": "#anchor"}), "/$ref"),
        (json!({"properties": {"a": {"$id": "urn:y", "items": {"$ref": "#"}}}}), "/properties/a/items/$ref"),
        (json!({"$ref": "#/$defs/a", "$defs": {"a": {"properties": {"x": {"not": {}}}}}}), "/$defs/a/properties/x/not"),
        (json!({"type": "string", "format": "iri"}), "/format"),
        (json!({"type": "string", "format": "int32"}), "/format"),
        (json!({"type": "integer", "format": "date"}), "/format"),
        (json!({"type": "boolean", "format": "int32"}), "/format"),
        (json!({"type": "string", "pattern": "(?=a)"}), "/pattern"),
        (json!({"type": "string", "pattern": r"\bword"}), "/pattern"),
        (json!({"type": "string", "pattern": "(a)\\1"}), "/pattern"),
        (json!({"patternProperties": {"a(?!b)": true}}), "/patternProperties/a(?!b)"),
        (json!({"type": "number", "minimum": 1e300}), "/minimum"),
        (json!({"type": "integer", "maximum": 9_223_372_036_854_775_807_i64}), "/maximum"),
        (json!({"const": 9_007_199_254_740_993_i64}), "/const"),
        (json!({"enum": [1, {"a": [1e200]}]}), "/enum/1/a/0"),
        (json!({"const": "\u{1}"}), "/const"),
        (json!({"exclusiveMinimum": true, "minimum": 1}), "/exclusiveMinimum"),
        (json!({"multipleOf": 1e-30}), "/multipleOf"),
        (json!({"allOf": [{"multipleOf": 991}, {"multipleOf": 997}]}), "/allOf/1/multipleOf"),
        (json!({"properties": {"n": {"multipleOf": 991}}, "patternProperties": {"n": {"multipleOf": 997}}}), "/patternProperties/n/multipleOf"),
        (json!({"minProperties": 2}), "/minProperties"),
        (json!({"required": true}), "/required"),
        (json!({"prefixItems": [true], "additionalItems": false}), "/additionalItems"),
        (json!({"items": [true], "prefixItems": [true]}), "/prefixItems"),
        (json!({"$schema": "https://example.com/my-dialect"}), "/$schema"),
        // These are found by the compiler, not by us.
        (json!({"properties": {"x": {"oneOf": [{"type": "integer"}, {"type": "number"}]}}}), "/properties/x"),
        (json!({"items": {"patternProperties": {"a": true, "b": true}}}), "/items"),
    ];
    for (value, place) in cases {
        match refusal(&value) {
            StructureError::UnsupportedSchema { pointer, what, hint } => {
                assert_eq!(pointer, place, "{value}: {what}");
                assert!(!what.is_empty() && !hint.is_empty(), "{value}");
            }
            other => panic!("{value}: {other:?}"),
        }
    }
}

#[test]
#[rustfmt::skip]
fn what_is_no_schema_is_invalid_by_place() {
    let cases: Vec<(Value, &str)> = vec![
        (json!(5), ""),
        (json!(null), ""),
        (json!({"properties": {"a": 1}}), "/properties/a"),
        (json!({"properties": []}), "/properties"),
        (json!({"type": "strin"}), "/type"),
        (json!({"type": []}), "/type"),
        (json!({"type": 5}), "/type"),
        (json!({"enum": 5}), "/enum"),
        (json!({"anyOf": []}), "/anyOf"),
        (json!({"anyOf": {}}), "/anyOf"),
        (json!({"required": "a"}), "/required"),
        (json!({"required": ["a", 1]}), "/required/1"),
        (json!({"minLength": -1}), "/minLength"),
        (json!({"maxItems": 1.5}), "/maxItems"),
        (json!({"minimum": "5"}), "/minimum"),
        (json!({"multipleOf": 0}), "/multipleOf"),
        (json!({"pattern": 5}), "/pattern"),
        (json!({"format": 5}), "/format"),
        (json!({"$ref": 5}), "/$ref"),
        (json!({"$ref": "#/$defs/none"}), "/$ref"),
    ];
    for (value, place) in cases {
        match refusal(&value) {
            StructureError::InvalidSchema { pointer, .. } => assert_eq!(pointer, place, "{value}"),
            other => panic!("{value}: {other:?}"),
        }
    }
}

#[test]
#[rustfmt::skip]
fn what_no_value_satisfies_is_told_by_place() {
    let cases: Vec<(Value, &str)> = vec![
        (json!(false), ""),
        (json!({"enum": []}), "/enum"),
        (json!({"type": "integer", "minimum": 5, "maximum": 4}), ""),
        (json!({"type": "object", "properties": {"a": {"type": "string", "minLength": 3, "maxLength": 2}}, "required": ["a"]}), ""),
        (json!({"type": "string", "const": 5}), ""),
        (json!({"type": "object", "required": ["a"], "additionalProperties": false}), ""),
    ];
    for (value, place) in cases {
        match refusal(&value) {
            StructureError::Unsatisfiable { pointer, what } => assert_eq!(pointer, place, "{value}: {what}"),
            other => panic!("{value}: {other:?}"),
        }
    }
}

#[test]
fn messages_say_where_and_what_to_do() {
    let error = refusal(&json!({"properties": {"age": {"minimun": 3}}}));
    assert_eq!(
        error.to_string(),
        "schema, at /properties/age/minimun: `minimun` is not a keyword; did you mean `minimum`?"
    );
    let error = refusal(&json!(false));
    assert!(error.to_string().starts_with("schema, at its root: no value is possible"), "{error}");
}

#[test]
fn definitions_that_nothing_refers_to_are_not_read() {
    let value = json!({"type": "null", "$defs": {"a": {"not": {}}}});
    assert!(crate::structure::compile::json_schema(&super::bytes(), &value).is_ok());
}
