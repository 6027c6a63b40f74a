//! A thread in `block_on` is woken, and polls only when it is.

use std::future::poll_fn;
use std::task::{Poll, Waker};

use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::sync::{Arc, Mutex};
use shuttle::thread;

use crate::blocking::block_on;
use crate::check;
use crate::request::{End, read_all, request};

#[test]
fn a_reader_in_block_on_gets_everything() {
    check(|| {
        let (sender, mut receiver, _) = request(8);
        let engine = thread::spawn(move || {
            for token in 0..3 {
                let _ = sender.push([token]);
            }
        });
        let read = read_all(|| block_on(poll_fn(|context| receiver.poll_next(context))));
        assert_eq!(read, (vec![0, 1, 2], End::Abandoned));
        engine.join().unwrap();
    });
}

/// Something several threads add to, waking whoever waits for it.
#[derive(Default)]
struct Sum {
    value: Mutex<(usize, Option<Waker>)>,
    wakes: AtomicUsize,
}

impl Sum {
    fn add(&self) {
        let waker = {
            let mut state = self.value.lock().unwrap();
            state.0 += 1;
            state.1.clone()
        };
        if let Some(waker) = waker {
            self.wakes.fetch_add(1, Ordering::SeqCst);
            waker.wake();
        }
    }
}

#[test]
fn wakes_before_and_while_it_parks_count_and_other_unparks_do_not() {
    check(|| {
        let sum = Arc::new(Sum::default());
        let sleeper = thread::current();
        let mut threads: Vec<_> = (0..2)
            .map(|_| {
                let sum = Arc::clone(&sum);
                thread::spawn(move || {
                    sum.add();
                    sum.add();
                })
            })
            .collect();
        // Wakes the thread without a reason.
        threads.push(thread::spawn(move || {
            sleeper.unpark();
            sleeper.unpark();
        }));
        let mut polls = 0;
        block_on(poll_fn(|context| {
            polls += 1;
            let mut state = sum.value.lock().unwrap();
            if state.0 == 4 {
                return Poll::Ready(());
            }
            state.1 = Some(context.waker().clone());
            Poll::Pending
        }));
        assert!(polls <= 1 + sum.wakes.load(Ordering::SeqCst), "polled without a wake");
        for thread in threads {
            thread.join().unwrap();
        }
    });
}
