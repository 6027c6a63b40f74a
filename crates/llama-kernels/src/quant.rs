//! Quantized weights: a tile of as many rows as there are lanes, block by block.

mod legacy;
mod offset;
mod q6_k;

pub(crate) use legacy::{Legacy4, Legacy8};
pub(crate) use offset::{Offset4, Offset5};
pub(crate) use q6_k::Six;

use crate::columns::Column;
use crate::simd::{RowAddresses, Simd};
use crate::tile::{Pass, Tile};

/// A layout of quantized weights.
pub(crate) trait Quant: 'static {
    /// Values of a block.
    const VALUES: usize;
    /// Bytes of a block.
    const BYTES: usize;

    /// Adds a block of every row times the same block of every column.
    ///
    /// # Safety
    ///
    /// `rows` are addresses of the block in the first `LANES` rows; the columns are prepared by `S` for these
    /// weights and have more than `block` blocks.
    unsafe fn block<S: Simd, const N: usize>(
        simd: S,
        rows: &RowAddresses,
        columns: &[Column; N],
        block: usize,
        totals: &mut [S::F; N],
    );
}

/// Multiplies a tile. Called through [`Simd::quant_pass`], which compiles it for the instructions.
///
/// # Safety
///
/// The rows of the tile are `n_values` of `Q`; the `N` columns are prepared for them by `S`; the results of these
/// rows and columns are writable, and nothing else touches them.
#[inline(always)]
pub(crate) unsafe fn pass<S: Simd, Q: Quant, const N: usize>(simd: S, pass: &Pass<'_>, tile: &Tile) {
    let mut rows = pass.rows(tile);
    let columns = pass.columns::<N>(tile);
    let mut totals = [simd.zero(); N];
    let n_blocks = pass.n_values / Q::VALUES;
    let ahead = pass.ahead(tile);
    // Of small blocks not each begins another line.
    let every = if Q::BYTES <= 32 { 2 } else { 1 };
    for block in 0..n_blocks {
        if let Some(ahead) = ahead.filter(|_| block % every == 0) {
            // The same place in each of the next rows, not line by line through them: measured, that many streams bring
            // memory to its full speed (docs/performance.md).
            for row in &rows[..S::LANES] {
                for line in (0..Q::BYTES).step_by(64) {
                    simd.prefetch(row.wrapping_add(ahead.wrapping_add(line)));
                }
            }
        }
        // SAFETY: the rows are at this block, one of the `n_blocks` that rows and columns have.
        unsafe { Q::block(simd, &rows, &columns, block, &mut totals) };
        for row in &mut rows[..S::LANES] {
            *row = row.wrapping_add(Q::BYTES);
        }
    }
    for (i, &total) in totals.iter().enumerate() {
        let out = pass.out(tile.row, tile.column + i);
        if tile.rows == S::LANES {
            // SAFETY: results of `LANES` rows are writable here.
            unsafe { simd.store(out, total) };
        } else {
            let mut lanes = [0.0_f32; crate::simd::MOST_LANES];
            // SAFETY: there is room for the most lanes, and as many results as rows are writable.
            unsafe {
                simd.store(lanes.as_mut_ptr(), total);
                out.copy_from_nonoverlapping(lanes.as_ptr(), tile.rows);
            }
        }
    }
}

/// The dot products of a group of weights, four values to a vector, with the same group of a column.
///
/// # Safety
///
/// `column` is prepared by `S` and has `STEPS` steps from here.
#[inline(always)]
pub(crate) unsafe fn group<S: Simd, const STEPS: usize>(
    simd: S,
    weights: &[S::W; STEPS],
    column: *const u8,
    start: i32,
) -> S::F {
    let mut sum = simd.splat(start);
    for (i, &w) in weights.iter().enumerate() {
        // SAFETY: step `i` of the group.
        sum = unsafe { simd.dot(sum, w, column.add(i * S::STEP)) };
    }
    simd.to_f32(sum)
}

/// Low halves of bytes.
#[inline(always)]
fn low<S: Simd>(simd: S, bytes: S::I) -> S::I {
    simd.and(bytes, simd.splat(0x0F0F_0F0F))
}

/// High halves of bytes.
#[inline(always)]
fn high<S: Simd>(simd: S, bytes: S::I) -> S::I {
    simd.and(simd.shr(bytes, 4), simd.splat(0x0F0F_0F0F))
}

/// A byte of each lane as a number.
#[inline(always)]
fn byte<S: Simd>(simd: S, lanes: S::I, index: usize) -> S::F {
    simd.to_f32(simd.and(simd.shr(lanes, 8 * index as u32), simd.splat(255)))
}
