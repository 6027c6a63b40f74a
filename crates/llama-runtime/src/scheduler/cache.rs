//! What is in the cache, slot by slot, and the operations that change it: [`Cache`].

mod apart;

use llama_core::Token;

use super::host::Host;
use super::{Bounds, Found, Source};
use crate::cells::Cells;
use crate::executor::Abilities;
use crate::plan::{AdapterKey, BlobId, CacheOp, Slot};
use crate::prefix::PrefixTree;

/// Who has tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Holder {
    Slot(Slot),
    Blob(BlobId),
}

/// One slot. What it holds is in the tree, under [`Holder::Slot`].
#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    namespace: AdapterKey,
    len: usize,
    taken: bool,
    /// When it was last useful.
    used: u64,
}

/// The contents of the KV cache and of the host tier behind it, as they are after the operations that wait for the next plan.
///
/// A slot is *taken* while a sequence runs in it. What others hold is kept in case it is the beginning of a later prompt,
/// until its slot or its cells are needed.
#[derive(Debug)]
pub(super) struct Cache {
    entries: Vec<Entry>,
    cells: Cells,
    tree: PrefixTree<Holder>,
    host: Host,
    ops: Vec<CacheOp>,
    partial: bool,
    min_prefix: usize,
    clock: u64,
}

impl Cache {
    pub(super) fn new(abilities: &Abilities, bounds: &Bounds) -> Self {
        Self {
            entries: vec![Entry::default(); abilities.slots],
            cells: Cells::new(abilities.cells, abilities.slots),
            tree: PrefixTree::new(),
            host: Host::new(abilities, bounds.host_memory),
            ops: Vec::new(),
            partial: abilities.partial,
            min_prefix: bounds.min_prefix.max(1),
            clock: 0,
        }
    }

    pub(super) fn cells(&self) -> &Cells {
        &self.cells
    }

    pub(super) fn host_bytes(&self) -> usize {
        self.host.bytes()
    }

    pub(super) fn len(&self, slot: Slot) -> usize {
        self.entries[index(slot)].len
    }

    #[cfg(test)]
    pub(super) fn has_ops(&self) -> bool {
        !self.ops.is_empty()
    }

    pub(super) fn take_ops(&mut self) -> Vec<CacheOp> {
        std::mem::take(&mut self.ops)
    }

    /// The best beginning of `tokens` there is: the longest; of equal ones a slot, then one nobody uses. All tokens may
    /// match, so whoever needs one left to compute passes one less.
    pub(super) fn find(&self, namespace: AdapterKey, tokens: &[Token]) -> Option<Found> {
        let candidates = self.tree.matches(namespace.0, tokens).filter_map(|(holder, len)| {
            let (source, whole) = match holder {
                Holder::Slot(slot) => (Source::Slot(slot), self.len(slot)),
                Holder::Blob(blob) => (Source::Blob(blob), self.host.len(blob)?),
            };
            (self.partial || whole == len).then_some(Found { source, len, whole })
        });
        let preferred = |found: &Found| match found.source {
            Source::Slot(slot) if !self.entries[index(slot)].taken => (2, found.whole),
            Source::Slot(_) => (1, 0),
            Source::Blob(_) => (0, 0),
        };
        // The longest come first, so the search is over when they get shorter.
        let mut best: Option<Found> = None;
        for found in candidates {
            if best.is_some_and(|best| found.len < best.len) {
                break;
            }
            if best.is_none_or(|best| preferred(&found) > preferred(&best)) {
                best = Some(found);
            }
        }
        best
    }

    pub(super) fn is_taken(&self, slot: Slot) -> bool {
        self.entries[index(slot)].taken
    }

    /// Whether some slot is neither taken nor holds anything.
    pub(super) fn has_empty(&self) -> bool {
        self.entries.iter().any(|entry| !entry.taken && entry.len == 0)
    }

    /// Slots that are not taken.
    pub(super) fn not_taken(&self) -> usize {
        self.entries.iter().filter(|entry| !entry.taken).count()
    }

    /// Takes an empty slot; the least recently used one is emptied for it if there is none, but not `spared`.
    pub(super) fn take(&mut self, namespace: AdapterKey, spared: Option<Slot>) -> Option<Slot> {
        let idle = self.slots().filter(|slot| !self.is_taken(*slot) && Some(*slot) != spared);
        let slot = idle.min_by_key(|slot| {
            let entry = &self.entries[index(*slot)];
            (entry.len > 0, entry.used, *slot)
        })?;
        self.evict(slot);
        self.claim(slot, namespace);
        Some(slot)
    }

