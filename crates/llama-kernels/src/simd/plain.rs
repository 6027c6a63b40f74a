//! Four lanes of plain Rust: the kernels' own arithmetic where no instruction set is known, and for tests.

use super::{RowAddresses, Simd};
use crate::half::{bf16_to_f32, f16_to_f32};
use std::array::from_fn;

/// Needs no proof.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plain;

/// # Safety
///
/// Two bytes are readable.
#[inline(always)]
unsafe fn u16_at(at: *const u8) -> u16 {
    // SAFETY: the caller's promise; no alignment is asked for.
    u16::from_le_bytes(unsafe { at.cast::<[u8; 2]>().read() })
}

impl Simd for Plain {
    type I = [i32; 4];
    type F = [f32; 4];
    type W = [[u8; 4]; 4];

    const LANES: usize = 4;
    const SIGNED_BIAS: i32 = 128;
    const STEP: usize = 4;

    #[inline(always)]
    unsafe fn turn(self, rows: &RowAddresses, offset: usize) -> [[i32; 4]; 4] {
        from_fn(|i| {
            // SAFETY: four of the sixteen bytes.
            from_fn(|lane| i32::from_le_bytes(unsafe { rows[lane].add(offset + 4 * i).cast::<[u8; 4]>().read() }))
        })
    }

    #[inline(always)]
    unsafe fn halves_at(self, rows: &RowAddresses, offset: usize) -> [f32; 4] {
        // SAFETY: the caller's promise.
        from_fn(|lane| f16_to_f32(unsafe { u16_at(rows[lane].add(offset)) }))
    }

    #[inline(always)]
    fn low_halves(self, bits: [i32; 4]) -> [f32; 4] {
        bits.map(|bits| f16_to_f32(bits as u16))
    }

    #[inline(always)]
    unsafe fn load_f16(self, at: *const u8) -> [f32; 4] {
        // SAFETY: the caller's promise.
        from_fn(|lane| f16_to_f32(unsafe { u16_at(at.add(2 * lane)) }))
    }

    #[inline(always)]
    unsafe fn load_bf16(self, at: *const u8) -> [f32; 4] {
        // SAFETY: the caller's promise.
        from_fn(|lane| bf16_to_f32(unsafe { u16_at(at.add(2 * lane)) }))
    }

    #[inline(always)]
    unsafe fn load(self, at: *const f32) -> [f32; 4] {
        // SAFETY: the caller's promise.
        from_fn(|lane| unsafe { at.add(lane).read() })
    }

    #[inline(always)]
    unsafe fn store(self, at: *mut f32, value: [f32; 4]) {
        // SAFETY: the caller's promise.
        unsafe { at.copy_from_nonoverlapping(value.as_ptr(), 4) };
    }

    #[inline(always)]
    fn prefetch(self, _at: *const u8) {}

    #[inline(always)]
    fn splat(self, value: i32) -> [i32; 4] {
        [value; 4]
    }

    #[inline(always)]
    fn and(self, a: [i32; 4], b: [i32; 4]) -> [i32; 4] {
        from_fn(|lane| a[lane] & b[lane])
    }

    #[inline(always)]
    fn or(self, a: [i32; 4], b: [i32; 4]) -> [i32; 4] {
        from_fn(|lane| a[lane] | b[lane])
    }

    #[inline(always)]
    fn shr(self, a: [i32; 4], by: u32) -> [i32; 4] {
        a.map(|a| (a as u32 >> by) as i32)
    }

    #[inline(always)]
    fn sar(self, a: [i32; 4], by: u32) -> [i32; 4] {
        a.map(|a| a >> by)
    }

    #[inline(always)]
    fn shl(self, a: [i32; 4], by: u32) -> [i32; 4] {
        a.map(|a| a << by)
    }

    #[inline(always)]
    fn bytes(self, a: [i32; 4]) -> [[u8; 4]; 4] {
        a.map(i32::to_le_bytes)
    }

    #[inline(always)]
    fn signed_bytes(self, a: [i32; 4]) -> [[u8; 4]; 4] {
        a.map(|a| a.to_le_bytes().map(|byte| byte ^ 0x80))
    }

    #[inline(always)]
    unsafe fn dot(self, sum: [i32; 4], weights: [[u8; 4]; 4], column: *const u8) -> [i32; 4] {
        // SAFETY: the four bytes of a step.
        let x = unsafe { column.cast::<[i8; 4]>().read() };
        from_fn(|lane| {
            let products = weights[lane].iter().zip(x).map(|(&w, x)| i32::from(w) * i32::from(x));
            sum[lane] + products.sum::<i32>()
        })
    }

    #[inline(always)]
    fn column_step(values: [i8; 4], out: &mut [u8]) {
        out.copy_from_slice(&values.map(|value| value as u8));
    }

    #[inline(always)]
    fn zero(self) -> [f32; 4] {
        [0.0; 4]
    }

    #[inline(always)]
    fn splat_f32(self, value: f32) -> [f32; 4] {
        [value; 4]
    }

    #[inline(always)]
    fn to_f32(self, a: [i32; 4]) -> [f32; 4] {
        a.map(|a| a as f32)
    }

    #[inline(always)]
    fn mul(self, a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        from_fn(|lane| a[lane] * b[lane])
    }

    #[inline(always)]
    fn mul_add(self, a: [f32; 4], b: [f32; 4], c: [f32; 4]) -> [f32; 4] {
        from_fn(|lane| a[lane] * b[lane] + c[lane])
    }

    #[inline(always)]
    fn mul_sub_from(self, a: [f32; 4], b: [f32; 4], c: [f32; 4]) -> [f32; 4] {
        from_fn(|lane| c[lane] - a[lane] * b[lane])
    }

    #[inline(always)]
    fn sum(self, a: [f32; 4]) -> f32 {
        (a[0] + a[1]) + (a[2] + a[3])
    }

    #[inline(always)]
    unsafe fn quant_pass<Q: crate::quant::Quant, const N: usize>(
        self,
        pass: &crate::tile::Pass<'_>,
        tile: &crate::tile::Tile,
    ) {
        // SAFETY: the caller's promise is passed on.
        unsafe { crate::quant::pass::<_, Q, N>(self, pass, tile) }
    }

    #[inline(always)]
    unsafe fn float_pass<T: crate::float::Float, const N: usize>(
        self,
        pass: &crate::tile::Pass<'_>,
        tile: &crate::tile::Tile,
    ) {
        // SAFETY: the caller's promise is passed on.
        unsafe { crate::float::pass::<_, T, N>(self, pass, tile) }
    }

    fn prepare(self, what: &crate::columns::Prepare<'_>, into: &mut crate::columns::Prepared) {
        crate::columns::prepare(self, what, into);
    }

    fn quantize(
        self,
        column_type: crate::kind::ColumnType,
        floats: &crate::quantize::Floats<'_>,
        into: &mut crate::quantize::Quantized,
    ) {
        crate::quantize::quantize(column_type, floats, into);
    }
}
