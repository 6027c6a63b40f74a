//! The bounded queue of requests that wait to be admitted.
//!
//! It knows who is urgent, who came first, and who has to go when there is no room. It knows
//! nothing of budgets, slots or prompts: the scheduler looks at the entries in order, takes those it has room for, and may
//! pass over one for now. Submitters, cancellers and the engine share one queue behind a mutex, so no operation does more
//! than a few look-ups in balanced trees; there is no table that must be moved to a larger place while the lock is held.
//!
//! # Order
//!
//! The more urgent entry comes first, and of two that are equally urgent the one that was submitted first. With *aging*
//! on, an entry counts one level more urgent for each full aging time that it has waited, without an upper end. Therefore
//! an entry is never passed by one that came later by as many aging times as it is levels more urgent, and none starves;
//! yet in a queue where everybody waits long, urgent entries keep their lead.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::iter;
use std::time::{Duration, Instant};

use crate::ids::RequestId;
use crate::priority::Priority;

/// A request that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry<T> {
    /// Names the entry in the queue.
    pub(crate) id: RequestId,
    /// How urgent it was said to be.
    pub(crate) priority: Priority,
    /// Since when it waits. Who is put back into the queue keeps the first time, and with it the place.
    pub(crate) submitted: Instant,
    /// How many tokens the prompt has.
    pub(crate) tokens: usize,
    /// What waits.
    pub(crate) item: T,
}

/// There was no room: the entry comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Full<T>(pub(crate) Entry<T>);

/// Requests that wait, at most so many, each found by order and by id. Deadlines are the timer's.
#[derive(Debug)]
pub(crate) struct WaitQueue<T> {
    /// By [`Priority::level`]. Within one class the order never changes: whoever came first also has the greater age.
    classes: [Class<T>; Priority::COUNT],
    places: BTreeMap<RequestId, (Priority, Instant)>,
    capacity: usize,
    aging: Duration,
}

#[derive(Debug)]
struct Class<T> {
    waiting: BTreeMap<(Instant, RequestId), Entry<T>>,
    tokens: usize,
}

impl<T> WaitQueue<T> {
    /// An empty queue for at most `capacity` entries. An `aging` of zero turns aging off.
    pub(crate) fn new(capacity: usize, aging: Duration) -> Self {
        let classes = std::array::from_fn(|_| Class { waiting: BTreeMap::new(), tokens: 0 });
        Self { classes, places: BTreeMap::new(), capacity, aging }
    }

    /// Adds an entry at the place that its priority and its time give it.
    ///
    /// # Errors
    ///
    /// [`Full`] if there is no room, or if the id waits already, which one counter for all ids rules out.
    pub(crate) fn push(&mut self, entry: Entry<T>) -> Result<(), Full<T>> {
        if self.len() >= self.capacity || self.places.contains_key(&entry.id) {
            return Err(Full(entry));
        }
        self.add(entry);
        Ok(())
    }

    /// Adds an entry; in a full queue, one that is less urgent gives way and is returned.
    ///
    /// That is the youngest of the lowest priority: it has waited least. Here age does not make an entry more urgent.
    ///
    /// # Errors
    ///
    /// [`Full`] as [`push`](Self::push), if nobody who waits has a strictly lower priority.
    pub(crate) fn push_shedding(&mut self, entry: Entry<T>) -> Result<Option<Entry<T>>, Full<T>> {
        if self.len() < self.capacity || self.places.contains_key(&entry.id) {
            return self.push(entry).map(|()| None);
        }
        let Some(youngest) = self.youngest_below(entry.priority) else { return Err(Full(entry)) };
        let shed = self.remove(youngest);
        self.add(entry);
        Ok(shed)
    }

    /// Takes an entry out, because it is admitted or because it is cancelled; `None` if it does not wait.
    pub(crate) fn remove(&mut self, id: RequestId) -> Option<Entry<T>> {
        let (priority, submitted) = self.places.remove(&id)?;
        let class = &mut self.classes[priority.level()];
        let entry = class.waiting.remove(&(submitted, id))?;
        class.tokens -= entry.tokens;
        Some(entry)
    }

    /// All entries, the one to be served first at the front.
    ///
    /// To stop early is cheap: each entry costs a comparison of the first of each priority.
    pub(crate) fn in_order(&self, now: Instant) -> impl Iterator<Item = &Entry<T>> {
        let mut classes = self.classes.each_ref().map(|class| class.waiting.values().peekable());
        iter::from_fn(move || {
            let first = (0..Priority::COUNT).max_by_key(|&level| classes[level].peek().map(|e| self.rank(e, now)))?;
            classes[first].next()
        })
    }

    /// Takes all entries out, in the order of [`in_order`](Self::in_order) without aging: the runtime stops.
    pub(crate) fn drain(&mut self) -> Vec<Entry<T>> {
        self.places.clear();
        let mut all = Vec::new();
        for class in self.classes.iter_mut().rev() {
            class.tokens = 0;
            all.extend(std::mem::take(&mut class.waiting).into_values());
        }
        all
    }

    /// How many entries wait.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// How many entries may wait.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many prompt tokens wait.
    pub(crate) fn tokens(&self) -> usize {
        self.classes.iter().map(|class| class.tokens).sum()
    }

    /// How many prompt tokens wait that a new entry of this priority would have to let pass, aging left aside.
    pub(crate) fn tokens_ahead_of(&self, priority: Priority) -> usize {
        self.classes[priority.level()..].iter().map(|class| class.tokens).sum()
    }

    fn add(&mut self, entry: Entry<T>) {
        let Entry { id, priority, submitted, .. } = entry;
        self.places.insert(id, (priority, submitted));
        let class = &mut self.classes[priority.level()];
        class.tokens += entry.tokens;
        class.waiting.insert((submitted, id), entry);
    }

    fn youngest_below(&self, priority: Priority) -> Option<RequestId> {
        let mut lower = self.classes[..priority.level()].iter();
        lower.find_map(|class| class.waiting.last_key_value()).map(|(&(_, id), _)| id)
    }

    /// What to compare entries by; the greatest is served first, and no two are equal.
    fn rank(&self, entry: &Entry<T>, now: Instant) -> impl Ord + use<T> {
        let waited = now.saturating_duration_since(entry.submitted);
        let gained = waited.as_nanos().checked_div(self.aging.as_nanos()).unwrap_or(0);
        (entry.priority.level() as u128 + gained, Reverse(entry.submitted), Reverse(entry.id))
    }
}

#[cfg(test)]
mod tests;
