//! The text of every token of a vocabulary, decoded for matching.

use std::sync::OnceLock;

/// A UTF-8 sequence that a token leaves unfinished: the bits so far, and how many bytes are missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Partial {
    bits: u32,
    pub(super) missing: u8,
}

impl Partial {
    /// The code points that the sequence can become, `None` if it cannot become any.
    pub(super) fn range(self) -> Option<(u32, u32)> {
        // A two-byte sequence whose first byte carries no more than one bit is an overlong ASCII character.
        if self.missing == 1 && self.bits < 2 {
            return None;
        }
        let shift = 6 * u32::from(self.missing);
        let low = self.bits << shift;
        let high = low | ((1 << shift) - 1);
        let shortest = match self.missing {
            2 => 1 << 11,
            3 => 1 << 16,
            _ => 0,
        };
        Some((if low == 0 { shortest } else { low }, high))
    }
}

/// Continues `partial` with `bytes`: pushes each finished code point, returns what is left unfinished. `None` if the
/// bytes are not UTF-8.
pub(super) fn decode(bytes: &[u8], partial: Partial, code_points: &mut Vec<u32>) -> Option<Partial> {
    let Partial { mut bits, mut missing } = partial;
    for byte in bytes {
        if missing > 0 {
            if byte >> 6 != 0b10 {
                return None;
            }
            bits = bits << 6 | u32::from(byte & 0x3f);
            missing -= 1;
        } else {
            (bits, missing) = match byte {
                0..0x80 => (u32::from(*byte), 0),
                0xc0..0xe0 => (u32::from(byte & 0x1f), 1),
                0xe0..0xf0 => (u32::from(byte & 0x0f), 2),
                0xf0..0xf5 => (u32::from(byte & 0x07), 3),
                _ => return None,
            };
        }
        if missing == 0 {
            code_points.push(bits);
        }
    }
    Some(if missing == 0 { Partial::default() } else { Partial { bits, missing } })
}

/// Pieces by token id.
#[derive(Debug)]
pub(super) struct Pieces {
    bytes: Vec<u8>,
    /// `bytes[starts[i]..starts[i + 1]]` is the text of token `i`.
    starts: Vec<usize>,
    ends: Vec<bool>,
    order: OnceLock<Order>,
}

/// The tokens that a grammar can match from a place between two characters, sorted by their code points: neighbours
/// share as much as possible, so walking them in turn walks each shared beginning once.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) tokens: Vec<SortedToken>,
    code_points: Vec<u32>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct SortedToken {
    pub(super) id: u32,
    start: usize,
    len: usize,
    /// Code points in common with the token before.
    pub(super) shared: usize,
    pub(super) tail: Partial,
}

impl SortedToken {
    pub(super) fn len(&self) -> usize {
        self.len
    }
}

impl Order {
    pub(super) fn code_points(&self, token: &SortedToken) -> &[u32] {
        &self.code_points[token.start..token.start + token.len]
    }
}

impl Pieces {
    /// `tokens` yields the text of each token and whether it ends the generation.
    pub(super) fn new(tokens: impl Iterator<Item = (Vec<u8>, bool)>) -> Self {
        let mut pieces = Self { bytes: Vec::new(), starts: vec![0], ends: Vec::new(), order: OnceLock::new() };
        for (piece, ends) in tokens {
            // A text ends at its first NUL for upstream.
            let len = piece.iter().position(|byte| *byte == 0).unwrap_or(piece.len());
            pieces.bytes.extend_from_slice(&piece[..len]);
            pieces.starts.push(pieces.bytes.len());
            pieces.ends.push(ends);
        }
        pieces
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn piece(&self, token: usize) -> &[u8] {
        &self.bytes[self.starts[token]..self.starts[token + 1]]
    }

    /// Whether the token ends the generation.
    pub(super) fn ends(&self, token: usize) -> bool {
        self.ends[token]
    }

    /// Sorted at the first use: a choice the grammar agrees with never needs it.
    pub(super) fn order(&self) -> &Order {
        self.order.get_or_init(|| self.sort())
    }

    fn sort(&self) -> Order {
        let mut code_points = Vec::new();
        let mut tokens = Vec::new();
        for id in 0..self.len() {
            let piece = self.piece(id);
            let start = code_points.len();
            if piece.is_empty() || self.ends(id) {
                continue;
            }
            match (decode(piece, Partial::default(), &mut code_points), u32::try_from(id)) {
                (Some(tail), Ok(id)) => {
                    let len = code_points.len() - start;
                    tokens.push(SortedToken { id, start, len, shared: 0, tail });
                }
                _ => code_points.truncate(start),
            }
        }
        let text = |token: &SortedToken| &code_points[token.start..token.start + token.len];
        tokens.sort_unstable_by(|a, b| text(a).cmp(text(b)));
        for i in 1..tokens.len() {
            let (before, this) = (text(&tokens[i - 1]), text(&tokens[i]));
            tokens[i].shared = before.iter().zip(this).take_while(|(a, b)| a == b).count();
        }
        Order { tokens, code_points }
    }
}
