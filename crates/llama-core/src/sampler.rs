//! Choosing the next token: [`Sampler`].
//!
//! The stages are upstream's, run by its own code. The grammar is not: upstream's aborts the process where a text leaves
//! it, and follows an ambiguous one until memory ends, so `gbnf`, `rules`, `machine` and `matcher` here do its work,
//! with the same notation and the same answers.

mod candidates;
mod chain;
mod gbnf;
mod grammar;
mod largest;
mod machine;
mod matcher;
mod params;
mod pieces;
mod rules;
mod shortlist;
mod suggested;
#[cfg(test)]
mod tests;

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;

pub use candidates::{Candidate, TokenLogprob};
pub use grammar::{Grammar, Lazy};
pub use params::{LogitBias, Mirostat, SamplingParams, Seed, Stage};
pub use suggested::SuggestedSampling;

use crate::ids::Token;
use crate::model::Model;
use crate::outputs::{OutputError, Row};
use chain::Chain;
use machine::TooAmbiguous;
use matcher::{Matcher, Refusal};

/// Why a sampler was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SamplerError {
    /// A value of [`SamplingParams`] is out of its range.
    #[error("sampling parameter `{name}`: {value} {why}")]
    InvalidParam {
        /// The field.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it has to be.
        why: String,
    },
    /// The grammar or one of its triggers cannot be read.
    #[error("the grammar cannot be used: {reason}")]
    Grammar {
        /// What is wrong with it, with line and column where there is one.
        reason: String,
    },
    /// A bias or a trigger names a token that the model does not have.
    #[error("token {token} is not one of the {n_vocab} tokens of this model")]
    TokenOutOfRange {
        /// The token.
        token: Token,
        /// Size of the vocabulary.
        n_vocab: u32,
    },
    /// The model lacks what a stage or a grammar needs.
    #[error("this model cannot be sampled from that way: {reason}")]
    Unsupported {
        /// What is missing.
        reason: String,
    },
    /// Upstream failed where it should not.
    #[error("llama.cpp could not make the sampler: {reason}")]
    Internal {
        /// What it said.
        reason: String,
    },
}

/// Why no token was chosen or accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SampleError {
    /// The grammar allows no token that is possible here: none of the vocabulary fits, or those that do are banned.
    #[error(
        "no token can follow: the grammar and the vocabulary, or the grammar and the banned tokens, exclude each other"
    )]
    GrammarDeadEnd,
    /// The token is not allowed by the grammar; nothing has changed.
    #[error("the grammar does not allow token {token} here")]
    GrammarRejected {
        /// The token.
        token: Token,
    },
    /// The grammar can be read in too many ways here; nothing has changed. Make its alternatives differ at their start.
    #[error("the grammar is too ambiguous to follow; make its alternatives differ at their start")]
    GrammarTooAmbiguous,
    /// Every candidate is banned by a logit bias.
    #[error("no token can follow: every one is banned by a logit bias")]
    NoCandidate,
    /// The model computed NaN, or a logit of 1e8 or more: its weights are damaged, or an operation of its backend is.
    #[error(
        "the logits are not numbers that can be sampled from (NaN or infinite); the model or its backend is damaged"
    )]
    NanLogits,
    /// The row comes from a model with another vocabulary.
    #[error("a row of {row} logits cannot be sampled for a vocabulary of {vocabulary} tokens: it is of another model")]
    WrongModel {
        /// Logits in the row.
        row: usize,
        /// Tokens of the sampler's model.
        vocabulary: usize,
    },
    /// The mask has fewer bits than the vocabulary has tokens.
    #[error("a mask of {bits} bits is too short for a vocabulary of {vocabulary} tokens: it is of another model")]
    MaskTooShort {
        /// Bits in the mask.
        bits: usize,
        /// Tokens of the sampler's model.
        vocabulary: usize,
    },
    /// The token is not one of the sampler's model.
    #[error("token {token} is not one of the {n_vocab} tokens of this model")]
    TokenOutOfRange {
        /// The token.
        token: Token,
        /// Size of the vocabulary.
        n_vocab: u32,
    },
    /// There are no logits to choose by.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// Upstream failed where it should not.
    #[error("llama.cpp could not sample: {reason}")]
    Internal {
        /// What it said.
        reason: String,
    },
}

