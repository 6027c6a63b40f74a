//! AVX2, with and without dot products of bytes: eight rows at once.
//!
//! Without them, bytes become pairs of 16 bits, whose products are exact; the instruction that multiplies bytes directly
//! saturates.

use super::{RowAddresses, Simd, allowed, entries};
use std::arch::x86_64::*;

/// Proof that the processor has AVX2, FMA and F16C.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx2(());

/// Proof that the processor has AVX-VNNI besides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AvxVnni(());

impl Avx2 {
    pub(crate) fn detect() -> Option<Self> {
        let has =
            is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c");
        has.then_some(Self(()))
    }
}

impl AvxVnni {
    pub(crate) fn detect() -> Option<Self> {
        (Avx2::detect().is_some() && is_x86_feature_detected!("avxvnni")).then_some(Self(()))
    }
}

/// What both have in common.
macro_rules! common {
    () => {
        type I = __m256i;
        type F = __m256;

        const LANES: usize = 8;
        const SIGNED_BIAS: i32 = 128;

        #[inline(always)]
        unsafe fn turn(self, rows: &RowAddresses, offset: usize) -> [__m256i; 4] {
            // In half `h` of vector `i` the bytes of row `4 * h + i`, so that turning the halves leaves rows in order.
            let rows_of = |i: usize| {
                allowed!(self, {
                    let half = |h: usize| _mm_loadu_si128(rows[4 * h + i].add(offset).cast());
                    _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(half(0)), half(1))
                })
            };
            let (a, b, c, d) = (rows_of(0), rows_of(1), rows_of(2), rows_of(3));
            allowed!(self, {
                let (ab, cd) = (_mm256_unpacklo_epi32(a, b), _mm256_unpacklo_epi32(c, d));
                let (ab_high, cd_high) = (_mm256_unpackhi_epi32(a, b), _mm256_unpackhi_epi32(c, d));
                [
                    _mm256_unpacklo_epi64(ab, cd),
                    _mm256_unpackhi_epi64(ab, cd),
                    _mm256_unpacklo_epi64(ab_high, cd_high),
                    _mm256_unpackhi_epi64(ab_high, cd_high),
                ]
            })
        }

        #[inline(always)]
        unsafe fn halves_at(self, rows: &RowAddresses, offset: usize) -> __m256 {
            allowed!(self, {
                let halves: [u16; 8] =
                    std::array::from_fn(|lane| rows[lane].add(offset).cast::<u16>().read_unaligned());
                _mm256_cvtph_ps(std::mem::transmute::<[u16; 8], __m128i>(halves))
            })
        }

        #[inline(always)]
        fn low_halves(self, bits: __m256i) -> __m256 {
            allowed!(self, {
                let bits = _mm256_and_si256(bits, _mm256_set1_epi32(0xFFFF));
                let packed = _mm_packus_epi32(_mm256_castsi256_si128(bits), _mm256_extracti128_si256::<1>(bits));
                _mm256_cvtph_ps(packed)
            })
        }

        #[inline(always)]
        unsafe fn load_f16(self, at: *const u8) -> __m256 {
            allowed!(self, _mm256_cvtph_ps(_mm_loadu_si128(at.cast())))
        }

        #[inline(always)]
        unsafe fn load_bf16(self, at: *const u8) -> __m256 {
            allowed!(self, {
                let wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(at.cast()));
                _mm256_castsi256_ps(_mm256_slli_epi32::<16>(wide))
            })
        }

        #[inline(always)]
        unsafe fn load(self, at: *const f32) -> __m256 {
            allowed!(self, _mm256_loadu_ps(at))
        }

        #[inline(always)]
        unsafe fn store(self, at: *mut f32, value: __m256) {
            allowed!(self, _mm256_storeu_ps(at, value));
        }

        #[inline(always)]
        fn prefetch(self, at: *const u8) {
            allowed!(self, _mm_prefetch::<_MM_HINT_T1>(at.cast()));
        }

        #[inline(always)]
        fn splat(self, value: i32) -> __m256i {
            allowed!(self, _mm256_set1_epi32(value))
        }

        #[inline(always)]
        fn and(self, a: __m256i, b: __m256i) -> __m256i {
            allowed!(self, _mm256_and_si256(a, b))
        }

        #[inline(always)]
        fn or(self, a: __m256i, b: __m256i) -> __m256i {
            allowed!(self, _mm256_or_si256(a, b))
        }

        #[inline(always)]
        fn shr(self, a: __m256i, by: u32) -> __m256i {
            allowed!(self, _mm256_srlv_epi32(a, _mm256_set1_epi32(by as i32)))
        }

        #[inline(always)]
        fn sar(self, a: __m256i, by: u32) -> __m256i {
            allowed!(self, _mm256_srav_epi32(a, _mm256_set1_epi32(by as i32)))
        }

        #[inline(always)]
        fn shl(self, a: __m256i, by: u32) -> __m256i {
            allowed!(self, _mm256_sllv_epi32(a, _mm256_set1_epi32(by as i32)))
        }

        #[inline(always)]
        fn signed_bytes(self, a: __m256i) -> Self::W {
            self.bytes(allowed!(self, _mm256_xor_si256(a, _mm256_set1_epi8(i8::MIN))))
        }

        #[inline(always)]
        fn zero(self) -> __m256 {
            allowed!(self, _mm256_setzero_ps())
        }

        #[inline(always)]
        fn splat_f32(self, value: f32) -> __m256 {
            allowed!(self, _mm256_set1_ps(value))
        }

        #[inline(always)]
        fn to_f32(self, a: __m256i) -> __m256 {
            allowed!(self, _mm256_cvtepi32_ps(a))
        }

        #[inline(always)]
        fn mul(self, a: __m256, b: __m256) -> __m256 {
            allowed!(self, _mm256_mul_ps(a, b))
        }

        #[inline(always)]
        fn mul_add(self, a: __m256, b: __m256, c: __m256) -> __m256 {
            allowed!(self, _mm256_fmadd_ps(a, b, c))
        }

        #[inline(always)]
        fn mul_sub_from(self, a: __m256, b: __m256, c: __m256) -> __m256 {
            allowed!(self, _mm256_fnmadd_ps(a, b, c))
        }

        #[inline(always)]
        fn sum(self, a: __m256) -> f32 {
            allowed!(self, {
                let four = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
                let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
                _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
            })
        }
    };
}

