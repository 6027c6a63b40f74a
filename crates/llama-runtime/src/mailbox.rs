//! The way of a request's events to whoever reads them: bounded, never blocking its sender, with exactly one end.
//!
//! The engine holds the [`Sender`], the caller the [`Receiver`]. Any number of [`Finisher`]s race for the terminal value:
//! the first one wins, and a sender that is dropped without one leaves `on_abandon()`, so a reader never waits for
//! nobody. Events that were sent before the end are read before it; what is sent after it is dropped.
//!
//! Nothing foreign is called while the lock is held, except the iterator given to [`Sender::push`] and the `clone` of a
//! waker. In particular the [`Listener`] may use the mailbox.
//!
//! Also compiled by `tests/model`, so this file names only [`sync`](crate::sync) of this crate. Its unit tests are in
//! `mailbox/tests.rs`.

use core::mem;
use core::task::{Context, Poll, Waker};
use std::collections::VecDeque;

use crate::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Who hears what the reader does: the engine, which is woken by it. Called on the reader's thread, so it must be quick,
/// and must not panic.
pub(crate) trait Listener: Send + Sync {
    /// The request was cancelled, or its receiver dropped, before its end. Called at most once per mailbox; the request
    /// may have ended by the time of the call.
    fn cancelled(&self);

    /// There is room again, or the mailbox is closed. Called once after [`Sender::push`] said [`Pushed::Full`] or
    /// [`Sender::has_room`] said no, however often they did.
    fn room(&self);
}

/// What a reader gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Item<T, F> {
    /// Something happened.
    Event(T),
    /// The request ended. Comes once, and nothing comes after it.
    Finished(F),
}

/// What became of events that were pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a sender that is told to stop has to stop"]
pub(crate) enum Pushed {
    /// They will be read, and there is room for more.
    Room,
    /// They will be read, but nothing more should be produced until [`Listener::room`] is called.
    Full,
    /// They were dropped: the request has ended, or its reader is gone. This does not change again.
    Closed,
}

/// Makes both ends of a mailbox with room for `capacity` unread events, at least one.
pub(crate) fn mailbox<T, F, L: Listener>(
    capacity: usize,
    on_abandon: fn() -> F,
    listener: Arc<L>,
) -> (Sender<T, F, L>, Receiver<T, F, L>) {
    let state =
        State { events: VecDeque::new(), end: End::Open, reader: Reader::Busy, cancelled: false, stalled: false };
    let capacity = capacity.max(1);
    let shared =
        Arc::new(Shared { state: Mutex::new(state), readable: Condvar::new(), capacity, on_abandon, listener });
    (Sender { finisher: Finisher { shared: Arc::clone(&shared) } }, Receiver { shared })
}

#[derive(Debug)]
struct Shared<T, F, L: Listener> {
    state: Mutex<State<T, F>>,
    /// For a reader that is [`Reader::Blocked`].
    readable: Condvar,
    capacity: usize,
    on_abandon: fn() -> F,
    listener: Arc<L>,
}

#[derive(Debug)]
struct State<T, F> {
    events: VecDeque<T>,
    end: End<F>,
    reader: Reader,
    /// A cancel came before the end.
    cancelled: bool,
    /// The sender was told that there is no room, and the listener not yet that there is some again.
    stalled: bool,
}

#[derive(Debug)]
enum End<F> {
    Open,
    /// A finisher has won and is making the value.
    Claimed,
    Ready(F),
    /// The value was read, or can be read by nobody.
    Spent,
}

#[derive(Debug)]
enum Reader {
    /// Does something else. It will look for itself.
    Busy,
    /// A thread waits.
    Blocked,
    /// A task waits.
    Pending(Waker),
    /// Dropped.
    Gone,
}

impl<T, F, L: Listener> Shared<T, F, L> {
    fn lock(&self) -> MutexGuard<'_, State<T, F>> {
        // Every critical section leaves the state whole, so a panic of another thread has not damaged it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the mailbox for all but the winner, who gets the right to set the value.
    fn claim(&self) -> Option<Claim<'_, T, F, L>> {
        let mut state = self.lock();
        if !state.is_open() {
            return None;
        }
        state.end = End::Claimed;
        Some(Claim { shared: self, settled: false })
    }

    fn settle(&self, value: F) {
        let mut state = self.lock();
        let gone = matches!(state.reader, Reader::Gone);
        // After the lock is released, `unread` is dropped: its destructor is the caller's code.
        let (end, unread) = if gone { (End::Spent, Some(value)) } else { (End::Ready(value), None) };
        state.end = end;
        let reader = state.rouse();
        let stalled = mem::take(&mut state.stalled);
        drop(state);
        self.wake(reader);
        self.tell(false, stalled);
        drop(unread);
    }

    fn cancel(&self) {
        let cancelled = self.lock().cancel();
        self.tell(cancelled, false);
    }

    fn wake(&self, reader: Reader) {
        match reader {
            Reader::Blocked => self.readable.notify_one(),
            Reader::Pending(waker) => waker.wake(),
            Reader::Busy | Reader::Gone => {}
        }
    }

    fn tell(&self, cancelled: bool, room: bool) {
        if cancelled {
            self.listener.cancelled();
        }
        if room {
            self.listener.room();
        }
    }
}

