//! How the rows of a matrix are shared out: large contiguous pieces first, smaller ones later, and nobody owns a
//! piece before beginning it, so that finished threads take over what late ones have not begun.

use std::ops::Range;

/// Rows of the smallest piece: the largest tile, because the last pieces are what threads wait for.
const SMALLEST: usize = 16;

/// The pieces of a matrix, by number: in every round one for each thread, half of what is left.
///
/// Every thread goes through them with one of its own.
#[derive(Debug, Clone)]
pub struct Pieces {
    rows: usize,
    threads: usize,
    /// First row and first number of the round that was asked for last.
    round: (usize, usize),
}

impl Pieces {
    /// For `threads` threads, at least one.
    #[must_use]
    pub fn new(rows: usize, threads: usize) -> Self {
        Self { rows, threads: threads.max(1), round: (0, 0) }
    }

    /// The rows of a piece; `None` after the last. Numbers only grow: none is below the one before.
    pub fn get(&mut self, index: usize) -> Option<Range<usize>> {
        let (mut start, mut first) = self.round;
        loop {
            self.round = (start, first);
            let left = self.rows - start;
            if left == 0 {
                return None;
            }
            let share = if self.threads == 1 { left } else { left.div_ceil(2 * self.threads) };
            let size = share.next_multiple_of(SMALLEST);
            let in_round = self.threads.min(left.div_ceil(size));
            if index - first < in_round {
                let begin = start + (index - first) * size;
                return Some(begin..self.rows.min(begin + size));
            }
            start = self.rows.min(start + in_round * size);
            first += in_round;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_every_row_once_and_shrink() {
        for threads in [1, 2, 3, 7, 64] {
            for rows in [0, 1, 15, 64, 65, 1000, 2048, 100_000] {
                let mut pieces = Pieces::new(rows, threads);
                let (mut next, mut largest) = (0, usize::MAX);
                for index in 0.. {
                    let Some(piece) = pieces.get(index) else { break };
                    assert_eq!(piece.start, next);
                    assert!(!piece.is_empty() && piece.len() <= largest);
                    assert!(piece.start % SMALLEST == 0);
                    (next, largest) = (piece.end, piece.len());
                }
                assert_eq!(next, rows, "{rows} rows, {threads} threads");
            }
        }
    }
}