    /// Takes a slot that holds something, of which the first `len` tokens stay.
    pub(super) fn take_over(&mut self, slot: Slot, len: usize) {
        let namespace = self.entries[index(slot)].namespace;
        self.cut(slot, len);
        self.claim(slot, namespace);
    }

    /// `to`, which is empty, gets the beginning of `from`.
    pub(super) fn copy(&mut self, from: Slot, to: Slot, len: usize) {
        self.clock += 1;
        self.entries[index(from)].used = self.clock;
        self.ops.push(CacheOp::Copy { from, to, len });
        self.cells.copy(from, to, len);
        let mut tokens = self.tree.tokens_of(Holder::Slot(from)).unwrap_or_default();
        tokens.truncate(len);
        self.fill(to, &tokens);
    }

    /// `slot`, which is empty, gets the beginning of a saved sequence, which was pinned. There has to be room for all of it.
    pub(super) fn load(&mut self, blob: BlobId, slot: Slot, len: usize) {
        let tokens = self.tree.tokens_of(Holder::Blob(blob)).unwrap_or_default();
        self.clock += 1;
        self.host.touch(blob, self.clock);
        self.make_room(tokens.len(), Some(slot));
        self.host.pinned = None;
        self.ops.push(CacheOp::Load { blob, slot });
        self.cells.append(slot, tokens.len());
        self.fill(slot, &tokens);
        if len < tokens.len() {
            self.cut(slot, len);
        } else {
            // It is in the slot now, and saved again if that is ever given up.
            self.forget(blob);
        }
    }

    /// Keeps a blob from giving way while room is made for loading it.
    pub(super) fn pin(&mut self, blob: BlobId) {
        self.host.pinned = Some(blob);
    }

    /// Tokens of `slot` were computed.
    pub(super) fn append(&mut self, slot: Slot, tokens: &[Token]) {
        self.cells.append(slot, tokens.len());
        self.tree.extend(Holder::Slot(slot), tokens);
        self.entries[index(slot)].len += tokens.len();
    }

    /// Removes all but the first `len` tokens. Where that cannot be done, all. Returns how many stay.
    pub(super) fn cut(&mut self, slot: Slot, len: usize) -> usize {
        if len >= self.len(slot) {
            return self.len(slot);
        }
        let len = if self.partial { len } else { 0 };
        self.ops.push(CacheOp::Truncate { slot, len });
        self.lost(slot, len);
        len
    }

    /// Has the cache empty a slot that holds something else than it should.
    pub(super) fn reset(&mut self, slot: Slot) {
        self.ops.push(CacheOp::Truncate { slot, len: 0 });
        self.lost(slot, 0);
    }

    /// Has the cache cut a slot that holds more than it should.
    pub(super) fn cut_surplus(&mut self, slot: Slot) {
        let len = self.len(slot);
        if !self.partial || len == 0 {
            return self.reset(slot);
        }
        self.ops.push(CacheOp::Truncate { slot, len });
    }

    /// The cache holds only the first `len` tokens of a slot, without having been told so.
    pub(super) fn lost(&mut self, slot: Slot, len: usize) {
        let entry = &mut self.entries[index(slot)];
        entry.len = entry.len.min(len);
        self.cells.truncate(slot, len);
        self.tree.truncate(Holder::Slot(slot), len);
    }

    /// Gives a slot back. What it holds is kept for later, or not.
    pub(super) fn release(&mut self, slot: Slot, keep: bool) {
        self.clock += 1;
        let entry = &mut self.entries[index(slot)];
        (entry.taken, entry.used) = (false, self.clock);
        self.cells.hold(slot, false);
        if !keep {
            self.cut(slot, 0);
        }
    }

    /// Says whether a slot counts as used by a running sequence, to try out what giving it up would bring.
    pub(super) fn hold(&mut self, slot: Slot, held: bool) {
        self.cells.hold(slot, held);
    }

    /// Gives up what nobody uses until `cells` cells are free, the least recently used first.
    pub(super) fn make_room(&mut self, cells: usize, spared: Option<Slot>) {
        while self.cells.free() < cells {
            let idle = self.slots().filter(|slot| !self.is_taken(*slot) && Some(*slot) != spared);
            let useful = idle.filter(|slot| self.cells.only_in(*slot) > 0);
            // Prefixes that share all their cells with each other bring something only together.
            let Some(slot) = useful.min_by_key(|slot| self.entries[index(*slot)].used).or_else(|| self.oldest(spared))
            else {
                return;
            };
            self.evict(slot);
        }
    }

