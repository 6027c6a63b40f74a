//! One conversation over one context: [`Session`].
//!
//! A session keeps two things apart: the tokens it *holds* (what was said) and how many of them are *cached* (in the KV
//! cache, one position each). Everything else follows: taking in a prompt adds tokens, a step computes what is not
//! cached and samples, a cancel or a rewind lowers the cached count, and whatever is missing is computed again when it is
//! needed. So nothing a caller does, in whatever order, can make the two disagree.

mod cache;
mod params;
mod settings;
mod stream;

pub use params::{GenerateOptions, OnCancel, Overflow, Prompt, SessionError};
pub use stream::{Event, EventStream, FinishReason, Finished, TextStream, Usage};

use crate::batch::{Batch, OutputRow};
use crate::context::{AbortHandle, Context};
use crate::ids::{SeqId, Token};
use crate::model::Model;
use crate::sampler::{Sampler, SamplingParams};
use crate::vocab::{AddSpecial, Specials};

const SEQ: SeqId = SeqId::ZERO;

/// One conversation: a context, its tokens, and a sampler.
///
/// `Send`, not `Sync`. It uses sequence 0 of its context.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let path = llama_testkit::fixtures::tiny_llama();
/// use llama_core::{Context, ContextParams, Model, ModelParams, SamplingParams, Session};
///
/// let model = Model::load(path, ModelParams::default())?;
/// let context = Context::new(&model, ContextParams::default())?;
/// let mut session = Session::new(context, SamplingParams::default())?;
/// for piece in session.generate("Once upon a time")?.take(16) {
///     print!("{}", piece?);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Session {
    ctx: Context,
    sampler: Sampler,
    batch: Batch,
    overflow: Overflow,
    /// What was said: prompts and answers.
    tokens: Vec<Token>,
    /// The first `cached` of them are in the KV cache, each at the position of its index.
    cached: usize,
    /// The output of the last cached token, while it is the last computed one.
    row: Option<OutputRow>,
    /// The sampler has heard of the first `heard` of the tokens.
    heard: usize,
    /// Where the current turn began, for [`OnCancel::RollBack`].
    turn_start: usize,
}

/// What [`Session::prefill`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefill {
    /// Tokens that were in the KV cache already.
    pub reused: usize,
    /// Tokens that were computed.
    pub computed: usize,
}

/// Stops what a session is doing, from any thread. Cheap to clone; harmless after the session is gone.
///
/// It works inside a running decode, see [`AbortHandle`]. A cancel is for the work of that moment: the next
/// [`Session::stream`] or [`Session::generate`] starts without it.
#[derive(Debug, Clone)]
pub struct CancelHandle(AbortHandle);

impl CancelHandle {
    /// Asks the session to stop.
    pub fn cancel(&self) {
        self.0.abort();
    }

    /// Whether the session was asked to stop and has not started anew since.
    pub fn is_cancelled(&self) -> bool {
        self.0.is_aborted()
    }
}

impl Session {
    /// A session over a fresh context.
    ///
    /// # Errors
    ///
    /// [`SessionError::Sampler`] if the sampling parameters do not fit the model, [`SessionError::NotGenerative`] if the
    /// model does not write text token by token (encoders, encoder-decoders, diffusion).
    pub fn new(ctx: Context, sampling: SamplingParams) -> Result<Self, SessionError> {
        let facts = ctx.model().facts();
        if !ctx.has_memory() || !facts.has_decoder || facts.has_encoder || facts.is_diffusion {
            return Err(SessionError::NotGenerative);
        }
        let sampler = Sampler::new(ctx.model(), &sampling)?;
        let batch = Batch::new(ctx.n_batch() as usize);
        let mut session = Self {
            ctx,
            sampler,
            batch,
            overflow: Overflow::default(),
            tokens: Vec::new(),
            cached: 0,
            row: None,
            heard: 0,
            turn_start: 0,
        };
        session.forget_cache()?;
        Ok(session)
    }

