//! What the options of a request do, and which requests are refused.

use crate::families::{FAMILIES, Family, json_of, tools};
use llama_core::chat::{
    ChatError, ChatRequest, ChatTemplate, Continuation, Feature, Message, Reasoning, ResponseFormat, Tool, ToolCall,
    ToolChoice, schema_to_grammar,
};
use serde_json::json;

fn family(name: &str) -> &'static Family {
    FAMILIES.iter().find(|family| family.name == name).unwrap()
}

fn ask(text: &str) -> ChatRequest {
    ChatRequest::new([Message::user(text)]).at(1_700_000_000)
}

fn reasoning(enabled: bool, split: bool) -> Reasoning {
    let mut reasoning = Reasoning::default();
    reasoning.enabled = enabled;
    reasoning.split = split;
    reasoning
}

#[test]
fn tools_that_may_not_be_called_are_not_parsed() {
    let template = family("qwen3").template();
    let rendered = template.render(&ask("Hi").tools(tools()).tool_choice(ToolChoice::None)).unwrap();
    assert!(rendered.grammar.is_none());
    let text = "<tool_call>\n{\"name\": \"search\", \"arguments\": {\"query\": \"x\"}}\n</tool_call>";
    let message = rendered.parser().unwrap().parse(text).unwrap();
    assert!(message.tool_calls.is_empty());
    assert_eq!(message.content, text);
}

#[test]
fn a_required_call_is_constrained_from_the_start() {
    for family in FAMILIES {
        let request = ask("Hi").tools(tools()).tool_choice(ToolChoice::Required);
        let grammar = family.template().render(&request).unwrap().grammar;
        let grammar = grammar.unwrap_or_else(|| panic!("{}: no grammar", family.name));
        assert!(!grammar.lazy, "{}", family.name);
        assert_eq!(grammar.covers_generation_prompt, !grammar.lazy);
    }
}

#[test]
fn a_named_tool_is_the_only_one_offered() {
    let request = ask("Hi").tools(tools()).tool_choice(ToolChoice::Function("search".into()));
    let rendered = family("hermes").template().render(&request).unwrap();
    assert!(rendered.prompt.contains("\"search\"") && !rendered.prompt.contains("get_weather"));
    let unknown = ask("Hi").tools(tools()).tool_choice(ToolChoice::Function("fly".into()));
    let error = family("hermes").template().render(&unknown).unwrap_err();
    assert!(matches!(&error, ChatError::Request { reason } if reason.contains("fly")), "{error}");
}

#[test]
fn one_call_at_a_time_refuses_a_second() {
    let family = family("deepseek_v32");
    let request = ask("Hi").tools(tools()).reasoning(reasoning(false, true));
    let call = "<｜DSML｜invoke name=\"search\">\n<｜DSML｜parameter name=\"query\" string=\"true\">a</｜DSML｜parameter>\n</｜DSML｜invoke>\n";
    let text = format!("<｜DSML｜function_calls>\n{call}{call}</｜DSML｜function_calls>");
    let single = family.template().render(&request).unwrap().parser().unwrap();
    assert!(matches!(single.parse(&text), Err(ChatError::Mismatch { .. })));
    let several = family.template().render(&request.parallel_tool_calls(true)).unwrap().parser().unwrap();
    assert_eq!(several.parse(&text).unwrap().tool_calls.len(), 2);
}

#[test]
fn an_unknown_tool_is_a_mismatch() {
    let parser = family("hermes").template().render(&ask("Hi").tools(tools())).unwrap().parser().unwrap();
    let text = "<tool_call>\n{\"name\": \"fly\", \"arguments\": {}}\n</tool_call>";
    assert!(matches!(parser.parse(text), Err(ChatError::Mismatch { .. })));
}

