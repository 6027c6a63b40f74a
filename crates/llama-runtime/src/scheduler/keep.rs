//! Prefixes that are kept beyond the process, and come back: what of the cache is saved for it, and where they go.
//!
//! Both are done between two steps, with a plan of operations only. Names of blobs that the host tier does not know
//! ([`Scheduler::name_blob`]) are for one such plan.

use llama_core::Token;

use super::{Found, Scheduler, Source};
use crate::plan::{AdapterKey, BlobId, Plan};

/// A saved sequence that begins a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) blob: BlobId,
    pub(crate) tokens: usize,
    /// It is in the host tier and stays there. If not, the next plan saves it, and it is for the taking.
    pub(crate) stays: bool,
}

/// Where a prefix that came from outside goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placed {
    /// The cache has it already, so its blob is not needed.
    Known,
    /// The next plan loads it into the KV cache, and forgets its blob.
    Cells,
    /// Its blob is part of the host tier now.
    Host,
}

/// Why there is no place for a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoPlace {
    /// Running sequences need the room.
    Now,
    /// It is longer than any sequence.
    Never { limit: usize },
}

impl Scheduler {
    /// A name for a blob that no other has.
    pub(crate) fn name_blob(&mut self) -> BlobId {
        self.cache.name_blob()
    }

    /// Has the longest beginning of `tokens` saved that the cache holds, no adapters set. `None` if there is nothing that is
    /// worth it.
    ///
    /// # Errors
    ///
    /// It is in the cache, but there is no room to cut it out of something longer.
    pub(crate) fn save_prefix(&mut self, tokens: &[Token]) -> Result<Option<Kept>, NoPlace> {
        let namespace = AdapterKey::default();
        let least = self.bounds.min_prefix.max(1);
        let Some(Found { source, len, whole }) = self.cache.find(namespace, tokens).filter(|found| found.len >= least)
        else {
            return Ok(None);
        };
        let blob = match source {
            Source::Blob(blob) if len == whole => return Ok(Some(Kept { blob, tokens: len, stays: true })),
            Source::Slot(slot) if len == whole => self.cache.save_apart(slot),
            Source::Slot(from) => {
                let to = self.cache.take(namespace, Some(from)).ok_or(NoPlace::Now)?;
                self.cache.copy(from, to, len);
                let blob = self.cache.save_apart(to);
                self.cache.release(to, false);
                blob
            }
            Source::Blob(long) => {
                if !self.has_cells(whole) {
                    return Err(NoPlace::Now);
                }
                let to = self.cache.take_for(namespace, long).ok_or(NoPlace::Now)?;
                self.cache.load(long, to, len);
                let blob = self.cache.save_apart(to);
                self.cache.release(to, true);
                blob
            }
        };
        Ok(Some(Kept { blob, tokens: len, stays: false }))
    }

    /// Finds a place for a prefix of `bytes` bytes that is saved as `blob`: cells that no running sequence has or may need, or
    /// else host memory. Prefixes that nobody uses make room.
    ///
    /// # Errors
    ///
    /// There is none, and nothing has changed.
    pub(crate) fn place_prefix(&mut self, blob: BlobId, tokens: &[Token], bytes: usize) -> Result<Placed, NoPlace> {
        let namespace = AdapterKey::default();
        let limit = self.abilities.sequence_limit.min(self.abilities.cells.unwrap_or(usize::MAX));
        if tokens.len() > limit {
            return Err(NoPlace::Never { limit });
        }
        if self.cache.find(namespace, tokens).is_some_and(|found| found.len == tokens.len()) {
            return Ok(Placed::Known);
        }
        if self.has_cells(tokens.len())
            && let Some(slot) = self.cache.take(namespace, None)
        {
            self.cache.load_apart(blob, slot, tokens);
            self.cache.release(slot, true);
            return Ok(Placed::Cells);
        }
        if self.cache.adopt(namespace, blob, tokens, bytes) { Ok(Placed::Host) } else { Err(NoPlace::Now) }
    }

    /// The changes of the cache that wait, and nothing else. To be carried out and settled like any other plan.
    pub(crate) fn plan_changes(&mut self) -> Plan {
        let plan = Plan { ops: self.cache.take_ops(), ..Plan::default() };
        self.in_flight = !plan.is_empty();
        plan
    }

    /// Whether there are so many cells beside those that running sequences have and may need.
    fn has_cells(&self, tokens: usize) -> bool {
        self.abilities.cells.is_none_or(|total| self.promised() + tokens <= total)
    }
}
