use std::cmp::Reverse;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{Entry, Full, WaitQueue};
use crate::ids::RequestId;
use crate::priority::Priority::{self, Background, Interactive, Normal};

/// A clock that stands still: `at(5)` is 5 seconds after it was made.
#[derive(Clone, Copy)]
struct Clock(Instant);

impl Clock {
    fn new() -> Self {
        Self(Instant::now())
    }

    fn at(self, seconds: u64) -> Instant {
        self.0 + Duration::from_secs(seconds)
    }

    /// An entry of 10 tokens, submitted after so many seconds.
    fn entry(self, id: u64, priority: Priority, seconds: u64) -> Entry<&'static str> {
        let submitted = self.at(seconds);
        Entry { id: RequestId(id), priority, submitted, tokens: 10, item: "item" }
    }
}

fn order<T>(queue: &WaitQueue<T>, now: Instant) -> Vec<u64> {
    queue.in_order(now).map(|entry| entry.id.0).collect()
}

fn ids<T>(entries: impl IntoIterator<Item = Entry<T>>) -> Vec<u64> {
    entries.into_iter().map(|entry| entry.id.0).collect()
}

#[test]
fn urgent_entries_come_first_and_equally_urgent_ones_by_time() {
    let clock = Clock::new();
    let mut queue = WaitQueue::new(8, Duration::ZERO);
    for (id, priority, seconds) in
        [(1, Normal, 3), (2, Background, 0), (3, Interactive, 9), (4, Normal, 1), (5, Interactive, 5)]
    {
        queue.push(clock.entry(id, priority, seconds)).unwrap();
    }
    assert_eq!(order(&queue, clock.at(1_000_000)), [5, 3, 4, 1, 2]);
}

#[test]
fn of_entries_submitted_at_the_same_instant_the_smaller_id_comes_first() {
    let clock = Clock::new();
    let mut queue = WaitQueue::new(8, Duration::ZERO);
    for id in [7, 3, 5] {
        queue.push(clock.entry(id, Normal, 1)).unwrap();
    }
    assert_eq!(order(&queue, clock.at(1)), [3, 5, 7]);
}

#[test]
fn whoever_has_waited_the_aging_time_counts_one_level_more_urgent() {
    let clock = Clock::new();
    let mut queue = WaitQueue::new(8, Duration::from_secs(10));
    queue.push(clock.entry(1, Background, 0)).unwrap();
    queue.push(clock.entry(2, Normal, 9)).unwrap();
    queue.push(clock.entry(3, Interactive, 9)).unwrap();
    assert_eq!(order(&queue, clock.at(9)), [3, 2, 1]);
    assert_eq!(order(&queue, clock.at(10)), [3, 1, 2], "as urgent as the second, and older");
    assert_eq!(order(&queue, clock.at(18)), [3, 1, 2]);
    assert_eq!(order(&queue, clock.at(19)), [3, 2, 1], "the others have gained a level too");
    assert_eq!(order(&queue, clock.at(20)), [3, 1, 2]);
    queue.push(clock.entry(4, Interactive, 20)).unwrap();
    assert_eq!(order(&queue, clock.at(20)), [3, 1, 2, 4], "even Interactive, if it comes late enough, lets it pass");
}

#[test]
fn a_steady_stream_of_urgent_entries_does_not_starve_the_others() {
    let clock = Clock::new();
    let mut queue = WaitQueue::new(64, Duration::from_secs(10));
    queue.push(clock.entry(0, Background, 0)).unwrap();
    let mut passed_by = Vec::new();
    for second in 1..100 {
        // Two come for each one that is served.
        queue.push(clock.entry(second * 2, Interactive, second)).unwrap();
        queue.push(clock.entry(second * 2 + 1, Interactive, second)).unwrap();
        let first = queue.in_order(clock.at(second)).next().unwrap().id;
        passed_by.extend(queue.remove(first));
        if first == RequestId(0) {
            break;
        }
    }
    let patient = passed_by.pop().unwrap();
    assert_eq!(patient.priority, Background);
    // It is 2 levels less urgent, at 10 seconds each.
    assert!(passed_by.iter().all(|entry| entry.submitted < clock.at(20)), "{passed_by:?}");
}

