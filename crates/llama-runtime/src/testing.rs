//! What tests of the runtime are made of: [`FakeExecutor`], which computes nothing and checks everything.
//!
//! It models a KV cache exactly: which slot holds which tokens, computed with which adapters, in which cells. Every plan is
//! checked against that, and one that could not be carried out panics with the reason. Its model is a hash of all that a
//! slot holds, so a sequence that continues in the wrong place writes something else than it would alone.

pub(crate) mod bench;
mod script;
mod slots;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use llama_core::{DecodeError, SampleError, Token};

use crate::error::GenerateError;
use crate::executor::abort::AbortSwitch;
use crate::executor::{Abilities, Executor, Output, Sampled, StepEnd, StepResult, Work};
use crate::plan::{AdapterKey, BlobId, CacheOp, Piece, Plan, SeqKey, Slot};
use crate::saved::PrefixError;
use crate::threads::ThreadCounts;
pub(crate) use script::{Gate, Script, Trouble};
use slots::{Held, Slots};

/// A model that anybody can compute: the next token is a hash of all tokens before it, and of the adapters they were
/// computed with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FakeModel {
    /// Tokens are from 0 to this.
    pub(crate) vocabulary: i32,
    /// About one in so many tokens ends the answer; 0 for none.
    pub(crate) end_every: u64,
}

impl FakeModel {
    /// What comes after these tokens.
    pub(crate) fn next(&self, history: impl Iterator<Item = (Token, AdapterKey)>) -> Sampled {
        let mix = |hash: u64, value: u64| (hash ^ value).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23);
        let hash = history.fold(0xcbf2_9ce4_8422_2325, |hash, (token, adapters)| {
            mix(mix(hash, u64::from(token.0.unsigned_abs())), adapters.0)
        });
        let spread = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let token = Token(i32::try_from((spread >> 40) % u64::from(self.vocabulary.unsigned_abs())).unwrap());
        let ends = self.end_every > 0 && (spread >> 8).is_multiple_of(self.end_every);
        let letter = b'a' + u8::try_from(token.0.rem_euclid(26)).unwrap();
        Sampled { token, bytes: vec![letter], ends, complete: false, logprobs: None }
    }

    /// What a request gets that is alone: at most `most` tokens, the one that ends it not included.
    pub(crate) fn alone(&self, prompt: &[Token], adapters: AdapterKey, most: usize) -> Vec<Token> {
        let mut known = prompt.to_vec();
        while known.len() < prompt.len() + most {
            let next = self.next(known.iter().map(|token| (*token, adapters)));
            if next.ends {
                break;
            }
            known.push(next.token);
        }
        known.split_off(prompt.len())
    }

    /// The embedding of some tokens.
    pub(crate) fn embed(&self, tokens: &[Token]) -> Vec<f32> {
        tokens.iter().map(|token| token.0 as f32).collect()
    }
}

/// An executor without a model. See the module's documentation.
#[derive(Debug)]
pub(crate) struct FakeExecutor {
    abilities: Abilities,
    model: FakeModel,
    slots: Slots,
    blobs: BTreeMap<BlobId, Vec<Held>>,
    /// Blobs that could not be saved, or not be loaded.
    broken: BTreeSet<BlobId>,
    /// `None` until the first [`Executor::open`]: a test of the scheduler opens nothing.
    opened: Option<BTreeSet<SeqKey>>,
    script: Script,
    switch: AbortSwitch,
}

impl FakeExecutor {
    pub(crate) fn new(abilities: Abilities, model: FakeModel, script: Script) -> Self {
        let slots = Slots::new(&abilities);
        Self {
            abilities,
            model,
            slots,
            blobs: BTreeMap::new(),
            broken: BTreeSet::new(),
            opened: None,
            script,
            switch: AbortSwitch::default(),
        }
    }

    /// Abilities of a small context, to be changed by tests: 4 slots, 256 cells, 64 tokens a step.
    pub(crate) fn small() -> Abilities {
        Abilities {
            slots: 4,
            cells: Some(256),
            sequence_limit: 256,
            batch_limit: 64,
            partial: true,
            generates: true,
            embed_limit: 32,
            embed_batch: 4,
            saved_bytes: 16,
            saved_bytes_per_token: 4,
        }
    }

    /// Cells in use.
    pub(crate) fn cells(&self) -> usize {
        self.slots.cells()
    }

    /// Saved sequences.
    pub(crate) fn blobs(&self) -> usize {
        self.blobs.len()
    }

    /// Sequences that were opened and not closed.
    pub(crate) fn open_sequences(&self) -> usize {
        self.opened.as_ref().map_or(0, BTreeSet::len)
    }

