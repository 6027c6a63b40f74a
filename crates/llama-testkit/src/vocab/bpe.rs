//! The byte-level BPE vocabulary.

use super::{Family, PAIRS, TokenKind, Vocab, token};

const SPECIAL: [(&str, TokenKind); 12] = [
    ("<|endoftext|>", TokenKind::Control),
    ("<|im_start|>", TokenKind::Control),
    ("<|im_end|>", TokenKind::Control),
    ("<|fim_prefix|>", TokenKind::Control),
    ("<|fim_middle|>", TokenKind::Control),
    ("<|fim_suffix|>", TokenKind::Control),
    ("<think>", TokenKind::UserDefined),
    ("</think>", TokenKind::UserDefined),
    ("<tool_call>", TokenKind::UserDefined),
    ("</tool_call>", TokenKind::UserDefined),
    ("<tool_response>", TokenKind::UserDefined),
    ("</tool_response>", TokenKind::UserDefined),
];

pub(super) fn vocab() -> Vocab {
    let mut tokens: Vec<_> = SPECIAL.iter().map(|(text, kind)| token(*text, *kind)).collect();
    tokens.extend((0..=255).map(|byte| token(byte_char(byte), TokenKind::Normal)));
    let pairs = PAIRS.map(|(left, right)| (left.replace('_', "Ġ"), right.replace('_', "Ġ")));
    tokens.extend(pairs.iter().map(|(left, right)| token(format!("{left}{right}"), TokenKind::Normal)));
    Vocab {
        family: Family::Bpe,
        tokens,
        merges: pairs.iter().map(|(left, right)| format!("{left} {right}")).collect(),
        n_special: SPECIAL.len() as u32,
        special_ids: vec![
            ("bos", 0),
            ("eos", 2),
            ("eot", 2),
            ("padding", 0),
            ("fim_pre", 3),
            ("fim_mid", 4),
            ("fim_suf", 5),
        ],
        add_bos: false,
    }
}

/// How byte-level BPE writes a byte: itself where that is a visible Latin-1 character, else the next free character from
/// U+0100 on.
fn byte_char(byte: u8) -> char {
    let visible = |b: u8| matches!(b, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    if visible(byte) {
        return char::from(byte);
    }
    let earlier = (0..byte).filter(|b| !visible(*b)).count() as u32;
    char::from_u32(0x100 + earlier).unwrap_or(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invisible_bytes_move_up() {
        assert_eq!(byte_char(b'a'), 'a');
        assert_eq!(byte_char(b' '), 'Ġ');
        assert_eq!(byte_char(b'\n'), 'Ċ');
        assert_eq!(byte_char(0xAD), '\u{143}');
    }
}
