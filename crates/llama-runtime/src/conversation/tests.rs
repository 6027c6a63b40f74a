use super::*;
use llama_core::chat::TextPart;
use proptest::prelude::*;
use std::convert::Infallible;

fn texts(messages: &[Message]) -> Vec<String> {
    messages.iter().map(|message| message.content.to_text()).collect()
}

/// One token for each message.
fn each(messages: &[Message]) -> Result<usize, Infallible> {
    Ok(messages.len())
}

fn call(id: &str) -> ToolCall {
    ToolCall::new(id, "look_up", "{\"word\": \"été\"}")
}

/// Instructions, two answered turns, a question.
fn three_turns() -> Conversation {
    let mut conversation = Conversation::new().with_system("s");
    for turn in ["1", "2"] {
        conversation.user(turn);
        conversation.assistant(format!("re {turn}"));
    }
    conversation.user("3");
    conversation
}

/// So many turns of a question and an answer.
fn answered(turns: usize) -> Conversation {
    (0..turns).flat_map(|turn| [Message::user(turn.to_string()), Message::assistant("a")]).collect()
}

#[test]
fn what_is_said_is_there_in_order() {
    let mut conversation = three_turns();
    let mut answer = AssistantMessage::default();
    answer.reasoning = "hm".into();
    answer.tool_calls = vec![call("c1")];
    conversation.answer(answer);
    conversation.tool_result(&call("c1"), "summer");
    let request = conversation.request();
    assert_eq!(request.messages, conversation.messages());
    assert_eq!(texts(conversation.messages()), ["s", "1", "re 1", "2", "re 2", "3", "", "summer"]);
    let [.., called, result] = conversation.messages() else { panic!("messages are missing") };
    assert_eq!((called.reasoning.as_deref(), called.tool_calls.as_slice()), (Some("hm"), [call("c1")].as_slice()));
    assert_eq!((result.role, result.tool_call_id.as_deref()), (Role::Tool, Some("c1")));
}

#[test]
fn turns_begin_where_the_user_speaks() {
    let conversation = three_turns();
    let turns: Vec<_> = conversation.turns().map(texts).collect();
    assert_eq!(turns, [vec!["1", "re 1"], vec!["2", "re 2"], vec!["3"]]);
    assert_eq!(Conversation::new().with_system("s").turns().len(), 0);
    let greeted: Conversation = [Message::assistant("Hello!"), Message::user("1")].into_iter().collect();
    assert_eq!(greeted.turns().map(texts).collect::<Vec<_>>(), [["Hello!"], ["1"]]);
}

#[test]
fn a_result_is_in_the_turn_of_its_call_even_when_the_user_speaks_between() {
    for (id, named) in [("c1", "by id"), ("", "without ids")] {
        let mut conversation = answered(1);
        conversation.user("look it up");
        conversation.push(Message::assistant("").with_tool_calls([call(id)]));
        conversation.user("hurry");
        conversation.tool_result(&call(id), "found");
        conversation.assistant("here");
        conversation.user("thanks");
        let lengths: Vec<_> = conversation.turns().map(<[_]>::len).collect();
        assert_eq!(lengths, [2, 5, 1], "{named}");
    }
}

#[test]
fn calls_that_were_never_answered_hold_nothing_together() {
    let mut conversation = answered(1);
    conversation.push(Message::assistant("").with_tool_calls([call("c1")]));
    conversation.user("never mind");
    conversation.push(Message::assistant("").with_tool_calls([call("c2")]));
    conversation.tool_result(&call("c2"), "found");
    assert_eq!(conversation.turns().map(<[_]>::len).collect::<Vec<_>>(), [3, 3]);
}

#[test]
fn an_answer_can_be_given_again_but_only_to_something() {
    let mut conversation = three_turns();
    conversation.push(Message::assistant("").with_tool_calls([call("c1")]));
    conversation.tool_result(&call("c1"), "summer");
    conversation.assistant("re 3");
    assert!(conversation.reopen());
    assert_eq!(texts(conversation.messages()), ["s", "1", "re 1", "2", "re 2", "3"]);
    assert!(conversation.reopen(), "an unanswered message can be answered");
    assert_eq!(conversation.messages().len(), 6);
    let mut greeted: Conversation = [Message::assistant("Hello!")].into_iter().collect();
    assert!(!greeted.reopen());
    assert_eq!(greeted.messages().len(), 1);
}

