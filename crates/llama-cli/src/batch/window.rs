//! Inputs that were read ahead, and which of them is next: [`Window`].
//!
//! Next is the one whose prompt comes after the last one's in alphabetical order, and after the last of all the first again.
//! So prompts that begin alike follow each other, and the engine finds their beginning computed. None waits for ever: the
//! window is bounded, so what is passed over is soon all that is in it.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::entry::Entry;

/// How many inputs are read ahead, and how many bytes they may have together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) entries: usize,
    pub(super) bytes: usize,
}

/// Inputs that were read ahead.
#[derive(Debug)]
pub(super) struct Window {
    waiting: BTreeMap<(String, u64), Entry>,
    /// Where the last one was taken.
    last: (String, u64),
    bounds: Bounds,
    entries: usize,
    bytes: usize,
}

impl Window {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { waiting: BTreeMap::new(), last: (String::new(), 0), bounds, entries: 0, bytes: 0 }
    }

    /// Whether an input of so many bytes has to wait. One alone never has to.
    pub(super) fn is_full(&self, bytes: usize) -> bool {
        self.entries > 0 && (self.entries >= self.bounds.entries || self.bytes + bytes > self.bounds.bytes)
    }

    /// Adds an input; `order` is its place among all.
    pub(super) fn push(&mut self, order: u64, mut entry: Entry) {
        self.entries += 1;
        self.bytes += entry.bytes;
        let beginning = std::mem::take(&mut entry.beginning);
        self.waiting.insert((beginning, order), entry);
    }

    /// Takes the next one. It counts until it is [`forgotten`](Self::forget).
    pub(super) fn pop(&mut self) -> Option<(u64, Entry)> {
        let after = (Bound::Excluded(&self.last), Bound::Unbounded);
        let key = self.waiting.range(after).next().or_else(|| self.waiting.iter().next())?.0.clone();
        let entry = self.waiting.remove(&key)?;
        let order = key.1;
        self.last = key;
        Some((order, entry))
    }

    /// An input of so many bytes, and all that was kept for it, is gone.
    pub(super) fn forget(&mut self, bytes: usize) {
        self.entries -= 1;
        self.bytes -= bytes;
    }

    /// Whether all have been taken.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::entry::Shape;
    use crate::batch::openai;
    use crate::batch::problem::Problem;

    fn entry(beginning: &str, bytes: usize) -> Entry {
        Entry {
            key: "1-1-0000000a".parse().unwrap(),
            shape: Shape::OpenAi(openai::Head::unknown()),
            ask: Err(Problem::line("x", "x")),
            bytes,
            beginning: beginning.to_owned(),
        }
    }

    #[test]
    fn prompts_that_begin_alike_follow_each_other_and_none_is_left() {
        let mut window = Window::new(Bounds { entries: 9, bytes: 99 });
        for (order, beginning) in ["b1", "a1", "b2", "a2", "c", "b1"].into_iter().enumerate() {
            window.push(order as u64, entry(beginning, 1));
        }
        let mut next = || window.pop().map(|(order, _)| order);
        assert_eq!([next(), next(), next()], [Some(1), Some(3), Some(0)]);
        // What is before the last one waits for the next turn.
        window.push(6, entry("a0", 1));
        window.push(7, entry("b11", 1));
        let mut next = || window.pop().map(|(order, _)| order);
        assert_eq!(
            [next(), next(), next(), next(), next(), next()],
            [Some(5), Some(7), Some(2), Some(4), Some(6), None]
        );
    }

    #[test]
    fn a_window_is_bounded_but_takes_one_of_any_size() {
        let mut window = Window::new(Bounds { entries: 2, bytes: 10 });
        assert!(!window.is_full(1000));
        window.push(0, entry("a", 1000));
        assert!(window.is_full(1));
        window.pop().unwrap();
        assert!(window.is_full(1), "still being answered");
        window.forget(1000);
        window.push(1, entry("a", 4));
        assert!(!window.is_full(6) && window.is_full(7));
        window.push(2, entry("a", 1));
        assert!(window.is_full(1));
    }
}
