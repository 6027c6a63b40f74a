//! Exactly one end, and everything that was sent before it.

use shuttle::thread;

use crate::check;
use crate::mailbox::Pushed;
use crate::request::{End, TestFinisher, read_all, request};

fn race(finisher: &TestFinisher, end: End) -> Option<End> {
    let won = finisher.finish_with(|| end);
    assert!(finisher.is_finished());
    won.then_some(end)
}

#[test]
fn of_many_ends_the_reader_gets_the_one_that_won() {
    check(|| {
        let (sender, mut receiver, bell) = request(8);
        let (timer, canceller) = (sender.finisher().clone(), sender.finisher().clone());
        let engine = thread::spawn(move || {
            let _ = sender.push([1]);
            race(sender.finisher(), End::Engine)
        });
        let timer = thread::spawn(move || timer.finish_with(|| End::Timer).then_some(End::Timer));
        let canceller = thread::spawn(move || race(&canceller, End::Canceller));
        let (_, end) = read_all(|| receiver.next_blocking());
        let won: Vec<_> = [engine, timer, canceller].into_iter().filter_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(won, [end]);
        drop(receiver);
        assert_eq!(bell.heard().cancels, 0, "it had ended");
    });
}

#[test]
fn a_sender_that_gives_up_ends_the_stream_unless_somebody_else_did() {
    check(|| {
        let (sender, mut receiver, _) = request(8);
        let timer = sender.finisher().clone();
        let engine = thread::spawn(move || drop(sender));
        let timer = thread::spawn(move || race(&timer, End::Timer));
        let (events, end) = read_all(|| receiver.next_blocking());
        engine.join().unwrap();
        assert_eq!(end, timer.join().unwrap().unwrap_or(End::Abandoned));
        assert!(events.is_empty());
    });
}

#[test]
fn what_was_taken_before_the_end_is_read_whole_and_in_order() {
    check(|| {
        let (sender, mut receiver, _) = request(100);
        let timer = sender.finisher().clone();
        let engine = thread::spawn(move || {
            let mut taken = Vec::new();
            let mut closed = false;
            for token in 0..4 {
                let events = [2 * token, 2 * token + 1];
                let pushed = sender.push(events);
                assert!(!closed || pushed == Pushed::Closed, "closed is for good");
                closed = pushed == Pushed::Closed;
                if !closed {
                    taken.extend(events);
                }
            }
            taken
        });
        thread::spawn(move || timer.finish_with(|| End::Timer));
        let (events, end) = read_all(|| receiver.next_blocking());
        let taken = engine.join().unwrap();
        assert_eq!(events, taken);
        // The sender was dropped at the end of its thread.
        assert!(end == End::Timer || (end == End::Abandoned && taken.len() == 8));
    });
}
