use std::ffi::OsString;
use std::path::Path;

use llama_testkit::fixtures::{self, TempModels};
use llama_testkit::models::Llama;

use super::*;
use crate::args::{self, Command};

/// A conversation as the program would hold it, on one thread.
fn chat_with(model: &Path) -> Chat {
    let argv = ["llama-cli", "chat", "-t", "1", "-n", "2", "--temp", "0", "-m"].map(OsString::from);
    let cli = args::parse(argv.into_iter().chain([model.into()]).collect()).unwrap();
    let Command::Chat(args) = cli.command else { panic!("not a chat") };
    let effective = args.settings.resolve().unwrap();
    let mut chat = Chat::start(effective, args.options(), Interrupts::none()).unwrap();
    chat.interactive = true;
    chat
}

#[test]
fn a_refused_message_is_taken_back_and_nothing_else_is() {
    let template = "{% for m in messages %}{% if m.content == 'bad' %}{{ raise_exception('no') }}{% endif %}\
        <{{ m.role }}>{{ m.content }}{% endfor %}<assistant>";
    let folder = TempModels::new().unwrap();
    let model = Llama { chat_template: Some(template.into()), ..Llama::tiny() };
    let mut chat = chat_with(&folder.write("picky.gguf", &model.file()).unwrap());
    chat.say("good").unwrap();
    assert_eq!(chat.conversation.messages().len(), 2);
    chat.say("bad").unwrap();
    assert_eq!(chat.conversation.messages().len(), 2);
    chat.interactive = false;
    assert!(chat.say("bad").is_err());
    assert_eq!(chat.conversation.messages().len(), 2);
}

#[test]
fn an_answer_that_cannot_be_given_again_is_kept() {
    let template = "{% if messages|length < 2 and not first is defined %}{% endif %}\
        {% for m in messages %}{{ m.content }}{% endfor %}";
    let folder = TempModels::new().unwrap();
    let model = Llama { chat_template: Some(template.into()), ..Llama::tiny() };
    let mut chat = chat_with(&folder.write("plain.gguf", &model.file()).unwrap());
    chat.say("good").unwrap();
    let before = chat.conversation.clone();
    chat.changes.set(&mut chat.effective, "grammar", "this is no grammar").unwrap();
    chat.regenerate().unwrap();
    assert_eq!(chat.conversation, before);
}

#[test]
fn what_was_said_before_is_not_computed_again() {
    let mut chat = chat_with(fixtures::tiny_llama());
    for text in ["Tell me about acorns and foxes.", "And about owls?", "And about bears?"] {
        chat.say(text).unwrap();
    }
    let totals = chat.engine.runtime().stats().models[0].totals;
    assert!(totals.reused_tokens >= totals.prompt_tokens / 3, "{totals:?}");
}

#[test]
fn another_model_goes_on_with_the_conversation_and_a_wrong_one_changes_nothing() {
    let mut chat = chat_with(fixtures::tiny_llama());
    chat.say("Tell me about acorns.").unwrap();
    let said = chat.conversation.clone();
    assert!(chat.order(command::Command::Model(Some("/no/such/model.gguf"))).is_err());
    assert!(chat.engine.name().contains("tiny_llama"), "{}", chat.engine.name());
    chat.order(command::Command::Model(Some(&fixtures::tiny_tools().to_string_lossy()))).unwrap();
    assert!(chat.engine.name().contains("tiny_tools"), "{}", chat.engine.name());
    assert_eq!(chat.conversation, said);
    chat.say("And foxes?").unwrap();
    assert_eq!(chat.conversation.messages().len(), 4);
}

#[test]
fn a_seed_that_was_set_gives_another_answer_each_time() {
    let mut chat = chat_with(fixtures::tiny_llama());
    assert_eq!(chat.seed(Seed::Fixed(7)), Seed::Fixed(7));
    chat.say("Tell me.").unwrap();
    chat.regenerate().unwrap();
    assert_eq!(chat.seed(Seed::Fixed(7)), Seed::Fixed(8));
    assert_eq!(chat.seed(Seed::Random), Seed::Random);
}

#[test]
fn a_long_message_is_shown_cut() {
    assert_eq!(shortened("short"), "short");
    let cut = shortened(&"ü".repeat(501));
    assert_eq!(cut, format!("{} ... (truncated)", "ü".repeat(500)));
}