impl<T, F> State<T, F> {
    fn is_open(&self) -> bool {
        matches!(self.end, End::Open)
    }

    fn is_closed(&self) -> bool {
        !self.is_open() || matches!(self.reader, Reader::Gone)
    }

    /// Whether the sender may go on. If not, the listener is told when it may.
    fn has_room(&mut self, capacity: usize) -> bool {
        let room = self.is_closed() || self.events.len() < capacity;
        self.stalled |= !room;
        room
    }

    /// Whether the listener must be told that there is room.
    fn made_room(&mut self, capacity: usize) -> bool {
        let made = self.stalled && self.events.len() < capacity;
        self.stalled &= !made;
        made
    }

    /// Whether this is the cancel that must be told.
    fn cancel(&mut self) -> bool {
        let first = self.is_open() && !self.cancelled;
        self.cancelled |= first;
        first
    }

    /// Takes out the reader, if one waits, to be woken after the lock is released.
    fn rouse(&mut self) -> Reader {
        match self.reader {
            Reader::Gone => Reader::Gone,
            _ => mem::replace(&mut self.reader, Reader::Busy),
        }
    }

    fn next(&mut self) -> Poll<Option<Item<T, F>>> {
        if let Some(event) = self.events.pop_front() {
            return Poll::Ready(Some(Item::Event(event)));
        }
        match mem::replace(&mut self.end, End::Spent) {
            End::Ready(value) => Poll::Ready(Some(Item::Finished(value))),
            End::Spent => Poll::Ready(None),
            open @ (End::Open | End::Claimed) => {
                self.end = open;
                Poll::Pending
            }
        }
    }
}

/// The right to set the terminal value. Dropped without one (the closure that makes it panicked, or nobody wanted to
/// make one), it sets `on_abandon()`.
struct Claim<'s, T, F, L: Listener> {
    shared: &'s Shared<T, F, L>,
    settled: bool,
}

impl<T, F, L: Listener> Claim<'_, T, F, L> {
    fn settle(mut self, value: F) {
        self.settled = true;
        self.shared.settle(value);
    }
}

impl<T, F, L: Listener> Drop for Claim<'_, T, F, L> {
    fn drop(&mut self) {
        if !self.settled {
            self.shared.settle((self.shared.on_abandon)());
        }
    }
}

/// The engine's end. Dropped before any [`Finisher`] ended the request, it leaves the reader `on_abandon()`.
#[derive(Debug)]
pub(crate) struct Sender<T, F, L: Listener> {
    finisher: Finisher<T, F, L>,
}

impl<T, F, L: Listener> Sender<T, F, L> {
    /// Hands out all events of one token. Never blocks.
    ///
    /// Takes them even if there is no room, so that a token is delivered whole: who produces only while
    /// [`Sender::has_room`] leaves at most `capacity - 1` plus the events of one token unread. The iterator must not use
    /// this mailbox.
    pub(crate) fn push(&self, events: impl IntoIterator<Item = T>) -> Pushed {
        let shared = &self.finisher.shared;
        let mut state = shared.lock();
        if state.is_closed() {
            return Pushed::Closed;
        }
        let before = state.events.len();
        state.events.extend(events);
        let reader = if state.events.len() > before { state.rouse() } else { Reader::Busy };
        let pushed = if state.has_room(shared.capacity) { Pushed::Room } else { Pushed::Full };
        drop(state);
        shared.wake(reader);
        pushed
    }

    /// Whether to produce more. If not, [`Listener::room`] is called as soon as it is worth asking again.
    ///
    /// Also true if the mailbox is closed, which the next push tells.
    pub(crate) fn has_room(&self) -> bool {
        let shared = &self.finisher.shared;
        shared.lock().has_room(shared.capacity)
    }

    /// Whether a cancel came before the end.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.finisher.shared.lock().cancelled
    }

    /// Ends the request. Clones of it may go to whoever else may have to.
    pub(crate) fn finisher(&self) -> &Finisher<T, F, L> {
        &self.finisher
    }
}

impl<T, F, L: Listener> Drop for Sender<T, F, L> {
    fn drop(&mut self) {
        drop(self.finisher.shared.claim());
    }
}

/// Sets the terminal value, from any thread, if no other finisher did; and brings news while the sender is with somebody else.
#[derive(Debug)]
pub(crate) struct Finisher<T, F, L: Listener> {
    shared: Arc<Shared<T, F, L>>,
}

