//! A chat template in place of the model's own.

use llama_runtime::{ChatRequest, EngineConfig, Message, ModelSpec, Prompt, Runtime, StartError};
use llama_testkit::fixtures;

use crate::{answer, ask, edited, exact, greedy, runtime_of};

fn with(template: &str) -> EngineConfig {
    edited(|config| config.model.chat_template = Some(template.to_owned()))
}

fn chat() -> Vec<Message> {
    vec![Message::user("Hello there")]
}

fn count(runtime: &Runtime, text: &str) -> usize {
    runtime.count_tokens(None, Prompt::from(text)).unwrap().unwrap()
}

fn count_chat(runtime: &Runtime) -> usize {
    runtime.count_tokens(None, Prompt::from(ChatRequest::new(chat()))).unwrap().unwrap()
}

#[test]
fn it_is_used_instead_of_the_one_in_the_file() {
    for model in [fixtures::tiny_tools(), fixtures::tiny_llama()] {
        let runtime = runtime_of(model, with("Q: {{ messages[0].content }} A:"));
        assert!(runtime.info(None).unwrap().has_chat_template);
        assert_eq!(count_chat(&runtime), count(&runtime, "Q: Hello there A:"));
        let request = greedy(llama_runtime::Request::chat(chat()), 8);
        let plain = greedy(llama_runtime::Request::text("Q: Hello there A:"), 8);
        assert_eq!(ask(&runtime, request).1.choices[0].text, answer(&runtime, plain));
    }
}

#[test]
fn it_may_name_the_tokens_of_the_model() {
    let runtime = runtime_of(fixtures::tiny_tools(), with("{{ messages[0].content }}{{ eos_token }}"));
    let eos = runtime.info(None).map(|_| "<|im_end|>").unwrap();
    assert_eq!(count_chat(&runtime), count(&runtime, &format!("Hello there{eos}")));
}

#[test]
fn the_word_chatml_is_the_built_in_one() {
    let runtime = runtime_of(fixtures::tiny_tools(), with("chatml"));
    let text = "<|im_start|>user\nHello there<|im_end|>\n<|im_start|>assistant\n";
    assert_eq!(count_chat(&runtime), count(&runtime, text));
    assert!(runtime.info(None).unwrap().has_chat_template);
    assert!(!runtime_of(fixtures::tiny_llama(), exact()).info(None).unwrap().has_chat_template);
}

#[test]
fn a_broken_one_fails_the_load_before_the_weights_are_read() {
    for source in ["{% if %}", "{{ messages", "{% for m in messages %}"] {
        for path in [fixtures::tiny_llama(), "there is no such file.gguf".as_ref()] {
            let spec = ModelSpec::path(path).config(with(source));
            let error = Runtime::builder().model("model", spec).build_blocking().unwrap_err();
            let text = error.to_string();
            let StartError::NotStarted { source: cause, .. } = &error else { panic!("{text}") };
            assert!(matches!(**cause, StartError::ChatTemplate(_)), "{source}: {text}");
            assert!(text.contains("model.chat_template: the chat template is not valid"), "{text}");
        }
    }
}
