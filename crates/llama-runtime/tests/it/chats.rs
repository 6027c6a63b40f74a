//! Conversations: tools, thoughts, several answers, log probabilities.

use crate::{answer, ask, exact, greedy, next, runtime_of, text, tiny_with};
use llama_core::{LogitBias, Model, ModelParams, Specials};
use llama_runtime::{
    ChatRequest, Event, FinishReason, Grammar, Message, Prompt, Rejected, Request, Runtime, SamplingParams, Structure,
    Tool, ToolChoice,
};
use llama_testkit::fixtures;
use serde_json::json;

fn tools() -> Runtime {
    runtime_of(fixtures::tiny_tools(), exact())
}

fn weather() -> Tool {
    let parameters = json!({
        "type": "object",
        "properties": { "city": { "type": "string", "enum": ["Oslo", "Rome"] } },
        "required": ["city"],
        "additionalProperties": false
    });
    Tool::new("weather", "Tells the weather.", parameters)
}

fn with_tools(choice: ToolChoice) -> Request {
    let chat = ChatRequest::new([Message::user("How is the weather in Rome?")]).tools([weather()]).tool_choice(choice);
    greedy(Request::new(Prompt::from(chat)), 200)
}

/// The model knows nothing of tools. With this it would rather end its answer than anything else, and rather begin a call
/// than talk, but not twice; so it is the grammar that makes it call.
fn would_rather_end() -> SamplingParams {
    let model = Model::load(fixtures::tiny_tools(), ModelParams::default()).unwrap();
    let mut sampling = SamplingParams::greedy();
    (sampling.penalty_last_n, sampling.penalty_frequency) = (1, 30.0);
    for (text, bias) in [("<|im_end|>", 100.0), ("<tool_call>", 50.0), ("\n", 40.0)] {
        let [token] = model.vocab().tokenize(text, Specials::Parse).unwrap()[..] else { panic!("{text} is no token") };
        let mut wish = LogitBias::ban(token);
        wish.bias = bias;
        sampling.logit_bias.push(wish);
    }
    sampling
}

#[test]
fn a_tool_that_must_be_called_is_called() {
    let runtime = tools();
    let free = ask(&runtime, with_tools(ToolChoice::Auto).sampling(would_rather_end())).1;
    assert!(free.choices[0].message.tool_calls.is_empty() && free.choices[0].text.is_empty(), "{free:?}");
    let request = with_tools(ToolChoice::Required).sampling(would_rather_end());
    let mut generation = runtime.submit(request).unwrap();
    let (mut name, mut arguments) = (String::new(), String::new());
    let finished = loop {
        match next(&mut generation).unwrap() {
            Event::ToolCall(delta) => {
                assert_eq!((delta.choice, delta.index), (0, 0));
                name.push_str(delta.name.as_deref().unwrap_or_default());
                arguments.push_str(&delta.arguments);
            }
            Event::Finished(finished) => break finished,
            _ => {}
        }
    };
    assert!(matches!(finished.reason, FinishReason::EndOfAnswer), "{finished:?}");
    let [call] = &finished.choices[0].message.tool_calls[..] else { panic!("{finished:?}") };
    assert_eq!((call.name.as_str(), name.as_str()), ("weather", "weather"));
    assert_eq!(call.arguments_json().unwrap(), serde_json::from_str::<serde_json::Value>(&arguments).unwrap());
    let city = call.arguments_json().unwrap()["city"].as_str().unwrap().to_owned();
    assert!(["Oslo", "Rome"].contains(&city.as_str()));
    assert!(finished.choices[0].malformed.is_none());
}

#[test]
fn a_tool_that_may_be_called_does_not_constrain_the_text() {
    let runtime = tools();
    let (_, finished) = ask(&runtime, with_tools(ToolChoice::Auto));
    assert!(finished.choices[0].message.tool_calls.is_empty());
    assert!(!finished.choices[0].text.is_empty());
    let (_, none) = ask(&runtime, with_tools(ToolChoice::None));
    assert!(none.choices[0].message.tool_calls.is_empty());
}

#[test]
fn tools_and_a_structure_exclude_each_other() {
    let refused = tools().submit(with_tools(ToolChoice::Auto).structure(Structure::json_object()));
    assert!(matches!(refused, Err(Rejected::Conflict { .. })), "{refused:?}");
}

/// An answer that is exactly this.
fn that_says(said: &str) -> SamplingParams {
    let mut sampling = SamplingParams::greedy();
    sampling.grammar = Some(Grammar::gbnf(format!("root ::= {}", serde_json::to_string(said).unwrap())));
    sampling
}

