//! The threads of a context: they come, go and wait, and the logits are the same.

use crate::setup::{any_tokens, apart, context, demo, exact, feed};
use llama_core::SeqId;

#[test]
fn threads_come_and_go_between_decodes() {
    let tokens = any_tokens(demo(), 44, 9);
    let mut one = context(demo(), &exact());
    let mut ctx = context(demo(), &exact());
    // Up, down, alone, and numbers so far apart that threads are ended; several times before a decode too.
    let numbers = [2, 3, 1, 2, 12, 2, 1, 1, 5, 2, 16];
    for (piece, n) in tokens.chunks(4).zip(numbers) {
        for before in [9, 1, 2, 20, n] {
            ctx.set_threads(before, n).unwrap();
        }
        let expected = feed(&mut one, piece, SeqId::ZERO);
        assert!(apart(&expected, &feed(&mut ctx, piece, SeqId::ZERO)) <= 1e-4, "{n} threads");
    }
}

#[test]
fn more_threads_than_cores_get_through_many_steps() {
    // Each step has some hundred places where all wait for the last; with threads that wait without end on a core that
    // another one needs, this takes a slice of the scheduler at each.
    let mut params = exact();
    params.n_threads = Some(6);
    let mut ctx = context(demo(), &params);
    for token in any_tokens(demo(), 60, 4) {
        feed(&mut ctx, &[token], SeqId::ZERO);
    }
    assert_eq!(ctx.memory().unwrap().positions(SeqId::ZERO).unwrap(), Some(0..=59));
}

#[test]
fn a_context_that_never_decodes_ends_its_threads() {
    let mut ctx = context(demo(), &exact());
    for n in [2, 40, 3, 64, 1, 5, 2, 80, 2, 100, 2, 120, 2, 140, 2, 160, 2, 200, 2] {
        ctx.set_threads(n, n).unwrap();
    }
}
