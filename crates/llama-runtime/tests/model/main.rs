//! The mailbox, the stage and `block_on` under many orders of their threads.
//!
//! The files are those of the crate; only their module `sync` is another one, whose threads run one at a time, in an
//! order that a scheduler chooses at every lock, wait, wake and atomic. A lost wakeup shows as a deadlock. The orders are
//! the same in every run; a failure prints its own, for `shuttle::replay`.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[allow(unreachable_pub, reason = "public where the file comes from")]
#[path = "../../src/blocking.rs"]
mod blocking;
#[allow(dead_code, reason = "what no other thread can meet at is tested in the crate")]
#[path = "../../src/mailbox.rs"]
mod mailbox;
#[path = "../../src/stage.rs"]
mod stage;

mod sync {
    pub(crate) use shuttle::sync::atomic::{AtomicBool, Ordering};
    pub(crate) use shuttle::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
    pub(crate) use shuttle::thread::{Thread, current, park};
}

mod cancels;
mod endings;
mod parking;
mod readers;
mod request;
mod room;
mod steps;

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner};

/// Orders per test and scheduler. All of it together takes a few seconds without optimisation.
const SCHEDULES: usize = 1000;

/// Random orders find what goes wrong often; the others (priorities that change at a few random points) what needs a
/// thread to stand still for long while others go on.
fn check(body: fn()) {
    Runner::new(RandomScheduler::new_from_seed(1, SCHEDULES), Config::new()).run(body);
    for depth in [2, 4] {
        Runner::new(PctScheduler::new_from_seed(2, depth, SCHEDULES / 2), Config::new()).run(body);
    }
}
