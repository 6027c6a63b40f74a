//! One product of ggml's, with and without our kernels.
#![cfg(not(feature = "dynamic-backends"))]

use super::Switch;
use llama_kernels::{Kind, hook};
use llama_testkit::random::Random;
use std::ffi::{c_int, c_void};
use std::ptr::null;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// `struct ggml_init_params`
#[repr(C)]
struct InitParams {
    mem_size: usize,
    mem_buffer: *mut c_void,
    no_alloc: bool,
}

// Not bound by llama-sys, because nothing but this test builds graphs; as in ggml.h and ggml-cpu.h.
unsafe extern "C" {
    fn ggml_init(params: InitParams) -> *mut c_void;
    fn ggml_free(ctx: *mut c_void);
    fn ggml_new_tensor_2d(ctx: *mut c_void, ty: c_int, ne0: i64, ne1: i64) -> *mut c_void;
    fn ggml_get_data(tensor: *const c_void) -> *mut c_void;
    fn ggml_mul_mat(ctx: *mut c_void, a: *mut c_void, b: *mut c_void) -> *mut c_void;
    fn ggml_new_graph(ctx: *mut c_void) -> *mut c_void;
    fn ggml_build_forward_expand(graph: *mut c_void, tensor: *mut c_void);
    fn ggml_graph_compute_with_ctx(ctx: *mut c_void, graph: *mut c_void, n_threads: c_int) -> c_int;
    fn ggml_quantize_chunk(
        ty: c_int,
        src: *const f32,
        dst: *mut c_void,
        start: i64,
        n_rows: i64,
        n_per_row: i64,
        imatrix: *const f32,
    ) -> usize;
}

/// Tasks that our kernels computed, counted once per thread.
static COMPUTED: AtomicUsize = AtomicUsize::new(0);

unsafe extern "C" fn counting(task: *const hook::Task) -> bool {
    // SAFETY: the caller's promise is passed on.
    let taken = unsafe { hook::mul_mat(task) };
    COMPUTED.fetch_add(usize::from(taken), Ordering::Relaxed);
    taken
}

const GGML_F32: c_int = 0;

/// A product of floats, of which the weights are quantized.
struct Given {
    kind: Kind,
    n_values: usize,
    weights: Vec<f32>,
    columns: Vec<f32>,
}

impl Given {
    fn new(kind: Kind, n_values: usize, n_rows: usize, n_columns: usize) -> Self {
        let mut random = Random::new((n_rows * 100 + n_columns) as u64);
        let mut floats = |n: usize| (0..n).map(|_| random.below(2001) as f32 * 1e-3 - 1.0).collect();
        Self { kind, n_values, weights: floats(n_values * n_rows), columns: floats(n_values * n_columns) }
    }

    fn rows(&self) -> usize {
        self.weights.len() / self.n_values
    }

    /// What ggml's CPU backend computes.
    fn by_ggml(&self, n_threads: c_int) -> Vec<f32> {
        let (n, rows) = (self.n_values as i64, self.rows() as i64);
        let columns = self.columns.len() as i64 / n;
        // SAFETY: a context with room for three tensors and a graph, freed at the end; copies are as long as the tensors.
        unsafe {
            let mem_size = 4 * (self.weights.len() + self.columns.len() + self.rows() * columns as usize) + (4 << 20);
            let ctx = ggml_init(InitParams { mem_size, mem_buffer: std::ptr::null_mut(), no_alloc: false });
            assert!(!ctx.is_null());
            let weights = ggml_new_tensor_2d(ctx, self.kind.ggml_id(), n, rows);
            let inputs = ggml_new_tensor_2d(ctx, GGML_F32, n, columns);
            let bytes = ggml_quantize_chunk(
                self.kind.ggml_id(),
                self.weights.as_ptr(),
                ggml_get_data(weights),
                0,
                rows,
                n,
                null(),
            );
            assert_eq!(bytes, self.kind.row_bytes(self.n_values) * self.rows());
            ggml_get_data(inputs).cast::<f32>().copy_from_nonoverlapping(self.columns.as_ptr(), self.columns.len());
            let product = ggml_mul_mat(ctx, weights, inputs);
            let graph = ggml_new_graph(ctx);
            ggml_build_forward_expand(graph, product);
            assert_eq!(ggml_graph_compute_with_ctx(ctx, graph, n_threads), 0);
            let out = ggml_get_data(product).cast::<f32>();
            let out = std::slice::from_raw_parts(out, self.rows() * columns as usize).to_vec();
            ggml_free(ctx);
            out
        }
    }

