//! Texts that no model should write but some will: a mismatch or a message, never a crash.

use crate::families::FAMILIES;
use llama_core::chat::ChatError;

fn survived<T: std::fmt::Debug>(outcome: Result<T, ChatError>, family: &str, text: &[u8]) {
    match outcome {
        Ok(_) | Err(ChatError::Mismatch { .. }) => {}
        Err(error) => panic!("{family}: {error:?} from {:?}", String::from_utf8_lossy(text)),
    }
}

#[test]
fn single_markers_and_nul_bytes_are_survived() {
    for family in FAMILIES {
        let parser = family.template().render(&family.conversation()).unwrap().parser().unwrap();
        for text in ["", "\0", "a\0b", "\u{feff}", "</s>", "<", "[", "{", "\"", "<think>", "</think>", "<|", "]", "\n"]
        {
            survived(parser.parse(text), family.name, text.as_bytes());
            survived(parser.parse_partial(text), family.name, text.as_bytes());
        }
    }
}

#[test]
fn deep_texts_are_survived_or_refused() {
    for family in FAMILIES {
        let parser = family.template().render(&family.conversation()).unwrap().parser().unwrap();
        let answer = family.answers.last().unwrap().text;
        let value = answer.find("snow").or_else(|| answer.find("{\"city\"")).unwrap();
        for (opener, brackets) in [("[", 1), ("{\"a\":", 1), ("[{\"a\":", 2), ("{a:", 1)] {
            for depth in [16, 500, 4_000] {
                for before in ["", &answer[..value], &answer[..value - 1]] {
                    let text = format!("{before}{}", opener.repeat(depth / brackets - 8));
                    survived(parser.parse_partial(&text), family.name, before.as_bytes());
                }
            }
        }
        let too_deep = parser.parse_partial(&"[".repeat(100_000));
        assert!(matches!(too_deep, Err(ChatError::Limit { .. })), "{}", family.name);
    }
}

#[test]
fn damaged_answers_are_survived() {
    // A small generator of our own keeps the cases the same on every run.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(bound).unwrap()).unwrap()
    };
    for family in FAMILIES {
        let parser = family.template().render(&family.conversation()).unwrap().parser().unwrap();
        for answer in family.answers {
            for _ in 0..150 {
                let mut bytes = answer.text.as_bytes().to_vec();
                for _ in 0..=next(3) {
                    let at = next(bytes.len());
                    match next(4) {
                        0 => bytes[at] = u8::try_from(next(256)).unwrap(),
                        1 => drop(bytes.remove(at)),
                        2 => bytes.insert(at, b"<>{}[]\"\\\n|:,"[next(12)]),
                        _ => bytes.extend_from_within(at..),
                    }
                }
                survived(parser.parse_bytes(&bytes, false), family.name, &bytes);
                survived(parser.parse_bytes(&bytes, true), family.name, &bytes);
            }
        }
    }
}
