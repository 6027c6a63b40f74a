//! Our kernels inside of ggml: against its own, product by product and as text.
//!
//! `-- --nocapture` shows the figures.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(clippy::print_stdout, reason = "figures that are shown, not judged")]

mod graph;
mod mapped;
mod quality;
mod text;

use crate::backend::{
    Backend, KernelsOff, kernels_in_use, kernels_want_file_layout, llama_cpp_source, set_kernels, why_no_kernels,
};
use crate::batch::{Batch, Want};
use crate::context::{Context, ContextParams};
use crate::ids::{Pos, SeqId, Token};
use crate::model::{Model, ModelParams};
use llama_sys as ffi;
use std::ffi::CString;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The switch is for the whole process.
fn alone() -> MutexGuard<'static, ()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    Backend::start();
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Switched on again at the end of a test, as it was.
struct Switch(#[expect(dead_code, reason = "held")] MutexGuard<'static, ()>);

impl Switch {
    /// `None` on a processor, or with a libllama, that our kernels have nothing for; the pinned one has the hook.
    fn take() -> Option<Self> {
        let guard = alone();
        let on = set_kernels(true);
        assert!(on || why_no_kernels() != Some(KernelsOff::NoHook) || llama_cpp_source() != "pinned");
        on.then(|| Self(guard))
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        set_kernels(true);
    }
}

#[test]
fn the_pinned_build_has_the_hook_whatever_the_processor() {
    let _guard = alone();
    let has_place = super::give(None);
    set_kernels(true);
    assert!(has_place || llama_cpp_source() != "pinned");
}

#[test]
fn weights_stay_as_the_file_has_them_only_where_wide_prompts_are_ours_too() {
    let Some(_switch) = Switch::take() else { return };
    assert_eq!(kernels_want_file_layout(), kernels_in_use() == Some("AVX-512 VNNI"));
    set_kernels(false);
    assert!(!kernels_want_file_layout(), "they are off");
}

fn load(path: &Path) -> Model {
    Model::load(path, ModelParams::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn context(model: &Model) -> Context {
    let params = ContextParams { n_ctx: Some(1024), n_threads: Some(1), ..ContextParams::default() };
    Context::new(model, params).unwrap_or_else(|error| panic!("{error}"))
}

/// Writes a model again with other types of weights (`llama_ftype`); `pure` for all of them alike.
fn quantized(from: &Path, to: &Path, ftype: u32, pure: bool) {
    let path = |path: &Path| CString::new(path.to_str().unwrap()).unwrap();
    let (from, to) = (path(from), path(to));
    // SAFETY: paths are NUL-terminated, the parameters are upstream's own but for plain values; all outlive the call.
    let status = unsafe {
        let mut params = ffi::llama_model_quantize_default_params();
        params.nthread = 1;
        params.ftype = ftype as _;
        params.allow_requantize = true;
        params.pure_ = pure;
        ffi::llama_model_quantize(from.as_ptr(), to.as_ptr(), &raw const params)
    };
    assert_eq!(status, 0, "type {ftype}");
}

/// The logits after each of `tokens`, which follow what `seq` holds; `width` tokens at a time.
fn logits_of_each(context: &mut Context, tokens: &[Token], width: usize) -> Vec<Vec<f32>> {
    let mut rows = Vec::new();
    for piece in tokens.chunks(width) {
        let start = context.memory().unwrap().next_position(SeqId::ZERO).unwrap();
        let mut batch = Batch::new(piece.len());
        let own: Vec<_> = piece
            .iter()
            .zip(start.0..)
            .map(|(&token, at)| batch.push(token, Pos(at), SeqId::ZERO, Want::Output).unwrap())
            .collect();
        let outputs = context.decode(&mut batch).unwrap();
        rows.extend(own.into_iter().map(|row| outputs.row(row).unwrap().logits().unwrap().to_vec()));
    }
    rows
}

/// The best two tokens and their logits.
fn best_two(logits: &[f32]) -> [(usize, f32); 2] {
    let best = |but: usize| {
        let others = logits.iter().copied().enumerate().filter(|&(token, _)| token != but);
        others.reduce(|a, b| if b.1 > a.1 { b } else { a }).unwrap()
    };
    let first = best(usize::MAX);
    [first, best(first.0)]
}

fn apart(a: &[f32], b: &[f32]) -> f32 {
    assert!(a.iter().chain(b).all(|x| x.is_finite()));
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}
