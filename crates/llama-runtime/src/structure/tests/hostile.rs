//! Structures made to cost time or memory: each ends soon, with a guide or a typed error.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::{Guide, GuideError, Token, bytes, json_schema, regex, schema};
use crate::structure::StructureError;

/// Far above what any takes in a debug build on a busy machine; without limits they take minutes or all memory.
const LONG: Duration = Duration::from_secs(60);

fn nested(depth: usize, word: &str) -> Value {
    (0..depth).fold(json!({"type": "null"}), |inner, _| match word {
        "items" => json!({"items": inner}),
        "properties" => json!({"properties": {"a": inner}}),
        _ => json!({word: [inner]}),
    })
}

fn named(n: usize, value: &Value) -> Map<String, Value> {
    (0..n).map(|i| (format!("p{i}"), value.clone())).collect()
}

fn chain(n: usize, close: bool) -> Value {
    let next = |i: usize| if close { (i + 1) % n } else { (i + 1).min(n - 1) };
    let link = |i: usize| json!({"properties": {"a": {"items": {"$ref": format!("#/$defs/d{}", next(i))}}}});
    let definitions: Map<String, Value> = (0..n).map(|i| (format!("d{i}"), link(i))).collect();
    json!({"$ref": "#/$defs/d0", "$defs": definitions})
}

#[test]
fn sizes_beyond_the_limits_are_typed_errors() {
    let wide: Vec<Value> = (0..20_000).map(|i| json!(i)).collect();
    let cases = [
        nested(65, "items"),
        nested(200, "properties"),
        nested(200, "anyOf"),
        json!({"const": (0..500).fold(json!(1), |inner, _| json!([inner]))}),
        json!({"enum": wide}),
        json!({"const": "x".repeat(300_000)}),
        json!({"type": "object", "properties": named(5_000, &json!(true))}),
        json!({"type": "array", "minItems": 1_000_000}),
        json!({"type": "string", "maxLength": 1_000_000_000}),
        json!({"patternProperties": named(17, &json!(true))}),
        json!({"anyOf": (0..200).map(|i| json!({"pattern": format!("a{i}")})).collect::<Vec<_>>()}),
        chain(1_000, false),
        chain(1_000, true),
    ];
    for value in cases {
        let start = Instant::now();
        let error = json_schema(&bytes(), &value).map(drop).unwrap_err();
        assert!(matches!(error, StructureError::TooComplex { .. }), "{error}");
        assert!(start.elapsed() < LONG);
    }
}

#[test]
fn the_deepest_schemas_that_are_taken_do_not_end_the_stack() {
    for deep in [nested(31, "properties"), nested(63, "items"), nested(62, "anyOf")] {
        assert!(json_schema(&bytes(), &deep).is_ok());
    }
    assert!(json_schema(&bytes(), &chain(400, true)).is_ok());
    assert!(json_schema(&bytes(), &chain(400, false)).is_ok());
}

#[test]
fn combinations_that_multiply_end_soon() {
    let option = |k: usize| {
        let one = |i: usize| json!({"properties": {format!("a{k}_{i}"): {"type": "integer"}}, "required": [format!("a{k}_{i}")]});
        json!({"anyOf": (0..10).map(one).collect::<Vec<_>>()})
    };
    let start = Instant::now();
    let product = json!({"allOf": (0..6).map(option).collect::<Vec<_>>()});
    let error = json_schema(&bytes(), &product).map(drop).unwrap_err();
    assert!(matches!(error, StructureError::TooComplex { .. }), "{error}");
    // Each alternative would hold all later ones twice.
    let twice =
        |i: usize| json!({"oneOf": [{"$ref": format!("#/$defs/d{}", i + 1)}, {"$ref": format!("#/$defs/d{}", i + 2)}]});
    let mut definitions: Map<String, Value> = (0..40).map(|i| (format!("d{i}"), twice(i))).collect();
    definitions.extend([("d40".into(), json!({"type": "null"})), ("d41".into(), json!({"type": "string"}))]);
    let error = json_schema(&bytes(), &json!({"$ref": "#/$defs/d0", "$defs": definitions})).map(drop).unwrap_err();
    assert!(matches!(error, StructureError::TooComplex { .. }), "{error}");
    let both = json!({"allOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/b"}], "$defs": {
        "a": {"type": "object", "properties": {"x": {"$ref": "#/$defs/a"}}},
        "b": {"type": "object", "properties": {"x": {"$ref": "#/$defs/b"}}}
    }});
    assert!(json_schema(&bytes(), &both).is_err());
    assert!(start.elapsed() < LONG);
}

