//! Things that change a loaded model: LoRA adapters and control vectors.

use crate::gguf::{DType, Fill, Gguf, Tensor};
use crate::models::Llama;
use crate::random::seed_for;

/// A LoRA adapter for the query and value projections of every layer of a `llama` model.
#[derive(Debug, Clone, PartialEq)]
pub struct Lora {
    /// Model it fits: only its architecture's shapes matter.
    pub base: Llama,
    /// Rank of the update.
    pub rank: u32,
    /// `adapter.lora.alpha`; the update is scaled by `alpha / rank`.
    pub alpha: f32,
    /// Seed of the weights.
    pub seed: u64,
}

impl Lora {
    /// Rank 4, for this model.
    #[must_use]
    pub fn for_model(base: &Llama) -> Self {
        Self { base: base.clone(), rank: 4, alpha: 8.0, seed: 20 }
    }

    /// An adapter that does not fit [`Llama::tiny`]: made for a model twice as wide.
    #[must_use]
    pub fn misfit() -> Self {
        Self::for_model(&Llama { n_embd: 64, ..Llama::tiny() })
    }

    /// The GGUF file: per layer and projection `blk.N.attn_q.weight.lora_a` (`[n_embd, rank]`) and `.lora_b`
    /// (`[rank, width of the projection]`), F32.
    #[must_use]
    pub fn file(&self) -> Gguf {
        let mut file = Gguf::new("llama");
        file.set("general.type", "adapter");
        file.set("general.name", "testkit lora");
        file.set("adapter.type", "lora");
        file.set("adapter.lora.alpha", self.alpha);
        let (n_embd, rank) = (u64::from(self.base.n_embd), u64::from(self.rank));
        let width = |heads: u32| u64::from(self.base.head_dim) * u64::from(heads);
        let targets = [("attn_q", width(self.base.n_head)), ("attn_v", width(self.base.n_head_kv))];
        for (layer, (target, n_out)) in (0..self.base.n_layer).flat_map(|layer| targets.map(|target| (layer, target))) {
            for (part, n_in, n_out) in [("lora_a", n_embd, rank), ("lora_b", rank, n_out)] {
                let name = format!("blk.{layer}.{target}.weight.{part}");
                let fill = Fill::matrix(seed_for(self.seed, &name), n_in, 1.0);
                file.tensor(Tensor { name, shape: vec![n_in, n_out], dtype: DType::F32, fill });
            }
        }
        file
    }
}

/// A control vector for a model of `n_layer` layers of width `n_embd`: `direction.1` .. `direction.(n_layer - 1)`, F32.
///
/// There is no direction for layer 0; llama.cpp never applies one there.
#[must_use]
pub fn control_vector(n_layer: u32, n_embd: u32, seed: u64) -> Gguf {
    let mut file = Gguf::new("controlvector");
    file.set("controlvector.model_hint", "llama");
    file.set("controlvector.layer_count", n_layer.saturating_sub(1));
    for layer in 1..n_layer {
        let name = format!("direction.{layer}");
        let fill = Fill::uniform(seed_for(seed, &name), -1.0, 1.0);
        file.tensor(Tensor { name, shape: vec![u64::from(n_embd)], dtype: DType::F32, fill });
    }
    file
}
