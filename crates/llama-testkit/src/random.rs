//! The one source of randomness: a splitmix64 generator and the FNV-1a hash that gives every tensor its own seed.
//!
//! Both use wrapping integer arithmetic only, and the floats made from them only exactly rounded IEEE operations, so
//! the same seed gives the same bytes on every platform.

/// A splitmix64 generator: 64 bits of state, every seed is good.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Starts a stream; equal seeds give equal streams.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in `low..high`, on a grid of 2^24 points.
    pub fn uniform(&mut self, low: f32, high: f32) -> f32 {
        const STEPS: f32 = 16_777_216.0;
        let unit = (self.next_u64() >> 40) as f32 / STEPS;
        low + (high - low) * unit
    }

    /// Uniform in `0..bound`; 0 when `bound` is 0.
    ///
    /// The bias of the modulo is below `bound / 2^64`, which no test can see.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.next_u64() % bound }
    }
}

/// 64-bit FNV-1a of `bytes`: a checksum to pin generated files with, not a cryptographic hash.
#[must_use]
pub fn fnv1a(bytes: &[u8]) -> u64 {
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    for &byte in bytes {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
    }
    hash
}

/// Seed of the tensor called `name` in a model seeded with `seed`.
///
/// It depends on the name and not on the order of writing, so adding a tensor leaves the others as they were.
#[must_use]
pub fn seed_for(seed: u64, name: &str) -> u64 {
    Random::new(seed ^ fnv1a(name.as_bytes())).next_u64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix64_gives_the_published_stream() {
        let mut random = Random::new(1_234_567);
        assert_eq!(random.next_u64(), 6_457_827_717_110_365_317);
        assert_eq!(random.next_u64(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn fnv1a_gives_the_published_values() {
        assert_eq!(fnv1a(b""), 0xCBF2_9CE4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xAF63_DC4C_8601_EC8C);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_F739_67E8);
    }

    #[test]
    fn uniform_stays_inside_its_bounds() {
        let mut random = Random::new(2);
        let values: Vec<f32> = (0..10_000).map(|_| random.uniform(-2.0, 3.0)).collect();
        assert!(values.iter().all(|v| (-2.0..3.0).contains(v)));
        let mean = values.iter().sum::<f32>() / 10_000.0;
        assert!((mean - 0.5).abs() < 0.05, "mean {mean}");
    }
}
