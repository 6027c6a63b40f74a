//! How a context is made.

use crate::context::ContextError;
use llama_sys as ffi;
use serde::{Deserialize, Serialize};

/// What the rows of a sequence are combined into, for embeddings and reranking.
#[doc(alias = "llama_pooling_type")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// What the model's metadata asks for.
    #[default]
    AsModelWants,
    /// Nothing: one embedding per token.
    None,
    /// The mean over the tokens.
    Mean,
    /// The first token.
    Cls,
    /// The last token.
    Last,
    /// The classification head: a score per label, for reranking.
    Rank,
}

/// Whether tokens see the tokens after them.
#[doc(alias = "llama_attention_type")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attention {
    /// What the model's metadata asks for.
    #[default]
    AsModelWants,
    /// Only the tokens before.
    Causal,
    /// All tokens of the batch.
    NonCausal,
}

/// Whether attention is computed by the fused kernel.
#[doc(alias = "llama_flash_attn_type")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlashAttention {
    /// Where the device supports it.
    #[default]
    Auto,
    /// Never.
    Off,
    /// Always; making the context fails where it cannot be.
    On,
}

/// Number format of the KV cache.
#[doc(alias = "ggml_type")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(non_camel_case_types, reason = "the field's own names, as llama.cpp writes them")]
pub enum CacheType {
    /// 32-bit float: 4 bytes a value.
    F32,
    /// 16-bit float: 2 bytes a value.
    #[default]
    F16,
    /// bfloat16: 2 bytes a value.
    BF16,
    /// 8-bit blocks: 1.06 bytes a value.
    Q8_0,
    /// 5-bit blocks with an offset.
    Q5_1,
    /// 5-bit blocks.
    Q5_0,
    /// 4-bit blocks with an offset.
    Q4_1,
    /// 4-bit blocks: 0.56 bytes a value.
    Q4_0,
    /// 4-bit blocks on a curve.
    IQ4_NL,
}

impl CacheType {
    /// Values of a block, and its bytes.
    pub(crate) fn block(self) -> (u32, u32) {
        match self {
            Self::F32 => (1, 4),
            Self::F16 | Self::BF16 => (1, 2),
            Self::Q8_0 => (32, 34),
            Self::Q5_1 => (32, 24),
            Self::Q5_0 => (32, 22),
            Self::Q4_1 => (32, 20),
            Self::Q4_0 | Self::IQ4_NL => (32, 18),
        }
    }

    pub(crate) fn to_raw(self) -> ffi::ggml_type {
        match self {
            Self::F32 => ffi::GGML_TYPE_F32,
            Self::F16 => ffi::GGML_TYPE_F16,
            Self::BF16 => ffi::GGML_TYPE_BF16,
            Self::Q8_0 => ffi::GGML_TYPE_Q8_0,
            Self::Q5_1 => ffi::GGML_TYPE_Q5_1,
            Self::Q5_0 => ffi::GGML_TYPE_Q5_0,
            Self::Q4_1 => ffi::GGML_TYPE_Q4_1,
            Self::Q4_0 => ffi::GGML_TYPE_Q4_0,
            Self::IQ4_NL => ffi::GGML_TYPE_IQ4_NL,
        }
    }
}

/// How the rotary positions are stretched to contexts longer than the model was trained with.
#[doc(alias = "llama_rope_scaling_type")]
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RopeScaling {
    /// Base frequency. `None`: from the model.
    pub freq_base: Option<f32>,
    /// Frequency scale, 1.0 for none. `None`: from the model.
    pub freq_scale: Option<f32>,
    /// The kind. `None`: from the model.
    pub kind: Option<RopeScalingKind>,
    /// Original context of YaRN in tokens. `None`: from the model.
    pub yarn_original_context: Option<u32>,
}

/// The kinds of [`RopeScaling`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RopeScalingKind {
    /// No scaling.
    None,
    /// Positions divided by a factor.
    Linear,
    /// YaRN (arXiv:2309.00071).
    Yarn,
    /// LongRoPE (arXiv:2402.13753).
    LongRope,
}

