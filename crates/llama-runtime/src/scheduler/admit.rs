//! Who gets a slot: new requests, and parked ones that come back.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use llama_core::Token;

use super::{Ask, Bounds, EmbedJob, Found, NeverFits, Scheduler, Source, Why};
use crate::executor::Abilities;
use crate::ids::RequestId;
use crate::plan::{AdapterKey, SeqKey, Slot};
use crate::prefix::common;
use crate::priority::Priority;
use crate::sequence::{Sequence, Work};

impl Scheduler {
    /// Tells whether a request could be served if it were alone.
    ///
    /// # Errors
    ///
    /// It could not: [`NeverFits`] says why.
    pub(crate) fn fits(abilities: &Abilities, bounds: &Bounds, ask: &Ask) -> Result<(), NeverFits> {
        if ask.prompt.is_empty() && !ask.embeds.is_empty() {
            return fits_embeds(abilities, ask);
        }
        let tokens = ask.prompt.len();
        if tokens == 0 || ask.choices == 0 {
            return Err(NeverFits::Empty);
        }
        if !abilities.generates {
            return Err(NeverFits::NotAble);
        }
        let limit = abilities.sequence_limit.min(abilities.cells.unwrap_or(usize::MAX)).saturating_sub(1);
        if tokens > limit {
            return Err(NeverFits::PromptTooLong { tokens, limit });
        }
        let limit = bounds.max_sequences.min(abilities.slots);
        if ask.choices as usize > limit {
            return Err(NeverFits::TooManyChoices { choices: ask.choices, limit });
        }
        let answer = reserve(abilities, bounds, ask) - (tokens - 1);
        let cells = answer.saturating_mul(ask.choices as usize).saturating_add(tokens - 1);
        match abilities.cells {
            Some(total) if cells > total => Err(NeverFits::TooManyCells { cells, total }),
            _ => Ok(()),
        }
    }

    /// Gives a request its slots and a promise of cells, if it can have them now. Whoever has a lower priority may be parked
    /// for it.
    ///
    /// # Errors
    ///
    /// It has to wait. One that never [`fits`](Self::fits) would wait for ever.
    pub(crate) fn admit(&mut self, ask: &Ask, now: Instant) -> Result<(), Why> {
        if ask.prompt.is_empty() {
            return self.admit_embeds(ask);
        }
        let aging = self.bounds.aging;
        let mut waiting = self.parked.values().filter(|parked| !parked.blocked);
        if let Some(parked) = waiting.find(|parked| parked.priority(now, aging) >= ask.priority) {
            return Err(Why::Behind { parked: parked.work.key });
        }
        let found = if self.bounds.prefix_reuse { self.find(ask.adapters, &ask.prompt) } else { None };
        if let Some(leader) = self.leader(ask, found.map_or(0, |found| found.len)) {
            return Err(Why::Prefix { leader });
        }
        let work = Work {
            key: SeqKey { request: ask.id, choice: 0 },
            priority: ask.priority,
            shield: ask.priority,
            adapters: ask.adapters,
            known: ask.prompt.to_vec(),
            prompt: ask.prompt.len(),
            limit: limit(&self.abilities, ask),
            elastic: ask.max_tokens.is_none(),
            reused: 0,
        };
        let key = work.key;
        self.start(work, found, ask.choices as usize, now)?;
        if let Some(sequence) = self.running.get_mut(&key) {
            sequence.work.reused = sequence.computed;
            self.counts.prompt_reused += sequence.computed as u64;
        }
        Ok(())
    }

    /// Has an admitted request count as more urgent than it is when others ask for its place: it has waited long for it.
    pub(crate) fn shield(&mut self, id: RequestId, priority: Priority, waited: Duration) {
        let shield = priority.after(waited, self.bounds.aging);
        let of_request = self.running.values_mut().filter(|sequence| sequence.work.key.request == id);
        of_request.for_each(|sequence| sequence.work.shield = sequence.work.shield.max(shield));
    }

    /// Requests to embed need no slot and no cells, but there is a bound for everything.
    fn admit_embeds(&mut self, ask: &Ask) -> Result<(), Why> {
        if self.embeds.len() >= self.embedding {
            return Err(Why::Slots);
        }
        let job = EmbedJob { inputs: ask.embeds.clone(), done: vec![false; ask.embeds.len()], priority: ask.priority };
        self.embeds.insert(ask.id, job);
        Ok(())
    }

