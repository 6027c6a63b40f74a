//! The three `i32`s of llama.cpp that must never be mixed up.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        #[repr(transparent)]
        pub struct $name(pub i32);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<i32> for $name {
            fn from(value: i32) -> Self {
                Self(value)
            }
        }
    };
}

id! {
    /// A token id: an index into the vocabulary of one model.
    ///
    /// Any `i32` may be wrapped; every call that takes a token checks it against the vocabulary.
    #[doc(alias = "llama_token")]
    Token
}

id! {
    /// A position in a sequence, counted in tokens from 0.
    #[doc(alias = "llama_pos")]
    Pos
}

id! {
    /// A sequence of a context: an independent stream of tokens in the KV cache, from 0 to
    /// [`Context::n_seq_max`](crate::Context::n_seq_max) - 1.
    #[doc(alias = "llama_seq_id")]
    SeqId
}

impl SeqId {
    /// The first sequence, the only one of a context made with default parameters.
    pub const ZERO: Self = Self(0);
}
