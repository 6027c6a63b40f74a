//! Answers that follow a structure.

use crate::{ask, exact, greedy, read, text, tiny_with};
use llama_runtime::{FinishReason, Message, Rejected, Request, SamplingParams, Structure, StructureError};
use serde_json::json;

fn person() -> serde_json::Value {
    json!({
        "type": "object",
        "properties": {
            "name": { "type": "string", "enum": ["Ada", "Grace"] },
            "age": { "type": "integer", "minimum": 0, "maximum": 150 },
            "tags": { "type": "array", "items": { "type": "boolean" }, "maxItems": 2 }
        },
        "required": ["name", "age", "tags"],
        "additionalProperties": false
    })
}

#[test]
fn json_follows_its_schema_at_any_temperature() {
    let runtime = tiny_with(exact());
    let mut sampling = SamplingParams::default();
    sampling.temperature = 1.5;
    let request = |seed| {
        let plain = Request::text("A person: ").sampling(sampling.clone()).seed(seed).max_tokens(150);
        plain.structure(Structure::json_schema(person()))
    };
    let alone: Vec<String> = (0..4).map(|seed| ask(&runtime, request(seed)).0).collect();
    let open: Vec<_> = (0..4).map(|seed| runtime.submit(request(seed)).unwrap()).collect();
    for (generation, alone) in open.into_iter().zip(alone) {
        let (written, finished) = read(generation);
        assert!(matches!(finished.reason, FinishReason::EndOfAnswer), "{finished:?}");
        let value: serde_json::Value = serde_json::from_str(&written).unwrap();
        assert!(["Ada", "Grace"].contains(&value["name"].as_str().unwrap()));
        assert!((0..=150).contains(&value["age"].as_i64().unwrap()));
        assert!(value["tags"].as_array().unwrap().iter().all(serde_json::Value::is_boolean));
        assert_eq!(written, alone, "the same together and alone");
    }
}

#[test]
fn regular_expressions_and_grammars_are_followed() {
    let runtime = tiny_with(exact());
    let (date, _) = ask(&runtime, text("Date: ", 40).structure(Structure::regex("20[0-9]{2}-(0[1-9]|1[0-2])")));
    assert!(date.len() == 7 && date.starts_with("20") && date.as_bytes()[4] == b'-', "{date:?}");
    let (word, finished) = ask(&runtime, text("Well? ", 40).structure(Structure::gbnf("root ::= \"yes\" | \"no\"")));
    assert!(["yes", "no"].contains(&word.as_str()), "{word:?}");
    assert!(matches!(finished.reason, FinishReason::EndOfAnswer), "{finished:?}");
}

#[test]
fn a_structure_holds_from_the_first_token_of_a_chat() {
    let runtime = crate::runtime_of(llama_testkit::fixtures::tiny_tools(), exact());
    let request = greedy(Request::chat([Message::user("Who?")]), 150).structure(Structure::json_schema(person()));
    let (_, finished) = ask(&runtime, request);
    let choice = &finished.choices[0];
    assert!(serde_json::from_str::<serde_json::Value>(&choice.text).is_ok(), "{finished:?}");
    assert_eq!(choice.message.content.trim(), choice.text.trim());
    assert!(choice.message.reasoning.is_empty());
}

#[test]
fn what_cannot_be_enforced_is_refused_with_its_place() {
    let runtime = tiny_with(exact());
    let refused = |structure| match runtime.submit(text("x", 8).structure(structure)) {
        Err(Rejected::Structure(error)) => error,
        other => panic!("{other:?}"),
    };
    let schema = json!({ "type": "object", "properties": { "a": { "not": { "type": "string" } } } });
    match &*refused(Structure::json_schema(schema)) {
        StructureError::UnsupportedSchema { pointer, .. } => assert!(pointer.starts_with("/properties/a"), "{pointer}"),
        other => panic!("{other:?}"),
    }
    assert!(matches!(&*refused(Structure::gbnf("root ::= (")), StructureError::Gbnf(_)));
    assert!(matches!(&*refused(Structure::regex("(")), StructureError::Regex { .. }));
    assert!(matches!(&*refused(Structure::json_schema(json!({ "type": 5 }))), StructureError::InvalidSchema { .. }));
}
