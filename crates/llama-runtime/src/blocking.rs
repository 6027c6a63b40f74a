//! Waiting for asynchronous calls on a thread that has no executor.

// Also compiled by `tests/model`, so this file names only `sync` of this crate.

use std::pin::pin;
use std::task::{Context, Poll, Wake, Waker};

use crate::sync::{Arc, AtomicBool, Ordering, Thread, current, park};

/// Runs a future on this thread until it is ready; the thread sleeps in between.
///
/// It drives this one future and nothing else: futures that need the timers or sockets of an executor wait forever
/// here. Everything asynchronous in this crate is fine. May be nested, and called from any thread; a thread that runs
/// tasks of an executor should `await` instead, because its other tasks stand still meanwhile.
///
/// # Panics
///
/// Only if the future does.
///
/// ```
/// use llama_runtime::blocking::block_on;
///
/// assert_eq!(block_on(async { 6 * 7 }), 42);
/// ```
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let sleeper = Arc::new(Sleeper { woken: AtomicBool::new(false), thread: current() });
    let waker = Waker::from(Arc::clone(&sleeper));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        sleeper.sleep();
    }
}

/// A thread that sleeps until it is woken. The flag is the truth: an unpark may be somebody else's, and one that was
/// meant for us may be used up by whatever the future does inside its poll.
struct Sleeper {
    woken: AtomicBool,
    thread: Thread,
}

impl Sleeper {
    fn sleep(&self) {
        while !self.woken.swap(false, Ordering::Acquire) {
            park();
        }
    }
}

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Who finds the flag set leaves the unpark to who set it.
        if !self.woken.swap(true, Ordering::Release) {
            self.thread.unpark();
        }
    }
}
