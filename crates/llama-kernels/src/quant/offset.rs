//! Blocks of 256 values in groups of 32 with scales and offsets: Q4_K and Q5_K.

use super::{Quant, byte, group, high, low};
use crate::block::{Q4K, Q5K};
use crate::columns::Column;
use crate::simd::{RowAddresses, Simd};

/// [`Q4K`].
pub(crate) struct Offset4;

/// [`Q5K`].
pub(crate) struct Offset5;

/// What comes before the values: scales as floats, group by group.
struct Head<S: Simd> {
    d: S::F,
    dmin: S::F,
    scales: [S::F; 8],
    mins: [S::F; 8],
}

impl<S: Simd> Head<S> {
    /// # Safety
    ///
    /// Sixteen bytes are readable in every row.
    #[inline(always)]
    unsafe fn read(simd: S, rows: &RowAddresses) -> Self {
        // SAFETY: the caller's promise.
        let [d, a, b, c] = unsafe { simd.turn(rows, 0) };
        // Four bytes at once: six bits in `a` and `b`, the other halves in `c`, their upper two bits atop `a` and `b`.
        let six = |lanes| simd.and(lanes, simd.splat(0x3F3F_3F3F));
        let top = |lanes| simd.and(simd.shr(lanes, 2), simd.splat(0x3030_3030));
        let scales = [six(a), simd.or(low(simd, c), top(a))];
        let mins = [six(b), simd.or(high(simd, c), top(b))];
        Self {
            d: simd.low_halves(d),
            dmin: simd.low_halves(simd.shr(d, 16)),
            scales: std::array::from_fn(|g| byte(simd, scales[g / 4], g % 4)),
            mins: std::array::from_fn(|g| byte(simd, mins[g / 4], g % 4)),
        }
    }
}

/// # Safety
///
/// As [`Quant::block`]; `values_at` is where the low four bits begin. `fifth` has bit `g` of every value of group `g`.
#[inline(always)]
unsafe fn add<S: Simd, const N: usize>(
    simd: S,
    rows: &RowAddresses,
    columns: &[Column; N],
    (block, values_at, fifth): (usize, usize, Option<[S::I; 8]>),
    totals: &mut [S::F; N],
) {
    // SAFETY: the head is sixteen bytes in both layouts.
    let head = unsafe { Head::read(simd, rows) };
    let mut parts = [simd.zero(); N];
    for pair in 0..4 {
        let at = values_at + 32 * pair;
        // SAFETY: 32 bytes for each of four pairs of groups.
        let (first, second) = unsafe { (simd.turn(rows, at), simd.turn(rows, at + 16)) };
        for g in [2 * pair, 2 * pair + 1] {
            // Loops, not closures: those are compiled on their own, without the instructions, unless all is inlined.
            let mut weights = [simd.bytes(simd.splat(0)); 8];
            for i in 0..8 {
                let packed = if i < 4 { first[i] } else { second[i - 4] };
                let mut value = if g % 2 == 0 { low(simd, packed) } else { high(simd, packed) };
                if let Some(bits) = fifth {
                    let bit = simd.and(simd.shr(bits[i], g as u32), simd.splat(0x0101_0101));
                    value = simd.or(value, simd.shl(bit, 4));
                }
                weights[i] = simd.bytes(value);
            }
            let paired = if S::PAIRS { N / 2 * 2 } else { 0 };
            for i in (0..paired).step_by(2) {
                // SAFETY: eight steps for each of eight groups, in both columns.
                let dots = unsafe {
                    let at = (block * 8 + g) * 8 * S::STEP;
                    simd.pair(&weights, [columns[i].values.add(at), columns[i + 1].values.add(at)], [0; 2])
                };
                parts[i] = simd.mul_add(dots[0], head.scales[g], parts[i]);
                parts[i + 1] = simd.mul_add(dots[1], head.scales[g], parts[i + 1]);
            }
            for (column, part) in columns[paired..].iter().zip(&mut parts[paired..]) {
                // SAFETY: eight steps for each of eight groups.
                let dot = unsafe { group(simd, &weights, column.values.add((block * 8 + g) * 8 * S::STEP), 0) };
                *part = simd.mul_add(dot, head.scales[g], *part);
            }
        }
    }
    for (i, column) in columns.iter().enumerate() {
        // SAFETY: a scale and eight sums for each block.
        let (x_scale, sums) = unsafe { (simd.splat_f32(*column.scales.add(block)), column.sums.add(block * 8)) };
        let mut offset = simd.zero();
        for (g, &min) in head.mins.iter().enumerate() {
            // SAFETY: one of the eight.
            offset = simd.mul_add(min, simd.splat_f32(unsafe { *sums.add(g) }), offset);
        }
        totals[i] = simd.mul_add(parts[i], simd.mul(head.d, x_scale), totals[i]);
        totals[i] = simd.mul_sub_from(offset, simd.mul(head.dmin, x_scale), totals[i]);
    }
}

impl Quant for Offset4 {
    const VALUES: usize = 256;
    const BYTES: usize = size_of::<Q4K>();

    #[inline(always)]
    unsafe fn block<S: Simd, const N: usize>(
        simd: S,
        rows: &RowAddresses,
        columns: &[Column; N],
        block: usize,
        totals: &mut [S::F; N],
    ) {
        // SAFETY: the caller's promise; values follow the head.
        unsafe { add(simd, rows, columns, (block, 16, None), totals) }
    }
}

impl Quant for Offset5 {
    const VALUES: usize = 256;
    const BYTES: usize = size_of::<Q5K>();

    #[inline(always)]
    unsafe fn block<S: Simd, const N: usize>(
        simd: S,
        rows: &RowAddresses,
        columns: &[Column; N],
        block: usize,
        totals: &mut [S::F; N],
    ) {
        // SAFETY: 32 bytes of fifth bits follow the head.
        let (first, second) = unsafe { (simd.turn(rows, 16), simd.turn(rows, 32)) };
        let [a, b, c, d] = first;
        let [e, f, g, h] = second;
        // SAFETY: the caller's promise; values follow the fifth bits.
        unsafe { add(simd, rows, columns, (block, 48, Some([a, b, c, d, e, f, g, h])), totals) }
    }
}
