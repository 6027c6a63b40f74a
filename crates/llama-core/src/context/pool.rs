//! The threads that compute for a context: [`Pools`]. They stay from one graph to the next and keep a core only briefly
//! while they wait for each other.
//!
//! llama.cpp by itself starts threads for each graph, or keeps them with `ggml_threadpool_new`; both kinds wait for the
//! others of their graph without end, on a core that another program may have to leave first. The pool used here is made
//! by what `vendor/patches/0002-brief-waits.patch` adds. Where libllama lacks it, contexts do without.

use llama_sys as ffi;
use std::ffi::c_void;
use std::ptr::NonNull;

type New = unsafe extern "C" fn(n_threads: i32) -> *mut ffi::ggml_threadpool;
type Free = unsafe extern "C" fn(pool: *mut ffi::ggml_threadpool);

/// More threads than this are ended when less than half of them are wanted: each graph wakes all of a pool.
const FEW: i32 = 4;
/// Pools that stay while no decode succeeds. With so many, what is attached is kept, even if it has fewer threads.
const MOST_OLD: usize = 4;

/// The threads of one context.
#[derive(Default)]
pub(crate) struct Pools {
    now: Option<Pool>,
    /// Whether a graph may have been computed with it.
    used: bool,
    /// Those that may have been used before: ggml pauses the last one when it next computes, so they stay until then.
    old: Vec<Pool>,
}

impl Pools {
    /// Attaches threads for `n_threads`, the calling one among them. One alone needs no pool.
    ///
    /// # Safety
    ///
    /// The context is live, no call of it runs, and it is freed before these pools.
    pub(crate) unsafe fn fit(&mut self, ctx: *mut ffi::llama_context, n_threads: i32) {
        if n_threads <= 1 {
            // SAFETY: by this function's contract.
            return unsafe { ffi::llama_detach_threadpool(ctx) };
        }
        let has = self.now.as_ref().map_or(0, |pool| pool.n_threads);
        let mut before = None;
        let unfit = has < n_threads || has > FEW.max(2 * n_threads);
        if unfit && self.old.len() < MOST_OLD {
            let Some(pool) = Pool::new(n_threads) else { return };
            before = self.now.replace(pool);
        }
        if let Some(pool) = &self.now {
            // SAFETY: by this function's contract; the pool is live.
            unsafe { ffi::llama_attach_threadpool(ctx, pool.raw.as_ptr(), pool.raw.as_ptr()) };
        }
        // Nothing knows a pool any more that was attached and never used.
        if before.is_some() && std::mem::take(&mut self.used) {
            self.old.extend(before);
        }
    }

    /// The context has been asked to compute, and whether it did: then ggml knows no other pool than what is attached.
    pub(crate) fn asked(&mut self, done: bool) {
        self.used = true;
        if done {
            self.old.clear();
        }
    }
}

/// One pool; its threads end with it.
struct Pool {
    raw: NonNull<ffi::ggml_threadpool>,
    n_threads: i32,
    free: Free,
}

// SAFETY: a pool is used by the context it is attached to, which is used by one thread at a time; whichever thread calls
// ggml_graph_compute (ggml-cpu.c) is its worker 0, so it has no thread of its own.
unsafe impl Send for Pool {}
// SAFETY: `&Pool` gives out numbers and an address only.
unsafe impl Sync for Pool {}

impl Pool {
    /// `None` if libllama has no such pools.
    fn new(n_threads: i32) -> Option<Self> {
        let new = function(c"ggml_cpu_threadpool_new_brief")?;
        let free = function(c"ggml_threadpool_free")?;
        // SAFETY: the functions of these names have these types, by our patch and by ggml-cpu.h.
        let (new, free) = unsafe {
            (std::mem::transmute::<NonNull<c_void>, New>(new), std::mem::transmute::<NonNull<c_void>, Free>(free))
        };
        // SAFETY: any number from 1 to 512, which is all that `ContextParams` lets through.
        let raw = NonNull::new(unsafe { new(n_threads) })?;
        Some(Self { raw, n_threads, free })
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // SAFETY: made by `new` and freed once; the context that it was attached to is gone, or has computed with another.
        unsafe { (self.free)(self.raw.as_ptr()) };
    }
}

/// A function of ggml's CPU backend, which may be a library loaded at run time.
fn function(name: &std::ffi::CStr) -> Option<NonNull<c_void>> {
    // SAFETY: backends are registered, since there is a model, and live as long as the process; names are NUL-terminated.
    unsafe {
        let cpu = NonNull::new(ffi::ggml_backend_reg_by_name(c"CPU".as_ptr()))?;
        NonNull::new(ffi::ggml_backend_reg_get_proc_address(cpu.as_ptr(), name.as_ptr()))
    }
}
