//! From a row of logits to a token of one sequence: [`Chooser`].

use std::sync::Arc;

use llama_core::{Model, Row, SampleError, Sampler, SamplingParams, Seed, Specials, Token, TokenLogprob, Vocab};

use super::thinking::Watch;
use super::{Sampled, TokenLogprobs, Work};
use crate::error::GenerateError;
use crate::plan::SeqKey;
use crate::structure::{Guide, GuideError, MaskWorker, Prepared};

/// Computes masks while llama.cpp decodes. Its thread is started by the first request with a structure.
#[derive(Debug)]
pub(super) struct Masks {
    worker: Option<MaskWorker>,
    sequences: usize,
}

impl Masks {
    /// `sequences`: how many there are at most.
    pub(super) fn new(sequences: usize) -> Self {
        Self { worker: None, sequences }
    }

    /// Sees to it that the guide's mask is there when it is needed.
    fn prepare(&mut self, guide: Box<Guide>) -> Result<Prepared, GuideError> {
        let worker = match self.worker.take() {
            Some(worker) => worker,
            None => MaskWorker::start(self.sequences.max(1)).map_err(|error| GuideError::Broken {
                reason: format!("the thread that computes masks could not be started: {error}"),
            })?,
        };
        Ok(self.worker.insert(worker).prepare(guide))
    }
}

/// Chooses the tokens of one sequence.
#[derive(Debug)]
pub(super) struct Chooser {
    sampler: Sampler,
    /// What holds the text to its structure, on the way to its next mask.
    guide: Option<Prepared>,
    /// What watches its thoughts.
    watch: Option<Watch>,
    work: Arc<Work>,
}

impl Chooser {
    /// Makes the sampler and tells it the prompt; and the guide, whose first mask is computed from now on.
    pub(super) fn new(model: &Model, seq: SeqKey, work: &Arc<Work>, masks: &mut Masks) -> Result<Self, GenerateError> {
        let sampler = sampler(model, seq, work)?;
        let guide = match &work.structure {
            Some(compiled) => {
                let mut guide = Box::new(compiled.guide());
                work.grammar_prefix.iter().try_for_each(|token| guide.accept(*token))?;
                Some(masks.prepare(guide)?)
            }
            None => None,
        };
        let watch = work.thinking.as_ref().map(Watch::new);
        Ok(Self { sampler, guide, watch, work: Arc::clone(work) })
    }

    /// The adapters of its request, by name with their scales.
    pub(super) fn adapters(&self) -> &[(String, f32)] {
        &self.work.adapters
    }

    /// Chooses a token and takes note of it.
    pub(super) fn choose(
        &mut self,
        row: &Row<'_>,
        vocab: Vocab<'_>,
        masks: &mut Masks,
    ) -> Result<Sampled, GenerateError> {
        let (token, complete) = if self.work.structure.is_some() {
            // It was lost if the thread of masks panicked over it: nothing is written without it then.
            let mut guide = self.guide.take().ok_or(GuideError::WorkerEnded)?.take()?;
            let token = match self.sampler.sample_masked(row, guide.mask()?.words()) {
                Ok(token) => token,
                Err(error) => {
                    // Nothing was chosen, so that this can be tried again.
                    self.guide = Some(masks.prepare(guide)?);
                    return Err(error.into());
                }
            };
            self.sampler.accept(token)?;
            guide.accept(token)?;
            let complete = guide.must_end();
            self.guide = Some(masks.prepare(guide)?);
            (token, complete)
        } else {
            (self.next(row, vocab)?, self.sampler.is_finished())
        };
        let logprobs = self.work.logprobs.map(|n| logprobs(row, vocab, token, n)).transpose()?;
        let bytes = self.bytes_of(token, vocab);
        Ok(Sampled { token, bytes, ends: vocab.is_eog(token), complete, logprobs })
    }

    /// The token that the sampler chooses, or the one that closes a thought which has become too long.
    fn next(&mut self, row: &Row<'_>, vocab: Vocab<'_>) -> Result<Token, SampleError> {
        let (Some(watch), Some(budget)) = (&mut self.watch, &self.work.thinking) else {
            return self.sampler.sample_and_accept(row);
        };
        let token = match watch.forced(budget) {
            Some(token) => {
                self.sampler.accept(token)?;
                token
            }
            None => self.sampler.sample_and_accept(row)?,
        };
        watch.note(budget, &vocab.piece(token, Specials::Parse).unwrap_or_default());
        Ok(token)
    }

