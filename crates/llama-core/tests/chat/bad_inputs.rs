//! Broken templates and requests: a typed error each, or a result; never a crash.

use crate::families::{FAMILIES, tools};
use llama_core::chat::{
    ChatError, ChatRequest, ChatTemplate, Message, ResponseFormat, Tool, ToolCall, schema_to_grammar,
};
use serde_json::{Value, json};

fn ask(text: &str) -> ChatRequest {
    ChatRequest::new([Message::user(text)])
}

#[test]
fn a_broken_template_is_named_as_such() {
    #[rustfmt::skip]
    let broken = [
        "", "  \n", "{% if x %}", "{{ 'open }}", "{{ 1 + }}", "{% for x in %}{% endfor %}", "{% endfor %}", "{% bogus %}",
        "{# open", "{{", "{%", "{{ a.", "{{ a[", "{{ f(", "{{ {", "{{ (", "{% set %}", "{% macro %}", "{% if", "{{ ] }}",
        "{{ \\ }}", "{{ 99999999999999999999 }}", "{{ 'a\\q' }}", "nul\0byte", "{% call f %}", "{% else %}", "{% filter",
        "{{ x | }}",
    ];
    for source in broken {
        let error = ChatTemplate::from_source(source, "", "").map(|_| ()).unwrap_err();
        let ChatError::BadTemplate { reason } = &error else { panic!("{source:?}: {error:?}") };
        assert!(!reason.is_empty(), "{source:?}");
    }
}

#[test]
fn a_template_that_refuses_the_messages_is_quoted() {
    let always = ChatTemplate::from_source("{{ raise_exception('Never') }}", "", "").unwrap();
    let error = always.render(&ask("Hi")).unwrap_err();
    assert!(matches!(&error, ChatError::Raised { message } if message == "Never"), "{error:?}");
    let llama3 = FAMILIES.iter().find(|f| f.name == "llama3").unwrap().template();
    let calls = [ToolCall::new("1", "search", "{}"), ToolCall::new("2", "search", "{}")];
    let request = ChatRequest::new([Message::user("Hi"), Message::assistant("").with_tool_calls(calls)]);
    let error = llama3.render(&request).unwrap_err();
    assert!(matches!(&error, ChatError::Raised { message } if message.contains("one call at a time")), "{error:?}");
}

#[test]
fn a_template_that_fails_while_rendering_says_where() {
    for source in ["{{ nothing() }}", "{{ messages[0].content.bogus() }}", "{{ 1 + none }}", "{{ messages | bogus }}"] {
        let error = ChatTemplate::from_source(source, "", "").unwrap().render(&ask("Hi")).unwrap_err();
        let ChatError::Render { reason } = &error else { panic!("{source}: {error:?}") };
        assert!(reason.contains("line 1"), "{source}: {reason}");
    }
}

#[test]
fn arguments_that_are_not_json_are_named() {
    let call = ToolCall::new("1", "search", "{\"query\": oops");
    let request = ChatRequest::new([
        Message::user("Hi"),
        Message::assistant("").with_tool_calls([call.clone()]),
        Message::tool_result(&call, "x"),
    ]);
    for family in FAMILIES {
        match family.template().render(&request) {
            Ok(rendered) => assert!(rendered.prompt.contains("oops"), "{}", family.name),
            Err(ChatError::Arguments { call, .. }) => assert_eq!(call, "search"),
            Err(error) => panic!("{}: {error:?}", family.name),
        }
    }
}

/// Schemas that are wrong, odd or huge in some way.
fn garbage() -> Vec<Value> {
    let of_a = |schema: Value| json!({"type": "object", "properties": {"a": schema}});
    let mut garbage = vec![
        json!({"type": 5}),
        json!({"type": "bogus"}),
        json!({"type": ["object", "null"]}),
        json!({"type": []}),
        json!({"properties": 3}),
        json!({"properties": {"": {"type": "string"}}}),
        json!({"properties": {"a\u{0}b\n\"<>": {"type": "string"}}}),
        json!({"properties": {"x".repeat(3000): {"type": "string"}}}),
        json!({"required": 5}),
        json!({"$ref": "#/nowhere"}),
        json!({"$ref": "#"}),
        json!({"$ref": 7}),
        json!({"$ref": "https://example.invalid/x.json"}),
        json!({"anyOf": "x"}),
        json!({"anyOf": []}),
        json!({"allOf": [3]}),
        json!({"additionalProperties": 7}),
    ];
    garbage.extend(
        [
            json!(3),
            json!({"$ref": "#/properties/a"}),
            json!({"enum": {}}),
            json!({"enum": []}),
            json!({"const": {"deep": [1]}}),
            json!({"type": "string", "pattern": "^((((("}),
            json!({"type": "string", "pattern": "^a{1,100000}$"}),
            json!({"type": "string", "pattern": 3}),
            json!({"type": "string", "minLength": -1, "maxLength": -5}),
            json!({"type": "string", "minLength": 1_000_000_000}),
            json!({"type": "array", "minItems": 1_000_000_000}),
            json!({"type": "array", "items": [1, 2]}),
            json!({"type": "integer", "minimum": i64::MIN, "maximum": i64::MAX}),
            json!({"type": "integer", "minimum": 1e300}),
            json!({"type": "integer", "minimum": 5, "maximum": 1}),
            json!({"format": 3}),
        ]
        .map(of_a),
    );
    garbage
}

