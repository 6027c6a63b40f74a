//! A product from its parts: checks that everything lies where it should, picks the kernel, goes through the rows.

use std::cell::RefCell;
use std::ops::Range;

use crate::columns::{Prepare, Prepared};
use crate::float::{self, Brain, Half};
use crate::kind::Kind;
use crate::quant::{Legacy4, Legacy8, Offset4, Offset5, Six};
#[cfg(target_arch = "x86_64")]
use crate::simd::{Avx2, Avx512Vnni, AvxVnni};
use crate::simd::{Isa, Plain, Simd};
#[cfg(target_arch = "aarch64")]
use crate::simd::{NeonDotprod, NeonI8mm};
use crate::tile::{PASS_COLUMNS, Pass, Tile};

/// Most columns that are computed together: more are done in turns, so that they stay in the cache.
const TOGETHER: usize = 64;

/// Values of columns that are prepared at once, or of [`TOGETHER`] columns if those are more: then the columns of
/// common prompts are prepared once for all rows of a thread, and not for each piece.
const PREPARED_VALUES: usize = 1 << 21;

/// Most values of a row: with [`TOGETHER`], bounds what a thread keeps.
const MAX_VALUES: usize = 1 << 18;

/// Parts of a product that do not go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShapeError;

impl std::fmt::Display for ShapeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("weights, columns and results do not have the sizes of one product")
    }
}

impl std::error::Error for ShapeError {}

/// A matrix times columns: `out[c][r]` is row `r` of the weights times column `c`.
#[derive(Debug, Clone, Copy)]
pub struct Product<'a> {
    /// Type of the weights, and by it of the columns.
    pub kind: Kind,
    /// Values of a row and of a column.
    pub n_values: usize,
    /// Rows of the weights.
    pub n_rows: usize,
    /// Columns, at least 1.
    pub n_columns: usize,
    /// The rows.
    pub weights: &'a [u8],
    /// Bytes from row to row.
    pub row_stride: usize,
    /// The columns.
    pub columns: &'a [u8],
    /// Bytes from column to column.
    pub column_stride: usize,
}

thread_local! {
    /// Kept, because the next product of the thread is about as large.
    static PREPARED: RefCell<Prepared> = const { RefCell::new(Prepared::new()) };
}

