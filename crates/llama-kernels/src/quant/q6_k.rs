//! Blocks of 256 values in groups of 16 with signed scales: Q6_K.

use super::{Quant, group, high, low};
use crate::block::Q6K;
use crate::columns::Column;
use crate::simd::{RowAddresses, Simd};

/// [`Q6K`].
pub(crate) struct Six;

/// Where the parts of a block begin.
const HIGH: usize = 128;
const SCALES: usize = 192;
const SCALE: usize = 208;

impl Quant for Six {
    const VALUES: usize = 256;
    const BYTES: usize = size_of::<Q6K>();

    #[inline(always)]
    unsafe fn block<S: Simd, const N: usize>(
        simd: S,
        rows: &RowAddresses,
        columns: &[Column; N],
        block: usize,
        totals: &mut [S::F; N],
    ) {
        // SAFETY: both are in the block.
        let (packed, d) = unsafe { (simd.turn(rows, SCALES), simd.halves_at(rows, SCALE)) };
        let mut scales = [simd.zero(); 16];
        for (g, scale) in scales.iter_mut().enumerate() {
            *scale = simd.to_f32(simd.sar(simd.shl(packed[g / 4], 24 - 8 * (g % 4) as u32), 24));
        }
        let mut parts = [simd.zero(); N];
        for half in 0..2 {
            for sub in 0..2 {
                // SAFETY: sixteen bytes each, of 128 with low bits and 64 with high ones.
                let (a, b, bits) = unsafe {
                    let at = 64 * half + 16 * sub;
                    (simd.turn(rows, at), simd.turn(rows, at + 32), simd.turn(rows, HIGH + 32 * half + 16 * sub))
                };
                let group = 16 * block + 8 * half + sub;
                // Written out: what the compiler leaves a loop chooses and shifts by a number at run time, a fifth of the time.
                // SAFETY: the caller's promise about the columns; sixteen groups in every block.
                unsafe {
                    add::<S, N, 0>(simd, [&a, &bits], (columns, group), &scales, &mut parts);
                    add::<S, N, 1>(simd, [&b, &bits], (columns, group + 2), &scales, &mut parts);
                    add::<S, N, 2>(simd, [&a, &bits], (columns, group + 4), &scales, &mut parts);
                    add::<S, N, 3>(simd, [&b, &bits], (columns, group + 6), &scales, &mut parts);
                }
            }
        }
        for (i, column) in columns.iter().enumerate() {
            // SAFETY: a scale for each block.
            let x_scale = simd.splat_f32(unsafe { *column.scales.add(block) });
            totals[i] = simd.mul_add(parts[i], simd.mul(d, x_scale), totals[i]);
        }
    }
}

/// Adds a group of 16 values, whose low four bits are in `four`, and their upper two in `two`: pair `QUARTER` of the four that
/// a byte there has.
///
/// # Safety
///
/// The columns have a group of 16 with this number.
#[inline(always)]
unsafe fn add<S: Simd, const N: usize, const QUARTER: u32>(
    simd: S,
    [four, two]: [&[S::I; 4]; 2],
    (columns, index): (&[Column; N], usize),
    scales: &[S::F; 16],
    parts: &mut [S::F; N],
) {
    // A loop, not a closure: that is compiled on its own, without the instructions, unless it is inlined.
    let mut weights = [simd.bytes(simd.splat(0)); 4];
    for i in 0..4 {
        let four = if QUARTER < 2 { low(simd, four[i]) } else { high(simd, four[i]) };
        let two = simd.and(simd.shr(two[i], 2 * QUARTER), simd.splat(0x0303_0303));
        weights[i] = simd.bytes(simd.or(four, simd.shl(two, 4)));
    }
    let weights = &weights;
    let scale = scales[index % 16];
    let paired = if S::PAIRS { N / 2 * 2 } else { 0 };
    for i in (0..paired).step_by(2) {
        // SAFETY: the caller's promise.
        let dots = unsafe {
            let two = [columns[i], columns[i + 1]];
            let values = two.map(|column| column.values.add(index * 4 * S::STEP));
            simd.pair(weights, values, two.map(|column| *column.starts.add(index)))
        };
        parts[i] = simd.mul_add(dots[0], scale, parts[i]);
        parts[i + 1] = simd.mul_add(dots[1], scale, parts[i + 1]);
    }
    for (column, part) in columns[paired..].iter().zip(&mut parts[paired..]) {
        // SAFETY: the caller's promise.
        let dot = unsafe { group(simd, weights, column.values.add(index * 4 * S::STEP), *column.starts.add(index)) };
        *part = simd.mul_add(dot, scale, *part);
    }
}
