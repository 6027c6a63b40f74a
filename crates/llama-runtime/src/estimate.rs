//! How long a step takes: [`Estimator`].

use std::time::Duration;

/// How much one more measurement counts, compared with all before it.
const WEIGHT: f64 = 0.1;
/// How many times larger than those measured a step may be for its estimate to be trusted.
const REACH: f64 = 2.0;

/// Learns from measured steps that a step of `n` tokens takes `a + b * n`. Old measurements fade out, so that it follows a
/// machine that gets slower, and sequences that get longer.
///
/// The line is the least-squares fit over exponentially weighted means. As long as all steps had the same size, the whole
/// time is taken to be due to the tokens.
#[derive(Debug, Clone, Default)]
pub(crate) struct Estimator {
    means: Option<Means>,
    /// Tokens of the largest step; fades out as its measurement does.
    largest: f64,
}

/// Weighted means of tokens and seconds.
#[derive(Debug, Clone, Copy)]
struct Means {
    tokens: f64,
    seconds: f64,
    squares: f64,
    products: f64,
}

/// `a` and `b`, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Line {
    step: f64,
    token: f64,
}

impl Estimator {
    /// A step of `tokens` tokens took `elapsed`.
    pub(crate) fn observe(&mut self, tokens: usize, elapsed: Duration) {
        if tokens == 0 {
            return;
        }
        let (tokens, seconds) = (tokens as f64, elapsed.as_secs_f64());
        let new = Means { tokens, seconds, squares: tokens * tokens, products: tokens * seconds };
        self.largest = tokens.max(self.largest * (1.0 - WEIGHT));
        let mix = |old: f64, new: f64| old + WEIGHT * (new - old);
        self.means = Some(self.means.map_or(new, |old| Means {
            tokens: mix(old.tokens, new.tokens),
            seconds: mix(old.seconds, new.seconds),
            squares: mix(old.squares, new.squares),
            products: mix(old.products, new.products),
        }));
    }

    /// Time of a step of `tokens` tokens; `None` before anything was measured.
    pub(crate) fn step(&self, tokens: usize) -> Option<Duration> {
        self.line().map(|line| duration(line.step + line.token * tokens as f64))
    }

    /// Most tokens of a step that takes no longer than `time`; `None` before anything was measured.
    pub(crate) fn tokens_within(&self, time: Duration) -> Option<usize> {
        self.line().map(|line| {
            let left = time.as_secs_f64() - line.step;
            // The cast saturates: negative is 0, endless is the maximum.
            if line.token > 0.0 { (left / line.token).floor() as usize } else { usize::MAX }
        })
    }

    /// Most tokens of a step whose estimate can be trusted: twice the largest of the last ones. Steps of a few tokens, which take
    /// as long as reading the weights does, say little about one of hundreds.
    pub(crate) fn reach(&self) -> usize {
        (REACH * self.largest).floor() as usize
    }

    /// Time to compute `tokens` tokens in steps of at most `chunk`; `None` before anything was measured.
    pub(crate) fn prefill(&self, tokens: usize, chunk: usize) -> Option<Duration> {
        let steps = tokens.div_ceil(chunk.max(1));
        self.line().map(|line| duration(line.step * steps as f64 + line.token * tokens as f64))
    }

    /// Prompt tokens computed in a second, in steps of `chunk`; `None` before anything was measured.
    pub(crate) fn prefill_rate(&self, chunk: usize) -> Option<f64> {
        let seconds = self.step(chunk)?.as_secs_f64();
        (seconds > 0.0).then(|| chunk as f64 / seconds)
    }

    fn line(&self) -> Option<Line> {
        let means = self.means?;
        let spread = means.squares - means.tokens * means.tokens;
        let together = means.products - means.tokens * means.seconds;
        let through_origin = means.seconds / means.tokens;
        // Steps of nearly one size say nothing about the slope.
        let slope = if spread > 0.01 * means.squares { together / spread } else { through_origin };
        let token = slope.clamp(0.0, through_origin);
        Some(Line { step: means.seconds - token * means.tokens, token })
    }
}

fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn small_steps_do_not_tell_what_a_large_one_takes() {
        let mut estimator = Estimator::default();
        for tokens in [1, 2, 3, 4].into_iter().cycle().take(40) {
            // All alike, since reading the weights takes all the time.
            estimator.observe(tokens, 10 * MS);
        }
        assert_eq!(estimator.reach(), 8);
        estimator.observe(64, 20 * MS);
        assert_eq!(estimator.reach(), 128);
        (0..40).for_each(|_| estimator.observe(4, 10 * MS));
        assert_eq!(estimator.reach(), 8, "it was long ago");
    }

    #[test]
    fn it_finds_the_cost_of_a_step_and_of_a_token() {
        let mut estimator = Estimator::default();
        for tokens in [1_usize, 100, 1, 200, 1, 50].into_iter().cycle().take(60) {
            estimator.observe(tokens, 10 * MS + MS * u32::try_from(tokens).unwrap());
        }
        let step = estimator.step(100).unwrap();
        assert!(step.abs_diff(110 * MS) < MS, "{step:?}");
        let within = estimator.tokens_within(60 * MS).unwrap();
        assert!((49..=51).contains(&within), "{within}");
        let prefill = estimator.prefill(1000, 100).unwrap();
        assert!(prefill.abs_diff(1100 * MS) < 10 * MS, "{prefill:?}");
    }

    #[test]
    fn steps_of_one_size_are_taken_as_the_cost_of_their_tokens() {
        let mut estimator = Estimator::default();
        estimator.observe(64, 64 * MS);
        assert_eq!(estimator.step(32), Some(32 * MS));
        assert_eq!(estimator.prefill_rate(500).map(f64::round), Some(1000.0));
    }

    #[test]
    fn it_follows_a_machine_that_gets_slower() {
        let mut estimator = Estimator::default();
        (0..50).for_each(|_| estimator.observe(10, 10 * MS));
        (0..50).for_each(|_| estimator.observe(10, 30 * MS));
        assert!(estimator.step(10).unwrap() > 29 * MS);
    }

    #[test]
    fn it_says_nothing_before_anything_was_measured_and_survives_nonsense() {
        let mut estimator = Estimator::default();
        estimator.observe(0, MS);
        assert_eq!(estimator.step(1), None);
        assert_eq!(estimator.tokens_within(MS), None);
        estimator.observe(1, Duration::ZERO);
        assert_eq!(estimator.tokens_within(MS), Some(usize::MAX));
        estimator.observe(1, Duration::MAX);
        assert!(estimator.step(usize::MAX).is_some());
    }
}