#[test]
fn the_last_turn_can_be_taken_back_but_not_the_instructions() {
    let mut conversation = three_turns();
    assert_eq!(texts(&conversation.undo()), ["3"]);
    assert_eq!(texts(&conversation.undo()), ["2", "re 2"]);
    assert_eq!(texts(&conversation.undo()), ["1", "re 1"]);
    assert_eq!(conversation.undo(), []);
    assert_eq!(texts(conversation.messages()), ["s"]);
}

#[test]
fn instructions_can_be_replaced_and_outlive_the_turns() {
    let mut conversation = three_turns();
    conversation.set_system(Some("t"));
    assert_eq!(texts(&conversation.messages()[..2]), ["t", "1"]);
    assert_eq!(conversation.fit(4, each).unwrap().dropped, 1);
    conversation.clear();
    assert_eq!((texts(conversation.messages()), conversation.dropped()), (vec!["t".to_owned()], 0));
    assert!(!conversation.reopen());
    conversation.set_system(None);
    assert_eq!(conversation.messages(), []);
}

#[test]
fn trimming_drops_the_oldest_turns_and_only_as_many_as_needed() {
    let mut conversation = three_turns();
    assert_eq!(conversation.fit(6, each), Ok(Fitted { dropped: 0, tokens: 6 }));
    assert_eq!(conversation.fit(Budget::new(9).reserve(4), each), Ok(Fitted { dropped: 1, tokens: 4 }));
    assert_eq!(texts(conversation.messages()), ["s", "2", "re 2", "3"]);
    assert_eq!(conversation.fit(3, each), Ok(Fitted { dropped: 1, tokens: 2 }));
    assert_eq!((texts(conversation.messages()), conversation.dropped()), (vec!["s".into(), "3".into()], 2));
}

#[test]
fn the_instructions_and_the_last_turn_stay_or_it_is_an_error_with_numbers() {
    for when_full in [WhenFull::Trim, WhenFull::Shift] {
        let mut conversation = three_turns().when_full(when_full);
        let before = conversation.clone();
        let error = conversation.fit(Budget::new(5).reserve(4), each).unwrap_err();
        assert_eq!(error, FitError::TooLong { tokens: 2, limit: 1 });
        assert_eq!(
            error.to_string(),
            "the instructions and the last turn alone have 2 tokens, and there is room for 1"
        );
        assert_eq!(conversation, before, "nothing is dropped in vain");
    }
    assert_eq!(Conversation::new().fit(0, each), Ok(Fitted { dropped: 0, tokens: 0 }));
    assert_eq!(answered(1).fit(Budget::new(3).reserve(9), each), Err(FitError::TooLong { tokens: 2, limit: 0 }));
}

#[test]
fn refusing_drops_nothing() {
    let mut conversation = three_turns().when_full(WhenFull::Refuse);
    assert_eq!(conversation.fit(5, each), Err(FitError::Full { tokens: 6, limit: 5 }));
    assert_eq!(conversation, three_turns().when_full(WhenFull::Refuse));
    assert_eq!(conversation.fit(6, each), Ok(Fitted { dropped: 0, tokens: 6 }));
}

#[test]
fn shifting_drops_half_so_that_the_beginning_stays_for_many_turns() {
    let changes = |when_full| {
        let mut conversation = Conversation::new().with_system("s").when_full(when_full);
        let mut changes = 0;
        for turn in 0..200 {
            conversation.user(turn.to_string());
            changes += usize::from(conversation.fit(33, each).unwrap().dropped > 0);
            conversation.assistant("a");
        }
        changes
    };
    assert_eq!(changes(WhenFull::Trim), 184);
    assert_eq!(changes(WhenFull::Shift), 23);
    let mut conversation = answered(8).when_full(WhenFull::Shift);
    assert_eq!(conversation.fit(15, each), Ok(Fitted { dropped: 4, tokens: 8 }));
}

