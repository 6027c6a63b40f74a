//! AVX-512 with VNNI: sixteen rows at once.

use super::{RowAddresses, Simd, allowed, entries};
use std::arch::x86_64::*;

/// Proof that the processor has the instructions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx512Vnni(());

impl Avx512Vnni {
    pub(crate) fn detect() -> Option<Self> {
        let has = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vnni");
        has.then_some(Self(()))
    }
}

impl Simd for Avx512Vnni {
    type I = __m512i;
    type F = __m512;
    type W = __m512i;

    const LANES: usize = 16;
    const SIGNED_BIAS: i32 = 128;
    const STEP: usize = 4;
    const WIDE_PASS: usize = 16;

    #[inline(always)]
    unsafe fn turn(self, rows: &RowAddresses, offset: usize) -> [__m512i; 4] {
        // In quarter `q` of vector `i` the bytes of row `4 * q + i`, so that turning the quarters leaves rows in order.
        let rows_of = |i: usize| {
            allowed!(self, {
                let quarter = |q: usize| _mm_loadu_si128(rows[4 * q + i].add(offset).cast());
                let v = _mm512_castsi128_si512(quarter(0));
                let v = _mm512_inserti32x4::<1>(v, quarter(1));
                let v = _mm512_inserti32x4::<2>(v, quarter(2));
                _mm512_inserti32x4::<3>(v, quarter(3))
            })
        };
        let (a, b, c, d) = (rows_of(0), rows_of(1), rows_of(2), rows_of(3));
        allowed!(self, {
            let (ab, cd) = (_mm512_unpacklo_epi32(a, b), _mm512_unpacklo_epi32(c, d));
            let (ab_high, cd_high) = (_mm512_unpackhi_epi32(a, b), _mm512_unpackhi_epi32(c, d));
            [
                _mm512_unpacklo_epi64(ab, cd),
                _mm512_unpackhi_epi64(ab, cd),
                _mm512_unpacklo_epi64(ab_high, cd_high),
                _mm512_unpackhi_epi64(ab_high, cd_high),
            ]
        })
    }

    #[inline(always)]
    unsafe fn halves_at(self, rows: &RowAddresses, offset: usize) -> __m512 {
        allowed!(self, {
            let halves: [u16; 16] = std::array::from_fn(|lane| rows[lane].add(offset).cast::<u16>().read_unaligned());
            _mm512_cvtph_ps(std::mem::transmute::<[u16; 16], __m256i>(halves))
        })
    }

    #[inline(always)]
    fn low_halves(self, bits: __m512i) -> __m512 {
        allowed!(self, _mm512_cvtph_ps(_mm512_cvtepi32_epi16(bits)))
    }

    #[inline(always)]
    unsafe fn load_f16(self, at: *const u8) -> __m512 {
        allowed!(self, _mm512_cvtph_ps(_mm256_loadu_si256(at.cast())))
    }

    #[inline(always)]
    unsafe fn load_bf16(self, at: *const u8) -> __m512 {
        allowed!(self, {
            let wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(at.cast()));
            _mm512_castsi512_ps(_mm512_slli_epi32::<16>(wide))
        })
    }

    #[inline(always)]
    unsafe fn load(self, at: *const f32) -> __m512 {
        allowed!(self, _mm512_loadu_ps(at))
    }

    #[inline(always)]
    unsafe fn store(self, at: *mut f32, value: __m512) {
        allowed!(self, _mm512_storeu_ps(at, value));
    }

    #[inline(always)]
    fn prefetch(self, at: *const u8) {
        allowed!(self, _mm_prefetch::<_MM_HINT_T1>(at.cast()));
    }

    #[inline(always)]
    fn splat(self, value: i32) -> __m512i {
        allowed!(self, _mm512_set1_epi32(value))
    }

    #[inline(always)]
    fn and(self, a: __m512i, b: __m512i) -> __m512i {
        allowed!(self, _mm512_and_si512(a, b))
    }

    #[inline(always)]
    fn or(self, a: __m512i, b: __m512i) -> __m512i {
        allowed!(self, _mm512_or_si512(a, b))
    }

    #[inline(always)]
    fn shr(self, a: __m512i, by: u32) -> __m512i {
        allowed!(self, _mm512_srlv_epi32(a, _mm512_set1_epi32(by as i32)))
    }

    #[inline(always)]
    fn sar(self, a: __m512i, by: u32) -> __m512i {
        allowed!(self, _mm512_srav_epi32(a, _mm512_set1_epi32(by as i32)))
    }

    #[inline(always)]
    fn shl(self, a: __m512i, by: u32) -> __m512i {
        allowed!(self, _mm512_sllv_epi32(a, _mm512_set1_epi32(by as i32)))
    }

    #[inline(always)]
    fn bytes(self, a: __m512i) -> __m512i {
        a
    }

    #[inline(always)]
    fn signed_bytes(self, a: __m512i) -> __m512i {
        allowed!(self, _mm512_xor_si512(a, _mm512_set1_epi8(i8::MIN)))
    }

    #[inline(always)]
    unsafe fn dot(self, sum: __m512i, weights: __m512i, column: *const u8) -> __m512i {
        allowed!(self, _mm512_dpbusd_epi32(sum, weights, _mm512_set1_epi32(column.cast::<i32>().read_unaligned())))
    }

    #[inline(always)]
    fn column_step(values: [i8; 4], out: &mut [u8]) {
        out.copy_from_slice(&values.map(|value| value as u8));
    }

    #[inline(always)]
    fn zero(self) -> __m512 {
        allowed!(self, _mm512_setzero_ps())
    }

    #[inline(always)]
    fn splat_f32(self, value: f32) -> __m512 {
        allowed!(self, _mm512_set1_ps(value))
    }

    #[inline(always)]
    fn to_f32(self, a: __m512i) -> __m512 {
        allowed!(self, _mm512_cvtepi32_ps(a))
    }

    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        allowed!(self, _mm512_mul_ps(a, b))
    }

    #[inline(always)]
    fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        allowed!(self, _mm512_fmadd_ps(a, b, c))
    }

    #[inline(always)]
    fn mul_sub_from(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        allowed!(self, _mm512_fnmadd_ps(a, b, c))
    }

    #[inline(always)]
    fn sum(self, a: __m512) -> f32 {
        allowed!(self, _mm512_reduce_add_ps(a))
    }

    entries!(Avx512Vnni, "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c");
}
