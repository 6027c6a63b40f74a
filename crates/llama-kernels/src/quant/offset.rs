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

/// What a block of every row is added with: its number, and the columns.
struct Part<'a, const N: usize> {
    columns: &'a [Column; N],
    block: usize,
}

/// Bytes of two groups, turned: one has the low four bits, the other the high ones.
///
/// # Safety
///
/// They are readable in every row.
#[inline(always)]
unsafe fn bytes_of_two<S: Simd>(simd: S, rows: &RowAddresses, at: usize) -> [S::I; 8] {
    // SAFETY: the caller's promise.
    let ([a, b, c, d], [e, f, g, h]) = unsafe { (simd.turn(rows, at), simd.turn(rows, at + 16)) };
    [a, b, c, d, e, f, g, h]
}

/// The values of a group: of even ones the low four bits, and of `fifth`, if there is one, bit `GROUP`.
#[inline(always)]
fn values<S: Simd, const GROUP: u32>(simd: S, bytes: &[S::I; 8], fifth: Option<&[S::I; 8]>) -> [S::W; 8] {
    // A loop, not a closure: that is compiled on its own, without the instructions, unless all is inlined.
    let mut values = [simd.bytes(simd.splat(0)); 8];
    for i in 0..8 {
        let mut value = if GROUP.is_multiple_of(2) { low(simd, bytes[i]) } else { high(simd, bytes[i]) };
        if let Some(bits) = fifth {
            let bit = simd.and(simd.shr(bits[i], GROUP), simd.splat(0x0101_0101));
            value = simd.or(value, simd.shl(bit, 4));
        }
        values[i] = simd.bytes(value);
    }
    values
}

/// Adds a group of every row times the same group of every column.
///
/// # Safety
///
/// The columns are prepared by `S` and have this block; `g` is below 8.
#[inline(always)]
unsafe fn add<S: Simd, const N: usize>(
    simd: S,
    part: &Part<'_, N>,
    (g, values): (usize, &[S::W; 8]),
    scale: S::F,
    parts: &mut [S::F; N],
) {
    let columns = part.columns;
    let at = (part.block * 8 + g) * 8 * S::STEP;
    let paired = if S::PAIRS { N / 2 * 2 } else { 0 };
    for i in (0..paired).step_by(2) {
        // SAFETY: eight steps for each of eight groups, in both columns.
        let dots = unsafe { simd.pair(values, [columns[i].values.add(at), columns[i + 1].values.add(at)], [0; 2]) };
        parts[i] = simd.mul_add(dots[0], scale, parts[i]);
        parts[i + 1] = simd.mul_add(dots[1], scale, parts[i + 1]);
    }
    for (column, part) in columns[paired..].iter().zip(&mut parts[paired..]) {
        // SAFETY: eight steps for each of eight groups.
        let dot = unsafe { group(simd, values, column.values.add(at), 0) };
        *part = simd.mul_add(dot, scale, *part);
    }
}

/// Adds what the groups of a block came to, times the scale of the block, less the offsets.
///
/// # Safety
///
/// As [`add`].
#[inline(always)]
unsafe fn finish<S: Simd, const N: usize>(
    simd: S,
    part: &Part<'_, N>,
    head: &Head<S>,
    parts: &[S::F; N],
    totals: &mut [S::F; N],
) {
    for (i, column) in part.columns.iter().enumerate() {
        // SAFETY: a scale and eight sums for each block.
        let (x_scale, sums) =
            unsafe { (simd.splat_f32(*column.scales.add(part.block)), column.sums.add(part.block * 8)) };
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
        let part = Part { columns, block };
        let mut parts = [simd.zero(); N];
        // SAFETY: the caller's promise; the head is sixteen bytes, and the values follow it.
        unsafe {
            let head = Head::read(simd, rows);
            for pair in 0..4 {
                let g = 2 * pair;
                let bytes = bytes_of_two(simd, rows, 16 + 16 * g);
                add(simd, &part, (g, &values::<S, 0>(simd, &bytes, None)), head.scales[g], &mut parts);
                add(simd, &part, (g + 1, &values::<S, 1>(simd, &bytes, None)), head.scales[g + 1], &mut parts);
            }
            finish(simd, &part, &head, &parts, totals);
        }
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
        let part = Part { columns, block };
        let mut parts = [simd.zero(); N];
        // SAFETY: the caller's promise; after the head come 32 bytes of fifth bits, then the values.
        unsafe {
            let head = Head::read(simd, rows);
            let fifth = Some(&bytes_of_two(simd, rows, 16));
            // Written out: a loop would shift by a number at run time, which takes up to a third of the time more.
            let bytes = bytes_of_two(simd, rows, 48);
            add(simd, &part, (0, &values::<S, 0>(simd, &bytes, fifth)), head.scales[0], &mut parts);
            add(simd, &part, (1, &values::<S, 1>(simd, &bytes, fifth)), head.scales[1], &mut parts);
            let bytes = bytes_of_two(simd, rows, 80);
            add(simd, &part, (2, &values::<S, 2>(simd, &bytes, fifth)), head.scales[2], &mut parts);
            add(simd, &part, (3, &values::<S, 3>(simd, &bytes, fifth)), head.scales[3], &mut parts);
            let bytes = bytes_of_two(simd, rows, 112);
            add(simd, &part, (4, &values::<S, 4>(simd, &bytes, fifth)), head.scales[4], &mut parts);
            add(simd, &part, (5, &values::<S, 5>(simd, &bytes, fifth)), head.scales[5], &mut parts);
            let bytes = bytes_of_two(simd, rows, 144);
            add(simd, &part, (6, &values::<S, 6>(simd, &bytes, fifth)), head.scales[6], &mut parts);
            add(simd, &part, (7, &values::<S, 7>(simd, &bytes, fifth)), head.scales[7], &mut parts);
            finish(simd, &part, &head, &parts, totals);
        }
    }
}
