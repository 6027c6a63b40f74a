//! The three tensor types we write, and our own conversions to half precision and to 8-bit blocks.

/// Element type of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DType {
    /// 32-bit floats: exact, so prefill and step-by-step decoding can be compared closely.
    F32,
    /// IEEE half precision, rounded to nearest even.
    F16,
    /// Blocks of 32 values: one half-precision scale and 32 signed bytes. Rows must be a multiple of 32 long.
    Q8_0,
}

/// Values in one Q8_0 block.
const BLOCK: usize = 32;

impl DType {
    /// Type id in the file (`ggml_type`).
    #[must_use]
    pub fn id(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q8_0 => 8,
        }
    }

    /// Value of `general.file_type` for a model whose matrices have this type (`llama_ftype`).
    #[must_use]
    pub fn file_type(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q8_0 => 7,
        }
    }

    /// Values that are stored together; rows must be a multiple of it.
    #[must_use]
    pub fn block(self) -> u64 {
        match self {
            Self::F32 | Self::F16 => 1,
            Self::Q8_0 => BLOCK as u64,
        }
    }

    /// Bytes of one block.
    #[must_use]
    pub fn block_bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
            Self::Q8_0 => 34,
        }
    }

    /// Appends `values` in this type; their number is a multiple of [`DType::block`].
    pub(super) fn encode(self, values: &[f32], out: &mut Vec<u8>) {
        match self {
            Self::F32 => values.iter().for_each(|v| out.extend(v.to_le_bytes())),
            Self::F16 => values.iter().for_each(|v| out.extend(f16_bits(*v).to_le_bytes())),
            Self::Q8_0 => values.chunks_exact(BLOCK).for_each(|block| encode_block(block, out)),
        }
    }
}

fn encode_block(block: &[f32], out: &mut Vec<u8>) {
    let largest = block.iter().fold(0.0_f32, |max, v| max.max(v.abs()));
    let scale = largest / 127.0;
    let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
    out.extend(f16_bits(scale).to_le_bytes());
    out.extend(block.iter().map(|v| (v * inverse).round() as i8 as u8));
}

/// Bits of the half-precision float nearest to `value`, ties to even; too large becomes infinity.
#[must_use]
pub fn f16_bits(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = ((bits >> 16) & 0x8000) as u16;
    let magnitude = bits & 0x7FFF_FFFF;
    if magnitude > 0x7F80_0000 {
        return sign | 0x7E00;
    }
    // 65520 and above round to infinity.
    if magnitude >= 0x477F_F000 {
        return sign | 0x7C00;
    }
    // Below 2^-14 the result is subnormal: a multiple of 2^-24, which an exact addition rounds for us.
    if magnitude < 0x3880_0000 {
        let shifted = f32::from_bits(magnitude) + 0.5;
        return sign | (shifted.to_bits() - 0.5_f32.to_bits()) as u16;
    }
    let odd = (magnitude >> 13) & 1;
    let rounded = magnitude - 0x3800_0000 + 0x0FFF + odd;
    sign | (rounded >> 13) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_of_known_values() {
        for (value, bits) in [
            (0.0, 0x0000),
            (-0.0, 0x8000),
            (1.0, 0x3C00),
            (-2.0, 0xC000),
            (65504.0, 0x7BFF),
            (65519.0, 0x7BFF),
            (65520.0, 0x7C00),
            (0.1, 0x2E66),
            (6.103_515_6e-5, 0x0400),
            (5.960_464_5e-8, 0x0001),
            (2.980_232_2e-8, 0x0000),
            (f32::INFINITY, 0x7C00),
            (f32::NEG_INFINITY, 0xFC00),
        ] {
            assert_eq!(f16_bits(value), bits, "{value}");
        }
        assert_eq!(f16_bits(1.0 + 1.0 / 2048.0), 0x3C00, "a tie goes to even");
        assert_eq!(f16_bits(1.0 + 3.0 / 2048.0), 0x3C02, "a tie goes to even");
    }

    #[test]
    fn a_q8_block_is_scale_and_bytes() {
        let block: Vec<f32> = (0..32).map(|i| i as f32 - 16.0).collect();
        let mut out = Vec::new();
        DType::Q8_0.encode(&block, &mut out);
        assert_eq!(out.len(), 34);
        assert_eq!(out[2] as i8, -127);
        assert_eq!(out[2 + 16], 0);
        assert_eq!(out[2 + 24] as i8, 64, "8 of 16 is 63.5 of 127, rounded away from zero");
    }

    #[test]
    fn a_block_of_zeros_is_zero() {
        let mut out = Vec::new();
        DType::Q8_0.encode(&[0.0; 32], &mut out);
        assert_eq!(out, [0; 34]);
    }
}
