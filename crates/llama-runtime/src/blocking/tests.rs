//! Waiting on real threads; `tests/model` has the orders in which it could go wrong.

use std::future::{poll_fn, ready};
use std::sync::Mutex;
use std::sync::mpsc::sync_channel;
use std::task::{Poll, Waker};
use std::thread;

use crate::blocking::block_on;

#[test]
fn a_ready_future_does_not_sleep() {
    assert_eq!(block_on(ready(7)), 7);
}

#[test]
fn a_wake_from_another_thread_continues() {
    let (wakers, woken) = sync_channel::<Waker>(0);
    let thread = thread::spawn(move || woken.iter().for_each(Waker::wake));
    let mut left = 3;
    let polls = block_on(poll_fn(move |context| {
        if left == 0 {
            return Poll::Ready("done");
        }
        left -= 1;
        wakers.send(context.waker().clone()).unwrap();
        Poll::Pending
    }));
    assert_eq!(polls, "done");
    thread.join().unwrap();
}

#[test]
fn an_unpark_that_the_future_used_up_is_not_missed() {
    let mut polls = 0;
    let done = block_on(poll_fn(|context| {
        polls += 1;
        if polls == 2 {
            return Poll::Ready(polls);
        }
        context.waker().wake_by_ref();
        thread::park();
        Poll::Pending
    }));
    assert_eq!(done, 2);
}

#[test]
fn it_can_be_nested() {
    assert_eq!(block_on(async { 1 + block_on(async { 2 }) }), 3);
}

#[test]
fn a_panic_of_the_future_is_passed_on_and_the_thread_can_wait_again() {
    let caught = std::panic::catch_unwind(|| block_on(async { panic!("as the test wants") }));
    assert!(caught.is_err());
    assert_eq!(block_on(ready(1)), 1);
}

#[test]
fn the_waker_may_outlive_the_call() {
    let kept = Mutex::new(None);
    block_on(poll_fn(|context| {
        *kept.lock().unwrap() = Some(context.waker().clone());
        Poll::Ready(())
    }));
    kept.into_inner().unwrap().unwrap().wake();
    assert_eq!(block_on(ready(1)), 1);
}
