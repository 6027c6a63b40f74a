//! The `bert` architecture: bidirectional, gives embeddings or ranks instead of logits.

use super::Builder;
use crate::gguf::{DType, Gguf};
use crate::vocab::Vocab;

/// What becomes of a sequence's token embeddings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pooling {
    /// One embedding per token.
    None,
    /// One per sequence: the mean.
    Mean,
    /// One per sequence: that of the first token.
    Cls,
    /// One per sequence: that of the last token.
    Last,
    /// One score per label and sequence, from a classifier on the first token.
    Rank {
        /// Names of the scores, at least one.
        labels: Vec<String>,
    },
}

/// A `bert` model.
#[derive(Debug, Clone, PartialEq)]
pub struct Bert {
    /// Vocabulary.
    pub vocab: Vocab,
    /// Type of the matrices; norms, biases and positions stay F32. Q8_0 needs `n_embd` and `n_ff` divisible by 32.
    pub dtype: DType,
    /// Layers, at least 1.
    pub n_layer: u32,
    /// Width, which is that of the embeddings.
    pub n_embd: u32,
    /// Heads; divides `n_embd`.
    pub n_head: u32,
    /// Width of the feed-forward block.
    pub n_ff: u32,
    /// Longest sequence, in tokens; positions beyond it do not exist.
    pub n_ctx: u32,
    /// Pooling.
    pub pooling: Pooling,
    /// Seed of the weights.
    pub seed: u64,
}

impl Bert {
    /// Two layers of width 32, mean pooling.
    #[must_use]
    pub fn embedding() -> Self {
        Self {
            vocab: Vocab::wpm(),
            dtype: DType::F32,
            n_layer: 2,
            n_embd: 32,
            n_head: 2,
            n_ff: 64,
            n_ctx: 256,
            pooling: Pooling::Mean,
            seed: 7,
        }
    }

    /// The same with a classifier of two labels, `irrelevant` and `relevant`.
    #[must_use]
    pub fn reranker() -> Self {
        let labels = vec!["irrelevant".to_owned(), "relevant".to_owned()];
        Self { pooling: Pooling::Rank { labels }, seed: 8, ..Self::embedding() }
    }

    /// The GGUF file.
    #[must_use]
    pub fn file(&self) -> Gguf {
        let mut b = Builder::new("bert", self.dtype, self.seed);
        b.set_sizes(self.n_layer, self.n_embd, self.n_ctx, self.n_ff);
        b.set("attention.head_count", self.n_head);
        b.set("attention.layer_norm_epsilon", 1e-12_f32);
        b.set("attention.causal", false);
        b.set("pooling_type", self.pooling_id());
        if let Pooling::Rank { labels } = &self.pooling {
            b.set("classifier.output_labels", labels.clone());
        }
        self.vocab.describe(&mut b.file);

        let (n_embd, n_ff) = (u64::from(self.n_embd), u64::from(self.n_ff));
        b.token_embeddings(n_embd, self.vocab.len());
        b.vector("position_embd.weight", &[n_embd, u64::from(self.n_ctx)], -0.5, 0.5);
        b.vector("token_types.weight", &[n_embd, 2], -0.1, 0.1);
        norm(&mut b, "token_embd_norm", n_embd);
        for layer in 0..self.n_layer {
            for part in ["attn_q", "attn_k", "attn_v", "attn_output"] {
                linear(&mut b, &format!("blk.{layer}.{part}"), n_embd, n_embd);
            }
            norm(&mut b, &format!("blk.{layer}.attn_output_norm"), n_embd);
            linear(&mut b, &format!("blk.{layer}.ffn_up"), n_embd, n_ff);
            linear(&mut b, &format!("blk.{layer}.ffn_down"), n_ff, n_embd);
            norm(&mut b, &format!("blk.{layer}.layer_output_norm"), n_embd);
        }
        if let Pooling::Rank { labels } = &self.pooling {
            linear(&mut b, "cls", n_embd, n_embd);
            linear(&mut b, "cls.output", n_embd, labels.len() as u64);
        }
        b.file
    }

    /// `llama_pooling_type` of this pooling.
    fn pooling_id(&self) -> u32 {
        match self.pooling {
            Pooling::None => 0,
            Pooling::Mean => 1,
            Pooling::Cls => 2,
            Pooling::Last => 3,
            Pooling::Rank { .. } => 4,
        }
    }
}

/// A matrix with its bias.
fn linear(b: &mut Builder, name: &str, n_in: u64, n_out: u64) {
    b.matrix(format!("{name}.weight"), n_in, n_out, 1.0);
    b.vector(format!("{name}.bias"), &[n_out], -0.1, 0.1);
}

/// A layer norm: weight and bias.
fn norm(b: &mut Builder, name: &str, n: u64) {
    b.norm(format!("{name}.weight"), n);
    b.vector(format!("{name}.bias"), &[n], -0.1, 0.1);
}
