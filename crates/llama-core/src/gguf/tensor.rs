//! Tensor descriptions: name, shape, type, place.

use std::fmt;

/// The most dimensions a tensor can have.
#[doc(alias = "GGML_MAX_DIMS")]
pub const MAX_DIMS: usize = 4;

macro_rules! tensor_types {
    ($($variant:ident = $id:literal, $name:literal, $block:literal elements in $bytes:literal bytes;)*) => {
        /// How a tensor's elements are stored: plain numbers, or blocks of quantized ones.
        ///
        /// Rows are whole blocks. The sizes are those of llama.cpp 0.6.0.
        #[doc(alias = "ggml_type")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        #[allow(non_camel_case_types, reason = "the names are llama.cpp's, known to everyone who has seen a model file")]
        pub enum TensorType {
            $(
                #[doc = concat!("`", $name, "`: ", $block, " element(s) in ", $bytes, " byte(s).")]
                $variant = $id,
            )*
        }

        impl TensorType {
            /// Every type, by number.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The type with this number in a file; nothing for numbers unknown or no longer in use.
            #[must_use]
            pub fn from_id(id: u32) -> Option<Self> {
                match id {
                    $($id => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The number in a file.
            #[must_use]
            pub fn id(self) -> u32 {
                match self {
                    $(Self::$variant => $id,)*
                }
            }

            /// llama.cpp's name, such as `q4_K`.
            #[doc(alias = "ggml_type_name")]
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// Elements per block; 1 for plain numbers.
            #[doc(alias = "ggml_blck_size")]
            #[must_use]
            pub fn block_elements(self) -> u64 {
                match self {
                    $(Self::$variant => $block,)*
                }
            }

            /// Bytes per block.
            #[doc(alias = "ggml_type_size")]
            #[must_use]
            pub fn block_bytes(self) -> u64 {
                match self {
                    $(Self::$variant => $bytes,)*
                }
            }
        }
    };
}

tensor_types! {
    F32 = 0, "f32", 1 elements in 4 bytes;
    F16 = 1, "f16", 1 elements in 2 bytes;
    Q4_0 = 2, "q4_0", 32 elements in 18 bytes;
    Q4_1 = 3, "q4_1", 32 elements in 20 bytes;
    Q5_0 = 6, "q5_0", 32 elements in 22 bytes;
    Q5_1 = 7, "q5_1", 32 elements in 24 bytes;
    Q8_0 = 8, "q8_0", 32 elements in 34 bytes;
    Q8_1 = 9, "q8_1", 32 elements in 36 bytes;
    Q2_K = 10, "q2_K", 256 elements in 84 bytes;
    Q3_K = 11, "q3_K", 256 elements in 110 bytes;
    Q4_K = 12, "q4_K", 256 elements in 144 bytes;
    Q5_K = 13, "q5_K", 256 elements in 176 bytes;
    Q6_K = 14, "q6_K", 256 elements in 210 bytes;
    Q8_K = 15, "q8_K", 256 elements in 292 bytes;
    IQ2_XXS = 16, "iq2_xxs", 256 elements in 66 bytes;
    IQ2_XS = 17, "iq2_xs", 256 elements in 74 bytes;
    IQ3_XXS = 18, "iq3_xxs", 256 elements in 98 bytes;
    IQ1_S = 19, "iq1_s", 256 elements in 50 bytes;
    IQ4_NL = 20, "iq4_nl", 32 elements in 18 bytes;
    IQ3_S = 21, "iq3_s", 256 elements in 110 bytes;
    IQ2_S = 22, "iq2_s", 256 elements in 82 bytes;
    IQ4_XS = 23, "iq4_xs", 256 elements in 136 bytes;
    I8 = 24, "i8", 1 elements in 1 bytes;
    I16 = 25, "i16", 1 elements in 2 bytes;
    I32 = 26, "i32", 1 elements in 4 bytes;
    I64 = 27, "i64", 1 elements in 8 bytes;
    F64 = 28, "f64", 1 elements in 8 bytes;
    IQ1_M = 29, "iq1_m", 256 elements in 56 bytes;
    BF16 = 30, "bf16", 1 elements in 2 bytes;
    TQ1_0 = 34, "tq1_0", 256 elements in 54 bytes;
    TQ2_0 = 35, "tq2_0", 256 elements in 66 bytes;
    MXFP4 = 39, "mxfp4", 32 elements in 17 bytes;
    NVFP4 = 40, "nvfp4", 64 elements in 36 bytes;
    Q1_0 = 41, "q1_0", 128 elements in 18 bytes;
    Q2_0 = 42, "q2_0", 64 elements in 18 bytes;
}

impl fmt::Display for TensorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One tensor as the file describes it. Its data was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    pub(super) name: String,
    pub(super) shape: Vec<u64>,
    pub(super) tensor_type: TensorType,
    pub(super) offset: u64,
    pub(super) elements: u64,
    pub(super) bytes: u64,
}

impl TensorInfo {
    /// The name, such as `blk.0.attn_q.weight`; at most 63 bytes.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Elements along each dimension, the row length first; at most [`MAX_DIMS`] of them.
    #[must_use]
    pub fn shape(&self) -> &[u64] {
        &self.shape
    }

    /// How the elements are stored.
    #[must_use]
    pub fn tensor_type(&self) -> TensorType {
        self.tensor_type
    }

    /// Bytes from the start of the data section to the tensor; see [`GgufFile::data_offset`](super::GgufFile::data_offset).
    #[doc(alias = "gguf_get_tensor_offset")]
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The number of elements: the product of the shape.
    #[must_use]
    pub fn elements(&self) -> u64 {
        self.elements
    }

    /// Bytes of the data, without padding.
    #[doc(alias = "ggml_nbytes")]
    #[must_use]
    pub fn byte_len(&self) -> u64 {
        self.bytes
    }
}

/// The number of elements of a shape and their bytes, or what is wrong with them.
pub(super) fn measure(shape: &[u64], tensor_type: TensorType) -> Result<(u64, u64), String> {
    let row = shape.first().copied().unwrap_or(1);
    if !row.is_multiple_of(tensor_type.block_elements()) {
        return Err(format!(
            "rows of {row} elements are not whole blocks of {} as {tensor_type} needs",
            tensor_type.block_elements()
        ));
    }
    // Signed 64 bits, since that is what llama.cpp counts with.
    let limit = i64::MAX.unsigned_abs();
    // Without the zeros, so that a dimension of 0 hides no absurd one beside it.
    let counted = shape.iter().filter(|&&size| size > 0).try_fold(1_u64, |product, &size| product.checked_mul(size));
    let Some(counted) = counted.filter(|&counted| counted <= limit) else {
        return Err(format!("the shape {shape:?} has more elements than 64 bits can count"));
    };
    let elements = if shape.contains(&0) { 0 } else { counted };
    let blocks = elements / tensor_type.block_elements();
    let bytes = blocks.checked_mul(tensor_type.block_bytes()).filter(|&bytes| bytes <= limit);
    bytes
        .map(|bytes| (elements, bytes))
        .ok_or_else(|| format!("the shape {shape:?} has more bytes than 64 bits can count"))
}
