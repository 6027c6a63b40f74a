//! Vocabularies in miniature, one per tokenizer family of llama.cpp.
//!
//! All are small enough to read whole and yet complete: any text can be tokenized by the first two, since every byte has a
//! token, and the third knows every printable ASCII character. Special tokens always come first.

mod bpe;
mod spm;
mod wpm;

use std::ops::Range;

use crate::gguf::Gguf;

/// What kind of token this is; the number is the one in the file (`llama_token_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum TokenKind {
    /// Text.
    Normal = 1,
    /// Stands for what the vocabulary lacks.
    Unknown = 2,
    /// A control token: parsed only on request, not part of the text.
    Control = 3,
    /// Parsed on request like a control token, but part of the text, such as `<think>`.
    UserDefined = 4,
    /// One byte, written `<0x41>`.
    Byte = 6,
}

/// One token.
#[derive(Debug, Clone, PartialEq)]
pub struct VocabToken {
    /// Text as the file has it (with the tokenizer's own way of writing spaces and bytes).
    pub text: String,
    /// Merge priority, for the SPM family.
    pub score: f32,
    /// Kind.
    pub kind: TokenKind,
}

/// Tokenizer family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Byte-level BPE (`gpt2`, pre-tokenizer `gpt-2`).
    Bpe,
    /// SentencePiece-like with byte fallback (`llama`).
    Spm,
    /// WordPiece (`bert`), lower-casing.
    Wpm,
}

/// A vocabulary: tokens, and the ids of the special ones.
#[derive(Debug, Clone, PartialEq)]
pub struct Vocab {
    /// Family, which decides `tokenizer.ggml.model`.
    pub family: Family,
    /// Tokens by id. Texts are unique: llama.cpp aborts the process on duplicates.
    pub tokens: Vec<VocabToken>,
    /// BPE merges, best first, `left right`.
    pub merges: Vec<String>,
    /// Number of special tokens; they have the lowest ids.
    pub n_special: u32,
    /// Ids by key without prefix and suffix: `("eos", 2)` becomes `tokenizer.ggml.eos_token_id`.
    pub special_ids: Vec<(&'static str, u32)>,
    /// Whether tokenizing puts the BOS token (for WPM `[CLS]`) in front when asked for special tokens.
    pub add_bos: bool,
}

impl Vocab {
    /// Byte-level BPE, 320 tokens: 12 special, 256 bytes, 52 merges.
    ///
    /// Special tokens, from id 0: `<|endoftext|>` (BOS, padding, ends generation), `<|im_start|>`, `<|im_end|>` (EOS),
    /// `<|fim_prefix|>`, `<|fim_middle|>`, `<|fim_suffix|>`, and as user-defined text `<think>`, `</think>`,
    /// `<tool_call>`, `</tool_call>`, `<tool_response>`, `</tool_response>`. No BOS is added. Byte `b` is token `12 + b`.
    #[must_use]
    pub fn bpe() -> Self {
        bpe::vocab()
    }

    /// SentencePiece-like, 406 tokens: `<unk>`, `<s>` (BOS, added), `</s>` (EOS), 256 bytes, 94 printable characters and the
    /// space mark, and 52 longer pieces. Byte `b` is token `3 + b`.
    #[must_use]
    pub fn spm() -> Self {
        spm::vocab()
    }

    /// WordPiece, lower-casing: `[PAD]`, `[UNK]`, `[CLS]` (added in front), `[SEP]` (added at the end), `[MASK]`, every
    /// printable ASCII character at the start of and inside words, and some common words.
    #[must_use]
    pub fn wpm() -> Self {
        wpm::vocab()
    }

    /// Adds normal tokens that no text tokenizes to, until there are `n` in all: for the cost of a large vocabulary.
    #[must_use]
    pub fn padded_to(mut self, n: usize) -> Self {
        for i in self.tokens.len()..n {
            self.tokens.push(VocabToken { text: format!("pad{i}"), score: -1e6, kind: TokenKind::Normal });
        }
        self
    }

    /// Number of tokens.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.tokens.len() as u64
    }

    /// Whether there are no tokens.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Id of the token whose text in the file is `text`.
    #[must_use]
    pub fn id(&self, text: &str) -> Option<u32> {
        let index = self.tokens.iter().position(|token| token.text == text)?;
        u32::try_from(index).ok()
    }

    /// Ids of the special tokens.
    #[must_use]
    pub fn special_range(&self) -> Range<u64> {
        0..u64::from(self.n_special)
    }

