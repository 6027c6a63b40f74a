//! What ggml's CPU backend calls for a matrix product, through the hook that `vendor/patches` adds to it.

use std::cell::RefCell;
use std::ffi::c_void;
use std::ops::RangeInclusive;
use std::slice::from_raw_parts;
use std::sync::atomic::{AtomicI32, Ordering};

use crate::kind::{ColumnType, Kind};
use crate::pieces::Pieces;
use crate::product::Product;
use crate::quantize::{Floats, Quantized};
use crate::simd::Isa;

/// `struct ggml_cpu_mul_mat_task`
#[repr(C)]
#[derive(Debug)]
pub struct Task {
    weight_type: i32,
    column_type: i32,
    n_values: i64,
    n_rows: i64,
    n_columns: i64,
    weights: *const c_void,
    row_stride: usize,
    columns: *const c_void,
    column_stride: usize,
    out: *mut f32,
    out_stride: usize,
    ith: i32,
    nth: i32,
    next: *mut c_void,
}

/// `ggml_cpu_mul_mat_hook_t`
pub type Hook = unsafe extern "C" fn(task: *const Task) -> bool;

/// The name under which ggml's CPU backend gives out the function that takes a [`Hook`] or null.
pub const SETTER: &std::ffi::CStr = c"ggml_cpu_set_mul_mat_hook";

/// Whether there is anything to gain on this processor: plain code is no faster than ggml's.
#[must_use]
pub fn is_useful() -> bool {
    Isa::best() != Isa::Plain
}

/// Most columns that every thread quantizes for itself. Of more, each is better quantized once.
const MOST_FLOATS: usize = 16;

/// `GGML_TYPE_F32`
const F32: i32 = 0;

thread_local! {
    /// Kept, because the next product of the thread is about as large.
    static QUANTIZED: RefCell<Quantized> = const { RefCell::new(Quantized::new()) };
}

/// Computes a task of ggml, or says whether it would (`columns` is null).
///
/// # Safety
///
/// Called by ggml as the patch says: addresses and strides describe memory that lives through the call, every
/// thread of the graph calls with the same task, and `next` is an `atomic_int` that was 0 when they started.
pub unsafe extern "C" fn mul_mat(task: *const Task) -> bool {
    // SAFETY: ggml passes a live task.
    let task = unsafe { &*task };
    let Some(product) = supported(task) else { return false };
    if task.columns.is_null() {
        return true;
    }
    // SAFETY: ggml's addresses and strides hold for rows of this type, which nothing writes meanwhile.
    let weights = unsafe {
        let row = product.kind.row_bytes(product.n_values);
        from_raw_parts(task.weights.cast(), span(product.n_rows, product.row_stride, row))
    };
    let column = product.kind.column_type().bytes(product.n_values);
    if task.column_type != F32 {
        // SAFETY: the same of the columns.
        let columns =
            unsafe { from_raw_parts(task.columns.cast(), span(product.n_columns, product.column_stride, column)) };
        // SAFETY: the task is ggml's, and `product` what `supported` made of it.
        unsafe { compute(task, &Product { weights, columns, ..product }) };
        return true;
    }
    let stride = product.column_stride / size_of::<f32>();
    // SAFETY: the same of the columns, which are floats and lie as floats do.
    let values = unsafe { from_raw_parts(task.columns.cast(), span(product.n_columns, stride, product.n_values)) };
    let floats = Floats { n_values: product.n_values, n_columns: product.n_columns, values, stride };
    QUANTIZED.with_borrow_mut(|quantized| {
        let Some(columns) = quantized.fill(Isa::best(), product.kind.column_type(), &floats) else {
            unreachable!("`supported` takes no floats for weights whose columns are not quantized");
        };
        // SAFETY: the task is ggml's, and `product` what `supported` made of it.
        unsafe { compute(task, &Product { weights, columns, column_stride: column, ..product }) };
    });
    true
}

/// The length of so many, so far apart, with so much in each.
fn span(n: usize, stride: usize, each: usize) -> usize {
    (n - 1) * stride + each
}

/// Computes what of the product other threads have not begun.
///
/// # Safety
///
/// As [`mul_mat`]; the product is that of the task.
unsafe fn compute(task: &Task, product: &Product<'_>) {
    // SAFETY: an `atomic_int`, as wide and aligned as an `AtomicI32`, that only atomic operations touch meanwhile.
    let next = unsafe { AtomicI32::from_ptr(task.next.cast()) };
    let mut pieces = Pieces::new(product.n_rows, usize::try_from(task.nth).unwrap_or(1));
    let mut claim = || {
        let index = next.fetch_add(1, Ordering::Relaxed);
        usize::try_from(index).ok().and_then(|index| pieces.get(index))
    };
    // SAFETY: the best set is available and the size supported; the pieces of all threads are disjoint, since each
    // number is given out once; results are where ggml says, and only their pieces' owners write them.
    unsafe { product.compute_pieces(Isa::best(), task.out, task.out_stride / size_of::<f32>(), &mut claim) };
}