#[test]
fn thinking_can_be_switched_off_and_left_in_the_content() {
    let template = family("qwen3").template();
    let off = template.render(&ask("Hi").reasoning(reasoning(false, true))).unwrap();
    assert!(off.prompt.ends_with("<think>\n\n</think>\n\n"), "{}", off.prompt);
    assert!(off.supports_thinking);
    assert_eq!(off.thinking_start, "<think>");
    assert_eq!(off.thinking_ends, ["</think>"]);
    assert_eq!(off.parser().unwrap().parse("Yes.").unwrap().content, "Yes.");

    let unsplit = template.render(&ask("Hi").reasoning(reasoning(true, false))).unwrap().parser().unwrap();
    let message = unsplit.parse("<think>\nhm\n</think>\n\nYes.").unwrap();
    assert_eq!(message.reasoning, "");
    assert_eq!(message.content, "<think>\nhm\n</think>\n\nYes.");
}

#[test]
fn effort_time_and_further_variables_reach_the_template() {
    let mut effort = Reasoning::default();
    effort.effort = Some("high".to_owned());
    let rendered = family("gpt_oss").template().render(&ask("Hi").reasoning(effort)).unwrap();
    assert!(rendered.prompt.contains("Current date: 2023-11-14\nReasoning: high"), "{}", rendered.prompt);

    let template =
        ChatTemplate::from_source("{{ style | tojson }} {{ date_string }} {{ messages[0].content }}", "", "").unwrap();
    let rendered = template.render(&ask("Hi").template_arg("style", json!({"a": 1}))).unwrap();
    assert_eq!(rendered.prompt, "{\"a\": 1} 14 Nov 2023 Hi");
    let far = template.render(&ask("Hi").at(u64::MAX)).unwrap_err();
    assert!(matches!(far, ChatError::Request { .. }), "{far}");
}

