//! The `lfm2` architecture: layers with a short convolution and layers with attention in one model.

use super::Builder;
use crate::gguf::{DType, Gguf};
use crate::vocab::Vocab;

/// An `lfm2` model: recurrent state for some layers, a KV cache for the others.
#[derive(Debug, Clone, PartialEq)]
pub struct Hybrid {
    /// Vocabulary.
    pub vocab: Vocab,
    /// Type of the matrices; norms and convolutions stay F32. Q8_0 needs `n_embd` and `n_ff` divisible by 32.
    pub dtype: DType,
    /// For each layer, whether it has attention (else a convolution). Both kinds must occur.
    pub attention: Vec<bool>,
    /// Width; the head width is `n_embd / n_head`, even.
    pub n_embd: u32,
    /// Query heads.
    pub n_head: u32,
    /// Key/value heads of the layers with attention; divides `n_head`.
    pub n_head_kv: u32,
    /// Width of the feed-forward block.
    pub n_ff: u32,
    /// Length of the convolution, in tokens.
    pub l_cache: u32,
    /// Training context, in tokens.
    pub n_ctx: u32,
    /// Seed of the weights.
    pub seed: u64,
}

impl Hybrid {
    /// Three layers of width 32 (convolution, attention, convolution) with the BPE vocabulary.
    #[must_use]
    pub fn tiny() -> Self {
        Self {
            vocab: Vocab::bpe(),
            dtype: DType::F32,
            attention: vec![false, true, false],
            n_embd: 32,
            n_head: 2,
            n_head_kv: 1,
            n_ff: 64,
            l_cache: 3,
            n_ctx: 256,
            seed: 15,
        }
    }

    /// The GGUF file.
    #[must_use]
    pub fn file(&self) -> Gguf {
        let mut b = Builder::new("lfm2", self.dtype, self.seed);
        b.set_sizes(self.attention.len() as u32, self.n_embd, self.n_ctx, self.n_ff);
        b.set("attention.head_count", self.n_head);
        let kv_heads: Vec<u32> = self.attention.iter().map(|on| if *on { self.n_head_kv } else { 0 }).collect();
        b.set("attention.head_count_kv", kv_heads);
        b.set("attention.layer_norm_rms_epsilon", 1e-5_f32);
        b.set("shortconv.l_cache", self.l_cache);
        b.set("rope.freq_base", 10_000.0_f32);
        b.set("vocab_size", self.vocab.len() as u32);
        self.vocab.describe(&mut b.file);

        let (n_embd, n_ff) = (u64::from(self.n_embd), u64::from(self.n_ff));
        let head_dim = n_embd / u64::from(self.n_head.max(1));
        let n_kv = head_dim * u64::from(self.n_head_kv);
        b.token_embeddings(n_embd, self.vocab.len());
        // llama.cpp calls this architecture's last norm by the name of the first.
        b.norm("token_embd_norm.weight", n_embd);
        for (layer, attention) in (0..).zip(&self.attention) {
            let name = |part: &str| format!("blk.{layer}.{part}.weight");
            b.norm(name("attn_norm"), n_embd);
            if *attention {
                b.matrix(name("attn_q"), n_embd, n_embd, 1.5);
                b.matrix(name("attn_k"), n_embd, n_kv, 1.5);
                b.matrix(name("attn_v"), n_embd, n_kv, 1.0);
                b.matrix(name("attn_output"), n_embd, n_embd, 2.0);
                b.norm(name("attn_q_norm"), head_dim);
                b.norm(name("attn_k_norm"), head_dim);
            } else {
                b.vector(name("shortconv.conv"), &[u64::from(self.l_cache), n_embd], -1.0, 1.0);
                b.matrix(name("shortconv.in_proj"), n_embd, 3 * n_embd, 1.0);
                b.matrix(name("shortconv.out_proj"), n_embd, n_embd, 2.0);
            }
            b.gated_ffn(layer, n_embd, n_ff);
        }
        b.output(n_embd, &self.vocab);
        b.file
    }
}