    /// Sum of the sizes of the terms of each result.
    fn sizes(&self) -> Vec<f64> {
        let sum = |w: &[f32], x: &[f32]| w.iter().zip(x).map(|(w, x)| f64::from((w * x).abs())).sum();
        let rows = |column| self.weights.chunks(self.n_values).map(move |row| sum(row, column));
        self.columns.chunks(self.n_values).flat_map(rows).collect()
    }
}

/// Both are sums of the same terms, each within its own rounding of the exact one: `n + 4` times `2^-24` of the sizes.
/// Quantized terms are at most half as large again as those they stand for.
#[test]
fn products_are_ggmls_with_any_number_of_threads_and_columns() {
    let Some(_switch) = Switch::take() else { return };
    for kind in Kind::ALL {
        let mut largest = 0.0_f64;
        for n_columns in (1..=17).chain([33, 65]) {
            let given = Given::new(kind, 768, 131, n_columns);
            assert!(crate::kernels::give(None));
            let theirs = given.by_ggml(1);
            assert!(crate::kernels::give(Some(counting)));
            let before = COMPUTED.load(Ordering::Relaxed);
            let ours = given.by_ggml(1);
            let taken = COMPUTED.load(Ordering::Relaxed) > before;
            // Which are taken is decided by what was measured, on x86.
            let expected = cfg!(target_arch = "x86_64") && n_columns <= 16;
            assert!(taken || !expected, "{kind:?} with {n_columns} columns fell through");
            for ((ours, theirs), size) in ours.iter().zip(&theirs).zip(given.sizes()) {
                let error = f64::from((ours - theirs).abs()) / size;
                assert!(error <= 3.0 * (768.0 + 4.0) * 2.0_f64.powi(-24), "{kind:?}: {ours} {theirs} {size}");
                largest = largest.max(error);
            }
            for threads in [2, 5] {
                let by_several = given.by_ggml(threads);
                let same = ours.iter().zip(&by_several).all(|(a, b)| a.to_bits() == b.to_bits());
                assert!(!taken || same, "{kind:?} with {n_columns} columns and {threads} threads");
            }
        }
        println!("{kind:?}: ours and ggml's differ by {:.1} * 2^-24 of the sizes", largest * 2.0_f64.powi(24));
    }
}

/// All threads of a graph do the same, whatever happens to the switch meanwhile: a result is ours or ggml's from end to end.
#[test]
fn a_graph_is_computed_as_it_was_begun() {
    let Some(_switch) = Switch::take() else { return };
    let given = Given::new(Kind::Q6K, 1024, 1031, 5);
    assert!(crate::kernels::give(None));
    let theirs = given.by_ggml(1);
    assert!(crate::kernels::give(Some(counting)));
    let ours = given.by_ggml(1);
    // They add in another order; where that gives the same after all, nothing can be told apart.
    assert!(ours != theirs || cfg!(not(target_arch = "x86_64")));
    let done = AtomicBool::new(false);
    let (turns, results) = std::thread::scope(|scope| {
        let turning = scope.spawn(|| {
            let mut turns = 0_usize;
            while !done.load(Ordering::Relaxed) {
                crate::kernels::give(turns.is_multiple_of(2).then_some(counting as hook::Hook));
                turns += 1;
                // The lock is the one that the start of a graph takes: let that thread have it.
                std::thread::yield_now();
            }
            turns
        });
        let results: Vec<_> = (0..40).map(|_| given.by_ggml(2)).collect();
        done.store(true, Ordering::Relaxed);
        (turning.join().unwrap(), results)
    });
    let by_us = results.iter().filter(|&result| *result == ours).count();
    println!("{turns} turns, {by_us} of {} products are ours", results.len());
    assert!(turns > 1);
    assert!(results.iter().all(|result| *result == ours || *result == theirs));
}
