//! Numbers that look random and are the same for the same seed on every machine: [`Random`].

/// SplitMix64: one addition and three shifts for each number.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 where there is none.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        // The high half of a product of two numbers of 32 bits has as many.
        (((self.next() >> 32) * u64::from(bound)) >> 32) as u32
    }

    /// One of these; 0 where there are none.
    pub(super) fn one_of(&mut self, choices: &[usize]) -> usize {
        let place = self.below(u32::try_from(choices.len()).unwrap_or(u32::MAX));
        choices.get(place as usize).copied().unwrap_or(0)
    }

    /// How long it takes until something happens that happens once in a unit of time on average.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are what a number of this type has")]
    pub(super) fn exponential(&mut self) -> f64 {
        let share = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        -(1.0 - share).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_seed_and_within_bounds() {
        // The first number of SplitMix64 from 0, by its definition.
        assert_eq!(Random::new(0).next(), 0xe220_a839_7b1d_cdaf);
        let mut random = Random::new(1);
        let drawn: Vec<u32> = (0..1000).map(|_| random.below(10)).collect();
        assert!(drawn.iter().all(|number| *number < 10) && (0..10).all(|number| drawn.contains(&number)));
        assert_eq!((random.below(0), random.one_of(&[])), (0, 0));
    }

    #[test]
    fn waiting_takes_a_unit_of_time_on_average() {
        let mut random = Random::new(3);
        let times: Vec<f64> = (0..10_000).map(|_| random.exponential()).collect();
        let mean = times.iter().sum::<f64>() / 10_000.0;
        assert!((0.95..1.05).contains(&mean) && times.iter().all(|time| *time >= 0.0), "{mean}");
    }
}
