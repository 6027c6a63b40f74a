//! Who gives way, and how.
//!
//! A parked sequence keeps the tokens it knows. What it computed becomes a cached prefix like any other: it stays in its slot
//! until that is needed, and is saved to host memory then if it fits. To come back it finds itself as a prefix.

use std::cmp::Reverse;
use std::time::Instant;

use super::{Scheduler, Why};
use crate::plan::SeqKey;
use crate::priority::Priority;
use crate::sequence::{Parked, Sequence};

/// What a candidate would cost now, in cells.
type Need<'a> = dyn Fn(&Scheduler) -> usize + 'a;

impl Scheduler {
    /// Sees to it that `slots` more sequences and their cells have room. Parks others if that helps, and nobody if not.
    pub(super) fn make_way(
        &mut self,
        priority: Priority,
        slots: usize,
        now: Instant,
        need: &Need<'_>,
    ) -> Result<(), Why> {
        let mut victims = self.victims(priority, now).into_iter();
        let (mut chosen, mut result): (Vec<SeqKey>, _) = (Vec::new(), self.has_way(slots, 0, 0, need));
        let mut outstanding = 0;
        while result.is_err() {
            let Some(victim) = victims.next() else { break };
            let Some(sequence) = self.running.get(&victim) else { continue };
            outstanding += sequence.outstanding();
            self.cache.hold(sequence.slot, false);
            chosen.push(victim);
            result = self.has_way(slots, chosen.len(), outstanding, need);
        }
        for victim in chosen {
            match self.running.get(&victim) {
                Some(sequence) if result.is_err() => self.cache.hold(sequence.slot, true),
                _ => self.park(victim, now),
            }
        }
        result
    }

    /// Whether there is room, with `fewer` sequences whose promises are `returned`.
    fn has_way(&self, slots: usize, fewer: usize, returned: usize, need: &Need<'_>) -> Result<(), Why> {
        if self.running.len() - fewer + slots > self.crowd {
            return Err(Why::Slots);
        }
        match self.abilities.cells {
            Some(total) if self.promised() - returned + need(self) > total => Err(Why::Cells),
            _ => Ok(()),
        }
    }

    /// Who may be parked for somebody of this priority, in order: whose reader has left no room for too long, then the lowest
    /// priority, then the youngest.
    fn victims(&self, priority: Priority, now: Instant) -> Vec<SeqKey> {
        let may = |sequence: &&Sequence| sequence.work.shield < priority || self.is_stale(sequence, now);
        let mut victims: Vec<&Sequence> = self.running.values().filter(may).collect();
        victims.sort_by_key(|sequence| (!self.is_stale(sequence, now), Reverse(sequence.work.rank())));
        victims.into_iter().map(|sequence| sequence.work.key).collect()
    }

    pub(super) fn park(&mut self, seq: SeqKey, now: Instant) {
        let Some(sequence) = self.running.remove(&seq) else { return };
        let blocked = self.is_stale(&sequence, now);
        self.cache.release(sequence.slot, true);
        self.parked.insert(seq, Parked { work: sequence.work, since: now, blocked });
        self.counts.parkings += 1;
    }

    /// Parks sequences as long as more is promised than there is: after something that was shared was lost.
    pub(super) fn keep_promises(&mut self, now: Instant) {
        let Some(total) = self.abilities.cells else { return };
        while self.promised() > total
            && let Some(victim) = self.last_but_first(|_| true)
        {
            self.park(victim, now);
        }
    }

    /// Promises `seq` room for one more token at least. If there is none, somebody of unknown length or of lower priority is
    /// parked, or it has to wait. Returns whether it may go on.
    pub(super) fn extend(&mut self, seq: SeqKey, now: Instant) -> bool {
        loop {
            let Some(sequence) = self.running.get(&seq) else { return false };
            if sequence.computed < sequence.reserved {
                return true;
            }
            let most = sequence.work.limit - sequence.reserved.min(sequence.work.limit);
            let block = self.bounds.elastic_block.max(1).min(most);
            let free = self.abilities.cells.map_or(usize::MAX, |total| total.saturating_sub(self.promised()));
            if block == 0 {
                return false;
            }
            if free > 0 {
                let Some(sequence) = self.running.get_mut(&seq) else { return false };
                sequence.reserved += block.min(free);
                return true;
            }
            let priority = sequence.work.priority;
            let gives_way = |other: &Sequence| other.work.elastic || other.work.shield < priority;
            let stale = self.running.values().find(|other| other.work.key != seq && self.is_stale(other, now));
            let stale = stale.map(|other| other.work.key);
            let Some(victim) = stale.or_else(|| self.last_but_first(gives_way)) else { return false };
            self.park(victim, now);
        }
    }

    /// The last in rank of those who may give way; never the first of all, so that somebody always advances.
    pub(super) fn last_but_first(&self, may: impl Fn(&Sequence) -> bool) -> Option<SeqKey> {
        let first = self.running.values().min_by_key(|sequence| sequence.work.rank())?.work.key;
        let others = self.running.values().filter(|sequence| sequence.work.key != first && may(sequence));
        others.max_by_key(|sequence| sequence.work.rank()).map(|sequence| sequence.work.key)
    }

    /// Whether its reader has left no room for so long that others go first.
    pub(super) fn is_stale(&self, sequence: &Sequence, now: Instant) -> bool {
        sequence.blocked.is_some_and(|since| now.saturating_duration_since(since) >= self.bounds.park_after)
    }
}