#[test]
fn a_response_schema_becomes_a_grammar_that_always_applies() {
    let schema = json!({"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]});
    let rendered =
        family("qwen3").template().render(&ask("Hi").response(ResponseFormat::JsonSchema(schema.clone()))).unwrap();
    let grammar = rendered.grammar.as_ref().unwrap();
    assert!(!grammar.lazy && grammar.covers_generation_prompt);
    let message = rendered.parser().unwrap().parse("<think>\nhm\n</think>\n\n{\"ok\": true}").unwrap();
    assert_eq!(message.content.trim(), "{\"ok\": true}");
    assert!(schema_to_grammar(&schema).unwrap().contains("root ::="));
}

#[test]
fn a_grammar_of_the_caller_is_passed_on() {
    let response = ResponseFormat::Grammar("root ::= \"yes\" | \"no\"".to_owned());
    let rendered = ChatTemplate::chatml().unwrap().render(&ask("Hi").response(response)).unwrap();
    let grammar = rendered.grammar.unwrap();
    assert_eq!(grammar.gbnf, "root ::= \"yes\" | \"no\"");
    assert!(!grammar.lazy && !grammar.covers_generation_prompt);
}

#[test]
fn what_excludes_each_other_is_refused() {
    let template = family("hermes").template();
    let with = |response| template.render(&ask("Hi").tools(tools()).response(response)).unwrap_err();
    assert!(matches!(
        with(ResponseFormat::Grammar("root ::= \"x\"".into())),
        ChatError::Conflict { second: "a grammar", .. }
    ));
    assert!(matches!(
        with(ResponseFormat::JsonSchema(json!({}))),
        ChatError::Conflict { second: "a response schema", .. }
    ));
    let no_tools = template.render(&ask("Hi").tool_choice(ToolChoice::Required)).unwrap_err();
    assert!(matches!(no_tools, ChatError::Request { .. }));
}

#[test]
fn a_last_message_of_the_assistant_can_be_continued() {
    let mut request = ChatRequest::new([Message::user("Hi"), Message::assistant("Hel")]);
    request.continue_final = Some(Continuation::Auto);
    let rendered = family("hermes").template().render(&request).unwrap();
    assert!(rendered.prompt.ends_with("<|im_start|>assistant\nHel"), "{}", rendered.prompt);
    request.messages.push(Message::user("no"));
    assert!(matches!(family("hermes").template().render(&request), Err(ChatError::Request { .. })));
}

#[test]
fn a_template_without_tools_says_so_instead_of_dropping_them() {
    let template = ChatTemplate::from_source(include_str!("../templates/gemma3.jinja"), "<bos>", "<eos>").unwrap();
    assert!(!template.caps().tools && !template.caps().tool_calls);
    let tools_error = template.render(&ask("Hi").tools(tools())).unwrap_err();
    assert!(matches!(tools_error, ChatError::Unsupported { feature: Feature::Tools }), "{tools_error}");
    let call = ToolCall::new("1", "search", "{}");
    let history =
        [Message::user("Hi"), Message::assistant("").with_tool_calls([call.clone()]), Message::tool_result(&call, "x")];
    let history_error = template.render(&ChatRequest::new(history)).unwrap_err();
    assert!(matches!(history_error, ChatError::Unsupported { feature: Feature::ToolHistory }), "{history_error}");

    let plain = ChatRequest::new([
        Message::system("Be brief."),
        Message::user("Hi"),
        Message::assistant("Yo"),
        Message::user("?"),
    ]);
    let rendered = template.render(&plain).unwrap();
    assert!(
        rendered.prompt.starts_with("<bos><start_of_turn>user\nBe brief.\n\nHi<end_of_turn>\n<start_of_turn>model\nYo")
    );
}

#[test]
fn tools_missing_in_the_prompt_are_noticed() {
    // Renders calls, so upstream believes in tools, but never tells the model about them.
    let source = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% for c in m.tool_calls or [] %}<tool_call>{\"name\": \
        \"{{ c.function.name }}\", \"arguments\": {{ c.function.arguments | tojson }}}</tool_call>{% endfor %}{% endfor %}";
    let template = ChatTemplate::from_source(source, "", "").unwrap();
    let error = template.render(&ask("Hi").tools(tools())).unwrap_err();
    assert!(matches!(error, ChatError::Unsupported { feature: Feature::Tools }), "{error}");
}

#[test]
fn the_stand_in_template_is_told_apart() {
    let chatml = ChatTemplate::chatml().unwrap();
    assert!(!chatml.is_explicit() && chatml.source().contains("im_start"));
    let own = family("hermes").template();
    assert!(own.is_explicit());
    assert_eq!(own.source(), family("hermes").source.trim_end());
    assert!(own.caps().tools && own.caps().tool_calls && own.caps().parallel_tool_calls && own.caps().system_role);
    assert_eq!(own.tool_use_source(), None);
}

#[test]
fn templates_and_parsers_serve_several_threads() {
    let template = family("qwen3").template();
    let parser = template.render(&family("qwen3").conversation()).unwrap().parser().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let rendered = template.render(&family("qwen3").conversation()).unwrap();
                assert!(rendered.prompt.contains("Zürich"));
                let message = parser.parse(family("qwen3").answers[1].text).unwrap();
                assert_eq!(json_of(&message.tool_calls[0].arguments)["days"], 3);
            });
        }
    });
}

#[test]
fn an_answer_can_be_appended_to_the_conversation() {
    let family = family("qwen3");
    let mut request = family.conversation();
    let parser = family.template().render(&request).unwrap().parser().unwrap();
    let answer = parser.parse(family.answers[1].text).unwrap();
    request.messages.push(answer.into());
    let rendered = family.template().render(&request).unwrap();
    assert!(rendered.prompt.contains("<think>\nI need é both.\n</think>"), "{}", rendered.prompt);
    assert!(rendered.prompt.contains("\"country\": \"CH\""));
}

#[test]
fn a_tool_without_arguments_can_be_called() {
    let request = ask("Hi").tools([Tool::new("ping", "Pings.", json!({}))]);
    for family in FAMILIES {
        let rendered = family.template().render(&request).unwrap_or_else(|e| panic!("{}: {e}", family.name));
        rendered.parser().unwrap().parse_partial("").unwrap_or_else(|e| panic!("{}: {e}", family.name));
    }
    let parser = family("hermes").template().render(&request).unwrap().parser().unwrap();
    let message = parser.parse("<tool_call>\n{\"name\": \"ping\", \"arguments\": {}}\n</tool_call>").unwrap();
    assert_eq!(message.tool_calls[0].arguments_json().unwrap(), json!({}));
}