#[test]
fn a_full_queue_gives_the_entry_back() {
    let clock = Clock::new();
    let mut queue = WaitQueue::new(2, Duration::ZERO);
    queue.push(clock.entry(1, Background, 0)).unwrap();
    queue.push(clock.entry(2, Background, 0)).unwrap();
    let third = clock.entry(3, Interactive, 0);
    assert_eq!(queue.push(third.clone()), Err(Full(third)));
    assert_eq!(order(&queue, clock.at(0)), [1, 2]);
    assert_eq!((queue.len(), queue.capacity()), (2, 2));
}

#[test]
fn shedding_takes_the_youngest_of_the_lowest_priority() {
    let clock = Clock::new();
    let mut queue = WaitQueue::new(3, Duration::from_secs(1));
    queue.push(clock.entry(1, Background, 0)).unwrap();
    queue.push(clock.entry(2, Background, 5)).unwrap();
    queue.push(clock.entry(3, Normal, 6)).unwrap();
    let shed = |queue: &mut WaitQueue<_>, id, priority| queue.push_shedding(clock.entry(id, priority, 9));
    assert_eq!(shed(&mut queue, 4, Background), Err(Full(clock.entry(4, Background, 9))));
    assert_eq!(ids(shed(&mut queue, 5, Normal).unwrap()), [2]);
    assert_eq!(ids(shed(&mut queue, 6, Interactive).unwrap()), [1]);
    assert_eq!(shed(&mut queue, 7, Normal), Err(Full(clock.entry(7, Normal, 9))));
    assert_eq!(ids(shed(&mut queue, 8, Interactive).unwrap()), [5]);
    assert_eq!(ids(shed(&mut queue, 9, Interactive).unwrap()), [3]);
    assert_eq!(shed(&mut queue, 10, Interactive), Err(Full(clock.entry(10, Interactive, 9))));
    assert_eq!((queue.len(), queue.tokens()), (3, 30));
}

#[test]
fn nothing_is_shed_while_there_is_room_and_a_queue_without_places_takes_nothing() {
    let clock = Clock::new();
    let mut queue = WaitQueue::new(2, Duration::ZERO);
    queue.push(clock.entry(1, Background, 0)).unwrap();
    assert_eq!(queue.push_shedding(clock.entry(2, Interactive, 0)), Ok(None));
    let mut none = WaitQueue::new(0, Duration::ZERO);
    assert!(none.push(clock.entry(1, Interactive, 0)).is_err());
    assert!(none.push_shedding(clock.entry(1, Interactive, 0)).is_err());
}

#[test]
fn an_id_that_waits_already_is_not_taken_twice() {
    let clock = Clock::new();
    let mut queue = WaitQueue::new(1, Duration::ZERO);
    queue.push(clock.entry(1, Background, 0)).unwrap();
    assert!(queue.push(clock.entry(1, Normal, 0)).is_err());
    assert!(queue.push_shedding(clock.entry(1, Normal, 0)).is_err());
    assert_eq!(queue.in_order(clock.at(0)).map(|entry| entry.priority).collect::<Vec<_>>(), [Background]);
}

#[test]
fn a_removed_entry_is_gone_at_once_with_its_tokens() {
    let clock = Clock::new();
    let mut queue = WaitQueue::new(4, Duration::ZERO);
    queue.push(clock.entry(1, Normal, 0)).unwrap();
    queue.push(clock.entry(2, Normal, 0)).unwrap();
    assert_eq!(ids(queue.remove(RequestId(1))), [1]);
    assert_eq!(queue.remove(RequestId(1)), None);
    assert_eq!((order(&queue, clock.at(0)), queue.tokens()), (vec![2], 10));
}

#[test]
fn tokens_ahead_are_those_of_the_same_and_of_higher_priorities() {
    let clock = Clock::new();
    let mut queue = WaitQueue::new(8, Duration::ZERO);
    for (id, priority, tokens) in [(1, Background, 1), (2, Normal, 20), (3, Interactive, 300), (4, Normal, 4000)] {
        queue.push(Entry { tokens, ..clock.entry(id, priority, 0) }).unwrap();
    }
    assert_eq!(queue.tokens(), 4321);
    assert_eq!([Background, Normal, Interactive].map(|p| queue.tokens_ahead_of(p)), [4321, 4320, 300]);
}

