//! How the KV cache and the computation are set up: [`ContextConfig`].

use llama_core::{CacheType, ContextParams, FlashAttention, Pooling, RopeScaling};
use serde::{Deserialize, Serialize};

use super::BatchConfig;
use super::range::{ConfigError, MAX_THREADS, MAX_TOKENS, within};

/// How the context of a model is made. What depends on the number of sequences and the size of a step is in
/// [`BatchConfig`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ContextConfig {
    /// KV cells in tokens, for all sequences together, 1 to 2147483391; llama.cpp rounds up to a multiple of 256. More
    /// lets more and longer requests run together and takes more memory. Default: `None`, what the model was trained
    /// with, but at most [`auto_ctx_limit`](Self::auto_ctx_limit).
    pub n_ctx: Option<u32>,
    /// Most KV cells in tokens where [`n_ctx`](Self::n_ctx) is not set, 1 to 2147483391: the cache of a model with a long
    /// context can take more memory than its weights. Default: 8192.
    pub auto_ctx_limit: u32,
    /// Threads that compute steps of answers, 1 to 512. Default: `None`, what is measured to be fastest when the model is
    /// loaded, and followed while it computes; see [`ModelInfo::threads`](crate::ModelInfo::threads). A number is kept to
    /// exactly.
    pub threads: Option<u32>,
    /// Threads that compute parts of prompts, 1 to 512. Default: `None`, as [`threads`](Self::threads) if that is set, else
    /// measured.
    pub threads_batch: Option<u32>,
    /// Whether attention is computed by the fused kernel: `"auto"`, `"off"` or `"on"`. Default: `"auto"`, where the device
    /// supports it.
    pub flash_attention: FlashAttention,
    /// Number format of the keys in the cache: `"f32"`, `"f16"`, `"bf16"`, `"q8_0"`, `"q5_1"`, `"q5_0"`, `"q4_1"`, `"q4_0"` or
    /// `"iq4_nl"`. Smaller ones take less memory and cost some quality. Default: `"f16"`.
    pub cache_k: CacheType,
    /// Number format of the values in the cache, as [`cache_k`](Self::cache_k); the quantised ones (from `"q8_0"` on) need
    /// flash attention. Default: `"f16"`.
    pub cache_v: CacheType,
    /// Stretching of rotary positions to contexts longer than the model was trained with. Default: as the model wants.
    pub rope: RopeScaling,
    /// What the rows of a sequence are combined into for embeddings: `"as_model_wants"`, `"none"`, `"mean"`, `"cls"`,
    /// `"last"` or `"rank"`. Default: `"as_model_wants"`.
    pub pooling: Pooling,
    /// Whether a sliding-window cache keeps everything, so that prefixes of such models can be reused at any place; takes
    /// more memory. Default: false.
    pub swa_full: bool,
    /// Whether the KV cache is in GPU memory beside the layers. Default: true.
    pub offload_kqv: bool,
    /// Whether host operations on large batches move to the GPU. Default: true.
    pub op_offload: bool,
}

impl Default for ContextConfig {
    fn default() -> Self {
        Self {
            n_ctx: None,
            auto_ctx_limit: 8192,
            threads: None,
            threads_batch: None,
            flash_attention: FlashAttention::default(),
            cache_k: CacheType::default(),
            cache_v: CacheType::default(),
            rope: RopeScaling::default(),
            pooling: Pooling::default(),
            swa_full: false,
            offload_kqv: true,
            op_offload: true,
        }
    }
}

impl ContextConfig {
    /// The KV cells in tokens for a model that was trained with `trained` tokens.
    pub fn ctx_for(&self, trained: u32) -> u32 {
        self.n_ctx.unwrap_or(trained.min(self.auto_ctx_limit))
    }

    /// The parameters that make a context so for a model that was trained with `trained` tokens.
    pub fn to_params(&self, batch: &BatchConfig, trained: u32) -> ContextParams {
        let mut params = ContextParams::default();
        params.n_ctx = Some(self.ctx_for(trained));
        params.n_batch = batch.step_tokens;
        params.n_ubatch = batch.step_tokens;
        params.n_seq_max = batch.max_sequences;
        // One pool of cells: prefixes are shared without copying, and a long sequence may use what short ones leave.
        params.kv_unified = true;
        params.n_threads = self.threads;
        params.n_threads_batch = self.threads_batch;
        params.pooling = self.pooling;
        params.flash_attention = self.flash_attention;
        params.cache_k = self.cache_k;
        params.cache_v = self.cache_v;
        params.rope = self.rope;
        params.swa_full = self.swa_full;
        params.offload_kqv = self.offload_kqv;
        params.op_offload = self.op_offload;
        params
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("n_ctx", self.n_ctx.unwrap_or(1), 1..=MAX_TOKENS)?;
        within("auto_ctx_limit", self.auto_ctx_limit, 1..=MAX_TOKENS)?;
        within("threads", self.threads.unwrap_or(1), 1..=MAX_THREADS)?;
        within("threads_batch", self.threads_batch.unwrap_or(1), 1..=MAX_THREADS)?;
        for (field, value) in [("rope.freq_base", self.rope.freq_base), ("rope.freq_scale", self.rope.freq_scale)] {
            if let Some(value) = value.filter(|value| !value.is_finite() || *value <= 0.0) {
                return Err(ConfigError::out_of_range(field, value, "a positive number"));
            }
        }
        within("rope.yarn_original_context", self.rope.yarn_original_context.unwrap_or(1), 1..=MAX_TOKENS)?;
        let plain = matches!(self.cache_v, CacheType::F32 | CacheType::F16 | CacheType::BF16);
        if !plain && self.flash_attention == FlashAttention::Off {
            let why = "quantised values need context.flash_attention, which is off";
            return Err(ConfigError::conflict("cache_v", format!("{:?}", self.cache_v).to_lowercase(), why));
        }
        Ok(())
    }
}
