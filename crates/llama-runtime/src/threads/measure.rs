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
    /// The best so far: all of them if nothing was compared.
    pub(crate) threads: u32,
    /// Every number was tried that could be better. Otherwise there was no time for that.
    pub(crate) finished: bool,
    /// The same number of threads took about as long whenever it was tried.
    pub(crate) steady: bool,
}

/// Tries the numbers of `ladder` (smallest first) from the largest down, with steps that `run` carries out with a number of
/// threads and times. The first step is run however long it takes, and counts for nothing but time, since it may have had to read
/// the file. After that no step is begun that would go beyond `budget` if it took as long as the ones before, and a fifth longer
/// with fewer threads. `None` if a step could not be run.
pub(crate) fn measure(
    ladder: &[u32],
    budget: Duration,
    mut run: impl FnMut(u32) -> Option<Duration>,
) -> Option<Measured> {
    let (&most, fewer) = ladder.split_last()?;
    let mut found = Measured { threads: most, finished: true, steady: true };
    if fewer.is_empty() {
        return Some(found);
    }
    let first = run(most)?;
    let mut steps = Steps { run, budget, spent: first };
    match steps.compare(Times::of(most, first), fewer, &mut found) {
        Ok(()) => {}
        Err(Stop::OutOfTime) => found.finished = false,
        Err(Stop::Failed) => return None,
    }
    Some(found)
}

/// Why no further step is run.
enum Stop {
    OutOfTime,
    Failed,
}

/// The steps, and the time that they took together.
struct Steps<R> {
    run: R,
    budget: Duration,
    spent: Duration,
}

impl<R: FnMut(u32) -> Option<Duration>> Steps<R> {
    fn step(&mut self, threads: u32, expected: Duration) -> Result<Duration, Stop> {
        if self.spent.saturating_add(expected) > self.budget {
            return Err(Stop::OutOfTime);
        }
        let took = (self.run)(threads).ok_or(Stop::Failed)?;
        self.spent = self.spent.saturating_add(took);
        Ok(took)
    }

    /// Goes down the numbers in `fewer`; `found` has at any time what is known. `cold` was the first step of all.
    fn compare(&mut self, cold: Times, fewer: &[u32], found: &mut Measured) -> Result<(), Stop> {
        let mut best = Times::of(cold.threads, self.step(cold.threads, cold.mean())?);
        for &threads in fewer.iter().rev() {
            let mut times = Times::of(threads, self.step(threads, best.mean().mul_f64(HOPELESS))?);
            for _ in 1..TURNS {
                for side in [&mut best, &mut times] {
                    side.all.push(self.step(side.threads, side.mean())?);
                    found.steady &= side.is_steady();
                }
            }
            let ratio = times.mean().as_secs_f64() / best.mean().as_secs_f64().max(f64::MIN_POSITIVE);
            if ratio <= AS_GOOD {
                best = times;
                found.threads = threads;
            }
            if ratio > HOPELESS {
                break;
            }
        }
        Ok(())
    }
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

    fn done(threads: u32) -> Measured {
        Measured { threads, finished: true, steady: true }
    }

    fn late(threads: u32) -> Option<Measured> {
        Some(Measured { finished: false, ..done(threads) })
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
        assert_eq!(found, Some(done(4)));
        assert!(runs.contains(&3) && !runs.contains(&2), "{runs:?}");
        let (found, runs) = find(16, BUDGET, |threads, _| 32.0 / f64::from(threads));
        assert_eq!(found, Some(done(16)));
        assert!(runs.iter().all(|threads| [12, 16].contains(threads)), "{runs:?}");
    }

    #[test]
    fn as_fast_with_fewer_is_better() {
        let (found, _) = find(2, BUDGET, |threads, _| if threads == 1 { 3.05 } else { 3.0 });
        assert_eq!(found, Some(done(1)));
    }

    #[test]
    fn the_first_step_counts_for_nothing_but_time() {
        let (found, runs) = find(2, BUDGET, |threads, run| if run == 1 { 70.0 } else { 6.0 / f64::from(threads) });
        assert_eq!(found, Some(done(2)));
        assert_eq!(runs[..2], [2, 2]);
    }

    #[test]
    fn a_step_of_which_there_is_no_time_for_two_is_the_only_one() {
        for step in [76.0, 149.0, 5000.0] {
            let (found, runs) = find(2, BUDGET, |_, _| step);
            assert_eq!((found, runs.len()), (late(2), 1), "{step}");
        }
    }

    #[test]
    fn what_could_not_be_compared_to_the_end_is_told() {
        // Seven steps would be needed.
        let (found, runs) = find(2, BUDGET, |_, _| 30.0);
        assert_eq!((found, runs.len()), (late(2), 5));
        // Two comparisons end, the third does not begin.
        let (found, _) = find(16, BUDGET, |threads, _| f64::from(threads));
        assert_eq!(found, late(8));
        let (found, _) = find(16, BUDGET, |threads, run| f64::from(threads) * if run == 5 { 2.0 } else { 1.0 });
        assert_eq!(found.map(|found| (found.finished, found.steady)), Some((false, false)), "late and busy");
    }

    #[test]
    fn no_step_is_begun_that_would_end_too_late() {
        for step in [1.0, 7.0, 20.0, 33.0, 70.0] {
            let (_, runs) = find(64, BUDGET, |_, _| step);
            let spent = step * runs.len() as f64;
            assert!(spent <= 150.0, "{step}: {spent}");
        }
    }

    #[test]
    fn steps_of_uneven_length_are_told() {
        // Every third step waits for another program.
        let (found, _) = find(2, BUDGET, |threads, run| if threads == 2 && run % 3 == 0 { 9.0 } else { 4.0 });
        assert_eq!(found, Some(Measured { steady: false, ..done(1) }));
    }

    #[test]
    fn one_core_needs_no_measuring_and_a_failure_ends_it() {
        assert_eq!(measure(&[1], BUDGET, |_| panic!("nothing to try")), Some(done(1)));
        assert_eq!(measure(&[1, 2], BUDGET, |_| None), None);
    }
}
