//! The rules of the mailbox, one call after the other; races are in `tests/model`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use crate::mailbox::{Item, Listener, Pushed, Receiver, Sender, mailbox};

#[derive(Debug, PartialEq, Eq)]
enum End {
    Done,
    TooLate,
    Abandoned,
}

#[derive(Debug, Default)]
struct Heard {
    cancelled: AtomicUsize,
    room: AtomicUsize,
}

impl Listener for Heard {
    fn cancelled(&self) {
        self.cancelled.fetch_add(1, Ordering::SeqCst);
    }

    fn room(&self) {
        self.room.fetch_add(1, Ordering::SeqCst);
    }
}

impl Heard {
    fn cancels(&self) -> usize {
        self.cancelled.load(Ordering::SeqCst)
    }

    fn rooms(&self) -> usize {
        self.room.load(Ordering::SeqCst)
    }
}

type Ends<T> = (Sender<T, End, Heard>, Receiver<T, End, Heard>, Arc<Heard>);

fn ends<T>(capacity: usize) -> Ends<T> {
    let heard = Arc::new(Heard::default());
    let (sender, receiver) = mailbox(capacity, || End::Abandoned, Arc::clone(&heard));
    (sender, receiver, heard)
}

fn event<T>(event: T) -> Poll<Option<Item<T, End>>> {
    Poll::Ready(Some(Item::Event(event)))
}

fn finished<T>(end: End) -> Poll<Option<Item<T, End>>> {
    Poll::Ready(Some(Item::Finished(end)))
}

