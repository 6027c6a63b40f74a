//! Saving and loading what the memory holds of one sequence.
//!
//! llama.cpp checks little of the bytes it is given and knows nothing of the model they came from. So its state is
//! wrapped in a header of ours, and nothing of it reaches llama.cpp before length, hash, model and cache layout were
//! found right.

mod file;
mod format;
mod saved;

pub use saved::SavedSequence;

use crate::context::Context;
use crate::digest::digest;
use crate::ids::{SeqId, Token};
use crate::log::Capture;
use crate::memory::MemoryError;
use crate::raw::{self, Failure};
use format::{Draft, Layout, Saved};
use llama_sys as ffi;
use std::path::PathBuf;

/// Why a sequence was not saved or loaded.
///
/// When loading, the sequence is unchanged unless the variant says otherwise. Other sequences are never touched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The context has no memory: the model is an encoder.
    #[error("this context has no KV cache: its model is an encoder, which keeps nothing between calls")]
    NoMemory,
    /// The sequence id is outside the context.
    #[error("sequence {seq} is not below the context's limit of {n_seq_max}")]
    SequenceOutOfRange {
        /// The sequence.
        seq: SeqId,
        /// [`Context::n_seq_max`].
        n_seq_max: u32,
    },
    /// A token to save is not in the vocabulary.
    #[error("token {token} at index {index} is not in the vocabulary of {n_vocab} tokens")]
    TokenOutOfRange {
        /// Index in the tokens.
        index: usize,
        /// The token.
        token: Token,
        /// The size of the vocabulary.
        n_vocab: u32,
    },
    /// A shift or a copy of the [`Memory`](crate::Memory) is not carried out yet: llama.cpp leaves that to the next decode,
    /// and until then the bytes in the cache are not those of the sequence.
    #[error("a {what} of the memory is only carried out by the next decode; decode a token, then try again")]
    Unsettled {
        /// `shift` or `copy`.
        what: &'static str,
    },
    /// The bytes are something else.
    #[error("this is no saved sequence; give what save_sequence made")]
    NotAState,
    /// The bytes were written by another version of this crate.
    #[error("the saved sequence has format {found}, this version reads format {supported}; decode the tokens again")]
    UnsupportedVersion {
        /// Its format.
        found: u32,
        /// The format this version reads.
        supported: u32,
    },
    /// The end is missing.
    #[error("the saved sequence is cut short: {found} of {expected} bytes are there; decode the tokens again")]
    Truncated {
        /// Bytes there are.
        found: u64,
        /// Bytes there should be.
        expected: u64,
    },
    /// There is something behind the end.
    #[error("the saved sequence is followed by {extra} bytes that do not belong to it")]
    TrailingBytes {
        /// How many.
        extra: u64,
    },
    /// The bytes are not those that were saved.
    #[error("the saved sequence is damaged: its content does not match its hash; decode the tokens again")]
    Damaged,
    /// The state is of another model.
    #[error("the sequence was saved with another model ({saved}) than the one loaded ({loaded})")]
    OtherModel {
        /// [`ModelFacts::description`](crate::ModelFacts::description) of the model it was saved with.
        saved: String,
        /// The same of this context's model.
        loaded: String,
    },
    /// The state is of a context whose cache is laid out in another way.
    #[error("the sequence was saved with {what} {saved}, this context has {loaded}; make a context like the first")]
    OtherContext {
        /// The parameter that differs.
        what: &'static str,
        /// Its value when the sequence was saved.
        saved: String,
        /// Its value in this context.
        loaded: String,
    },
    /// The sequence is longer than this context.
    #[error("the saved sequence takes {cells} cells, a sequence of this context has {n_ctx_seq}; use a larger context")]
    TooLong {
        /// Cells of the cache it takes, one per token.
        cells: u32,
        /// [`Context::n_ctx_seq`].
        n_ctx_seq: u32,
    },
    /// Other sequences leave no room for it. The sequence is empty now.
    #[error("the other sequences leave no room for the {cells} cells of the saved one; remove something and try again")]
    NoRoom {
        /// Cells of the cache it takes.
        cells: u32,
    },
    /// The state is larger than this context could have saved, or than memory can be had for.
    #[error("the saved sequence has {bytes} bytes, more than the {limit} that fit here")]
    TooLarge {
        /// Bytes of the state.
        bytes: u64,
        /// The most that would do.
        limit: u64,
    },
    /// llama.cpp refused. After a load the sequence is empty.
    #[error("llama.cpp refused: {reason}")]
    Refused {
        /// llama.cpp's own words.
        reason: String,
    },
    /// The file could not be read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// # Saved sequences
