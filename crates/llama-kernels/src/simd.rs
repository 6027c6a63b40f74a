//! The processor instructions that the kernels are made of, one file per instruction set, and which sets there are.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod plain;

#[cfg(target_arch = "x86_64")]
pub(crate) use avx2::{Avx2, AvxVnni};
#[cfg(target_arch = "x86_64")]
pub(crate) use avx512::Avx512Vnni;
#[cfg(target_arch = "aarch64")]
pub(crate) use neon::{NeonDotprod, NeonI8mm};
pub(crate) use plain::Plain;

use std::sync::OnceLock;

use crate::columns::{Prepare, Prepared};
use crate::float::Float;
use crate::kind::ColumnType;
use crate::quant::Quant;
use crate::quantize::{Floats, Quantized};
use crate::tile::{Pass, Tile};

/// Most lanes that any instruction set has.
pub(crate) const MOST_LANES: usize = 16;

/// Addresses of the rows of a tile, one per lane; the others repeat the last.
pub(crate) type RowAddresses = [*const u8; MOST_LANES];

/// An instruction set that there are kernels for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Isa {
    /// 512 bits, dot products of bytes.
    Avx512Vnni,
    /// 256 bits, dot products of bytes.
    AvxVnni,
    /// 256 bits.
    Avx2,
    /// 128 bits, products of two rows of bytes with two columns.
    NeonI8mm,
    /// 128 bits, dot products of bytes.
    NeonDotprod,
    /// Four lanes without any instruction named: for tests, and where nothing else is left.
    Plain,
}

impl Isa {
    /// Every set, the best first.
    pub const ALL: [Self; 6] =
        [Self::Avx512Vnni, Self::AvxVnni, Self::Avx2, Self::NeonI8mm, Self::NeonDotprod, Self::Plain];

    /// Whether this processor and its system have it.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => Avx512Vnni::detect().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni => AvxVnni::detect().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => Avx2::detect().is_some(),
            #[cfg(target_arch = "aarch64")]
            Self::NeonI8mm => NeonI8mm::detect().is_some(),
            #[cfg(target_arch = "aarch64")]
            Self::NeonDotprod => NeonDotprod::detect().is_some(),
            Self::Plain => true,
            #[allow(unreachable_patterns, reason = "which are left depends on the target")]
            _ => false,
        }
    }

    /// The best that is available; never fails, because [`Isa::Plain`] always is.
    #[must_use]
    pub fn best() -> Self {
        static BEST: OnceLock<Isa> = OnceLock::new();
        *BEST.get_or_init(|| Self::ALL.into_iter().find(|isa| isa.is_available()).unwrap_or(Self::Plain))
    }

    /// For people: `AVX-512 VNNI`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Avx512Vnni => "AVX-512 VNNI",
            Self::AvxVnni => "AVX-VNNI",
            Self::Avx2 => "AVX2",
            Self::NeonI8mm => "NEON i8mm",
            Self::NeonDotprod => "NEON dotprod",
            Self::Plain => "plain",
        }
    }
}