/// How many columns are taken: with AVX-512 VNNI as many as we beat ggml with, measured (Q5_K and Q6_K with many only as
/// parts of a Q4_K_M file); ggml has kernels for many columns at once that are better for the rest.
///
/// Other sets were not measured. AVX2 takes what reads each weight once; more columns are ggml's. On ARM, ggml's own
/// kernels multiply halves and brain floats with instructions of their own, and its products with one column are as near to
/// the memory as a row at a time gets; what is taken is where it reads the weights again for each column.
fn columns(kind: Kind) -> RangeInclusive<usize> {
    let floats = matches!(kind, Kind::F16 | Kind::Bf16);
    match Isa::best() {
        Isa::NeonDotprod | Isa::NeonI8mm if floats => RangeInclusive::new(1, 0),
        Isa::NeonDotprod | Isa::NeonI8mm => 2..=16,
        Isa::Avx512Vnni if !floats => 1..=usize::MAX,
        _ => 1..=16,
    }
}

/// The task without its memory, if there are kernels for it. Depends on nothing that differs between threads.
fn supported(task: &Task) -> Option<Product<'static>> {
    let kind = Kind::from_ggml(task.weight_type)?;
    let size = |n: i64| usize::try_from(n).ok();
    let product = Product {
        kind,
        n_values: size(task.n_values)?,
        n_rows: size(task.n_rows)?,
        n_columns: size(task.n_columns)?,
        weights: &[],
        row_stride: task.row_stride,
        columns: &[],
        column_stride: task.column_stride,
    };
    let fits = match task.column_type {
        F32 => takes_floats(&product),
        other => other == kind.column_type().ggml_id(),
    };
    let fits = fits
        && product.n_rows > 0
        && Product::is_supported(kind, product.n_values, product.n_columns)
        && columns(kind).contains(&product.n_columns)
        && product.row_stride >= kind.row_bytes(product.n_values)
        && task.out_stride.is_multiple_of(size_of::<f32>());
    fits.then_some(product)
}

