//! What a model is: [`ModelFacts`], copied at the load, so that asking costs no call into C.

use super::notes::FileNotes;
use super::text;
use crate::ids::Token;
use crate::raw;
use llama_sys as ffi;
use std::ptr::NonNull;

/// Sizes and kinds of a model, copied when it was loaded.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ModelFacts {
    /// One line for people, e.g. `llama 8B Q4_K - Medium`.
    #[doc(alias = "llama_model_desc")]
    pub description: String,
    /// The `general.architecture`, e.g. `llama`; empty if the file does not say.
    pub architecture: String,
    /// Tokens in the vocabulary; the width of a logits row.
    pub n_vocab: u32,
    /// Context the model was trained with, in tokens.
    #[doc(alias = "llama_model_n_ctx_train")]
    pub n_ctx_train: u32,
    /// Width of the residual stream.
    #[doc(alias = "llama_model_n_embd")]
    pub n_embd: u32,
    /// Width of an output embedding.
    #[doc(alias = "llama_model_n_embd_out")]
    pub n_embd_out: u32,
    /// Layers.
    #[doc(alias = "llama_model_n_layer")]
    pub n_layer: u32,
    /// Attention heads.
    #[doc(alias = "llama_model_n_head")]
    pub n_head: u32,
    /// Key-value heads.
    #[doc(alias = "llama_model_n_head_kv")]
    pub n_head_kv: u32,
    /// Sliding attention window in tokens, 0 if there is none.
    #[doc(alias = "llama_model_n_swa")]
    pub n_swa: u32,
    /// Outputs of the classification head, 0 if there is none.
    #[doc(alias = "llama_model_n_cls_out")]
    pub n_cls_out: u32,
    /// Their labels, empty where the file names none.
    #[doc(alias = "llama_model_cls_label")]
    pub cls_labels: Vec<String>,
    /// Weights, counted.
    #[doc(alias = "llama_model_n_params")]
    pub n_params: u64,
    /// Bytes of all tensors.
    #[doc(alias = "llama_model_size")]
    pub size: u64,
    /// Whether there is an encoder, run by [`Context::encode`](crate::Context::encode).
    #[doc(alias = "llama_model_has_encoder")]
    pub has_encoder: bool,
    /// Whether there is a decoder, run by [`Context::decode`](crate::Context::decode).
    #[doc(alias = "llama_model_has_decoder")]
    pub has_decoder: bool,
    /// Whether the state is recurrent (Mamba, RWKV): it cannot be cut or shifted.
    #[doc(alias = "llama_model_is_recurrent")]
    pub is_recurrent: bool,
    /// Whether attention and recurrent layers are mixed (Jamba, Granite 4): the state cannot be cut or shifted.
    #[doc(alias = "llama_model_is_hybrid")]
    pub is_hybrid: bool,
    /// Whether it is a diffusion model.
    #[doc(alias = "llama_model_is_diffusion")]
    pub is_diffusion: bool,
    /// Whether a position of this model has several parts (M-RoPE), so that gaps between positions are allowed.
    #[doc(alias = "llama_model_rope_type")]
    pub is_mrope: bool,
    /// The token an encoder-decoder model starts its output with.
    #[doc(alias = "llama_model_decoder_start_token")]
    pub decoder_start: Option<Token>,
    /// Whether only the vocabulary was loaded.
    pub vocab_only: bool,
}

/// Copies what later reads need.
///
/// # Safety
///
/// `raw` is a live model.
pub(super) unsafe fn read(raw: NonNull<ffi::llama_model>, vocab_only: bool, notes: FileNotes) -> ModelFacts {
    let model = raw.as_ptr().cast_const();
    let count = |n: i32| u32::try_from(n).unwrap_or(0);
    // SAFETY: `model` is live by this function's contract, and every call below only reads it.
    unsafe {
        let vocab = ffi::llama_model_get_vocab(model);
        // C says 1 where there is no head, and reads past it where there are more labels than outputs.
        let n_cls_out = ffi::llama_model_n_cls_out(model);
        let n_cls_out = if u64::from(n_cls_out) <= notes.head_outputs { n_cls_out } else { 0 };
        let start = ffi::llama_model_decoder_start_token(model);
        let architecture = c"general.architecture";
        ModelFacts {
            description: text(|buffer, len| ffi::llama_model_desc(model, buffer, len)).unwrap_or_default(),
            architecture: text(|buffer, len| ffi::llama_model_meta_val_str(model, architecture.as_ptr(), buffer, len))
                .unwrap_or_default(),
            n_vocab: count(ffi::llama_vocab_n_tokens(vocab)),
            n_ctx_train: count(ffi::llama_model_n_ctx_train(model)),
            n_embd: count(ffi::llama_model_n_embd(model)),
            n_embd_out: count(ffi::llama_model_n_embd_out(model)),
            n_layer: count(ffi::llama_model_n_layer(model)),
            n_head: if vocab_only { 0 } else { count(ffi::llama_model_n_head(model)) },
            n_head_kv: if vocab_only { 0 } else { count(ffi::llama_model_n_head_kv(model)) },
            n_swa: count(ffi::llama_model_n_swa(model)),
            n_cls_out,
            cls_labels: (0..n_cls_out).map(|i| raw::string(ffi::llama_model_cls_label(model, i))).collect(),
            n_params: ffi::llama_model_n_params(model),
            size: ffi::llama_model_size(model),
            has_encoder: ffi::llama_model_has_encoder(model),
            has_decoder: ffi::llama_model_has_decoder(model),
            is_recurrent: ffi::llama_model_is_recurrent(model),
            is_hybrid: ffi::llama_model_is_hybrid(model),
            is_diffusion: ffi::llama_model_is_diffusion(model),
            is_mrope: matches!(
                ffi::llama_model_rope_type(model),
                ffi::LLAMA_ROPE_TYPE_MROPE | ffi::LLAMA_ROPE_TYPE_IMROPE | ffi::LLAMA_ROPE_TYPE_VISION
            ),
            decoder_start: (start >= 0).then_some(Token(start)),
            vocab_only,
        }
    }
}
