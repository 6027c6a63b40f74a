//! Texts that a schema allows, and texts next to them that it does not.

use serde_json::{Value, json};

use super::{GuideError, Structure, Structures, Token, accepts, bpe, bytes, regex, schema, spm};
use crate::structure::vocab::TokenTrie;
use crate::structure::{Enforced, StructureError};

/// Schemas with texts that are valid and texts that are not.
#[test]
#[rustfmt::skip]
fn schemas_accept_what_they_should() {
    let cases: Vec<(Value, &[&str], &[&str])> = vec![
        (json!({"type": "boolean"}), &["true", "false"], &["null", "True", "", "true "]),
        (json!({"type": ["null", "integer"]}), &["null", "-5", "0"], &["1.5", "01", "-"]),
        (json!({"enum": ["a", 2, null, [1, {"x": true}]]}), &["\"a\"", "2", "null", "[1,{\"x\":true}]", "[1, {\"x\": true}]"], &["\"b\"", "3", "[1]"]),
        (json!({"const": "say \"hi\"\n"}), &[r#""say \"hi\"\n""#], &["\"say hi\""]),
        (json!({"type": "integer", "minimum": -3, "maximum": 12}), &["-3", "0", "7", "12"], &["-4", "13", "1.0", "99"]),
        (json!({"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 5.5}), &["4", "5"], &["3", "6"]),
        (json!({"type": "number", "minimum": 0, "maximum": 1}), &["0", "0.5", "1", "1.0"], &["-0.1", "1.1", "2"]),
        (json!({"type": "number", "exclusiveMinimum": 0, "maximum": 0.5}), &["0.5", "0.001"], &["0", "0.0", "0.6"]),
        (json!({"type": "number", "exclusiveMinimum": 1, "exclusiveMaximum": 1.5}), &["1.1", "1.49"], &["1", "1.0", "1.5"]),
        (json!({"type": "integer", "multipleOf": 7}), &["0", "14", "-21"], &["15", "1"]),
        (json!({"type": "integer", "format": "uint8"}), &["0", "255"], &["256", "-1"]),
        (json!({"type": ["integer", "null"], "format": "int32", "minimum": 5}), &["5", "2147483647", "null"], &["4", "2147483648"]),
        (json!({"type": "number"}), &["1", "-0.25"], &["1e999", "1000000000000000000"]),
        (json!({"type": "string", "minLength": 2, "maxLength": 3}), &["\"ab\"", "\"äöü\"", r#""\n\"""#], &["\"a\"", "\"abcd\""]),
        (json!({"type": "string", "pattern": "^[A-Z]{2}\\d+$"}), &["\"AB1\"", "\"ZZ99\""], &["\"A1\"", "\"AB\"", "\"AB1x\""]),
        (json!({"type": "string", "pattern": "b.d"}), &["\"abcde\"", "\"bäd\""], &["\"bd\"", r#""b\rd""#]),
        (json!({"type": "string", "format": "date"}), &["\"2024-02-29\""], &["\"2024-13-01\"", "\"24-1-1\""]),
        (json!({"type": "string", "format": "uuid"}), &["\"00000000-0000-0000-0000-000000000000\""], &["\"0\""]),
        (json!({"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 3}), &["[1]", "[1,2,3]", "[ 1, 2 ]"], &["[]", "[1,2,3,4]", "[\"a\"]"]),
        (json!({"prefixItems": [{"const": 1}, {"const": "x"}], "items": false, "type": "array"}), &["[1,\"x\"]", "[1]", "[]"], &["[1,\"x\",2]", "[2]"]),
        (json!({"type": "array", "items": [{"const": 1}], "additionalItems": {"type": "boolean"}}), &["[1,true]", "[]"], &["[1,2]"]),
        (json!({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "boolean"}}, "required": ["b"], "additionalProperties": false}),
            &["{\"a\":1,\"b\":true}", "{\"b\":false}", "{\n  \"b\": true\n}"], &["{}", "{\"a\":1}", "{\"b\":true,\"c\":1}", "{\"b\":1}"]),
        (json!({"type": "object", "properties": {"a": {"type": "integer"}}}), &["{}", "{\"x\":[null]}", "{\"a\":1,\"x\":1e5}"], &["{\"a\":\"s\"}", r#"{"\u0061":"s"}"#, "{\"x\":1,\"a\":\"s\"}"]),
        (json!({"type": "object", "additionalProperties": {"type": "integer"}}), &["{}", "{\"x\":1,\"y\":2}"], &["{\"x\":true}"]),
        (json!({"type": "object", "patternProperties": {"^n_": {"type": "integer"}}, "additionalProperties": false}), &["{\"n_x\":1}"], &["{\"n_x\":\"s\"}", "{\"m\":1}"]),
        (json!({"type": "object", "minProperties": 1}), &["{\"a\":1}"], &["{}"]),
        (json!({"type": "object", "properties": {"a": {"type": "null"}, "b": {"type": "null"}}, "additionalProperties": false, "maxProperties": 1}), &["{}", "{\"a\":null}", "{\"b\":null}"], &["{\"a\":null,\"b\":null}"]),
        (json!({"anyOf": [{"type": "integer"}, {"type": "string", "maxLength": 1}]}), &["5", "\"a\""], &["\"ab\"", "null"]),
        (json!({"oneOf": [{"type": "object", "properties": {"k": {"const": "a"}}, "required": ["k"], "additionalProperties": false},
                          {"type": "object", "properties": {"k": {"const": "b"}, "v": {"type": "integer"}}, "required": ["k", "v"], "additionalProperties": false}]}),
            &["{\"k\":\"a\"}", "{\"k\":\"b\",\"v\":1}"], &["{\"k\":\"b\"}", "{\"k\":\"a\",\"v\":1}"]),
        (json!({"oneOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Pair"}], "discriminator": {"propertyName": "kind"}, "$defs": {
                "Cat": {"title": "Cat", "type": "object", "properties": {"kind": {"const": "cat", "type": "string"}}, "required": ["kind"], "additionalProperties": false},
                "Pair": {"type": "object", "properties": {"kind": {"const": "pair"}, "of": {"type": "array", "items": {"$ref": "#"}}}, "required": ["kind", "of"], "additionalProperties": false}}}),
            &["{\"kind\":\"cat\"}", "{\"kind\":\"pair\",\"of\":[{\"kind\":\"cat\"},{\"kind\":\"pair\",\"of\":[]}]}"], &["{\"kind\":\"dog\"}", "{\"kind\":\"pair\"}"]),
        (json!({"allOf": [{"type": "integer", "minimum": 3}, {"maximum": 5}]}), &["3", "5"], &["2", "6"]),
        (json!({"properties": {"a": {"type": "integer"}}, "anyOf": [{"required": ["a"]}], "type": "object", "additionalProperties": false}), &["{\"a\":1}"], &["{}", "{\"a\":1,\"b\":1}"]),
        (json!({"$ref": "#/$defs/tree", "$defs": {"tree": {"type": "object", "properties": {"v": {"type": "integer"}, "kids": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}, "required": ["v"], "additionalProperties": false}}}),
            &["{\"v\":1}", "{\"v\":1,\"kids\":[{\"v\":2,\"kids\":[]}]}"], &["{\"kids\":[]}", "{\"v\":1,\"kids\":[{}]}"]),
        (json!({"type": "array", "items": {"$ref": "#"}}), &["[]", "[[],[[]]]"], &["[1]", "1"]),
        (json!({"$defs": {"a/b": {"const": 1}, "c%": {"const": 2}}, "anyOf": [{"$ref": "#/$defs/a~1b"}, {"$ref": "#/$defs/c%25"}]}), &["1", "2"], &["3"]),
        (json!({"$ref": "#/$defs/n", "maximum": 5, "$defs": {"n": {"type": "integer", "minimum": 1}}}), &["1", "5"], &["0", "6"]),
        (json!({"$schema": "http://json-schema.org/draft-07/schema#", "$id": "urn:x", "title": "t", "x-note": 1, "x-guidance": {"lenient": true}, "type": "null", "default": 5, "uniqueItems": false}), &["null"], &["1"]),
        (json!({"$schema": "http://json-schema.org/draft-04/schema#", "const": 5}), &["5"], &["6"]),
        (json!(true), &["null", "[1,{\"a\":\"b\"}]", "-1.5e3"], &["nul", "[1,]"]),
        (json!({"type": "object", "properties": {"a": false, "b": true}, "additionalProperties": false}), &["{}", "{\"b\":0}"], &["{\"a\":0}"]),
    ];
    for (value, good, bad) in cases {
        let compiled = schema(value.clone());
        good.iter().for_each(|text| assert!(accepts(&compiled, text), "{text} is valid for {value}"));
        bad.iter().for_each(|text| assert!(!accepts(&compiled, text), "{text} is not valid for {value}"));
    }
}

#[test]
fn numbers_keep_to_their_bounds() {
    let bounds = [-10.0, -1.5, -1.0, -0.5, 0.0, 0.05, 0.5, 1.0, 1.2, 1.7, 2.0, 10.0];
    let texts = [
        "-10", "-9.9", "-2", "-1.5", "-1.49", "-1", "-1.0", "-0.5", "-0.4", "-0.001", "0", "0.0", "0.001", "0.05",
        "0.06", "0.5", "0.51", "1", "1.0", "1.1", "1.2", "1.20", "1.21", "1.7", "1.9", "2", "2.0", "3", "9.99", "10",
        "10.0", "11",
    ];
    for (i, low) in bounds.iter().enumerate() {
        for high in bounds.iter().skip(i + 1).step_by(2) {
            for (from, to) in
                [("minimum", "maximum"), ("exclusiveMinimum", "exclusiveMaximum"), ("exclusiveMinimum", "maximum")]
            {
                let value = json!({"type": "number", from: low, to: high});
                let compiled = schema(value.clone());
                for text in texts {
                    let n: f64 = text.parse().unwrap();
                    let above = if from == "minimum" { n >= *low } else { n > *low };
                    let below = if to == "maximum" { n <= *high } else { n < *high };
                    if accepts(&compiled, text) {
                        assert!(above && below, "{text} for {value}");
                    } else {
                        // A bound may be written in one way only.
                        assert!(!(above && below) || n == *low || n == *high || n == 0.0, "{text} for {value}");
                    }
                }
            }
        }
    }
}

#[test]
fn the_end_comes_exactly_when_it_may() {
    let end = Token(0);
    assert!(bpe().vocab().is_eog(end));
    let mut guide = schema(json!({"enum": [1, 12, "x"]})).guide();
    assert!(!guide.may_end().unwrap() && !guide.allows(end).unwrap());
    assert_eq!(guide.accept(end), Err(GuideError::NotAllowed { token: end }));
    guide.accept(Token(12 + i32::from(b'1'))).unwrap();
    assert!(guide.may_end().unwrap() && !guide.must_end());
    assert!(guide.mask().unwrap().allows(end) && guide.mask().unwrap().count() > 1);
    guide.accept(Token(12 + i32::from(b'2'))).unwrap();
    assert!(guide.must_end());
    let ends: Vec<i32> = (0..320).filter(|id| guide.mask().unwrap().allows(Token(*id))).collect();
    let all: Vec<i32> = (0..320).filter(|id| bpe().vocab().is_eog(Token(*id))).collect();
    assert_eq!(ends, all, "every token that ends a text, and no other");
    assert!(all.len() > 1);
    guide.accept(end).unwrap();
    assert!(guide.must_end() && guide.accept(end).is_err());
}

#[test]
fn a_refused_token_changes_nothing() {
    let mut guide = schema(json!({"type": "boolean"})).guide();
    let before = guide.mask().unwrap().clone();
    for token in [Token(-1), Token(320), Token(i32::MAX), Token(1), Token(12 + i32::from(b'x'))] {
        assert_eq!(guide.accept(token), Err(GuideError::NotAllowed { token }));
        assert!(!guide.allows(token).unwrap());
    }
    assert_eq!(guide.mask().unwrap(), &before);
    assert!(!guide.is_error());
}

#[test]
fn no_special_token_stands_for_text() {
    for model in [bpe(), spm()] {
        let trie = TokenTrie::new(model).unwrap();
        let mut guide = regex(&trie, "(?s:.*)").unwrap().guide();
        let mask = guide.mask().unwrap().clone();
        let vocab = model.vocab();
        for id in (0..).take(vocab.len()).map(Token) {
            if vocab.is_control(id) {
                assert_eq!(mask.allows(id), vocab.is_eog(id), "token {id}");
            }
        }
        assert!(mask.count() > 200);
    }
}

#[test]
fn regular_expressions_match_the_whole_text() {
    for (pattern, good, bad) in [
        ("a+b?", "aab", "aabc"),
        ("^(yes|no)$", "no", "yesno"),
        ("[a-c/]{2}\\d", "a/7", "a7"),
        ("ä|\\n", "\n", "a"),
        (r"\.\\", ".\\", "x\\"),
    ] {
        let compiled = regex(&bytes(), pattern).unwrap();
        assert!(accepts(&compiled, good), "{pattern} {good}");
        assert!(!accepts(&compiled, bad), "{pattern} {bad}");
    }
    for pattern in ["(", "a**{", "(?=a)b", r"\bx", "(?P<stop>a)b", "a$b"] {
        let error = regex(&bytes(), pattern).map(drop).unwrap_err();
        assert!(matches!(error, StructureError::Regex { .. }), "{pattern}: {error:?}");
    }
}

#[test]
fn each_kind_of_structure_goes_to_its_engine() {
    let structures = Structures::new(bpe().clone());
    let gbnf = structures.compile(&Structure::gbnf("root ::= \"a\"")).unwrap();
    assert!(matches!(gbnf, Enforced::Grammar(grammar) if grammar.text == "root ::= \"a\""));
    let error = structures.compile(&Structure::gbnf("root ::= (")).unwrap_err();
    assert!(matches!(error, StructureError::Gbnf(_)));
    assert!(matches!(structures.compile(&Structure::regex("a")).unwrap(), Enforced::Masks(_)));
    assert!(matches!(structures.compile(&Structure::json_object()).unwrap(), Enforced::Masks(_)));
}

#[test]
fn structures_are_plain_data() {
    let structure = Structure::json_schema(json!({"type": "null"}));
    let text = serde_json::to_string(&structure).unwrap();
    assert_eq!(text, r#"{"json_schema":{"type":"null"}}"#);
    assert_eq!(serde_json::from_str::<Structure>(&text).unwrap(), structure);
}

#[test]
fn guides_of_one_structure_are_independent() {
    let compiled = schema(json!({"enum": ["ab", "cd"]}));
    let (mut one, mut other) = (compiled.guide(), compiled.guide());
    one.accept(Token(12 + i32::from(b'"'))).unwrap();
    one.accept(Token(12 + i32::from(b'a'))).unwrap();
    assert!(other.allows(Token(12 + i32::from(b'"'))).unwrap());
    assert!(!other.allows(Token(12 + i32::from(b'b'))).unwrap());
}

#[test]
fn a_text_that_no_token_can_begin_is_refused_at_once() {
    // A WordPiece vocabulary has no token for a tabulator.
    let trie = TokenTrie::new(&super::load_vocabulary(llama_testkit::fixtures::vocab_wpm()));
    let error = trie.and_then(|trie| regex(&trie, "\\t+")).map(drop).unwrap_err();
    assert!(matches!(error, StructureError::Vocabulary { .. }), "{error}");
}

#[test]
fn what_is_compiled_is_shared_and_guides_move() {
    fn shared<T: Send + Sync>() {}
    fn moves<T: Send>() {}
    shared::<Structures>();
    shared::<Enforced>();
    moves::<crate::structure::Guide>();
    moves::<crate::structure::Prepared>();
}