    fn check(&self, plan: &Plan) {
        let tokens: usize = plan.pieces.iter().map(|piece| piece.tokens.len()).sum();
        assert!(tokens <= self.abilities.batch_limit, "{tokens} tokens in one plan: {plan:?}");
        assert!(plan.embeds.len() <= self.abilities.embed_batch, "too many inputs: {plan:?}");
        assert!(plan.embeds.iter().all(|embed| embed.tokens.len() <= self.abilities.embed_limit), "too long: {plan:?}");
        let slots: BTreeSet<Slot> = plan.pieces.iter().map(|piece| piece.slot).collect();
        let seqs: BTreeSet<SeqKey> = plan.pieces.iter().map(|piece| piece.seq).collect();
        assert_eq!((slots.len(), seqs.len()), (plan.pieces.len(), plan.pieces.len()), "a slot twice: {plan:?}");
        assert!(plan.pieces.iter().all(|piece| !piece.tokens.is_empty()), "an empty piece: {plan:?}");
        if let Some(opened) = &self.opened {
            let sampled = plan.pieces.iter().filter(|piece| piece.sample);
            sampled.for_each(|piece| assert!(opened.contains(&piece.seq), "{:?} was not opened", piece.seq));
        }
    }

    fn carry_out(&mut self, op: &CacheOp, trouble: &Trouble, result: &mut StepResult) {
        match op {
            CacheOp::Copy { from, to, len } => self.slots.copy(*from, *to, *len),
            CacheOp::Truncate { slot, len } => self.slots.truncate(*slot, *len),
            CacheOp::Save { slot, blob, tokens } => {
                assert!(!self.blobs.contains_key(blob), "{blob:?} exists already");
                let saved = self.slots.read(*slot, tokens).filter(|_| !matches!(trouble, Trouble::FailSave));
                result.saved.push((*blob, saved.as_ref().map(|saved| self.saved_bytes(saved.len()))));
                match saved {
                    Some(saved) => drop(self.blobs.insert(*blob, saved)),
                    None => drop(self.broken.insert(*blob)),
                }
            }
            CacheOp::Load { blob, slot } => {
                let held = self.blobs.get(blob).cloned();
                assert!(held.is_some() || self.broken.contains(blob), "{blob:?} was not saved");
                match held.filter(|_| !matches!(trouble, Trouble::FailLoad)) {
                    Some(held) => self.slots.load(*slot, &held),
                    None => {
                        self.broken.insert(*blob);
                        self.slots.stays_empty(*slot);
                        result.not_loaded.push(*blob);
                    }
                }
            }
            CacheOp::Forget { blob } => {
                let known = self.blobs.remove(blob).is_some() | self.broken.remove(blob);
                assert!(known, "{blob:?} was not saved");
            }
        }
    }

    fn saved_bytes(&self, tokens: usize) -> usize {
        self.abilities.saved_bytes + self.abilities.saved_bytes_per_token * tokens
    }

    fn compute(&mut self, piece: &Piece, adapters: AdapterKey) -> Output {
        let held = self.slots.len(piece.slot);
        if held != piece.start {
            assert!(self.slots.may_differ(piece.slot), "the slot holds {held} tokens: {piece:?}");
            return Output::Misplaced { held };
        }
        self.slots.append(piece.slot, &piece.tokens, adapters);
        self.script.computed(piece.tokens.len());
        if !piece.sample {
            return Output::Stored;
        }
        Output::Sampled(self.model.next(self.slots.history(piece.slot)))
    }

    /// Stores only the first `keep` tokens of the pieces.
    fn abort(&mut self, plan: &Plan, mut keep: usize) -> StepEnd {
        let mut held = Vec::new();
        for piece in &plan.pieces {
            let count = piece.tokens.len().min(keep);
            keep -= count;
            if !self.abilities.partial {
                self.slots.truncate(piece.slot, 0);
            } else if self.slots.len(piece.slot) == piece.start {
                self.slots.append(piece.slot, &piece.tokens[..count], plan.adapters);
                self.script.computed(count);
            }
            held.push((piece.slot, self.slots.len(piece.slot)));
        }
        StepEnd::Aborted { held }
    }
}

impl Executor for FakeExecutor {
    fn abilities(&self) -> Abilities {
        self.abilities
    }

    fn open(&mut self, seq: SeqKey, _work: &Arc<Work>) -> Result<(), GenerateError> {
        if self.script.refuses() {
            return Err(failure());
        }
        self.opened.get_or_insert_default().insert(seq);
        Ok(())
    }

    fn close(&mut self, seq: SeqKey) {
        self.opened.get_or_insert_default().remove(&seq);
    }

