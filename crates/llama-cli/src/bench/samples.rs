//! What several measurements say: means, medians, quartiles and percentiles.

/// The arithmetic mean; 0 of nothing.
#[expect(clippy::cast_precision_loss, reason = "a number of measurements")]
pub(super) fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}

/// The standard deviation of a sample, as upstream has it: 0 of one.
#[expect(clippy::cast_precision_loss, reason = "a number of measurements")]
pub(super) fn deviation(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return 0.0;
    }
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / (values.len() - 1) as f64).sqrt()
}

/// The value below which this share of them lies, between two values in proportion; 0 of nothing.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a place in a list, at most its length"
)]
pub(super) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let place = share.clamp(0.0, 1.0) * last as f64;
    let low = (place.floor() as usize).min(last);
    let high = (low + 1).min(last);
    sorted[low] + (sorted[high] - sorted[low]) * (place - low as f64)
}

/// The value in the middle.
pub(super) fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_those_of_the_textbook() {
        let values = [4.0, 1.0, 3.0, 2.0];
        assert_eq!((mean(&values), median(&values)), (2.5, 2.5));
        assert!((deviation(&values) - 1.290_994_448_735_805_6).abs() < 1e-12);
        assert_eq!([0.0, 0.25, 1.0].map(|share| quantile(&values, share)), [1.0, 1.75, 4.0]);
        assert_eq!((mean(&[]), deviation(&[7.0]), median(&[7.0]), median(&[])), (0.0, 0.0, 7.0, 0.0));
    }
}
