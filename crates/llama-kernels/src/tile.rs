//! A pass: some rows of a matrix times up to sixteen columns.

use crate::columns::{Column, Prepared};
use crate::simd::{MOST_LANES, RowAddresses};

/// Most columns of a pass, where no more are worth it: as many as there are registers for.
pub(crate) const PASS_COLUMNS: usize = 8;

/// What all passes of a product share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pass<'a> {
    pub(crate) n_values: usize,
    pub(crate) weights: *const u8,
    /// Bytes from row to row.
    pub(crate) row_stride: usize,
    pub(crate) columns: &'a Prepared,
    pub(crate) out: *mut f32,
    /// Floats from column to column.
    pub(crate) out_stride: usize,
}

/// The rows and columns of a pass.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tile {
    pub(crate) row: usize,
    /// At most the lanes of the vectors; at least one.
    pub(crate) rows: usize,
    pub(crate) column: usize,
    /// The first of the rows to ask for meanwhile.
    pub(crate) ahead: Option<usize>,
}

impl Pass<'_> {
    /// Where the rows of a tile begin. Lanes without a row repeat the last one.
    #[inline(always)]
    pub(crate) fn rows(&self, tile: &Tile) -> RowAddresses {
        let mut rows = [self.weights; MOST_LANES];
        for (lane, address) in rows.iter_mut().enumerate() {
            *address = self.weights.wrapping_add((tile.row + lane.min(tile.rows - 1)) * self.row_stride);
        }
        rows
    }

    /// Bytes from a row of the tile to the one that is wanted next in its place.
    #[inline(always)]
    pub(crate) fn ahead(&self, tile: &Tile) -> Option<usize> {
        // Wraps where the next rows are earlier ones: addresses are computed modulo their width.
        tile.ahead.map(|next| next.wrapping_sub(tile.row).wrapping_mul(self.row_stride))
    }

    /// The columns of a pass of `N`.
    #[inline(always)]
    pub(crate) fn columns<const N: usize>(&self, tile: &Tile) -> [Column; N] {
        std::array::from_fn(|i| self.columns.column(tile.column + i))
    }

    /// Where the result of a row and a column goes.
    #[inline(always)]
    pub(crate) fn out(&self, row: usize, column: usize) -> *mut f32 {
        self.out.wrapping_add(column * self.out_stride + row)
    }
}