/// How [`Context::new`](crate::Context::new) works. Start from `default()` and assign.
///
/// ```
/// let mut params = llama_core::ContextParams::default();
/// params.n_ctx = Some(4096);
/// ```
#[doc(alias = "llama_context_params")]
#[doc(alias = "llama_context_default_params")]
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ContextParams {
    /// KV cells in tokens, for all sequences together. llama.cpp rounds up to a multiple of 256.
    /// Default: `None`, what the model was trained with.
    pub n_ctx: Option<u32>,
    /// Most tokens of one decode. Default: 2048.
    pub n_batch: u32,
    /// Most tokens computed at once; a larger batch is cut up inside. Default: 512.
    pub n_ubatch: u32,
    /// Sequences, 1 to 256. Default: 1.
    #[doc(alias = "llama_max_parallel_sequences")]
    pub n_seq_max: u32,
    /// Threads for decoding single tokens, 1 to 512. Default: `None`, one per core this process may use.
    pub n_threads: Option<u32>,
    /// Threads for prompts. Default: `None`, as `n_threads`.
    pub n_threads_batch: Option<u32>,
    /// Whether embeddings are output, see [`Outputs`](crate::Outputs). Default: no.
    pub embeddings: bool,
    /// What the rows of a sequence are combined into. Default: as the model wants.
    pub pooling: Pooling,
    /// Whether tokens see later tokens. Default: as the model wants.
    pub attention: Attention,
    /// Whether attention is fused. Default: where supported.
    pub flash_attention: FlashAttention,
    /// Format of the keys in the cache; see [`Memory::shift`](crate::Memory::shift) for what a format may rule out.
    /// Default: f16.
    pub cache_k: CacheType,
    /// Format of the values in the cache; block formats need flash attention. Default: f16.
    pub cache_v: CacheType,
    /// Stretching of rotary positions. Default: as the model wants.
    pub rope: RopeScaling,
    /// Whether all sequences share one pool of cells, so that prefixes are copied for free; otherwise each sequence has
    /// `n_ctx / n_seq_max` cells of its own. Always on for embeddings that are pooled over a sequence. Default: no.
    pub kv_unified: bool,
    /// Whether a sliding-window cache keeps everything, so that it can be cut anywhere. Default: no, it keeps the window.
    pub swa_full: bool,
    /// Whether the KV cache is in GPU memory beside the layers. Default: yes.
    pub offload_kqv: bool,
    /// Whether host operations on large batches move to the GPU. Default: yes.
    pub op_offload: bool,
}

impl Default for ContextParams {
    fn default() -> Self {
        Self {
            n_ctx: None,
            n_batch: 2048,
            n_ubatch: 512,
            n_seq_max: 1,
            n_threads: None,
            n_threads_batch: None,
            embeddings: false,
            pooling: Pooling::default(),
            attention: Attention::default(),
            flash_attention: FlashAttention::default(),
            cache_k: CacheType::default(),
            cache_v: CacheType::default(),
            rope: RopeScaling::default(),
            kv_unified: false,
            swa_full: false,
            offload_kqv: true,
            op_offload: true,
        }
    }
}

/// Upstream's GGML_MAX_N_THREADS.
const MAX_THREADS: u32 = 512;
/// Above this, upstream's rounding to 256 cells would overflow.
const MAX_CTX: u32 = i32::MAX as u32 - 256;

impl ContextParams {
    /// C asserts that the heads can be cut into the blocks of a format.
    pub(crate) fn check_blocks(&self, key_width: u32, value_width: u32) -> Result<(), ContextError> {
        for (name, cache, width) in [("cache_k", self.cache_k, key_width), ("cache_v", self.cache_v, value_width)] {
            let (block, _) = cache.block();
            if !width.is_multiple_of(block) {
                let why = format!(
                    "is {cache:?}, whose blocks hold {block} values, but a head of this model has {width}; use F16"
                );
                return Err(ContextError::InvalidParam { name, why });
            }
        }
        Ok(())
    }