///
/// A sequence can be saved as bytes or as a file and loaded again, into any sequence of any context of the same model
/// whose cache is laid out in the same way: same [`cache_k`](crate::ContextParams::cache_k),
/// [`cache_v`](crate::ContextParams::cache_v), [`rope`](crate::ContextParams::rope),
/// [`swa_full`](crate::ContextParams::swa_full), use of flash attention, and the same number of separate caches (one if
/// [`kv_unified`](crate::ContextParams::kv_unified), else [`n_seq_max`](crate::ContextParams::n_seq_max)). For purely
/// recurrent models none of these matters. The length of the context need not be the same, as long as the sequence fits.
///
/// Not part of a state: LoRA adapters and control vectors (a state made with them should be loaded with them), samplers,
/// the outputs of the last decode, and what the encoder of an encoder-decoder model computed.
///
/// **Size.** Per token, the keys and values of all layers plus 12 bytes: `n_layer × n_head_kv × head width × 2` values of
/// the cache's type. With an f16 cache that is 128 KiB per token for an 8B Llama 3 (32 layers, 8 KV heads of width 128), so
/// 1 GiB for 8192 tokens, and about half of it with q8_0; measured for the demo model of 3.5 M parameters: 2572 bytes per
/// token. A sliding window saves the window only. A recurrent state has one size for any number of tokens. The header
/// takes 80 bytes, the model's description, and 4 bytes per token given.
///
/// **Trust.** Damage of any kind is noticed before llama.cpp sees a byte; the hash is no signature, though: do not load
/// states from people you would not run a model of.
impl Context {
    /// Saves what the memory holds of `seq`, and with it `tokens`, for the caller's own use: commonly the tokens that the
    /// sequence was made of. They need not be as many as there are positions.
    ///
    /// An empty sequence can be saved; loading it empties a sequence.
    ///
    /// # Errors
    ///
    /// [`StateError::NoMemory`], [`StateError::SequenceOutOfRange`], [`StateError::TokenOutOfRange`],
    /// [`StateError::Unsettled`], [`StateError::TooLarge`], [`StateError::Refused`].
    #[doc(alias = "llama_state_seq_get_data")]
    #[doc(alias = "llama_state_seq_get_data_ext")]
    #[doc(alias = "llama_state_seq_get_size_ext")]
    pub fn save_sequence(&mut self, seq: SeqId, tokens: &[Token]) -> Result<Vec<u8>, StateError> {
        let positions = self.memory()?.positions(seq)?.map(|range| (*range.start(), *range.end()));
        let vocab = self.model().vocab();
        if let Some((index, &token)) = tokens.iter().enumerate().find(|(_, token)| !vocab.contains(**token)) {
            return Err(StateError::TokenOutOfRange { index, token, n_vocab: self.model().facts().n_vocab });
        }
        let head = Saved {
            fingerprint: self.model().fingerprint(),
            layout: self.state_layout(),
            positions,
            cells: 0,
            description: &self.model().facts().description,
            tokens: tokens.to_vec(),
            payload: &[],
        };
        let Some((first, last)) = positions else { return Ok(Draft::new(&head, 0)?.finish(0)) };

        // Keys before their rotation, or a copy before its bytes, would be saved as if they were right.
        if self.shift_pending || self.copy_pending {
            return Err(StateError::Unsettled { what: if self.shift_pending { "shift" } else { "copy" } });
        }

        let capture = Capture::start();
        let mut size = 0;
        // SAFETY: the context is live; the sequence is below n_seq_max, and not the -1 that means all of them.
        let status = unsafe { ffi::lrs_state_seq_size(self.as_ptr(), seq.0, 0, &raw mut size) };
        if let Err(failure) = done(status, size > 0) {
            return Err(StateError::Refused { reason: failure.explain(&capture.finish()) });
        }
        let mut draft = Draft::new(&head, size)?;
        let payload = draft.payload();
        let mut written = 0;
        // SAFETY: as above; `payload` has `size` bytes, and C writes no more.
        let status =
            unsafe { ffi::lrs_state_seq_get(self.as_ptr(), payload.as_mut_ptr(), size, seq.0, 0, &raw mut written) };
        if let Err(failure) = done(status, written == size) {
            return Err(StateError::Refused { reason: failure.explain(&capture.finish()) });
        }
        // What C counts differently is bounded by the positions.
        let span = last.abs_diff(first).saturating_add(1);
        let cells = self.cells_of(draft.payload()).unwrap_or(span);
        Ok(draft.finish(cells))
    }

