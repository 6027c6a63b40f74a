//! Saved sequences that the host tier does not account for, or did not save itself: they leave the process, or come from
//! another.

use llama_core::Token;

use super::super::host::Saved;
use super::{Cache, Holder};
use crate::plan::{AdapterKey, BlobId, CacheOp, Slot};

impl Cache {
    /// A name that no other blob has.
    pub(in crate::scheduler) fn name_blob(&mut self) -> BlobId {
        self.host.name()
    }

    /// Has all of a slot saved beside the host tier.
    pub(in crate::scheduler) fn save_apart(&mut self, slot: Slot) -> BlobId {
        let blob = self.host.name();
        let tokens = self.tree.tokens_of(Holder::Slot(slot)).unwrap_or_default();
        self.clock += 1;
        self.entries[super::index(slot)].used = self.clock;
        self.ops.push(CacheOp::Save { slot, blob, tokens });
        blob
    }

    /// Takes an empty slot to load a blob into it, which does not give way meanwhile.
    pub(in crate::scheduler) fn take_for(&mut self, namespace: AdapterKey, blob: BlobId) -> Option<Slot> {
        self.pin(blob);
        let slot = self.take(namespace, None);
        if slot.is_none() {
            self.host.pinned = None;
        }
        slot
    }

    /// `slot`, which is empty, gets the tokens of a blob beside the host tier, which is forgotten then. There has to be room.
    pub(in crate::scheduler) fn load_apart(&mut self, blob: BlobId, slot: Slot, tokens: &[Token]) {
        self.make_room(tokens.len(), Some(slot));
        self.ops.push(CacheOp::Load { blob, slot });
        self.ops.push(CacheOp::Forget { blob });
        self.cells.append(slot, tokens.len());
        self.fill(slot, tokens);
    }

    /// Takes a blob into the host tier; whether it fits. Others may give way to it.
    pub(in crate::scheduler) fn adopt(
        &mut self,
        namespace: AdapterKey,
        blob: BlobId,
        tokens: &[Token],
        bytes: usize,
    ) -> bool {
        self.clock += 1;
        let saved = Saved { bytes, tokens: tokens.len(), used: self.clock };
        let Some(evicted) = self.host.adopt(blob, saved) else { return false };
        evicted.iter().for_each(|blob| self.forget(*blob));
        self.tree.insert(namespace.0, Holder::Blob(blob), tokens);
        true
    }
}