    /// Gives slots and a promise to `choices` sequences that begin like `work`, of which `found` is there already.
    pub(super) fn start(&mut self, work: Work, found: Option<Found>, choices: usize, now: Instant) -> Result<(), Why> {
        if self.running.is_empty() {
            self.crowd = self.bounds.max_sequences;
        }
        let reserved = if work.elastic {
            work.limit.min(work.known.len().saturating_add(self.bounds.elastic_block.max(1)))
        } else {
            work.limit
        };
        // The other choices share all of the prompt but its last token.
        let others = (choices - 1) * (reserved - (work.prompt - 1).min(reserved));
        let need = |scheduler: &Self, found: Option<Found>| match found.map(|found| (found.source, found)) {
            Some((Source::Slot(slot), found)) => {
                reserved + scheduler.cache.cells().not_held(slot, found.len) - found.len
            }
            // All of it is loaded before the rest is cut off.
            Some((Source::Blob(_), found)) => reserved.max(found.whole),
            None => reserved,
        };
        let way = self.make_way(work.priority, choices, now, &|scheduler| need(scheduler, found) + others);
        let found = match found {
            Some(Found { source: Source::Blob(_), .. }) if way == Err(Why::Cells) => {
                self.make_way(work.priority, choices, now, &|scheduler| need(scheduler, None) + others)?;
                None
            }
            found => way.map(|()| found)?,
        };

        let slot = self.place(&work, found);
        let computed = found.map_or(0, |found| found.len);
        let leader = Sequence {
            slot,
            computed,
            reserved,
            follows: None,
            blocked: None,
            served: self.served,
            // Where only whole sequences can be copied, it has to stop where the other choices begin.
            stops: if choices > 1 && !self.abilities.partial {
                BTreeSet::from([work.prompt - 1])
            } else {
                BTreeSet::new()
            },
            work,
        };
        for choice in 1..choices {
            self.follow(&leader, u32::try_from(choice).unwrap_or(u32::MAX));
        }
        self.running.insert(leader.work.key, leader);
        Ok(())
    }

    /// Adds a choice that waits until `leader` has computed the prompt, and copies it then.
    fn follow(&mut self, leader: &Sequence, choice: u32) {
        // There is a slot: `make_way` counted them.
        let Some(slot) = self.cache.take(leader.work.adapters, None) else { return };
        let mut sequence = leader.clone();
        sequence.work.key.choice = choice;
        (sequence.slot, sequence.computed, sequence.work.reused) = (slot, 0, 0);
        sequence.follows = Some(leader.work.key);
        self.running.insert(sequence.work.key, sequence);
    }

    /// Takes a slot and has what was found brought into it.
    fn place(&mut self, work: &Work, found: Option<Found>) -> Slot {
        // `make_way` counted the slots, so there is always one to take.
        const COUNTED: &str = "fewer sequences run than there are slots";
        let Some(Found { source, len, whole }) = found else {
            return self.cache.take(work.adapters, None).expect(COUNTED);
        };
        match source {
            Source::Blob(blob) => {
                self.cache.pin(blob);
                let slot = self.cache.take(work.adapters, None).expect(COUNTED);
                self.cache.load(blob, slot, len);
                slot
            }
            Source::Slot(from) if !self.cache.is_taken(from) && self.takes_over(len, whole) => {
                self.cache.take_over(from, len);
                from
            }
            Source::Slot(from) => {
                let slot = self.cache.take(work.adapters, Some(from)).expect(COUNTED);
                self.cache.copy(from, slot, len);
                slot
            }
        }
    }

    /// Whether to continue a cached prefix in its own slot instead of copying it, so that it is gone afterwards.
    fn takes_over(&self, len: usize, whole: usize) -> bool {
        if self.cache.not_taken() == 1 {
            return true;
        }
        if self.abilities.partial { whole - len < self.bounds.min_prefix.max(1) } else { !self.cache.has_empty() }
    }

    /// The best beginning of what a sequence knows, the last token aside, that is worth using.
    pub(super) fn find(&self, adapters: AdapterKey, known: &[Token]) -> Option<Found> {
        let tokens = &known[..known.len() - 1];
        self.cache.find(adapters, tokens).filter(|found| found.len >= self.bounds.min_prefix.max(1))
    }

