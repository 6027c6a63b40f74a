//! Activations as columns: the blocks that ggml's CPU backend makes of them on x86-64, bit for bit.

use crate::block::{Q8_0, Q8K, SUPER};
use crate::half::f32_to_f16;
use crate::kind::ColumnType;
#[cfg(target_arch = "x86_64")]
use crate::simd::{Avx2, Avx512Vnni, AvxVnni};
use crate::simd::{Isa, Plain, Simd};

/// Columns of single-precision floats.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Floats<'a> {
    /// Of a column; a multiple of the values of a block.
    pub(crate) n_values: usize,
    pub(crate) n_columns: usize,
    /// Starts with the first column; long enough for all.
    pub(crate) values: &'a [f32],
    /// Floats from column to column.
    pub(crate) stride: usize,
}

/// Quantized columns, one after the other; kept per thread, so that its memory is too.
#[derive(Debug)]
pub(crate) struct Quantized {
    q8_0: Vec<Q8_0>,
    q8_k: Vec<Q8K>,
}

impl Quantized {
    pub(crate) const fn new() -> Self {
        Self { q8_0: Vec::new(), q8_k: Vec::new() }
    }

    /// The bytes of `floats` as columns of this type; `None` for a type that is not quantized.
    pub(crate) fn fill(&mut self, isa: Isa, column_type: ColumnType, floats: &Floats<'_>) -> Option<&[u8]> {
        let n_blocks = floats.n_values / column_type.block_values() * floats.n_columns;
        match column_type {
            ColumnType::Q8_0 => self.q8_0.resize(n_blocks, Q8_0 { d: [0; 2], qs: [0; 32] }),
            ColumnType::Q8K => self.q8_k.resize(n_blocks, ZERO),
            ColumnType::F16 | ColumnType::Bf16 => return None,
        }
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Vnni => compiled(Avx512Vnni::detect(), column_type, floats, self),
            #[cfg(target_arch = "x86_64")]
            Isa::AvxVnni => compiled(AvxVnni::detect(), column_type, floats, self),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => compiled(Avx2::detect(), column_type, floats, self),
            _ => compiled(Some(Plain), column_type, floats, self),
        }
        Some(if column_type == ColumnType::Q8_0 { Q8_0::bytes_of(&self.q8_0) } else { Q8K::bytes_of(&self.q8_k) })
    }
}

fn compiled<S: Simd>(simd: Option<S>, column_type: ColumnType, floats: &Floats<'_>, into: &mut Quantized) {
    match simd {
        Some(simd) => simd.quantize(column_type, floats, into),
        None => Plain.quantize(column_type, floats, into),
    }
}

/// Fills `into`, which has as many blocks as there are. Called through [`Simd::quantize`], which compiles it for the
/// instructions.
#[inline(always)]
pub(crate) fn quantize(column_type: ColumnType, floats: &Floats<'_>, into: &mut Quantized) {
    for index in 0..floats.n_columns {
        let values = &floats.values[index * floats.stride..][..floats.n_values];
        if column_type == ColumnType::Q8_0 {
            let (values, _) = values.as_chunks();
            for (block, values) in into.q8_0[index * values.len()..].iter_mut().zip(values) {
                *block = q8_0(values);
            }
        } else {
            let (values, _) = values.as_chunks();
            for (block, values) in into.q8_k[index * values.len()..].iter_mut().zip(values) {
                *block = q8_k(values);
            }
        }
    }
}

const ZERO: Q8K = Q8K { d: [0; 4], qs: [0; SUPER], bsums: [[0; 2]; 16] };

/// The bits of the largest magnitude: as numbers these are in the order of what they stand for.
#[inline(always)]
fn largest<const N: usize>(values: &[f32; N]) -> u32 {
    let mut largest = 0;
    for value in values {
        largest = value.abs().to_bits().max(largest);
    }
    largest
}

/// The nearest whole number, ties to even, of a value between -2^22 and 2^22: adding 1.5 * 2^23 leaves no bits for a fraction.
#[inline(always)]
fn nearest(value: f32) -> i32 {
    const SHIFT: f32 = 12_582_912.0;
    (value + SHIFT).to_bits().wrapping_sub(SHIFT.to_bits()).cast_signed()
}

#[inline(always)]
fn q8_0(values: &[f32; 32]) -> Q8_0 {
    let largest = f32::from_bits(largest(values));
    let inverse = if largest == 0.0 { 0.0 } else { 127.0 / largest };
    let mut qs = [0; 32];
    for (q, value) in qs.iter_mut().zip(values) {
        *q = nearest(value * inverse) as i8;
    }
    Q8_0 { d: f32_to_f16(largest / 127.0).to_le_bytes(), qs }
}

