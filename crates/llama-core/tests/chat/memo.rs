//! A template remembers what it found out about itself. What it renders is the same as if it did not.

use crate::families::{FAMILIES, Family, tools};
use llama_core::chat::{ChatRequest, ChatTemplate, Continuation, Message, Reasoning, ResponseFormat, Tool, ToolChoice};
use serde_json::json;

/// Everything that comes out, the parser included, or the error.
fn rendered(template: &ChatTemplate, request: &ChatRequest) -> String {
    match template.render(request) {
        Ok(rendered) => format!("{rendered:?}"),
        Err(error) => format!("error: {error:?}"),
    }
}

/// Requests of every kind, with the messages of a short conversation and of a long one.
fn requests(family: &Family) -> Vec<[ChatRequest; 2]> {
    let ask = |text: &str| ChatRequest::new([Message::user(text)]).at(1_700_000_000);
    let talk = || {
        let messages = [
            Message::system("You are terse. <|im_end|>"),
            Message::user("Hi {{ x }}"),
            Message::assistant("Hello.").with_reasoning("A greeting."),
            Message::user("And now?"),
        ];
        ChatRequest::new(messages).at(1_800_000_000)
    };
    let kinds: Vec<Box<dyn Fn(ChatRequest) -> ChatRequest>> = vec![
        Box::new(|request| request),
        Box::new(|request| request.tools(tools())),
        Box::new(|request| request.tools(tools()).tool_choice(ToolChoice::Required)),
        Box::new(|request| request.tools(tools()).tool_choice(ToolChoice::None)),
        Box::new(|request| request.tools(tools()).parallel_tool_calls(true)),
        Box::new(|request| {
            let schema = json!({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]});
            request.response(ResponseFormat::JsonSchema(schema))
        }),
        Box::new(|request| request.response(ResponseFormat::Grammar("root ::= \"x\"".to_owned()))),
        Box::new(|request| {
            let mut reasoning = Reasoning::default();
            (reasoning.enabled, reasoning.effort) = (false, Some("low".to_owned()));
            request.reasoning(reasoning)
        }),
        Box::new(|request| {
            let mut reasoning = Reasoning::default();
            reasoning.split = false;
            request.reasoning(reasoning)
        }),
        Box::new(|mut request| {
            request.add_generation_prompt = false;
            request
        }),
        Box::new(|mut request| {
            request.messages.push(Message::assistant("It is").with_reasoning("Well"));
            request.continue_final = Some(Continuation::Content);
            request
        }),
        Box::new(|request| request.template_arg("custom", "value")),
    ];
    let mut all: Vec<[ChatRequest; 2]> = kinds.iter().map(|kind| [kind(ask("Hello")), kind(talk())]).collect();
    all.push([family.conversation(), family.conversation()]);
    all
}

#[test]
fn what_is_rendered_again_is_what_a_fresh_template_renders() {
    for family in FAMILIES {
        let shared = family.template();
        // All kinds where all of it is remembered, and where a family has code of its own upstream; a few for the others.
        let every = if ["hermes", "mistral", "gpt_oss", "gemma4"].contains(&family.name) { 1 } else { 5 };
        for (kind, [short, long]) in requests(family).into_iter().enumerate().step_by(every) {
            let expected = [&short, &long].map(|request| rendered(&family.template(), request));
            for _ in 0..2 {
                assert_eq!(rendered(&shared, &short), expected[0], "{} {kind}, short", family.name);
                assert_eq!(rendered(&shared, &long), expected[1], "{} {kind}, long", family.name);
            }
        }
    }
}

#[test]
fn the_messages_decide_the_generation_prompt_where_a_template_wants_it() {
    let source = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}\
                  {% if add_generation_prompt %}[assistant]{% if messages|length > 1 %}<think>{% endif %}{% endif %}";
    let template = || ChatTemplate::from_source(source, "", "").unwrap();
    let ask = |count: usize| ChatRequest::new((0..count).map(|n| Message::user(format!("Question {n}"))));
    let shared = template();
    for count in [1, 2, 1, 3, 2] {
        let request = ask(count).at(1_700_000_000);
        assert_eq!(rendered(&shared, &request), rendered(&template(), &request), "{count} messages");
    }
    assert!(shared.render(&ask(2)).unwrap().generation_prompt.ends_with("<think>"));
    assert!(!shared.render(&ask(1)).unwrap().generation_prompt.ends_with("<think>"));
}

#[test]
fn more_kinds_of_requests_than_are_remembered_are_rendered_right() {
    let family = FAMILIES.iter().find(|family| family.name == "hermes").unwrap();
    let shared = family.template();
    let request = |n: usize| {
        let parameters = json!({"type": "object", "properties": {"n": {"const": n}}});
        let tool = Tool::new(format!("tool_{n}"), "x".repeat(n * 4000), parameters);
        ChatRequest::new([Message::user("Hi")]).tools([tool]).at(1_700_000_000)
    };
    for n in (0..40).chain((0..40).rev().step_by(7)) {
        let prompt = shared.render(&request(n)).unwrap();
        assert!(
            prompt.prompt.contains(&format!("tool_{n}\"")) && prompt.grammar.is_some_and(|g| g.gbnf.contains("tool-"))
        );
    }
    assert_eq!(rendered(&shared, &request(3)), rendered(&family.template(), &request(3)));
}

#[test]
fn a_parser_that_is_remembered_takes_answers_apart_like_a_fresh_one() {
    for family in FAMILIES {
        let shared = family.template();
        let request = family.conversation();
        for _ in 0..3 {
            let (known, fresh) = (shared.render(&request).unwrap(), family.template().render(&request).unwrap());
            for answer in family.answers {
                let parse = |rendered: &llama_core::chat::RenderedPrompt| {
                    format!("{:?}", rendered.parser().unwrap().parse(answer.text))
                };
                assert_eq!(parse(&known), parse(&fresh), "{}: {}", family.name, answer.text);
            }
        }
    }
}

#[test]
fn several_threads_render_at_once() {
    let family = FAMILIES.iter().find(|family| family.name == "qwen3").unwrap();
    let shared = family.template();
    let requests: Vec<ChatRequest> = requests(family).into_iter().flatten().collect();
    let expected: Vec<String> = requests.iter().map(|request| rendered(&family.template(), request)).collect();
    std::thread::scope(|scope| {
        for offset in 0..3 {
            let (shared, requests, expected) = (&shared, &requests, &expected);
            scope.spawn(move || {
                for n in 0..requests.len() {
                    let n = (n + offset * 5) % requests.len();
                    assert_eq!(rendered(shared, &requests[n]), expected[n]);
                }
            });
        }
    });
}
