//! The SentencePiece-like vocabulary.

use super::{Family, PAIRS, TokenKind, Vocab, VocabToken, printable, token};

pub(super) fn vocab() -> Vocab {
    let mut tokens =
        vec![token("<unk>", TokenKind::Unknown), token("<s>", TokenKind::Control), token("</s>", TokenKind::Control)];
    tokens.extend((0..=255_u32).map(|byte| token(format!("<0x{byte:02X}>"), TokenKind::Byte)));
    // Longer pieces in merge order; single characters only need to be worse than all of them.
    let pieces = PAIRS.iter().map(|(left, right)| format!("{left}{right}").replace('_', "\u{2581}"));
    for (rank, text) in pieces.enumerate() {
        tokens.push(VocabToken { text, score: -(rank as f32), kind: TokenKind::Normal });
    }
    for (rank, character) in ('\u{2581}'..='\u{2581}').chain(printable()).enumerate() {
        tokens.push(VocabToken { text: character.into(), score: -1000.0 - rank as f32, kind: TokenKind::Normal });
    }
    Vocab {
        family: Family::Spm,
        tokens,
        merges: Vec::new(),
        n_special: 3,
        special_ids: vec![("unknown", 0), ("bos", 1), ("eos", 2)],
        add_bos: true,
    }
}
