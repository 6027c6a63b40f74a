//! The same products, value by value: what the kernels are tested against, and how far from it rounding may take them.
//!
//! # What the kernels promise
//!
//! The values of a group (32 of one scale, 16 in Q6_K) are multiplied and added in integers, which is exact. What follows is
//! single precision: a group's sum times its scale, the scales of row and column times each other and times that, and
//! the sum of all these terms in any order. A term is rounded at most four times before it is added, and meets at most as
//! many additions as there are other terms. With `u = 2^-24` and `k` one more than all of that, the result is
//! within `k * u / (1 - k * u)` times the sum of the terms' sizes ([`Dot::bound`]), plus what numbers below the
//! normal range lose.

use crate::block::{Q4_0, Q4K, Q5K, Q6K, Q8_0, Q8K, unpack_scales};
use crate::half::{bf16_to_f32, f16_to_f32};
use crate::kind::Kind;

/// The smallest single-precision number: no rounding below the normal range loses more than half of it.
const SMALLEST: f64 = 1.401_298_464_324_817e-45;

/// A dot product, and what says how much rounding can matter. Exact but for the rounding of double precision.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dot {
    /// The product.
    pub value: f64,
    /// Sum of the sizes of what is added; not a finite number if a scale is none.
    pub size: f64,
    /// How many terms are added: those that are not exact sums of integers.
    pub terms: usize,
    /// The largest product of a row's and a column's scale, which single precision may not hold even where nothing is
    /// multiplied by it.
    pub scale: f64,
    /// What is lost where products lie below the normal range.
    pub lost: f64,
    /// A scale is no number, so neither is the product.
    pub nan: bool,
}

impl Dot {
    const ZERO: Self = Self { value: 0.0, size: 0.0, terms: 0, scale: 0.0, lost: 0.0, nan: false };

    /// How far from [`Dot::value`] single precision may end up, in whatever order it adds.
    #[must_use]
    pub fn bound(&self) -> f64 {
        let roundings = (self.terms + 4) as f64 * f64::from(f32::EPSILON) / 2.0;
        roundings / (1.0 - roundings) * self.size + self.lost
    }

    /// Whether `actual` is this product within [`Dot::bound`].
    ///
    /// What is no number stays none, infinite scales never give a finite product, and where terms are too large for
    /// single precision any result that is not finite will do, since the order decides.
    #[must_use]
    pub fn admits(&self, actual: f32) -> bool {
        if self.nan {
            return actual.is_nan();
        }
        if !self.size.is_finite() || !self.scale.is_finite() {
            return !actual.is_finite();
        }
        let largest = f64::from(f32::MAX);
        let overflows = self.scale >= largest || self.size + self.bound() >= largest;
        (f64::from(actual) - self.value).abs() <= self.bound() || overflows && !actual.is_finite()
    }

    /// A block: sums of groups times their scales, which are whole numbers, and what all are multiplied by.
    fn add(&mut self, groups: &[i64], row_scale: f32, column_scale: f32) {
        let scale = f64::from(row_scale) * f64::from(column_scale);
        let total: i64 = groups.iter().sum();
        let sizes: i64 = groups.iter().map(|group| group.abs()).sum();
        self.value += total as f64 * scale;
        self.size += sizes as f64 * scale.abs();
        self.terms += groups.len();
        self.scale = if scale.is_finite() { self.scale.max(scale.abs()) } else { f64::INFINITY };
        self.lost += (sizes as f64 + 2.0) * SMALLEST;
        self.nan |= row_scale.is_nan() || column_scale.is_nan();
    }
}

/// A row of weights times a column of the type [`Kind::column_type`] says. Blocks that only one of them has
/// are left out.
#[must_use]
pub fn dot(kind: Kind, row: &[u8], column: &[u8]) -> Dot {
    match kind {
        Kind::F16 => floats(row, column, f16_to_f32),
        Kind::Bf16 => floats(row, column, bf16_to_f32),
        Kind::Q8_0 => q8_0(Q8_0::of_bytes(row), Q8_0::of_bytes(column)),
        Kind::Q4_0 => q4_0(Q4_0::of_bytes(row), Q8_0::of_bytes(column)),
        Kind::Q4K => q4_k(Q4K::of_bytes(row), Q8K::of_bytes(column)),
        Kind::Q5K => q5_k(Q5K::of_bytes(row), Q8K::of_bytes(column)),
        Kind::Q6K => q6_k(Q6K::of_bytes(row), Q8K::of_bytes(column)),
    }
}

