//! Measuring in a context, and what it leaves there.

use std::time::Duration;

use super::*;
use crate::executor::Asked;
use crate::executor::pacing::Pacing;
use crate::threads::{ThreadCounts, ThreadsFrom};

/// As if the model were large enough to be measured.
const LARGE: Asked = Asked { decode: None, prefill: None, known: None, weights: 64 << 20, most: 2 };

const STEADY: ThreadsFrom = ThreadsFrom::Measured { steady: true };
const UNSTEADY: ThreadsFrom = ThreadsFrom::Measured { steady: false };

fn counts(decode: u32, prefill: u32) -> ThreadCounts {
    ThreadCounts { decode, prefill }
}

/// Answers are faster with one thread, and prompts with two.
fn told(rows: usize, threads: u32, _: Duration) -> Duration {
    Duration::from_millis(if (rows == 1) == (threads == 1) { 4 } else { 8 })
}

/// Decides with steps that take as many milliseconds as `time` says of their rows, threads and place; with the rows of all of
/// them.
fn decide(asked: Asked, time: impl Fn(usize, u32, usize) -> Option<u64>) -> (Pacing, Vec<usize>) {
    let mut rows_of = Vec::new();
    let run = |rows, threads| {
        rows_of.push(rows);
        time(rows, threads, rows_of.len()).map(Duration::from_millis)
    };
    (Pacing::new(asked, Some(run)), rows_of)
}

/// Whether fewer threads are tried within the first steps of so many tokens.
fn tries_fewer(pacing: &mut Pacing, rows: usize) -> bool {
    let pieces = [piece(1, 0, 0, &vec![Token(0); rows])];
    (0..4).any(|_| {
        let fewer = pacing.threads(&pieces) == 1;
        pacing.observe(&pieces, Duration::from_millis(100));
        fewer
    })
}

#[test]
fn measuring_leaves_the_context_empty_and_the_answers_as_they_are() {
    for model in generators() {
        let prompt = tokens(model, 20, 1);
        let answer = |asked: Option<Asked>| {
            let mut executor = executor(model);
            let choice = asked.map(|asked| executor.pace_by(asked, told));
            assert!(executor.cache().agrees());
            open(&mut executor, key(1), work(&prompt));
            let result = executor.step(&plan(&[], &[piece(1, 0, 0, &prompt)]));
            let [Output::Sampled(sampled)] = &result.outputs[..] else { panic!("{result:?}") };
            (choice, sampled.token)
        };
        let (choice, token) = answer(Some(LARGE));
        let choice = choice.unwrap();
        assert_eq!((choice.counts, choice.from, choice.keep), (counts(1, 2), STEADY, Some(counts(1, 2))));
        assert_eq!(token, answer(None).1);
    }
}

#[test]
fn only_what_is_open_is_measured() {
    let choice = |asked: Asked| executor(llama()).pace_by(asked, told);
    let fixed = choice(Asked { decode: Some(3), ..LARGE });
    assert_eq!((fixed.counts, fixed.from, fixed.keep), (counts(3, 3), ThreadsFrom::Fixed, None));
    let half = choice(Asked { prefill: Some(3), ..LARGE });
    assert_eq!((half.counts, half.from, half.keep), (counts(1, 3), STEADY, Some(counts(1, 3))));
    let known = choice(Asked { known: Some(counts(2, 1)), ..LARGE });
    assert_eq!((known.counts, known.from, known.keep), (counts(2, 1), ThreadsFrom::Known, None));
}

#[test]
fn answers_that_take_too_long_end_measuring_and_are_remembered() {
    // One that takes more than there is time for, and some that leave no time to compare.
    for (time, steps) in [(100, 1), (40, 1), (15, 5)] {
        let (mut pacing, rows) = decide(LARGE, |_, _, _| Some(time));
        assert_eq!(rows, vec![1; steps], "{time} ms: prompts take longer still");
        let choice = pacing.choice();
        assert_eq!((choice.counts, choice.from), (counts(2, 2), ThreadsFrom::Assumed));
        assert_eq!(choice.keep, Some(counts(0, 0)));
        assert!(tries_fewer(&mut pacing, 1) && tries_fewer(&mut pacing, 16));
    }
}

#[test]
fn prompts_that_take_too_long_are_not_measured_because_answers_were() {
    let (mut pacing, rows) = decide(LARGE, |rows, _, _| Some(if rows == 1 { 4 } else { 64 }));
    assert_eq!(rows, [1, 1, 1, 1, 1, 1, 1, 16]);
    let choice = pacing.choice();
    assert_eq!((choice.counts, choice.from), (counts(1, 2), UNSTEADY));
    assert_eq!(choice.keep, Some(counts(1, 0)));
    assert!(tries_fewer(&mut pacing, 16));
}

#[test]
fn what_a_busy_machine_or_a_failed_step_tells_is_not_kept() {
    let busy = |_, threads, n| Some(if threads == 2 && n % 3 == 0 { 9 } else { 4 });
    let choice = decide(LARGE, busy).0.choice();
    assert_eq!((choice.from, choice.keep), (UNSTEADY, None));
    for fails in [1, 3, 8, 10] {
        let (pacing, rows) = decide(LARGE, |_, _, n| (n != fails).then_some(4));
        assert_eq!((pacing.choice().keep, rows.len()), (None, fails), "no step after one that failed");
    }
}

#[test]
fn what_took_too_long_before_is_not_measured_again() {
    let again = |known| decide(Asked { known: Some(known), ..LARGE }, |_, _, _| panic!("nothing to measure")).0;
    let mut both = again(counts(0, 0));
    let choice = both.choice();
    assert_eq!((choice.counts, choice.from, choice.keep), (counts(2, 2), ThreadsFrom::Assumed, None));
    assert!(tries_fewer(&mut both, 1) && tries_fewer(&mut both, 16));
    let mut prompts = again(counts(2, 0));
    assert_eq!((prompts.choice().counts, prompts.choice().from), (counts(2, 2), ThreadsFrom::Known));
    assert!(!tries_fewer(&mut prompts, 1) && tries_fewer(&mut prompts, 16));
}

#[test]
fn what_is_too_small_too_large_or_alone_is_not_measured() {
    let counts = |asked: Asked| executor(llama()).pace(asked);
    let small = counts(Asked { weights: 9 << 20, most: 8, ..LARGE });
    assert_eq!((small.counts.decode, small.from), (3, ThreadsFrom::Assumed), "a thread for each 4 MiB");
    let large = counts(Asked { weights: 20 << 30, most: 8, ..LARGE });
    assert_eq!((large.counts.decode, large.from), (8, ThreadsFrom::Assumed));
    let alone = counts(Asked { most: 1, ..LARGE });
    assert_eq!((alone.counts.decode, alone.from), (1, ThreadsFrom::Assumed));
    let elsewhere = counts(Asked { weights: 0, most: 8, ..LARGE });
    assert_eq!(elsewhere.counts.decode, 8, "not the processor computes");
}
