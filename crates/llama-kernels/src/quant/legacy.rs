//! Blocks of 32 values with one scale: Q8_0 and Q4_0.

use super::{Quant, group, high, low};
use crate::block::{Q4_0, Q8_0};
use crate::columns::Column;
use crate::simd::{RowAddresses, Simd};

/// [`Q8_0`].
pub(crate) struct Legacy8;

/// [`Q4_0`].
pub(crate) struct Legacy4;

/// # Safety
///
/// As [`Quant::block`], for blocks of 32.
#[inline(always)]
unsafe fn add<S: Simd, const N: usize>(
    simd: S,
    (weights, scale): (&[S::W; 8], S::F),
    columns: &[Column; N],
    block: usize,
    totals: &mut [S::F; N],
) {
    let paired = if S::PAIRS { N / 2 * 2 } else { 0 };
    for i in (0..paired).step_by(2) {
        // SAFETY: the columns have this block: eight steps, a start and a scale.
        let (dots, x_scales) = unsafe {
            let two = [columns[i], columns[i + 1]];
            let values = two.map(|column| column.values.add(block * 8 * S::STEP));
            let dots = simd.pair(weights, values, two.map(|column| *column.starts.add(block)));
            (dots, two.map(|column| *column.scales.add(block)))
        };
        totals[i] = simd.mul_add(dots[0], simd.mul(scale, simd.splat_f32(x_scales[0])), totals[i]);
        totals[i + 1] = simd.mul_add(dots[1], simd.mul(scale, simd.splat_f32(x_scales[1])), totals[i + 1]);
    }
    for (column, total) in columns[paired..].iter().zip(&mut totals[paired..]) {
        // SAFETY: the column has this block: eight steps, a start and a scale.
        let (dot, x_scale) = unsafe {
            let values = column.values.add(block * 8 * S::STEP);
            (group(simd, weights, values, *column.starts.add(block)), *column.scales.add(block))
        };
        *total = simd.mul_add(dot, simd.mul(scale, simd.splat_f32(x_scale)), *total);
    }
}

impl Quant for Legacy8 {
    const VALUES: usize = 32;
    const BYTES: usize = size_of::<Q8_0>();

    #[inline(always)]
    unsafe fn block<S: Simd, const N: usize>(
        simd: S,
        rows: &RowAddresses,
        columns: &[Column; N],
        block: usize,
        totals: &mut [S::F; N],
    ) {
        // SAFETY: two bytes of scale and 32 values are readable in every row.
        let (scale, first, second) = unsafe { (simd.halves_at(rows, 0), simd.turn(rows, 2), simd.turn(rows, 18)) };
        let weights = std::array::from_fn(|i| simd.signed_bytes(if i < 4 { first[i] } else { second[i - 4] }));
        // SAFETY: the caller's promise about the columns.
        unsafe { add(simd, (&weights, scale), columns, block, totals) }
    }
}

impl Quant for Legacy4 {
    const VALUES: usize = 32;
    const BYTES: usize = size_of::<Q4_0>();

    #[inline(always)]
    unsafe fn block<S: Simd, const N: usize>(
        simd: S,
        rows: &RowAddresses,
        columns: &[Column; N],
        block: usize,
        totals: &mut [S::F; N],
    ) {
        // SAFETY: two bytes of scale and 16 of values are readable in every row.
        let (scale, packed) = unsafe { (simd.halves_at(rows, 0), simd.turn(rows, 2)) };
        let weights =
            std::array::from_fn(|i| simd.bytes(if i < 4 { low(simd, packed[i]) } else { high(simd, packed[i - 4]) }));
        // SAFETY: the caller's promise about the columns.
        unsafe { add(simd, (&weights, scale), columns, block, totals) }
    }
}
