//! What the header of a model file says that the loaded model does not.

use crate::gguf::{GgufFile, Value};

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
        }
    }
}