impl Simd for AvxVnni {
    common!();

    type W = __m256i;
    const STEP: usize = 4;

    #[inline(always)]
    fn bytes(self, a: __m256i) -> __m256i {
        a
    }

    #[inline(always)]
    unsafe fn dot(self, sum: __m256i, weights: __m256i, column: *const u8) -> __m256i {
        allowed!(self, _mm256_dpbusd_avx_epi32(sum, weights, _mm256_set1_epi32(column.cast::<i32>().read_unaligned())))
    }

    #[inline(always)]
    fn column_step(values: [i8; 4], out: &mut [u8]) {
        out.copy_from_slice(&values.map(|value| value as u8));
    }

    entries!(AvxVnni, "avx2,fma,f16c,avxvnni");
}

impl Simd for Avx2 {
    common!();

    /// Bytes 0 and 2 of each lane, then 1 and 3, in 16 bits each.
    type W = [__m256i; 2];
    const STEP: usize = 8;

    #[inline(always)]
    fn bytes(self, a: __m256i) -> [__m256i; 2] {
        allowed!(self, [_mm256_and_si256(a, _mm256_set1_epi16(255)), _mm256_srli_epi16::<8>(a)])
    }

    #[inline(always)]
    unsafe fn dot(self, sum: __m256i, weights: [__m256i; 2], column: *const u8) -> __m256i {
        allowed!(self, {
            let pair = |i: usize| _mm256_set1_epi32(column.cast::<i32>().add(i).read_unaligned());
            let even = _mm256_madd_epi16(weights[0], pair(0));
            let odd = _mm256_madd_epi16(weights[1], pair(1));
            _mm256_add_epi32(sum, _mm256_add_epi32(even, odd))
        })
    }

    #[inline(always)]
    fn column_step(values: [i8; 4], out: &mut [u8]) {
        for (out, i) in out.chunks_exact_mut(2).zip([0, 2, 1, 3]) {
            out.copy_from_slice(&i16::from(values[i]).to_le_bytes());
        }
    }

    entries!(Avx2, "avx2,fma,f16c");
}