impl<T, F, L: Listener> Finisher<T, F, L> {
    /// Hands out news that a reader can do without: dropped if there is no room for it, or the request has ended. Never blocks.
    pub(crate) fn offer(&self, news: T) {
        let mut state = self.shared.lock();
        if state.is_closed() || state.events.len() >= self.shared.capacity {
            return;
        }
        state.events.push_back(news);
        let reader = state.rouse();
        drop(state);
        self.shared.wake(reader);
    }

    /// Ends the request with a value that is made only if it has not ended already; says whether it was.
    ///
    /// The mailbox is closed before `value` runs and may be used in it. If it panics, the reader gets `on_abandon()`.
    pub(crate) fn finish_with(&self, value: impl FnOnce() -> F) -> bool {
        let claim = self.shared.claim();
        let won = claim.is_some();
        if let Some(claim) = claim {
            claim.settle(value());
        }
        won
    }

    /// Whether the request has ended, be it that its end is still to be read.
    pub(crate) fn is_finished(&self) -> bool {
        !self.shared.lock().is_open()
    }
}

impl<T, F, L: Listener> Clone for Finisher<T, F, L> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

/// Asks for the end of the request, from any thread. Harmless after it.
#[derive(Debug)]
pub(crate) struct Canceller<T, F, L: Listener> {
    shared: Arc<Shared<T, F, L>>,
}

impl<T, F, L: Listener> Canceller<T, F, L> {
    /// Asks the engine to stop. What was sent before is still read, and so is the end. Does nothing after the end, or if
    /// it was called before.
    pub(crate) fn cancel(&self) {
        self.shared.cancel();
    }

    /// Whether a cancel came before the end.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.shared.lock().cancelled
    }

    /// Whether the request has ended, be it that its end is still to be read.
    pub(crate) fn is_finished(&self) -> bool {
        !self.shared.lock().is_open()
    }
}

impl<T, F, L: Listener> Clone for Canceller<T, F, L> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

/// The reader's end. Its ways of reading may be mixed. Dropping it cancels the request, and drops what was not read.
#[derive(Debug)]
pub(crate) struct Receiver<T, F, L: Listener> {
    shared: Arc<Shared<T, F, L>>,
}

impl<T, F, L: Listener> Receiver<T, F, L> {
    /// The next item, or `None` after [`Item::Finished`]; pending if there is nothing yet.
    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Item<T, F>>> {
        let mut state = self.shared.lock();
        let next = state.next();
        let mut stale = Reader::Busy;
        if next.is_pending() && !matches!(&state.reader, Reader::Pending(waker) if waker.will_wake(context.waker())) {
            stale = mem::replace(&mut state.reader, Reader::Pending(context.waker().clone()));
        }
        let room = state.made_room(self.shared.capacity);
        drop(state);
        self.shared.tell(false, room);
        // Not under the lock: the last waker of a task may drop the task, and that may hold anything.
        drop(stale);
        next
    }

    /// Waits for the next item on this thread. `None` after [`Item::Finished`].
    pub(crate) fn next_blocking(&mut self) -> Option<Item<T, F>> {
        let mut stale = Reader::Busy;
        let mut state = self.shared.lock();
        loop {
            if let Poll::Ready(next) = state.next() {
                let room = state.made_room(self.shared.capacity);
                drop(state);
                self.shared.tell(false, room);
                drop(stale);
                return next;
            }
            let before = mem::replace(&mut state.reader, Reader::Blocked);
            if matches!(before, Reader::Pending(_)) {
                stale = before;
            }
            state = self.shared.readable.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// What is there now: pending if there is nothing yet, `None` after [`Item::Finished`].
    #[cfg(test)]
    pub(crate) fn try_next(&mut self) -> Poll<Option<Item<T, F>>> {
        let mut state = self.shared.lock();
        let next = state.next();
        let room = state.made_room(self.shared.capacity);
        drop(state);
        self.shared.tell(false, room);
        next
    }

    /// Cancels this request from elsewhere.
    pub(crate) fn canceller(&self) -> Canceller<T, F, L> {
        Canceller { shared: Arc::clone(&self.shared) }
    }
}

impl<T, F, L: Listener> Drop for Receiver<T, F, L> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        let stale = mem::replace(&mut state.reader, Reader::Gone);
        let unread = mem::take(&mut state.events);
        let cancelled = state.cancel();
        let end = match state.end {
            End::Ready(_) => mem::replace(&mut state.end, End::Spent),
            _ => End::Spent,
        };
        let stalled = mem::take(&mut state.stalled);
        drop(state);
        self.shared.tell(cancelled, stalled);
        // The destructors of these are foreign code.
        drop((stale, unread, end));
    }
}
