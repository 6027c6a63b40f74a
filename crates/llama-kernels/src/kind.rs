//! Which weights there are kernels for, and what their columns look like.

use crate::block::{Q4_0, Q4K, Q5K, Q6K, Q8_0, Q8K};

/// A type of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are ggml's")]
pub enum Kind {
    F16,
    Bf16,
    Q4_0,
    Q8_0,
    Q4K,
    Q5K,
    Q6K,
}

/// A type of columns: what ggml's CPU backend quantizes activations to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are ggml's")]
pub enum ColumnType {
    F16,
    Bf16,
    Q8_0,
    Q8K,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 7] = [Self::Q8_0, Self::Q4_0, Self::Q4K, Self::Q5K, Self::Q6K, Self::F16, Self::Bf16];

    /// From the number of a type in ggml and GGUF.
    #[must_use]
    pub fn from_ggml(id: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.ggml_id() == id)
    }

    /// The number of the type in ggml and GGUF.
    #[must_use]
    pub fn ggml_id(self) -> i32 {
        match self {
            Self::F16 => 1,
            Self::Q4_0 => 2,
            Self::Q8_0 => 8,
            Self::Q4K => 12,
            Self::Q5K => 13,
            Self::Q6K => 14,
            Self::Bf16 => 30,
        }
    }

    /// What the columns for such weights are.
    #[must_use]
    pub fn column_type(self) -> ColumnType {
        match self {
            Self::F16 => ColumnType::F16,
            Self::Bf16 => ColumnType::Bf16,
            Self::Q4_0 | Self::Q8_0 => ColumnType::Q8_0,
            Self::Q4K | Self::Q5K | Self::Q6K => ColumnType::Q8K,
        }
    }

    /// Values of a block; rows are a multiple of it.
    #[must_use]
    pub fn block_values(self) -> usize {
        self.column_type().block_values()
    }

    /// Bytes of a block.
    #[must_use]
    pub fn block_bytes(self) -> usize {
        match self {
            Self::F16 | Self::Bf16 => 2,
            Self::Q4_0 => size_of::<Q4_0>(),
            Self::Q8_0 => size_of::<Q8_0>(),
            Self::Q4K => size_of::<Q4K>(),
            Self::Q5K => size_of::<Q5K>(),
            Self::Q6K => size_of::<Q6K>(),
        }
    }

    /// Bytes of a row of `n_values`.
    #[must_use]
    pub fn row_bytes(self, n_values: usize) -> usize {
        n_values / self.block_values() * self.block_bytes()
    }
}

impl ColumnType {
    /// The number of the type in ggml.
    #[must_use]
    pub fn ggml_id(self) -> i32 {
        match self {
            Self::F16 => 1,
            Self::Q8_0 => 8,
            Self::Q8K => 15,
            Self::Bf16 => 30,
        }
    }

    /// Values of a block.
    #[must_use]
    pub fn block_values(self) -> usize {
        match self {
            Self::F16 | Self::Bf16 => 1,
            Self::Q8_0 => 32,
            Self::Q8K => crate::block::SUPER,
        }
    }

    /// Bytes of a column of `n_values`.
    #[must_use]
    pub fn bytes(self, n_values: usize) -> usize {
        let block = match self {
            Self::F16 | Self::Bf16 => 2,
            Self::Q8_0 => size_of::<Q8_0>(),
            Self::Q8K => size_of::<Q8K>(),
        };
        n_values / self.block_values() * block
    }
}