#[test]
fn thoughts_are_told_apart_from_the_answer() {
    let runtime = tools();
    let said = "<think>\nA hard question.\n</think>\n\nYes.";
    let request = Request::chat([Message::user("Well?")]).sampling(that_says(said)).max_tokens(100);
    let mut generation = runtime.submit(request).unwrap();
    let (mut thoughts, mut words) = (String::new(), String::new());
    let finished = loop {
        match next(&mut generation).unwrap() {
            Event::Reasoning(more) => thoughts.push_str(&more),
            Event::Text(more) => words.push_str(&more),
            Event::Finished(finished) => break finished,
            _ => {}
        }
    };
    assert_eq!((thoughts.trim(), words.trim()), ("A hard question.", "Yes."));
    let choice = &finished.choices[0];
    assert_eq!((choice.message.reasoning.trim(), choice.message.content.trim()), ("A hard question.", "Yes."));
    assert_eq!(choice.text, said, "the text is as it was written");
}

#[test]
fn several_answers_share_one_prompt() {
    let runtime = tiny_with(exact());
    let mut sampling = SamplingParams::default();
    sampling.temperature = 1.0;
    let prompt = "Once upon a time there was a model that knew one story";
    let request = || Request::text(prompt).sampling(sampling.clone()).max_tokens(12);
    let mut generation = runtime.submit(request().seed(5).choices(3)).unwrap();
    let (mut texts, mut ended) = (vec![String::new(); 3], Vec::new());
    let finished = loop {
        match next(&mut generation).unwrap() {
            Event::Text(more) => texts[more.choice].push_str(&more),
            Event::ChoiceFinished { choice, reason } => {
                assert!(matches!(reason, FinishReason::Length));
                ended.push(choice);
            }
            Event::Finished(finished) => break finished,
            _ => {}
        }
    };
    assert_eq!(ended.len(), 2, "the last one ends with the request");
    assert_eq!(finished.choices.iter().map(|choice| choice.text.clone()).collect::<Vec<_>>(), texts);
    assert_eq!(finished.usage.generated, 36);
    let computed = crate::stats(&runtime).engine.prompt_computed as usize;
    assert!(computed < finished.usage.prompt + 3, "{computed} of {:?}", finished.usage);
    for (place, text) in texts.iter().enumerate() {
        let seed = 5 + u32::try_from(place).unwrap();
        assert_eq!(answer(&runtime, request().seed(seed)), *text, "choice {place}");
    }
    assert!(texts[0] != texts[1] && texts[1] != texts[2]);
}

#[test]
fn log_probabilities_come_with_the_text() {
    let runtime = tiny_with(exact());
    let (_, finished) = ask(&runtime, text("Once upon a time", 9).logprobs(3));
    let logprobs = &finished.choices[0].logprobs;
    assert_eq!(logprobs.len(), 9);
    for one in logprobs {
        assert_eq!((one.top.len(), one.top[0].token), (3, one.token), "greedy takes the likeliest");
        assert!(one.logprob <= 0.0 && one.top.is_sorted_by(|a, b| a.logprob >= b.logprob));
    }
    let spelt: Vec<u8> = logprobs.iter().flat_map(|one| one.bytes.clone()).collect();
    assert_eq!(String::from_utf8_lossy(&spelt), finished.choices[0].text);
    assert!(ask(&runtime, text("Once upon a time", 9)).1.choices[0].logprobs.is_empty());
    assert!(matches!(runtime.submit(text("x", 1).logprobs(101)), Err(Rejected::OutOfRange { field: "logprobs", .. })));
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let runtime = tiny_with(exact());
    let refused = |request: Request| runtime.submit(request).unwrap_err();
    assert!(matches!(refused(text("x", 0)), Rejected::OutOfRange { field: "max_tokens", .. }));
    assert!(matches!(refused(text("x", 1).choices(0)), Rejected::OutOfRange { field: "choices", .. }));
    assert!(matches!(refused(text("", 1)), Rejected::EmptyPrompt));
    assert!(matches!(refused(text("x", 1).stop("")), Rejected::Stop(_)));
    let out = greedy(Request::tokens(vec![llama_runtime::Token(1 << 20)]), 1);
    assert!(matches!(refused(out), Rejected::Tokenize(_)));
    let mut sampling = SamplingParams::default();
    sampling.top_p = 7.0;
    assert!(matches!(refused(text("x", 1).sampling(sampling)), Rejected::Sampling(_)));
    match refused(text("x", 1).model("other")) {
        Rejected::UnknownModel { name, known } => assert_eq!((&*name, &*known), ("other", "model")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn tags_come_back() {
    let (_, finished) = ask(&tiny_with(exact()), text("x", 1).tag("user", "7").tag("path", "/a"));
    assert_eq!(finished.tags, [("user".to_owned(), "7".to_owned()), ("path".to_owned(), "/a".to_owned())]);
    assert_eq!(finished.model, "model");
}
