//! The bytes of a saved sequence: a header of ours, the tokens, then llama.cpp's own state.
//!
//! Little-endian, no padding:
//!
//! | at | bytes | what |
//! |---|---|---|
//! | 0 | 8 | magic |
//! | 8 | 4 | version of this format |
//! | 12 | 8 | bytes of the whole, these included |
//! | 20 | 8 | [`digest`] of everything after it |
//! | 28 | 8 | fingerprint of the model |
//! | 36 | 4, 4, 4, 4, 8 | cache layout: type of keys, type of values, streams, SWA kept whole, digest of the RoPE scaling |
//! | 60 | 4, 4 | first and last position, both -1 if the sequence is empty |
//! | 68 | 4 | cells of the cache it takes |
//! | 72 | 4 | bytes of the model's description |
//! | 76 | 4 | tokens |
//! | 80 | | description, tokens of 4 bytes, state of llama.cpp |

use crate::digest::digest;
use crate::ids::Token;
use crate::state::StateError;

const MAGIC: [u8; 8] = *b"\x89lrsSEQ\n";
const VERSION: u32 = 1;
const DIGEST_AT: usize = 20;
/// Where the digested part begins.
const BODY_AT: usize = 28;
const CELLS_AT: usize = 68;
/// Bytes before the description.
pub(super) const HEADER_BYTES: usize = 80;

/// What of a context decides whether a state fits it. All zero where there is no attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Layout {
    pub(super) k: u32,
    pub(super) v: u32,
    pub(super) streams: u32,
    pub(super) swa_full: u32,
    pub(super) rope: u64,
}

/// A state whose bytes are known to be the ones that were saved.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Saved<'a> {
    pub(super) fingerprint: u64,
    pub(super) layout: Layout,
    pub(super) positions: Option<(i32, i32)>,
    pub(super) cells: u32,
    pub(super) description: &'a str,
    pub(super) tokens: Vec<Token>,
    pub(super) payload: &'a [u8],
}

/// A state being written: everything but the payload and the digest is there.
pub(super) struct Draft {
    bytes: Vec<u8>,
    payload_at: usize,
}

impl Draft {
    /// Reserves room for `payload_len` bytes behind the header. `head.payload` and `head.cells` are not looked at.
    pub(super) fn new(head: &Saved<'_>, payload_len: usize) -> Result<Self, StateError> {
        let too_large = |bytes: u64| StateError::TooLarge { bytes, limit: isize::MAX as u64 };
        // Cut at a whole character: it is for people only.
        let description = &head.description[..head.description.floor_char_boundary(200)];
        let payload_at = HEADER_BYTES + description.len() + 4 * head.tokens.len();
        let total = payload_at.checked_add(payload_len).ok_or_else(|| too_large(u64::MAX))?;
        let n_tokens = u32::try_from(head.tokens.len()).map_err(|_| too_large(total as u64))?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(total).map_err(|_| too_large(total as u64))?;
        let (first, last) = head.positions.unwrap_or((-1, -1));
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&(total as u64).to_le_bytes());
        bytes.extend_from_slice(&[0; 8]);
        bytes.extend_from_slice(&head.fingerprint.to_le_bytes());
        for field in [head.layout.k, head.layout.v, head.layout.streams, head.layout.swa_full] {
            bytes.extend_from_slice(&field.to_le_bytes());
        }
        bytes.extend_from_slice(&head.layout.rope.to_le_bytes());
        bytes.extend_from_slice(&first.to_le_bytes());
        bytes.extend_from_slice(&last.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&(description.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&n_tokens.to_le_bytes());
        bytes.extend_from_slice(description.as_bytes());
        for token in &head.tokens {
            bytes.extend_from_slice(&token.0.to_le_bytes());
        }
        bytes.resize(total, 0);
        Ok(Self { bytes, payload_at })
    }

    /// Where llama.cpp's state goes.
    pub(super) fn payload(&mut self) -> &mut [u8] {
        &mut self.bytes[self.payload_at..]
    }

    /// Seals the bytes.
    pub(super) fn finish(mut self, cells: u32) -> Vec<u8> {
        self.bytes[CELLS_AT..CELLS_AT + 4].copy_from_slice(&cells.to_le_bytes());
        let hash = digest(&self.bytes[BODY_AT..]);
        self.bytes[DIGEST_AT..BODY_AT].copy_from_slice(&hash.to_le_bytes());
        self.bytes
    }
}

/// Bytes of the whole state, by its first [`HEADER_BYTES`], or fewer if there are no more.
pub(super) fn total_len(start: &[u8]) -> Result<u64, StateError> {
    let known = start.len().min(MAGIC.len());
    if start[..known] != MAGIC[..known] {
        return Err(StateError::NotAState);
    }
    if start.len() < HEADER_BYTES {
        return Err(StateError::Truncated { found: start.len() as u64, expected: HEADER_BYTES as u64 });
    }
    let version = u32_at(start, 8);
    if version != VERSION {
        return Err(StateError::UnsupportedVersion { found: version, supported: VERSION });
    }
    Ok(u64_at(start, 12))
}

/// Checks everything that can be checked without a context.
pub(super) fn open(bytes: &[u8]) -> Result<Saved<'_>, StateError> {
    let expected = total_len(bytes)?;
    let found = bytes.len() as u64;
    if found < expected {
        return Err(StateError::Truncated { found, expected });
    }
    if found > expected {
        return Err(StateError::TrailingBytes { extra: found - expected });
    }
    if digest(&bytes[BODY_AT..]) != u64_at(bytes, DIGEST_AT) {
        return Err(StateError::Damaged);
    }
    let layout = Layout {
        k: u32_at(bytes, 36),
        v: u32_at(bytes, 40),
        streams: u32_at(bytes, 44),
        swa_full: u32_at(bytes, 48),
        rope: u64_at(bytes, 52),
    };
    let positions = match (u32_at(bytes, 60).cast_signed(), u32_at(bytes, 64).cast_signed()) {
        (-1, -1) => None,
        (first, last) if 0 <= first && first <= last => Some((first, last)),
        _ => return Err(StateError::Damaged),
    };
    // The digest was right, so these are wrong only if somebody made them so; they still must not be believed.
    let rest = &bytes[HEADER_BYTES..];
    let (description, rest) = rest.split_at_checked(u32_at(bytes, 72) as usize).ok_or(StateError::Damaged)?;
    let token_bytes = (u32_at(bytes, 76) as usize).checked_mul(4).ok_or(StateError::Damaged)?;
    let (tokens, payload) = rest.split_at_checked(token_bytes).ok_or(StateError::Damaged)?;
    if positions.is_none() != payload.is_empty() {
        return Err(StateError::Damaged);
    }
    Ok(Saved {
        fingerprint: u64_at(bytes, BODY_AT),
        layout,
        positions,
        cells: u32_at(bytes, CELLS_AT),
        description: std::str::from_utf8(description).map_err(|_| StateError::Damaged)?,
        tokens: tokens.as_chunks().0.iter().map(|token| Token(i32::from_le_bytes(*token))).collect(),
        payload,
    })
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("a slice of four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("a slice of eight bytes"))
}

#[cfg(test)]
mod tests;
