//! What a step changed.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::{Fault, Outcome, Scheduler, Settled};
use crate::error::GenerateError;
use crate::executor::{Output, StepEnd, StepResult};
use crate::plan::{CacheOp, Piece, Plan, SeqKey, Slot};
use crate::sequence::Sequence;

impl Scheduler {
    /// Takes in what came of a plan, which took `elapsed`. `outcomes` says, for each piece, what the engine made of it; it counts
    /// only where a piece was computed. Who is named in the answer is gone already; who [`end`](Self::end)ed meanwhile is
    /// not named.
    pub(crate) fn settle(
        &mut self,
        plan: &Plan,
        result: &StepResult,
        outcomes: &[Outcome],
        (elapsed, now): (Duration, Instant),
    ) -> Settled {
        self.in_flight = false;
        let mut settled = Settled::default();
        self.settle_saves(plan, result);
        self.settle_loads(plan, result);
        match &result.end {
            StepEnd::Done => {
                self.estimator.observe(plan.tokens(), elapsed);
                self.settle_pieces(plan, result, outcomes, &mut settled);
            }
            StepEnd::Poisoned => {
                self.settle_pieces(plan, result, outcomes, &mut settled);
                self.settle_poisoned(plan, result, now, &mut settled);
            }
            StepEnd::NoRoom => self.settle_no_room(plan, now, &mut settled),
            StepEnd::Aborted { held } => {
                for piece in &plan.pieces {
                    let held = held.iter().find(|(slot, _)| *slot == piece.slot).map_or(piece.start, |(_, held)| *held);
                    self.settle_aborted(piece, held);
                }
            }
            StepEnd::Failed(error) => self.settle_failed(plan, error, &mut settled),
        }
        self.settle_embeds(plan, result, &mut settled);

        let ended = std::mem::take(&mut self.ending);
        settled.faults.retain(|fault| !ended.contains(&fault.seq));
        ended.into_iter().for_each(|seq| self.end(seq));
        settled
    }

    fn settle_saves(&mut self, plan: &Plan, result: &StepResult) {
        for op in &plan.ops {
            if let CacheOp::Save { blob, .. } = op {
                let bytes = result.saved.iter().find(|(saved, _)| saved == blob).and_then(|(_, bytes)| *bytes);
                self.cache.saved(*blob, bytes);
            }
        }
    }

    /// Follows the slots that stayed empty because a blob could not be loaded through the operations of the plan.
    fn settle_loads(&mut self, plan: &Plan, result: &StepResult) {
        if result.not_loaded.is_empty() {
            return;
        }
        let mut empty: BTreeSet<Slot> = BTreeSet::new();
        for op in &plan.ops {
            match op {
                CacheOp::Load { blob, slot } if result.not_loaded.contains(blob) => {
                    empty.insert(*slot);
                    self.cache.forget(*blob);
                }
                CacheOp::Copy { from, to, .. } if empty.contains(from) => {
                    empty.insert(*to);
                }
                CacheOp::Save { slot, blob, .. } if empty.contains(slot) => self.cache.saved(*blob, None),
                CacheOp::Truncate { slot, len: 0 } => {
                    empty.remove(slot);
                }
                _ => {}
            }
        }
        for slot in &empty {
            self.cache.lost(*slot, 0);
        }
        for sequence in self.running.values_mut().filter(|sequence| empty.contains(&sequence.slot)) {
            sequence.computed = 0;
        }
    }

    /// All pieces but those whose logits are not numbers.
    fn settle_pieces(&mut self, plan: &Plan, result: &StepResult, outcomes: &[Outcome], settled: &mut Settled) {
        let outcomes = outcomes.iter().copied().chain(std::iter::repeat(Outcome::Stored));
        for ((piece, output), outcome) in plan.pieces.iter().zip(&result.outputs).zip(outcomes) {
            if !output.is_no_number() {
                self.settle_piece(piece, output, outcome, settled);
            }
        }
    }

    fn settle_piece(&mut self, piece: &Piece, output: &Output, outcome: Outcome, settled: &mut Settled) {
        if let Output::Misplaced { held } = output {
            return self.settle_misplaced(piece, *held);
        }
        let Some(sequence) = self.running.get_mut(&piece.seq) else { return };
        self.cache.append(sequence.slot, &piece.tokens);
        sequence.computed += piece.tokens.len();
        self.counts.prompt_computed += in_prompt(sequence, piece.start, sequence.computed);
        match (output, outcome) {
            (Output::Failed(error), _) => self.fail(piece.seq, error, settled),
            (_, Outcome::Ended) => self.end(piece.seq),
            (_, Outcome::Next(token)) if piece.sample => {
                sequence.work.known.push(token);
                let tokens = sequence.work.known.len();
                if tokens > sequence.work.limit {
                    self.fail(piece.seq, &GenerateError::NoRoom { tokens }, settled);
                }
            }
            _ => self.leave_a_gap(piece.seq),
        }
    }

    /// The last known token has to be computed again, if nothing came of it.
    fn leave_a_gap(&mut self, seq: SeqKey) {
        let Some(sequence) = self.running.get_mut(&seq) else { return };
        if sequence.wants() == 0 {
            sequence.computed = self.cache.cut(sequence.slot, sequence.computed - 1);
        }
    }

