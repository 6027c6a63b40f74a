//! A KV cache and compute buffers over a model: [`Context`].

mod adapters;
mod limits;
mod params;
mod pool;

pub use params::{Attention, CacheType, ContextParams, FlashAttention, Pooling, RopeScaling, RopeScalingKind};

use crate::adapter::LoraAdapter;
use crate::log::Capture;
use crate::model::Model;
use crate::raw;
use limits::{check_size, fit_batches, keys_rotate};
use llama_sys as ffi;
use pool::Pools;
use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A KV cache and compute buffers over a model.
///
/// `Send`, not `Sync`: it may move between threads, but one call runs at a time. It keeps its model alive. Two contexts
/// of one model may work at the same time on two threads.
#[doc(alias = "llama_context")]
pub struct Context {
    raw: NonNull<ffi::llama_context>,
    facts: ContextFacts,
    abort: Arc<AbortState>,
    /// What a saved state of this context depends on.
    pub(crate) cache: CacheLayout,
    /// Which tokens of the last decode have an output, and the stamp of its batch.
    pub(crate) last: LastDecode,
    /// In use by C; the scale of each is C's copy.
    adapters: Vec<LoraAdapter>,
    /// Whether an encoder has run, for models whose decoder needs it.
    pub(crate) encoded: bool,
    /// Whether positions were moved and the keys are rotated by the next decode.
    pub(crate) shift_pending: bool,
    /// Whether a sequence was copied to another cache and the bytes are moved by the next decode.
    pub(crate) copy_pending: bool,
    /// Whether cells of the KV cache may belong to several sequences.
    pub(crate) cells_shared: bool,
    pools: Pools,
    model: Model,
}

// SAFETY: a llama_context has no thread affinity: its threads are its own and CPU, CUDA, Metal and Vulkan buffers may
// be used from any one thread at a time, which `&mut self` ensures.
unsafe impl Send for Context {}

/// What the context really has, which may differ from what was asked for.
#[derive(Debug, Clone, Copy)]
struct ContextFacts {
    n_ctx: u32,
    n_ctx_seq: u32,
    n_batch: u32,
    n_ubatch: u32,
    n_seq_max: u32,
    pooling: ffi::llama_pooling_type,
    embeddings: bool,
    causal: bool,
    has_memory: bool,
    kv_unified: bool,
    keys_rotate: bool,
}

/// What the parameters say about the numbers in the cache.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CacheLayout {
    pub(crate) k: CacheType,
    pub(crate) v: CacheType,
    pub(crate) swa_full: bool,
    pub(crate) rope: RopeScaling,
}

/// What the rows of the last successful decode are.
#[derive(Debug, Default)]
pub(crate) struct LastDecode {
    pub(crate) stamp: u64,
    pub(crate) wants: Vec<i8>,
    pub(crate) has_logits: bool,
}

/// Why a context was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContextError {
    /// A field of [`ContextParams`] makes no sense.
    #[error("context parameter `{name}` {why}")]
    InvalidParam {
        /// The field.
        name: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// Only the vocabulary of the model was loaded.
    #[error("the model was loaded with vocab_only, so nothing can be computed with it; load it whole")]
    VocabOnly,
    /// The KV cache alone would not fit into the memory of the machine.
    #[error(
        "a context of {n_ctx} tokens needs about {needed} bytes for the KV cache, the machine has {available}; ask for fewer tokens"
    )]
    TooLarge {
        /// Tokens asked for.
        n_ctx: u32,
        /// Estimated bytes.
        needed: u64,
        /// Bytes of all devices.
        available: u64,
    },
    /// llama.cpp refused; the reason is what it logged.
    #[error("cannot make a context: {reason}")]
    Refused {
        /// llama.cpp's own words.
        reason: String,
    },
}

