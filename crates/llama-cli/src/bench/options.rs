//! How something was computed, as every row of `bench` tells it: [`Options`]. Its names are those of `llama-bench`.

use llama_runtime::{FlashAttention, GpuLayers};
use serde::Serialize;

use super::lists::name;
use super::matrix::Case;

/// The part of a row that the flags decide.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Options {
    pub(super) n_batch: u32,
    /// What was computed at once: a call that is shorter makes it less.
    pub(super) n_ubatch: u32,
    pub(super) n_threads: u32,
    pub(super) n_threads_batch: u32,
    pub(super) type_k: String,
    pub(super) type_v: String,
    /// -1 for all.
    pub(super) n_gpu_layers: i64,
    pub(super) no_kv_offload: bool,
    /// 0 off, 1 on, -1 where llama.cpp decides.
    pub(super) flash_attn: i32,
    pub(super) load_mode: String,
    pub(super) no_op_offload: bool,
    pub(super) repack: bool,
}

impl Options {
    /// Those of a way to compute, with the threads that are used: for answers, and for prompts.
    pub(super) fn of(case: &Case, threads: (u32, u32)) -> Self {
        let (load, layout) = (&case.load, &case.layout);
        Self {
            n_batch: layout.n_batch,
            n_ubatch: layout.at_once(),
            n_threads: threads.0,
            n_threads_batch: threads.1,
            type_k: name(layout.type_k),
            type_v: name(layout.type_v),
            n_gpu_layers: match load.gpu_layers {
                GpuLayers::All => -1,
                GpuLayers::AtMost(layers) => layers.into(),
            },
            no_kv_offload: !layout.kv_offload,
            flash_attn: match layout.flash {
                FlashAttention::Off => 0,
                FlashAttention::On => 1,
                FlashAttention::Auto => -1,
            },
            load_mode: name(load.load_mode),
            no_op_offload: !layout.op_offload,
            repack: load.repack,
        }
    }
}
