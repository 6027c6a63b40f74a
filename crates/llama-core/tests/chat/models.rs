//! Templates that come with a model.

use crate::families::tools;
use llama_core::chat::{ChatError, ChatRequest, ChatTemplate, Message};
use llama_core::{Model, ModelParams};
use llama_testkit::fixtures::{self, TempModels};
use llama_testkit::models::Llama;

fn model(path: &std::path::Path) -> Model {
    Model::load(path, ModelParams::default()).unwrap()
}

#[test]
fn a_models_own_template_renders_tools() {
    let template = {
        let model = model(fixtures::tiny_tools());
        ChatTemplate::from_model(&model).unwrap()
    };
    // The model is gone by now; the template is not.
    assert!(template.is_explicit());
    let rendered = template.render(&ChatRequest::new([Message::user("Weather?")]).tools(tools())).unwrap();
    assert!(rendered.prompt.contains("get_weather") && rendered.prompt.contains("Weather?"), "{}", rendered.prompt);
}

#[test]
fn a_model_without_a_template_gets_chatml() {
    let template = ChatTemplate::from_model(&model(fixtures::tiny_llama())).unwrap();
    assert!(!template.is_explicit());
    let rendered = template.render(&ChatRequest::new([Message::user("Hi")])).unwrap();
    assert_eq!(rendered.prompt, "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
}

#[test]
fn another_template_can_take_the_place_of_the_models() {
    let template = ChatTemplate::from_model_with(&model(fixtures::tiny_tools()), "{{ messages[0].content }}!").unwrap();
    assert_eq!(template.render(&ChatRequest::new([Message::user("Hi")])).unwrap().prompt, "Hi!");
}

#[test]
fn a_harmful_template_in_a_model_is_refused() {
    let folder = TempModels::new().unwrap();
    let load = |source: &str| {
        let file = Llama { chat_template: Some(source.to_owned()), ..Llama::tiny() }.file();
        ChatTemplate::from_model(&model(&folder.write("model.gguf", &file).unwrap())).map(|_| ())
    };
    let endless = load("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}").unwrap_err();
    assert!(matches!(endless, ChatError::Limit { .. }), "{endless:?}");
    let broken = load("{% if %}").unwrap_err();
    assert!(matches!(broken, ChatError::BadTemplate { .. }), "{broken:?}");
}