fn half(bytes: [u8; 2]) -> f32 {
    f16_to_f32(u16::from_le_bytes(bytes))
}

fn floats(row: &[u8], column: &[u8], value: fn(u16) -> f32) -> Dot {
    let mut sum = Dot::ZERO;
    let bits = |bytes: &[u8]| value(u16::from_le_bytes([bytes[0], bytes[1]]));
    for (w, x) in row.chunks_exact(2).zip(column.chunks_exact(2)) {
        sum.add(&[1], bits(w), bits(x));
    }
    sum
}

fn integers<W: Copy + Into<i64>>(weights: &[W], column: &[i8]) -> i64 {
    weights.iter().zip(column).map(|(&w, &x)| w.into() * i64::from(x)).sum()
}

fn q8_0(row: &[Q8_0], column: &[Q8_0]) -> Dot {
    let mut sum = Dot::ZERO;
    for (w, x) in row.iter().zip(column) {
        sum.add(&[integers(&w.qs, &x.qs)], half(w.d), half(x.d));
    }
    sum
}

fn q4_0(row: &[Q4_0], column: &[Q8_0]) -> Dot {
    let mut sum = Dot::ZERO;
    for (w, x) in row.iter().zip(column) {
        let mut values = [0_i8; 32];
        for (i, byte) in w.qs.iter().enumerate() {
            values[i] = (byte & 15) as i8 - 8;
            values[i + 16] = (byte >> 4) as i8 - 8;
        }
        sum.add(&[integers(&values, &x.qs)], half(w.d), half(x.d));
    }
    sum
}

/// Groups of 32 with scales and offsets: what Q4_K and Q5_K have in common. `scales` are packed.
fn offset_groups(sum: &mut Dot, values: &[u8; 256], scales: &[u8; 12], d: [f32; 2], x: &Q8K) {
    let (scales, mins) = unpack_scales(scales);
    let xd = f32::from_le_bytes(x.d);
    let (mut groups, mut offsets) = ([0; 8], [0; 8]);
    for g in 0..8 {
        groups[g] = i64::from(scales[g]) * integers(&values[32 * g..][..32], &x.qs[32 * g..]);
        let values: i64 = x.qs[32 * g..][..32].iter().map(|&x| i64::from(x)).sum();
        offsets[g] = -i64::from(mins[g]) * values;
    }
    sum.add(&groups, d[0], xd);
    sum.add(&offsets, d[1], xd);
}

fn q4_k(row: &[Q4K], column: &[Q8K]) -> Dot {
    let mut sum = Dot::ZERO;
    for (w, x) in row.iter().zip(column) {
        let mut values = [0; 256];
        for (i, byte) in w.qs.iter().enumerate() {
            let at = i / 32 * 64 + i % 32;
            values[at] = byte & 15;
            values[at + 32] = byte >> 4;
        }
        offset_groups(&mut sum, &values, &w.scales, [half(w.d), half(w.dmin)], x);
    }
    sum
}

fn q5_k(row: &[Q5K], column: &[Q8K]) -> Dot {
    let mut sum = Dot::ZERO;
    for (w, x) in row.iter().zip(column) {
        let mut values = [0; 256];
        for (i, byte) in w.qs.iter().enumerate() {
            let (pair, l) = (i / 32, i % 32);
            let bit = |g: usize| (w.qh[l] >> g & 1) << 4;
            values[pair * 64 + l] = byte & 15 | bit(2 * pair);
            values[pair * 64 + l + 32] = byte >> 4 | bit(2 * pair + 1);
        }
        offset_groups(&mut sum, &values, &w.scales, [half(w.d), half(w.dmin)], x);
    }
    sum
}

fn q6_k(row: &[Q6K], column: &[Q8K]) -> Dot {
    let mut sum = Dot::ZERO;
    for (w, x) in row.iter().zip(column) {
        let mut groups = [0; 16];
        for (i, &xv) in x.qs.iter().enumerate() {
            let (part, quarter, l) = (i / 128, i % 128 / 32, i % 32);
            let low = w.ql[part * 64 + quarter % 2 * 32 + l] >> (4 * (quarter / 2)) & 15;
            let high = w.qh[part * 32 + l] >> (2 * quarter) & 3;
            let value = i64::from(low | high << 4) - 32;
            groups[i / 16] += value * i64::from(xv) * i64::from(w.scales[i / 16]);
        }
        sum.add(&groups, half(w.d), f32::from_le_bytes(x.d));
    }
    sum
}
