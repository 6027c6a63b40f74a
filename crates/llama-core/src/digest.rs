//! A 64-bit hash that notices damage. It is no protection against somebody who forges bytes on purpose.

/// Odd numbers with about half of their bits set: multiplying by one loses nothing and mixes upwards.
const MIX: [u64; 4] = [0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f, 0x1656_67b1_9e37_79f9, 0xd6e8_feb8_6659_fd93];
const SPREAD: u64 = 0xff51_afd7_ed55_8ccd;

/// Hashes bytes, several per nanosecond: a state is as large as the KV cache it came from.
///
/// Every step can be undone, so damage within one aligned word of 8 bytes always changes the result; wider damage goes
/// unnoticed with a chance of 2^-64. The result is the same on all platforms.
pub(crate) fn digest(bytes: &[u8]) -> u64 {
    let mut lanes = MIX;
    let (blocks, rest) = bytes.as_chunks::<32>();
    for block in blocks {
        let (words, _) = block.as_chunks::<8>();
        for ((lane, word), mix) in lanes.iter_mut().zip(words).zip(MIX) {
            *lane = step(*lane, u64::from_le_bytes(*word), mix);
        }
    }
    let mut last = [0; 32];
    last[..rest.len()].copy_from_slice(rest);
    for ((lane, word), mix) in lanes.iter_mut().zip(last.as_chunks::<8>().0).zip(MIX) {
        *lane = step(*lane, u64::from_le_bytes(*word), mix);
    }
    // The length tells trailing zeroes from padding.
    let mut hash = bytes.len() as u64;
    for (lane, mix) in lanes.into_iter().zip(MIX) {
        hash = step(hash, lane, mix);
    }
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(MIX[0]);
    hash ^ (hash >> 29)
}

/// Multiplies twice with a turn between: one multiplication would leave a flipped top bit a single bit, which a flip in a
/// later word could undo.
fn step(state: u64, word: u64, mix: u64) -> u64 {
    (state ^ word).wrapping_mul(mix).rotate_left(29).wrapping_mul(SPREAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_single_bit_counts() {
        let bytes: Vec<u8> = (0..200_u8).collect();
        let mut seen = vec![digest(&bytes)];
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            seen.push(digest(&damaged));
        }
        let n = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), n);
    }

    #[test]
    fn length_and_order_count() {
        assert_ne!(digest(b""), digest(&[0]));
        assert_ne!(digest(&[0; 32]), digest(&[0; 64]));
        let (mut one, mut two) = ([0_u8; 128], [0_u8; 128]);
        one[0] = 1;
        two[32] = 1;
        assert_ne!(digest(&one), digest(&two));
    }

    #[test]
    fn the_result_is_part_of_the_file_format() {
        assert_eq!(digest(b"llama-rs"), 5_852_441_808_621_493_980);
    }
}