    /// Builds C's parameters, without callbacks.
    pub(crate) fn to_raw(&self) -> Result<ffi::llama_context_params, ContextError> {
        self.check()?;
        // SAFETY: returns a plain struct by value.
        let mut raw = unsafe { ffi::llama_context_default_params() };
        raw.n_ctx = self.n_ctx.unwrap_or(0);
        raw.n_batch = self.n_batch;
        raw.n_ubatch = self.n_ubatch.min(self.n_batch);
        raw.n_seq_max = self.n_seq_max;
        let threads = self.n_threads.unwrap_or_else(available_threads);
        raw.n_threads = i32::try_from(threads).expect("checked to be at most 512");
        raw.n_threads_batch =
            i32::try_from(self.n_threads_batch.unwrap_or(threads)).expect("checked to be at most 512");
        raw.embeddings = self.embeddings;
        raw.pooling_type = match self.pooling {
            Pooling::AsModelWants => ffi::LLAMA_POOLING_TYPE_UNSPECIFIED,
            Pooling::None => ffi::LLAMA_POOLING_TYPE_NONE,
            Pooling::Mean => ffi::LLAMA_POOLING_TYPE_MEAN,
            Pooling::Cls => ffi::LLAMA_POOLING_TYPE_CLS,
            Pooling::Last => ffi::LLAMA_POOLING_TYPE_LAST,
            Pooling::Rank => ffi::LLAMA_POOLING_TYPE_RANK,
        };
        raw.attention_type = match self.attention {
            Attention::AsModelWants => ffi::LLAMA_ATTENTION_TYPE_UNSPECIFIED,
            Attention::Causal => ffi::LLAMA_ATTENTION_TYPE_CAUSAL,
            Attention::NonCausal => ffi::LLAMA_ATTENTION_TYPE_NON_CAUSAL,
        };
        raw.flash_attn_type = match self.flash_attention {
            FlashAttention::Auto => ffi::LLAMA_FLASH_ATTN_TYPE_AUTO,
            FlashAttention::Off => ffi::LLAMA_FLASH_ATTN_TYPE_DISABLED,
            FlashAttention::On => ffi::LLAMA_FLASH_ATTN_TYPE_ENABLED,
        };
        raw.type_k = self.cache_k.to_raw();
        raw.type_v = self.cache_v.to_raw();
        raw.rope_freq_base = self.rope.freq_base.unwrap_or(0.0);
        raw.rope_freq_scale = self.rope.freq_scale.unwrap_or(0.0);
        raw.rope_scaling_type = match self.rope.kind {
            None => ffi::LLAMA_ROPE_SCALING_TYPE_UNSPECIFIED,
            Some(RopeScalingKind::None) => ffi::LLAMA_ROPE_SCALING_TYPE_NONE,
            Some(RopeScalingKind::Linear) => ffi::LLAMA_ROPE_SCALING_TYPE_LINEAR,
            Some(RopeScalingKind::Yarn) => ffi::LLAMA_ROPE_SCALING_TYPE_YARN,
            Some(RopeScalingKind::LongRope) => ffi::LLAMA_ROPE_SCALING_TYPE_LONGROPE,
        };
        raw.yarn_orig_ctx = self.rope.yarn_original_context.unwrap_or(0);
        raw.kv_unified = self.kv_unified;
        raw.swa_full = self.swa_full;
        raw.offload_kqv = self.offload_kqv;
        raw.op_offload = self.op_offload;
        Ok(raw)
    }

    fn check(&self) -> Result<(), ContextError> {
        let in_range = |name, value: u32, min: u32, max: u32| {
            if (min..=max).contains(&value) {
                return Ok(());
            }
            Err(ContextError::InvalidParam { name, why: format!("is {value}, must be {min} to {max}") })
        };
        // SAFETY: returns a constant.
        let max_seqs = u32::try_from(unsafe { ffi::llama_max_parallel_sequences() }).unwrap_or(u32::MAX);
        in_range("n_ctx", self.n_ctx.unwrap_or(1), 1, MAX_CTX)?;
        in_range("n_batch", self.n_batch, 1, MAX_CTX)?;
        in_range("n_ubatch", self.n_ubatch, 1, MAX_CTX)?;
        in_range("n_seq_max", self.n_seq_max, 1, max_seqs)?;
        in_range("n_threads", self.n_threads.unwrap_or(1), 1, MAX_THREADS)?;
        in_range("n_threads_batch", self.n_threads_batch.unwrap_or(1), 1, MAX_THREADS)?;
        for (name, value) in [("rope.freq_base", self.rope.freq_base), ("rope.freq_scale", self.rope.freq_scale)] {
            if value.is_some_and(|v| !v.is_finite() || v <= 0.0) {
                return Err(ContextError::InvalidParam { name, why: "must be a positive number".to_owned() });
            }
        }
        Ok(())
    }
}

/// One thread per core this process may use.
fn available_threads() -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    u32::try_from(cores).unwrap_or(MAX_THREADS).min(MAX_THREADS)
}