    /// The tokens of all turns, prompts and answers.
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// Most tokens this session can hold.
    pub fn capacity(&self) -> usize {
        self.ctx.n_ctx_seq() as usize
    }

    /// The model.
    pub fn model(&self) -> &Model {
        self.ctx.model()
    }

    /// The context, to ask for its sizes; what can be changed of it is changed through the session.
    pub fn context(&self) -> &Context {
        &self.ctx
    }

    /// Gives the context back. What the session computed stays in it.
    pub fn into_context(self) -> Context {
        self.ctx
    }

    /// A handle that stops what this session is doing.
    pub fn cancel_handle(&self) -> CancelHandle {
        CancelHandle(self.ctx.abort_handle())
    }

    /// Forgets everything that was said.
    ///
    /// # Errors
    ///
    /// [`SessionError::Memory`].
    pub fn clear(&mut self) -> Result<(), SessionError> {
        self.tokens.clear();
        self.turn_start = 0;
        self.restart_sampler()?;
        self.forget_cache()
    }

    /// Adds tokens to what was said and computes them, at most [`Context::n_batch`] at a time.
    ///
    /// # Errors
    ///
    /// [`SessionError`]; after any of them the session holds what it held before, apart from what a context shift
    /// dropped. After [`SessionError::Cancelled`] the part that was computed is held too, until [`Session::resume`].
    pub fn ingest(&mut self, tokens: &[Token]) -> Result<(), SessionError> {
        self.check_tokens(tokens)?;
        self.make_room(tokens.len())?;
        let before = self.tokens.len();
        self.tokens.extend_from_slice(tokens);
        match self.compute() {
            Ok(()) => Ok(()),
            Err(SessionError::Cancelled) => {
                self.tokens.truncate(self.cached.max(before));
                Err(SessionError::Cancelled)
            }
            Err(error) => {
                self.rewind(before)?;
                Err(error)
            }
        }
    }

    /// Makes what was said exactly `tokens`, computing only what differs from before: the KV cache of the longest common
    /// beginning is reused.
    ///
    /// # Errors
    ///
    /// As [`Session::ingest`]. [`SessionError::PromptTooLong`] leaves the session as it was, the others with the common
    /// beginning.
    pub fn prefill(&mut self, tokens: &[Token]) -> Result<Prefill, SessionError> {
        self.check_tokens(tokens)?;
        if tokens.len() > self.capacity() {
            return Err(SessionError::PromptTooLong { tokens: tokens.len(), limit: self.capacity() });
        }
        let common = tokens.iter().zip(&self.tokens).take_while(|(a, b)| a == b).count();
        // The last token is computed in any case, for its logits.
        self.uncache(common.min(tokens.len().saturating_sub(1)))?;
        let reused = self.cached;
        self.tokens.truncate(reused);
        self.turn_start = reused;
        self.restart_sampler()?;
        let rest = &tokens[reused..];
        self.ingest(rest)?;
        Ok(Prefill { reused, computed: rest.len() })
    }

    /// One step: computes what is not computed yet, samples a token and adds it to what was said.
    ///
    /// The new token is computed at the start of the next step, so that it can be shown first. At the end of a turn the
    /// token is one for which [`Vocab::is_eog`](crate::Vocab::is_eog) holds.
    ///
    /// # Errors
    ///
    /// [`SessionError::Empty`] before anything was ingested, [`SessionError::ContextFull`], [`SessionError::Cancelled`],
    /// [`SessionError::Sample`], [`SessionError::Decode`].
    pub fn decode_one(&mut self) -> Result<Token, SessionError> {
        if self.tokens.is_empty() {
            return Err(SessionError::Empty);
        }
        if self.ctx.is_aborted() {
            return Err(SessionError::Cancelled);
        }
        self.make_room(1)?;
        if self.cached == self.tokens.len() && self.row.is_none() {
            self.uncache(self.tokens.len() - 1)?;
        }
        self.compute()?;
        self.feed_sampler()?;
        let row = self.row.ok_or(SessionError::Empty)?;
        let outputs = self.ctx.outputs();
        let token = self.sampler.sample(&outputs.row(row)?)?;
        self.sampler.accept(token)?;
        self.tokens.push(token);
        self.heard = self.tokens.len();
        Ok(token)
    }

