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
    /// What a column has of each, in the order of the fields.
    each: [usize; 5],
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
            each: [0; 5],
        }
    }

    /// `index` is below the number of columns.
    #[inline(always)]
    pub(crate) fn column(&self, index: usize) -> Column {
        assert!(index < self.n_columns, "a pass asks for columns that there are");
        // Within the vector or one past its end, since there are as many of `each` as columns.
        let [values, floats, scales, starts, sums] = self.each.map(|each| each * index);
        Column {
            values: self.values.as_ptr().wrapping_add(values),
            floats: self.floats.as_ptr().wrapping_add(floats),
            scales: self.scales.as_ptr().wrapping_add(scales),
            starts: self.starts.as_ptr().wrapping_add(starts),
            sums: self.sums.as_ptr().wrapping_add(sums),
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
    let (n, steps) = (what.n_values, what.n_values / 4 * S::STEP);
    // Nothing that the kernels of the kind do not read.
    let each = match what.kind {
        Kind::F16 | Kind::Bf16 => [0, n, 0, 0, 0],
        Kind::Q8_0 | Kind::Q4_0 => [steps, 0, n / 32, n / 32, 0],
        Kind::Q6K => [steps, 0, n / 256, n / 16, 0],
        Kind::Q4K | Kind::Q5K => [steps, 0, n / 256, 0, n / 32],
    };
    into.n_columns = what.n_columns;
    into.each = each;
    into.values.resize(each[0] * what.n_columns, 0);
    into.floats.resize(each[1] * what.n_columns, 0.0);
    into.scales.resize(each[2] * what.n_columns, 0.0);
    into.starts.resize(each[3] * what.n_columns, 0);
    into.sums.resize(each[4] * what.n_columns, 0.0);
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
    }
    let groups = blocks.iter().flat_map(|block| block.bsums.as_chunks::<2>().0);
    for (starts, pair) in starts.chunks_exact_mut(2).zip(groups.clone()) {
        starts.copy_from_slice(&pair.map(|sum| -bias * i32::from(i16::from_le_bytes(sum))));
    }
    for (out, pair) in sums.iter_mut().zip(groups) {
        *out = pair.map(|sum| i32::from(i16::from_le_bytes(sum))).iter().sum::<i32>() as f32;
    }
}
