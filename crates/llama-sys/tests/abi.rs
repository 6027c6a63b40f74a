//! The declarations against the linked library: sizes are asserted in `bindings.rs` at compile time and by
//! C++ at build time; what a library says about itself at run time is read back here.
#![allow(clippy::undocumented_unsafe_blocks, reason = "every call takes no pointer but one to a live local value")]

use std::ffi::CStr;
use std::mem::{offset_of, size_of};

use llama_sys as ffi;

#[test]
fn model_defaults_are_read_back_at_the_declared_places() {
    let params = unsafe { ffi::llama_model_default_params() };
    assert!(params.devices.is_null());
    assert_eq!(params.n_gpu_layers, -1);
    assert_eq!(params.split_mode, ffi::LLAMA_SPLIT_MODE_LAYER);
    assert_eq!(params.main_gpu, 0);
    assert!(params.progress_callback.is_none());
    assert!(params.kv_overrides.is_null());
    assert!(!params.vocab_only && !params.check_tensors && !params.no_host && !params.no_alloc);
    assert!(params.use_extra_bufts);
}

#[test]
fn context_defaults_are_read_back_at_the_declared_places() {
    let params = unsafe { ffi::llama_context_default_params() };
    assert_eq!((params.n_ctx, params.n_batch, params.n_ubatch, params.n_seq_max), (512, 2048, 512, 1));
    assert_eq!(params.pooling_type, ffi::LLAMA_POOLING_TYPE_UNSPECIFIED);
    assert_eq!(params.attention_type, ffi::LLAMA_ATTENTION_TYPE_UNSPECIFIED);
    assert_eq!(params.flash_attn_type, ffi::LLAMA_FLASH_ATTN_TYPE_AUTO);
    assert_eq!((params.type_k, params.type_v), (ffi::GGML_TYPE_F16, ffi::GGML_TYPE_F16));
    assert_eq!((params.yarn_ext_factor, params.yarn_beta_fast), (-1.0, -1.0));
    assert!(params.abort_callback.is_none() && params.cb_eval.is_none());
    assert!(params.offload_kqv && params.no_perf && params.op_offload && !params.embeddings);
}

#[test]
fn quantize_and_chain_defaults_are_read_back() {
    let quantize = unsafe { ffi::llama_model_quantize_default_params() };
    assert_eq!(quantize.nthread, 0);
    assert_eq!(quantize.output_tensor_type, ffi::GGML_TYPE_COUNT);
    assert!(quantize.quantize_output_tensor && !quantize.pure_ && !quantize.allow_requantize);
    let chain = unsafe { ffi::llama_sampler_chain_default_params() };
    assert!(chain.no_perf);
}

#[test]
fn a_batch_by_value_comes_back_as_it_was_made() {
    let mut token = 7;
    let batch = unsafe { ffi::llama_batch_get_one(&mut token, 1) };
    assert_eq!(batch.n_tokens, 1);
    assert_eq!(batch.token, &raw mut token);
    assert!(batch.embd.is_null() && batch.pos.is_null() && batch.seq_id.is_null() && batch.logits.is_null());
}

#[test]
fn plain_structures_have_the_layout_of_c() {
    assert_eq!(size_of::<ffi::llama_token_data>(), 12);
    assert_eq!(offset_of!(ffi::llama_token_data, p), 8);
    assert_eq!(size_of::<ffi::llama_logit_bias>(), 8);
    assert_eq!(size_of::<ffi::llama_token>(), 4);
}

#[test]
fn the_library_names_its_version_and_types() {
    let version = unsafe { CStr::from_ptr(ffi::llama_version()) };
    assert!(version.to_bytes().first().is_some_and(u8::is_ascii_digit), "{version:?}");
    let name = unsafe { CStr::from_ptr(ffi::ggml_type_name(ffi::GGML_TYPE_Q8_0)) };
    assert_eq!(name, c"q8_0");
}

#[test]
fn the_shim_is_linked() {
    unsafe { ffi::lrs_string_free(std::ptr::null_mut()) };
    let reason = unsafe { ffi::lrs_last_error() };
    assert!(!reason.is_null());
}

#[test]
fn the_crate_says_what_was_built() {
    assert!(ffi::SOURCE == "pinned" || ffi::SOURCE.starts_with("checkout ") || ffi::SOURCE.starts_with("installed "));
    assert!(!ffi::BUILD_INFO.is_empty());
    assert!(ffi::PINNED_VERSION.starts_with(|c: char| c.is_ascii_digit()));
}
