//! What is answered, and that it is what llama.cpp answers.

use llama_runtime::{Event, FinishReason, Message, ModelSpec, Request, Role, Runtime, Token};
use llama_testkit::golden;

use crate::{greedy, options, read, tiny};

fn demo() -> Runtime {
    Runtime::start(ModelSpec::path(golden::demo_model_path()), options()).unwrap()
}

fn messages(entry: &golden::Entry) -> Vec<Message> {
    let role = |name: &str| match name {
        "system" => Role::System,
        "user" => Role::User,
        _ => Role::Assistant,
    };
    entry.messages.iter().map(|message| Message::new(role(&message.role), message.content.as_str())).collect()
}

#[test]
fn golden_conversations_are_answered_as_llama_cpp_does() {
    let runtime = demo();
    let golden = golden::demo();
    for entry in golden.entries.iter().filter(|entry| !entry.messages.is_empty()) {
        // Below this, rounding alone may decide.
        if entry.smallest_margin().is_some_and(|margin| margin < 0.05) {
            continue;
        }
        let request = greedy(Request::chat(messages(entry)), entry.n_predict as usize);
        assert_eq!(runtime.count_tokens(request.prompt.clone()).unwrap(), entry.prompt_tokens.len(), "{}", entry.name);
        let (text, reason) = read(runtime.submit(request).unwrap());
        assert_eq!(text, entry.text, "{}", entry.name);
        assert!(matches!(reason, FinishReason::EndOfAnswer), "{}: {reason:?}", entry.name);
    }
}

#[test]
fn text_and_tokens_are_continued_without_a_template() {
    let runtime = demo();
    let golden = golden::demo();
    let entry = golden.entry("raw-forest").unwrap();
    let n = entry.n_predict as usize;
    let (text, reason) = read(runtime.submit(greedy(Request::text(entry.prompt.as_str()), n)).unwrap());
    assert_eq!(text, entry.text);
    assert!(matches!(reason, FinishReason::Length));
    let tokens: Vec<Token> = entry.prompt_tokens.iter().copied().map(Token).collect();
    let (text, _) = read(runtime.submit(greedy(Request::tokens(tokens), n)).unwrap());
    assert_eq!(text, entry.text);
}

#[test]
fn the_next_turn_computes_only_what_is_new() {
    let runtime = demo();
    let mut messages = vec![Message::user("My name is Gwendolyn.")];
    let (answer, first) = runtime.submit(greedy(Request::chat(messages.clone()), 64)).unwrap().collect_text();
    assert_eq!(first.usage.reused, 0);
    messages.extend([Message::assistant(answer), Message::user("What is my name?")]);
    let (answer, second) = runtime.submit(greedy(Request::chat(messages), 64)).unwrap().collect_text();
    assert_eq!(answer, "Your name is Gwendolyn.");
    let known = first.usage.prompt + first.usage.generated;
    assert!(second.usage.reused + 1 >= known, "{} of {known} tokens were reused", second.usage.reused);
}

#[test]
fn the_same_request_has_the_same_answer_whatever_ran_before() {
    let runtime = tiny();
    let ask = |text: &str| runtime.submit(greedy(Request::text(text), 24)).unwrap().collect_text().0;
    let alone = ask("The fox");
    ask("A long time ago there was something else");
    assert_eq!(ask("The fox"), alone);
}

#[test]
fn usage_and_timings_say_what_it_cost() {
    let runtime = tiny();
    let request = greedy(Request::text("Once upon a time"), 8);
    let tokens = runtime.count_tokens(request.prompt.clone()).unwrap();
    let (_, finished) = runtime.submit(request).unwrap().collect_text();
    assert_eq!((finished.usage.prompt, finished.usage.reused, finished.usage.generated), (tokens, 0, 8));
    assert!(!finished.timings.prompt.is_zero() && !finished.timings.generation.is_zero());
}

#[test]
fn a_stop_string_ends_the_text_before_it() {
    let runtime = tiny();
    let (whole, _) = read(runtime.submit(greedy(Request::text("Once"), 32)).unwrap());
    let stop: String = whole.chars().skip(whole.chars().count() / 2).take(3).collect();
    let mut request = greedy(Request::text("Once"), 32);
    request.stop = vec![stop.clone()];
    let (text, reason) = read(runtime.submit(request).unwrap());
    assert_eq!(text, whole[..whole.find(&stop).unwrap()]);
    assert!(matches!(reason, FinishReason::StopString(found) if found == stop));
}

#[test]
fn no_tokens_are_written_if_none_are_wanted() {
    let mut generation = tiny().submit(greedy(Request::text("Once"), 0)).unwrap();
    assert!(matches!(generation.next(), Some(Event::Finished(finished)) if finished.usage.generated == 0));
    assert!(generation.next().is_none());
}