/// Goes on until nothing fits, an error, or `steps`.
fn walk(mut guide: Guide, steps: usize) {
    for i in 0..steps {
        let letter = [b'a', b'b', b'x'][i * i % 7 % 3];
        let wanted = [letter, b'a', b'x', b'b', b'[', b'1', b'"'].map(|byte| Token(12 + i32::from(byte)));
        let chosen = guide.mask().map(|mask| wanted.into_iter().find(|token| mask.allows(*token)));
        match chosen.and_then(|token| token.map(|token| guide.accept(token)).transpose()) {
            Ok(Some(())) => {}
            Ok(None) => break,
            Err(error) => {
                assert!(matches!(error, GuideError::TooComplex { .. }), "{error}");
                assert_eq!(guide.mask().unwrap_err(), error, "an error is for good");
                assert!(guide.is_error() && !guide.must_end());
                break;
            }
        }
    }
}

#[test]
fn long_texts_under_a_heavy_pattern_stay_within_limits() {
    let cases = [
        schema(json!({"type": "string", "pattern": "(a|b)*a(a|b){200}c"})),
        schema(json!({"type": "string", "minLength": 16_384, "maxLength": 16_384})),
        schema(json!({"type": "string", "pattern": "^[a-z]*x[a-z]{20}$", "maxLength": 5_000})),
        regex(&bytes(), "(x+x+)+y").unwrap(),
        regex(&bytes(), "(.*)(.*)(.*)(.*)(.*)[^a]{500}z").unwrap(),
    ];
    for compiled in cases {
        let start = Instant::now();
        walk(compiled.guide(), 600);
        assert!(start.elapsed() < LONG, "{:?}", start.elapsed());
    }
}

#[test]
fn large_regular_expressions_are_typed_errors() {
    for pattern in ["((a{1000}){1000}){1000}".to_owned(), "a{4000000000}".to_owned(), "a".repeat(10_000)] {
        let error = regex(&bytes(), &pattern).map(drop).unwrap_err();
        assert!(matches!(error, StructureError::TooComplex { .. }), "{error}");
    }
    let parentheses = format!("{}a{}", "(".repeat(900), ")".repeat(900));
    assert!(regex(&bytes(), &parentheses).is_err());
}

#[test]
fn the_largest_schemas_that_are_taken_compile_and_run_soon() {
    let pattern = |i: usize, k: u8| format!("^{}[a-z]*x[a-z]{{100}}[0-9]*{i}{k}$", char::from(b'a' + k));
    let patterns = |i: usize| (0..16).map(|k| (pattern(i, k), json!({"type": "integer"}))).collect::<Map<_, _>>();
    let objects: Vec<Value> = (0..8).map(|i| json!({"type": "object", "patternProperties": patterns(i)})).collect();
    let ambiguous = |i: usize| json!({"type": "array", "items": {"type": "object"}, "maxItems": i + 5});
    let bounded = |inner, _| json!({"type": "array", "items": inner, "minItems": 60_000, "maxItems": 65_000});
    let cases = [
        json!({"enum": (0..9_900).map(|i| format!("v{}x{i}", i * 7_919 % 1_000)).collect::<Vec<_>>()}),
        json!({"type": "array", "prefixItems": objects}),
        json!({"anyOf": (0..900).map(ambiguous).collect::<Vec<_>>()}),
        (0..30).fold(json!({"type": "integer"}), bounded),
        json!({"anyOf": (0..5).map(|i| json!({"type": "integer", "multipleOf": 9_990 - i})).collect::<Vec<_>>()}),
    ];
    for value in cases {
        let start = Instant::now();
        match json_schema(&bytes(), &value) {
            Ok(compiled) => walk(compiled.guide(), 100),
            Err(error) => assert!(matches!(error, StructureError::TooComplex { .. }), "{error}"),
        }
        assert!(start.elapsed() < LONG, "{:?}", start.elapsed());
    }
}
