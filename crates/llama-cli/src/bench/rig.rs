//! The bare decode loop: [`Rig`] computes prompts and answers of one test, through `llama-core` and nothing else.
//!
//! It does what `llama-bench` and `llama-batched-bench` do: tokens are any, nothing is sampled, and an answer is one step for
//! each of its tokens, in which every sequence gets one. What sets the stage, the tokens of the depth and bringing a shared
//! prompt to its sequences, is not timed.

use std::time::{Duration, Instant};

use llama_core::{Batch, Context, DecodeError, MemoryError, OutputError, OutputRow, Pos, SeqId, Token, Want};

use super::matrix::Test;
use super::random::Random;

/// Why a run has no time.
#[derive(Debug)]
pub(super) enum Broken {
    /// Ctrl+C.
    Stopped,
    Failed(anyhow::Error),
}

impl From<DecodeError> for Broken {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Aborted => Self::Stopped,
            error => Self::Failed(error.into()),
        }
    }
}

impl From<MemoryError> for Broken {
    fn from(error: MemoryError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<OutputError> for Broken {
    fn from(error: OutputError) -> Self {
        Self::Failed(error.into())
    }
}

/// A context that computes one test over and over.
#[derive(Debug)]
pub(super) struct Rig {
    context: Context,
    batch: Batch,
    test: Test,
    random: Random,
    n_vocab: u32,
    /// The position at which every sequence goes on.
    at: u32,
    /// The output of the last token in the batch that has one.
    last: Option<OutputRow>,
}

impl Rig {
    pub(super) fn new(context: Context, test: Test) -> Self {
        let batch = Batch::new(context.n_batch() as usize);
        let n_vocab = context.model().facts().n_vocab;
        Self { context, batch, test, random: Random::new(1), n_vocab, at: 0, last: None }
    }

    pub(super) fn context(&self) -> &Context {
        &self.context
    }

    /// What an uncounted run computes: the prompt, and one step. Memory is touched, and tables are made.
    pub(super) fn warm_up(&mut self) -> Result<(), Broken> {
        self.clear()?;
        if self.test.n_prompt > 0 {
            self.prompt(self.test.n_prompt)?;
        }
        if self.test.n_gen > 0 {
            self.answer(1)?;
        }
        Ok(())
    }

    /// Computes the test once, and tells how long it took.
    pub(super) fn run(&mut self) -> Result<Duration, Broken> {
        self.go_to_depth()?;
        let mut spent = Duration::ZERO;
        if self.test.n_prompt > 0 {
            spent += self.prompt(self.test.n_prompt)?;
            if self.test.n_gen > 0 {
                self.share()?;
            }
        }
        if self.test.n_gen > 0 {
            spent += self.answer(self.test.n_gen)?;
        }
        Ok(spent)
    }

    /// Leaves the tokens of the depth in the cache, and no others. What was computed of them before is used again where the
    /// memory can forget the end of a sequence.
    fn go_to_depth(&mut self) -> Result<(), Broken> {
        let depth = self.test.n_depth;
        let is_cut = depth > 0 && self.at >= depth && self.cut(depth)?;
        if !is_cut {
            self.clear()?;
        }
        if self.at < depth {
            self.prompt(depth)?;
            self.share()?;
        }
        Ok(())
    }

    fn clear(&mut self) -> Result<(), Broken> {
        self.context.memory()?.clear()?;
        self.at = 0;
        Ok(())
    }

    /// Forgets everything from this position on, if that can be.
    fn cut(&mut self, at: u32) -> Result<bool, Broken> {
        let from = position(at).0;
        for seq in 0..self.test.n_parallel {
            match self.context.memory()?.remove(sequence(seq), from..) {
                Ok(()) => {}
                Err(MemoryError::PartialRemoval { .. }) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
        self.at = at;
        Ok(true)
    }

    /// Computes so many tokens of every sequence, or of the first one for all.
    fn prompt(&mut self, tokens: u32) -> Result<Duration, Broken> {
        let sequences = if self.test.shared { 1 } else { self.test.n_parallel };
        let begun = Instant::now();
        for seq in 0..sequences {
            for i in 0..tokens {
                let want = if i + 1 == tokens { Want::Output } else { Want::Nothing };
                self.push(seq, self.at + i, want)?;
            }
        }
        self.flush()?;
        self.wait()?;
        let spent = begun.elapsed();
        self.at += tokens;
        Ok(spent)
    }

    /// Computes an answer of so many tokens for every sequence.
    fn answer(&mut self, tokens: u32) -> Result<Duration, Broken> {
        let begun = Instant::now();
        for _ in 0..tokens {
            for seq in 0..self.test.n_parallel {
                self.push(seq, self.at, Want::Output)?;
            }
            self.flush()?;
            self.wait()?;
            self.at += 1;
        }
        Ok(begun.elapsed())
    }

    /// Brings what the first sequence holds to the others.
    fn share(&mut self) -> Result<(), Broken> {
        if !self.test.shared || self.test.n_parallel == 1 {
            return Ok(());
        }
        for seq in 1..self.test.n_parallel {
            self.context.memory()?.copy(SeqId::ZERO, sequence(seq), ..)?;
        }
        if !self.test.unified && self.context.memory()?.capabilities().partial_removal {
            // The bytes are copied by the next decode, which is not to be timed.
            self.push(0, self.at, Want::Output)?;
            self.flush()?;
            self.wait()?;
            self.context.memory()?.remove(SeqId::ZERO, position(self.at).0..)?;
        }
        Ok(())
    }

    /// Adds a token, whichever, and computes a batch that is full.
    fn push(&mut self, seq: u32, at: u32, want: Want) -> Result<(), Broken> {
        if self.batch.len() == self.batch.capacity() {
            self.flush()?;
        }
        let token = Token(i32::try_from(self.random.below(self.n_vocab)).unwrap_or(0));
        let row = self.batch.push(token, position(at), sequence(seq), want);
        let row = row.map_err(|full| Broken::Failed(full.into()))?;
        if want == Want::Output {
            self.last = Some(row);
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Broken> {
        if self.batch.is_empty() {
            return Ok(());
        }
        self.context.decode(&mut self.batch)?;
        self.batch.clear();
        Ok(())
    }

    /// Waits until a device that computes on its own is done: reading an output does.
    fn wait(&mut self) -> Result<(), Broken> {
        if let Some(row) = self.last.take() {
            self.context.outputs().row(row)?.logits()?;
        }
        Ok(())
    }
}

fn position(at: u32) -> Pos {
    Pos(i32::try_from(at).unwrap_or(i32::MAX))
}

fn sequence(number: u32) -> SeqId {
    SeqId(i32::try_from(number).unwrap_or(i32::MAX))
}
