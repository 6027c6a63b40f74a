//! Growing text: every prefix of every answer, and the deltas of a stream.

use crate::families::FAMILIES;
use llama_core::chat::{AssistantMessage, ChatDelta, ChatRequest, ChatTemplate, Message, ToolCall};

/// Puts deltas together the way a client does.
fn collect(into: &mut AssistantMessage, deltas: Vec<ChatDelta>) {
    for delta in deltas {
        match delta {
            ChatDelta::Reasoning(text) => into.reasoning += &text,
            ChatDelta::Content(text) => into.content += &text,
            ChatDelta::ToolCall { index, id, name, arguments } => {
                assert!(index <= into.tool_calls.len(), "calls come in order");
                if index == into.tool_calls.len() {
                    into.tool_calls.push(ToolCall::default());
                }
                let call = &mut into.tool_calls[index];
                call.id += &id.unwrap_or_default();
                call.name += &name.unwrap_or_default();
                call.arguments += &arguments;
            }
            other => panic!("unknown delta {other:?}"),
        }
    }
}

#[test]
fn every_prefix_of_every_answer_parses() {
    let mut failures = Vec::new();
    for family in FAMILIES {
        let parser = family.template().render(&family.conversation()).unwrap().parser().unwrap();
        for answer in family.answers {
            for end in 0..=answer.text.len() {
                // Cuts inside a character are what a token boundary may do.
                if let Err(error) = parser.parse_bytes(&answer.text.as_bytes()[..end], true) {
                    failures.push(format!(
                        "{} at {end}: {error}: {:?}",
                        family.name,
                        String::from_utf8_lossy(&answer.text.as_bytes()[..end])
                    ));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn deltas_put_together_are_the_message() {
    let mut failures = Vec::new();
    for family in FAMILIES {
        let parser = family.template().render(&family.conversation()).unwrap().parser().unwrap();
        for answer in family.answers {
            for step in [1, 3, 11] {
                let mut stream = parser.stream();
                let mut seen = AssistantMessage::default();
                let chars: Vec<char> = answer.text.chars().collect();
                for piece in chars.chunks(step) {
                    let piece: String = piece.iter().collect();
                    collect(&mut seen, stream.push(&piece).unwrap());
                }
                match stream.finish() {
                    Ok((deltas, message)) => {
                        collect(&mut seen, deltas);
                        assert_eq!(seen, message, "{}", family.name);
                        assert_eq!(message, parser.parse(answer.text).unwrap(), "{}", family.name);
                    }
                    Err(error) => failures.push(format!("{} by {step}: {error}, after {seen:#?}", family.name)),
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn calls_and_words_arrive_before_the_end() {
    for family in FAMILIES {
        let parser = family.template().render(&family.conversation()).unwrap().parser().unwrap();
        let answer = family.answers.last().unwrap();
        let mut stream = parser.stream();
        let mut named_at = None;
        for (at, c) in answer.text.char_indices() {
            for delta in stream.push(c.encode_utf8(&mut [0; 4])).unwrap() {
                if let ChatDelta::ToolCall { name: Some(_), .. } = delta {
                    named_at.get_or_insert(at);
                }
            }
        }
        let named_at = named_at.unwrap_or_else(|| panic!("{}: the call came only at the end", family.name));
        assert!(named_at < answer.text.len() - 10, "{}: the call came at {named_at}", family.name);
    }
}

#[test]
fn a_long_stream_is_not_parsed_at_every_piece() {
    let family = &FAMILIES[0];
    let mut stream = family.template().render(&family.conversation()).unwrap().parser().unwrap().stream();
    let text = "All work and no play. ".repeat(2_500);
    let (mut seen, mut parses) = (AssistantMessage::default(), 0);
    for c in text.chars() {
        let deltas = stream.push(c.encode_utf8(&mut [0; 4])).unwrap();
        parses += usize::from(!deltas.is_empty());
        collect(&mut seen, deltas);
    }
    collect(&mut seen, stream.finish().unwrap().0);
    assert_eq!(seen.content, text);
    assert!(parses < 4_000, "{parses} parses of {} pieces", text.len());
}

#[test]
fn without_tools_the_deltas_are_the_message_too() {
    let mut failures = Vec::new();
    for family in FAMILIES {
        let request = ChatRequest::new([Message::user("Hello")]).at(1_700_000_000);
        let parser = family.template().render(&request).unwrap().parser().unwrap();
        let texts = family.answers.iter().map(|answer| answer.text);
        for text in texts.chain([
            "Plain, <b>marked</b> up, [1] and {\"a\": 1}.\n\n```\ncode\n```",
            " <think",
            "<think>\n\n</think>\n\n x",
        ]) {
            // What is no answer to such a request is no matter here.
            let Ok(message) = parser.parse(text) else { continue };
            let mut stream = parser.stream();
            let mut seen = AssistantMessage::default();
            for char in text.chars() {
                collect(&mut seen, stream.push(char.encode_utf8(&mut [0; 4])).unwrap());
            }
            match stream.finish() {
                Ok((deltas, end)) => {
                    collect(&mut seen, deltas);
                    if seen != message || end != message {
                        failures.push(format!("{}: {text:?} came as {seen:?}, is {message:?}", family.name));
                    }
                }
                Err(error) => failures.push(format!("{}: {error}, after {seen:?}", family.name)),
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn plain_content_comes_at_once_however_long_the_text_is() {
    let template = ChatTemplate::chatml().unwrap();
    let parser = template.render(&ChatRequest::new([Message::user("Hello")])).unwrap().parser().unwrap();
    let mut stream = parser.stream();
    for i in 0..4000 {
        let piece = if i % 7 == 0 { " " } else { "\u{e9}" };
        let deltas = stream.push(piece).unwrap();
        assert!(i == 0 || deltas == [ChatDelta::Content(piece.to_owned())], "after {i} pieces: {deltas:?}");
    }
    assert_eq!(stream.push("").unwrap(), []);
}
