//! The `llama` architecture: RMS norm, rotary positions, grouped-query attention, gated feed-forward.

use super::Builder;
use crate::chat;
use crate::gguf::{DType, Gguf};
use crate::vocab::Vocab;

/// A `llama` model.
#[derive(Debug, Clone, PartialEq)]
pub struct Llama {
    /// Vocabulary.
    pub vocab: Vocab,
    /// Type of the matrices; norms stay F32. Q8_0 needs `n_embd`, `head_dim * n_head` and `n_ff` divisible by 32.
    pub dtype: DType,
    /// Layers, at least 1.
    pub n_layer: u32,
    /// Width.
    pub n_embd: u32,
    /// Query heads.
    pub n_head: u32,
    /// Key/value heads; divides `n_head`.
    pub n_head_kv: u32,
    /// Width of a head, even; need not be `n_embd / n_head`.
    pub head_dim: u32,
    /// Width of the feed-forward block.
    pub n_ff: u32,
    /// Training context, in tokens.
    pub n_ctx: u32,
    /// Value of `tokenizer.chat_template`, if any.
    pub chat_template: Option<String>,
    /// Seed of the weights.
    pub seed: u64,
}

impl Llama {
    /// Two layers of width 32 with the BPE vocabulary and no chat template. The head width of 32 allows a quantised KV
    /// cache.
    #[must_use]
    pub fn tiny() -> Self {
        Self {
            vocab: Vocab::bpe(),
            dtype: DType::F32,
            n_layer: 2,
            n_embd: 32,
            n_head: 2,
            n_head_kv: 1,
            head_dim: 32,
            n_ff: 64,
            n_ctx: 256,
            chat_template: None,
            seed: 38,
        }
    }

    /// [`Llama::tiny`] with the SentencePiece-like vocabulary, which adds a BOS token.
    #[must_use]
    pub fn tiny_spm() -> Self {
        Self { vocab: Vocab::spm(), seed: 8, ..Self::tiny() }
    }

    /// [`Llama::tiny`] with [`chat::TOOLS`] as its chat template and a context of 2048 tokens to hold it.
    #[must_use]
    pub fn tiny_tools() -> Self {
        Self { chat_template: Some(chat::TOOLS.into()), n_ctx: 2048, seed: 37, ..Self::tiny() }
    }

    /// About 100 million parameters in Q8_0 with 16384 tokens: large enough that a decode step takes milliseconds.
    #[must_use]
    pub fn bench_100m() -> Self {
        Self {
            vocab: Vocab::bpe().padded_to(16_384),
            dtype: DType::Q8_0,
            n_layer: 12,
            n_embd: 768,
            n_head: 12,
            n_head_kv: 4,
            head_dim: 64,
            n_ff: 2048,
            n_ctx: 2048,
            chat_template: None,
            seed: 4,
        }
    }

    /// The GGUF file.
    #[must_use]
    pub fn file(&self) -> Gguf {
        let mut b = Builder::new("llama", self.dtype, self.seed);
        b.set_sizes(self.n_layer, self.n_embd, self.n_ctx, self.n_ff);
        b.set("attention.head_count", self.n_head);
        b.set("attention.head_count_kv", self.n_head_kv);
        b.set("attention.key_length", self.head_dim);
        b.set("attention.value_length", self.head_dim);
        b.set("attention.layer_norm_rms_epsilon", 1e-5_f32);
        b.set("rope.dimension_count", self.head_dim);
        b.set("rope.freq_base", 10_000.0_f32);
        b.set("vocab_size", self.vocab.len() as u32);
        self.vocab.describe(&mut b.file);
        if let Some(template) = &self.chat_template {
            b.file.set("tokenizer.chat_template", template.as_str());
        }

        let (n_embd, n_ff) = (u64::from(self.n_embd), u64::from(self.n_ff));
        let n_q = u64::from(self.head_dim) * u64::from(self.n_head);
        let n_kv = u64::from(self.head_dim) * u64::from(self.n_head_kv);
        b.token_embeddings(n_embd, self.vocab.len());
        for layer in 0..self.n_layer {
            b.norm(format!("blk.{layer}.attn_norm.weight"), n_embd);
            b.matrix(format!("blk.{layer}.attn_q.weight"), n_embd, n_q, 1.2);
            b.matrix(format!("blk.{layer}.attn_k.weight"), n_embd, n_kv, 1.2);
            b.matrix(format!("blk.{layer}.attn_v.weight"), n_embd, n_kv, 1.0);
            b.matrix(format!("blk.{layer}.attn_output.weight"), n_q, n_embd, 2.0);
            b.gated_ffn(layer, n_embd, n_ff);
        }
        b.norm("output_norm.weight", n_embd);
        b.output(n_embd, &self.vocab);
        b.file
    }
}
