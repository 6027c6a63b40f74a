//! What a product costs per byte of weights, against reading the same bytes: `cargo bench -p llama-kernels -- [FILTER]`.
//!
//! One thread, its CPU time, so that other programs do not lengthen it; kernels and plain reading take turns. The
//! weights are larger than most caches. Figures are medians of the rounds, with the least and the most.
#![allow(clippy::print_stdout, reason = "a benchmark's result is its output")]

use llama_kernels::{ColumnType, Isa, Kind, Product};
use std::hint::black_box;

const N_VALUES: usize = 2048;
const ROUNDS: usize = 9;
/// Bytes of weights.
const SIZE: usize = 96 << 20;

/// CPU time of this thread in nanoseconds.
#[cfg(unix)]
fn now() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes to a local of the right type.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

#[cfg(not(unix))]
fn now() -> f64 {
    use std::sync::OnceLock;
    use std::time::Instant;
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as f64
}

fn timed(run: impl FnOnce()) -> f64 {
    let start = now();
    run();
    now() - start
}

/// Reads every line once.
fn read(bytes: &[u8]) -> u64 {
    let mut sums = [0_u64; 8];
    for line in bytes.chunks_exact(64) {
        for (sum, word) in sums.iter_mut().zip(line.chunks_exact(8)) {
            *sum ^= u64::from_le_bytes(word.try_into().unwrap_or_default());
        }
    }
    sums.iter().fold(0, |a, b| a ^ b)
}

fn main() {
    let filters: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let wanted = |name: &str| filters.is_empty() || filters.iter().any(|filter| name.contains(filter));
    println!("{:12} {:5} {:>2}  {:>22}  {:>8}", "set", "kind", "n", "ns per KiB of weights", "x read");
    for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available() && *isa != Isa::Plain) {
        for kind in Kind::ALL {
            let name = format!("{}/{kind:?}", isa.name());
            if wanted(&name) {
                measure(isa, kind);
            }
        }
    }
}

fn measure(isa: Isa, kind: Kind) {
    let row_stride = kind.row_bytes(N_VALUES);
    let n_rows = SIZE / row_stride / 16 * 16;
    let byte = |i: usize| (i.wrapping_mul(2_654_435_761) >> 13) as u8 & 0x3F;
    // No subnormal floats, which some processors multiply by another way.
    let byte = |i: usize| if kind.block_bytes() == 2 && i % 2 == 1 { 0x3C } else { byte(i) };
    let weights: Vec<u8> = (0..n_rows * row_stride).map(byte).collect();
    let column_stride = kind.column_type().bytes(N_VALUES);
    let mut columns: Vec<u8> = (0..64 * column_stride).map(byte).collect();
    if kind.column_type() == ColumnType::Q8K {
        for block in columns.chunks_exact_mut(ColumnType::Q8K.bytes(256)) {
            block[..4].copy_from_slice(&0.01_f32.to_le_bytes());
        }
    }
    let mut out = vec![0.0; 64 * n_rows];
    for n_columns in [1, 2, 3, 4, 8, 16, 64] {
        let (weights, columns) = (&weights[..], &columns[..]);
        let product =
            Product { kind, n_values: N_VALUES, n_rows, n_columns, weights, row_stride, columns, column_stride };
        let (mut own, mut floor) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            floor.push(timed(|| _ = black_box(read(black_box(weights)))));
            own.push(timed(|| product.compute(isa, &mut out, n_rows).expect("the sizes are those of one product")));
        }
        let kib = weights.len() as f64 / 1024.0;
        own.sort_by(f64::total_cmp);
        floor.sort_by(f64::total_cmp);
        let [least, median, most] = [own[0], own[ROUNDS / 2], own[ROUNDS - 1]].map(|time| time / kib);
        let ratio = own[ROUNDS / 2] / floor[ROUNDS / 2];
        let spread = format!("{median:6.1} ({least:.1}..{most:.1})");
        println!("{:12} {:5} {n_columns:2}  {spread:>22}  {ratio:8.2}", isa.name(), format!("{kind:?}"));
    }
}