/// Vectors of 32-bit lanes. A value of the type proves that the processor has the instructions.
///
/// Methods that take no address are safe: the proof is all they need.
pub(crate) trait Simd: Copy + Send + Sync + 'static {
    /// Integers, or four bytes in each lane.
    type I: Copy;
    /// Single-precision floats.
    type F: Copy;
    /// Four unsigned bytes in each lane, as [`Simd::dot`] wants them.
    type W: Copy;

    /// Lanes of a vector: rows of a tile. At most [`MOST_LANES`], divides 64.
    const LANES: usize;
    /// What [`Simd::signed_bytes`] adds to each byte.
    const SIGNED_BIAS: i32;
    /// Most columns of a pass over weights with one scale a block: 8 or 16.
    const WIDE_PASS: usize = crate::tile::PASS_COLUMNS;
    /// Whether [`Simd::pair`] is fewer instructions than a column and another one.
    const PAIRS: bool = false;
    /// Bytes that four values of a column take, as [`Simd::column_step`] writes them.
    const STEP: usize;

    /// Sixteen bytes of each row, at `offset`: vector `i` has bytes `4 * i..4 * i + 4` of every row.
    ///
    /// # Safety
    ///
    /// The bytes are readable in the first `LANES` rows.
    unsafe fn turn(self, rows: &RowAddresses, offset: usize) -> [Self::I; 4];
    /// A half-precision float of each row.
    ///
    /// # Safety
    ///
    /// Its two bytes are readable in the first `LANES` rows.
    unsafe fn halves_at(self, rows: &RowAddresses, offset: usize) -> Self::F;
    /// The half-precision floats in the low 16 bits of each lane; the rest is ignored.
    fn low_halves(self, bits: Self::I) -> Self::F;
    /// Consecutive half-precision floats.
    ///
    /// # Safety
    ///
    /// `2 * LANES` bytes are readable.
    unsafe fn load_f16(self, at: *const u8) -> Self::F;
    /// Consecutive brain floats.
    ///
    /// # Safety
    ///
    /// `2 * LANES` bytes are readable.
    unsafe fn load_bf16(self, at: *const u8) -> Self::F;
    /// Consecutive floats.
    ///
    /// # Safety
    ///
    /// `LANES` floats are readable.
    unsafe fn load(self, at: *const f32) -> Self::F;
    /// Writes consecutive floats.
    ///
    /// # Safety
    ///
    /// `LANES` floats are writable.
    unsafe fn store(self, at: *mut f32, value: Self::F);
    /// Asks for a line of memory before it is needed; any address will do.
    fn prefetch(self, at: *const u8);

    /// The same integer in every lane.
    fn splat(self, value: i32) -> Self::I;
    /// Bits in both.
    fn and(self, a: Self::I, b: Self::I) -> Self::I;
    /// Bits in either.
    fn or(self, a: Self::I, b: Self::I) -> Self::I;
    /// Lanes moved to the right, zeros from the left.
    fn shr(self, a: Self::I, by: u32) -> Self::I;
    /// Lanes moved to the right, copies of the sign from the left.
    fn sar(self, a: Self::I, by: u32) -> Self::I;
    /// Lanes moved to the left.
    fn shl(self, a: Self::I, by: u32) -> Self::I;

    /// Bytes below 128 as weights.
    fn bytes(self, a: Self::I) -> Self::W;
    /// Signed bytes as weights, each plus [`Simd::SIGNED_BIAS`].
    fn signed_bytes(self, a: Self::I) -> Self::W;
    /// Adds the products of four weights in each lane with four values of a column, exactly.
    ///
    /// # Safety
    ///
    /// `STEP` bytes are readable, written by [`Simd::column_step`].
    unsafe fn dot(self, sum: Self::I, weights: Self::W, column: *const u8) -> Self::I;
    /// [`crate::quant::group`] for two columns at once; asked for only where [`Simd::PAIRS`] says so.
    ///
    /// # Safety
    ///
    /// As there, for both columns; `STEPS` is even.
    #[inline(always)]
    unsafe fn pair<const STEPS: usize>(
        self,
        weights: &[Self::W; STEPS],
        columns: [*const u8; 2],
        starts: [i32; 2],
    ) -> [Self::F; 2] {
        // SAFETY: the caller's promise is passed on.
        unsafe {
            let first = crate::quant::group(self, weights, columns[0], starts[0]);
            [first, crate::quant::group(self, weights, columns[1], starts[1])]
        }
    }
    /// Writes four values of a column as [`Simd::dot`] reads them, into `STEP` bytes.
    fn column_step(values: [i8; 4], out: &mut [u8]);

    /// Zeros.
    fn zero(self) -> Self::F;
    /// The same float in every lane.
    fn splat_f32(self, value: f32) -> Self::F;
    /// Integers as floats.
    fn to_f32(self, a: Self::I) -> Self::F;
    /// Products.
    fn mul(self, a: Self::F, b: Self::F) -> Self::F;
    /// `a * b + c`
    fn mul_add(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    /// `c - a * b`
    fn mul_sub_from(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    /// All lanes added.
    fn sum(self, a: Self::F) -> f32;

    /// [`crate::quant::pass`], compiled for these instructions.
    ///
    /// # Safety
    ///
    /// As there.
    unsafe fn quant_pass<Q: Quant, const N: usize>(self, pass: &Pass<'_>, tile: &Tile);
    /// [`crate::float::pass`], compiled for these instructions.
    ///
    /// # Safety
    ///
    /// As there.
    unsafe fn float_pass<T: Float, const N: usize>(self, pass: &Pass<'_>, tile: &Tile);
    /// [`crate::columns::prepare`], compiled for these instructions.
    fn prepare(self, what: &Prepare<'_>, into: &mut Prepared);
    /// [`crate::quantize::quantize`], compiled for these instructions.
    fn quantize(self, column_type: ColumnType, floats: &Floats<'_>, into: &mut Quantized);
}

/// The four entries that are compiled for an instruction set.
macro_rules! entries {
    ($name:ty, $features:literal) => {
        #[inline(always)]
        unsafe fn quant_pass<Q: crate::quant::Quant, const N: usize>(
            self,
            pass: &crate::tile::Pass<'_>,
            tile: &crate::tile::Tile,
        ) {
            #[target_feature(enable = $features)]
            unsafe fn run<Q: crate::quant::Quant, const N: usize>(
                simd: $name,
                pass: &crate::tile::Pass<'_>,
                tile: &crate::tile::Tile,
            ) {
                // SAFETY: the caller's promise is passed on.
                unsafe { crate::quant::pass::<_, Q, N>(simd, pass, tile) }
            }
            // SAFETY: `self` proves the features; the caller's promise is passed on.
            unsafe { run::<Q, N>(self, pass, tile) }
        }

        #[inline(always)]
        unsafe fn float_pass<T: crate::float::Float, const N: usize>(
            self,
            pass: &crate::tile::Pass<'_>,
            tile: &crate::tile::Tile,
        ) {
            #[target_feature(enable = $features)]
            unsafe fn run<T: crate::float::Float, const N: usize>(
                simd: $name,
                pass: &crate::tile::Pass<'_>,
                tile: &crate::tile::Tile,
            ) {
                // SAFETY: the caller's promise is passed on.
                unsafe { crate::float::pass::<_, T, N>(simd, pass, tile) }
            }
            // SAFETY: `self` proves the features; the caller's promise is passed on.
            unsafe { run::<T, N>(self, pass, tile) }
        }

        fn prepare(self, what: &crate::columns::Prepare<'_>, into: &mut crate::columns::Prepared) {
            #[target_feature(enable = $features)]
            fn run(simd: $name, what: &crate::columns::Prepare<'_>, into: &mut crate::columns::Prepared) {
                crate::columns::prepare(simd, what, into);
            }
            // SAFETY: `self` proves the features.
            unsafe { run(self, what, into) }
        }

        fn quantize(
            self,
            column_type: crate::kind::ColumnType,
            floats: &crate::quantize::Floats<'_>,
            into: &mut crate::quantize::Quantized,
        ) {
            #[target_feature(enable = $features)]
            fn run(
                column_type: crate::kind::ColumnType,
                floats: &crate::quantize::Floats<'_>,
                into: &mut crate::quantize::Quantized,
            ) {
                crate::quantize::quantize(column_type, floats, into);
            }
            // SAFETY: `self` proves the features.
            unsafe { run(column_type, floats, into) }
        }
    };
}

/// An expression of instructions that a proof in scope allows.
macro_rules! allowed {
    ($proof:ident, $body:expr) => {{
        let _: Self = $proof;
        // SAFETY: a value of the type is made only by `detect`, after asking the processor; what an address needs
        // beyond that is the caller's promise.
        unsafe { $body }
    }};
}

#[cfg_attr(
    not(any(target_arch = "x86_64", target_arch = "aarch64")),
    expect(unused_imports, reason = "one target each")
)]
pub(crate) use {allowed, entries};
