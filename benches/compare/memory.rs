//! How fast this machine reads memory: the floor of a step is the bytes of the weights by this.

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

/// Of each thread; far more than caches hold.
const BYTES: usize = 256 << 20;
const ROUNDS: usize = 5;

/// Bytes per second of so many threads that read memory of their own together: the best of some rounds.
pub(crate) fn bandwidth(threads: u32, bytes: usize) -> f64 {
    let barrier = Barrier::new(threads as usize);
    let times = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| one_thread(&barrier, bytes))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or_default()).collect::<Vec<_>>()
    });
    // A round takes as long as its slowest thread.
    let rounds =
        (0..ROUNDS).map(|round| times.iter().filter_map(|times| times.get(round)).copied().fold(0.0, f64::max));
    #[allow(clippy::cast_precision_loss, reason = "no memory has 2^52 bytes")]
    let all = bytes as f64 * f64::from(threads);
    all / rounds.fold(f64::INFINITY, f64::min)
}

/// The same with as much memory as the figures in tables are of.
pub(crate) fn bandwidth_of_memory(threads: u32) -> f64 {
    bandwidth(threads, BYTES)
}

fn one_thread(barrier: &Barrier, bytes: usize) -> Vec<f64> {
    let mut memory = vec![0_u64; bytes / 8];
    // Written, so that every page has memory of its own.
    for (word, number) in memory.iter_mut().zip(1..) {
        *word = number;
    }
    let round = || {
        barrier.wait();
        let start = Instant::now();
        black_box(read(black_box(&memory)));
        start.elapsed().as_secs_f64()
    };
    (0..ROUNDS).map(|_| round()).collect()
}

/// What a thread reads side by side. One stream waits at each page until the hardware has noticed it; with more, the others go
/// on meanwhile, as in the kernels.
const STREAMS: usize = 8;

/// Reads every word once, whole lines of the cache, a line of each stream in turn.
fn read(words: &[u64]) -> u64 {
    let (lines, rest) = words.as_chunks::<8>();
    let each = lines.len() / STREAMS;
    let streams: [&[[u64; 8]]; STREAMS] = std::array::from_fn(|i| &lines[i * each..][..each]);
    let mut sums = [0_u64; 8];
    let mut add = |line: &[u64; 8]| {
        for (sum, word) in sums.iter_mut().zip(line) {
            *sum ^= word;
        }
    };
    for at in 0..each {
        streams.iter().for_each(|stream| add(&stream[at]));
    }
    lines[each * STREAMS..].iter().for_each(&mut add);
    sums.iter().chain(rest).fold(0, |a, b| a ^ b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_is_faster_than_a_disk_and_slower_than_light() {
        let found = bandwidth(2, 1 << 20);
        assert!((1e7..1e14).contains(&found), "{found}");
    }

    #[test]
    fn every_word_is_read() {
        for len in [1, 7, 8, 64, 71, 72, 130, 203] {
            let words: Vec<u64> = (0..len).map(|i| 1 << (i % 64)).collect();
            let all = words.iter().fold(0, |a, b| a ^ b);
            assert_eq!(read(&words), all, "{len}");
            for left_out in 0..words.len() {
                let mut words = words.clone();
                words[left_out] = 0;
                assert_ne!(read(&words), all, "{left_out} of {len}");
            }
        }
    }
}