    /// Writes the vocabulary into a file's metadata.
    pub fn describe(&self, file: &mut Gguf) {
        let (model, pre) = match self.family {
            Family::Bpe => ("gpt2", "gpt-2"),
            Family::Spm => ("llama", "default"),
            Family::Wpm => ("bert", "default"),
        };
        file.set("tokenizer.ggml.model", model).set("tokenizer.ggml.pre", pre);
        let texts: Vec<String> = self.tokens.iter().map(|token| token.text.clone()).collect();
        file.set("tokenizer.ggml.tokens", texts);
        let kinds: Vec<i32> = self.tokens.iter().map(|token| token.kind as i32).collect();
        file.set("tokenizer.ggml.token_type", kinds);
        match self.family {
            Family::Bpe => {
                file.set("tokenizer.ggml.merges", self.merges.clone());
            }
            Family::Spm => {
                let scores: Vec<f32> = self.tokens.iter().map(|token| token.score).collect();
                file.set("tokenizer.ggml.scores", scores);
            }
            Family::Wpm => {
                file.set("tokenizer.ggml.token_type_count", 2_u32);
            }
        }
        for (name, id) in &self.special_ids {
            file.set(format!("tokenizer.ggml.{name}_token_id"), *id);
        }
        file.set("tokenizer.ggml.add_bos_token", self.add_bos);
        if self.family == Family::Spm {
            file.set("tokenizer.ggml.add_eos_token", false);
        }
    }
}

fn token(text: impl Into<String>, kind: TokenKind) -> VocabToken {
    VocabToken { text: text.into(), score: 0.0, kind }
}

/// Printable ASCII without the space.
fn printable() -> impl Iterator<Item = char> {
    '!'..='~'
}

/// Pairs that merge, best first, with `_` for a leading space; each part is one character or the result of an earlier pair.
const PAIRS: [(&str, &str); 52] = [
    ("h", "e"),
    ("i", "n"),
    ("_", "t"),
    ("_", "a"),
    ("r", "e"),
    ("o", "n"),
    ("_t", "he"),
    ("e", "r"),
    ("_", "s"),
    ("a", "t"),
    ("_", "w"),
    ("o", "u"),
    ("e", "n"),
    ("_", "c"),
    ("i", "s"),
    ("n", "d"),
    ("i", "t"),
    ("o", "r"),
    ("e", "s"),
    ("_", "b"),
    ("e", "d"),
    ("_", "f"),
    ("in", "g"),
    ("_", "p"),
    ("_", "o"),
    ("a", "n"),
    ("a", "l"),
    ("_", "m"),
    ("_a", "nd"),
    ("_t", "o"),
    ("a", "r"),
    ("_", "d"),
    ("l", "l"),
    ("_", "h"),
    ("_o", "f"),
    ("_", "in"),
    ("i", "c"),
    ("l", "e"),
    ("_", "is"),
    ("_", "I"),
    ("o", "m"),
    ("_", "l"),
    ("a", "s"),
    ("_", "y"),
    ("_y", "ou"),
    ("_", "n"),
    ("_", "g"),
    ("v", "e"),
    ("_", "1"),
    ("H", "e"),
    ("He", "ll"),
    ("Hell", "o"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_vocabulary_has_a_text_twice() {
        for vocab in [Vocab::bpe(), Vocab::spm(), Vocab::wpm(), Vocab::bpe().padded_to(1000)] {
            let texts: HashSet<&str> = vocab.tokens.iter().map(|token| token.text.as_str()).collect();
            assert_eq!(texts.len(), vocab.tokens.len(), "{:?}", vocab.family);
        }
    }

    #[test]
    fn sizes_are_as_documented() {
        assert_eq!(Vocab::bpe().len(), 320);
        assert_eq!(Vocab::spm().len(), 406);
        assert_eq!(Vocab::bpe().padded_to(1000).len(), 1000);
    }

    #[test]
    fn special_ids_name_special_tokens() {
        for vocab in [Vocab::bpe(), Vocab::spm(), Vocab::wpm()] {
            assert!(vocab.special_ids.iter().all(|(_, id)| *id < vocab.n_special), "{:?}", vocab.family);
            let specials = &vocab.tokens[..vocab.n_special as usize];
            assert!(specials.iter().all(|token| token.kind != TokenKind::Normal), "{:?}", vocab.family);
        }
    }

    #[test]
    fn every_byte_has_its_documented_token() {
        let (bpe, spm) = (Vocab::bpe(), Vocab::spm());
        assert_eq!(bpe.id("A"), Some(12 + u32::from(b'A')));
        assert_eq!(bpe.id("Ġ"), Some(12 + u32::from(b' ')));
        assert_eq!(spm.id("<0x41>"), Some(3 + 0x41));
    }

    #[test]
    fn both_parts_of_a_merge_are_tokens() {
        let vocab = Vocab::bpe();
        for merge in &vocab.merges {
            let (left, right) = merge.split_once(' ').unwrap_or((merge, ""));
            assert!(vocab.id(left).is_some(), "{merge}");
            assert!(vocab.id(right).is_some(), "{merge}");
            assert!(vocab.id(&format!("{left}{right}")).is_some(), "{merge}");
        }
    }
}