impl Context {
    /// Makes a context. Memory for the KV cache and for computing is taken now.
    ///
    /// # Errors
    ///
    /// [`ContextError`]; nothing stays allocated.
    #[doc(alias = "llama_init_from_model")]
    #[doc(alias = "llama_free")]
    pub fn new(model: &Model, params: ContextParams) -> Result<Self, ContextError> {
        if model.facts().vocab_only {
            return Err(ContextError::VocabOnly);
        }
        let mut params = params;
        // Otherwise upstream cuts a batch with sequences of different lengths up, and pools only the last part of each.
        params.kv_unified |= params.embeddings && !matches!(params.pooling, Pooling::None | Pooling::Last);
        let mut raw_params = params.to_raw()?;
        if !model.facts().is_recurrent {
            let (key_width, value_width) = model.head_widths();
            params.check_blocks(key_width, value_width)?;
        }
        check_size(model, &params)?;
        let abort = Arc::new(AbortState::default());
        raw_params.abort_callback = Some(on_abort);
        raw_params.abort_callback_data = Arc::as_ptr(&abort).cast_mut().cast();
        let raw = make(model, raw_params)?;
        // SAFETY: `raw` was just made and is not shared yet.
        let mut facts = unsafe { facts(raw, &params) };
        facts.keys_rotate = keys_rotate(model, params.cache_k);
        let cache = CacheLayout { k: params.cache_k, v: params.cache_v, swa_full: params.swa_full, rope: params.rope };
        let mut context = Self {
            raw,
            facts,
            abort,
            cache,
            last: LastDecode::default(),
            adapters: Vec::new(),
            encoded: false,
            shift_pending: false,
            copy_pending: false,
            cells_shared: false,
            pools: Pools::default(),
            model: model.clone(),
        };
        context.fit_pool(raw_params.n_threads.max(raw_params.n_threads_batch));
        // Known only now if it was left to the model. C would read scores that are not there.
        if context.pooling() == Pooling::Rank && model.facts().n_cls_out == 0 {
            let why = "is Rank, but the model has no classification head (or names more labels than that has outputs)";
            return Err(ContextError::InvalidParam { name: "pooling", why: why.to_owned() });
        }
        Ok(context)
    }

    /// The model it works on.
    #[doc(alias = "llama_get_model")]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// KV cells in tokens, for all sequences together.
    #[doc(alias = "llama_n_ctx")]
    pub fn n_ctx(&self) -> u32 {
        self.facts.n_ctx
    }

    /// KV cells in tokens that one sequence can use.
    #[doc(alias = "llama_n_ctx_seq")]
    pub fn n_ctx_seq(&self) -> u32 {
        self.facts.n_ctx_seq
    }

    /// Most tokens of one decode.
    #[doc(alias = "llama_n_batch")]
    pub fn n_batch(&self) -> u32 {
        self.facts.n_batch
    }

    /// Most tokens computed at once.
    #[doc(alias = "llama_n_ubatch")]
    pub fn n_ubatch(&self) -> u32 {
        self.facts.n_ubatch
    }

    /// Sequences; valid ids are below it.
    #[doc(alias = "llama_n_seq_max")]
    pub fn n_seq_max(&self) -> u32 {
        self.facts.n_seq_max
    }

    /// Whether tokens see earlier tokens only.
    #[doc(alias = "llama_get_causal_attn")]
    pub fn is_causal(&self) -> bool {
        self.facts.causal
    }

    /// Whether embeddings are output.
    pub fn has_embeddings(&self) -> bool {
        self.facts.embeddings
    }

    /// Whether sequences share one pool of cells.
    pub fn is_kv_unified(&self) -> bool {
        self.facts.kv_unified
    }

    /// What the rows of a sequence are combined into; never [`Pooling::AsModelWants`].
    #[doc(alias = "llama_pooling_type")]
    pub fn pooling(&self) -> Pooling {
        match self.facts.pooling {
            ffi::LLAMA_POOLING_TYPE_MEAN => Pooling::Mean,
            ffi::LLAMA_POOLING_TYPE_CLS => Pooling::Cls,
            ffi::LLAMA_POOLING_TYPE_LAST => Pooling::Last,
            ffi::LLAMA_POOLING_TYPE_RANK => Pooling::Rank,
            _ => Pooling::None,
        }
    }