    /// Replaces what the memory holds of `seq` by a saved sequence, and returns the tokens saved with it.
    ///
    /// The next token of the sequence gets [`Memory::next_position`](crate::Memory::next_position). Logits are not part
    /// of a state: they come with the first decode after it.
    ///
    /// # Errors
    ///
    /// [`StateError`]. Everything about the bytes, the model and the context is checked before the sequence is touched;
    /// only after [`StateError::NoRoom`] and [`StateError::Refused`] it is empty.
    #[doc(alias = "llama_state_seq_set_data")]
    #[doc(alias = "llama_state_seq_set_data_ext")]
    pub fn load_sequence(&mut self, seq: SeqId, bytes: &[u8]) -> Result<Vec<Token>, StateError> {
        self.memory()?.positions(seq)?;
        let saved = format::open(bytes)?;
        self.check_fit(&saved)?;
        // The copy would come after this, and over it; or it would copy what is loaded now.
        if self.copy_pending {
            return Err(StateError::Unsettled { what: "copy" });
        }
        self.memory()?.remove(seq, ..)?;
        let Some((_, last)) = saved.positions else { return Ok(saved.tokens) };

        let capture = Capture::start();
        let mut read = 0;
        // SAFETY: the context is live; the sequence is below n_seq_max; the payload is readable for its length, and is
        // what C itself wrote for a context of this layout.
        let status = unsafe {
            ffi::lrs_state_seq_set(self.as_ptr(), saved.payload.as_ptr(), saved.payload.len(), seq.0, 0, &raw mut read)
        };
        let result = done(status, read == saved.payload.len());
        if result.is_ok() && self.memory()?.positions(seq)?.is_some_and(|held| *held.end() == last) {
            return Ok(saved.tokens);
        }
        self.memory()?.remove(seq, ..)?;
        let log = capture.finish();
        if log.contains("available cells in kv cache") {
            return Err(StateError::NoRoom { cells: saved.cells });
        }
        Err(StateError::Refused { reason: raw::explain(result, &log) })
    }

    /// An upper bound for the bytes of a state of this context, tokens included.
    fn largest_state(&mut self) -> Result<u64, StateError> {
        self.memory()?;
        let cache = self.memory_use().map_err(|failure| StateError::Refused { reason: failure.to_string() })?.context();
        // Positions and sequence of each cell take less than 64 bytes, in at most two caches; the tokens of a history
        // that was shifted many times may be more than the cells.
        let cells = u64::from(self.n_ctx()).saturating_mul(128);
        Ok(cache.saturating_add(cells).saturating_add(64 << 20))
    }

