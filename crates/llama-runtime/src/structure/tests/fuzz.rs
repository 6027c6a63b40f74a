//! Texts written at random under a mask are values that the schema accepts.

use llama_core::chat::schema_to_grammar;
use llama_core::{Grammar, Model, Sampler, SamplingParams, Specials};
use serde_json::{Value, json};

use super::{accepts, bpe, bytes, demo, json_schema, spm, write};
use crate::structure::vocab::TokenTrie;

/// Enough of a validator for the schemas below; it panics at keywords that it does not know.
fn valid(schema: &Value, value: &Value, root: &Value) -> bool {
    let Value::Object(words) = schema else { return schema == &json!(true) };
    words.iter().all(|(word, demand)| match (word.as_str(), value) {
        ("$defs" | "title", _) => true,
        ("$ref", _) => valid(root.pointer(demand.as_str().unwrap().trim_start_matches('#')).unwrap(), value, root),
        ("type", _) => match demand {
            Value::Array(names) => names.iter().any(|name| has_type(name, value)),
            name => has_type(name, value),
        },
        ("const", _) => demand == value,
        ("enum", _) => demand.as_array().unwrap().contains(value),
        ("anyOf", _) => demand.as_array().unwrap().iter().any(|option| valid(option, value, root)),
        ("allOf", _) => demand.as_array().unwrap().iter().all(|option| valid(option, value, root)),
        ("oneOf", _) => demand.as_array().unwrap().iter().filter(|option| valid(option, value, root)).count() == 1,
        ("minimum", Value::Number(n)) => n.as_f64() >= demand.as_f64(),
        ("maximum", Value::Number(n)) => n.as_f64() <= demand.as_f64(),
        ("exclusiveMinimum", Value::Number(n)) => n.as_f64() > demand.as_f64(),
        ("exclusiveMaximum", Value::Number(n)) => n.as_f64() < demand.as_f64(),
        ("multipleOf", Value::Number(n)) => (n.as_f64().unwrap() / demand.as_f64().unwrap()).fract() == 0.0,
        ("minLength", Value::String(s)) => s.chars().count() as u64 >= demand.as_u64().unwrap(),
        ("maxLength", Value::String(s)) => s.chars().count() as u64 <= demand.as_u64().unwrap(),
        // The patterns below, by hand.
        ("pattern", Value::String(s)) => match demand.as_str().unwrap() {
            "^[a-z]{2,4}-\\d+$" => s.split_once('-').is_some_and(|(a, b)| {
                (2..=4).contains(&a.len())
                    && a.bytes().all(|b| b.is_ascii_lowercase())
                    && !b.is_empty()
                    && b.bytes().all(|b| b.is_ascii_digit())
            }),
            "x" => s.contains('x'),
            other => unreachable!("no check for {other}"),
        },
        ("minItems", Value::Array(items)) => items.len() as u64 >= demand.as_u64().unwrap(),
        ("maxItems", Value::Array(items)) => items.len() as u64 <= demand.as_u64().unwrap(),
        ("prefixItems", Value::Array(items)) => {
            demand.as_array().unwrap().iter().zip(items).all(|(s, v)| valid(s, v, root))
        }
        ("items", Value::Array(items)) => {
            let prefix = words.get("prefixItems").map_or(0, |prefix| prefix.as_array().unwrap().len());
            items.iter().skip(prefix).all(|item| valid(demand, item, root))
        }
        ("required", Value::Object(map)) => {
            demand.as_array().unwrap().iter().all(|name| map.contains_key(name.as_str().unwrap()))
        }
        ("minProperties", Value::Object(map)) => map.len() as u64 >= demand.as_u64().unwrap(),
        ("properties", Value::Object(map)) => {
            map.iter().all(|(name, value)| demand.get(name).is_none_or(|schema| valid(schema, value, root)))
        }
        ("additionalProperties", Value::Object(map)) => {
            let named = |name: &String| words.get("properties").is_some_and(|named| named.get(name).is_some());
            map.iter().all(|(name, value)| named(name) || valid(demand, value, root))
        }
        (
            "minimum"
            | "maximum"
            | "exclusiveMinimum"
            | "exclusiveMaximum"
            | "multipleOf"
            | "minLength"
            | "maxLength"
            | "pattern"
            | "minItems"
            | "maxItems"
            | "prefixItems"
            | "items"
            | "required"
            | "minProperties"
            | "properties"
            | "additionalProperties",
            _,
        ) => true,
        (other, _) => unreachable!("no check for {other}"),
    })
}

fn has_type(name: &Value, value: &Value) -> bool {
    match name.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        // `-0` is read as a floating point number.
        "integer" => value.is_i64() || value.is_u64() || value.as_f64() == Some(0.0),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        _ => value.is_object(),
    }
}

