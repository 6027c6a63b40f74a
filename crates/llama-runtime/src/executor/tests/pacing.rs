//! Measuring in a context, and what it leaves there.

use super::*;
use crate::executor::Asked;
use crate::threads::{ThreadCounts, ThreadsFrom};

/// As if the model were large enough to be measured.
const LARGE: Asked = Asked { decode: None, prefill: None, known: None, weights: 64 << 20, most: 2 };

#[test]
fn measuring_leaves_the_context_empty_and_the_answers_as_they_are() {
    for model in generators() {
        let prompt = tokens(model, 20, 1);
        let answer = |asked: Option<Asked>| {
            let mut executor = executor(model);
            let choice = asked.map(|asked| executor.pace(asked));
            assert!(executor.cache().agrees());
            open(&mut executor, key(1), work(&prompt));
            let result = executor.step(&plan(&[], &[piece(1, 0, 0, &prompt)]));
            let [Output::Sampled(sampled)] = &result.outputs[..] else { panic!("{result:?}") };
            (choice, sampled.token)
        };
        let (choice, token) = answer(Some(LARGE));
        let choice = choice.unwrap();
        assert!(matches!(choice.from, ThreadsFrom::Measured { .. }), "{choice:?}");
        assert!([choice.counts.decode, choice.counts.prefill].iter().all(|count| [1, 2].contains(count)));
        assert_eq!(token, answer(None).1);
    }
}

#[test]
fn only_what_is_open_is_measured() {
    let counts = |asked: Asked| executor(llama()).pace(asked);
    let fixed = counts(Asked { decode: Some(3), ..LARGE });
    assert_eq!((fixed.counts, fixed.from), (ThreadCounts { decode: 3, prefill: 3 }, ThreadsFrom::Fixed));
    let half = counts(Asked { prefill: Some(3), ..LARGE });
    assert_eq!(half.counts.prefill, 3);
    assert!(matches!(half.from, ThreadsFrom::Measured { .. }));
    let known = counts(Asked { known: Some(ThreadCounts { decode: 1, prefill: 2 }), ..LARGE });
    assert_eq!((known.counts, known.from), (ThreadCounts { decode: 1, prefill: 2 }, ThreadsFrom::Known));
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
