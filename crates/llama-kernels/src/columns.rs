//! Columns as the kernels read them: values, scales and corrections each on their own, computed once per product and
//! thread instead of once per row.

use crate::block::{Q8_0, Q8K};
use crate::half::{bf16_to_f32, f16_to_f32};
use crate::kind::{ColumnType, Kind};
use crate::simd::Simd;

/// The columns of a product, as ggml left them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prepare<'a> {
    pub(crate) kind: Kind,
    pub(crate) n_values: usize,
    pub(crate) n_columns: usize,
    /// Starts with the first column; long enough for all.
    pub(crate) bytes: &'a [u8],
    /// Bytes from column to column.
    pub(crate) stride: usize,
}

impl Prepare<'_> {
    fn column(&self, index: usize) -> &[u8] {
        let bytes = self.kind.column_type().bytes(self.n_values);
        &self.bytes[index * self.stride..][..bytes]
    }
}

/// Prepared columns; one is kept per thread, so that its memory is too.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    /// Quantized values, [`Simd::STEP`] bytes for four of them.
    values: Vec<u8>,
    /// Values that are floats.
    floats: Vec<f32>,
    /// Scales of the blocks.
    scales: Vec<f32>,
    /// What a sum over a group starts with, to take off the bias of the weights.
    starts: Vec<i32>,
    /// Sums over groups of 32 values, where weights have offsets.
    sums: Vec<f32>,
    n_columns: usize,
}

/// One prepared column, by address.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    pub(crate) values: *const u8,
    pub(crate) floats: *const f32,
    pub(crate) scales: *const f32,
    pub(crate) starts: *const i32,
    pub(crate) sums: *const f32,
}

impl Prepared {
    pub(crate) const fn new() -> Self {
        Self {
            values: Vec::new(),
            floats: Vec::new(),
            scales: Vec::new(),
            starts: Vec::new(),
            sums: Vec::new(),
            n_columns: 0,
        }
    }

    /// How many columns are prepared.
    pub(crate) fn len(&self) -> usize {
        self.n_columns
    }

    /// `index` is below the number of columns.
    #[inline(always)]
    pub(crate) fn column(&self, index: usize) -> Column {
        assert!(index < self.n_columns, "a pass asks for columns that there are");
        // Within the vector or one past its end, since every column has an equal share of it.
        let part = |len: usize| len / self.n_columns * index;
        Column {
            values: self.values.as_ptr().wrapping_add(part(self.values.len())),
            floats: self.floats.as_ptr().wrapping_add(part(self.floats.len())),
            scales: self.scales.as_ptr().wrapping_add(part(self.scales.len())),
            starts: self.starts.as_ptr().wrapping_add(part(self.starts.len())),
            sums: self.sums.as_ptr().wrapping_add(part(self.sums.len())),
        }
    }
}

/// What the weights of a kind are more than they stand for.
fn bias<S: Simd>(kind: Kind) -> i32 {
    match kind {
        Kind::Q8_0 => S::SIGNED_BIAS,
        Kind::Q4_0 => 8,
        Kind::Q6K => 32,
        Kind::Q4K | Kind::Q5K | Kind::F16 | Kind::Bf16 => 0,
    }
}

/// Fills `into`. Called through [`Simd::prepare`], which compiles it for the instructions.
#[inline(always)]
pub(crate) fn prepare<S: Simd>(_simd: S, what: &Prepare<'_>, into: &mut Prepared) {
    let total = what.n_values * what.n_columns;
    let sizes = match what.kind.column_type() {
        ColumnType::F16 | ColumnType::Bf16 => [0, total, 0, 0, 0],
        ColumnType::Q8_0 => [total / 4 * S::STEP, 0, total / 32, total / 32, 0],
        ColumnType::Q8K => [total / 4 * S::STEP, 0, total / 256, total / 16, total / 32],
    };
    into.n_columns = what.n_columns;
    into.values.resize(sizes[0], 0);
    into.floats.resize(sizes[1], 0.0);
    into.scales.resize(sizes[2], 0.0);
    into.starts.resize(sizes[3], 0);
    into.sums.resize(sizes[4], 0.0);
    for index in 0..what.n_columns {
        let column = what.column(index);
        match what.kind.column_type() {
            ColumnType::F16 => floats(column, share(&mut into.floats, index, what), f16_to_f32),
            ColumnType::Bf16 => floats(column, share(&mut into.floats, index, what), bf16_to_f32),
            ColumnType::Q8_0 => q8_0::<S>(Q8_0::of_bytes(column), index, what, into),
            ColumnType::Q8K => q8_k::<S>(Q8K::of_bytes(column), index, what, into),
        }
    }
}

/// The part of a column in what all share.
#[inline(always)]
fn share<'v, T>(all: &'v mut [T], index: usize, what: &Prepare<'_>) -> &'v mut [T] {
    let len = all.len() / what.n_columns;
    &mut all[index * len..][..len]
}

#[inline(always)]
fn floats(column: &[u8], out: &mut [f32], value: fn(u16) -> f32) {
    for (out, bytes) in out.iter_mut().zip(column.chunks_exact(2)) {
        *out = value(u16::from_le_bytes([bytes[0], bytes[1]]));
    }
}

#[inline(always)]
fn steps<S: Simd>(values: &[i8], out: &mut [u8]) {
    for (values, out) in values.chunks_exact(4).zip(out.chunks_exact_mut(S::STEP)) {
        S::column_step([values[0], values[1], values[2], values[3]], out);
    }
}

#[inline(always)]
fn q8_0<S: Simd>(blocks: &[Q8_0], index: usize, what: &Prepare<'_>, into: &mut Prepared) {
    let bias = bias::<S>(what.kind);
    let values = share(&mut into.values, index, what);
    let scales = share(&mut into.scales, index, what);
    let starts = share(&mut into.starts, index, what);
    for (b, block) in blocks.iter().enumerate() {
        steps::<S>(&block.qs, &mut values[b * 8 * S::STEP..][..8 * S::STEP]);
        scales[b] = f16_to_f32(u16::from_le_bytes(block.d));
        starts[b] = -bias * block.qs.iter().map(|&value| i32::from(value)).sum::<i32>();
    }
}

#[inline(always)]
fn q8_k<S: Simd>(blocks: &[Q8K], index: usize, what: &Prepare<'_>, into: &mut Prepared) {
    let bias = bias::<S>(what.kind);
    let values = share(&mut into.values, index, what);
    let scales = share(&mut into.scales, index, what);
    let starts = share(&mut into.starts, index, what);
    let sums = share(&mut into.sums, index, what);
    for (b, block) in blocks.iter().enumerate() {
        steps::<S>(&block.qs, &mut values[b * 64 * S::STEP..][..64 * S::STEP]);
        scales[b] = f32::from_le_bytes(block.d);
        let group = |i: usize| i32::from(i16::from_le_bytes(block.bsums[i]));
        for i in 0..16 {
            starts[b * 16 + i] = -bias * group(i);
        }
        for i in 0..8 {
            sums[b * 8 + i] = (group(2 * i) + group(2 * i + 1)) as f32;
        }
    }
}
