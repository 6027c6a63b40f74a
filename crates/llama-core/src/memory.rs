//! The KV cache, or recurrent state, of a context: [`Memory`].

use crate::context::Context;
use crate::ids::{Pos, SeqId};
use crate::raw::{self, Failure};
use llama_sys as ffi;
use std::ops::{Bound, RangeBounds, RangeInclusive};

/// Why the memory was not changed. It is as before the call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MemoryError {
    /// The context has no memory: the model is an encoder.
    #[error("this context has no KV cache: its model is an encoder")]
    NoMemory,
    /// The sequence id is outside the context.
    #[error("sequence {seq} is not below the context's limit of {n_seq_max}")]
    SequenceOutOfRange {
        /// The sequence.
        seq: SeqId,
        /// [`Context::n_seq_max`].
        n_seq_max: u32,
    },
    /// This memory cannot lose a part of a sequence: a recurrent state, or a sliding window that has moved on.
    #[error("this model's memory cannot lose a part of sequence {seq}; remove all of it and decode what should stay")]
    PartialRemoval {
        /// The sequence.
        seq: SeqId,
    },
    /// This memory copies whole sequences only.
    #[error("this memory copies whole sequences only; set ContextParams::kv_unified to copy a part")]
    PartialCopy,
    /// This memory cannot move tokens to other positions.
    #[error("this model's memory cannot shift positions: {why}")]
    ShiftUnsupported {
        /// Why not.
        why: &'static str,
    },
    /// A position would become negative or overflow.
    #[error("shifting by {delta} would move a token to an impossible position")]
    ImpossibleShift {
        /// The distance.
        delta: i32,
    },
    /// llama.cpp failed; its own words.
    #[error("llama.cpp failed to change the memory: {reason}")]
    Internal {
        /// The exception's text.
        reason: String,
    },
}

/// What a memory can do, see [`Memory::capabilities`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryCapabilities {
    /// Whether the end of a sequence, or a part of it, can be removed.
    pub partial_removal: bool,
    /// Whether a part of a sequence can be copied to another one.
    pub partial_copy: bool,
    /// Whether tokens can move to other positions, as context shift does.
    pub shift: bool,
}

/// The KV cache of a context, or the state of a recurrent model. Borrows the context.
///
/// Ranges are positions: `..` is the whole sequence, `n..` its end from position `n`.
#[doc(alias = "llama_memory_t")]
#[derive(Debug)]
pub struct Memory<'c> {
    ctx: &'c mut Context,
    raw: ffi::llama_memory_t,
}

impl Context {
    /// The KV cache or recurrent state.
    ///
    /// # Errors
    ///
    /// [`MemoryError::NoMemory`] for encoders.
    #[doc(alias = "llama_get_memory")]
    pub fn memory(&mut self) -> Result<Memory<'_>, MemoryError> {
        // SAFETY: the context is live.
        let raw = unsafe { ffi::llama_get_memory(self.as_ptr()) };
        if raw.is_null() { Err(MemoryError::NoMemory) } else { Ok(Memory { ctx: self, raw }) }
    }
}

