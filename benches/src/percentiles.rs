//! How times are spread, where the rare long ones count.

use std::time::Duration;

/// Times in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Percentiles(Vec<Duration>);

impl Percentiles {
    /// Sorts them.
    pub fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// The least of the times, in seconds, that so many percent of all are not longer than; not a number if there is none.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a number of times; a cast from float saturates"
    )]
    pub fn at(&self, percent: f64) -> f64 {
        let place = (self.0.len() as f64 * percent / 100.0).ceil() as usize;
        let found = self.0.get(place.saturating_sub(1).min(self.0.len().saturating_sub(1)));
        found.map_or(f64::NAN, Duration::as_secs_f64)
    }

    /// How many times there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_times() {
        let times = Percentiles::of((1..=200).rev().map(Duration::from_secs).collect());
        assert_eq!([0.0, 50.0, 99.0, 100.0].map(|percent| times.at(percent)), [1.0, 100.0, 198.0, 200.0]);
        assert_eq!(Percentiles::of(vec![Duration::from_secs(3)]).at(50.0), 3.0);
        assert!(Percentiles::of(Vec::new()).at(50.0).is_nan());
    }
}