impl From<TooAmbiguous> for SampleError {
    fn from(TooAmbiguous: TooAmbiguous) -> Self {
        Self::GrammarTooAmbiguous
    }
}

/// Chooses tokens, and remembers those it was told of: for penalties, grammar, mirostat and random numbers.
///
/// Choosing and remembering are two calls, [`Sampler::sample`] and [`Sampler::accept`], because a chosen token may be
/// thrown away (speculation, stop strings). With a grammar the choice is made first without it; only if the grammar
/// refuses is the choice made again among the tokens it allows. That is upstream's order, so a seed gives its tokens.
///
/// A sampler keeps its model alive. It is `Send`, not `Sync`.
#[doc(alias = "llama_sampler")]
#[doc(alias = "common_sampler")]
pub struct Sampler {
    chain: Chain,
    matcher: Option<Matcher>,
    seed: u32,
    /// Upstream's infill stage keeps a pointer to the vocabulary. Declared after `chain`, so it is dropped later.
    model: Model,
}

impl Sampler {
    /// Makes a sampler for rows of `model`.
    ///
    /// A grammar reads the whole vocabulary, which takes some milliseconds; so does DRY with breakers.
    ///
    /// # Errors
    ///
    /// [`SamplerError`]: a value out of range, a grammar that cannot be read, a stage that the model cannot have.
    #[doc(alias = "llama_sampler_chain_init")]
    #[doc(alias = "common_sampler_init")]
    pub fn new(model: &Model, params: &SamplingParams) -> Result<Self, SamplerError> {
        params.validate()?;
        let seed = match params.seed {
            Seed::Fixed(seed) if seed != u32::MAX => seed,
            Seed::Fixed(_) | Seed::Random => random_seed(),
        };
        let matcher = match &params.grammar {
            Some(grammar) => Some(grammar.compile(model)?),
            None => None,
        };
        Ok(Self { chain: Chain::new(model, params, seed)?, matcher, seed, model: model.clone() })
    }

    /// Chooses a token by a row of logits. Call [`Sampler::accept`] with it if it is used.
    ///
    /// With a temperature of 0 it is the first of the largest logits.
    ///
    /// # Errors
    ///
    /// [`SampleError::GrammarDeadEnd`], [`SampleError::GrammarTooAmbiguous`], [`SampleError::NoCandidate`],
    /// [`SampleError::NanLogits`], [`SampleError::WrongModel`], [`SampleError::Output`], [`SampleError::Internal`].
    #[doc(alias = "llama_sampler_sample")]
    #[doc(alias = "common_sampler_sample")]
    pub fn sample(&mut self, row: &Row<'_>) -> Result<Token, SampleError> {
        self.sample_logits(row.logits()?)
    }

    /// Chooses a token by logits from anywhere, one per token of the vocabulary. Otherwise as [`Sampler::sample`].
    ///
    /// # Errors
    ///
    /// As [`Sampler::sample`].
    pub fn sample_logits(&mut self, logits: &[f32]) -> Result<Token, SampleError> {
        let vocabulary = self.model.vocab().len();
        if logits.len() != vocabulary {
            return Err(SampleError::WrongModel { row: logits.len(), vocabulary });
        }
        let choice = self.chain.sample(logits, None)?;
        let Some(matcher) = &mut self.matcher else {
            return Ok(choice);
        };
        if matcher.allows(index(&self.model, choice)?)? {
            return Ok(choice);
        }
        let mask = matcher.mask()?.ok_or(SampleError::GrammarDeadEnd)?;
        let choice = match self.chain.sample(logits, Some(mask)) {
            Err(SampleError::NoCandidate) => return Err(SampleError::GrammarDeadEnd),
            other => other?,
        };
        // The infill stage can put the end of the text where the candidates had none.
        if allows(mask, index(&self.model, choice)?) { Ok(choice) } else { Err(SampleError::GrammarDeadEnd) }
    }

