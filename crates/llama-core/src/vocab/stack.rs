//! How much stack upstream's tokenizer takes.

use super::{Vocab, VocabKind};

/// Characters that any stack can take.
const SHORT: usize = 1000;
/// Three times what was measured with GNU's library (320 bytes).
const STACK_PER_CHAR: usize = 1024;
/// Most stack; only what is used becomes memory.
pub(super) const MOST: usize = 1 << 29;
/// Values of `tokenizer.ggml.pre` for which C cuts the text up by hand.
const HAND_WRITTEN: [&str; 16] = [
    "gpt-2",
    "llama3",
    "llama-v3",
    "llama-bpe",
    "falcon3",
    "pixtral",
    "lfm2",
    "qwen2",
    "qwen35",
    "deepseek-r1-qwen",
    "stablelm2",
    "dbrx",
    "glm4",
    "chatglm-bpe",
    "smollm",
    "starcoder",
];

/// Bytes of stack to tokenise with, 0 if the caller's will do.
///
/// For most BPE vocabularies C cuts the text up with `std::regex`, which in GNU's library calls itself for each
/// character of a match and ends the process when the stack is full: some thousand letters without a space will do.
pub(super) fn needed(vocab: &Vocab<'_>, text: &str) -> usize {
    if text.len() <= SHORT || vocab.kind() != VocabKind::Bpe {
        return 0;
    }
    let name = vocab.pre_tokenizer();
    if HAND_WRITTEN.contains(&name.as_str()) {
        return 0;
    }
    // This one's words may contain spaces.
    let longest = if name == "exaone-moe" { text.len() } else { longest_match(text) };
    if longest <= SHORT { 0 } else { longest.saturating_mul(STACK_PER_CHAR).saturating_add(1 << 20) }
}

/// At least the characters of the longest match of a pre-tokenizer: a match is a stretch of white space, a stretch without,
/// or one of each.
fn longest_match(text: &str) -> usize {
    let (mut white, mut other) = ((0, 0), (0, 0));
    let count = |(current, longest): &mut (usize, usize), inside: bool| {
        *current = if inside { *current + 1 } else { 0 };
        *longest = (*longest).max(*current);
    };
    for c in text.chars() {
        count(&mut white, c.is_whitespace());
        // Not every part of C takes the white space beyond ASCII for such.
        count(&mut other, !c.is_ascii_whitespace());
    }
    white.1 + other.1
}