#[test]
fn a_failed_count_is_passed_on_and_changes_nothing() {
    let mut conversation = answered(4);
    let mut counts = 0;
    let failing = |messages: &[Message]| {
        counts += 1;
        if messages.len() == 8 { Ok(8) } else { Err(std::fmt::Error) }
    };
    assert_eq!(conversation.fit(4, failing), Err(FitError::Count(std::fmt::Error)));
    assert_eq!((counts, conversation), (2, answered(4)));
}

#[test]
fn saved_messages_have_the_shape_of_openai() {
    let mut conversation = Conversation::new().with_system("Sois bref 🌊").when_full(WhenFull::Shift);
    conversation.user("été?");
    conversation.push(Message::assistant("").with_tool_calls([call("c1")]));
    let saved: serde_json::Value = serde_json::from_str(&conversation.to_json().unwrap()).unwrap();
    let expected = serde_json::json!({
        "version": 1,
        "when_full": "shift",
        "dropped": 0,
        "messages": [
            {"role": "system", "content": "Sois bref 🌊"},
            {"role": "user", "content": "été?"},
            {"role": "assistant", "content": "", "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": "{\"word\": \"été\"}"}}
            ]},
        ],
    });
    assert_eq!(saved, expected);
}

#[test]
fn what_was_dropped_is_saved_too() {
    let mut conversation = answered(5);
    conversation.fit(4, each).unwrap();
    let read = Conversation::from_json(&conversation.to_json().unwrap()).unwrap();
    assert_eq!((read.dropped(), read), (3, conversation));
}

