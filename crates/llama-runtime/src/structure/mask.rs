//! The state of one sequence under a structure: [`Guide`].

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use llama_core::Token;
use llguidance::TokenParser;
use llguidance::api::StopReason;
use toktrie::{SimpleVob, TokenId};

use super::vocab::TokenTrie;

/// Why a guide cannot go on. The sequence ends with an error; its text so far is a beginning of what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GuideError {
    /// No token of the vocabulary continues the text as the structure demands.
    #[error("no token of this model continues the structured text")]
    DeadEnd,
    /// The structure is too ambiguous to follow from here within the limits.
    #[error("the structure is too complex to follow: {what}")]
    TooComplex {
        /// The limit.
        what: String,
    },
    /// The token is not one of those that may follow; nothing has changed.
    #[error("the structure does not allow token {token} here")]
    NotAllowed {
        /// The token.
        token: Token,
    },
    /// The engine of structures failed where it should not.
    #[error("the structure could not be followed: {reason}")]
    Broken {
        /// What it said.
        reason: String,
    },
    /// The thread that computes masks has ended.
    #[error("the thread that computes masks has ended")]
    WorkerEnded,
}

/// The tokens that may follow: one bit per token of the vocabulary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TokenMask {
    bits: SimpleVob,
}

impl TokenMask {
    pub(super) fn new(bits: SimpleVob) -> Self {
        Self { bits }
    }

    /// Bit `i % 32` of word `i / 32` is token `i`: as `Sampler::sample_masked` takes it.
    pub(crate) fn words(&self) -> &[u32] {
        self.bits.as_slice()
    }

    pub(crate) fn allows(&self, token: Token) -> bool {
        usize::try_from(token.0).is_ok_and(|id| id < self.bits.len() && self.bits.get(id))
    }

    /// Number of tokens that may follow.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.bits.num_set()
    }
}

/// Follows one text token by token. Owned by its sequence; it may move between threads.
pub(crate) struct Guide {
    parser: TokenParser,
    ends: Vec<TokenId>,
    /// Computed since the last token.
    mask: Option<TokenMask>,
    /// How long the last mask took; `None` before the first.
    took: Option<Duration>,
    /// A token that ends the text was accepted.
    ended: bool,
    failed: Option<GuideError>,
}

impl Guide {
    /// `first` is the mask of the first token.
    pub(super) fn new(parser: TokenParser, first: TokenMask, trie: &TokenTrie) -> Self {
        let ends = trie.ends().to_vec();
        Self { parser, ends, mask: Some(first), took: None, ended: false, failed: None }
    }

    /// The tokens that may follow, computed at most once per token. Those that end the text are among them exactly where
    /// it may end, and alone where it must.
    ///
    /// # Errors
    ///
    /// [`GuideError`], and the same one from then on.
    pub(crate) fn mask(&mut self) -> Result<&TokenMask, GuideError> {
        let mask = match self.mask.take() {
            Some(mask) => mask,
            None => {
                let start = Instant::now();
                let mask = self.compute()?;
                self.took = Some(start.elapsed());
                mask
            }
        };
        Ok(self.mask.insert(mask))
    }

    fn compute(&mut self) -> Result<TokenMask, GuideError> {
        let ended = self.ended;
        let bits = self.run(|parser| {
            if ended || parser.stopped() {
                return Ok(parser.token_env.tok_trie().eos_token_set());
            }
            parser.compute_mask().map_err(|error| error.to_string())
        })?;
        if bits.is_zero() { Err(self.fail(GuideError::DeadEnd)) } else { Ok(TokenMask { bits }) }
    }

    /// How long the last mask took to compute; `None` before the first.
    pub(crate) fn last_mask_took(&self) -> Option<Duration> {
        self.took
    }

    /// Whether a mask for the next token is there already.
    pub(crate) fn has_mask(&self) -> bool {
        self.mask.is_some()
    }

    /// Whether the token may follow; far cheaper than a mask.
    ///
    /// # Errors
    ///
    /// As [`Guide::mask`].
    pub(crate) fn allows(&mut self, token: Token) -> Result<bool, GuideError> {
        if let Some(mask) = &self.mask {
            return Ok(mask.allows(token));
        }
        let Some(id) = self.id_of(token) else { return Ok(false) };
        if self.ends.contains(&id) {
            return self.may_end();
        }
        self.run(|parser| parser.validate_token(id).map_err(|error| error.to_string()))
    }

    /// Takes note of a token of the text.
    ///
    /// # Errors
    ///
    /// [`GuideError::NotAllowed`]: nothing has changed. Others as [`Guide::mask`].
    pub(crate) fn accept(&mut self, token: Token) -> Result<(), GuideError> {
        if self.ended || !self.allows(token)? {
            return Err(GuideError::NotAllowed { token });
        }
        let Some(id) = self.id_of(token) else { return Err(GuideError::NotAllowed { token }) };
        self.mask = None;
        if self.ends.contains(&id) {
            self.ended = true;
            return Ok(());
        }
        self.run(|parser| {
            parser.consume_token(id).map_err(|error| error.to_string())?;
            parser.check_stop().map_err(|error| error.to_string())
        })?;
        Ok(())
    }

    /// Whether the text may end here: what there is satisfies the structure.
    ///
    /// # Errors
    ///
    /// As [`Guide::mask`].
    pub(crate) fn may_end(&mut self) -> Result<bool, GuideError> {
        if self.must_end() {
            return Ok(true);
        }
        self.run(|parser| Ok(parser.is_accepting()))
    }

    /// Whether the text is complete: it satisfies the structure and nothing can follow. A normal stop, for which the model
    /// need not be asked again.
    pub(crate) fn must_end(&self) -> bool {
        self.failed.is_none() && (self.ended || self.parser.stopped())
    }

    /// Whether an error ended it.
    pub(crate) fn is_error(&self) -> bool {
        self.failed.is_some()
    }

    fn id_of(&self, token: Token) -> Option<TokenId> {
        let id = TokenId::try_from(token.0).ok()?;
        ((id as usize) < self.parser.token_env.tok_trie().vocab_size()).then_some(id)
    }

    /// Runs the parser; a panic in it is the end of this guide only.
    fn run<T>(&mut self, work: impl FnOnce(&mut TokenParser) -> Result<T, String>) -> Result<T, GuideError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let parser = &mut self.parser;
        match catch_unwind(AssertUnwindSafe(|| work(parser))) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(what)) => {
                let error = match self.parser.stop_reason() {
                    StopReason::NoExtensionBias => GuideError::DeadEnd,
                    StopReason::LexerTooComplex | StopReason::ParserTooComplex => GuideError::TooComplex { what },
                    _ => GuideError::Broken { reason: what },
                };
                Err(self.fail(error))
            }
            Err(panic) => Err(self.fail(GuideError::Broken { reason: what_panicked(&*panic) })),
        }
    }

    fn fail(&mut self, error: GuideError) -> GuideError {
        self.mask = None;
        self.failed = Some(error.clone());
        error
    }
}

impl std::fmt::Debug for Guide {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guide").field("tokens", &self.parser.num_tokens()).field("failed", &self.failed).finish()
    }
}

/// The words of a panic.
pub(super) fn what_panicked(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic without words").to_owned()
}
