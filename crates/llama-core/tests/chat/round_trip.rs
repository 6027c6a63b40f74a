//! Every family, from a conversation to a prompt and from complete answers to messages.

use crate::families::{FAMILIES, json_of};

#[test]
fn every_family_renders_its_framing() {
    for family in FAMILIES {
        let rendered =
            family.template().render(&family.conversation()).unwrap_or_else(|e| panic!("{}: {e}", family.name));
        let mut rest = rendered.prompt.as_str();
        for part in family.framing {
            let Some((_, after)) = rest.split_once(part) else {
                panic!("{}: {part:?} is not where it belongs in\n{}", family.name, rendered.prompt)
            };
            rest = after;
        }
        for tool in ["get_weather", "search"] {
            assert!(rendered.prompt.contains(tool), "{}: {tool} is not described", family.name);
        }
        if family.name == "llama3" {
            // Nothing tells the start of a call from the start of an answer in JSON, so only a required call is constrained.
            assert_eq!(rendered.grammar, None);
            continue;
        }
        let grammar = rendered.grammar.unwrap_or_else(|| panic!("{}: no grammar", family.name));
        assert!(grammar.gbnf.contains("root ::="), "{}", family.name);
        assert!(grammar.lazy && !grammar.triggers.is_empty(), "{}: tools are optional, so is the grammar", family.name);
    }
}

#[test]
fn every_family_parses_complete_answers() {
    let mut failures = Vec::new();
    for family in FAMILIES {
        let rendered = family.template().render(&family.conversation()).unwrap();
        let parser = rendered.parser().unwrap();
        for answer in family.answers {
            let message = match parser.parse(answer.text) {
                Ok(message) => message,
                Err(e) => {
                    failures
                        .push(format!("{}: {e}: {:?} gen {:?}", family.name, answer.text, rendered.generation_prompt));
                    continue;
                }
            };
            let calls: Vec<_> = message.tool_calls.iter().map(|c| (c.name.as_str(), json_of(&c.arguments))).collect();
            let expected: Vec<_> = answer.calls.iter().map(|(name, arguments)| (*name, json_of(arguments))).collect();
            if (message.content.as_str(), message.reasoning.as_str(), &calls)
                != (answer.content, answer.reasoning, &expected)
            {
                failures.push(format!("{}: {message:#?}\nfrom {:?}", family.name, answer.text));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
