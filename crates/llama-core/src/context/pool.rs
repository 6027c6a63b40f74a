//! The threads that compute for a context: [`Pools`]. They stay from one graph to the next, and keep a core only briefly
//! while they wait for one of them that another program keeps off its own.
//!
//! llama.cpp by itself starts threads for each graph, or keeps them with `ggml_threadpool_new`; both kinds wait for the
//! others of their graph without end, on a core that another program may have to leave first. The pool used here is made
//! by what `vendor/patches/0002-brief-waits.patch` adds. Where libllama lacks it, contexts do without.

use llama_sys as ffi;
use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::Once;

type New = unsafe extern "C" fn(n_threads: i32) -> *mut ffi::ggml_threadpool;
type Free = unsafe extern "C" fn(pool: *mut ffi::ggml_threadpool);

/// A pool with more threads than this is not used for less than half of them: each graph wakes all of a pool.
const FEW: i32 = 4;
/// Pools of one context: one for few threads and one for many, so that neither is made again when prompts and single tokens
/// take turns with numbers of their own.
const MOST: usize = 2;

/// The threads of one context.
#[derive(Default)]
pub(crate) struct Pools {
    kept: Vec<Pool>,
    /// The place of the one that is attached.
    attached: Option<usize>,
    /// Threads asked for last.
    wanted: i32,
}

impl Pools {
    /// Attaches threads for `n_threads`, the calling one among them. One alone needs no pool.
    ///
    /// Where no pool fits and ggml may know all that there are, the largest one is attached until [`Pools::asked`] finds that one
    /// of them can go.
    ///
    /// # Safety
    ///
    /// The context is live, no call of it runs, and it is freed before these pools.
    pub(crate) unsafe fn fit(&mut self, ctx: *mut ffi::llama_context, n_threads: i32) {
        self.wanted = n_threads;
        if n_threads <= 1 {
            self.attached = None;
            // SAFETY: by this function's contract.
            return unsafe { ffi::llama_detach_threadpool(ctx) };
        }
        let mut before = None;
        let place = match (self.fitting(), self.replaceable()) {
            (Some(place), _) => place,
            (None, Some(place)) => {
                let Some(pool) = Pool::new(n_threads) else { return };
                match self.kept.get_mut(place) {
                    Some(old) => before = Some(std::mem::replace(old, pool)),
                    None => self.kept.push(pool),
                }
                place
            }
            (None, None) => self.largest(),
        };
        self.attached = Some(place);
        let raw = self.kept[place].raw.as_ptr();
        // SAFETY: by this function's contract; the pool is live.
        unsafe { ffi::llama_attach_threadpool(ctx, raw, raw) };
        // Only now nothing knows it any more.
        drop(before);
    }

    /// The context has been asked to compute, and whether it did: then ggml knows no other pool than what is attached.
    ///
    /// # Safety
    ///
    /// As for [`Pools::fit`].
    pub(crate) unsafe fn asked(&mut self, ctx: *mut ffi::llama_context, done: bool) {
        for (place, pool) in self.kept.iter_mut().enumerate() {
            pool.known = self.attached == Some(place) || (pool.known && !done);
        }
        if done && self.attached.is_some_and(|place| !self.kept[place].fits(self.wanted)) {
            // SAFETY: the contract is the same.
            unsafe { self.fit(ctx, self.wanted) };
        }
    }

    /// The smallest pool that fits what is wanted.
    fn fitting(&self) -> Option<usize> {
        let fitting = (0..self.kept.len()).filter(|&place| self.kept[place].fits(self.wanted));
        fitting.min_by_key(|&place| self.kept[place].n_threads)
    }

    /// Where a new pool may be put: a free place, or that of a pool which ggml does not know; rather not the attached one, which
    /// was wanted last.
    fn replaceable(&self) -> Option<usize> {
        if self.kept.len() < MOST {
            return Some(self.kept.len());
        }
        let unknown = (0..self.kept.len()).filter(|&place| !self.kept[place].known);
        unknown.min_by_key(|&place| self.attached == Some(place))
    }

    /// The pool with most threads; there is one.
    fn largest(&self) -> usize {
        (0..self.kept.len()).max_by_key(|&place| self.kept[place].n_threads).unwrap_or(0)
    }
}

/// One pool; its threads end with it.
struct Pool {
    raw: NonNull<ffi::ggml_threadpool>,
    n_threads: i32,
    /// Whether ggml may have computed with it last: it pauses that pool when it next computes, so it has to live until then.
    known: bool,
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
        static TOLD: Once = Once::new();
        let functions = function(c"ggml_cpu_threadpool_new_brief").zip(function(c"ggml_threadpool_free"));
        if functions.is_none() {
            TOLD.call_once(|| {
                tracing::debug!("this libllama has no pools that wait briefly; each graph starts its threads");
            });
        }
        let (new, free) = functions?;
        // SAFETY: the functions of these names have these types, by our patch and by ggml-cpu.h.
        let (new, free) = unsafe {
            (std::mem::transmute::<NonNull<c_void>, New>(new), std::mem::transmute::<NonNull<c_void>, Free>(free))
        };
        // SAFETY: any number from 1 to 512, which is all that `ContextParams` lets through.
        let raw = NonNull::new(unsafe { new(n_threads) })?;
        Some(Self { raw, n_threads, known: false, free })
    }

    /// Whether `n_threads` of it can compute without waking many more.
    fn fits(&self, n_threads: i32) -> bool {
        (n_threads..=FEW.max(2 * n_threads)).contains(&self.n_threads)
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

#[cfg(test)]
mod tests;
