//! Models as recipes: public size knobs, a sensible tiny default, and `file()` for the GGUF file.
//!
//! The weights are random but tame: matrices keep the size of what they multiply, norms are near one, and the output
//! matrix makes logits of standard deviation about 1.5, so that greedy decoding varies and one token wins clearly. The
//! output rows of special tokens are zero: no model ends its own answer, unless a test biases a token.
//!
//! Sizes of the defaults (F32), with a training context of 256 tokens unless said otherwise:
//!
//! | recipe | architecture | layers × width | parameters | file |
//! |---|---|---|---|---|
//! | [`Llama::tiny`] | `llama`, two heads sharing one KV head | 2 × 32 | 45 K | 189 KB |
//! | [`Llama::tiny_spm`] | the same, other vocabulary | 2 × 32 | 51 K | 214 KB |
//! | [`Llama::tiny_tools`] | the same with a chat template, context 2048 | 2 × 32 | 45 K | 191 KB |
//! | [`Mamba::tiny`] | `mamba`, recurrent | 2 × 32 | 42 K | 175 KB |
//! | [`Hybrid::tiny`] | `lfm2`, short convolutions and attention | 3 × 32 | 51 K | 211 KB |
//! | [`Bert::embedding`] | `bert`, mean pooling | 2 × 32 | 31 K | 132 KB |
//! | [`Bert::reranker`] | `bert`, rank pooling, two labels | 2 × 32 | 33 K | 136 KB |
//! | [`Llama::bench_100m`] | `llama`, Q8_0, context 2048 | 12 × 768 | 101 M | 107 MB |
//!
//! How far apart the logits of one prompt come out when it is decoded whole and token by token, on x86-64, is decided by the
//! context, not by these weights: below `2e-5` with an F32 KV cache and flash attention off; about `2e-3` with the F16 cache;
//! about `2e-2` with flash attention, whose two kernels round differently (and which makes an F32 cache F16). With Q8_0 weights
//! the last becomes `2e-1`. Mamba has no such cache and stays below `2e-5` always.

mod bert;
mod hybrid;
mod llama;
mod mamba;

pub use bert::{Bert, Pooling};
pub use hybrid::Hybrid;
pub use llama::Llama;
pub use mamba::Mamba;

use crate::gguf::{DType, Fill, Gguf, Tensor};
use crate::random::seed_for;
use crate::vocab::Vocab;

/// Factor on the output matrix, which decides how far apart logits lie.
const OUTPUT_GAIN: f32 = 1.5;

/// Bytes from a vocabulary to a file with no tensors at all, for tokenizing only.
///
/// The architecture is `llama`; load it with `vocab_only`, any other load fails.
#[must_use]
pub fn vocab_only(vocab: &Vocab) -> Gguf {
    let mut file = Gguf::new("llama");
    file.set("general.name", "testkit vocabulary");
    vocab.describe(&mut file);
    file
}

/// Adds tensors to a file, each with a seed of its own.
struct Builder {
    file: Gguf,
    architecture: &'static str,
    dtype: DType,
    seed: u64,
}

impl Builder {
    fn new(architecture: &'static str, dtype: DType, seed: u64) -> Self {
        let mut file = Gguf::new(architecture);
        file.set("general.name", format!("testkit {architecture}"));
        file.set("general.file_type", dtype.file_type());
        file.set("general.quantization_version", 2_u32);
        Self { file, architecture, dtype, seed }
    }

    /// Sets `ARCHITECTURE.key`.
    fn set(&mut self, key: &str, value: impl Into<crate::gguf::Value>) {
        self.file.set(format!("{}.{key}", self.architecture), value);
    }

    /// Sets the counts every architecture has.
    fn set_sizes(&mut self, n_layer: u32, n_embd: u32, n_ctx: u32, n_ff: u32) {
        self.set("block_count", n_layer);
        self.set("embedding_length", n_embd);
        self.set("context_length", n_ctx);
        self.set("feed_forward_length", n_ff);
    }

    /// A tensor that stays F32 whatever the model's type.
    fn exact(&mut self, name: impl Into<String>, shape: &[u64], fill: Fill) {
        self.file.tensor(Tensor { name: name.into(), shape: shape.to_vec(), dtype: DType::F32, fill });
    }

    /// Random F32 values in `low..high`.
    fn vector(&mut self, name: impl Into<String>, shape: &[u64], low: f32, high: f32) {
        let name = name.into();
        let fill = Fill::uniform(seed_for(self.seed, &name), low, high);
        self.exact(name, shape, fill);
    }

    /// A norm's weights.
    fn norm(&mut self, name: impl Into<String>, n: u64) {
        self.vector(name, &[n], 0.9, 1.1);
    }

    /// A matrix in the model's type, with variance `gain^2 / n_in`.
    fn matrix(&mut self, name: impl Into<String>, n_in: u64, n_out: u64, gain: f32) {
        let name = name.into();
        let fill = Fill::matrix(seed_for(self.seed, &name), n_in, gain);
        self.file.tensor(Tensor { name, shape: vec![n_in, n_out], dtype: self.dtype, fill });
    }

    /// Token embeddings of variance one.
    fn token_embeddings(&mut self, n_embd: u64, n_vocab: u64) {
        let fill = Fill::matrix(seed_for(self.seed, "token_embd.weight"), 1, 1.0);
        let name = "token_embd.weight".to_owned();
        self.file.tensor(Tensor { name, shape: vec![n_embd, n_vocab], dtype: self.dtype, fill });
    }

    /// The output matrix, with zero rows for the special tokens.
    fn output(&mut self, n_embd: u64, vocab: &Vocab) {
        let silent = vocab.special_range();
        let fill = Fill::matrix(seed_for(self.seed, "output.weight"), n_embd, OUTPUT_GAIN)
            .with_zeros(silent.start * n_embd..silent.end * n_embd);
        let name = "output.weight".to_owned();
        self.file.tensor(Tensor { name, shape: vec![n_embd, vocab.len()], dtype: self.dtype, fill });
    }

    /// The gated feed-forward block most architectures share.
    fn gated_ffn(&mut self, layer: u32, n_embd: u64, n_ff: u64) {
        self.norm(format!("blk.{layer}.ffn_norm.weight"), n_embd);
        self.matrix(format!("blk.{layer}.ffn_gate.weight"), n_embd, n_ff, 1.0);
        self.matrix(format!("blk.{layer}.ffn_up.weight"), n_embd, n_ff, 1.0);
        self.matrix(format!("blk.{layer}.ffn_down.weight"), n_ff, n_embd, 2.0);
    }
}

#[cfg(test)]
mod tests;
