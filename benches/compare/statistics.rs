//! Median and quartiles of a few samples.

use std::fmt;

use crate::Ratio;

/// The middle of samples, and how far they lie apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    /// The lower and the upper quartile.
    pub(crate) quartiles: [f64; 2],
}

impl Spread {
    /// `None` if there is no sample, or one is no number.
    pub(crate) fn of(samples: &[f64]) -> Option<Self> {
        let all = Ratio::of(&[samples.to_vec()])?;
        Some(Self { median: all.median, quartiles: [all.spread[1], all.spread[2]] })
    }

    /// Of the samples divided by those of a reference, round by round; what has no partner is left out.
    pub(crate) fn of_ratios(samples: &[Option<f64>], reference: &[Option<f64>]) -> Option<Self> {
        let pairs = samples.iter().zip(reference).filter_map(|(own, other)| Some(((*own)?, (*other)?)));
        Self::of(&pairs.map(|(own, other)| own / other).collect::<Vec<_>>())
    }
}

impl fmt::Display for Spread {
    /// As ratios are printed in tables, with two digits unless another precision is asked for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { median, quartiles: [low, high] } = self;
        let digits = f.precision().unwrap_or(2);
        write!(f, "{median:.digits$} [{low:.digits$}, {high:.digits$}]")
    }
}

/// Where a share of the samples lies below, between two neighbours in proportion, as `llama-cli bench` has it: both sides of a
/// comparison have to mean the same. `None` if there is no sample.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a place among samples; a cast from float saturates"
)]
pub(crate) fn percentile(samples: &[f64], percent: f64) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = percent / 100.0 * sorted.len().checked_sub(1)? as f64;
    let low = sorted.get(place.floor() as usize)?;
    let high = sorted.get(place.ceil() as usize)?;
    Some(low + (high - low) * place.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_shows_its_quartiles() {
        let ratio =
            Spread::of_ratios(&[2.0, 6.0, 8.0, 4.0, 10.0].map(Some), &[Some(2.0); 5]).expect("there are samples");
        assert_eq!(ratio.to_string(), "3.00 [2.00, 4.00]");
    }

    #[test]
    fn what_was_not_measured_in_both_does_not_count() {
        let ratio = |samples: &[Option<f64>], reference: &[Option<f64>]| {
            Spread::of_ratios(samples, reference).map(|ratio| ratio.median)
        };
        assert_eq!(ratio(&[Some(2.0), Some(9.0)], &[Some(1.0)]), Some(2.0));
        assert_eq!(ratio(&[None, Some(9.0)], &[Some(1.0), Some(3.0)]), Some(3.0));
        assert_eq!(ratio(&[], &[Some(1.0)]), None);
        assert_eq!(ratio(&[Some(1.0)], &[Some(0.0)]), None);
    }

    #[test]
    fn a_percentile_lies_between_its_neighbours_in_proportion() {
        let samples: Vec<f64> = (1..=101).rev().map(f64::from).collect();
        assert_eq!(
            [0.0, 50.0, 99.0, 100.0].map(|percent| percentile(&samples, percent)),
            [1.0, 51.0, 100.0, 101.0].map(Some)
        );
        // The figures of the test of `llama-cli bench`.
        let values = [4.0, 1.0, 3.0, 2.0];
        assert_eq!([0.0, 25.0, 100.0].map(|percent| percentile(&values, percent)), [1.0, 1.75, 4.0].map(Some));
        assert_eq!(percentile(&[], 50.0), None);
    }
}
