//! The format without llama.cpp.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::*;
use proptest::prelude::*;

fn head<'a>(description: &'a str, tokens: &[i32]) -> Saved<'a> {
    Saved {
        fingerprint: 0x1234_5678_9abc_def0,
        layout: Layout { k: 1, v: 8, streams: 4, swa_full: 1, rope: 77 },
        positions: Some((2, 9)),
        cells: 0,
        description,
        tokens: tokens.iter().copied().map(Token).collect(),
        payload: &[],
    }
}

fn sealed(description: &str, tokens: &[i32], payload: &[u8]) -> Vec<u8> {
    let mut draft = Draft::new(&head(description, tokens), payload.len()).unwrap();
    draft.payload().copy_from_slice(payload);
    draft.finish(8)
}

#[test]
fn what_was_saved_comes_back() {
    let bytes = sealed("llama 8B", &[1, -2, 3], b"state");
    let expected = Saved { cells: 8, payload: b"state", ..head("llama 8B", &[1, -2, 3]) };
    assert_eq!(open(&bytes).unwrap(), expected);
}

#[test]
fn a_long_description_is_cut_at_a_character() {
    let bytes = sealed(&"ä".repeat(1000), &[], b"x");
    assert_eq!(open(&bytes).unwrap().description.chars().count(), 100);
}

#[test]
fn every_truncation_is_noticed() {
    let bytes = sealed("m", &[1, 2, 3], &[7; 100]);
    for len in 0..bytes.len() {
        assert!(matches!(open(&bytes[..len]), Err(StateError::Truncated { .. })), "cut at {len}");
    }
}

#[test]
fn extra_bytes_are_noticed() {
    let mut bytes = sealed("m", &[], b"x");
    bytes.push(0);
    assert!(matches!(open(&bytes), Err(StateError::TrailingBytes { extra: 1 })));
}

#[test]
fn every_flipped_bit_is_noticed() {
    let bytes = sealed("m", &[1, 2, 3], &[7; 100]);
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(open(&damaged).is_err(), "bit {bit}");
    }
}

#[test]
fn lengths_that_lie_under_a_right_digest_are_noticed() {
    for (at, value) in [(72, u32::MAX), (76, u32::MAX), (60, 100), (64, u32::MAX), (60, u32::MAX)] {
        let mut bytes = sealed("m", &[1], b"state");
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        let hash = digest(&bytes[BODY_AT..]);
        bytes[DIGEST_AT..BODY_AT].copy_from_slice(&hash.to_le_bytes());
        assert!(matches!(open(&bytes), Err(StateError::Damaged)), "{value} at {at}");
    }
}

#[test]
fn another_version_says_which() {
    let mut bytes = sealed("m", &[], b"x");
    bytes[8] = 9;
    assert!(matches!(open(&bytes), Err(StateError::UnsupportedVersion { found: 9, supported: VERSION })));
}

proptest! {
    #[test]
    fn nothing_but_a_state_is_opened(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(open(&bytes).is_err());
    }

    #[test]
    fn any_content_comes_back(
        tokens in prop::collection::vec(any::<i32>(), 0..50),
        payload in prop::collection::vec(any::<u8>(), 1..200),
    ) {
        let bytes = sealed("model", &tokens, &payload);
        let saved = open(&bytes).unwrap();
        prop_assert_eq!(saved.tokens.iter().map(|t| t.0).collect::<Vec<_>>(), tokens);
        prop_assert_eq!(saved.payload, &payload[..]);
    }
}
