//! Blocks of quantized values as GGUF files and ggml's CPU backend lay them out.
//!
//! Numbers wider than a byte are kept as bytes, least significant first: a block may then lie at any address.

/// Values of a K-quant's block.
pub(crate) const SUPER: usize = 256;

macro_rules! block {
    ($(#[$doc:meta])* $name:ident, $bytes:expr, { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }

        const _: () = assert!(size_of::<$name>() == $bytes && align_of::<$name>() == 1);

        impl $name {
            /// The block as bytes in a file.
            #[must_use]
            pub fn to_bytes(&self) -> Vec<u8> {
                Self::bytes_of(std::slice::from_ref(self)).to_vec()
            }

            /// Blocks as bytes.
            pub(crate) fn bytes_of(blocks: &[Self]) -> &[u8] {
                // SAFETY: every field is an array of bytes or signed bytes, without padding between them.
                unsafe { std::slice::from_raw_parts(blocks.as_ptr().cast(), size_of_val(blocks)) }
            }

            /// The blocks of a row. Bytes after the last whole block are left out.
            #[must_use]
            pub fn of_bytes(bytes: &[u8]) -> &[Self] {
                // SAFETY: a block has no alignment and any bytes are one; the length is that of whole blocks.
                unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast::<Self>(), bytes.len() / $bytes) }
            }
        }
    };
}

block! {
    /// 32 values of 8 bits; also the form of the columns for [`Q8_0`] and [`Q4_0`] weights.
    Q8_0, 34, {
        /// Scale, half precision.
        d: [u8; 2],
        /// The values.
        qs: [i8; 32],
    }
}

block! {
    /// 32 values of 4 bits, each less 8.
    Q4_0, 18, {
        /// Scale, half precision.
        d: [u8; 2],
        /// The first 16 values in the low halves, the others in the high ones.
        qs: [u8; 16],
    }
}

block! {
    /// 256 values of 4 bits in groups of 32, each with a scale and an offset of 6 bits.
    Q4K, 144, {
        /// Scale of the scales, half precision.
        d: [u8; 2],
        /// Scale of the offsets, half precision.
        dmin: [u8; 2],
        /// Eight scales and eight offsets, packed.
        scales: [u8; 12],
        /// Four times 32 bytes: a group in the low halves, the next in the high ones.
        qs: [u8; 128],
    }
}

block! {
    /// [`Q4K`] with a fifth bit.
    Q5K, 176, {
        /// Scale of the scales, half precision.
        d: [u8; 2],
        /// Scale of the offsets, half precision.
        dmin: [u8; 2],
        /// Eight scales and eight offsets, packed.
        scales: [u8; 12],
        /// Fifth bits: bit `g` of byte `i` belongs to value `i` of group `g`.
        qh: [u8; 32],
        /// As in [`Q4K`].
        qs: [u8; 128],
    }
}

block! {
    /// 256 values of 6 bits, each less 32, in groups of 16 with a scale of 8 bits.
    Q6K, 210, {
        /// Low four bits.
        ql: [u8; 128],
        /// High two bits.
        qh: [u8; 64],
        /// Scales of the groups.
        scales: [i8; 16],
        /// Scale of the scales, half precision.
        d: [u8; 2],
    }
}

block! {
    /// 256 values of 8 bits: the form of the columns for K-quants.
    Q8K, 292, {
        /// Scale, single precision.
        d: [u8; 4],
        /// The values.
        qs: [i8; 256],
        /// Sums of 16 values each, 16 bits.
        bsums: [[u8; 2]; 16],
    }
}

/// The eight scales and eight offsets of a [`Q4K`] or [`Q5K`] block.
pub(crate) fn unpack_scales(packed: &[u8; 12]) -> ([u8; 8], [u8; 8]) {
    let (mut scales, mut mins) = ([0; 8], [0; 8]);
    for i in 0..4 {
        scales[i] = packed[i] & 63;
        mins[i] = packed[i + 4] & 63;
        scales[i + 4] = (packed[i + 8] & 15) | (packed[i] >> 6) << 4;
        mins[i + 4] = (packed[i + 8] >> 4) | (packed[i + 4] >> 6) << 4;
    }
    (scales, mins)
}
