//! Whether the number of threads is still right, by the times of the steps: [`Tuner`].
//!
//! Steps are real work, so trying another number for a few of them loses nothing but the difference. It is tried in turns
//! with the number in use (A B B A), for steps of the same width, so that what else the machine does meets both alike:
//!
//! - **fewer threads** when steps take much longer than they did: somebody else may have taken a core, and all threads of a step
//!   wait for the one that lost it; and at the start if nothing was measured, until that has been decided;
//! - **more threads** now and then while there could be more, at growing intervals if that brings nothing.
//!
//! On a machine that has nothing else to do neither happens, and the number stays as it is.

use std::collections::BTreeMap;
use std::time::Duration;

/// Another number is taken if it takes less than this of the time.
const BETTER: f64 = 0.93;
/// Steps that take this much longer than they did are slow.
const SLOW: f64 = 1.4;
/// Steps with each number in a trial: of short ones, and of those above [`LONG`].
const STEPS: [u32; 2] = [8, 3];
const LONG: Duration = Duration::from_millis(20);
/// Time of steps before the next trial: after one that changed something, and at most.
const SOON: Duration = Duration::from_millis(250);
const LATE: Duration = Duration::from_secs(60);
/// Weight of the newest step in what steps take now.
const NEWEST: f64 = 0.1;
/// How fast the usual time of a row follows what steps take now, when that is more: a longer context is no slowness.
const DRIFT: f64 = 0.002;
/// Steps of other widths that a trial waits out. Then it is given up, and begun anew with the width that there is by then.
const PATIENCE: u32 = 32;

/// One kind of step: those of answers, or of prompts.
#[derive(Debug, Clone)]
pub(crate) struct Tuner {
    /// The numbers there are, smallest first. Not empty.
    ladder: Vec<u32>,
    /// The place of the one in use.
    at: usize,
    trial: Option<Trial>,
    /// A trial of fewer was given up before it decided anything. Nothing else would bring it back while steps take what they did.
    fewer_due: bool,
    /// Time of steps since the last trial, and how much of it there has to be before the next.
    since: Duration,
    wait: Duration,
    /// Seconds of a row, now and usually, for each width there was: fewer than a hundred.
    paces: BTreeMap<usize, (f64, f64)>,
}

/// Another number beside the one in use.
#[derive(Debug, Clone)]
struct Trial {
    other: usize,
    width: usize,
    /// Of each side, the one in use first.
    steps: [u32; 2],
    time: [Duration; 2],
    /// Of each side.
    wanted: u32,
    strangers: u32,
}

impl Tuner {
    /// `unsure`: nothing was measured, so that fewer threads are tried soon.
    pub(crate) fn new(ladder: Vec<u32>, threads: u32, unsure: bool) -> Self {
        let at = ladder.iter().rposition(|count| *count <= threads).unwrap_or(0);
        let trial = at.checked_sub(1).filter(|_| unsure).map(Trial::new);
        Self { ladder, at, trial, fewer_due: false, since: Duration::ZERO, wait: SOON, paces: BTreeMap::new() }
    }

    /// The number in use, whatever is being tried.
    pub(crate) fn chosen(&self) -> u32 {
        self.ladder[self.at]
    }

    /// For the next step, of so many rows.
    pub(crate) fn threads(&self, rows: usize) -> u32 {
        match &self.trial {
            Some(trial) if trial.takes(width_of(rows)) && trial.side() == 1 => self.ladder[trial.other],
            _ => self.chosen(),
        }
    }

    /// What the step took for which [`threads`](Self::threads) was asked.
    pub(crate) fn observe(&mut self, rows: usize, took: Duration) {
        if self.ladder.len() == 1 || rows == 0 {
            return;
        }
        let width = width_of(rows);
        let Some(trial) = &mut self.trial else { return self.watch(width, rows, took) };
        if !trial.takes(width) {
            trial.strangers += 1;
            if trial.strangers > PATIENCE {
                self.fewer_due = trial.other < self.at;
                self.trial = None;
            }
            return;
        }
        trial.note(width, rows, took);
        if trial.is_over() {
            let (other, better) = (trial.other, trial.is_better());
            self.trial = None;
            self.decide(other, better);
        }
    }

