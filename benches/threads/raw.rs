//! Steps by raw calls, so that llama.cpp's ways to have threads can be chosen too: [`Steps`].

use llama_rs_benches::Failure;
use llama_sys as ffi;
use std::ffi::{CStr, CString, c_void};
use std::path::Path;
use std::ptr::{NonNull, null_mut};

/// How threads come to a graph and wait for each other in it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// A pool as llama.cpp's own programs have.
    Upstream,
    /// Started for each graph.
    OfGraph,
    /// As llama-core has them.
    Brief,
}

impl Waiting {
    pub(crate) const ALL: [Self; 3] = [Self::Upstream, Self::OfGraph, Self::Brief];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Upstream => "a pool that waits without end",
            Self::OfGraph => "started for each graph",
            Self::Brief => "a pool that waits briefly",
        }
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Threads {
    pub count: u32,
    pub waiting: Waiting,
}

/// `ggml_threadpool_params`
#[repr(C)]
struct PoolParams {
    cpumask: [bool; 512],
    n_threads: i32,
    priority: i32,
    poll: u32,
    strict_cpu: bool,
    paused: bool,
}

type New = unsafe extern "C" fn(*mut PoolParams) -> *mut ffi::ggml_threadpool;
type NewBrief = unsafe extern "C" fn(i32) -> *mut ffi::ggml_threadpool;
type Free = unsafe extern "C" fn(*mut ffi::ggml_threadpool);

/// A context and a batch of so many sequences of one token, or one prompt of so many tokens.
pub(crate) struct Steps {
    model: *mut ffi::llama_model,
    ctx: *mut ffi::llama_context,
    pool: *mut ffi::ggml_threadpool,
    rows: usize,
}

/// More rows than this are a prompt.
const SEQUENCES: usize = 16;

impl Steps {
    /// `None` if libllama has no such threads.
    pub(crate) fn new(path: &Path, threads: Threads, rows: usize) -> Result<Option<Self>, Failure> {
        let name = CString::new(path.to_str().ok_or("the path is not UTF-8")?)?;
        let count = i32::try_from(threads.count)?;
        // SAFETY: plain structs by value; the path is NUL-terminated; the model outlives its context.
        let (model, ctx) = unsafe {
            let mut params = ffi::llama_model_default_params();
            params.use_extra_bufts = llama_core::kernels_in_use().is_none();
            let model = ffi::llama_model_load_from_file(name.as_ptr(), params);
            if model.is_null() {
                return Err("cannot load the model".into());
            }
            let mut params = ffi::llama_context_default_params();
            params.n_ctx = 1024;
            params.n_seq_max = SEQUENCES as u32;
            params.kv_unified = true;
            params.n_threads = count;
            params.n_threads_batch = count;
            (model, ffi::llama_init_from_model(model, params))
        };
        if ctx.is_null() {
            return Err("cannot make a context".into());
        }
        let mut made = Self { model, ctx, pool: null_mut(), rows };
        if threads.waiting != Waiting::OfGraph {
            let Some(pool) = pool(count, threads.waiting) else { return Ok(None) };
            made.pool = pool;
            // SAFETY: both are live; the pool is freed after the context.
            unsafe { ffi::llama_attach_threadpool(ctx, pool, pool) };
        }
        Ok(Some(made))
    }

    pub(crate) fn rewind(&mut self) {
        // SAFETY: the context is live and has a memory.
        unsafe { ffi::llama_memory_clear(ffi::llama_get_memory(self.ctx), false) };
    }

    pub(crate) fn run(&mut self, steps: usize) -> Result<(), Failure> {
        let n = self.rows;
        let prompt = n > SEQUENCES;
        let mut n_seq_id = vec![1_i32; n];
        let mut ids: Vec<i32> = (0..n).map(|row| if prompt { 0 } else { row as i32 }).collect();
        let mut seq_id: Vec<*mut i32> = ids.iter_mut().map(|id| id as *mut i32).collect();
        let mut logits: Vec<i8> = (0..n).map(|row| i8::from(!prompt || row + 1 == n)).collect();
        for step in 0..steps {
            let mut token: Vec<i32> = (0..n).map(|row| (300 + 11 * row + 7 * step) as i32 % 256 + 8).collect();
            let mut pos: Vec<i32> = (0..n).map(|row| if prompt { row as i32 } else { step as i32 }).collect();
            let batch = ffi::llama_batch {
                n_tokens: n as i32,
                token: token.as_mut_ptr(),
                embd: null_mut(),
                pos: pos.as_mut_ptr(),
                n_seq_id: n_seq_id.as_mut_ptr(),
                seq_id: seq_id.as_mut_ptr(),
                logits: logits.as_mut_ptr(),
            };
            // SAFETY: the context is live and the batch points to locals of its length.
            let status = unsafe { ffi::llama_decode(self.ctx, batch) };
            if status != 0 {
                return Err(format!("llama_decode returned {status}").into());
            }
            // SAFETY: the last row has logits; the call waits for them.
            unsafe { ffi::llama_get_logits_ith(self.ctx, -1) };
        }
        Ok(())
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        // SAFETY: each was made in `new` and is freed once, users first.
        unsafe {
            ffi::llama_free(self.ctx);
            if let Some(free) = function(c"ggml_threadpool_free").filter(|_| !self.pool.is_null()) {
                std::mem::transmute::<NonNull<c_void>, Free>(free)(self.pool);
            }
            ffi::llama_model_free(self.model);
        }
    }
}

fn pool(n_threads: i32, waiting: Waiting) -> Option<*mut ffi::ggml_threadpool> {
    // SAFETY: the functions of these names have these types; parameters are a live local, as ggml's own defaults are.
    let pool = unsafe {
        if waiting == Waiting::Brief {
            let new = function(c"ggml_cpu_threadpool_new_brief")?;
            std::mem::transmute::<NonNull<c_void>, NewBrief>(new)(n_threads)
        } else {
            let new = function(c"ggml_threadpool_new")?;
            let mut params = PoolParams {
                cpumask: [false; 512],
                n_threads,
                priority: 0,
                poll: 50,
                strict_cpu: false,
                paused: false,
            };
            std::mem::transmute::<NonNull<c_void>, New>(new)(&raw mut params)
        }
    };
    (!pool.is_null()).then_some(pool)
}

fn function(name: &CStr) -> Option<NonNull<c_void>> {
    // SAFETY: backends are registered and live as long as the process; names are NUL-terminated.
    unsafe {
        let cpu = NonNull::new(ffi::ggml_backend_reg_by_name(c"CPU".as_ptr()))?;
        NonNull::new(ffi::ggml_backend_reg_get_proc_address(cpu.as_ptr(), name.as_ptr()))
    }
}
