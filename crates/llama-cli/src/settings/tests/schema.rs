//! The JSON schema and the program agree: what one takes, the other takes, over files that are right and wrong.

use serde_json::{Value, json};

use super::with_file;
use crate::settings::{document, table};

/// Whether a value follows a schema, of which the generated one uses these words only.
fn follows(value: &Value, schema: &Value) -> bool {
    let Value::Object(rules) = schema else { panic!("{schema} is no schema") };
    rules.iter().all(|(word, rule)| match word.as_str() {
        "type" => match rule {
            Value::Array(names) => names.iter().any(|name| is(value, name)),
            name => is(value, name),
        },
        "enum" => rule.as_array().unwrap().contains(value),
        "const" => rule == value,
        "anyOf" => rule.as_array().unwrap().iter().any(|schema| follows(value, schema)),
        "minimum" => value.as_f64().is_none_or(|number| number >= rule.as_f64().unwrap()),
        "maximum" => value.as_f64().is_none_or(|number| number <= rule.as_f64().unwrap()),
        "minLength" => value.as_str().is_none_or(|text| text.len() as u64 >= rule.as_u64().unwrap()),
        "items" => value.as_array().is_none_or(|members| members.iter().all(|member| follows(member, rule))),
        "required" => value.as_object().is_none_or(|members| {
            rule.as_array().unwrap().iter().all(|name| members.contains_key(name.as_str().unwrap()))
        }),
        "properties" => value.as_object().is_none_or(|members| {
            members.iter().all(|(name, member)| rule.get(name).is_none_or(|schema| follows(member, schema)))
        }),
        "additionalProperties" => value.as_object().is_none_or(|members| {
            let known = |name: &String| rules.get("properties").is_some_and(|known| known.get(name).is_some());
            let mut others = members.iter().filter(|(name, _)| !known(name));
            others.all(|(_, member)| if rule == &json!(false) { false } else { follows(member, rule) })
        }),
        "$schema" | "title" | "description" | "default" => true,
        word => panic!("the generated schema uses {word}"),
    })
}

fn is(value: &Value, name: &Value) -> bool {
    match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        name => panic!("no type {name}"),
    }
}

fn agrees(text: &str) -> bool {
    let value: Value = toml::from_str(text).unwrap();
    let taken = with_file(text);
    assert_eq!(follows(&value, &document::schema()), taken.is_ok(), "{text}: {:?}", taken.err());
    taken.is_ok()
}

#[test]
fn what_is_right_is_taken_by_both() {
    for text in [
        "",
        "sampling = { seed = 7, top_k = 0, stages = ['top_k', 'temperature'], logit_bias = ['5+1', { token = 3, bias = false }] }",
        "sampling.seed = -1\nsampling.logit_bias = [{ token = 3, bias = 0.5 }]",
        "hardware = { gpu_layers = 4, devices = ['CPU'], overrides = { 'a.b' = 5, c = 'x' }, tensor_split = [1, 2.5] }",
        "hardware.gpu_layers = 'auto'\nhardware.load_mode = 'mmap+mlock'",
        "context = { n_ctx = 0, threads = -1, rope = { kind = 'yarn', freq_scale = 0.5 } }",
        "batch.step_time = '20ms'\ncache.host_memory = '1GiB'",
        "batch.step_time = 0.02\ncache.host_memory = 1000",
        "answer = { max_tokens = -1, stop = ['a', 'b'], json_schema = { type = 'object' } }",
        "answer.stop = 'a'\nanswer.json_schema = '{}'",
        "chat = { system = 'x', template_args = { a = [1, { b = true }] }, show_timings = true }",
        "model.adapters = ['a.gguf', { path = 'b.gguf', scale = 0.5 }]",
        "reasoning = { enabled = false, effort = 'low' }\nlog = { verbosity = 5, colors = 'on' }",
        "[profile.fast.sampling]\ntop_k = 1\n[profile.slow]\ncontext.threads = 1",
    ] {
        assert!(agrees(text), "{text}");
    }
}

#[test]
fn what_is_wrong_is_refused_by_both() {
    for text in [
        "sampling.topk = 1",
        "nonsense = 1",
        "sampling = 1",
        "sampling.top_p = 2",
        "sampling.top_k = 1.5",
        "sampling.seed = 'x'",
        "sampling.seed = 4294967296",
        "hardware.split_mode = 'rows'",
        "hardware.overrides = { a = [1] }",
        "hardware.tensor_split = [-1]",
        "context.rope.frequency = 1",
        "context.threads = 0.5",
        "context.threads = 513",
        "answer.stop = ['']",
        "answer.stop = [1]",
        "answer.json_schema = 5",
        "chat.system = ''",
        "model.offline = 'yes'",
        "model.adapters = [{ scale = 1 }]",
        "model.adapters = [{ path = 'x', weight = 1 }]",
        "log.verbosity = 6",
        "profile = 1",
        "[profile.fast]\nsampling.topk = 1",
        "[profile.fast]\nprofile.x.sampling.top_k = 1",
    ] {
        assert!(!agrees(text), "{text}");
    }
}

#[test]
fn every_default_follows_the_schema() {
    let schema = document::schema();
    for row in table::rows() {
        let place = row.key.split('.').fold(&schema, |place, name| &place["properties"][name]);
        let value = document::default_value(row);
        assert!(value.is_null() || follows(&value, place), "{}", row.key);
    }
}