impl Product<'_> {
    /// Whether there are kernels for a product of this size.
    #[must_use]
    pub fn is_supported(kind: Kind, n_values: usize, n_columns: usize) -> bool {
        n_values > 0 && n_values.is_multiple_of(kind.block_values()) && n_values <= MAX_VALUES && n_columns > 0
    }

    /// Computes all rows into `out`, whose columns are `out_stride` floats apart.
    ///
    /// # Errors
    ///
    /// Sizes that do not go together, or that there are no kernels for.
    pub fn compute(&self, isa: Isa, out: &mut [f32], out_stride: usize) -> Result<(), ShapeError> {
        let fits = |len: usize, n: usize, stride: usize, each: usize| {
            let last = n.checked_sub(1).and_then(|last| last.checked_mul(stride));
            stride >= each && last.and_then(|last| last.checked_add(each)).is_some_and(|needed| needed <= len)
        };
        let row = self.kind.row_bytes(self.n_values);
        let column = self.kind.column_type().bytes(self.n_values);
        let valid = isa.is_available()
            && Self::is_supported(self.kind, self.n_values, self.n_columns)
            && fits(self.weights.len(), self.n_rows, self.row_stride, row)
            && fits(self.columns.len(), self.n_columns, self.column_stride, column)
            && fits(out.len(), self.n_columns, out_stride, self.n_rows);
        if !valid {
            return Err(ShapeError);
        }
        let mut rows = Some(0..self.n_rows);
        // SAFETY: rows, columns and results were just found to lie within the slices, and `out` is exclusive.
        unsafe { self.compute_pieces(isa, out.as_mut_ptr(), out_stride, &mut || rows.take()) };
        Ok(())
    }

    /// Computes the rows that `pieces` hands out.
    ///
    /// # Safety
    ///
    /// The instruction set is available, the size is supported; weights and columns hold what they say; the results of all
    /// rows that are handed out are writable, and nobody else touches them. Pieces start at multiples of 16.
    pub(crate) unsafe fn compute_pieces(
        &self,
        isa: Isa,
        out: *mut f32,
        out_stride: usize,
        pieces: &mut dyn FnMut() -> Option<Range<usize>>,
    ) {
        // SAFETY: the caller's promise is passed on; where detection fails after all, plain code runs.
        unsafe {
            match isa {
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512Vnni => self.compute_with(Avx512Vnni::detect(), out, out_stride, pieces),
                #[cfg(target_arch = "x86_64")]
                Isa::AvxVnni => self.compute_with(AvxVnni::detect(), out, out_stride, pieces),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 => self.compute_with(Avx2::detect(), out, out_stride, pieces),
                #[cfg(target_arch = "aarch64")]
                Isa::NeonI8mm => self.compute_with(NeonI8mm::detect(), out, out_stride, pieces),
                #[cfg(target_arch = "aarch64")]
                Isa::NeonDotprod => self.compute_with(NeonDotprod::detect(), out, out_stride, pieces),
                _ => self.compute_with(Some(Plain), out, out_stride, pieces),
            }
        }
    }

    /// # Safety
    ///
    /// As [`Product::compute_pieces`].
    unsafe fn compute_with<S: Simd>(
        &self,
        simd: Option<S>,
        out: *mut f32,
        out_stride: usize,
        pieces: &mut dyn FnMut() -> Option<Range<usize>>,
    ) {
        let Some(simd) = simd else {
            // SAFETY: the caller's promise is passed on.
            return unsafe { self.compute_with(Some(Plain), out, out_stride, pieces) };
        };
        let at_once = (PREPARED_VALUES / self.n_values / TOGETHER).max(1) * TOGETHER;
        PREPARED.with_borrow_mut(|prepared| {
            // The columns that are prepared now.
            let mut ready = 0..0;
            let mut piece = pieces();
            while let Some(rows) = piece {
                let mut after = None;
                for start in (0..self.n_columns).step_by(TOGETHER) {
                    let columns = start..self.n_columns.min(start + TOGETHER);
                    if !ready.contains(&start) {
                        ready = start / at_once * at_once..self.n_columns.min((start / at_once + 1) * at_once);
                        simd.prepare(&self.prepare(ready.clone()), prepared);
                    }
                    let pass = Pass {
                        n_values: self.n_values,
                        weights: self.weights.as_ptr(),
                        row_stride: self.row_stride,
                        columns: prepared,
                        out: out.wrapping_add(ready.start * out_stride),
                        out_stride,
                    };
                    // No earlier than needed: what is taken and not begun, nobody else can do.
                    let mut next = || {
                        if columns.end == self.n_columns {
                            after = pieces();
                        }
                        after.as_ref().map(|rows| rows.start)
                    };
                    let part = Part { rows: rows.clone(), columns: start - ready.start..columns.end - ready.start };
                    // SAFETY: the caller's promise; the columns are prepared for this kind.
                    unsafe { self.part(simd, &pass, part, &mut next) };
                }
                piece = after;
            }
        });
    }

    fn prepare(&self, columns: Range<usize>) -> Prepare<'_> {
        Prepare {
            kind: self.kind,
            n_values: self.n_values,
            n_columns: columns.len(),
            bytes: &self.columns[columns.start * self.column_stride..],
            stride: self.column_stride,
        }
    }

    /// Computes these rows times these columns. Before the last tile it asks `next` for the row that comes after them.
    ///
    /// # Safety
    ///
    /// As [`Product::compute_pieces`], for these rows; the columns of `pass` are prepared by `S` for this kind.
    unsafe fn part<S: Simd>(self, simd: S, pass: &Pass<'_>, part: Part, next: &mut dyn FnMut() -> Option<usize>) {
        let (lanes, most) = match self.kind {
            Kind::F16 | Kind::Bf16 => (float::ROWS, float::COLUMNS),
            Kind::Q8_0 | Kind::Q4_0 => (S::LANES, S::WIDE_PASS),
            Kind::Q4K | Kind::Q5K | Kind::Q6K => (S::LANES, PASS_COLUMNS),
        };
        for row in part.rows.clone().step_by(lanes) {
            let ahead = if row + lanes < part.rows.end { Some(row + lanes) } else { next() };
            let mut column = part.columns.start;
            while column < part.columns.end {
                let n = pass_columns(part.columns.end - column, most);
                let ahead = ahead.filter(|_| column == part.columns.start);
                let tile = Tile { row, rows: lanes.min(part.rows.end - row), column, ahead };
                // SAFETY: a part of the rows and columns of the caller.
                unsafe {
                    match self.kind {
                        Kind::Q8_0 => quant::<S, Legacy8>(simd, pass, &tile, n),
                        Kind::Q4_0 => quant::<S, Legacy4>(simd, pass, &tile, n),
                        Kind::Q4K => quant::<S, Offset4>(simd, pass, &tile, n),
                        Kind::Q5K => quant::<S, Offset5>(simd, pass, &tile, n),
                        Kind::Q6K => quant::<S, Six>(simd, pass, &tile, n),
                        Kind::F16 => floats::<S, Half>(simd, pass, &tile, n),
                        Kind::Bf16 => floats::<S, Brain>(simd, pass, &tile, n),
                    }
                }
                column += n;
            }
        }
    }
}