/// Counts how often it was woken.
#[derive(Debug, Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Woken {
    fn times(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

#[test]
fn events_come_in_order_then_the_end_once_then_nothing() {
    let (sender, mut receiver, _) = ends(8);
    assert_eq!(receiver.try_next(), Poll::Pending);
    assert_eq!(sender.push([1, 2]), Pushed::Room);
    assert_eq!(sender.push([3]), Pushed::Room);
    assert!(sender.finisher().finish_with(|| End::Done));
    assert_eq!(receiver.next_blocking(), Some(Item::Event(1)));
    assert_eq!(receiver.try_next(), event(2));
    let mut context = Context::from_waker(Waker::noop());
    assert_eq!(receiver.poll_next(&mut context), event(3));
    assert_eq!(receiver.next_blocking(), Some(Item::Finished(End::Done)));
    assert_eq!(receiver.next_blocking(), None);
    assert_eq!(receiver.try_next(), Poll::Ready(None));
    assert_eq!(receiver.poll_next(&mut context), Poll::Ready(None));
}

#[test]
fn the_first_end_wins_and_the_others_are_told_so() {
    let (sender, mut receiver, _) = ends::<u32>(1);
    let timer = sender.finisher().clone();
    assert!(!timer.is_finished());
    assert!(timer.finish_with(|| End::TooLate));
    assert!(!sender.finisher().finish_with(|| End::Done));
    assert!(!timer.finish_with(|| panic!("only the winner makes a value")));
    assert!(timer.is_finished());
    drop(sender);
    assert_eq!(receiver.try_next(), finished(End::TooLate));
    assert!(!timer.finish_with(|| End::Done), "also after it was read");
    assert_eq!(receiver.try_next(), Poll::Ready(None));
}

#[test]
fn news_is_told_where_there_is_room_and_stops_nobody_where_there_is_none() {
    let (sender, mut receiver, heard) = ends(1);
    sender.finisher().offer(1);
    sender.finisher().offer(2);
    assert_eq!(receiver.try_next(), event(1));
    assert_eq!(receiver.try_next(), Poll::Pending);
    assert_eq!(heard.rooms(), 0, "nobody waits for room");
    assert!(sender.finisher().finish_with(|| End::Done));
    sender.finisher().offer(3);
    assert_eq!(receiver.try_next(), finished(End::Done));
}

#[test]
fn a_push_after_the_end_is_dropped() {
    let (sender, mut receiver, _) = ends(4);
    assert_eq!(sender.push([1]), Pushed::Room);
    assert!(sender.finisher().finish_with(|| End::TooLate));
    assert_eq!(sender.push([2]), Pushed::Closed);
    assert!(sender.has_room(), "or nobody would come and see that it is closed");
    assert_eq!(receiver.try_next(), event(1));
    assert_eq!(receiver.try_next(), finished(End::TooLate));
}

#[test]
fn a_value_may_use_the_mailbox_while_it_is_made() {
    let (sender, mut receiver, _) = ends(4);
    let canceller = receiver.canceller();
    assert!(sender.finisher().finish_with(|| {
        canceller.cancel();
        assert!(canceller.is_finished());
        assert_eq!(sender.push([1]), Pushed::Closed);
        assert_eq!(receiver.try_next(), Poll::Pending);
        End::Done
    }));
    assert_eq!(receiver.try_next(), finished(End::Done));
}

#[test]
fn a_value_that_panics_leaves_what_an_abandoned_request_gets() {
    let (sender, mut receiver, _) = ends::<u32>(4);
    let finish = || sender.finisher().finish_with(|| panic!("as the test wants"));
    assert!(catch_unwind(AssertUnwindSafe(finish)).is_err());
    assert_eq!(receiver.next_blocking(), Some(Item::Finished(End::Abandoned)));
}

#[test]
fn a_sender_that_is_dropped_ends_the_stream_after_its_events() {
    let (sender, mut receiver, heard) = ends(4);
    let finisher = sender.finisher().clone();
    assert_eq!(sender.push([1]), Pushed::Room);
    drop(sender);
    assert!(!finisher.finish_with(|| End::Done));
    assert_eq!(receiver.next_blocking(), Some(Item::Event(1)));
    assert_eq!(receiver.next_blocking(), Some(Item::Finished(End::Abandoned)));
    drop(receiver);
    assert_eq!(heard.cancels(), 0);
}

#[test]
fn a_sender_that_is_dropped_by_a_panic_ends_the_stream_too() {
    let (sender, mut receiver, _) = ends::<u32>(1);
    let thread = thread::spawn(move || {
        let _sender = sender;
        panic!("as the test wants");
    });
    assert_eq!(receiver.next_blocking(), Some(Item::Finished(End::Abandoned)));
    assert!(thread.join().is_err());
}

#[test]
fn a_token_is_taken_whole_and_the_bound_is_capacity_less_one_plus_one_token() {
    let (sender, mut receiver, _) = ends(4);
    let mut sent = 0;
    while sender.has_room() {
        let _ = sender.push([sent, sent + 1, sent + 2]);
        sent += 3;
    }
    assert_eq!(sent, 4 - 1 + 3);
    for i in 0..sent {
        assert_eq!(receiver.try_next(), event(i));
    }
}

#[test]
fn room_is_told_once_for_each_time_it_was_missing() {
    let (sender, mut receiver, heard) = ends(2);
    assert_eq!(sender.push([1, 2, 3]), Pushed::Full);
    assert!(!sender.has_room());
    assert!(!sender.has_room());
    assert_eq!(receiver.try_next(), event(1));
    assert_eq!(heard.rooms(), 0, "two unread events are still the capacity");
    assert_eq!(receiver.next_blocking(), Some(Item::Event(2)));
    assert_eq!(heard.rooms(), 1);
    assert_eq!(receiver.try_next(), event(3));
    assert_eq!(receiver.try_next(), Poll::Pending);
    assert_eq!(heard.rooms(), 1, "told already");
    assert_eq!(sender.push([4]), Pushed::Room);
    assert_eq!(receiver.try_next(), event(4));
    assert_eq!(heard.rooms(), 1, "nobody was told to stop");
    assert_eq!(sender.push([5, 6]), Pushed::Full);
    let mut context = Context::from_waker(Waker::noop());
    assert_eq!(receiver.poll_next(&mut context), event(5));
    assert_eq!(heard.rooms(), 2);
    assert_eq!(sender.push([7]), Pushed::Full);
    assert_eq!(receiver.try_next(), event(6));
    assert_eq!(heard.rooms(), 3);
}

#[test]
fn a_sender_that_waits_for_room_is_told_of_the_end_and_of_a_reader_that_is_gone() {
    let (sender, _receiver, heard) = ends(1);
    assert_eq!(sender.push([1]), Pushed::Full);
    assert!(sender.finisher().clone().finish_with(|| End::TooLate));
    assert_eq!(heard.rooms(), 1);
    assert!(sender.has_room());

    let (sender, receiver, heard) = ends(1);
    assert_eq!(sender.push([1]), Pushed::Full);
    drop(receiver);
    assert_eq!((heard.rooms(), heard.cancels()), (1, 1));
    assert_eq!(sender.push([2]), Pushed::Closed);
    assert!(sender.has_room());
}

#[test]
fn a_mailbox_without_capacity_has_room_for_one() {
    let (sender, _receiver, _) = ends(0);
    assert!(sender.has_room());
    assert_eq!(sender.push([1]), Pushed::Full);
}

#[test]
fn a_cancel_is_told_once_and_loses_nothing() {
    let (sender, mut receiver, heard) = ends(4);
    let canceller = receiver.canceller();
    assert_eq!(sender.push([1]), Pushed::Room);
    canceller.cancel();
    canceller.clone().cancel();
    assert!(sender.is_cancelled() && canceller.is_cancelled() && !canceller.is_finished());
    assert_eq!(sender.push([2]), Pushed::Room, "what was computed before the engine looked");
    assert!(sender.finisher().finish_with(|| End::Done));
    assert_eq!(receiver.try_next(), event(1));
    assert_eq!(receiver.try_next(), event(2));
    assert_eq!(receiver.try_next(), finished(End::Done));
    drop(receiver);
    assert_eq!(heard.cancels(), 1);
}

#[test]
fn a_cancel_after_the_end_is_nothing() {
    let (sender, receiver, heard) = ends::<u32>(4);
    let canceller = receiver.canceller();
    assert!(sender.finisher().finish_with(|| End::Done));
    canceller.cancel();
    drop(receiver);
    assert_eq!(heard.cancels(), 0);
    assert!(canceller.is_finished() && !canceller.is_cancelled() && !sender.is_cancelled());
}

#[test]
fn a_receiver_that_is_dropped_cancels_and_frees_what_it_did_not_read() {
    let (sender, receiver, heard) = ends(4);
    let kept = Arc::new(());
    let _ = sender.push([Arc::clone(&kept), Arc::clone(&kept)]);
    drop(receiver);
    assert!(sender.is_cancelled());
    assert_eq!(heard.cancels(), 1);
    assert_eq!(sender.push([Arc::clone(&kept)]), Pushed::Closed);
    assert_eq!(Arc::strong_count(&kept), 1);
    assert!(sender.finisher().finish_with(|| End::Done), "the request still ends once");
    assert!(!sender.finisher().finish_with(|| End::Done));
}

#[test]
fn the_end_that_nobody_can_read_is_freed() {
    let kept = Arc::new(());
    let (sender, receiver) = mailbox::<u32, _, _>(1, || Arc::new(()), Arc::new(Heard::default()));
    assert!(sender.finisher().finish_with(|| Arc::clone(&kept)));
    drop(receiver);
    assert_eq!(Arc::strong_count(&kept), 1, "set before the receiver was dropped");

    let (sender, receiver) = mailbox::<u32, _, _>(1, || Arc::new(()), Arc::new(Heard::default()));
    drop(receiver);
    assert!(sender.finisher().finish_with(|| Arc::clone(&kept)));
    assert_eq!(Arc::strong_count(&kept), 1, "set after it");
}

#[test]
fn one_waker_is_kept_that_of_the_task_that_polled_last() {
    let (sender, mut receiver, _) = ends(4);
    let (first, second) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
    let waker = Waker::from(Arc::clone(&first));
    assert_eq!(receiver.poll_next(&mut Context::from_waker(&waker)), Poll::Pending);
    assert_eq!(Arc::strong_count(&first), 3);
    assert_eq!(receiver.poll_next(&mut Context::from_waker(&waker)), Poll::Pending);
    assert_eq!(Arc::strong_count(&first), 3);
    let other = Waker::from(Arc::clone(&second));
    assert_eq!(receiver.poll_next(&mut Context::from_waker(&other)), Poll::Pending);
    assert_eq!(Arc::strong_count(&first), 2, "the mailbox let go of it");
    let _ = sender.push([1]);
    assert_eq!((first.times(), second.times()), (0, 1));
    let _ = sender.push([2]);
    assert_eq!(second.times(), 1, "it was woken and has not waited since");
}

#[test]
fn a_task_is_woken_by_the_end_but_not_by_a_token_without_events() {
    let (sender, mut receiver, _) = ends::<u32>(4);
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut context = Context::from_waker(&waker);
    assert_eq!(receiver.poll_next(&mut context), Poll::Pending);
    assert_eq!(sender.push([]), Pushed::Room);
    assert_eq!(woken.times(), 0);
    drop(sender);
    assert_eq!(woken.times(), 1);
    assert_eq!(receiver.poll_next(&mut context), finished(End::Abandoned));
}

/// Uses the mailbox from where a careless one would deadlock.
struct Meddler(Option<Box<dyn Fn() + Send + Sync>>);

impl Wake for Meddler {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Meddler {
    fn drop(&mut self) {
        if let Some(meddle) = self.0.take() {
            meddle();
        }
    }
}

#[test]
fn a_waker_may_use_the_mailbox_when_it_is_dropped() {
    let (sender, mut receiver, heard) = ends(4);
    let canceller = receiver.canceller();
    let waker = Waker::from(Arc::new(Meddler(Some(Box::new(move || canceller.cancel())))));
    assert_eq!(receiver.poll_next(&mut Context::from_waker(&waker)), Poll::Pending);
    drop(waker);
    assert_eq!(receiver.poll_next(&mut Context::from_waker(Waker::noop())), Poll::Pending);
    assert_eq!(heard.cancels(), 1);
    let _ = sender.push([1]);
    assert_eq!(receiver.try_next(), event(1));
}

#[test]
fn an_event_may_use_the_mailbox_when_it_is_dropped() {
    let (sender, receiver, _) = ends(4);
    let meddler = || {
        let canceller = receiver.canceller();
        Meddler(Some(Box::new(move || canceller.cancel())))
    };
    let _ = sender.push([meddler()]);
    let late = meddler();
    drop(receiver);
    assert_eq!(sender.push([late]), Pushed::Closed);
}

#[test]
fn a_listener_may_use_the_mailbox() {
    struct Asks(std::sync::Mutex<Option<crate::mailbox::Canceller<u32, End, Self>>>);
    impl Listener for Asks {
        fn cancelled(&self) {
            assert!(self.0.lock().unwrap().as_ref().unwrap().is_cancelled());
        }
        fn room(&self) {
            assert!(!self.0.lock().unwrap().as_ref().unwrap().is_finished());
        }
    }
    let asks = Arc::new(Asks(std::sync::Mutex::default()));
    let (sender, mut receiver) = mailbox(1, || End::Abandoned, Arc::clone(&asks));
    *asks.0.lock().unwrap() = Some(receiver.canceller());
    let _ = sender.push([1]);
    assert_eq!(receiver.try_next(), event(1));
    receiver.canceller().cancel();
    // The listener and the mailbox hold each other; nothing here may outlive the test.
    *asks.0.lock().unwrap() = None;
}
