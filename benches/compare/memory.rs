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

/// Reads every word once, in streams that do not wait for each other.
fn read(words: &[u64]) -> u64 {
    let mut sums = [0_u64; 32];
    for line in words.chunks_exact(32) {
        for (sum, word) in sums.iter_mut().zip(line) {
            *sum ^= word;
        }
    }
    sums.iter().fold(0, |a, b| a ^ b)
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
        let mut words = vec![0; 64];
        words[63] = 5;
        words[1] = 2;
        assert_eq!(read(&words), 7);
    }
}