#[test]
fn garbage_in_a_tools_schema_is_refused_or_survived() {
    for family in FAMILIES {
        let template = family.template();
        for schema in garbage() {
            match template.render(&ask("Hi").tools([Tool::new("tool", "x", schema.clone())])) {
                Ok(rendered) => drop(rendered.parser().unwrap().parse_partial("<").ok()),
                Err(ChatError::Render { .. } | ChatError::Request { .. } | ChatError::Raised { .. }) => {}
                Err(error) => panic!("{} with {schema}: {error:?}", family.name),
            }
        }
    }
    for schema in garbage() {
        match schema_to_grammar(&schema) {
            Ok(_) | Err(ChatError::Request { .. }) => {}
            Err(error) => panic!("{schema}: {error:?}"),
        }
    }
}

#[test]
fn a_tool_or_schema_that_is_no_object_is_refused() {
    let template = FAMILIES[0].template();
    for tool in [Tool::new("", "x", json!({})), Tool::new("t", "x", json!(3)), Tool::new("t", "x", Value::Null)] {
        assert!(matches!(template.render(&ask("Hi").tools([tool])), Err(ChatError::Request { .. })));
    }
    let response = ResponseFormat::JsonSchema(json!("text"));
    assert!(matches!(template.render(&ask("Hi").response(response)), Err(ChatError::Request { .. })));
}

#[test]
fn odd_names_and_texts_pass_through() {
    let odd = "a\0b \u{7f} \u{feff} \\ \" ' {{ x }} {% y %} \u{10ffff}";
    for family in FAMILIES {
        let template = family.template();
        let rendered = template.render(&ask(odd)).unwrap_or_else(|e| panic!("{}: {e}", family.name));
        assert!(rendered.prompt.contains("a\0b"), "{}", family.name);
        assert!(rendered.prompt.contains("{{ x }} {% y %}"), "{}: user text is not a template", family.name);
        let schema = json!({"type": "object", "properties": {odd: {"type": "string"}}});
        let named = Tool::new(format!("na me\0{}", "n".repeat(5_000)), odd, schema);
        match template.render(&ask("Hi").tools([named])) {
            Ok(_) | Err(ChatError::Render { .. } | ChatError::Unsupported { .. }) => {}
            Err(error) => panic!("{}: {error:?}", family.name),
        }
    }
}

#[test]
fn a_megabyte_of_text_is_no_problem() {
    let long = "All work and no play. ".repeat(50_000);
    for family in FAMILIES.iter().take(6) {
        let request = ask(&long).tools(tools());
        let rendered = family.template().render(&request).unwrap_or_else(|e| panic!("{}: {e}", family.name));
        assert!(rendered.prompt.len() > long.len());
        let message = rendered.parser().unwrap().parse(&long).unwrap_or_else(|e| panic!("{}: {e}", family.name));
        assert!(message.content.len() >= long.trim_end().len(), "{}: {}", family.name, message.content.len());
    }
}

#[test]
fn deep_requests_are_refused() {
    let nest =
        |depth: usize| (0..depth).fold(json!({"type": "string"}), |inner, _| json!({"type": "array", "items": inner}));
    let deep_text = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for family in FAMILIES {
        let template = family.template();
        let tool = |depth| Tool::new("t", "x", json!({"type": "object", "properties": {"a": nest(depth)}}));
        template.render(&ask("Hi").tools([tool(20)])).unwrap_or_else(|e| panic!("{}: {e}", family.name));
        let deep_arguments = [ToolCall::new("1", "search", deep_text.as_str())];
        let fine = ToolCall::new("1", "search", "{}");
        let refused = [
            ask("Hi").tools([tool(1_000)]),
            ChatRequest::new([Message::user("Hi"), Message::assistant("").with_tool_calls(deep_arguments)]),
            ChatRequest::new([
                Message::user("Hi"),
                Message::assistant("").with_tool_calls([fine.clone()]),
                Message::tool_result(&fine, deep_text.as_str()),
            ]),
        ];
        for request in refused {
            let error = template.render(&request).unwrap_err();
            assert!(matches!(error, ChatError::Limit { .. }), "{}: {error:?}", family.name);
        }
    }
}
