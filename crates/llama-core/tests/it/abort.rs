//! Stopping a decode from another thread, and what it leaves.

use crate::setup::{
    OnEvent, any_tokens, apart, assert_as_good_as_new, batch_of, context, exact, exact_sequences, feed, hybrid, llama,
    mamba,
};
use llama_core::{Batch, Context, DecodeError, Pos, SeqId, Token, Want};
use std::sync::Barrier;
use std::sync::mpsc::sync_channel;
use std::thread;

/// Runs a decode and calls `during` on another thread while it is inside llama.cpp.
fn decode_while(ctx: &mut Context, batch: &mut Batch, during: impl FnOnce() + Send) -> Result<(), DecodeError> {
    // Any change to control vectors makes the next decode plan its buffers anew, and log that: the moment to act.
    ctx.clear_control_vector().unwrap();
    let (inside, wait_inside) = sync_channel(1);
    let (done, wait_done) = sync_channel::<()>(1);
    thread::scope(|scope| {
        scope.spawn(move || {
            wait_inside.recv().unwrap();
            during();
            drop(done);
        });
        let wait_done = std::sync::Mutex::new(wait_done);
        let subscriber = OnEvent("llama_cpp", move || {
            if inside.try_send(()).is_ok() {
                // Until `done` is dropped.
                let _ = wait_done.lock().unwrap().recv();
            }
        });
        tracing::subscriber::with_default(subscriber, || ctx.decode(batch).map(drop))
    })
}

#[test]
fn abort_from_another_thread_stops_a_running_decode() {
    for model in [llama(), mamba(), hybrid()] {
        let mut ctx = context(model, &exact());
        let start = any_tokens(model, 10, 1);
        feed(&mut ctx, &start, SeqId::ZERO);
        let handle = ctx.abort_handle();
        let rest = any_tokens(model, 200, 2);
        let result = decode_while(&mut ctx, &mut batch_of(&rest, 10, SeqId::ZERO), || handle.abort());
        assert_eq!(result, Err(DecodeError::Aborted));
        assert!(ctx.is_aborted());
        assert_eq!(
            ctx.decode(&mut batch_of(&[Token(20)], 10, SeqId::ZERO)).unwrap_err(),
            DecodeError::Aborted,
            "until it is cleared"
        );
        ctx.clear_abort();
        // What is there is what went in: going on from it gives what a new context gives.
        let held = ctx.memory().unwrap().next_position(SeqId::ZERO).unwrap().0.unsigned_abs() as usize;
        let all = [start, rest].concat();
        let found = feed(&mut ctx, &all[held..], SeqId::ZERO);
        let expected = feed(&mut context(model, &exact()), &all, SeqId::ZERO);
        assert!(apart(&found, &expected) <= 1e-4, "{model:?}, {held} tokens held: {}", apart(&found, &expected));
        assert_as_good_as_new(&mut ctx, &exact());
    }
}

#[test]
fn abort_at_any_moment_leaves_what_went_in() {
    for model in [llama(), mamba(), hybrid()] {
        let mut params = exact();
        params.n_ubatch = 16;
        let all = any_tokens(model, 250, 3);
        let expected = feed(&mut context(model, &params), &all, SeqId::ZERO);
        let mut ctx = context(model, &params);
        for spins in (0..14).map(|power| 1_u32 << power) {
            ctx.memory().unwrap().clear().unwrap();
            ctx.clear_abort();
            let handle = ctx.abort_handle();
            let barrier = Barrier::new(2);
            let mut batch = batch_of(&all, 0, SeqId::ZERO);
            thread::scope(|scope| {
                scope.spawn(|| {
                    barrier.wait();
                    (0..spins).for_each(|_| std::hint::spin_loop());
                    handle.abort();
                });
                barrier.wait();
                // Where it stops is chance; what it leaves is not.
                let _ = ctx.decode(&mut batch);
            });
            ctx.clear_abort();
            let held = ctx.memory().unwrap().next_position(SeqId::ZERO).unwrap().0.unsigned_abs() as usize;
            if held < all.len() {
                let found = feed(&mut ctx, &all[held..], SeqId::ZERO);
                assert!(apart(&found, &expected) <= 1e-4, "{model:?}, {held} tokens held");
            }
        }
    }
}

#[test]
fn abort_of_a_batch_with_shared_tokens_leaves_none_of_them() {
    let params = exact_sequences(2, true);
    let mut ctx = context(llama(), &params);
    let handle = ctx.abort_handle();
    let mut batch = Batch::new(100);
    for (pos, token) in (0..).zip(any_tokens(llama(), 100, 1)) {
        batch.push_shared(token, Pos(pos), &[SeqId(0), SeqId(1)], Want::Nothing).unwrap();
    }
    let result = decode_while(&mut ctx, &mut batch, || handle.abort());
    assert_eq!(result, Err(DecodeError::Aborted));
    ctx.clear_abort();
    for seq in [SeqId(0), SeqId(1)] {
        assert_eq!(ctx.memory().unwrap().positions(seq), Ok(None));
    }
    assert_as_good_as_new(&mut ctx, &params);
}

#[test]
fn abort_does_not_leave_keys_half_rotated() {
    let tokens = any_tokens(llama(), 60, 1);
    let (start, rest) = tokens.split_at(50);
    let mut ctx = context(llama(), &exact());
    feed(&mut ctx, start, SeqId::ZERO);
    ctx.memory().unwrap().shift(SeqId::ZERO, .., 7).unwrap();
    let handle = ctx.abort_handle();
    let _ = decode_while(&mut ctx, &mut batch_of(&rest[..5], 57, SeqId::ZERO), || handle.abort());
    ctx.clear_abort();
    let held = ctx.memory().unwrap().next_position(SeqId::ZERO).unwrap().0.unsigned_abs() as usize - 7;
    let found = feed(&mut ctx, &tokens[held..], SeqId::ZERO);
    let expected = feed(&mut context(llama(), &exact()), &tokens, SeqId::ZERO);
    assert!(apart(&found, &expected) <= 1e-3, "{}", apart(&found, &expected));
}

#[test]
fn stale_abort_cannot_hit_later_work() {
    let mut ctx = context(llama(), &exact());
    let handle = ctx.abort_handle();
    handle.abort();
    assert!(handle.is_aborted() && ctx.is_aborted());
    ctx.clear_abort();
    assert!(!handle.is_aborted());
    assert_as_good_as_new(&mut ctx, &exact());
    ctx.clear_abort();
    handle.abort();
    handle.clone().abort();
    assert_eq!(ctx.decode(&mut batch_of(&[Token(20)], 24, SeqId::ZERO)).unwrap_err(), DecodeError::Aborted);
    drop(ctx);
    handle.abort();
}
