//! What a context cannot do, where upstream would not say so.

use crate::context::{CacheType, ContextError, ContextParams};
use crate::model::Model;
use llama_sys as ffi;

/// Refuses a context whose cache cannot fit: C would take the memory piece by piece until the system kills us.
pub(super) fn check_size(model: &Model, params: &ContextParams) -> Result<(), ContextError> {
    let facts = model.facts();
    let n_ctx = params.n_ctx.unwrap_or(facts.n_ctx_train);
    if facts.is_recurrent {
        return Ok(());
    }
    let (key_width, value_width) = model.head_widths();
    let bytes = |cache: CacheType, width: u32| {
        let (values, bytes) = cache.block();
        u64::from(width) * u64::from(facts.n_head_kv.max(1)) * u64::from(bytes) / u64::from(values)
    };
    let keys = bytes(params.cache_k, key_width);
    let values = if model.has_compressed_cache() { 0 } else { bytes(params.cache_v, value_width) };
    // Only the impossible is refused: where a part of the layers has a smaller cache or none, count one in eight.
    let layers = if facts.is_hybrid || facts.n_swa > 0 { facts.n_layer.div_ceil(8) } else { facts.n_layer };
    let needed = u64::from(n_ctx).saturating_mul(u64::from(layers)).saturating_mul(keys + values);
    let available: u64 = crate::devices::devices().iter().map(|d| d.memory_total).sum();
    if available > 0 && needed > available {
        return Err(ContextError::TooLarge { n_ctx, needed, available });
    }
    Ok(())
}

/// Makes the sizes of batches such that C can measure its graphs with them: it takes a batch with tokens of all sequences,
/// and asserts where that does not come out even.
pub(super) fn fit_batches(model: &Model, params: &mut ffi::llama_context_params) -> Result<(), ContextError> {
    let facts = model.facts();
    let sequences = params.n_seq_max;
    let n_ctx = if params.n_ctx == 0 { facts.n_ctx_train } else { params.n_ctx };
    if facts.has_encoder && params.n_batch.min(n_ctx) < sequences {
        let why = "and n_ctx must not be below n_seq_max for a model with an encoder".to_owned();
        return Err(ContextError::InvalidParam { name: "n_batch", why });
    }
    let padded = |n: u32| n.div_ceil(256).saturating_mul(256);
    // C keeps a number for each token of n_batch. With tokens that see later ones no batch can be larger than this.
    params.n_batch = params.n_batch.min(padded(n_ctx).max(params.n_ubatch).max(1));
    // As many tokens of each sequence, and an output of each token.
    let means = matches!(params.pooling_type, ffi::LLAMA_POOLING_TYPE_MEAN | ffi::LLAMA_POOLING_TYPE_UNSPECIFIED);
    if params.embeddings && means && sequences > 1 {
        let tokens = params.n_ubatch.min(params.n_batch).min(padded(n_ctx.max(1)));
        params.n_ubatch = tokens.div_ceil(sequences).saturating_mul(sequences);
        params.n_batch = params.n_batch.max(params.n_ubatch);
        params.n_ctx = padded(n_ctx.max(params.n_ubatch));
    }
    // An output of each sequence. With an encoder C does not listen, and makes room for n_batch of them.
    params.n_outputs_max = params.n_batch.max(sequences);
    Ok(())
}

/// Whether upstream can rotate keys that are stored in this format. Where it cannot, it does not say so: it asserts, or
/// follows a null pointer.
pub(super) fn keys_rotate(model: &Model, cache_k: CacheType) -> bool {
    match cache_k {
        CacheType::F32 | CacheType::F16 => true,
        // The CPU has no kernel for it.
        CacheType::BF16 => false,
        // Upstream turns the keys back by a matrix that it makes for these widths only, and not if it was told not to.
        _ => {
            let (width, _) = model.head_widths();
            let architecture = &model.facts().architecture;
            width.is_multiple_of(64)
                && model.metadata(&format!("{architecture}.attention.key_length_swa")).is_none()
                && std::env::var_os("LLAMA_ATTN_ROT_DISABLE").is_none()
        }
    }
}