#[test]
fn a_conversation_of_another_version_is_refused_whatever_else_it_holds() {
    let error = Conversation::from_json(r#"{"version": 2, "turns": {}}"#).unwrap_err();
    assert!(matches!(error, ConversationError::Version { found: 2, known: 1 }), "{error}");
}

#[test]
fn what_is_no_conversation_is_refused_with_what_is_wrong() {
    for (json, wrong) in [
        ("", "EOF"),
        ("[]", "invalid length"),
        (r#"{"messages": []}"#, "version"),
        (r#"{"version": 1}"#, "messages"),
        (r#"{"version": 1, "messages": [{"role": "wizard", "content": ""}]}"#, "wizard"),
        (r#"{"version": 1, "messages": [], "color": 1}"#, "color"),
        (r#"{"version": 1, "messages": [], "when_full": "cry"}"#, "cry"),
        (r#"{"version": 1, "messages": []} {}"#, "trailing"),
    ] {
        let error = Conversation::from_json(json).unwrap_err();
        assert!(matches!(error, ConversationError::Json(_)) && error.to_string().contains(wrong), "{json}: {error}");
    }
    assert_eq!(Conversation::from_json(r#"{"version": 1, "messages": []}"#).unwrap(), Conversation::new());
}

#[test]
fn nothing_is_written_or_read_beyond_the_bound() {
    let long = "x".repeat(Conversation::MAX_JSON);
    let error = Conversation::from_json(&long).unwrap_err();
    assert!(matches!(error, ConversationError::Json(_)), "{error}: as long as allowed, but no conversation");
    let conversation: Conversation = [Message::user(long)].into_iter().collect();
    let error = conversation.to_json().unwrap_err();
    let ConversationError::TooLarge { bytes, limit } = error else { panic!("{error}") };
    assert!(bytes > limit && limit == Conversation::MAX_JSON);
    assert!(matches!(Conversation::from_json(&" ".repeat(bytes)), Err(ConversationError::TooLarge { .. })));
}

/// Any order of any messages; few ids, so that results find calls.
fn message() -> impl Strategy<Value = Message> {
    let ids = prop::sample::select(vec!["", "a", "b"]);
    prop_oneof![
        1 => any::<String>().prop_map(Message::system),
        4 => any::<String>().prop_map(Message::user),
        2 => any::<(String, Option<String>)>().prop_map(|(text, reasoning)| {
            let mut message = Message::assistant(text);
            message.reasoning = reasoning;
            message
        }),
        2 => (ids.clone(), any::<String>()).prop_map(|(id, arguments)| {
            Message::assistant("").with_tool_calls([ToolCall::new(id, "f", arguments)])
        }),
        2 => (ids, any::<String>()).prop_map(|(id, text)| Message::tool_result(&ToolCall::new(id, "f", ""), text)),
        1 => prop::collection::vec(any::<String>(), 0..3).prop_map(|parts| {
            Message::user(Content::Parts(parts.into_iter().map(|text| TextPart { text }).collect()))
        }),
    ]
}

fn conversation() -> impl Strategy<Value = Conversation> {
    let modes = prop::sample::select(vec![WhenFull::Refuse, WhenFull::Trim, WhenFull::Shift]);
    let messages = prop::collection::vec(message(), 0..40);
    (modes, messages).prop_map(|(mode, messages)| messages.into_iter().collect::<Conversation>().when_full(mode))
}

/// A message of n bytes has n + 1 tokens.
fn bytes(messages: &[Message]) -> usize {
    messages.iter().map(|message| message.content.to_text().len() + 1).sum()
}

proptest! {
    #[test]
    fn what_is_saved_is_read_again(conversation in conversation(), dropped: u64) {
        let conversation = Conversation { dropped, ..conversation };
        prop_assert_eq!(Conversation::from_json(&conversation.to_json().unwrap()).unwrap(), conversation);
    }

    #[test]
    fn turns_are_all_messages_after_the_instructions_and_tear_no_call_from_its_result(conversation in conversation()) {
        let turns: Vec<_> = conversation.turns().collect();
        let first = turns::instructions(conversation.messages());
        prop_assert_eq!(turns.concat(), &conversation.messages()[first..]);
        prop_assert!(turns.iter().skip(1).all(|turn| turn[0].role == Role::User));
        for (i, turn) in turns.iter().enumerate() {
            for (j, result) in turn.iter().enumerate().filter(|(_, message)| message.role == Role::Tool) {
                let id = result.tool_call_id.as_deref().unwrap_or_default();
                let calls = |message: &Message| message.tool_calls.iter().any(|call| call.id == id);
                let here = turn[..j].iter().any(calls);
                let before = turns[..i].iter().any(|turn| turn.iter().any(calls));
                prop_assert!(here || id.is_empty() || !before, "result {id} is apart from its call");
            }
        }
    }

    #[test]
    fn fitting_keeps_instructions_and_last_turns_whole_or_changes_nothing(
        conversation in conversation(), limit in 0usize..400,
    ) {
        let mut fitted = conversation.clone();
        let mut counts = 0;
        let result = fitted.fit(limit, |messages| {
            counts += 1;
            Ok::<_, Infallible>(bytes(messages))
        });
        let turns: Vec<_> = conversation.turns().collect();
        let rounded_up_log = turns.len().max(1).next_power_of_two().ilog2();
        prop_assert!(counts <= 2 + 2 * rounded_up_log, "{counts} counts for {} turns", turns.len());
        let instructions = &conversation.messages()[..turns::instructions(conversation.messages())];
        let without = |dropped: usize| [instructions, &turns[dropped..].concat()].concat();
        match result {
            Ok(Fitted { dropped, tokens }) => {
                prop_assert!(dropped == 0 || dropped < turns.len());
                prop_assert_eq!(fitted.messages(), without(dropped));
                prop_assert_eq!(fitted.dropped(), u64::try_from(dropped).unwrap());
                prop_assert_eq!(tokens, bytes(fitted.messages()));
                prop_assert!(tokens <= limit);
                if conversation.when_full == WhenFull::Trim && dropped > 0 {
                    prop_assert!(bytes(&without(dropped - 1)) > limit, "fewer would have done");
                }
            }
            Err(FitError::TooLong { tokens, limit: room }) => {
                prop_assert_eq!(room, limit);
                prop_assert_eq!(tokens, bytes(&without(turns.len().saturating_sub(1))));
                prop_assert!(tokens > limit);
                prop_assert_eq!(fitted, conversation);
            }
            Err(error) => {
                prop_assert_eq!(conversation.when_full, WhenFull::Refuse);
                prop_assert_eq!(error, FitError::Full { tokens: bytes(conversation.messages()), limit });
                prop_assert_eq!(fitted, conversation);
            }
        }
    }
}