impl Memory<'_> {
    /// What this memory can do.
    #[doc(alias = "llama_memory_can_shift")]
    pub fn capabilities(&self) -> MemoryCapabilities {
        let stateful = self.is_stateful();
        // SAFETY: the memory belongs to the live context.
        let can_shift = unsafe { ffi::llama_memory_can_shift(self.raw) };
        MemoryCapabilities {
            partial_removal: !stateful,
            partial_copy: !stateful && (self.ctx.is_kv_unified() || self.ctx.n_seq_max() == 1),
            shift: can_shift && !stateful && self.ctx.keys_rotate(),
        }
    }

    /// The positions that sequence `seq` holds, `None` if it is empty. All positions between are there, unless some were
    /// removed from the middle.
    ///
    /// The start is above 0 where a sliding window dropped the beginning. For a recurrent state it is 0: the state is one
    /// for all that went in.
    ///
    /// # Errors
    ///
    /// [`MemoryError::SequenceOutOfRange`].
    #[doc(alias = "llama_memory_seq_pos_min")]
    #[doc(alias = "llama_memory_seq_pos_max")]
    pub fn positions(&self, seq: SeqId) -> Result<Option<RangeInclusive<i32>>, MemoryError> {
        self.check_seq(seq)?;
        // SAFETY: the memory belongs to the live context and the sequence is below n_seq_max.
        let (min, max) =
            unsafe { (ffi::llama_memory_seq_pos_min(self.raw, seq.0), ffi::llama_memory_seq_pos_max(self.raw, seq.0)) };
        // A recurrent state stands for everything before it, but upstream reports its last position only.
        let min = if self.is_stateful() { 0 } else { min };
        Ok((max >= 0).then_some(min..=max))
    }

    /// The position the next token of `seq` gets.
    ///
    /// # Errors
    ///
    /// [`MemoryError::SequenceOutOfRange`].
    pub fn next_position(&self, seq: SeqId) -> Result<Pos, MemoryError> {
        Ok(Pos(self.positions(seq)?.map_or(0, |range| range.end().saturating_add(1))))
    }

    /// Empties all sequences.
    ///
    /// # Errors
    ///
    /// [`MemoryError::Internal`].
    #[doc(alias = "llama_memory_clear")]
    pub fn clear(&mut self) -> Result<(), MemoryError> {
        // SAFETY: the context is live and has a memory.
        check(unsafe { ffi::lrs_memory_clear(self.ctx.as_ptr(), false) })?;
        self.ctx.cells_shared = false;
        Ok(())
    }

    /// Removes the tokens of `seq` at the positions in `range`; the others keep theirs, so that a removal in the middle
    /// leaves a gap until [`Memory::shift`] closes it.
    ///
    /// # Errors
    ///
    /// [`MemoryError::PartialRemoval`], [`MemoryError::SequenceOutOfRange`], [`MemoryError::Internal`].
    #[doc(alias = "llama_memory_seq_rm")]
    pub fn remove(&mut self, seq: SeqId, range: impl RangeBounds<i32>) -> Result<(), MemoryError> {
        let Some(held) = self.extent(seq)? else { return Ok(()) };
        let (start, end) = bounds(&range);
        if start > *held.end() || end <= *held.start() || start >= end {
            return Ok(());
        }
        let whole = start <= *held.start() && end > *held.end();
        if !whole && (!self.capabilities().partial_removal || self.window_has_passed(seq, start, end)?) {
            return Err(MemoryError::PartialRemoval { seq });
        }
        let (p0, p1) = if whole { (-1, -1) } else { (start, if end == i32::MAX { -1 } else { end }) };
        let mut removed = false;
        // SAFETY: the context is live and has a memory; the sequence is below n_seq_max.
        check(unsafe { ffi::lrs_memory_seq_rm(self.ctx.as_ptr(), seq.0, p0, p1, &raw mut removed) })?;
        if removed { Ok(()) } else { Err(MemoryError::PartialRemoval { seq }) }
    }

    /// Whether the next token after a cut at `start` would need tokens that a sliding window has dropped.
    fn window_has_passed(&self, seq: SeqId, start: i32, end: i32) -> Result<bool, MemoryError> {
        let window = i32::try_from(self.ctx.model().facts().n_swa).unwrap_or(i32::MAX);
        let Some(held) = self.positions(seq)?.filter(|_| window > 0) else { return Ok(false) };
        let cuts_the_end = end > *held.end();
        Ok(cuts_the_end && *held.start() > 0 && start.saturating_sub(window) < *held.start())
    }

    /// The positions that any layer may hold. Where there is a sliding window, upstream tells those of the layers with the
    /// window only; the others hold what was before as well.
    fn extent(&self, seq: SeqId) -> Result<Option<RangeInclusive<i32>>, MemoryError> {
        let held = self.positions(seq)?;
        Ok(if self.ctx.model().facts().n_swa > 0 { held.map(|held| 0..=*held.end()) } else { held })
    }

    /// Makes `to` a copy of the tokens of `from` in `range`; what `to` held before is removed.
    ///
    /// In a unified cache nothing is computed or copied: the cells are shared.
    ///
    /// # Errors
    ///
    /// [`MemoryError::PartialCopy`], [`MemoryError::SequenceOutOfRange`], [`MemoryError::Internal`].
    #[doc(alias = "llama_memory_seq_cp")]
    pub fn copy(&mut self, from: SeqId, to: SeqId, range: impl RangeBounds<i32>) -> Result<(), MemoryError> {
        self.check_seq(to)?;
        let held = self.extent(from)?;
        if from == to {
            return Ok(());
        }
        let (start, end) = bounds(&range);
        let whole = held.as_ref().is_none_or(|held| start <= *held.start() && end > *held.end());
        if !whole && !self.capabilities().partial_copy {
            return Err(MemoryError::PartialCopy);
        }
        self.remove(to, ..)?;
        if held.is_none() {
            return Ok(());
        }
        let (p0, p1) = if whole { (-1, -1) } else { (start, if end == i32::MAX { -1 } else { end }) };
        // A recurrent state is shared at once.
        self.ctx.copy_pending |= !self.ctx.is_kv_unified() && !self.ctx.model().facts().is_recurrent;
        self.ctx.cells_shared |= self.ctx.is_kv_unified();
        // SAFETY: the context is live and has a memory; both sequences are below n_seq_max, and a partial copy was
        // allowed only where the cache supports it.
        check(unsafe { ffi::lrs_memory_seq_cp(self.ctx.as_ptr(), from.0, to.0, p0, p1) })
    }

    /// Removes all sequences but `seq`.
    ///
    /// # Errors
    ///
    /// [`MemoryError::SequenceOutOfRange`], [`MemoryError::Internal`].
    #[doc(alias = "llama_memory_seq_keep")]
    pub fn keep(&mut self, seq: SeqId) -> Result<(), MemoryError> {
        self.check_seq(seq)?;
        for other in (0..i32::try_from(self.ctx.n_seq_max()).unwrap_or(i32::MAX)).map(SeqId) {
            if other != seq {
                self.remove(other, ..)?;
            }
        }
        Ok(())
    }

    /// Adds `delta` to the position of the tokens of `seq` in `range`. The keys are rotated at the next decode.
    ///
    /// Tokens outside the range stay, so a caller makes room first, as context shift does: remove `a..b`, then shift
    /// `b..` by `a - b`.
    ///
    /// # Errors
    ///
    /// [`MemoryError::ShiftUnsupported`] for recurrent and hybrid models, whose state has no positions to move, for
    /// models with positions of several parts, for formats of the keys that cannot be rotated (bf16, and blocks if the
    /// heads are not a multiple of 64 wide), and while another sequence may share the tokens (after a
    /// [`Memory::copy`] in a unified cache): they would move there too. [`MemoryError::ImpossibleShift`]; [`MemoryError::SequenceOutOfRange`];
    /// [`MemoryError::Internal`].
    #[doc(alias = "llama_memory_seq_add")]
    pub fn shift(&mut self, seq: SeqId, range: impl RangeBounds<i32>, delta: i32) -> Result<(), MemoryError> {
        self.check_shift()?;
        let Some(held) = self.extent(seq)? else { return Ok(()) };
        self.check_alone(seq)?;
        let (start, end) = bounds(&range);
        let (first, last) = (start.max(*held.start()), end.saturating_sub(1).min(*held.end()));
        if first > last || delta == 0 {
            return Ok(());
        }
        if first.checked_add(delta).is_none_or(|p| p < 0) || last.checked_add(delta).is_none() {
            return Err(MemoryError::ImpossibleShift { delta });
        }
        self.ctx.shift_pending = true;
        // SAFETY: the context is live and has a memory that can shift; the sequence is below n_seq_max, and no position
        // leaves 0..=i32::MAX.
        check(unsafe { ffi::lrs_memory_seq_add(self.ctx.as_ptr(), seq.0, first, last.saturating_add(1), delta) })
    }

    /// Divides the positions of the tokens of `seq` in `range` by `divisor`, rounding down.
    ///
    /// # Errors
    ///
    /// As [`Memory::shift`]; a divisor below 1 is [`MemoryError::ImpossibleShift`].
    #[doc(alias = "llama_memory_seq_div")]
    pub fn divide(&mut self, seq: SeqId, range: impl RangeBounds<i32>, divisor: i32) -> Result<(), MemoryError> {
        self.check_shift()?;
        self.check_seq(seq)?;
        if divisor < 1 {
            return Err(MemoryError::ImpossibleShift { delta: divisor });
        }
        let (start, end) = bounds(&range);
        if divisor == 1 || start >= end {
            return Ok(());
        }
        self.check_alone(seq)?;
        self.ctx.shift_pending = true;
        // SAFETY: as in `shift`; the divisor is above 1.
        check(unsafe { ffi::lrs_memory_seq_div(self.ctx.as_ptr(), seq.0, start, end, divisor) })
    }

    /// Whether there is a recurrent state, which is not made of positions.
    fn is_stateful(&self) -> bool {
        let facts = self.ctx.model().facts();
        facts.is_recurrent || facts.is_hybrid
    }

    fn check_shift(&self) -> Result<(), MemoryError> {
        if self.capabilities().shift {
            return Ok(());
        }
        let why = if self.is_stateful() {
            "a recurrent state has no positions to move"
        } else if !self.ctx.keys_rotate() {
            "keys in this format cannot be rotated; set ContextParams::cache_k to F16 or F32"
        } else {
            "its positions have several parts, or its layers rotate them differently"
        };
        Err(MemoryError::ShiftUnsupported { why })
    }

    /// A cell has one position, whichever sequences it belongs to.
    fn check_alone(&self, seq: SeqId) -> Result<(), MemoryError> {
        if !self.ctx.cells_shared {
            return Ok(());
        }
        for other in (0..i32::try_from(self.ctx.n_seq_max()).unwrap_or(i32::MAX)).map(SeqId) {
            if other != seq && self.positions(other)?.is_some() {
                return Err(MemoryError::ShiftUnsupported { why: "another sequence may share its tokens" });
            }
        }
        Ok(())
    }

    fn check_seq(&self, seq: SeqId) -> Result<(), MemoryError> {
        let n_seq_max = self.ctx.n_seq_max();
        if u32::try_from(seq.0).is_ok_and(|id| id < n_seq_max) {
            return Ok(());
        }
        Err(MemoryError::SequenceOutOfRange { seq, n_seq_max })
    }
}

fn check(status: i32) -> Result<(), MemoryError> {
    raw::check(status).map_err(|failure: Failure| MemoryError::Internal { reason: failure.explain("") })
}

/// Start, and end exclusive, with open ends at 0 and `i32::MAX`.
fn bounds(range: &impl RangeBounds<i32>) -> (i32, i32) {
    let start = match range.start_bound() {
        Bound::Included(&start) => start.max(0),
        Bound::Excluded(&start) => start.saturating_add(1).max(0),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(&end) => end.saturating_add(1),
        Bound::Excluded(&end) => end,
        Bound::Unbounded => i32::MAX,
    };
    (start, end)
}
