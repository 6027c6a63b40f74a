//! Time that passed, and time this thread computed.

use std::time::Instant;

/// What a piece of work took, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Spent {
    /// Time that passed.
    pub wall: f64,
    /// Time the calling thread was on a core, where the system tells. Other programs do not lengthen it, other threads'
    /// work is not in it.
    pub cpu: Option<f64>,
}

/// Runs `work` and measures it.
pub fn time<T>(work: impl FnOnce() -> T) -> (T, Spent) {
    let cpu_start = thread_cpu_seconds();
    let start = Instant::now();
    let result = work();
    let wall = start.elapsed().as_secs_f64();
    let cpu = thread_cpu_seconds().zip(cpu_start).map(|(end, start)| end - start);
    (result, Spent { wall, cpu })
}

/// The same for work that other threads of this process do: their CPU time counts too.
pub fn time_all_threads<T>(work: impl FnOnce() -> T) -> (T, Spent) {
    let cpu_start = process_cpu_seconds();
    let start = Instant::now();
    let result = work();
    let wall = start.elapsed().as_secs_f64();
    let cpu = process_cpu_seconds().zip(cpu_start).map(|(end, start)| end - start);
    (result, Spent { wall, cpu })
}

#[cfg(unix)]
fn thread_cpu_seconds() -> Option<f64> {
    cpu_seconds(libc::CLOCK_THREAD_CPUTIME_ID)
}

#[cfg(unix)]
fn process_cpu_seconds() -> Option<f64> {
    cpu_seconds(libc::CLOCK_PROCESS_CPUTIME_ID)
}

#[cfg(unix)]
fn cpu_seconds(clock: libc::clockid_t) -> Option<f64> {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes to a local struct.
    let status = unsafe { libc::clock_gettime(clock, &raw mut now) };
    #[allow(clippy::cast_precision_loss, reason = "a process does not run for 2^52 nanoseconds")]
    let seconds = now.tv_sec as f64 + now.tv_nsec as f64 / 1e9;
    (status == 0).then_some(seconds)
}

#[cfg(not(unix))]
fn thread_cpu_seconds() -> Option<f64> {
    None
}

#[cfg(not(unix))]
fn process_cpu_seconds() -> Option<f64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clocks_see_work() {
        let (sum, spent) = time(|| (0..1_000_000_u64).fold(0, |sum, n| std::hint::black_box(sum + n)));
        assert_eq!(sum, 499_999_500_000);
        assert!(spent.wall > 0.0);
        assert!(spent.cpu.is_none_or(|cpu| cpu > 0.0));
    }

    #[test]
    fn work_of_other_threads_is_seen_where_it_is_wanted() {
        let work = || (0..5_000_000_u64).fold(0, |sum, n| std::hint::black_box(sum + n));
        let elsewhere = || std::thread::spawn(work).join().expect("it does not panic");
        let all = time_all_threads(elsewhere).1.cpu;
        let own = time(elsewhere).1.cpu;
        assert!(all.zip(own).is_none_or(|(all, own)| all > own), "{all:?} {own:?}");
    }
}
