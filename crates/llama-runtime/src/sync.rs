//! What [`mailbox`](crate::mailbox), [`stage`](crate::stage) and [`blocking`](crate::blocking) are built from.
//!
//! They name nothing else that two threads can meet at: `tests/model` compiles the same three files with a module `sync`
//! whose threads run under a scheduler that tries many orders.

pub(crate) use std::sync::atomic::{AtomicBool, Ordering};
pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
pub(crate) use std::thread::{Thread, current, park};

// The tests of the three are declared here: at the foot of their files `tests/model` would compile them too, and they
// need real threads.
#[cfg(test)]
#[path = "blocking/tests.rs"]
mod blocking_tests;
#[cfg(test)]
#[path = "mailbox/tests.rs"]
mod mailbox_tests;
#[cfg(test)]
#[path = "stage/tests.rs"]
mod stage_tests;
