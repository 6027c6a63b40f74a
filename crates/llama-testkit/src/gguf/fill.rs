//! What a tensor holds, as a recipe: nothing is in memory until the file is written.

use std::ops::Range;

use crate::random::Random;

/// The recipe of a tensor's values, in file order (first dimension fastest).
#[derive(Debug, Clone, PartialEq)]
pub enum Fill {
    /// Every value the same.
    Constant(f32),
    /// These values; the writer checks that their number fits the shape.
    Values(Vec<f32>),
    /// Random in `low..high` from `seed`, except that the values whose index is in `zeros` are zero.
    Uniform {
        /// Seed of the stream; see [`crate::random::seed_for`].
        seed: u64,
        /// Lowest value.
        low: f32,
        /// Bound no value reaches.
        high: f32,
        /// Indices of values that are zero instead; may be empty.
        zeros: Range<u64>,
    },
}

impl Fill {
    /// Uniform with no zeros.
    #[must_use]
    pub fn uniform(seed: u64, low: f32, high: f32) -> Self {
        Self::Uniform { seed, low, high, zeros: 0..0 }
    }

    /// Uniform around zero with variance `gain^2 / n_in`, so that a matrix keeps the size of what it multiplies.
    #[must_use]
    pub fn matrix(seed: u64, n_in: u64, gain: f32) -> Self {
        let bound = gain * (3.0 / n_in.max(1) as f32).sqrt();
        Self::uniform(seed, -bound, bound)
    }

    /// The same, with zeros at `zeros`; other recipes are returned unchanged.
    #[must_use]
    pub fn with_zeros(mut self, range: Range<u64>) -> Self {
        if let Self::Uniform { zeros, .. } = &mut self {
            *zeros = range;
        }
        self
    }

    /// Number of values, where the recipe fixes it.
    pub(super) fn len(&self) -> Option<u64> {
        match self {
            Self::Values(values) => Some(values.len() as u64),
            Self::Constant(_) | Self::Uniform { .. } => None,
        }
    }

    /// Starts producing values from the first.
    pub(super) fn stream(&self) -> Stream<'_> {
        let seed = match self {
            Self::Uniform { seed, .. } => *seed,
            Self::Constant(_) | Self::Values(_) => 0,
        };
        Stream { fill: self, random: Random::new(seed), next: 0 }
    }
}

/// Produces a recipe's values piece by piece.
#[derive(Debug)]
pub(super) struct Stream<'f> {
    fill: &'f Fill,
    random: Random,
    next: u64,
}

impl Stream<'_> {
    /// Overwrites `out` with the next values.
    pub(super) fn fill(&mut self, out: &mut [f32]) {
        match self.fill {
            Fill::Constant(value) => out.fill(*value),
            Fill::Values(values) => {
                let rest = values.get(self.next as usize..).unwrap_or(&[]);
                for (slot, value) in out.iter_mut().zip(rest) {
                    *slot = *value;
                }
            }
            Fill::Uniform { low, high, zeros, .. } => {
                for (i, slot) in (self.next..).zip(out.iter_mut()) {
                    // Drawn even where zero is wanted: the other values do not move when the zeros do.
                    let value = self.random.uniform(*low, *high);
                    *slot = if zeros.contains(&i) { 0.0 } else { value };
                }
            }
        }
        self.next += out.len() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_do_not_change_the_values() {
        let fill = Fill::uniform(7, -1.0, 1.0).with_zeros(3..5);
        let mut whole = [9.0; 10];
        fill.stream().fill(&mut whole);
        let mut pieces = [9.0; 10];
        let mut stream = fill.stream();
        for piece in pieces.chunks_mut(3) {
            stream.fill(piece);
        }
        assert_eq!(whole, pieces);
        assert_eq!(whole[3..5], [0.0, 0.0]);
        assert_ne!(whole[5], 0.0);
    }
}