    fn settle_misplaced(&mut self, piece: &Piece, held: usize) {
        let Some(sequence) = self.running.get_mut(&piece.seq) else { return };
        let known = self.cache.len(piece.slot);
        if held > known && known > 0 {
            self.cache.cut_surplus(piece.slot);
        } else if held < known && (held == 0 || self.abilities.partial) {
            self.cache.lost(piece.slot, held);
        } else if held > 0 {
            self.cache.reset(piece.slot);
        }
        sequence.computed = self.cache.len(piece.slot);
    }

    fn settle_aborted(&mut self, piece: &Piece, held: usize) {
        let Some(sequence) = self.running.get_mut(&piece.seq) else { return };
        let end = piece.start + piece.tokens.len();
        if held > end || (held > 0 && held < piece.start && !self.abilities.partial) {
            self.cache.reset(piece.slot);
        } else if held < piece.start {
            self.cache.lost(piece.slot, held);
        } else {
            self.cache.append(piece.slot, &piece.tokens[..held - piece.start]);
        }
        sequence.computed = self.cache.len(piece.slot);
        self.counts.prompt_computed += in_prompt(sequence, piece.start, sequence.computed);
        self.leave_a_gap(piece.seq);
    }

    /// The cache had less room than it should have: cached prefixes go first, then whoever is last in rank.
    fn settle_no_room(&mut self, plan: &Plan, now: Instant, settled: &mut Settled) {
        if self.cache.evict_all() {
            return;
        }
        if let Some(victim) = self.last_but_first(|_| true) {
            self.park(victim, now);
            self.cache.evict_all();
            self.crowd = self.running.len();
            return;
        }
        for piece in &plan.pieces {
            let tokens = piece.start + piece.tokens.len();
            self.fail(piece.seq, &GenerateError::NoRoom { tokens }, settled);
        }
    }

    /// One sequence computed what is not a number, and through the cache that may have reached others. Who is to blame shows
    /// when it computes alone: it fails then. Until that is known of the first of them, the others wait.
    fn settle_poisoned(&mut self, plan: &Plan, result: &StepResult, now: Instant, settled: &mut Settled) {
        let pieces = plan.pieces.iter().zip(&result.outputs).filter(|(_, output)| output.is_no_number());
        let hurt: Vec<(SeqKey, &Output)> = pieces.map(|(piece, output)| (piece.seq, output)).collect();
        let blamed = hurt.iter().find(|(seq, _)| self.alone == Some(*seq));
        self.alone = None;
        if let Some((seq, Output::Failed(error))) = blamed {
            self.fail(*seq, error, settled);
        } else {
            let hurt = hurt.iter().filter_map(|(seq, _)| self.running.get(seq));
            self.alone = hurt.min_by_key(|sequence| sequence.work.rank()).map(|sequence| sequence.work.key);
        }
        if let Some(alone) = self.alone {
            let others: Vec<SeqKey> = self.running.keys().copied().filter(|seq| *seq != alone).collect();
            others.into_iter().for_each(|seq| self.park(seq, now));
            self.crowd = 1;
        }
        self.cache.forget_saved();
        self.cache.all_lost();
        for sequence in self.running.values_mut() {
            sequence.computed = 0;
        }
    }

    fn settle_failed(&mut self, plan: &Plan, error: &GenerateError, settled: &mut Settled) {
        self.cache.all_lost();
        for sequence in self.running.values_mut() {
            sequence.computed = 0;
        }
        for piece in &plan.pieces {
            self.fail(piece.seq, error, settled);
        }
    }

    fn settle_embeds(&mut self, plan: &Plan, result: &StepResult, settled: &mut Settled) {
        for (id, input, embedding) in &result.embeddings {
            let Some(job) = self.embeds.get_mut(id) else { continue };
            if let Some(done) = job.done.get_mut(*input as usize) {
                *done = true;
            }
            if let Err(error) = embedding {
                self.embeds.remove(id);
                settled.faults.push(Fault { seq: SeqKey { request: *id, choice: 0 }, error: error.clone() });
            } else if job.done.iter().all(|done| *done) {
                self.embeds.remove(id);
                settled.embedded.push(*id);
            }
        }
        let StepEnd::Failed(error) = &result.end else { return };
        for embed in &plan.embeds {
            let done = result.embeddings.iter().any(|(id, input, _)| (*id, *input) == (embed.request, embed.input));
            if !done && self.embeds.remove(&embed.request).is_some() {
                let seq = SeqKey { request: embed.request, choice: 0 };
                settled.faults.push(Fault { seq, error: error.clone() });
            }
        }
    }

    fn fail(&mut self, seq: SeqKey, error: &GenerateError, settled: &mut Settled) {
        if self.running.contains_key(&seq) {
            self.end(seq);
            settled.faults.push(Fault { seq, error: error.clone() });
        }
    }
}

/// How many of the tokens from `start` to `end` are of the prompt.
fn in_prompt(sequence: &Sequence, start: usize, end: usize) -> u64 {
    let prompt = sequence.work.prompt;
    (end.min(prompt).saturating_sub(start.min(prompt))) as u64
}