    /// Follows what steps take, and begins a trial when there is a reason.
    fn watch(&mut self, width: usize, rows: usize, took: Duration) {
        self.since = self.since.saturating_add(took);
        let row = took.as_secs_f64() / rows as f64;
        let pace = self.paces.entry(width).or_insert((row, row));
        let (now, usual) = *pace;
        let now = now + NEWEST * (row - now);
        let usual = if now < usual { now } else { usual + DRIFT * (now - usual) };
        *pace = (now, usual);
        let fewer = self.fewer_due || now > usual * SLOW;
        if self.at > 0 && fewer && self.since >= SOON {
            self.begin(self.at - 1);
        } else if self.at + 1 < self.ladder.len() && self.since >= self.wait {
            self.begin(self.at + 1);
        }
    }

    fn begin(&mut self, other: usize) {
        self.since = Duration::ZERO;
        self.fewer_due = false;
        self.trial = Some(Trial::new(other));
    }

    fn decide(&mut self, other: usize, better: bool) {
        if better {
            let further = if other > self.at { other.checked_add(1) } else { other.checked_sub(1) };
            self.at = other;
            self.wait = SOON;
            // What is left of a ladder is gone through at once.
            self.trial = further.filter(|place| *place < self.ladder.len()).map(Trial::new);
        } else {
            self.wait = (self.wait * 2).min(LATE);
        }
        // What was usual was so with another number, or before something else came.
        self.paces.clear();
    }
}

impl Trial {
    fn new(other: usize) -> Self {
        Self { other, width: 0, steps: [0; 2], time: [Duration::ZERO; 2], wanted: STEPS[0], strangers: 0 }
    }

    fn takes(&self, width: usize) -> bool {
        self.width == 0 || self.width == width
    }

    /// A B B A A B B A: whose turn it is.
    fn side(&self) -> usize {
        let done = self.steps[0] + self.steps[1];
        usize::from(done % 4 == 1 || done % 4 == 2)
    }

    fn note(&mut self, width: usize, rows: usize, took: Duration) {
        if self.width == 0 {
            self.width = width;
            self.wanted = STEPS[usize::from(took > LONG)];
        }
        let side = self.side();
        self.steps[side] += 1;
        self.time[side] += took.div_f64(rows as f64);
    }

    fn is_over(&self) -> bool {
        self.steps.iter().all(|steps| *steps >= self.wanted)
    }

    fn is_better(&self) -> bool {
        let mean = |side: usize| self.time[side].as_secs_f64() / f64::from(self.steps[side].max(1));
        mean(1) < BETTER * mean(0)
    }
}

/// Steps of one width take about as long: each number of answers is one, and of longer steps those up to twice as long.
fn width_of(rows: usize) -> usize {
    match rows {
        0..=32 => rows,
        _ => 32 + rows.ilog2() as usize,
    }
}

#[cfg(test)]
mod tests {
    use super::super::ladder;
    use super::*;

    /// Runs steps of a time that depends on the number of threads; which numbers were used.
    fn run(tuner: &mut Tuner, steps: usize, time: impl Fn(u32, usize) -> f64) -> Vec<u32> {
        (0..steps)
            .map(|step| {
                let threads = tuner.threads(8);
                tuner.observe(8, Duration::from_secs_f64(time(threads, step) / 1000.0));
                threads
            })
            .collect()
    }

    fn alone(threads: u32, _: usize) -> f64 {
        8.0 / f64::from(threads)
    }

    /// One of two cores is taken half of the time: both threads wait for it.
    fn beside_another(threads: u32, _: usize) -> f64 {
        if threads == 1 { 8.0 } else { 14.0 }
    }

    #[test]
    fn nothing_is_tried_while_steps_take_what_they_did() {
        let mut tuner = Tuner::new(ladder(2), 2, false);
        let used = run(&mut tuner, 20_000, |threads, step| alone(threads, step) * (1.0 + step as f64 / 10_000.0));
        assert!(used.iter().all(|threads| *threads == 2), "a context that grows is no slowness");
    }

