//! Who may abort what, one call after the other; races are in `tests/model`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::stage::Stage;

#[test]
fn only_a_request_of_the_running_step_aborts_it() {
    let aborts = AtomicUsize::new(0);
    let stage = Stage::new(|| {
        aborts.fetch_add(1, Ordering::SeqCst);
    });
    assert!(!stage.abort_if_running(1), "nothing runs yet");

    let step = stage.begin([1, 2]);
    assert!(!stage.abort_if_running(3));
    assert_eq!(aborts.load(Ordering::SeqCst), 0);
    assert!(stage.abort_if_running(2));
    assert_eq!(aborts.load(Ordering::SeqCst), 1);
    drop(step);
    assert!(!stage.abort_if_running(2), "the step has ended");

    let step = stage.begin([3]);
    assert!(!stage.abort_if_running(1), "that was the step before");
    assert!(stage.abort_if_running(3));
    drop(step);
    assert_eq!(aborts.load(Ordering::SeqCst), 2);
}

#[test]
fn a_step_that_nobody_may_abort_runs_on() {
    let stage = Stage::new(|| panic!("nobody may"));
    let _step = stage.begin([]);
    assert!(!stage.abort_if_running(0));
}

#[test]
fn a_step_that_panics_before_or_while_it_runs_leaves_nobody_on_stage() {
    let stage = Stage::new(|| panic!("nobody runs"));
    let before = || drop(stage.begin([1, 2].into_iter().inspect(|id| assert_eq!(*id, 1))));
    assert!(catch_unwind(AssertUnwindSafe(before)).is_err());
    assert!(!stage.abort_if_running(1));
    let inside = || {
        let _step = stage.begin([1]);
        panic!("as the test wants");
    };
    assert!(catch_unwind(AssertUnwindSafe(inside)).is_err());
    assert!(!stage.abort_if_running(1));
}
