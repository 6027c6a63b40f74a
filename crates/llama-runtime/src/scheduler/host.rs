//! Sequences saved in host memory: [`Host`].

use std::collections::BTreeMap;

use crate::executor::Abilities;
use crate::plan::BlobId;

/// One saved sequence.
#[derive(Debug, Clone, Copy)]
pub(super) struct Saved {
    pub(super) bytes: usize,
    pub(super) tokens: usize,
    /// When it was last useful.
    pub(super) used: u64,
}

/// Accounts for host memory: which blobs there are, how large, and who was used last. It holds no bytes.
#[derive(Debug)]
pub(super) struct Host {
    blobs: BTreeMap<BlobId, Saved>,
    bytes: usize,
    limit: usize,
    next: u64,
    fixed: usize,
    per_token: usize,
    /// A blob that is about to be loaded, and so does not give way.
    pub(super) pinned: Option<BlobId>,
}

impl Host {
    pub(super) fn new(abilities: &Abilities, limit: usize) -> Self {
        let (fixed, per_token) = (abilities.saved_bytes, abilities.saved_bytes_per_token);
        Self { blobs: BTreeMap::new(), bytes: 0, limit, next: 0, fixed, per_token, pinned: None }
    }

    /// Bytes in use; an estimate for those not saved yet.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn len(&self, blob: BlobId) -> Option<usize> {
        self.blobs.get(&blob).map(|saved| saved.tokens)
    }

    pub(super) fn ids(&self) -> Vec<BlobId> {
        self.blobs.keys().copied().collect()
    }

    /// Takes in a sequence of `tokens` tokens. Returns its name, and the blobs that gave way to it, the least recently used
    /// first; `None`, and nothing happens, if it does not fit.
    pub(super) fn add(&mut self, tokens: usize, now: u64) -> Option<(BlobId, Vec<BlobId>)> {
        let bytes = self.fixed.saturating_add(self.per_token.saturating_mul(tokens));
        let blob = self.name();
        Some((blob, self.adopt(blob, Saved { bytes, tokens, used: now })?))
    }

    /// A name that no other blob has.
    pub(super) fn name(&mut self) -> BlobId {
        let blob = BlobId(self.next);
        self.next += 1;
        blob
    }

    /// Takes in a sequence under a name it has already. Returns what gave way to it, as [`add`](Self::add) does.
    pub(super) fn adopt(&mut self, blob: BlobId, saved: Saved) -> Option<Vec<BlobId>> {
        let bytes = saved.bytes;
        let pinned = self.pinned.and_then(|blob| self.blobs.get(&blob)).map_or(0, |saved| saved.bytes);
        if bytes > self.limit.saturating_sub(pinned) {
            return None;
        }
        let evicted = self.shrink_to(self.limit - bytes);
        self.blobs.insert(blob, saved);
        self.bytes += bytes;
        Some(evicted)
    }

    /// The true size of a blob is known now. Returns the blobs that have to go because of it.
    pub(super) fn resize(&mut self, blob: BlobId, bytes: usize) -> Vec<BlobId> {
        if let Some(saved) = self.blobs.get_mut(&blob) {
            self.bytes = self.bytes - saved.bytes + bytes;
            saved.bytes = bytes;
        }
        self.shrink_to(self.limit)
    }

    pub(super) fn touch(&mut self, blob: BlobId, now: u64) {
        if let Some(saved) = self.blobs.get_mut(&blob) {
            saved.used = now;
        }
    }

    /// Returns whether it was there.
    pub(super) fn remove(&mut self, blob: BlobId) -> bool {
        let removed = self.blobs.remove(&blob);
        self.bytes -= removed.map_or(0, |saved| saved.bytes);
        removed.is_some()
    }

    fn shrink_to(&mut self, bytes: usize) -> Vec<BlobId> {
        let mut evicted = Vec::new();
        while self.bytes > bytes {
            let others = self.blobs.iter().filter(|(blob, _)| Some(**blob) != self.pinned);
            let Some(blob) = others.min_by_key(|(blob, saved)| (saved.used, **blob)).map(|(blob, _)| *blob) else {
                break;
            };
            self.remove(blob);
            evicted.push(blob);
        }
        evicted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(limit: usize) -> Host {
        let abilities = Abilities {
            slots: 1,
            cells: None,
            sequence_limit: 1,
            batch_limit: 1,
            partial: true,
            generates: true,
            embed_limit: 0,
            embed_batch: 0,
            saved_bytes: 10,
            saved_bytes_per_token: 1,
        };
        Host::new(&abilities, limit)
    }

    #[test]
    fn the_least_recently_used_gives_way_and_what_is_too_large_changes_nothing() {
        let mut host = host(50);
        let (first, _) = host.add(10, 1).unwrap();
        let (second, _) = host.add(10, 2).unwrap();
        host.touch(first, 3);
        assert_eq!(host.add(41, 4), None);
        let (third, evicted) = host.add(10, 4).unwrap();
        assert_eq!((evicted, host.bytes()), (vec![second], 40));
        assert_eq!(host.ids(), [first, third]);
    }

    #[test]
    fn a_blob_that_turns_out_larger_makes_others_go_but_not_the_one_in_use() {
        let mut host = host(50);
        let (first, _) = host.add(10, 1).unwrap();
        let (second, _) = host.add(10, 2).unwrap();
        host.pinned = Some(first);
        assert_eq!(host.add(25, 3), None);
        assert_eq!(host.resize(second, 40), [second]);
        assert_eq!((host.bytes(), host.remove(second)), (20, false));
    }
}
