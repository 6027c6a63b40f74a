//! The KV cache of a session, kept in step with its tokens.

use super::{Overflow, SEQ, Session, SessionError};
use crate::decode::DecodeError;
use crate::ids::Pos;
use crate::memory::MemoryError;

impl Session {
    /// Computes the tokens that are not cached, wanting the output of the last one.
    pub(super) fn compute(&mut self) -> Result<(), SessionError> {
        let n_batch = self.ctx.n_batch() as usize;
        while self.cached < self.tokens.len() {
            if self.ctx.is_aborted() {
                return Err(SessionError::Cancelled);
            }
            let end = self.tokens.len().min(self.cached + n_batch);
            self.batch.clear();
            self.row = None;
            let start = Pos(i32::try_from(self.cached).expect("positions are below n_ctx, which is an i32"));
            let row = self
                .batch
                .push_run(&self.tokens[self.cached..end], start, SEQ)
                .expect("the run is at most n_batch, the batch's capacity");
            match self.ctx.decode(&mut self.batch) {
                Ok(_) => {
                    self.cached = end;
                    self.row = row;
                }
                Err(error) => {
                    self.reconcile()?;
                    return Err(match error {
                        DecodeError::Aborted => SessionError::Cancelled,
                        DecodeError::NoSlot { .. } => {
                            SessionError::ContextFull { needed: end - self.cached, limit: self.capacity() }
                        }
                        error => error.into(),
                    });
                }
            }
        }
        Ok(())
    }

    /// Makes room for `n` more tokens.
    pub(super) fn make_room(&mut self, n: usize) -> Result<(), SessionError> {
        let limit = self.capacity();
        if n > limit {
            return Err(SessionError::PromptTooLong { tokens: n, limit });
        }
        while self.tokens.len() + n > limit {
            let Overflow::Shift { keep } = self.overflow else {
                return Err(SessionError::ContextFull { needed: n, limit });
            };
            let movable = self.tokens.len().saturating_sub(keep);
            if movable < 2 || keep + n > limit {
                return Err(SessionError::ContextFull { needed: n, limit });
            }
            self.shift(keep, movable / 2)?;
        }
        Ok(())
    }

    /// Drops `n` tokens after the first `keep`, and moves the rest up.
    pub(super) fn shift(&mut self, keep: usize, n: usize) -> Result<(), SessionError> {
        let at = |i: usize| i32::try_from(i).unwrap_or(i32::MAX);
        let left = |count: usize| count.min(keep) + count.saturating_sub(keep + n);
        let mut memory = self.ctx.memory()?;
        // Moves nothing, but tells whether it could: after the removal it would be too late.
        memory.shift(SEQ, at(keep + n).., 0)?;
        memory.remove(SEQ, at(keep)..at(keep + n))?;
        memory.shift(SEQ, at(keep + n).., -at(n))?;
        self.tokens.drain(keep..keep + n);
        self.cached = left(self.cached);
        self.heard = left(self.heard);
        self.turn_start = self.turn_start.min(keep.max(self.turn_start.saturating_sub(n)));
        tracing::debug!(kept = keep, dropped = n, left = self.tokens.len(), "context shift");
        Ok(())
    }

    /// Cuts the KV cache back to the first `len` tokens, or empties it where it cannot be cut. The tokens stay.
    pub(super) fn uncache(&mut self, len: usize) -> Result<(), SessionError> {
        if self.cached <= len {
            return Ok(());
        }
        self.row = None;
        let start = i32::try_from(len).expect("positions are below n_ctx, which is an i32");
        match self.ctx.memory()?.remove(SEQ, start..) {
            Ok(()) => {
                self.cached = len;
                Ok(())
            }
            Err(MemoryError::PartialRemoval { .. }) => self.forget_cache(),
            Err(error) => Err(error.into()),
        }
    }

    /// Drops the tokens from index `len` on, and their cache.
    pub(super) fn rewind(&mut self, len: usize) -> Result<(), SessionError> {
        self.uncache(len)?;
        self.tokens.truncate(len);
        Ok(())
    }

    /// Empties the KV cache; the tokens stay and are computed again when needed.
    pub(super) fn forget_cache(&mut self) -> Result<(), SessionError> {
        self.row = None;
        self.cached = 0;
        Ok(self.ctx.memory()?.remove(SEQ, ..)?)
    }

    /// Believes the KV cache, not the count, after a decode that failed half-way.
    pub(super) fn reconcile(&mut self) -> Result<(), SessionError> {
        let held = self.ctx.memory()?.positions(SEQ)?;
        let next = held.map_or(0, |range| usize::try_from(*range.end()).map_or(0, |end| end + 1));
        if next > self.tokens.len() {
            return self.forget_cache();
        }
        if next != self.cached {
            self.row = None;
        }
        self.cached = next;
        Ok(())
    }
}