/// Whether threads quantize the columns themselves. Elsewhere than on x86-64 ggml rounds a little differently.
fn takes_floats(product: &Product<'_>) -> bool {
    cfg!(target_arch = "x86_64")
        && matches!(product.kind.column_type(), ColumnType::Q8_0 | ColumnType::Q8K)
        && product.n_columns <= MOST_FLOATS
        && product.column_stride.is_multiple_of(size_of::<f32>())
        && product.column_stride / size_of::<f32>() >= product.n_values
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop where it fails")]
mod tests {
    use super::*;
    use std::ptr::null;

    /// Addresses of memory that outlives the threads it is given to.
    struct Shared(Task);

    // SAFETY: threads read the weights and columns, and write results of rows that nobody else has.
    unsafe impl Sync for Shared {}

    const VALUES: usize = 512;

    /// Two columns; `out` is as long as the results and a gap between the columns.
    fn task(kind: Kind, weights: &[u8], columns: &[u8], out: &mut [f32], next: &AtomicI32) -> Task {
        let row = kind.row_bytes(VALUES);
        Task {
            weight_type: kind.ggml_id(),
            column_type: kind.column_type().ggml_id(),
            n_values: VALUES as i64,
            n_rows: (weights.len() / row) as i64,
            n_columns: 2,
            weights: weights.as_ptr().cast(),
            row_stride: row,
            columns: columns.as_ptr().cast(),
            column_stride: kind.column_type().bytes(VALUES),
            out: out.as_mut_ptr(),
            out_stride: size_of_val(out) / 2,
            ith: 0,
            nth: 5,
            next: next.as_ptr().cast(),
        }
    }

    #[test]
    fn threads_compute_every_row_together_and_fewer_compute_all_if_the_others_are_late() {
        let bytes = |n: usize| (0..n).map(|i| (i * 37 % 61) as u8).collect::<Vec<u8>>();
        for kind in Kind::ALL.into_iter().filter(|&kind| columns(kind).contains(&2)) {
            for n_rows in [1, 15, 1003] {
                let weights = bytes(kind.row_bytes(VALUES) * n_rows);
                let columns = bytes(kind.column_type().bytes(VALUES) * 2);
                let given = Task { nth: 1, ..task(kind, &weights, &columns, &mut [], &AtomicI32::new(0)) };
                let product = Product { weights: &weights, columns: &columns, ..supported(&given).unwrap() };
                let mut expected = vec![0.5; 2 * (n_rows + 3)];
                product.compute(Isa::best(), &mut expected, n_rows + 3).unwrap();
                for threads in [1, 2, 5] {
                    let mut out = vec![0.5; expected.len()];
                    let next = AtomicI32::new(0);
                    let shared = Shared(task(kind, &weights, &columns, &mut out, &next));
                    let shared = &shared;
                    std::thread::scope(|scope| {
                        for _ in 0..threads {
                            // SAFETY: a task over live slices; all threads have the same.
                            scope.spawn(move || assert!(unsafe { mul_mat(&raw const shared.0) }));
                        }
                    });
                    assert_eq!(out, expected, "{kind:?} {n_rows} rows, {threads} of 5 threads");
                }
            }
        }
    }

    #[test]
    fn columns_as_they_are_in_the_graph_give_what_quantized_ones_do() {
        let floats: Vec<f32> = (0..3 * VALUES).map(|i| (i * 29 % 83) as f32 - 40.0).collect();
        for kind in Kind::ALL {
            let weights: Vec<u8> = (0..kind.row_bytes(VALUES) * 37).map(|i| (i * 37 % 61) as u8).collect();
            let mut quantized = Quantized::new();
            // The second column begins after a gap.
            let given = Floats { n_values: VALUES, n_columns: 2, values: &floats, stride: 2 * VALUES };
            let Some(columns) = quantized.fill(Isa::best(), kind.column_type(), &given) else {
                let asked = Task {
                    column_type: F32,
                    columns: null(),
                    column_stride: 2 * VALUES * size_of::<f32>(),
                    ..task(kind, &weights, &[], &mut [], &AtomicI32::new(0))
                };
                // SAFETY: only asks.
                assert!(!unsafe { mul_mat(&raw const asked) }, "{kind:?}");
                continue;
            };
            let stride = kind.column_type().bytes(VALUES);
            let mut outs = [vec![0.5; 2 * 37], vec![0.5; 2 * 37]];
            let [expected, out] = &mut outs;
            let next = AtomicI32::new(0);
            let of_blocks = Task { column_stride: stride, ..task(kind, &weights, columns, expected, &next) };
            // SAFETY: a task over live slices.
            if !unsafe { mul_mat(&raw const of_blocks) } {
                continue;
            }
            let next = AtomicI32::new(0);
            let of_floats = Task {
                column_type: F32,
                columns: floats.as_ptr().cast(),
                column_stride: 2 * VALUES * size_of::<f32>(),
                ..task(kind, &weights, columns, out, &next)
            };
            // SAFETY: a task over live slices.
            let taken = unsafe { mul_mat(&raw const of_floats) };
            assert_eq!(taken, cfg!(target_arch = "x86_64"), "{kind:?}");
            assert!(!taken || outs[0] == outs[1], "{kind:?}");
        }
    }

    #[test]
    fn what_there_is_no_kernel_for_is_declined() {
        let (next, mut out) = (AtomicI32::new(0), [0.0; 2]);
        let (weights, columns) = ([0; 34 * 16], [0; 34 * 16 * 2]);
        // SAFETY: only asks.
        let asks = |task: Task| unsafe { mul_mat(&Task { columns: null(), ..task }) };
        let mut good = || task(Kind::Q8_0, &weights, &columns, &mut out, &next);
        assert!(asks(good()));
        assert!(!asks(Task { weight_type: 3, ..good() }), "no kernels for Q4_1");
        assert!(!asks(Task { column_type: 15, ..good() }));
        assert!(!asks(Task { n_columns: 17, weight_type: 1, column_type: 1, ..good() }));
        assert!(!asks(Task { n_rows: 0, ..good() }));
        let floats = Task { column_type: F32, column_stride: VALUES * size_of::<f32>(), ..good() };
        assert!(!asks(Task { n_columns: 17, ..floats }), "too many for each thread");
        assert!(!asks(Task { column_stride: VALUES * size_of::<f32>() - 4, ..floats }), "columns overlap");
        assert!(!asks(Task { n_values: 48, ..good() }));
        assert!(!asks(Task { n_values: -64, ..good() }));
        assert!(!asks(Task { out_stride: 5, ..good() }));
        assert_eq!(next.load(Ordering::Relaxed), 0, "asking takes no piece");
    }
}