    /// Chooses a token by a row of logits among those that a mask allows: bit `i % 32` of word `i / 32` is token `i`.
    /// Otherwise as [`Sampler::sample`].
    ///
    /// In the same order as with a grammar: the choice is made first without the mask, and only if the mask refuses it
    /// again among the tokens that it allows. So a seed gives the same text whether a grammar here or a mask from
    /// elsewhere holds it, and the usual case costs nothing. A sampler with a grammar needs both to allow the token.
    ///
    /// # Errors
    ///
    /// As [`Sampler::sample`], where [`SampleError::GrammarDeadEnd`] is also what an empty mask gives, and
    /// [`SampleError::MaskTooShort`].
    pub fn sample_masked(&mut self, row: &Row<'_>, mask: &[u32]) -> Result<Token, SampleError> {
        self.sample_logits_masked(row.logits()?, mask)
    }

    fn sample_logits_masked(&mut self, logits: &[f32], mask: &[u32]) -> Result<Token, SampleError> {
        let vocabulary = self.model.vocab().len();
        if logits.len() != vocabulary {
            return Err(SampleError::WrongModel { row: logits.len(), vocabulary });
        }
        if mask.len() < vocabulary.div_ceil(32) {
            return Err(SampleError::MaskTooShort { bits: mask.len() * 32, vocabulary });
        }
        let choice = self.chain.sample(logits, None)?;
        let id = index(&self.model, choice)?;
        let both: Vec<u32>;
        let mut mask = mask;
        if let Some(matcher) = &mut self.matcher {
            if allows(mask, id) && matcher.allows(id)? {
                return Ok(choice);
            }
            let own = matcher.mask()?.ok_or(SampleError::GrammarDeadEnd)?;
            both = own.iter().zip(mask).map(|(own, given)| own & given).collect();
            mask = &both;
        } else if allows(mask, id) {
            return Ok(choice);
        }
        let choice = match self.chain.sample(logits, Some(mask)) {
            Err(SampleError::NoCandidate) => return Err(SampleError::GrammarDeadEnd),
            other => other?,
        };
        // As in `sample_logits`: the infill stage can leave the candidates.
        if allows(mask, index(&self.model, choice)?) { Ok(choice) } else { Err(SampleError::GrammarDeadEnd) }
    }

    /// Chooses among candidates made by hand, and leaves in the list what the last stage chose from: the stages' effect
    /// can be looked at. The grammar, if there is one, is asked as in [`Sampler::sample`].
    ///
    /// # Errors
    ///
    /// As [`Sampler::sample`], and [`SampleError::TokenOutOfRange`]. An empty list is [`SampleError::NoCandidate`].
    #[doc(alias = "llama_sampler_apply")]
    pub fn apply(&mut self, candidates: &mut Vec<Candidate>) -> Result<Token, SampleError> {
        if candidates.is_empty() {
            return Err(SampleError::NoCandidate);
        }
        for candidate in candidates.iter() {
            index(&self.model, candidate.token)?;
        }
        let Some(matcher) = &mut self.matcher else {
            return self.chain.apply(candidates);
        };
        let mut first = candidates.clone();
        let choice = self.chain.apply(&mut first)?;
        if matcher.allows(index(&self.model, choice)?)? {
            *candidates = first;
            return Ok(choice);
        }
        for candidate in candidates.iter_mut() {
            if !matcher.allows(index(&self.model, candidate.token)?)? {
                candidate.logit = f32::NEG_INFINITY;
            }
        }
        match self.chain.apply(candidates) {
            Err(SampleError::NoCandidate) => Err(SampleError::GrammarDeadEnd),
            Ok(choice) if !matcher.allows(index(&self.model, choice)?)? => Err(SampleError::GrammarDeadEnd),
            other => other,
        }
    }

    /// Takes note of a token of the generated text, chosen here or not.
    ///
    /// # Errors
    ///
    /// [`SampleError::GrammarRejected`], [`SampleError::GrammarTooAmbiguous`], [`SampleError::TokenOutOfRange`]: nothing
    /// has changed then. [`SampleError::Internal`].
    #[must_use = "a token that the grammar refuses was not taken note of"]
    #[doc(alias = "llama_sampler_accept")]
    #[doc(alias = "common_sampler_accept")]
    pub fn accept(&mut self, token: Token) -> Result<(), SampleError> {
        let id = index(&self.model, token)?;
        if let Some(matcher) = &mut self.matcher {
            matcher.accept(id).map_err(|refusal| match refusal {
                Refusal::NotAllowed => SampleError::GrammarRejected { token },
                Refusal::TooAmbiguous => SampleError::GrammarTooAmbiguous,
            })?;
        }
        self.chain.accept(token)
    }