    /// A running sequence that is going to compute a longer beginning of this prompt than there is now.
    fn leader(&mut self, ask: &Ask, now: usize) -> Option<SeqKey> {
        if !self.bounds.prefix_reuse {
            return None;
        }
        let worth = now + self.bounds.min_prefix.max(1);
        let most = ask.prompt.len() - 1;
        let candidates = self.running.values().filter(|other| {
            other.follows.is_none() && other.work.adapters == ask.adapters && other.work.priority >= ask.priority
        });
        let shared = candidates.filter_map(|other| {
            // Its last token is computed only when its reader has room, which is not worth waiting for.
            let most = most.min(other.work.prompt - 1);
            let same = common(&other.work.known[..most], &ask.prompt[..most]);
            (same >= worth && other.computed < same).then_some((same, other.work.key))
        });
        let (same, leader) = shared.max_by_key(|(same, key)| (*same, std::cmp::Reverse(*key)))?;
        if !self.abilities.partial {
            // Only all that it has can be copied, so it has to stop there for a moment.
            self.running.get_mut(&leader)?.stops.insert(same);
        }
        Some(leader)
    }

    /// Lets choices go on whose prompt is computed, or whose leader is gone; a new one leads then.
    pub(super) fn release_followers(&mut self) {
        let following: Vec<SeqKey> =
            self.running.values().filter(|s| s.follows.is_some()).map(|s| s.work.key).collect();
        for key in following {
            let Some(sequence) = self.running.get(&key) else { continue };
            let Some(leader) = sequence.follows else { continue };
            let prompt = sequence.work.prompt - 1;
            if self.running.get(&leader).is_some_and(|leader| leader.computed < prompt) {
                continue;
            }
            let (slot, found) =
                (sequence.slot, self.cache.find(sequence.work.adapters, &sequence.work.known[..prompt]));
            let copied = match found {
                Some(Found { source: Source::Slot(from), len, .. }) if from != slot => {
                    self.cache.copy(from, slot, len);
                    len
                }
                _ => 0,
            };
            self.counts.prompt_reused += copied as u64;
            let Some(sequence) = self.running.get_mut(&key) else { continue };
            (sequence.follows, sequence.computed, sequence.work.reused) = (None, copied, copied);
            if copied < prompt {
                self.follow_instead(leader, key);
            }
        }
    }

    /// The other choices wait for `new` instead of `old`.
    fn follow_instead(&mut self, old: SeqKey, new: SeqKey) {
        for sequence in self.running.values_mut().filter(|sequence| sequence.follows == Some(old)) {
            sequence.follows = Some(new);
        }
    }

    /// Has parked sequences come back, the first in rank first, as long as there is room.
    pub(super) fn resume(&mut self, now: Instant, has_room: &dyn Fn(SeqKey) -> bool) {
        for (key, parked) in &mut self.parked {
            parked.blocked = !has_room(*key);
        }
        let aging = self.bounds.aging;
        let waiting = self.parked.values().filter(|parked| !parked.blocked);
        // What a wait made of it stays, or it would have to give way again at once.
        let mut waiting: Vec<Work> =
            waiting.map(|parked| Work { shield: parked.priority(now, aging), ..parked.work.clone() }).collect();
        waiting.sort_by_key(|work| (std::cmp::Reverse(work.shield), work.key));
        for work in waiting {
            let key = work.key;
            let found = self.find(work.adapters, &work.known);
            if self.start(work, found, 1, now).is_err() {
                return;
            }
            self.parked.remove(&key);
        }
    }
}

/// Most tokens a sequence of this request may know.
fn limit(abilities: &Abilities, ask: &Ask) -> usize {
    let most = abilities.sequence_limit.min(abilities.cells.unwrap_or(usize::MAX));
    match ask.max_tokens {
        Some(tokens) => ask.prompt.len().saturating_add(tokens.max(1)).min(abilities.sequence_limit),
        None => most,
    }
}

/// Tokens to reserve for each choice at first.
fn reserve(abilities: &Abilities, bounds: &Bounds, ask: &Ask) -> usize {
    let limit = limit(abilities, ask);
    match ask.max_tokens {
        Some(_) => limit,
        None => limit.min(ask.prompt.len().saturating_add(bounds.elastic_block.max(1))),
    }
}

fn fits_embeds(abilities: &Abilities, ask: &Ask) -> Result<(), NeverFits> {
    let limit = abilities.embed_limit;
    if limit == 0 {
        return Err(NeverFits::NotAble);
    }
    for (input, tokens) in ask.embeds.iter().map(|tokens| tokens.len()).enumerate() {
        if tokens == 0 {
            return Err(NeverFits::Empty);
        }
        if tokens > limit {
            return Err(NeverFits::InputTooLong { input, tokens, limit });
        }
    }
    Ok(())
}
