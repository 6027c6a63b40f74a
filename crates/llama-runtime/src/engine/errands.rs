//! What the engine does between two steps: prefixes are saved to outlive the process, and restored.

use std::time::Instant;

use llama_core::Token;

use super::Engine;
use crate::executor::Executor;
use crate::plan::BlobId;
use crate::saved::{PrefixError, SavedPrefix};
use crate::scheduler::{Kept, NoPlace, Placed};
use crate::shared::Task;

impl<E: Executor> Engine<E> {
    /// Does one errand, so that those who wait for a step wait for no more than one. Whether there was one.
    pub(super) fn run_errand(&mut self) -> bool {
        let Some(task) = self.shared.take_errand() else { return false };
        // Who has gone needs no answer; then nothing is done either.
        match task {
            Task::Save { reply, .. } if reply.is_closed() => {}
            Task::Restore { reply, .. } if reply.is_closed() => {}
            Task::Save { tokens, reply } => drop(reply.send(self.save_prefix(&tokens))),
            Task::Restore { bytes, reply } => drop(reply.send(self.restore_prefix(bytes))),
        }
        true
    }

    fn save_prefix(&mut self, tokens: &[Token]) -> Result<Option<SavedPrefix>, PrefixError> {
        let kept = self.scheduler.save_prefix(tokens).map_err(|why| no_place(why, tokens.len()))?;
        self.change_cache();
        let Some(Kept { blob, tokens, stays }) = kept else { return Ok(None) };
        let bytes = if stays { self.executor.export(blob) } else { self.executor.take_out(blob) };
        match bytes {
            Some(bytes) => Ok(Some(SavedPrefix { tokens, bytes })),
            None => Err(PrefixError::Refused { reason: "the state could not be saved; the log says why".to_owned() }),
        }
    }

    fn restore_prefix(&mut self, bytes: Vec<u8>) -> Result<usize, PrefixError> {
        let (blob, size) = (self.scheduler.name_blob(), bytes.len());
        let tokens = self.executor.import(blob, bytes)?;
        let placed = self.scheduler.place_prefix(blob, &tokens, size);
        if matches!(placed, Err(_) | Ok(Placed::Known)) {
            drop(self.executor.take_out(blob));
        }
        let placed = placed.map_err(|why| no_place(why, tokens.len()))?;
        let not_loaded = self.change_cache();
        if placed == Placed::Cells && not_loaded.contains(&blob) {
            let reason = "the cache did not take the prefix: it was saved with another kind of cache, such as with or \
                          without flash attention; the log has what llama.cpp said";
            return Err(PrefixError::Refused { reason: reason.to_owned() });
        }
        Ok(tokens.len())
    }

    /// Carries out the changes of the cache that wait. Answers which blobs could not be loaded.
    fn change_cache(&mut self) -> Vec<BlobId> {
        let plan = self.scheduler.plan_changes();
        if plan.is_empty() {
            return Vec::new();
        }
        let begun = Instant::now();
        let result = self.executor.step(&plan);
        let end = Instant::now();
        // Nobody computes in it, so nobody can have failed.
        self.scheduler.settle(&plan, &result, &[], (end.saturating_duration_since(begun), end));
        result.not_loaded
    }
}

fn no_place(why: NoPlace, tokens: usize) -> PrefixError {
    match why {
        NoPlace::Now => PrefixError::NoRoom { tokens },
        NoPlace::Never { limit } => PrefixError::TooLong { tokens, limit },
    }
}