#[inline(always)]
fn q8_k(values: &[f32; SUPER]) -> Q8K {
    let largest = largest(values);
    if largest == 0 {
        return ZERO;
    }
    // The first of this magnitude becomes -127.
    let mut first = SUPER as u32 - 1;
    for (i, value) in (0..).zip(values) {
        first = if value.abs().to_bits() == largest { i } else { u32::MAX }.min(first);
    }
    let inverse = -127.0 / values[first as usize];
    let mut block = Q8K { d: (1.0 / inverse).to_le_bytes(), ..ZERO };
    for (q, value) in block.qs.iter_mut().zip(values) {
        *q = nearest(value * inverse).min(127) as i8;
    }
    let (groups, _) = block.qs.as_chunks::<16>();
    for (sum, group) in block.bsums.iter_mut().zip(groups) {
        let mut total = 0_i16;
        for &q in group {
            total += i16::from(q);
        }
        *sum = total.to_le_bytes();
    }
    block
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    /// What the blocks are by definition: one value after the other, in as many digits as there are.
    fn expected(values: &[f32], column_type: ColumnType) -> Vec<u8> {
        let mut bytes = Vec::new();
        for block in values.chunks_exact(column_type.block_values()) {
            let at = (0..block.len()).rev().max_by(|&a, &b| block[a].abs().total_cmp(&block[b].abs())).unwrap();
            let largest = block[at];
            let round = |value: f32| value.round_ties_even().min(127.0) as i8;
            if column_type == ColumnType::Q8_0 {
                let inverse = if largest == 0.0 { 0.0 } else { 127.0 / largest.abs() };
                let qs = std::array::from_fn(|i| round(block[i] * inverse));
                bytes.extend(Q8_0 { d: f32_to_f16(largest.abs() / 127.0).to_le_bytes(), qs }.to_bytes());
                continue;
            }
            let inverse = -127.0 / largest;
            let qs: [i8; 256] = std::array::from_fn(|i| if largest == 0.0 { 0 } else { round(block[i] * inverse) });
            let bsums =
                std::array::from_fn(|g| qs[16 * g..][..16].iter().map(|&q| i16::from(q)).sum::<i16>().to_le_bytes());
            let d = if largest == 0.0 { 0.0 } else { 1.0 / inverse };
            bytes.extend(Q8K { d: d.to_le_bytes(), qs, bsums }.to_bytes());
        }
        bytes
    }

    #[test]
    fn blocks_are_what_they_are_by_definition() {
        // Of each 512: random ones, very large and very small ones, ties between whole numbers, nothing but zeros, equal
        // magnitudes of both signs.
        let mut state = 1_u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        };
        let mut values: Vec<f32> = (0..512).map(|_| random()).collect();
        values.extend((0..512).map(|i| random() * 10_f32.powi(i % 70 - 35)));
        values.extend((0..512).map(|_| random() * 1e-36));
        values.extend((0..512).map(|i| if i % 32 == 0 { 127.0 } else { (i % 255) as f32 / 2.0 - 63.5 }));
        values.extend([0.0; 512]);
        values.extend((0..512).map(|i| if i % 3 == 0 { -2.5 } else { 2.5 }));
        values.extend((0..512).map(|i| if i % 3 == 1 { -0.0 } else { 0.0 }));
        let n_columns = values.len() / 512;
        // A gap after each column that is not read.
        let stride = 512 + 3;
        let apart: Vec<f32> =
            values.chunks(512).flat_map(|column| column.iter().copied().chain([f32::NAN; 3])).collect();
        let floats = Floats { n_values: 512, n_columns, values: &apart, stride };
        let mut quantized = Quantized::new();
        for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
            for column_type in [ColumnType::Q8_0, ColumnType::Q8K] {
                let bytes = quantized.fill(isa, column_type, &floats).unwrap();
                assert!(bytes == expected(&values, column_type), "{isa:?} {column_type:?}");
            }
        }
        assert!(quantized.fill(Isa::best(), ColumnType::F16, &floats).is_none());
    }

    #[test]
    fn what_is_too_small_for_a_scale_becomes_nothing() {
        let values: Vec<f32> = (0..256).map(f32::from_bits).collect();
        let floats = Floats { n_values: 256, n_columns: 1, values: &values, stride: 256 };
        let mut quantized = Quantized::new();
        for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
            let bytes = quantized.fill(isa, ColumnType::Q8K, &floats).unwrap();
            assert!(Q8K::of_bytes(bytes).iter().all(|block| f32::from_le_bytes(block.d) == 0.0), "{isa:?}");
            let bytes = quantized.fill(isa, ColumnType::Q8_0, &floats).unwrap();
            assert!(Q8_0::of_bytes(bytes).iter().all(|block| block.d == [0; 2]), "{isa:?}");
        }
    }

    #[test]
    fn a_value_that_is_no_number_spoils_its_block_and_no_other() {
        let mut values = vec![0.5; 512];
        values[300] = f32::NAN;
        let floats = Floats { n_values: 512, n_columns: 1, values: &values, stride: 512 };
        let mut quantized = Quantized::new();
        for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
            let bytes = quantized.fill(isa, ColumnType::Q8K, &floats).unwrap();
            let scales: Vec<_> = Q8K::of_bytes(bytes).iter().map(|block| f32::from_le_bytes(block.d)).collect();
            assert!(scales[0].abs() > 0.0 && scales[1].is_nan(), "{isa:?}: {scales:?}");
        }
    }
}
