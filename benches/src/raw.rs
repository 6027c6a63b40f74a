//! The decode loop over raw calls: what a careful C program would do, with the parameters of the loops it is compared
//! with.

use crate::{Contender, Failure};
use llama_core::Token;
use llama_sys as ffi;
use std::ffi::CString;
use std::path::Path;
use std::ptr::null_mut;

/// What all loops of a comparison have in common.
#[derive(Debug, Clone)]
pub struct Task<'a> {
    /// The model.
    pub model: &'a Path,
    /// Threads that compute.
    pub threads: u32,
    /// Tokens of the context.
    pub n_ctx: u32,
    /// What is in the KV cache, but for its last token, when a run starts. Not empty.
    pub prompt: Vec<Token>,
    /// Tokens that a run computes and samples.
    pub steps: usize,
}

/// A model loaded by raw calls, for its vocabulary alone or as a whole.
#[derive(Debug)]
pub struct RawModel(*mut ffi::llama_model);

impl RawModel {
    /// Loads a model as llama-core does by default.
    ///
    /// # Errors
    ///
    /// A path with NUL, and a model that llama.cpp refuses.
    pub fn load(path: &Path, vocab_only: bool) -> Result<Self, Failure> {
        let name = CString::new(path.to_str().ok_or("the path is not UTF-8")?)?;
        // SAFETY: returns a plain struct by value.
        let mut params = unsafe { ffi::llama_model_default_params() };
        params.vocab_only = vocab_only;
        // SAFETY: the path is NUL-terminated and outlives the call; the parameters are upstream's own.
        let model = unsafe { ffi::llama_model_load_from_file(name.as_ptr(), params) };
        if model.is_null() { Err(format!("cannot load {}", path.display()).into()) } else { Ok(Self(model)) }
    }

    /// Its vocabulary, good as long as the model.
    pub fn vocab(&self) -> *const ffi::llama_vocab {
        // SAFETY: the model is live.
        unsafe { ffi::llama_model_get_vocab(self.0) }
    }
}

impl Drop for RawModel {
    fn drop(&mut self) {
        // SAFETY: made by `load` and freed once; users of it are dropped before.
        unsafe { ffi::llama_model_free(self.0) };
    }
}

/// The loop: `llama_decode` on one token, `llama_sampler_sample` with a greedy chain, `llama_vocab_is_eog`.
#[derive(Debug)]
pub struct RawLoop {
    ctx: *mut ffi::llama_context,
    chain: *mut ffi::llama_sampler,
    vocab: *const ffi::llama_vocab,
    last: ffi::llama_token,
    start: ffi::llama_pos,
    steps: usize,
    /// Declared last: freed after everything above.
    _model: RawModel,
}

impl RawLoop {
    /// Loads the model, makes context and sampler, and computes the prompt.
    ///
    /// # Errors
    ///
    /// What llama.cpp refuses.
    pub fn new(task: &Task<'_>) -> Result<Self, Failure> {
        let model = RawModel::load(task.model, false)?;
        // SAFETY: returns a plain struct by value.
        let mut params = unsafe { ffi::llama_context_default_params() };
        let threads = i32::try_from(task.threads)?;
        params.n_ctx = task.n_ctx;
        params.n_threads = threads;
        params.n_threads_batch = threads;
        // The defaults of llama-core where they are not upstream's.
        params.swa_full = false;
        params.kv_unified = false;
        // SAFETY: the model is live and nothing else uses it.
        let ctx = unsafe { ffi::llama_init_from_model(model.0, params) };
        let vocab = model.vocab();
        let last = task.prompt.last().ok_or("the prompt is empty")?.0;
        let start = i32::try_from(task.prompt.len() - 1)?;
        // SAFETY: constructors without preconditions; the chain owns the stage.
        let chain = unsafe {
            let mut chain_params = ffi::llama_sampler_chain_default_params();
            chain_params.no_perf = true;
            let chain = ffi::llama_sampler_chain_init(chain_params);
            ffi::llama_sampler_chain_add(chain, ffi::llama_sampler_init_greedy());
            chain
        };
        let made = Self { ctx, chain, vocab, last, start, steps: task.steps, _model: model };
        if made.ctx.is_null() {
            return Err("cannot make a context".into());
        }
        made.compute_prompt(&task.prompt)?;
        Ok(made)
    }

    fn compute_prompt(&self, prompt: &[Token]) -> Result<(), Failure> {
        let mut ids: Vec<ffi::llama_token> = prompt.iter().map(|token| token.0).collect();
        let n = i32::try_from(ids.len())?;
        // SAFETY: the context is live; the batch points to `ids`, which outlives the call.
        let status = unsafe { ffi::llama_decode(self.ctx, ffi::llama_batch_get_one(ids.as_mut_ptr(), n)) };
        decoded(status)
    }
}

impl Contender for RawLoop {
    fn rewind(&mut self) -> Result<(), Failure> {
        // SAFETY: the context is live and has a memory.
        let done = unsafe { ffi::llama_memory_seq_rm(ffi::llama_get_memory(self.ctx), 0, self.start, -1) };
        if done { Ok(()) } else { Err("the KV cache cannot be cut back".into()) }
    }

    fn run(&mut self) -> Result<Vec<i32>, Failure> {
        let mut tokens = Vec::with_capacity(self.steps);
        let (mut token, mut pos) = (self.last, self.start);
        let (mut n_seq, mut seq, mut want) = (1, 0, 1_i8);
        let mut seqs: *mut ffi::llama_seq_id = &raw mut seq;
        let mut ended = 0;
        for _ in 0..self.steps {
            let batch = ffi::llama_batch {
                n_tokens: 1,
                token: &raw mut token,
                embd: null_mut(),
                pos: &raw mut pos,
                n_seq_id: &raw mut n_seq,
                seq_id: &raw mut seqs,
                logits: &raw mut want,
            };
            // SAFETY: the context is live and the batch points to locals; position and sequence follow the cache.
            decoded(unsafe { ffi::llama_decode(self.ctx, batch) })?;
            // SAFETY: the last decode made one row; it also tells the chain of the token.
            token = unsafe { ffi::llama_sampler_sample(self.chain, self.ctx, -1) };
            // SAFETY: the vocabulary lives as long as the model.
            ended += usize::from(unsafe { ffi::llama_vocab_is_eog(self.vocab, token) });
            tokens.push(token);
            pos += 1;
        }
        // An end is looked for, as in a program, but the run goes on: every run has the same length.
        std::hint::black_box(ended);
        Ok(tokens)
    }
}

impl Drop for RawLoop {
    fn drop(&mut self) {
        // SAFETY: both were made in `new` and are freed once, before the model; null is taken by both.
        unsafe {
            ffi::llama_sampler_free(self.chain);
            ffi::llama_free(self.ctx);
        }
    }
}

fn decoded(status: i32) -> Result<(), Failure> {
    if status == 0 { Ok(()) } else { Err(format!("llama_decode returned {status}").into()) }
}
