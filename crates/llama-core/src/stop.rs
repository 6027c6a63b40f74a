//! Stop strings in a stream of text.
//!
//! A [`StopSet`] holds the strings, compiled once; a [`StopScanner`] watches one stream and lets text through as soon as
//! it cannot be part of a stop string any more. Both work on whole UTF-8 (see [`text`](crate::text)) and know nothing of
//! tokens.
//!
//! # Which match counts
//!
//! The first stop string to be *complete* ends the text, so a generation never runs on to see whether a longer one would
//! match too. If several are complete at the same byte, the longest (the one that starts first) counts; of equal strings
//! the first given. So with `"ab"` and `"abc"`, `"ab"` is reported as soon as it is there (the text shown is the same as
//! for `"abc"`, since both start at the same place), and with `"b"` and `"ab"`, `"ab"` is. The result never depends on
//! how the text was cut into pieces.

use std::sync::Arc;

use self::automaton::{Automaton, Node};

mod automaton;

/// Why a list of stop strings was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StopError {
    /// A stop string is empty: it would match before the first character.
    #[error("stop string number {index} (counted from 0) is empty; leave it out, or give at least one character")]
    Empty {
        /// Its place in the list, from 0.
        index: usize,
    },
    /// A stop string is longer than [`StopSet::MAX_BYTES`].
    #[error(
        "stop string number {index} (counted from 0) has {bytes} bytes, but at most {limit} are allowed; shorten it"
    )]
    TooLong {
        /// Its place in the list, from 0.
        index: usize,
        /// Its length in bytes.
        bytes: usize,
        /// [`StopSet::MAX_BYTES`].
        limit: usize,
    },
    /// There are more stop strings than [`StopSet::MAX_STRINGS`].
    #[error("more than {limit} stop strings were given; leave out the ones that cannot occur")]
    TooMany {
        /// [`StopSet::MAX_STRINGS`].
        limit: usize,
    },
}

/// Stop strings, checked and compiled.
///
/// Cheap to clone (the compiled form is shared), `Send` and `Sync`. An empty set is allowed and never matches.
///
/// ```
/// use llama_core::stop::StopSet;
///
/// let stops = StopSet::new(["</answer>", "\nUser:"])?;
/// let mut scanner = stops.scanner();
/// let mut shown = String::new();
///
/// assert_eq!(scanner.push("It is 4.\nUs", &mut shown), None);
/// assert_eq!(shown, "It is 4."); // "\nUs" may become a stop string: held back
/// assert_eq!(scanner.push("er: thanks", &mut shown), Some(1));
/// assert_eq!(shown, "It is 4.");
/// # Ok::<(), llama_core::stop::StopError>(())
/// ```
#[derive(Debug, Clone)]
pub struct StopSet {
    automaton: Arc<Automaton>,
}

impl StopSet {
    /// The longest stop string, in bytes. It bounds what a scanner holds back.
    pub const MAX_BYTES: usize = 1024;
    /// The most strings of one set.
    pub const MAX_STRINGS: usize = 256;

    /// Checks and compiles stop strings. Their order gives the index that a match reports.
    ///
    /// # Errors
    ///
    /// [`StopError::Empty`] and [`StopError::TooLong`] name the string; [`StopError::TooMany`] if the list is longer than
    /// [`MAX_STRINGS`](Self::MAX_STRINGS), of which no more is read than that.
    pub fn new<I>(strings: I) -> Result<Self, StopError>
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let mut checked = Vec::new();
        for (index, string) in strings.into_iter().enumerate() {
            if index == Self::MAX_STRINGS {
                return Err(StopError::TooMany { limit: Self::MAX_STRINGS });
            }
            let string = string.into();
            if string.is_empty() {
                return Err(StopError::Empty { index });
            }
            if string.len() > Self::MAX_BYTES {
                return Err(StopError::TooLong { index, bytes: string.len(), limit: Self::MAX_BYTES });
            }
            checked.push(string);
        }
        Ok(Self { automaton: Arc::new(Automaton::new(checked)) })
    }

    /// A set without strings: nothing stops.
    #[must_use]
    pub fn empty() -> Self {
        Self { automaton: Arc::new(Automaton::new(Vec::new())) }
    }

    /// The number of strings.
    #[must_use]
    pub fn len(&self) -> usize {
        self.automaton.strings().len()
    }

    /// Whether there is no string, so that nothing can match.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The string a match reported, by its index.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&str> {
        self.automaton.strings().get(index).map(String::as_str)
    }

    /// A scanner at the start of a stream.
    #[must_use]
    pub fn scanner(&self) -> StopScanner {
        StopScanner { set: self.clone(), node: Node::ROOT, stopped: None }
    }
}

/// Watches one stream of text for the strings of a [`StopSet`].
///
/// It holds back the longest end of the text that begins some stop string: less than [`StopSet::MAX_BYTES`], and less
/// than the longest string of the set. The time for a piece grows with its length only, whatever was seen before.
/// Plain data: `Send`, `Sync`; a clone goes on independently from the same place.
#[derive(Debug, Clone)]
pub struct StopScanner {
    set: StopSet,
    /// How much of which stop string the text ends with. What is held back is the beginning of that string.
    node: Node,
    stopped: Option<usize>,
}

impl StopScanner {
    /// Reads `text` and appends to `out` what is now safe to show.
    ///
    /// Returns the index of the stop string that was completed. The stop string itself and all that follows it are
    /// dropped; further pushes append nothing and return the same index, until [`reset`](Self::reset).
    pub fn push(&mut self, text: &str, out: &mut String) -> Option<usize> {
        if self.stopped.is_some() {
            return self.stopped;
        }
        let automaton = &self.set.automaton;
        let held = automaton.prefix(self.node);
        let mut node = self.node;
        for (at, byte) in text.bytes().enumerate() {
            node = automaton.step(node, byte);
            if let Some(index) = automaton.complete(node) {
                let seen = held.len() + at + 1;
                push_first(out, held, text, seen - automaton.strings()[index].len());
                self.node = Node::ROOT;
                self.stopped = Some(index);
                return self.stopped;
            }
        }
        push_first(out, held, text, held.len() + text.len() - automaton.prefix(node).len());
        self.node = node;
        None
    }

    /// Ends the stream: appends what was held back, since it will not become a stop string.
    ///
    /// Returns the index of the stop string that ended the text earlier, if one did; then nothing is appended.
    pub fn finish(&mut self, out: &mut String) -> Option<usize> {
        out.push_str(self.held());
        self.node = Node::ROOT;
        self.stopped
    }

    /// The text held back: the beginning of some stop string, or nothing.
    #[must_use]
    pub fn held(&self) -> &str {
        self.set.automaton.prefix(self.node)
    }

    /// The index of the stop string that ended the text.
    #[must_use]
    pub fn stopped(&self) -> Option<usize> {
        self.stopped
    }

    /// The set this scanner watches for.
    #[must_use]
    pub fn set(&self) -> &StopSet {
        &self.set
    }

    /// Starts again with a new stream; what was held back is dropped.
    pub fn reset(&mut self) {
        self.node = Node::ROOT;
        self.stopped = None;
    }
}

/// Appends the first `bytes` bytes of `held` followed by `text`.
///
/// `bytes` always ends where some stop string could begin, so between characters.
fn push_first(out: &mut String, held: &str, text: &str, bytes: usize) {
    if bytes <= held.len() {
        out.push_str(&held[..bytes]);
    } else {
        out.push_str(held);
        out.push_str(&text[..bytes - held.len()]);
    }
}

#[cfg(test)]
mod tests;