    #[test]
    fn a_core_that_is_taken_is_left_and_taken_back() {
        let mut tuner = Tuner::new(ladder(2), 2, false);
        run(&mut tuner, 200, alone);
        run(&mut tuner, 100, beside_another);
        assert_eq!(tuner.chosen(), 1);
        let used = run(&mut tuner, 20_000, beside_another);
        let tried = used.iter().filter(|threads| **threads == 2).count();
        assert!(tried > 0 && tried < 120, "{tried} of 20 000 steps");
        assert_eq!(tuner.chosen(), 1);
        // 60 s of steps at most until it is noticed.
        run(&mut tuner, 60_000 / 8 + 32, alone);
        assert_eq!(tuner.chosen(), 2);
    }

    #[test]
    fn what_was_not_measured_is_found_by_the_first_steps() {
        let mut tuner = Tuner::new(ladder(16), 16, true);
        // Best with four; each one more costs.
        run(&mut tuner, 200, |threads, _| 8.0 / f64::from(threads.min(4)) + f64::from(threads) * 0.3);
        assert_eq!(tuner.chosen(), 4);
    }

    #[test]
    fn slow_steps_that_fewer_threads_do_not_help_change_nothing() {
        let mut tuner = Tuner::new(ladder(2), 2, false);
        run(&mut tuner, 200, alone);
        let used = run(&mut tuner, 5000, |threads, step| alone(threads, step) * 3.0);
        assert_eq!(tuner.chosen(), 2);
        assert!(used.iter().filter(|threads| **threads == 1).count() <= 16, "slow is what is usual now");
    }

    #[test]
    fn steps_of_other_widths_do_not_count_in_a_trial() {
        let mut tuner = Tuner::new(ladder(2), 2, true);
        for _ in 0..12 {
            let threads = tuner.threads(8);
            tuner.observe(8, Duration::from_secs_f64(alone(threads, 0) / 1000.0));
            assert_eq!(tuner.threads(3), 2, "the number in use");
            tuner.observe(3, Duration::from_millis(1));
        }
        for _ in 0..40 {
            tuner.observe(3, Duration::from_millis(1));
        }
        assert_eq!(tuner.chosen(), 2);
        assert!(tuner.trial.is_none(), "a trial does not wait for ever");
        let tried = (0..1000).any(|_| {
            let threads = tuner.threads(3);
            tuner.observe(3, Duration::from_millis(1));
            threads == 1
        });
        assert!(tried, "it comes back for the width there is");
    }

    #[test]
    fn what_was_not_measured_is_found_though_the_first_steps_are_of_another_width() {
        let mut tuner = Tuner::new(ladder(4), 4, true);
        let mut step = |rows: usize| {
            let threads = tuner.threads(rows);
            // Each thread beyond the first costs.
            tuner.observe(rows, Duration::from_millis(100 * u64::from(threads)));
        };
        // One answer alone, then four together, and each number lower down begins as one alone again.
        for _ in 0..3 {
            (0..3).for_each(|_| step(1));
            (0..60).for_each(|_| step(4));
        }
        assert_eq!(tuner.chosen(), 1);
    }

    #[test]
    fn widths_that_change_with_every_step_hide_no_slowness() {
        let mut tuner = Tuner::new(ladder(2), 2, false);
        let mut step = |time: fn(u32, usize) -> f64, rows: usize| {
            let threads = tuner.threads(rows);
            tuner.observe(rows, Duration::from_secs_f64(time(threads, 0) / 1000.0 * rows as f64));
        };
        (0..200).for_each(|n| step(alone, 7 + n % 2));
        (0..200).for_each(|n| step(beside_another, 7 + n % 2));
        assert_eq!(tuner.chosen(), 1);
    }

    #[test]
    fn one_core_is_one_core() {
        let mut tuner = Tuner::new(ladder(1), 4, true);
        assert!(run(&mut tuner, 100, beside_another).iter().all(|threads| *threads == 1));
    }
}
