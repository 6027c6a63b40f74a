//! Weights that are floats of 16 bits: a few rows at once along the values.

use crate::half::{bf16_to_f32, f16_to_f32};
use crate::simd::Simd;
use crate::tile::{Pass, Tile};

/// Rows that share what is read of the columns.
pub(crate) const ROWS: usize = 4;
/// Most columns of one pass: with [`ROWS`], sixteen sums, half of the registers of the widest set.
pub(crate) const COLUMNS: usize = 4;

/// A type of weights.
pub(crate) trait Float: 'static {
    /// Consecutive weights.
    ///
    /// # Safety
    ///
    /// `2 * LANES` bytes are readable.
    unsafe fn load<S: Simd>(simd: S, at: *const u8) -> S::F;
    /// One weight.
    fn value(bits: u16) -> f32;
}

/// Half precision.
pub(crate) struct Half;

/// Brain floats.
pub(crate) struct Brain;

impl Float for Half {
    #[inline(always)]
    unsafe fn load<S: Simd>(simd: S, at: *const u8) -> S::F {
        // SAFETY: the caller's promise.
        unsafe { simd.load_f16(at) }
    }

    #[inline(always)]
    fn value(bits: u16) -> f32 {
        f16_to_f32(bits)
    }
}

impl Float for Brain {
    #[inline(always)]
    unsafe fn load<S: Simd>(simd: S, at: *const u8) -> S::F {
        // SAFETY: the caller's promise.
        unsafe { simd.load_bf16(at) }
    }

    #[inline(always)]
    fn value(bits: u16) -> f32 {
        bf16_to_f32(bits)
    }
}

/// Multiplies up to [`ROWS`] rows. Called through [`Simd::float_pass`], which compiles it for the instructions.
///
/// # Safety
///
/// The rows of the tile, at most [`ROWS`], are `n_values` of `T`; the `N` columns are prepared as floats; the results of
/// these rows and columns are writable, and nothing else touches them.
#[inline(always)]
pub(crate) unsafe fn pass<S: Simd, T: Float, const N: usize>(simd: S, pass: &Pass<'_>, tile: &Tile) {
    let rows = pass.rows(tile);
    let columns = pass.columns::<N>(tile);
    let mut sums = [[simd.zero(); N]; ROWS];
    let ahead = pass.ahead(tile);
    let whole = pass.n_values / S::LANES * S::LANES;
    for at in (0..whole).step_by(S::LANES) {
        let mut weights = [simd.zero(); ROWS];
        for (weights, &row) in weights.iter_mut().zip(&rows) {
            // SAFETY: `LANES` values from here are in the row; of the first `ROWS` addresses each is a row's.
            *weights = unsafe { T::load(simd, row.add(2 * at)) };
            if let Some(ahead) = ahead {
                simd.prefetch(row.wrapping_add(ahead.wrapping_add(2 * at)));
            }
        }
        for (i, column) in columns.iter().enumerate() {
            // SAFETY: the column has as many values as the row.
            let x = unsafe { simd.load(column.floats.add(at)) };
            for (sums, &weights) in sums.iter_mut().zip(&weights) {
                sums[i] = simd.mul_add(weights, x, sums[i]);
            }
        }
    }
    for (lane, sums) in sums.iter().enumerate().take(tile.rows) {
        for (i, (&sum, column)) in sums.iter().zip(&columns).enumerate() {
            let mut total = simd.sum(sum);
            for at in whole..pass.n_values {
                // SAFETY: the values after the last whole vector, in row and column.
                total += unsafe {
                    let bits = rows[lane].add(2 * at).cast::<[u8; 2]>().read();
                    T::value(u16::from_le_bytes(bits)) * *column.floats.add(at)
                };
            }
            // SAFETY: this result is the caller's to write.
            unsafe { *pass.out(tile.row + lane, tile.column + i) = total };
        }
    }
}
