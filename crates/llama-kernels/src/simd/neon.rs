//! NEON with dot products of bytes, and with products of small matrices of them: four rows at once.
//!
//! The instructions that multiply bytes are written as assembly, because their intrinsics are not stable yet.

use super::{RowAddresses, Simd, allowed, entries};
use std::arch::aarch64::*;

/// Proof that the processor has the instructions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NeonDotprod(());

/// Proof that the processor multiplies two rows of eight bytes with two columns at once, too.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NeonI8mm(NeonDotprod);

impl NeonDotprod {
    pub(crate) fn detect() -> Option<Self> {
        std::arch::is_aarch64_feature_detected!("dotprod").then_some(Self(()))
    }

    /// Half-precision floats in the low 16 bits of each lane, the rest zero. In integers, because the instruction needs a
    /// type that is not stable.
    #[inline(always)]
    fn widen(self, bits: uint32x4_t) -> float32x4_t {
        allowed!(self, {
            let sign = vshlq_n_u32::<16>(vandq_u32(bits, vdupq_n_u32(0x8000)));
            let magnitude = vshlq_n_u32::<13>(vandq_u32(bits, vdupq_n_u32(0x7FFF)));
            // Exponents differ by 112; the product is exact, for subnormal halves too.
            let scale = vdupq_n_f32(f32::from_bits((127 + 112) << 23));
            let value = vreinterpretq_u32_f32(vmulq_f32(vreinterpretq_f32_u32(magnitude), scale));
            let no_number = vcgeq_u32(magnitude, vdupq_n_u32(0x7C00 << 13));
            let value = vorrq_u32(value, vandq_u32(no_number, vdupq_n_u32(0x7F80_0000)));
            let keep = vandq_u32(no_number, vandq_u32(magnitude, vdupq_n_u32(0x007F_FFFF)));
            vreinterpretq_f32_u32(vorrq_u32(sign, vorrq_u32(value, keep)))
        })
    }
}

impl NeonI8mm {
    pub(crate) fn detect() -> Option<Self> {
        NeonDotprod::detect().filter(|_| std::arch::is_aarch64_feature_detected!("i8mm")).map(Self)
    }

    #[inline(always)]
    fn widen(self, bits: uint32x4_t) -> float32x4_t {
        self.0.widen(bits)
    }

    /// Adds rows `0..2` of eight bytes each times columns `0..2`: lane `2 * row + column`.
    #[inline(always)]
    fn multiply(self, sum: int32x4_t, rows: int32x4_t, columns: int8x16_t) -> int32x4_t {
        let mut total = sum;
        allowed!(self, {
            std::arch::asm!(
                "smmla {total:v}.4s, {rows:v}.16b, {columns:v}.16b",
                total = inout(vreg) total,
                rows = in(vreg) rows,
                columns = in(vreg) columns,
                options(pure, nomem, nostack, preserves_flags),
            );
        });
        total
    }
}