    /// Special tokens are no text, unless the request wants to see them.
    fn bytes_of(&self, token: Token, vocab: Vocab<'_>) -> Vec<u8> {
        let shown = self.work.specials || self.work.preserved.contains(&token);
        let specials = if shown { Specials::Parse } else { Specials::AsText };
        vocab.piece(token, specials).unwrap_or_default()
    }
}

/// The sampler of a choice, which knows the prompt.
fn sampler(model: &Model, seq: SeqKey, work: &Work) -> Result<Sampler, GenerateError> {
    let seed = seed_of_choice(work.sampling.seed, seq.choice);
    let mut sampler = if seed == work.sampling.seed {
        Sampler::new(model, &work.sampling)?
    } else {
        Sampler::new(model, &work.sampling.clone().seed(seed))?
    };
    // The prefix is the end of the prompt where the tokens meet, so that the penalties count it once.
    let has_grammar = work.sampling.grammar.is_some();
    let prefix: &[Token] = if has_grammar { &work.grammar_prefix } else { &[] };
    let before = work.prompt.strip_suffix(prefix).unwrap_or(&work.prompt);
    let remembered = before.len().min(remembered_tokens(&work.sampling));
    for &token in &before[before.len() - remembered..] {
        sampler.accept_prompt(token)?;
    }
    for &token in prefix {
        sampler.accept(token)?;
    }
    Ok(sampler)
}

/// Choice k of a request with a fixed seed has that seed plus k, never upstream's word for random.
fn seed_of_choice(seed: Seed, choice: u32) -> Seed {
    match seed {
        Seed::Fixed(seed) if seed != u32::MAX => {
            let sum = (u64::from(seed) + u64::from(choice)) % u64::from(u32::MAX);
            Seed::Fixed(u32::try_from(sum).unwrap_or(0))
        }
        random => random,
    }
}

/// How many tokens before the answer the penalties look at. Telling them a long prompt whole would take a while and change
/// nothing.
fn remembered_tokens(params: &SamplingParams) -> usize {
    let penalises = params.penalty_repeat != 1.0 || params.penalty_frequency != 0.0 || params.penalty_presence != 0.0;
    let penalties = if penalises { params.penalty_last_n } else { 0 };
    let dry = if params.dry_multiplier == 0.0 { 0 } else { params.dry_penalty_last_n };
    usize::try_from(penalties.max(dry)).unwrap_or(usize::MAX)
}

/// Alternatives are told with the names of special tokens: they are no text of the answer.
fn logprobs(row: &Row<'_>, vocab: Vocab<'_>, token: Token, n: usize) -> Result<TokenLogprobs, GenerateError> {
    let top = row.top_logprobs(n).map_err(SampleError::from)?;
    // The sum over the vocabulary is not made twice where it need not be.
    let chosen = match top.iter().find(|entry| entry.token == token) {
        Some(entry) => Some(*entry),
        None => row.logprob(token).map_err(SampleError::from)?,
    };
    let usable = |entry: &TokenLogprob| entry.logprob.is_finite();
    let with_bytes = |entry: TokenLogprob| (entry, vocab.piece(entry.token, Specials::Parse).unwrap_or_default());
    Ok(TokenLogprobs { chosen: chosen.filter(usable), top: top.into_iter().filter(usable).map(with_bytes).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_of_a_fixed_seed_have_different_fixed_seeds() {
        assert_eq!(seed_of_choice(Seed::Fixed(7), 0), Seed::Fixed(7));
        assert_eq!(seed_of_choice(Seed::Fixed(7), 3), Seed::Fixed(10));
        let near_the_end: Vec<_> = (0..4).map(|choice| seed_of_choice(Seed::Fixed(u32::MAX - 2), choice)).collect();
        assert_eq!(near_the_end, [u32::MAX - 2, u32::MAX - 1, 0, 1].map(Seed::Fixed));
        assert_eq!(seed_of_choice(Seed::Random, 3), Seed::Random);
        assert_eq!(seed_of_choice(Seed::Fixed(u32::MAX), 3), Seed::Fixed(u32::MAX));
    }

    #[test]
    fn only_what_the_penalties_look_at_is_told_them() {
        let mut params = SamplingParams::default();
        assert_eq!(remembered_tokens(&params), 0, "no penalty is on");
        params.penalty_repeat = 1.1;
        assert_eq!(remembered_tokens(&params), 64);
        params.dry_multiplier = 0.8;
        params.dry_penalty_last_n = 1000;
        assert_eq!(remembered_tokens(&params), 1000);
    }
}