    /// Takes note of a token of the prompt: for the penalties, not for the grammar.
    ///
    /// # Errors
    ///
    /// [`SampleError::TokenOutOfRange`], [`SampleError::Internal`].
    pub fn accept_prompt(&mut self, token: Token) -> Result<(), SampleError> {
        index(&self.model, token)?;
        self.chain.accept(token)
    }

    /// [`Sampler::sample`], then [`Sampler::accept`].
    ///
    /// # Errors
    ///
    /// Those of both.
    pub fn sample_and_accept(&mut self, row: &Row<'_>) -> Result<Token, SampleError> {
        let token = self.sample(row)?;
        self.accept(token)?;
        Ok(token)
    }

    /// Forgets all tokens, and starts random numbers and grammar from the beginning, with the same seed.
    ///
    /// # Errors
    ///
    /// [`SampleError::Internal`].
    #[doc(alias = "llama_sampler_reset")]
    pub fn reset(&mut self) -> Result<(), SampleError> {
        if let Some(matcher) = &mut self.matcher {
            matcher.reset()?;
        }
        self.chain.reset()
    }

    /// A sampler in the same state, independent from here on.
    ///
    /// One stage is an exception in upstream: adaptive-p starts its random numbers anew, and the clone does not know of
    /// a token that was chosen and not yet accepted.
    ///
    /// # Errors
    ///
    /// [`SamplerError::Internal`].
    #[doc(alias = "llama_sampler_clone")]
    pub fn try_clone(&self) -> Result<Self, SamplerError> {
        let chain = self.chain.try_clone()?;
        Ok(Self { chain, matcher: self.matcher.clone(), seed: self.seed, model: self.model.clone() })
    }

    /// The seed in use; the one drawn if [`Seed::Random`] was asked for.
    #[doc(alias = "llama_sampler_get_seed")]
    pub fn seed(&self) -> u32 {
        self.seed
    }

    /// Whether the text may end here: always without a grammar, and before a lazy one has started.
    pub fn may_end(&self) -> bool {
        self.matcher.as_ref().is_none_or(Matcher::may_end)
    }

    /// Whether there is a grammar and the text is complete: nothing but its end can follow.
    pub fn is_finished(&self) -> bool {
        self.matcher.as_ref().is_some_and(Matcher::must_end)
    }

    /// Whether a grammar holds now: there is one, and if it is lazy, its trigger has come.
    pub fn grammar_is_active(&self) -> bool {
        self.matcher.as_ref().is_some_and(|matcher| !matcher.is_waiting())
    }

    /// The model whose rows can be sampled.
    pub fn model(&self) -> &Model {
        &self.model
    }
}

impl fmt::Debug for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sampler")
            .field("seed", &self.seed)
            .field("grammar", &self.matcher.is_some())
            .finish_non_exhaustive()
    }
}

/// The token as an index into the vocabulary.
fn index(model: &Model, token: Token) -> Result<usize, OutOfRange> {
    let n_vocab = model.facts().n_vocab;
    u32::try_from(token.0).ok().filter(|id| *id < n_vocab).map(|id| id as usize).ok_or(OutOfRange { token, n_vocab })
}

/// Whether the mask has the bit of token `id`.
fn allows(mask: &[u32], id: usize) -> bool {
    mask.get(id / 32).is_some_and(|word| word >> (id % 32) & 1 == 1)
}

struct OutOfRange {
    token: Token,
    n_vocab: u32,
}

impl From<OutOfRange> for SamplerError {
    fn from(OutOfRange { token, n_vocab }: OutOfRange) -> Self {
        Self::TokenOutOfRange { token, n_vocab }
    }
}

impl From<OutOfRange> for SampleError {
    fn from(OutOfRange { token, n_vocab }: OutOfRange) -> Self {
        Self::TokenOutOfRange { token, n_vocab }
    }
}

/// From the keys that the standard library draws for its hash maps; never upstream's word for random.
fn random_seed() -> u32 {
    let drawn = RandomState::new().hash_one(0_u8);
    u32::try_from(drawn % u64::from(u32::MAX)).unwrap_or(0)
}