    fn step(&mut self, plan: &Plan) -> StepResult {
        let trouble = self.script.begin(plan);
        self.check(plan);
        let mut result = StepResult {
            end: StepEnd::Done,
            outputs: Vec::new(),
            saved: Vec::new(),
            not_loaded: Vec::new(),
            embeddings: Vec::new(),
        };
        for op in &plan.ops {
            self.carry_out(op, &trouble, &mut result);
        }
        match &trouble {
            Trouble::Panic => panic!("the script says so"),
            Trouble::Stall(gate) => gate.wait(),
            Trouble::NoRoom => result.end = StepEnd::NoRoom,
            Trouble::Abort { keep } => result.end = self.abort(plan, *keep),
            Trouble::Fail => {
                self.slots.clear();
                result.end = StepEnd::Failed(failure());
            }
            Trouble::Break => {
                self.slots.clear();
                result.end = StepEnd::Failed(GenerateError::Crashed);
            }
            Trouble::Misplace => plan.pieces.iter().take(1).for_each(|piece| self.slots.lose(piece.slot)),
            _ => {}
        }
        if matches!(result.end, StepEnd::Done) && self.switch.is_aborted() {
            result.end = self.abort(plan, 0);
        }
        if matches!(result.end, StepEnd::Done) {
            result.outputs = plan.pieces.iter().map(|piece| self.compute(piece, plan.adapters)).collect();
            if let (Trouble::FailSample, Some(output)) = (&trouble, result.outputs.first_mut()) {
                *output = Output::Failed(failure());
            }
            let sampled = |output: &&mut Output| matches!(output, Output::Sampled(_));
            if let (Trouble::Poison, Some(output)) = (&trouble, result.outputs.iter_mut().find(sampled)) {
                *output = Output::Failed(SampleError::NanLogits.into());
                self.slots.clear();
                result.end = StepEnd::Poisoned;
            }
            let embed = |tokens: &[Token]| {
                if matches!(trouble, Trouble::FailEmbed) { Err(failure()) } else { Ok(self.model.embed(tokens)) }
            };
            let embeds = plan.embeds.iter().map(|embed_| (embed_.request, embed_.input, embed(&embed_.tokens)));
            result.embeddings = embeds.collect();
        }
        self.slots.settle();
        result
    }

    fn import(&mut self, blob: BlobId, bytes: Vec<u8>) -> Result<Vec<Token>, PrefixError> {
        let saved = slots::from_bytes(&bytes)?;
        assert!(!self.blobs.contains_key(&blob), "{blob:?} exists already");
        let tokens = slots::tokens(&saved);
        self.blobs.insert(blob, saved);
        Ok(tokens)
    }

    fn export(&self, blob: BlobId) -> Option<Vec<u8>> {
        self.blobs.get(&blob).map(|saved| slots::to_bytes(saved))
    }

    fn take_out(&mut self, blob: BlobId) -> Option<Vec<u8>> {
        self.blobs.remove(&blob).map(|saved| slots::to_bytes(&saved))
    }

    fn abort_switch(&self) -> AbortSwitch {
        self.switch.clone()
    }

    fn clear_abort(&mut self) {
        self.switch.clear(std::iter::empty());
    }

    fn threads(&self) -> ThreadCounts {
        ThreadCounts { decode: 1, prefill: 1 }
    }
}

/// The error of everything that fails here.
pub(crate) fn failure() -> GenerateError {
    GenerateError::Decode(DecodeError::Fatal { code: -3, reason: "the script says so".to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::RequestId;

    fn executor(script: &Script) -> FakeExecutor {
        FakeExecutor::new(FakeExecutor::small(), FakeModel { vocabulary: 100, end_every: 0 }, script.clone())
    }

    fn plan(start: usize) -> Plan {
        let seq = SeqKey { request: RequestId(1), choice: 0 };
        let tokens = vec![Token(1), Token(2)];
        Plan { pieces: vec![Piece { seq, slot: Slot(0), start, tokens, sample: true }], ..Plan::default() }
    }

    #[test]
    fn it_stalls_until_somebody_opens_the_gate() {
        let (script, gate) = (Script::default(), Gate::default());
        script.add([Trouble::Stall(gate.clone())]);
        std::thread::scope(|scope| {
            let step = scope.spawn(|| executor(&script).step(&plan(0)));
            gate.reached();
            assert!(!step.is_finished());
            gate.open();
            assert!(matches!(step.join().unwrap().end, StepEnd::Done));
        });
    }

    #[test]
    fn a_wrong_history_writes_something_else() {
        let sampled = |executor: &mut FakeExecutor, start| match &executor.step(&plan(start)).outputs[0] {
            Output::Sampled(sampled) => sampled.token,
            other => panic!("{other:?}"),
        };
        let mut executor = executor(&Script::default());
        let first = sampled(&mut executor, 0);
        assert_eq!([first].as_slice(), executor.model.alone(&[Token(1), Token(2)], AdapterKey(0), 1));
        assert_ne!(first, sampled(&mut executor, 2));
    }

    #[test]
    #[should_panic(expected = "the slot holds 0 tokens")]
    fn a_plan_that_cannot_be_carried_out_panics() {
        executor(&Script::default()).step(&plan(5));
    }
}
