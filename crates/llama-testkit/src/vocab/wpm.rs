//! The WordPiece vocabulary.

use super::{Family, TokenKind, Vocab, printable, token};

const WORDS: [&str; 40] = [
    "the", "a", "and", "of", "to", "in", "is", "it", "that", "was", "for", "on", "are", "with", "as", "at", "be",
    "this", "have", "from", "or", "one", "had", "by", "not", "what", "all", "we", "when", "your", "can", "said",
    "there", "an", "each", "cat", "dog", "sun", "moon", "hello",
];

const ENDINGS: [&str; 8] = ["s", "ed", "ing", "er", "ly", "est", "ness", "tion"];

pub(super) fn vocab() -> Vocab {
    let mut tokens = vec![
        token("[PAD]", TokenKind::Control),
        token("[UNK]", TokenKind::Unknown),
        token("[CLS]", TokenKind::Control),
        token("[SEP]", TokenKind::Control),
        token("[MASK]", TokenKind::Control),
    ];
    // In the file a word's start carries the mark and its continuation nothing, the reverse of the usual `##`.
    let letters: Vec<char> = printable().filter(|c| !c.is_ascii_uppercase()).collect();
    let starts = letters.iter().map(|c| format!("\u{2581}{c}"));
    let words = WORDS.iter().filter(|word| word.len() > 1).map(|word| format!("\u{2581}{word}"));
    let inside = letters.iter().map(|c| c.to_string());
    let endings = ENDINGS.iter().filter(|ending| ending.len() > 1).map(|ending| (*ending).to_owned());
    for text in starts.chain(words).chain(inside).chain(endings) {
        tokens.push(token(text, TokenKind::Normal));
    }
    Vocab {
        family: Family::Wpm,
        tokens,
        merges: Vec::new(),
        n_special: 5,
        special_ids: vec![("padding", 0), ("unknown", 1), ("bos", 2), ("cls", 2), ("seperator", 3), ("mask", 4)],
        add_bos: true,
    }
}
