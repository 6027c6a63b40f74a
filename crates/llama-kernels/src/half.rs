//! Half precision and brain floats, one at a time; kernels have their own ways.

/// The value of a half-precision float.
#[must_use]
pub fn f16_to_f32(bits: u16) -> f32 {
    let sign = u32::from(bits & 0x8000) << 16;
    let magnitude = u32::from(bits & 0x7FFF) << 13;
    // Exponents differ by 112; the product is exact, for subnormal halves too.
    let small = f32::from_bits(magnitude) * f32::from_bits((127 + 112) << 23);
    let value = if bits & 0x7C00 == 0x7C00 { magnitude | 0x7F80_0000 } else { small.to_bits() };
    f32::from_bits(sign | value)
}

/// The half-precision float nearest to a value, ties to even; too large becomes infinity.
#[must_use]
pub fn f32_to_f16(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = ((bits >> 16) & 0x8000) as u16;
    let magnitude = bits & 0x7FFF_FFFF;
    if magnitude > 0x7F80_0000 {
        return sign | 0x7E00;
    }
    if magnitude >= 0x477F_F000 {
        return sign | 0x7C00;
    }
    if magnitude < 0x3880_0000 {
        // A multiple of 2^-24, which the addition rounds.
        let shifted = f32::from_bits(magnitude) + 0.5;
        return sign | (shifted.to_bits() - 0.5_f32.to_bits()) as u16;
    }
    let rounded = magnitude - 0x3800_0000 + 0x0FFF + ((magnitude >> 13) & 1);
    sign | (rounded >> 13) as u16
}

/// The value of a brain float.
#[must_use]
pub fn bf16_to_f32(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// The brain float nearest to a value, ties to even.
#[must_use]
pub fn f32_to_bf16(value: f32) -> u16 {
    let bits = value.to_bits();
    if value.is_nan() {
        return (bits >> 16) as u16 | 64;
    }
    ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_survives_the_way_there_and_back() {
        for bits in 0..=u16::MAX {
            let value = f16_to_f32(bits);
            if value.is_nan() {
                assert!(bits & 0x7FFF > 0x7C00);
            } else {
                assert_eq!(f32_to_f16(value), bits);
            }
        }
    }

    #[test]
    fn known_halves() {
        for (bits, value) in [(0x3C00, 1.0), (0xC000, -2.0), (0x0001, 5.960_464_5e-8), (0x7BFF, 65504.0)] {
            assert_eq!(f16_to_f32(bits), value);
        }
        assert_eq!(f16_to_f32(0xFC00), f32::NEG_INFINITY);
        assert_eq!(bf16_to_f32(f32_to_bf16(-1.5)), -1.5);
    }
}
