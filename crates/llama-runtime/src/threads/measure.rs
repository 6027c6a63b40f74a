//! Which number of threads is fastest, found by trying a few: [`measure`]. The caller runs the steps and tells their times.

use std::time::Duration;

/// A number with less than this more than the best one's time is as good, and takes fewer cores.
const AS_GOOD: f64 = 1.03;
/// Below a number that takes this much longer than the best, nothing better is expected.
const HOPELESS: f64 = 1.2;
/// How much longer than the fastest the slowest step with a number may take on a machine that has nothing else to do.
const STEADY: f64 = 1.3;
/// Steps with each number, in turns with the best one so far.
const TURNS: usize = 3;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Measured {
    pub(crate) threads: u32,
    /// See [`ThreadsFrom::Measured`](super::ThreadsFrom::Measured).
    pub(crate) steady: bool,
}

/// Tries the numbers of `ladder` (smallest first) from the largest down, with steps that `run` carries out with a number of
/// threads and times; `None` from it is the end. No step is begun that would go beyond `budget` if it took as long as the one
/// before. `None` if there was no time to compare anything: one step is run in any case, and counts for nothing, since it may
/// have had to read the file.
pub(crate) fn measure(
    ladder: &[u32],
    budget: Duration,
    mut run: impl FnMut(u32) -> Option<Duration>,
) -> Option<Measured> {
    let (&most, fewer) = ladder.split_last()?;
    if fewer.is_empty() {
        return Some(Measured { threads: most, steady: true });
    }
    let mut spent = run(most)?;
    let mut step = |threads: u32, expected: Duration| {
        if spent + expected > budget {
            return None;
        }
        let took = run(threads)?;
        spent += took;
        Some(took)
    };
    let mut best = Times::of(most, step(most, Duration::ZERO)?);
    let mut compared = None;
    'ladder: for &threads in fewer.iter().rev() {
        let Some(first) = step(threads, best.mean().mul_f64(HOPELESS)) else { break };
        let mut times = Times::of(threads, first);
        for _ in 1..TURNS {
            for side in [&mut best, &mut times] {
                let Some(took) = step(side.threads, side.mean()) else { break 'ladder };
                side.all.push(took);
            }
        }
        let steady = best.is_steady() && times.is_steady();
        let ratio = times.mean().as_secs_f64() / best.mean().as_secs_f64().max(f64::MIN_POSITIVE);
        if ratio <= AS_GOOD {
            best = times;
        }
        let so_far = compared.is_none_or(|before: Measured| before.steady);
        compared = Some(Measured { threads: best.threads, steady: so_far && steady });
        if ratio > HOPELESS {
            break;
        }
    }
    compared
}

/// Steps with one number of threads.
struct Times {
    threads: u32,
    /// Not empty.
    all: Vec<Duration>,
}

impl Times {
    fn of(threads: u32, first: Duration) -> Self {
        Self { threads, all: vec![first] }
    }

    fn mean(&self) -> Duration {
        self.all.iter().sum::<Duration>().div_f64(self.all.len() as f64)
    }

    fn is_steady(&self) -> bool {
        let fastest = self.all.iter().min().map_or(0.0, Duration::as_secs_f64);
        self.all.iter().all(|time| time.as_secs_f64() <= fastest * STEADY)
    }
}

#[cfg(test)]
mod tests {
    use super::super::ladder;
    use super::*;

    const BUDGET: Duration = Duration::from_millis(150);

    fn ms(ms: f64) -> Duration {
        Duration::from_secs_f64(ms / 1000.0)
    }

    /// Tells what was found, and the steps that were run.
    fn find(most: u32, budget: Duration, time: impl Fn(u32, usize) -> f64) -> (Option<Measured>, Vec<u32>) {
        let mut runs = Vec::new();
        let found = measure(&ladder(most), budget, |threads| {
            runs.push(threads);
            Some(ms(time(threads, runs.len())))
        });
        (found, runs)
    }

    #[test]
    fn the_fastest_wins_and_what_is_hopeless_is_not_tried() {
        let (found, runs) = find(16, BUDGET, |threads, _| {
            [0.0, 6.0, 3.4, 2.5, 2.0, 2.0, 2.2].get(threads as usize).copied().unwrap_or(2.5)
        });
        assert_eq!(found, Some(Measured { threads: 4, steady: true }));
        assert!(runs.contains(&3) && !runs.contains(&2), "{runs:?}");
        let (found, runs) = find(16, BUDGET, |threads, _| 32.0 / f64::from(threads));
        assert_eq!(found, Some(Measured { threads: 16, steady: true }));
        assert!(runs.iter().all(|threads| [12, 16].contains(threads)), "{runs:?}");
    }

    #[test]
    fn as_fast_with_fewer_is_better() {
        let (found, _) = find(2, BUDGET, |threads, _| if threads == 1 { 3.05 } else { 3.0 });
        assert_eq!(found, Some(Measured { threads: 1, steady: true }));
    }

    #[test]
    fn the_first_step_counts_for_nothing_but_time() {
        let (found, runs) = find(2, BUDGET, |threads, run| if run == 1 { 80.0 } else { 6.0 / f64::from(threads) });
        assert_eq!(found, Some(Measured { threads: 2, steady: true }));
        assert_eq!(runs[..2], [2, 2]);
    }

    #[test]
    fn a_step_that_takes_too_long_is_the_only_one_but_one() {
        let (found, runs) = find(2, BUDGET, |_, _| 149.0);
        assert_eq!(found, None);
        assert_eq!(runs.len(), 2, "one to warm up, one of which nobody could know");
        let (found, runs) = find(2, BUDGET, |_, _| 5000.0);
        assert_eq!((found, runs.len()), (None, 1), "a cold file is read once");
    }

    #[test]
    fn no_step_is_begun_that_would_end_too_late() {
        for step in [1.0, 7.0, 20.0, 33.0, 70.0] {
            let (_, runs) = find(64, BUDGET, |_, _| step);
            let spent = step * runs.len() as f64;
            assert!(spent <= 150.0 + 2.0 * step, "{step}: {spent}");
        }
    }

    #[test]
    fn steps_of_uneven_length_are_told() {
        // Every third step waits for another program.
        let (found, _) = find(2, BUDGET, |threads, run| if threads == 2 && run % 3 == 0 { 9.0 } else { 4.0 });
        assert_eq!(found, Some(Measured { threads: 1, steady: false }));
    }

    #[test]
    fn one_core_needs_no_measuring_and_a_failure_ends_it() {
        assert_eq!(measure(&[1], BUDGET, |_| panic!("nothing to try")), Some(Measured { threads: 1, steady: true }));
        assert_eq!(measure(&[1, 2], BUDGET, |_| None), None);
    }
}