/// What both have in common.
macro_rules! common {
    () => {
        type I = int32x4_t;
        type F = float32x4_t;
        /// Signed: weights of all kinds fit, since Q8_0 is the only one that needs the eighth bit.
        type W = int8x16_t;

        const LANES: usize = 4;
        const SIGNED_BIAS: i32 = 0;
        const STEP: usize = 4;

        #[inline(always)]
        unsafe fn turn(self, rows: &RowAddresses, offset: usize) -> [int32x4_t; 4] {
            let row = |i: usize| allowed!(self, vreinterpretq_s32_u8(vld1q_u8(rows[i].add(offset))));
            let (a, b, c, d) = (row(0), row(1), row(2), row(3));
            allowed!(self, {
                let (ab, cd) = (vtrn1q_s32(a, b), vtrn1q_s32(c, d));
                let (ab_odd, cd_odd) = (vtrn2q_s32(a, b), vtrn2q_s32(c, d));
                let first = |x, y| vreinterpretq_s32_s64(vtrn1q_s64(vreinterpretq_s64_s32(x), vreinterpretq_s64_s32(y)));
                let second = |x, y| vreinterpretq_s32_s64(vtrn2q_s64(vreinterpretq_s64_s32(x), vreinterpretq_s64_s32(y)));
                [first(ab, cd), first(ab_odd, cd_odd), second(ab, cd), second(ab_odd, cd_odd)]
            })
        }

        #[inline(always)]
        unsafe fn halves_at(self, rows: &RowAddresses, offset: usize) -> float32x4_t {
            let halves = allowed!(self, {
                let half = |lane: usize| u32::from(rows[lane].add(offset).cast::<u16>().read_unaligned());
                let halves = [half(0), half(1), half(2), half(3)];
                vld1q_u32(halves.as_ptr())
            });
            self.widen(halves)
        }

        #[inline(always)]
        fn low_halves(self, bits: int32x4_t) -> float32x4_t {
            self.widen(allowed!(self, vandq_u32(vreinterpretq_u32_s32(bits), vdupq_n_u32(0xFFFF))))
        }

        #[inline(always)]
        unsafe fn load_f16(self, at: *const u8) -> float32x4_t {
            self.widen(allowed!(self, vmovl_u16(vreinterpret_u16_u8(vld1_u8(at)))))
        }

        #[inline(always)]
        unsafe fn load_bf16(self, at: *const u8) -> float32x4_t {
            allowed!(self, vreinterpretq_f32_u32(vshll_n_u16::<16>(vreinterpret_u16_u8(vld1_u8(at)))))
        }

        #[inline(always)]
        unsafe fn load(self, at: *const f32) -> float32x4_t {
            allowed!(self, vld1q_f32(at))
        }

        #[inline(always)]
        unsafe fn store(self, at: *mut f32, value: float32x4_t) {
            allowed!(self, vst1q_f32(at, value));
        }

        /// There is no stable way to ask; the processor's own prefetching has to do.
        #[inline(always)]
        fn prefetch(self, _at: *const u8) {}

        #[inline(always)]
        fn splat(self, value: i32) -> int32x4_t {
            allowed!(self, vdupq_n_s32(value))
        }

        #[inline(always)]
        fn and(self, a: int32x4_t, b: int32x4_t) -> int32x4_t {
            allowed!(self, vandq_s32(a, b))
        }

        #[inline(always)]
        fn or(self, a: int32x4_t, b: int32x4_t) -> int32x4_t {
            allowed!(self, vorrq_s32(a, b))
        }

        #[inline(always)]
        fn shr(self, a: int32x4_t, by: u32) -> int32x4_t {
            allowed!(self, {
                let shifted = vshlq_u32(vreinterpretq_u32_s32(a), vdupq_n_s32(-(by as i32)));
                vreinterpretq_s32_u32(shifted)
            })
        }

        #[inline(always)]
        fn sar(self, a: int32x4_t, by: u32) -> int32x4_t {
            allowed!(self, vshlq_s32(a, vdupq_n_s32(-(by as i32))))
        }

        #[inline(always)]
        fn shl(self, a: int32x4_t, by: u32) -> int32x4_t {
            allowed!(self, vshlq_s32(a, vdupq_n_s32(by as i32)))
        }

        #[inline(always)]
        fn bytes(self, a: int32x4_t) -> int8x16_t {
            allowed!(self, vreinterpretq_s8_s32(a))
        }

        #[inline(always)]
        fn signed_bytes(self, a: int32x4_t) -> int8x16_t {
            allowed!(self, vreinterpretq_s8_s32(a))
        }

        #[inline(always)]
        unsafe fn dot(self, sum: int32x4_t, weights: int8x16_t, column: *const u8) -> int32x4_t {
            allowed!(self, {
                let x = vreinterpretq_s8_s32(vdupq_n_s32(column.cast::<i32>().read_unaligned()));
                let mut total = sum;
                std::arch::asm!(
                    "sdot {total:v}.4s, {weights:v}.16b, {x:v}.16b",
                    total = inout(vreg) total,
                    weights = in(vreg) weights,
                    x = in(vreg) x,
                    options(pure, nomem, nostack, preserves_flags),
                );
                total
            })
        }

        #[inline(always)]
        fn column_step(values: [i8; 4], out: &mut [u8]) {
            out.copy_from_slice(&values.map(|value| value as u8));
        }

        #[inline(always)]
        fn zero(self) -> float32x4_t {
            allowed!(self, vdupq_n_f32(0.0))
        }

        #[inline(always)]
        fn splat_f32(self, value: f32) -> float32x4_t {
            allowed!(self, vdupq_n_f32(value))
        }

        #[inline(always)]
        fn to_f32(self, a: int32x4_t) -> float32x4_t {
            allowed!(self, vcvtq_f32_s32(a))
        }

        #[inline(always)]
        fn mul(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
            allowed!(self, vmulq_f32(a, b))
        }

        #[inline(always)]
        fn mul_add(self, a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
            allowed!(self, vfmaq_f32(c, a, b))
        }

        #[inline(always)]
        fn mul_sub_from(self, a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
            allowed!(self, vfmsq_f32(c, a, b))
        }

        #[inline(always)]
        fn sum(self, a: float32x4_t) -> f32 {
            allowed!(self, vaddvq_f32(a))
        }
    };
}

impl Simd for NeonDotprod {
    common!();
    entries!(NeonDotprod, "neon,dotprod");
}

impl Simd for NeonI8mm {
    common!();

    const PAIRS: bool = true;

    #[inline(always)]
    unsafe fn pair<const STEPS: usize>(
        self,
        weights: &[int8x16_t; STEPS],
        columns: [*const u8; 2],
        starts: [i32; 2],
    ) -> [float32x4_t; 2] {
        let (mut upper, mut lower) = (self.splat(0), self.splat(0));
        for i in (0..STEPS).step_by(2) {
            // Eight bytes of rows 0 and 1, of rows 2 and 3, of both columns.
            let (rows, more_rows, x) = allowed!(self, {
                let (a, b) = (vreinterpretq_s32_s8(weights[i]), vreinterpretq_s32_s8(weights[i + 1]));
                let column = |c: usize| vld1_s8(columns[c].add(i * Self::STEP).cast());
                (vzip1q_s32(a, b), vzip2q_s32(a, b), vcombine_s8(column(0), column(1)))
            });
            upper = self.multiply(upper, rows, x);
            lower = self.multiply(lower, more_rows, x);
        }
        let (first, second) = allowed!(self, {
            let first = vaddq_s32(vuzp1q_s32(upper, lower), vdupq_n_s32(starts[0]));
            (first, vaddq_s32(vuzp2q_s32(upper, lower), vdupq_n_s32(starts[1])))
        });
        [self.to_f32(first), self.to_f32(second)]
    }

    entries!(NeonI8mm, "neon,dotprod,i8mm");
}