    /// Whether there is a KV cache or a recurrent state; encoders have none.
    pub fn has_memory(&self) -> bool {
        self.facts.has_memory
    }

    /// Sets the number of threads, 1 to 512 each: for decodes of one token, and for those of more. Cheap where
    /// two numbers take turns; for others, far from both, threads are started and some ended.
    ///
    /// # Errors
    ///
    /// [`ContextError::InvalidParam`]; nothing is changed.
    #[doc(alias = "llama_set_n_threads")]
    pub fn set_threads(&mut self, n_threads: u32, n_threads_batch: u32) -> Result<(), ContextError> {
        let params = ContextParams {
            n_threads: Some(n_threads),
            n_threads_batch: Some(n_threads_batch),
            ..ContextParams::default()
        };
        let checked = params.to_raw()?;
        // SAFETY: the context is live, and `&mut self` means no other call runs.
        unsafe { ffi::llama_set_n_threads(self.as_ptr(), checked.n_threads, checked.n_threads_batch) };
        self.fit_pool(checked.n_threads.max(checked.n_threads_batch));
        Ok(())
    }

    /// Threads that compute single tokens, and prompts.
    #[doc(alias = "llama_n_threads")]
    #[doc(alias = "llama_n_threads_batch")]
    pub fn threads(&self) -> (u32, u32) {
        let count = |n: i32| u32::try_from(n).unwrap_or(0);
        // SAFETY: the context is live, and `Context` is not `Sync`, so no other call changes them.
        unsafe { (count(ffi::llama_n_threads(self.as_ptr())), count(ffi::llama_n_threads_batch(self.as_ptr()))) }
    }

    fn fit_pool(&mut self, n_threads: i32) {
        // SAFETY: the context is live and no call runs; the pools are freed after it.
        unsafe { self.pools.fit(self.raw.as_ptr(), n_threads) };
    }

    /// After each call that computes, and whether it did.
    pub(crate) fn note_computed(&mut self, done: bool) {
        // SAFETY: as in `fit_pool`.
        unsafe { self.pools.asked(self.raw.as_ptr(), done) };
    }

    /// A handle that stops decodes of this context from another thread.
    pub fn abort_handle(&self) -> AbortHandle {
        AbortHandle { state: Arc::clone(&self.abort) }
    }

    /// Forgets an abort: decodes work again. An abort asked for before this call has no effect afterwards.
    pub fn clear_abort(&mut self) {
        self.abort.current.fetch_add(1, Ordering::SeqCst);
    }

    /// Whether an abort was asked for and not cleared.
    pub fn is_aborted(&self) -> bool {
        self.abort.is_aborted()
    }

    /// Whether the format of the keys allows them to be rotated after they were stored.
    pub(crate) fn keys_rotate(&self) -> bool {
        self.facts.keys_rotate
    }

    /// While the guard lives, aborts wait if keys have to be rotated: an abort in the middle would leave some rotated and
    /// some not, and nobody could tell which.
    pub(crate) fn shield_shift(&self) -> Shield {
        self.abort.shielded.store(self.shift_pending, Ordering::SeqCst);
        Shield(Arc::clone(&self.abort))
    }

    pub(crate) fn as_ptr(&self) -> *mut ffi::llama_context {
        self.raw.as_ptr()
    }
}

/// Ends the shield of [`Context::shield_shift`].
pub(crate) struct Shield(Arc<AbortState>);

impl Drop for Shield {
    fn drop(&mut self) {
        self.0.shielded.store(false, Ordering::SeqCst);
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("model", &self.model).field("facts", &self.facts).finish_non_exhaustive()
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        let _setup = self.model.lock_setup();
        // SAFETY: made by `make` and freed once; the model outlives it, since `model` is dropped after this.
        unsafe { ffi::llama_free(self.raw.as_ptr()) };
    }
}

