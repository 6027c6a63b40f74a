//! What the next step computes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use super::Scheduler;
use crate::ids::RequestId;
use crate::plan::{AdapterKey, EmbedPiece, Piece, Plan, SeqKey};
use crate::sequence::Sequence;

impl Scheduler {
    /// Decides the next step. `has_room` tells whether the reader of a sequence takes one more token; if not, no token is
    /// chosen for it. An empty plan need not be carried out: nothing can be done before something changes.
    pub(crate) fn plan(&mut self, now: Instant, has_room: &dyn Fn(SeqKey) -> bool) -> Plan {
        self.step += 1;
        for sequence in self.running.values_mut() {
            let since = sequence.blocked.unwrap_or(now);
            sequence.blocked = (!has_room(sequence.work.key)).then_some(since);
        }
        self.release_followers();
        self.keep_promises(now);
        self.resume(now, has_room);

        let first_embed = self.embed_inputs(has_room).next().map_or(0, |embed| embed.tokens.len());
        let mut plan = Plan::default();
        for adapters in self.groups() {
            plan.pieces = self.pieces(adapters, first_embed, now);
            if !plan.pieces.is_empty() {
                plan.adapters = adapters;
                self.turns.insert(adapters, self.step);
                break;
            }
        }
        self.alone = self.alone.filter(|alone| plan.pieces.iter().all(|piece| piece.seq == *alone));
        self.cache.make_room(plan.tokens(), None);
        plan.ops = self.cache.take_ops();
        plan.embeds = self.embeds_beside(plan.tokens(), has_room);
        self.in_flight = !plan.is_empty();
        plan
    }

    /// Prompt tokens of a step beside `answers` tokens of answers. Somebody who watches an answer, be it of another group, should
    /// not have to wait too long for its next token.
    pub(super) fn prompt_budget(&self, answers: usize) -> usize {
        let left = self.budget().saturating_sub(answers);
        if self.answering() == 0 {
            return left;
        }
        let quick =
            self.estimator.tokens_within(self.bounds.step_time).map_or(left, |most| most.saturating_sub(answers));
        quick.max(self.bounds.min_chunk.max(1)).min(left)
    }

    /// Most tokens of the pieces of one plan.
    fn budget(&self) -> usize {
        self.bounds.step_tokens.min(self.abilities.batch_limit).max(1)
    }

    /// The sets of adapters for which there is something to compute, the one that has waited longest first.
    fn groups(&mut self) -> Vec<AdapterKey> {
        let groups: BTreeSet<AdapterKey> = self
            .running
            .values()
            .filter(|sequence| wanted(sequence) > 0)
            .map(|sequence| sequence.work.adapters)
            .collect();
        let present: BTreeSet<AdapterKey> = self.running.values().map(|sequence| sequence.work.adapters).collect();
        self.turns.retain(|adapters, _| present.contains(adapters));
        let mut groups: Vec<AdapterKey> = groups.into_iter().collect();
        groups.sort_by_key(|adapters| (self.turns.get(adapters).copied().unwrap_or(0), *adapters));
        groups
    }

    fn pieces(&mut self, adapters: AdapterKey, embed_tokens: usize, now: Instant) -> Vec<Piece> {
        let mut answers = self.select(adapters, |sequence| sequence.wants() == 1);
        answers.retain(|seq| self.extend(*seq, now));
        // Who was extended early may have been parked for one after it.
        answers.retain(|seq| self.running.contains_key(seq));
        answers.sort_by_key(|seq| self.running.get(seq).map(|sequence| sequence.served));
        let prompts = self.select(adapters, |sequence| sequence.wants() > 1);

        answers.truncate(self.budget() - self.prompt_share(&answers, &prompts));
        let least = self.bounds.min_chunk.max(1).min(self.budget() - answers.len());
        let mut left = self.prompt_budget(answers.len());
        if self.answering() > 0 {
            // An input to embed beside it takes its time too, and how long a much larger step than the last ones takes is unknown.
            let known = self.estimator.reach().saturating_sub(answers.len());
            left = left.saturating_sub(embed_tokens).min(known).max(least);
        }

        let mut pieces: Vec<Piece> = answers.into_iter().filter_map(|seq| self.piece(seq, 1)).collect();
        for seq in prompts {
            let piece = self.piece(seq, left);
            left -= piece.as_ref().map_or(0, |piece| piece.tokens.len());
            pieces.extend(piece);
        }
        pieces
    }

