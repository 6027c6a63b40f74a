//! The `mamba` architecture: a recurrent state per sequence instead of a KV cache.

use super::Builder;
use crate::gguf::{DType, Fill, Gguf};
use crate::vocab::Vocab;

/// A `mamba` model. Its memory cannot be shifted, and only whole sequences can be removed from it.
#[derive(Debug, Clone, PartialEq)]
pub struct Mamba {
    /// Vocabulary.
    pub vocab: Vocab,
    /// Type of the large matrices; the rest stays F32. Q8_0 needs `n_embd` and `dt_rank` divisible by 32.
    pub dtype: DType,
    /// Layers, at least 1.
    pub n_layer: u32,
    /// Width; the inner width is twice this.
    pub n_embd: u32,
    /// Values of state per inner channel.
    pub d_state: u32,
    /// Length of the convolution, in tokens.
    pub d_conv: u32,
    /// Rank of the time step's projection.
    pub dt_rank: u32,
    /// Training context, in tokens; the model itself has no limit.
    pub n_ctx: u32,
    /// Seed of the weights.
    pub seed: u64,
}

impl Mamba {
    /// Two layers of width 32 with the BPE vocabulary.
    #[must_use]
    pub fn tiny() -> Self {
        Self {
            vocab: Vocab::bpe(),
            dtype: DType::F32,
            n_layer: 2,
            n_embd: 32,
            d_state: 16,
            d_conv: 4,
            dt_rank: 8,
            n_ctx: 256,
            seed: 16,
        }
    }

    /// The GGUF file.
    #[must_use]
    pub fn file(&self) -> Gguf {
        let mut b = Builder::new("mamba", self.dtype, self.seed);
        b.set_sizes(self.n_layer, self.n_embd, self.n_ctx, 0);
        b.set("attention.head_count", 0_u32);
        b.set("attention.layer_norm_rms_epsilon", 1e-5_f32);
        b.set("ssm.conv_kernel", self.d_conv);
        b.set("ssm.inner_size", 2 * self.n_embd);
        b.set("ssm.state_size", self.d_state);
        b.set("ssm.time_step_rank", self.dt_rank);
        self.vocab.describe(&mut b.file);

        let (n_embd, d_inner) = (u64::from(self.n_embd), 2 * u64::from(self.n_embd));
        let (d_state, d_conv, dt_rank) = (u64::from(self.d_state), u64::from(self.d_conv), u64::from(self.dt_rank));
        // Decay rates -1, -2, .. for every channel, as trained models start with.
        let decay: Vec<f32> = (0..d_inner).flat_map(|_| (1..=self.d_state).map(|rate| -(rate as f32))).collect();
        b.token_embeddings(n_embd, self.vocab.len());
        for layer in 0..self.n_layer {
            let name = |part: &str| format!("blk.{layer}.{part}");
            b.norm(name("attn_norm.weight"), n_embd);
            b.matrix(name("ssm_in.weight"), n_embd, 2 * d_inner, 1.5);
            b.vector(name("ssm_conv1d.weight"), &[d_conv, d_inner], -0.9, 0.9);
            b.vector(name("ssm_conv1d.bias"), &[d_inner], -0.1, 0.1);
            b.matrix(name("ssm_x.weight"), d_inner, dt_rank + 2 * d_state, 1.0);
            b.matrix(name("ssm_dt.weight"), dt_rank, d_inner, 1.0);
            // Softplus of these gives time steps between about 0.02 and 0.3.
            b.vector(name("ssm_dt.bias"), &[d_inner], -4.0, -1.0);
            b.exact(name("ssm_a"), &[d_state, d_inner], Fill::Values(decay.clone()));
            b.vector(name("ssm_d"), &[d_inner], 0.8, 1.2);
            b.matrix(name("ssm_out.weight"), d_inner, n_embd, 2.0);
        }
        b.norm("output_norm.weight", n_embd);
        b.output(n_embd, &self.vocab);
        b.file
    }
}
