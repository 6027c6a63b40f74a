//! How long a model may think, and special tokens in the answer.

use llama_runtime::{ChatRequest, Finished, Message, Prompt, Rejected, Request, Runtime, Structure, ToolChoice};
use llama_testkit::fixtures;
use serde_json::json;

use crate::{ask, edited, exact, greedy, runtime_of, text};

/// The prompt opens a thought, as many templates do.
const OPENED: &str = "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.reasoning_content %}<think>\n\
    {{ m.reasoning_content }}\n</think>\n\n{% endif %}{{ m.content }}<|im_end|>\n{% endfor %}\
    {% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}";

fn runtime() -> Runtime {
    runtime_of(fixtures::tiny_tools(), edited(|config| config.model.chat_template = Some(OPENED.to_owned())))
}

fn chat() -> Request {
    greedy(Request::chat([Message::user("Hello there")]), 24)
}

fn message(finished: &Finished) -> (&str, &str) {
    let message = &finished.choices[0].message;
    (&message.reasoning, &message.content)
}

#[test]
fn a_thought_ends_when_its_budget_is_used_up() {
    let runtime = runtime();
    let (_, free) = ask(&runtime, chat());
    assert_eq!(message(&free).1, "", "it would think for ever: {free:?}");
    let mut lengths = Vec::new();
    for budget in [0, 1, 5] {
        let (_, finished) = ask(&runtime, chat().reasoning_budget(budget));
        let (thought, content) = message(&finished);
        assert!(message(&free).0.starts_with(thought.trim_end()), "{budget}: {thought:?} of {:?}", message(&free).0);
        assert!(!content.is_empty(), "{budget}: {finished:?}");
        lengths.push(thought.len());
    }
    assert!(lengths[0] == 0 && lengths.is_sorted() && lengths[2] > lengths[1], "{lengths:?}");
    let (_, finished) = ask(&runtime, chat().reasoning_budget(1000));
    assert_eq!(message(&finished), message(&free), "it was not used up");
}

#[test]
fn a_message_is_written_before_it_is_closed() {
    let mut request = chat().reasoning_budget(3);
    request.reasoning_budget_message = " That is enough.".to_owned();
    let (_, finished) = ask(&runtime(), request.max_tokens(60));
    assert!(message(&finished).0.ends_with("That is enough."), "{finished:?}");
    let mut request = chat();
    request.reasoning_budget_message = "x".repeat(4097);
    let refused = runtime().submit(request).unwrap_err();
    assert!(matches!(refused, Rejected::OutOfRange { field: "reasoning_budget_message", .. }), "{refused}");
}

#[test]
fn choices_think_each_for_itself() {
    let (_, finished) = ask(&runtime(), chat().reasoning_budget(4).choices(3));
    let first = &finished.choices[0].message;
    assert!(finished.choices.iter().all(|choice| choice.message.reasoning == first.reasoning));
    assert!(finished.choices.iter().all(|choice| !choice.message.content.is_empty()), "{finished:?}");
}

#[test]
fn it_goes_together_with_what_the_answer_has_to_be() {
    let runtime = runtime();
    let schema = json!({"type": "object", "properties": {"a": {"enum": [1, 2]}}, "required": ["a"], "additionalProperties": false});
    let mut chat = ChatRequest::new([Message::user("Hello there")]);
    chat.response = llama_runtime::ResponseFormat::JsonSchema(schema.clone());
    let (_, finished) = ask(&runtime, greedy(Request::new(Prompt::from(chat)), 200).reasoning_budget(6));
    let (_, content) = message(&finished);
    let value: serde_json::Value =
        serde_json::from_str(content).unwrap_or_else(|error| panic!("{error}: {finished:?}"));
    assert!(value["a"] == 1 || value["a"] == 2);
    // With a structure the model is asked not to think, and the budget has nothing to do.
    let structured = Request::chat([Message::user("Hello there")]).structure(Structure::json_schema(schema));
    let (_, finished) = ask(&runtime, greedy(structured, 200).reasoning_budget(6));
    assert!(finished.choices[0].text.contains("\"a\""), "{finished:?}");
}

#[test]
fn where_nobody_thinks_a_budget_changes_nothing() {
    let runtime = runtime_of(fixtures::tiny_tools(), exact());
    let plain = greedy(Request::chat([Message::user("Hello there")]), 12);
    assert_eq!(ask(&runtime, plain.clone().reasoning_budget(0)).0, ask(&runtime, plain).0);
    assert_eq!(ask(&runtime, text("Once", 12).reasoning_budget(0)).0, ask(&runtime, text("Once", 12)).0);
    assert_eq!(ChatRequest::new([]).tool_choice, ToolChoice::Auto);
}

#[test]
fn special_tokens_are_written_out_if_somebody_wants_to_see_them() {
    let runtime = runtime_of(fixtures::tiny_tools(), exact());
    let grammar = llama_runtime::Grammar::gbnf("root ::= \"a<|im_start|>b\"");
    let request = text("Once upon a time", 40);
    let sampling = llama_runtime::SamplingParams::greedy().grammar(grammar);
    let shown = ask(&runtime, request.clone().sampling(sampling.clone()).special(true)).0;
    let hidden = ask(&runtime, request.sampling(sampling)).0;
    assert!(shown == "a<|im_start|>b", "{shown:?}");
    assert!(hidden == "ab" || hidden == shown, "{hidden:?}");
}

#[test]
fn the_weights_are_counted_and_none_of_them_is_on_a_gpu_without_one() {
    let runtime = runtime_of(
        fixtures::tiny_llama(),
        edited(|config| {
            config.model.devices = Some(Vec::new());
            config.model.gpu_layers = llama_runtime::GpuLayers::AtMost(0);
        }),
    );
    let info = runtime.info(None).unwrap();
    assert!(info.weights >= info.facts.n_params * 4, "{info:?}");
    assert_eq!(info.gpu_weights, 0);
}