/// Stops decodes of one context, from any thread. Cheap to clone; harmless after the context is gone.
///
/// An abort holds for what the context is doing now, up to the next [`Context::clear_abort`]: it can never hit work
/// that starts after that. On CPU and Metal a running decode stops within one operation of the graph; on other devices
/// it stops between micro-batches. The first decode after a [`Memory::shift`](crate::Memory::shift) is finished first.
#[doc(alias = "llama_set_abort_callback")]
#[derive(Debug, Clone)]
pub struct AbortHandle {
    state: Arc<AbortState>,
}

impl AbortHandle {
    /// Asks the context to stop.
    pub fn abort(&self) {
        self.state.aborted.store(self.state.current.load(Ordering::SeqCst), Ordering::SeqCst);
    }

    /// Whether the context was asked to stop and has not been told to go on since.
    pub fn is_aborted(&self) -> bool {
        self.state.is_aborted()
    }
}

/// Two generation numbers instead of a flag, so that a late abort cannot hit the next piece of work.
#[derive(Debug)]
struct AbortState {
    current: AtomicU64,
    aborted: AtomicU64,
    shielded: AtomicBool,
}

impl Default for AbortState {
    fn default() -> Self {
        Self { current: AtomicU64::new(1), aborted: AtomicU64::new(0), shielded: AtomicBool::new(false) }
    }
}

impl AbortState {
    fn is_aborted(&self) -> bool {
        self.aborted.load(Ordering::Relaxed) == self.current.load(Ordering::Relaxed)
    }
}

extern "C" fn on_abort(data: *mut c_void) -> bool {
    // SAFETY: `data` is the `AbortState` of the context that is computing, which holds an `Arc` of it until it is freed.
    let state = unsafe { &*data.cast::<AbortState>() };
    state.is_aborted() && !state.shielded.load(Ordering::Relaxed)
}

/// Makes a C context; the caller frees it under the setup lock.
pub(crate) fn make(
    model: &Model,
    mut params: ffi::llama_context_params,
) -> Result<NonNull<ffi::llama_context>, ContextError> {
    fit_batches(model, &mut params)?;
    let capture = Capture::start();
    let mut raw = std::ptr::null_mut();
    let result = {
        let _setup = model.lock_setup();
        // SAFETY: the model is live, the lock keeps other writers away, and the callback data outlives the context.
        raw::check(unsafe { ffi::lrs_context_new(model.as_ptr(), params, &raw mut raw) })
    };
    let log = capture.finish();
    match (result, NonNull::new(raw)) {
        (Ok(()), Some(raw)) => Ok(raw),
        (result, _) => Err(ContextError::Refused { reason: raw::explain(result, &log) }),
    }
}

/// # Safety
///
/// `raw` is a live context that no other call uses.
unsafe fn facts(raw: NonNull<ffi::llama_context>, params: &ContextParams) -> ContextFacts {
    let ctx = raw.as_ptr();
    // SAFETY: `ctx` is live by this function's contract; every call below only reads it.
    unsafe {
        ContextFacts {
            n_ctx: ffi::llama_n_ctx(ctx),
            n_ctx_seq: ffi::llama_n_ctx_seq(ctx),
            n_batch: ffi::llama_n_batch(ctx),
            n_ubatch: ffi::llama_n_ubatch(ctx),
            n_seq_max: ffi::llama_n_seq_max(ctx),
            pooling: ffi::llama_pooling_type(ctx),
            embeddings: params.embeddings,
            causal: ffi::llama_get_causal_attn(ctx),
            has_memory: !ffi::llama_get_memory(ctx).is_null(),
            kv_unified: params.kv_unified,
            keys_rotate: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_abort_cannot_hit_work_that_starts_later() {
        let state = Arc::new(AbortState::default());
        let handle = AbortHandle { state: Arc::clone(&state) };
        assert!(!handle.is_aborted());
        handle.abort();
        assert!(state.is_aborted());
        state.current.fetch_add(1, Ordering::SeqCst);
        assert!(!state.is_aborted(), "cleared");
        // A stale abort: it read the generation before the clear, and stores it after.
        state.aborted.store(1, Ordering::SeqCst);
        assert!(!state.is_aborted());
    }
}