    /// Gives up all that nobody uses. Returns whether there was anything.
    pub(super) fn evict_all(&mut self) -> bool {
        let idle: Vec<Slot> = self.slots().filter(|slot| !self.is_taken(*slot) && self.len(*slot) > 0).collect();
        idle.iter().for_each(|slot| self.evict(*slot));
        !idle.is_empty()
    }

    /// Gives up all that nobody uses, host memory included, and saves nothing.
    #[cfg(test)]
    pub(super) fn clear(&mut self) {
        let idle: Vec<Slot> = self.slots().filter(|slot| !self.is_taken(*slot)).collect();
        for slot in idle {
            self.cut(slot, 0);
        }
        self.forget_saved();
    }

    /// The cache was made anew, and is empty now.
    pub(super) fn all_lost(&mut self) {
        let slots: Vec<Slot> = self.slots().collect();
        for slot in slots {
            self.lost(slot, 0);
        }
    }

    /// Gives up all that was saved.
    pub(super) fn forget_saved(&mut self) {
        for blob in self.host.ids() {
            self.forget(blob);
        }
    }

    /// What became of saving a blob: its bytes, or nothing.
    pub(super) fn saved(&mut self, blob: BlobId, bytes: Option<usize>) {
        let Some(bytes) = bytes else {
            self.host.remove(blob);
            self.tree.remove(Holder::Blob(blob));
            return;
        };
        self.host.resize(blob, bytes).iter().for_each(|blob| self.forget(*blob));
    }

    /// Gives up a blob. Harmless if it is gone already.
    pub(super) fn forget(&mut self, blob: BlobId) {
        self.host.remove(blob);
        if self.tree.remove(Holder::Blob(blob)) {
            self.ops.push(CacheOp::Forget { blob });
        }
    }

    fn slots(&self) -> impl Iterator<Item = Slot> + use<> {
        (0..self.entries.len()).filter_map(|slot| u16::try_from(slot).ok()).map(Slot)
    }

    fn oldest(&self, spared: Option<Slot>) -> Option<Slot> {
        let idle = self.slots().filter(|slot| !self.is_taken(*slot) && Some(*slot) != spared && self.len(*slot) > 0);
        idle.min_by_key(|slot| self.entries[index(*slot)].used)
    }

    fn claim(&mut self, slot: Slot, namespace: AdapterKey) {
        self.clock += 1;
        let entry = &mut self.entries[index(slot)];
        (entry.namespace, entry.taken, entry.used) = (namespace, true, self.clock);
        self.cells.hold(slot, true);
        if entry.len == 0 {
            self.tree.insert(namespace.0, Holder::Slot(slot), &[]);
        }
    }

    fn fill(&mut self, slot: Slot, tokens: &[Token]) {
        let entry = &mut self.entries[index(slot)];
        entry.len = tokens.len();
        self.tree.insert(entry.namespace.0, Holder::Slot(slot), tokens);
    }

    /// Empties a slot, and saves what it held if that is worth it.
    fn evict(&mut self, slot: Slot) {
        let Entry { namespace, len, .. } = self.entries[index(slot)];
        if len >= self.min_prefix {
            self.save(slot, namespace);
        }
        self.cut(slot, 0);
    }

    fn save(&mut self, slot: Slot, namespace: AdapterKey) {
        let tokens = self.tree.tokens_of(Holder::Slot(slot)).unwrap_or_default();
        let same = self.tree.matches(namespace.0, &tokens).take_while(|(_, len)| *len == tokens.len());
        let covers = |holder: Holder| match holder {
            Holder::Blob(blob) => self.partial || self.host.len(blob) == Some(tokens.len()),
            // Another slot holds all of it too.
            Holder::Slot(other) => other != slot && (self.partial || self.len(other) == tokens.len()),
        };
        if let Some(holder) = same.map(|(holder, _)| holder).find(|holder| covers(*holder)) {
            if let Holder::Blob(blob) = holder {
                self.host.touch(blob, self.clock);
            }
            return;
        }
        let Some((blob, evicted)) = self.host.add(tokens.len(), self.clock) else { return };
        evicted.iter().for_each(|blob| self.forget(*blob));
        self.tree.insert(namespace.0, Holder::Blob(blob), &tokens);
        self.ops.push(CacheOp::Save { slot, blob, tokens });
    }
}

fn index(slot: Slot) -> usize {
    usize::from(slot.0)
}