    /// Sequences of a group that want something computed, in rank.
    fn select(&self, adapters: AdapterKey, which: impl Fn(&Sequence) -> bool) -> Vec<SeqKey> {
        let all = self.running.values().filter(|sequence| sequence.work.adapters == adapters && wanted(sequence) > 0);
        let mut selected: Vec<&Sequence> = all.filter(|sequence| which(sequence)).collect();
        selected.sort_by_key(|sequence| sequence.work.rank());
        selected.into_iter().map(|sequence| sequence.work.key).collect()
    }

    /// Tokens of the budget that answers leave to prompts, so that prompts advance too. A budget of one goes to and fro.
    fn prompt_share(&self, answers: &[SeqKey], prompts: &[SeqKey]) -> usize {
        let served = |seq: Option<&SeqKey>| seq.and_then(|seq| self.running.get(seq)).map(|sequence| sequence.served);
        let Some(prompt) = served(prompts.first()) else { return 0 };
        match self.budget() {
            1 => usize::from(served(answers.first()).is_none_or(|answer| prompt < answer)),
            budget => self.bounds.min_chunk.clamp(1, budget / 2),
        }
    }

    /// The next at most `most` tokens of a sequence.
    fn piece(&mut self, seq: SeqKey, most: usize) -> Option<Piece> {
        let sequence = self.running.get_mut(&seq)?;
        let count = wanted(sequence).min(most).min(sequence.reserved.saturating_sub(sequence.computed));
        if count == 0 {
            return None;
        }
        self.served += 1;
        sequence.served = self.served;
        let (start, end) = (sequence.computed, sequence.computed + count);
        sequence.stops.retain(|stop| *stop > end);
        let tokens = sequence.work.known[start..end].to_vec();
        Some(Piece { seq, slot: sequence.slot, start, tokens, sample: end == sequence.work.known.len() })
    }

    /// Inputs to embed whose readers take more, in order.
    fn embed_inputs(&self, has_room: &dyn Fn(SeqKey) -> bool) -> impl Iterator<Item = EmbedPiece> {
        let reads = |id: &RequestId| has_room(SeqKey { request: *id, choice: 0 });
        let mut jobs: Vec<_> = self.embeds.iter().filter(|(id, _)| reads(id)).collect();
        jobs.sort_by_key(|(id, job)| (std::cmp::Reverse(job.priority), **id));
        jobs.into_iter().flat_map(|(id, job)| {
            let inputs = job.inputs.iter().zip(&job.done).zip(0..);
            inputs.filter(|((_, done), _)| !**done).map(|((tokens, _), input)| EmbedPiece {
                request: *id,
                input,
                tokens: Arc::clone(tokens),
            })
        })
    }

    /// As many inputs as the step has tokens left for, and one at least.
    fn embeds_beside(&self, tokens: usize, has_room: &dyn Fn(SeqKey) -> bool) -> Vec<EmbedPiece> {
        let mut left = self.bounds.step_tokens.saturating_sub(tokens);
        let fit =
            self.embed_inputs(has_room).take(self.abilities.embed_batch.max(1)).enumerate().take_while(|(i, embed)| {
                let fits = embed.tokens.len() <= left;
                left = left.saturating_sub(embed.tokens.len());
                fits || *i == 0
            });
        fit.map(|(_, embed)| embed).collect()
    }
}

/// Tokens that could be computed for a sequence now.
fn wanted(sequence: &Sequence) -> usize {
    if sequence.follows.is_some() { 0 } else { sequence.chunk(sequence.blocked.is_none()) }
}