    /// After a cancel of [`Session::ingest`] or [`Session::decode_one`]: keeps or drops the turn, and lets steps work
    /// again. [`Session::stream`] does this by itself. A grammar starts anew.
    ///
    /// # Errors
    ///
    /// [`SessionError::Memory`].
    pub fn resume(&mut self, partial_turn: OnCancel) -> Result<(), SessionError> {
        self.ctx.clear_abort();
        self.reconcile()?;
        if partial_turn == OnCancel::RollBack {
            self.rewind(self.turn_start)?;
        }
        self.restart_sampler()
    }

    /// Marks the beginning of a turn: [`OnCancel::RollBack`] goes back to here.
    pub fn begin_turn(&mut self) {
        self.turn_start = self.tokens.len();
    }

    /// Drops the tokens from index `len` on. A recurrent state, or a sliding window that has moved on, is computed again
    /// from the beginning at the next step. A grammar starts anew.
    ///
    /// # Errors
    ///
    /// [`SessionError::Memory`].
    pub fn truncate(&mut self, len: usize) -> Result<(), SessionError> {
        if len < self.tokens.len() {
            self.rewind(len)?;
            self.turn_start = self.turn_start.min(len);
            self.restart_sampler()?;
        }
        Ok(())
    }

    /// Tokenises text that continues what was said: special tokens are understood, and the tokens a model wants at the
    /// beginning are added only there.
    ///
    /// # Errors
    ///
    /// [`SessionError::Tokenize`].
    pub fn tokenize(&self, text: &str) -> Result<Vec<Token>, SessionError> {
        let add = if self.tokens.is_empty() { AddSpecial::AsModelWants } else { AddSpecial::Never };
        Ok(self.ctx.model().vocab().tokenize_with(text, Specials::Parse, add)?)
    }

    /// Saves what was said and the KV cache, for [`Session::load`] in a session of the same model and parameters. The
    /// sampler's random state is not part of it.
    ///
    /// # Errors
    ///
    /// [`SessionError::State`].
    pub fn save(&mut self) -> Result<Vec<u8>, SessionError> {
        Ok(self.ctx.save_sequence(SEQ, &self.tokens)?)
    }

    /// Replaces what was said and the KV cache by a saved state.
    ///
    /// # Errors
    ///
    /// [`SessionError::State`]; the session is then empty or as before, as [`StateError`](crate::StateError) says.
    pub fn load(&mut self, state: &[u8]) -> Result<(), SessionError> {
        self.row = None;
        match self.ctx.load_sequence(SEQ, state) {
            Ok(tokens) => {
                self.tokens = tokens;
                self.turn_start = self.tokens.len();
                self.cached = self.tokens.len();
                self.reconcile()?;
                self.restart_sampler()
            }
            Err(error) => {
                self.reconcile()?;
                Err(error.into())
            }
        }
    }

    /// Starts the sampler, and its grammar, anew. The next step tells it what was said.
    fn restart_sampler(&mut self) -> Result<(), SessionError> {
        self.heard = 0;
        Ok(self.sampler.reset()?)
    }

    /// Tells the sampler what was said and it has not heard, for its penalties.
    fn feed_sampler(&mut self) -> Result<(), SessionError> {
        for &token in &self.tokens[self.heard..] {
            self.sampler.accept_prompt(token)?;
            self.heard += 1;
        }
        Ok(())
    }

    fn check_tokens(&self, tokens: &[Token]) -> Result<(), SessionError> {
        let vocab = self.ctx.model().vocab();
        tokens.iter().try_for_each(|&token| vocab.check_token(token)).map_err(Into::into)
    }
}
