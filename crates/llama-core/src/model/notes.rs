//! What the header of a model file says that the loaded model does not.

use crate::gguf::{GgufFile, TensorType, Value};

/// What C does not tell of a model, and what it would not check itself.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FileNotes {
    /// Tells models apart whose facts are alike, see `fingerprint.rs`.
    pub(super) fingerprint: u64,
    /// Positions there are learned embeddings for.
    pub(super) learned_positions: Option<u64>,
    /// Outputs of the classification head.
    pub(super) head_outputs: u64,
    /// Width of the keys and values of one attention head, where the file says so.
    pub(super) key_width: Option<u32>,
    pub(super) value_width: Option<u32>,
    /// Whether keys and values are stored as one compressed vector (MLA).
    pub(super) compressed_cache: bool,
    /// Whether llama.cpp would repack weights that never come to our kernels, so that not repacking would lose.
    pub(super) gains_by_repacking: bool,
}

impl FileNotes {
    pub(super) fn of<'f>(metadata: &GgufFile, files: impl Iterator<Item = &'f GgufFile> + Clone) -> Self {
        let rows =
            |name: &str| files.clone().find_map(|file| file.tensor(name)).and_then(|t| t.shape().get(1).copied());
        let number = |key: &str| metadata.get_arch(key).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
        Self {
            fingerprint: 0,
            learned_positions: rows("position_embd.weight"),
            head_outputs: rows("cls.output.weight").or_else(|| rows("cls.weight")).unwrap_or(0),
            key_width: number("attention.key_length"),
            value_width: number("attention.value_length"),
            compressed_cache: metadata.get_arch("attention.kv_lora_rank").is_some(),
            gains_by_repacking: files
                .flat_map(GgufFile::tensors)
                .any(|tensor| gains_by_repacking(tensor.tensor_type(), tensor.shape())),
        }
    }
}

/// Types that only llama.cpp's repacked kernels are good at, and experts: the hook is not asked for their products, which
/// would then be computed by llama.cpp's slower kernels.
fn gains_by_repacking(tensor_type: TensorType, shape: &[u64]) -> bool {
    match tensor_type {
        TensorType::IQ4_NL | TensorType::MXFP4 | TensorType::Q2_K => true,
        TensorType::Q4_0 | TensorType::Q4_K => shape.get(2).is_some_and(|&experts| experts > 1),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_that_never_come_to_our_kernels_are_repacked() {
        for tensor_type in [TensorType::Q4_0, TensorType::Q4_K] {
            assert!(!gains_by_repacking(tensor_type, &[256, 512]), "a matrix");
            assert!(!gains_by_repacking(tensor_type, &[256, 512, 1, 1]));
            assert!(gains_by_repacking(tensor_type, &[256, 512, 8]), "eight experts");
        }
        assert!(gains_by_repacking(TensorType::IQ4_NL, &[256, 512]));
        assert!(!gains_by_repacking(TensorType::Q8_0, &[256, 512, 8]), "x86 has no repacked form of it");
    }
}
