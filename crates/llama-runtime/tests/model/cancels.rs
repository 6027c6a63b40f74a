//! A cancel is told once, however it comes, and never after the end was read.

use shuttle::thread;

use crate::check;
use crate::request::{End, Heard, read_all, request};

#[test]
fn two_cancels_and_a_drop_are_told_once() {
    check(|| {
        let (sender, receiver, bell) = request(8);
        let (first, second) = (receiver.canceller(), receiver.canceller());
        let threads = [
            thread::spawn(move || first.cancel()),
            thread::spawn(move || second.cancel()),
            thread::spawn(|| drop(receiver)),
        ];
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(bell.heard().cancels, 1);
        assert!(sender.is_cancelled());
    });
}

#[test]
fn a_cancel_that_races_with_the_end_is_told_if_it_was_first() {
    check(|| {
        let (sender, receiver, bell) = request(8);
        let (canceller, timer) = (receiver.canceller(), sender.finisher().clone());
        let threads = [
            thread::spawn(move || {
                canceller.cancel();
                canceller.cancel();
            }),
            thread::spawn(move || drop(receiver)),
            thread::spawn(move || {
                timer.finish_with(|| End::Timer);
            }),
        ];
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(bell.heard().cancels, usize::from(sender.is_cancelled()));
        assert!(!sender.finisher().finish_with(|| End::Engine));
    });
}

#[test]
fn an_engine_that_waits_for_a_cancel_hears_it_and_the_reader_gets_its_end() {
    check(|| {
        let (sender, mut receiver, bell) = request(8);
        let canceller = receiver.canceller();
        let engine = thread::spawn(move || {
            let _ = sender.push([1, 2]);
            let mut known = Heard::default();
            while !sender.is_cancelled() {
                bell.wait_for_news(&mut known);
            }
            assert!(sender.finisher().finish_with(|| End::Canceller));
        });
        let caller = thread::spawn(move || canceller.cancel());
        assert_eq!(read_all(|| receiver.next_blocking()), (vec![1, 2], End::Canceller));
        engine.join().unwrap();
        caller.join().unwrap();
    });
}

#[test]
fn a_reader_that_goes_away_is_heard_by_an_engine_that_waits() {
    check(|| {
        let (sender, mut receiver, bell) = request(1);
        let bell_of_engine = bell.clone();
        let engine = thread::spawn(move || {
            let mut known = Heard::default();
            while !sender.is_cancelled() {
                let _ = sender.push([1]);
                bell_of_engine.wait_for_news(&mut known);
            }
            assert!(sender.finisher().finish_with(|| End::Canceller));
        });
        let _ = receiver.next_blocking();
        drop(receiver);
        engine.join().unwrap();
        assert_eq!(bell.heard().cancels, 1);
    });
}
