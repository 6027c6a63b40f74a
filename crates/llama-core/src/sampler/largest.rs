//! Finding the few largest numbers of a long row: [`Largest`].
//!
//! Reading a row of 150 000 logits once is all that has to be done with most of them. The first pass only keeps the largest of
//! each group, in lanes, so that compilers make vector code of it; the second looks into the few groups that count.

/// Numbers that are looked at together. A group has every `LANES`-th number of a chunk.
const LANES: usize = 16;
/// Most numbers of a group.
const MOST_ROWS: usize = 64;
/// Groups for each number that is looked for, as far as there are so many: fewer find too much.
const SPREAD: usize = 4;

/// The largest numbers of a row. Keeps its memory between rows.
#[derive(Debug, Clone, Default)]
pub(super) struct Largest {
    /// The largest number of each group; negative infinity if there is none.
    groups: Vec<f32>,
    /// Numbers of a group.
    rows: usize,
    scratch: Vec<f32>,
}

/// A number is NaN, or not below the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unusable;

impl Largest {
    /// Reads a row for [`at_least`](Self::at_least) about `count` numbers, which are all below `limit`.
    pub(super) fn read(&mut self, row: &[f32], limit: f32, count: usize) -> Result<(), Unusable> {
        self.rows = (row.len() / (LANES * SPREAD * count.max(1))).clamp(1, MOST_ROWS);
        self.groups.clear();
        let mut usable = true;
        for chunk in row.chunks(LANES * self.rows) {
            let mut most = [f32::NEG_INFINITY; LANES];
            let mut below = [true; LANES];
            let (whole, rest) = chunk.as_chunks::<LANES>();
            for numbers in whole {
                see(&mut most, &mut below, numbers, limit);
            }
            if !rest.is_empty() {
                let mut last = [f32::NEG_INFINITY; LANES];
                last[..rest.len()].copy_from_slice(rest);
                see(&mut most, &mut below, &last, limit);
            }
            usable &= below.iter().all(|below| *below);
            self.groups.extend(most);
        }
        if usable { Ok(()) } else { Err(Unusable) }
    }

    /// A number that at least `count` of the row reach, and not many more; `None` if fewer groups have a finite one.
    pub(super) fn threshold(&mut self, count: usize) -> Option<f32> {
        let last = count.checked_sub(1)?;
        if last >= self.groups.len() {
            return None;
        }
        self.scratch.clone_from(&self.groups);
        let (_, threshold, _) = self.scratch.select_nth_unstable_by(last, |a, b| b.total_cmp(a));
        Some(*threshold).filter(|threshold| *threshold > f32::NEG_INFINITY)
    }

    /// Calls `found` with the place of each number of the row that was read which is at least `threshold`, in no order.
    pub(super) fn at_least(&self, row: &[f32], threshold: f32, mut found: impl FnMut(usize)) {
        for (group, _) in self.groups.iter().enumerate().filter(|(_, most)| **most >= threshold) {
            let first = group / LANES * LANES * self.rows + group % LANES;
            for place in (first..row.len()).step_by(LANES).take(self.rows) {
                if row[place] >= threshold {
                    found(place);
                }
            }
        }
    }

    /// The place of the largest number of the row that was read, the first one where several are equal; `None` if none is
    /// finite.
    pub(super) fn first(&self, row: &[f32]) -> Option<usize> {
        let most = self.groups.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut first: Option<usize> = None;
        if most > f32::NEG_INFINITY {
            self.at_least(row, most, |place| first = Some(first.map_or(place, |first| first.min(place))));
        }
        first
    }
}

/// Comparisons that vector units have, for whole lanes; NaN is never larger.
#[inline]
fn see(most: &mut [f32; LANES], below: &mut [bool; LANES], numbers: &[f32; LANES], limit: f32) {
    for ((most, below), &number) in most.iter_mut().zip(below).zip(numbers) {
        *most = if number > *most { number } else { *most };
        *below &= number < limit;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: f32 = 1e8;

    /// Numbers in no order, the same for the same seed.
    fn row(len: usize, seed: u32) -> Vec<f32> {
        let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
        std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            (state >> 8) as f32 / 65_536.0 - 128.0
        })
        .take(len)
        .collect()
    }

    #[test]
    fn what_is_found_holds_the_largest_whatever_the_length() {
        let mut largest = Largest::default();
        for len in [1, 15, 16, 17, 320, 2048, 4097, 151_936] {
            for count in [1, 3, 40, 300] {
                let row = row(len, u32::try_from(len + count).expect("small"));
                largest.read(&row, LIMIT, count).expect("all are usable");
                let Some(threshold) = largest.threshold(count) else {
                    assert!(len.next_multiple_of(LANES) < LANES * SPREAD * count, "{len} numbers, {count} wanted");
                    continue;
                };
                let mut found = Vec::new();
                largest.at_least(&row, threshold, |place| found.push(place));
                found.sort_unstable();
                let expected: Vec<usize> = (0..len).filter(|place| row[*place] >= threshold).collect();
                assert_eq!(found, expected, "{len} numbers, {count} wanted");
                assert!(
                    found.len() >= count.min(len) && found.len() <= 2 * count + LANES,
                    "{len}, {count}: {}",
                    found.len()
                );
            }
        }
    }

    #[test]
    fn the_first_of_equal_numbers_is_the_largest() {
        let mut largest = Largest::default();
        for places in [vec![5], vec![1999, 100, 700], vec![2047, 2046], vec![0, 2047]] {
            let mut row = row(2048, 3);
            for place in &places {
                row[*place] = 1e3;
            }
            largest.read(&row, LIMIT, 1).expect("all are usable");
            assert_eq!(largest.first(&row), places.iter().min().copied());
        }
        let row = [f32::NEG_INFINITY; 50];
        largest.read(&row, LIMIT, 1).expect("all are usable");
        assert_eq!((largest.first(&row), largest.threshold(1)), (None, None));
    }

    #[test]
    fn a_number_that_is_none_is_told_wherever_it_is() {
        let mut largest = Largest::default();
        for bad in [f32::NAN, f32::INFINITY, LIMIT] {
            for place in [0, 16, 1234, 2046] {
                let mut row = row(2047, 3);
                row[place] = bad;
                assert_eq!(largest.read(&row, LIMIT, 40), Err(Unusable));
            }
        }
    }
}
