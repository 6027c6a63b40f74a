//! A sender that stopped because the mailbox was full goes on.

use shuttle::thread;

use crate::check;
use crate::mailbox::Pushed;
use crate::request::{End, Heard, read_all, request};

const TOKENS: u32 = 4;

/// Two events per token; `capacity` events may be unread.
fn answer_at_the_pace_of_the_reader(capacity: usize) {
    let (sender, mut receiver, bell) = request(capacity);
    let bell_of_engine = bell.clone();
    let engine = thread::spawn(move || {
        let mut known = Heard::default();
        for token in 0..TOKENS {
            while !sender.has_room() {
                bell_of_engine.wait_for_news(&mut known);
            }
            assert_ne!(sender.push([2 * token, 2 * token + 1]), Pushed::Closed);
        }
        assert!(sender.finisher().finish_with(|| End::Engine));
    });
    let (events, end) = read_all(|| receiver.next_blocking());
    assert_eq!(events, Vec::from_iter(0..2 * TOKENS));
    assert_eq!(end, End::Engine);
    engine.join().unwrap();
}

#[test]
fn a_sender_that_asks_for_room_goes_on_when_there_is_some() {
    check(|| answer_at_the_pace_of_the_reader(1));
    check(|| answer_at_the_pace_of_the_reader(3));
}

#[test]
fn room_is_told_once_for_each_push_that_found_none() {
    check(|| {
        let (sender, mut receiver, bell) = request(2);
        let bell_of_engine = bell.clone();
        let engine = thread::spawn(move || {
            let mut stops = 0;
            for token in 0..TOKENS {
                if sender.push([2 * token, 2 * token + 1]) == Pushed::Full {
                    stops += 1;
                    let mut known = bell_of_engine.heard();
                    while known.rooms < stops {
                        bell_of_engine.wait_for_news(&mut known);
                    }
                    assert_eq!(known.rooms, stops, "told once per stop");
                    assert!(sender.has_room(), "told only when there is room");
                }
            }
            stops
        });
        let (events, _) = read_all(|| receiver.next_blocking());
        assert_eq!(events, Vec::from_iter(0..2 * TOKENS));
        let stops = engine.join().unwrap();
        assert_eq!(bell.heard(), Heard { cancels: 0, rooms: stops });
    });
}

#[test]
fn a_sender_that_waits_for_room_is_told_when_a_timer_ends_the_request() {
    check(|| {
        let (sender, receiver, bell) = request(1);
        let timer = sender.finisher().clone();
        let engine = thread::spawn(move || {
            let mut known = Heard::default();
            while sender.push([0]) != Pushed::Closed {
                while !sender.has_room() {
                    bell.wait_for_news(&mut known);
                }
            }
        });
        let timer = thread::spawn(move || timer.finish_with(|| End::Timer));
        engine.join().unwrap();
        assert!(timer.join().unwrap());
        drop(receiver);
    });
}

#[test]
fn a_sender_that_waits_for_room_is_told_when_the_reader_goes_away_after_a_cancel() {
    check(|| {
        let (sender, mut receiver, bell) = request(1);
        let canceller = receiver.canceller();
        let engine = thread::spawn(move || {
            let mut known = Heard::default();
            while sender.push([0]) != Pushed::Closed {
                // An engine that looks at nothing but room.
                while !sender.has_room() {
                    bell.wait_for_news(&mut known);
                }
            }
            bell.heard().cancels
        });
        canceller.cancel();
        let _ = receiver.try_next();
        drop(receiver);
        assert_eq!(engine.join().unwrap(), 1);
    });
}