/// Rows, and columns among those that are prepared.
struct Part {
    rows: Range<usize>,
    columns: Range<usize>,
}

/// How many of the columns that are left the next pass takes. In each pass weights are read from the cache and turned
/// again: as many as fit, and where that leaves few for the last pass, two even ones (9 are 5 and 4).
fn pass_columns(left: usize, most: usize) -> usize {
    match left {
        16.. if most == 16 => 16,
        12.. if most == 16 => 12,
        _ if left <= most.min(PASS_COLUMNS) => left,
        _ if left >= 2 * most => most,
        _ => left.div_ceil(2),
    }
}

/// # Safety
///
/// As [`crate::quant::pass`], for `n` columns, 1 to [`PASS_COLUMNS`], 12 or 16.
#[inline(always)]
unsafe fn quant<S: Simd, Q: crate::quant::Quant>(simd: S, pass: &Pass<'_>, tile: &Tile, n: usize) {
    // SAFETY: the caller's promise is passed on.
    unsafe {
        match n {
            1 => simd.quant_pass::<Q, 1>(pass, tile),
            2 => simd.quant_pass::<Q, 2>(pass, tile),
            3 => simd.quant_pass::<Q, 3>(pass, tile),
            4 => simd.quant_pass::<Q, 4>(pass, tile),
            5 => simd.quant_pass::<Q, 5>(pass, tile),
            6 => simd.quant_pass::<Q, 6>(pass, tile),
            7 => simd.quant_pass::<Q, 7>(pass, tile),
            8 => simd.quant_pass::<Q, 8>(pass, tile),
            12 => simd.quant_pass::<Q, 12>(pass, tile),
            16 => simd.quant_pass::<Q, 16>(pass, tile),
            _ => unreachable!("a pass has 1 to {PASS_COLUMNS}, 12 or 16 columns"),
        }
    }
}

/// # Safety
///
/// As [`crate::float::pass`], for `n` columns, 1 to [`float::COLUMNS`].
#[inline(always)]
unsafe fn floats<S: Simd, T: crate::float::Float>(simd: S, pass: &Pass<'_>, tile: &Tile, n: usize) {
    // SAFETY: the caller's promise is passed on.
    unsafe {
        match n {
            1 => simd.float_pass::<T, 1>(pass, tile),
            2 => simd.float_pass::<T, 2>(pass, tile),
            3 => simd.float_pass::<T, 3>(pass, tile),
            4 => simd.float_pass::<T, 4>(pass, tile),
            _ => unreachable!("a pass has 1 to {} columns", float::COLUMNS),
        }
    }
}