fn schemas() -> Vec<Value> {
    vec![
        json!({"type": ["boolean", "null"]}),
        json!({"enum": ["red", "grün", 3, [1, null], {"a": "\"\n"}]}),
        json!({"type": "integer"}),
        json!({"type": "integer", "minimum": -17, "maximum": 230}),
        json!({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.75}),
        json!({"type": "number", "minimum": -2.5}),
        json!({"type": "integer", "multipleOf": 12, "minimum": 1, "maximum": 1000}),
        json!({"type": "string"}),
        json!({"type": "string", "minLength": 3, "maxLength": 8}),
        json!({"type": "string", "pattern": "^[a-z]{2,4}-\\d+$"}),
        json!({"type": "string", "pattern": "x", "maxLength": 5}),
        json!({"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 4}),
        json!({"type": "array", "prefixItems": [{"type": "integer"}, {"const": "b"}], "items": {"type": "null"}, "minItems": 2}),
        json!({"type": "object", "properties": {"name": {"type": "string", "maxLength": 9}, "age": {"type": "integer", "minimum": 0}, "ok": {"type": "boolean"}},
               "required": ["name", "ok"], "additionalProperties": false}),
        json!({"type": "object", "properties": {"a": {"type": "integer"}}}),
        json!({"type": "object", "additionalProperties": {"type": "boolean"}, "minProperties": 1}),
        json!({"anyOf": [{"type": "integer", "minimum": 5}, {"type": "array", "items": {"type": "integer", "maximum": 3}}, {"const": "none"}]}),
        json!({"oneOf": [{"type": "object", "properties": {"kind": {"const": "a"}, "n": {"type": "integer"}}, "required": ["kind", "n"], "additionalProperties": false},
                         {"type": "object", "properties": {"kind": {"const": "b"}}, "required": ["kind"], "additionalProperties": false}]}),
        json!({"allOf": [{"$ref": "#/$defs/base"}, {"properties": {"y": {"type": "integer"}}, "required": ["y"]}],
               "$defs": {"base": {"type": "object", "properties": {"x": {"enum": ["p", "q"]}}, "required": ["x"]}}}),
        json!({"$ref": "#/$defs/node", "$defs": {"node": {"type": "object", "properties": {"v": {"type": "integer"}, "next": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/node"}]}},
               "required": ["v", "next"], "additionalProperties": false}}}),
        json!({"type": "array", "items": {"$ref": "#"}}),
    ]
}

#[test]
fn whatever_is_written_parses_and_is_valid() {
    for (model, seeds, limit) in [(bpe(), 6, 1_500), (spm(), 6, 1_500), (demo(), 2, 1_000)] {
        let trie = TokenTrie::new(model).unwrap();
        for schema in schemas() {
            let compiled = json_schema(&trie, &schema).unwrap();
            let mut ended = 0;
            for seed in 0..seeds {
                let Some(text) = write(model, &compiled, seed, limit) else { continue };
                ended += 1;
                // Numbers that the schema says nothing about may be larger than any reader takes.
                let value: Value = match serde_json::from_str(&text) {
                    Err(error) if error.to_string().contains("out of range") => continue,
                    parsed => parsed.unwrap_or_else(|error| panic!("{error}: {text:?} for {schema}")),
                };
                assert!(valid(&schema, &value, &schema), "{text} for {schema}");
            }
            assert!(ended > 0, "nothing came to an end for {schema}");
        }
    }
}

/// Takes a text piece by piece under a GBNF grammar.
fn grammar_accepts(model: &Model, grammar: &str, text: &str) -> bool {
    let params = SamplingParams::greedy().grammar(Grammar::gbnf(grammar));
    let mut sampler = Sampler::new(model, &params).unwrap();
    let tokens = model.vocab().tokenize_with(text, Specials::AsText, llama_core::AddSpecial::Never).unwrap();
    tokens.iter().all(|token| sampler.accept(*token).is_ok()) && sampler.may_end()
}

/// Writes a text at random under a GBNF grammar.
fn write_by_grammar(model: &Model, grammar: &str, seed: u64) -> Option<String> {
    let vocab = model.vocab();
    let mut params = SamplingParams::default().seed(u32::try_from(seed).unwrap()).grammar(Grammar::gbnf(grammar));
    params.temperature = 3.0;
    let mut sampler = Sampler::new(model, &params).unwrap();
    let mut random = llama_testkit::random::Random::new(seed);
    let mut text = Vec::new();
    for _ in 0..400 {
        let logits: Vec<f32> = (0..vocab.len()).map(|_| random.uniform(-1.0, 1.0)).collect();
        let token = sampler.sample_logits(&logits).unwrap();
        sampler.accept(token).unwrap();
        if vocab.is_eog(token) {
            return Some(String::from_utf8(text).unwrap());
        }
        text.extend(vocab.piece(token, Specials::AsText).unwrap());
    }
    None
}

#[test]
fn both_engines_take_what_the_other_writes() {
    let schemas = [
        json!({"type": "boolean"}),
        json!({"enum": ["one", "two", 3]}),
        json!({"type": "integer", "minimum": 3, "maximum": 40}),
        json!({"type": "string", "minLength": 1, "maxLength": 4, "pattern": "^[a-d]{1,4}$"}),
        json!({"type": "array", "items": {"type": "boolean"}, "minItems": 1, "maxItems": 3}),
        json!({"type": "object", "properties": {"a": {"type": "boolean"}, "b": {"enum": ["x", "y"]}}, "required": ["a", "b"], "additionalProperties": false}),
        json!({"anyOf": [{"type": "null"}, {"const": "c"}]}),
    ];
    for schema in schemas {
        let compiled = json_schema(&bytes(), &schema).unwrap();
        let grammar = schema_to_grammar(&schema).unwrap();
        let (mut ours, mut theirs) = (0, 0);
        for seed in 0..12 {
            if let Some(text) = write(bpe(), &compiled, seed, 400) {
                // That grammar's blanks are one space or a line break with few: ours, but for blanks after a colon.
                let compact = serde_json::from_str::<Value>(&text).unwrap().to_string();
                assert!(grammar_accepts(bpe(), &grammar, &compact), "{compact} by {grammar}");
                ours += 1;
            }
            if let Some(text) = write_by_grammar(bpe(), &grammar, seed) {
                // It also takes blanks after the value.
                assert!(accepts(&compiled, text.trim_end()), "{text:?} for {schema}");
                theirs += 1;
            }
        }
        assert!(ours > 3 && theirs > 0, "{ours} and {theirs} texts for {schema}");
    }
}
