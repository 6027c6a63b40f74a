//! A reader that waits is woken, whichever way it waits.

use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

use shuttle::{future, thread};

use crate::check;
use crate::mailbox::Item;
use crate::request::{End, TestReceiver, TestSender, read_all, request};

/// Three tokens and an end.
fn answer(sender: TestSender) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        for token in 0..3 {
            let _ = sender.push([token]);
        }
        assert!(sender.finisher().finish_with(|| End::Engine));
    })
}

fn next_async(receiver: &mut TestReceiver) -> Option<Item<u32, End>> {
    future::block_on(poll_fn(|context| receiver.poll_next(context)))
}

#[test]
fn a_thread_that_waits_is_woken() {
    check(|| {
        let (sender, mut receiver, _) = request(8);
        let engine = answer(sender);
        assert_eq!(read_all(|| receiver.next_blocking()), (vec![0, 1, 2], End::Engine));
        engine.join().unwrap();
    });
}

#[test]
fn a_task_that_waits_is_woken() {
    check(|| {
        let (sender, mut receiver, _) = request(8);
        let engine = answer(sender);
        assert_eq!(read_all(|| next_async(&mut receiver)), (vec![0, 1, 2], End::Engine));
        engine.join().unwrap();
    });
}

#[test]
fn ways_of_reading_may_alternate() {
    check(|| {
        let (sender, mut receiver, _) = request(8);
        let engine = answer(sender);
        let mut turn = 0;
        let read = read_all(|| {
            turn += 1;
            // A poll that nobody follows up must not take the wakeup from the way that waits after it.
            if let Poll::Ready(next) = receiver.poll_next(&mut Context::from_waker(Waker::noop())) {
                return next;
            }
            if turn % 2 == 0 { receiver.next_blocking() } else { next_async(&mut receiver) }
        });
        assert_eq!(read, (vec![0, 1, 2], End::Engine));
        engine.join().unwrap();
    });
}

#[test]
fn a_receiver_that_moves_to_another_task_wakes_that_one() {
    check(|| {
        let (sender, mut receiver, _) = request(8);
        let engine = answer(sender);
        let first = future::block_on(async move {
            let first = poll_fn(|context| Poll::Ready(receiver.poll_next(context))).await;
            (first, receiver)
        });
        let (first, mut receiver) = first;
        let rest = future::block_on(async {
            let task = future::spawn(async move {
                let mut events = Vec::new();
                while let Some(item) = poll_fn(|context| receiver.poll_next(context)).await {
                    events.push(item);
                }
                events
            });
            task.await.unwrap()
        });
        let first = match first {
            Poll::Ready(Some(item)) => vec![item],
            _ => Vec::new(),
        };
        let expected = [Item::Event(0), Item::Event(1), Item::Event(2), Item::Finished(End::Engine)];
        assert_eq!([first, rest].concat(), expected);
        engine.join().unwrap();
    });
}
