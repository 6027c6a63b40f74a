//! Which KV cells are in use, and by whom: [`Cells`].
//!
//! A copy of a sequence's beginning costs nothing, since both then use the same cells. So cells are counted one by one:
//! each knows how many slots use it, and how many of those belong to a running sequence. The difference is what can be
//! given up when room is needed.

use crate::plan::Slot;

/// One cell, while at least one slot uses it.
#[derive(Debug, Clone, Copy, Default)]
struct Uses {
    slots: u16,
    /// Those of `slots` that belong to running sequences.
    held: u16,
}

/// The cells of one slot, in order.
#[derive(Debug, Clone, Default)]
struct Chain {
    cells: Vec<u32>,
    held: bool,
}

/// Exact accounting of a KV cache whose cells are shared by all slots. It moves no data and decides nothing.
#[derive(Debug, Clone)]
pub(crate) struct Cells {
    /// `None` for no limit.
    total: Option<usize>,
    chains: Vec<Chain>,
    uses: Vec<Uses>,
    spare: Vec<u32>,
    used: usize,
    held: usize,
}

impl Cells {
    pub(crate) fn new(total: Option<usize>, slots: usize) -> Self {
        let chains = vec![Chain::default(); slots];
        Self { total, chains, uses: Vec::new(), spare: Vec::new(), used: 0, held: 0 }
    }

    /// Cells there are; `None` for no limit.
    pub(crate) fn total(&self) -> Option<usize> {
        self.total
    }

    /// Cells in use, those of cached prefixes included.
    pub(crate) fn used(&self) -> usize {
        self.used
    }

    /// Cells that running sequences use.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// Cells nobody uses.
    pub(crate) fn free(&self) -> usize {
        self.total.map_or(usize::MAX, |total| total.saturating_sub(self.used))
    }

    /// Cells that emptying `slot` would free.
    pub(crate) fn only_in(&self, slot: Slot) -> usize {
        self.chain(slot).cells.iter().filter(|cell| self.uses[**cell as usize].slots == 1).count()
    }

    /// Cells of the first `len` tokens of `slot` that no running sequence uses yet.
    pub(crate) fn not_held(&self, slot: Slot, len: usize) -> usize {
        self.chain(slot).cells.iter().take(len).filter(|cell| self.uses[**cell as usize].held == 0).count()
    }

    /// `slot` gets `count` more tokens.
    pub(crate) fn append(&mut self, slot: Slot, count: usize) {
        let held = u16::from(self.chain(slot).held);
        for _ in 0..count {
            let cell = self.spare.pop().unwrap_or_else(|| {
                self.uses.push(Uses::default());
                u32::try_from(self.uses.len() - 1).unwrap_or(u32::MAX)
            });
            self.uses[cell as usize] = Uses { slots: 1, held };
            self.chains[usize::from(slot.0)].cells.push(cell);
        }
        self.used += count;
        self.held += count * usize::from(held);
    }

    /// Only the first `len` tokens of `slot` stay.
    pub(crate) fn truncate(&mut self, slot: Slot, len: usize) {
        let chain = &mut self.chains[usize::from(slot.0)];
        let held = chain.held;
        for cell in chain.cells.drain(len.min(chain.cells.len())..) {
            let uses = &mut self.uses[cell as usize];
            uses.slots -= 1;
            if held {
                uses.held -= 1;
                self.held -= usize::from(uses.held == 0);
            }
            if uses.slots == 0 {
                self.used -= 1;
                self.spare.push(cell);
            }
        }
    }

    /// `to`, which is empty, shares the first `len` tokens of `from`.
    pub(crate) fn copy(&mut self, from: Slot, to: Slot, len: usize) {
        let shared: Vec<u32> = self.chain(from).cells.iter().take(len).copied().collect();
        let held = self.chain(to).held;
        for cell in &shared {
            let uses = &mut self.uses[*cell as usize];
            uses.slots += 1;
            if held {
                self.held += usize::from(uses.held == 0);
                uses.held += 1;
            }
        }
        self.chains[usize::from(to.0)].cells = shared;
    }

    /// Says whether `slot` belongs to a running sequence.
    pub(crate) fn hold(&mut self, slot: Slot, held: bool) {
        let chain = &mut self.chains[usize::from(slot.0)];
        if chain.held == held {
            return;
        }
        chain.held = held;
        for cell in &chain.cells {
            let uses = &mut self.uses[*cell as usize];
            if held {
                self.held += usize::from(uses.held == 0);
                uses.held += 1;
            } else {
                uses.held -= 1;
                self.held -= usize::from(uses.held == 0);
            }
        }
    }

    fn chain(&self, slot: Slot) -> &Chain {
        &self.chains[usize::from(slot.0)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_costs_no_cell_and_the_last_user_frees_it() {
        let mut cells = Cells::new(Some(10), 2);
        cells.append(Slot(0), 4);
        cells.copy(Slot(0), Slot(1), 3);
        cells.append(Slot(1), 2);
        assert_eq!((cells.used(), cells.free()), (6, 4));
        assert_eq!((cells.only_in(Slot(0)), cells.only_in(Slot(1))), (1, 2));

        cells.truncate(Slot(0), 0);
        assert_eq!(cells.used(), 5);
        cells.truncate(Slot(1), 0);
        assert_eq!(cells.used(), 0);
    }

    #[test]
    fn cells_are_held_as_long_as_one_running_sequence_uses_them() {
        let mut cells = Cells::new(Some(10), 2);
        cells.hold(Slot(0), true);
        cells.append(Slot(0), 4);
        cells.copy(Slot(0), Slot(1), 3);
        assert_eq!(cells.not_held(Slot(0), 4), 0);

        cells.hold(Slot(1), true);
        cells.hold(Slot(0), false);
        assert_eq!((cells.used(), cells.held()), (4, 3));
        assert_eq!(cells.not_held(Slot(0), 4), 1);
        cells.truncate(Slot(1), 1);
        assert_eq!((cells.used(), cells.held()), (4, 1));
    }

    #[test]
    fn without_a_limit_there_is_always_room() {
        let mut cells = Cells::new(None, 1);
        cells.append(Slot(0), 1000);
        assert_eq!((cells.used(), cells.free()), (1000, usize::MAX));
    }
}