    fn check_fit(&self, saved: &Saved<'_>) -> Result<(), StateError> {
        if saved.fingerprint != self.model().fingerprint() {
            let loaded = self.model().facts().description.clone();
            return Err(StateError::OtherModel { saved: saved.description.to_owned(), loaded });
        }
        let (theirs, ours) = (saved.layout, self.state_layout());
        for (what, saved, loaded) in [("cache_k", theirs.k, ours.k), ("cache_v", theirs.v, ours.v)] {
            if saved != loaded {
                return Err(StateError::OtherContext { what, saved: type_name(saved), loaded: type_name(loaded) });
            }
        }
        let other = |what, saved: String, loaded: String| Err(StateError::OtherContext { what, saved, loaded });
        if theirs.streams != ours.streams {
            let what = "separate caches (n_seq_max, or 1 with kv_unified):";
            return other(what, theirs.streams.to_string(), ours.streams.to_string());
        }
        if theirs.swa_full != ours.swa_full {
            return other("swa_full", (theirs.swa_full != 0).to_string(), (ours.swa_full != 0).to_string());
        }
        if theirs.rope != ours.rope {
            return other("RoPE scaling", format!("#{:016x}", theirs.rope), format!("#{:016x}", ours.rope));
        }
        let n_ctx_seq = self.n_ctx_seq();
        if !self.model().facts().is_recurrent && saved.cells > n_ctx_seq {
            return Err(StateError::TooLong { cells: saved.cells, n_ctx_seq });
        }
        // A recurrent state of several cells would end the process; see `cells_of`.
        let absurd = self.model().facts().is_recurrent && saved.cells > 1;
        let lies = saved.positions.is_some() && self.cells_of(saved.payload).is_some_and(|cells| cells != saved.cells);
        if absurd || lies {
            return Err(StateError::Damaged);
        }
        Ok(())
    }

    fn state_layout(&self) -> Layout {
        if self.model().facts().is_recurrent {
            return Layout::default();
        }
        let cache = &self.cache;
        Layout {
            k: cache.k.to_raw(),
            v: cache.v.to_raw(),
            streams: if self.is_kv_unified() { 1 } else { self.n_seq_max() },
            swa_full: u32::from(cache.swa_full),
            rope: rope_digest(cache.rope),
        }
    }

    /// Cells in a state of llama.cpp, as far as its layout is known: two numbers that are not part of it (magic and
    /// sequence), then the count of a recurrent state, or the number of caches and the count for each.
    ///
    /// One sequence never has more than one recurrent cell, also where sequences share a cell after
    /// [`Memory::copy`](crate::Memory::copy); what aborts in llama-memory-recurrent.cpp's state_write needs rollback
    /// snapshots or device states, which are never asked for.
    fn cells_of(&self, payload: &[u8]) -> Option<u32> {
        let (words, _) = payload.as_chunks::<4>();
        let mut words = words.iter().skip(2).map(|word| u32::from_le_bytes(*word));
        if self.model().facts().is_recurrent {
            return words.next();
        }
        let streams = words.next().filter(|&streams| streams == self.state_layout().streams)?;
        words.take(streams as usize).find(|&cells| cells > 0)
    }
}

/// A call that returned, but did less than all, has logged why.
fn done(status: i32, all: bool) -> Result<(), Failure> {
    raw::check(status)?;
    if all { Ok(()) } else { Err(Failure::Null) }
}

/// The RoPE scaling changes the keys, so it must be the same; all that is needed is to notice that it is not.
fn rope_digest(rope: crate::RopeScaling) -> u64 {
    let part = |bits: Option<u32>| bits.map_or(0, |bits| (1 << 32) | u64::from(bits));
    let parts = [
        part(rope.freq_base.map(f32::to_bits)),
        part(rope.freq_scale.map(f32::to_bits)),
        part(rope.kind.map(|kind| kind as u32)),
        part(rope.yarn_original_context),
    ];
    digest(parts.map(u64::to_le_bytes).as_flattened())
}

fn type_name(id: u32) -> String {
    crate::gguf::TensorType::from_id(id).map_or_else(|| format!("type {id}"), |ty| ty.name().to_owned())
}

impl From<MemoryError> for StateError {
    fn from(error: MemoryError) -> Self {
        match error {
            MemoryError::NoMemory => Self::NoMemory,
            MemoryError::SequenceOutOfRange { seq, n_seq_max } => Self::SequenceOutOfRange { seq, n_seq_max },
            other => Self::Refused { reason: other.to_string() },
        }
    }
}
