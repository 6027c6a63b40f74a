//! A ratio out of many noisy ones: median, spread, interval.

/// How often the samples are drawn again for the interval.
const DRAWS: usize = 2000;

/// How fast a loop is in relation to another; above 1 is faster.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// The middle one of all blocks.
    pub median: f64,
    /// Smallest, lower quartile, upper quartile, largest.
    pub spread: [f64; 4],
    /// Where the median would be found in 95 of 100 repetitions, by drawing placements and then blocks again.
    pub interval: [f64; 2],
}

impl Ratio {
    /// `groups` holds the ratios of the blocks, placement by placement. `None` if there is none, or no number.
    pub fn of(groups: &[Vec<f64>]) -> Option<Self> {
        let groups: Vec<&[f64]> = groups.iter().map(Vec::as_slice).filter(|group| !group.is_empty()).collect();
        let mut all = groups.concat();
        if all.is_empty() || all.iter().any(|ratio| !ratio.is_finite()) {
            return None;
        }
        all.sort_by(f64::total_cmp);
        let spread = [0.0, 0.25, 0.75, 1.0].map(|share| quantile(&all, share));
        let mut random = SplitMix(1);
        let mut medians: Vec<f64> = (0..DRAWS).map(|_| median_of_a_draw(&groups, &mut random)).collect();
        medians.sort_by(f64::total_cmp);
        let interval = [0.025, 0.975].map(|share| quantile(&medians, share));
        Some(Self { median: quantile(&all, 0.5), spread, interval })
    }
}

/// Blocks of one placement resemble each other, so whole placements are drawn first.
fn median_of_a_draw(groups: &[&[f64]], random: &mut SplitMix) -> f64 {
    let mut drawn = Vec::new();
    for _ in groups {
        let group = groups[random.below(groups.len())];
        drawn.extend(group.iter().map(|_| group[random.below(group.len())]));
    }
    drawn.sort_by(f64::total_cmp);
    quantile(&drawn, 0.5)
}

/// Between the two neighbours in proportion. `sorted` is not empty.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an index of a vector that fits into memory, never negative"
)]
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let below = at.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * at.fract()
}

/// The same draws in every run: an interval must not depend on luck.
struct SplitMix(u64);

impl SplitMix {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        let below = bits % u64::try_from(n).unwrap_or(u64::MAX).max(1);
        usize::try_from(below).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_are_those_of_the_textbook() {
        let ratio = Ratio::of(&[vec![5.0, 1.0], vec![4.0, 2.0, 3.0]]).expect("there are samples");
        assert_eq!((ratio.median, ratio.spread), (3.0, [1.0, 2.0, 4.0, 5.0]));
        assert!(ratio.interval[0] >= 1.0 && ratio.interval[1] <= 5.0);
    }

    #[test]
    fn equal_samples_leave_no_doubt() {
        let ratio = Ratio::of(&[vec![0.99; 6], vec![0.99; 6]]).expect("there are samples");
        assert_eq!((ratio.median, ratio.interval), (0.99, [0.99, 0.99]));
    }

    #[test]
    fn placements_that_differ_widen_the_interval() {
        let mixed: Vec<f64> = (0..32).map(|i| if i % 2 == 0 { 0.9 } else { 1.1 }).collect();
        let alike = Ratio::of(&mixed.chunks(8).map(<[f64]>::to_vec).collect::<Vec<_>>()).expect("samples");
        let apart = Ratio::of(&[vec![0.9; 16], vec![1.1; 16]]).expect("samples");
        let width = |ratio: Ratio| ratio.interval[1] - ratio.interval[0];
        assert!(width(apart) >= width(alike));
    }

    #[test]
    fn nothing_and_nonsense_give_no_ratio() {
        assert_eq!(Ratio::of(&[]), None);
        assert_eq!(Ratio::of(&[vec![]]), None);
        assert_eq!(Ratio::of(&[vec![1.0, f64::NAN]]), None);
    }
}