#[test]
fn drain_returns_everybody_once_and_leaves_an_empty_queue() {
    let clock = Clock::new();
    let mut queue = WaitQueue::new(8, Duration::ZERO);
    for (id, priority) in [(1, Background), (2, Normal), (3, Interactive), (4, Normal)] {
        queue.push(clock.entry(id, priority, id)).unwrap();
    }
    assert_eq!(ids(queue.drain()), [3, 2, 4, 1]);
    assert_eq!((queue.len(), queue.tokens(), order(&queue, clock.at(9))), (0, 0, vec![]));
    queue.push(clock.entry(1, Normal, 0)).unwrap();
}

#[derive(Debug, Clone)]
enum Step {
    Push { id: u64, priority: Priority, submitted: u64, tokens: usize, shed: bool },
    Remove(u64),
    Look(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let priority = prop_oneof![Just(Background), Just(Normal), Just(Interactive)];
    let push = (0..30u64, priority, 0..60u64, 0..1000usize, any::<bool>())
        .prop_map(|(id, priority, submitted, tokens, shed)| Step::Push { id, priority, submitted, tokens, shed });
    let step = prop_oneof![
        6 => push,
        2 => (0..30u64).prop_map(Step::Remove),
        2 => (0..100u64).prop_map(Step::Look),
    ];
    proptest::collection::vec(step, 0..60)
}

/// What the module promises, in a plain list.
struct Naive {
    entries: Vec<Entry<()>>,
    capacity: usize,
    aging: u64,
    clock: Clock,
}

impl Naive {
    fn push(&mut self, entry: Entry<()>, shed: bool) -> Result<Option<Entry<()>>, Full<()>> {
        if self.entries.iter().any(|e| e.id == entry.id) {
            return Err(Full(entry));
        }
        let mut victim = None;
        if self.entries.len() >= self.capacity {
            let last = (0..self.entries.len()).min_by_key(|&i| {
                let e = &self.entries[i];
                (e.priority, Reverse((e.submitted, e.id)))
            });
            match last {
                Some(i) if shed && self.entries[i].priority < entry.priority => victim = Some(self.entries.remove(i)),
                _ => return Err(Full(entry)),
            }
        }
        self.entries.push(entry);
        Ok(victim)
    }

    fn remove(&mut self, id: RequestId) -> Option<Entry<()>> {
        let index = self.entries.iter().position(|e| e.id == id)?;
        Some(self.entries.remove(index))
    }

    fn order(&self, second: u64) -> Vec<u64> {
        let mut sorted: Vec<_> = self.entries.iter().collect();
        sorted.sort_by_key(|e| {
            let waited = second.saturating_sub((e.submitted - self.clock.0).as_secs());
            let level = e.priority as u64 + waited.checked_div(self.aging).unwrap_or(0);
            (Reverse(level), e.submitted, e.id)
        });
        sorted.iter().map(|e| e.id.0).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_queue_does_what_a_plain_list_does(steps in steps(), capacity in 0..12usize, aging in 0..40u64) {
        let clock = Clock::new();
        let mut queue = WaitQueue::new(capacity, Duration::from_secs(aging));
        let mut naive = Naive { entries: Vec::new(), capacity, aging, clock };
        for step in steps {
            match step {
                Step::Push { id, priority, submitted, tokens, shed } => {
                    let entry =
                        Entry { id: RequestId(id), priority, submitted: clock.at(submitted), tokens, item: () };
                    let result =
                        if shed { queue.push_shedding(entry.clone()) } else { queue.push(entry.clone()).map(|()| None) };
                    prop_assert_eq!(result, naive.push(entry, shed));
                }
                Step::Remove(id) => prop_assert_eq!(queue.remove(RequestId(id)), naive.remove(RequestId(id))),
                Step::Look(now) => prop_assert_eq!(order(&queue, clock.at(now)), naive.order(now)),
            }
            let ahead = |priority| naive.entries.iter().filter(|e| e.priority >= priority).map(|e| e.tokens).sum::<usize>();
            for priority in [Background, Normal, Interactive] {
                prop_assert_eq!(queue.tokens_ahead_of(priority), ahead(priority));
            }
            prop_assert_eq!(queue.tokens(), ahead(Background));
            prop_assert_eq!(queue.len(), naive.entries.len());
        }
    }
}
