//! Which pools a context has and uses, by their numbers of threads.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use crate::batch::{Batch, Want};
use crate::context::{Context, ContextParams};
use crate::decode::DecodeError;
use crate::ids::{Pos, SeqId, Token};
use crate::model::{Model, ModelParams};
use llama_testkit::fixtures;

fn context(n_threads: u32) -> Context {
    let model = Model::load(fixtures::tiny_llama(), ModelParams::default()).unwrap();
    let params = ContextParams { n_ctx: Some(256), n_threads: Some(n_threads), ..ContextParams::default() };
    Context::new(&model, params).unwrap()
}

/// Of each pool, in the order of their numbers.
fn kept(ctx: &Context) -> Vec<i32> {
    let mut numbers: Vec<_> = ctx.pools.kept.iter().map(|pool| pool.n_threads).collect();
    numbers.sort_unstable();
    numbers
}

fn attached(ctx: &Context) -> Option<i32> {
    ctx.pools.attached.map(|place| ctx.pools.kept[place].n_threads)
}

fn decode(ctx: &mut Context) -> Result<(), DecodeError> {
    let start = ctx.memory().unwrap().next_position(SeqId::ZERO).unwrap();
    let mut batch = Batch::new(1);
    batch.push(Token(20), start, SeqId::ZERO, Want::Output).unwrap();
    ctx.decode(&mut batch).map(drop)
}

/// Decodes are refused from here on, until the memory is emptied.
fn fill(ctx: &mut Context) {
    let n = ctx.n_ctx();
    let mut batch = Batch::new(n as usize);
    for at in 0..n.cast_signed() {
        batch.push(Token(20), Pos(at), SeqId::ZERO, Want::Nothing).unwrap();
    }
    ctx.decode(&mut batch).unwrap();
    assert!(matches!(decode(ctx), Err(DecodeError::NoSlot { .. })));
}

/// Only the pinned llama.cpp surely has the patch that adds these pools.
fn is_pinned() -> bool {
    crate::llama_cpp_source() == "pinned"
}

#[test]
fn the_pinned_build_has_pools_that_wait_briefly() {
    assert!(kept(&context(1)).is_empty(), "one thread alone needs none");
    if is_pinned() {
        let ctx = context(2);
        assert_eq!((kept(&ctx), attached(&ctx)), (vec![2], Some(2)));
    }
}

#[test]
fn few_and_many_threads_take_turns_with_pools_that_stay() {
    if !is_pinned() {
        return;
    }
    let mut ctx = context(4);
    let mut addresses = Vec::new();
    for n in [4, 16, 4, 3, 16, 9, 1, 4, 16] {
        ctx.set_threads(n, n).unwrap();
        decode(&mut ctx).unwrap();
        let expected = [None, Some(4), Some(16)][usize::from(n > 1) + usize::from(n > 4)];
        assert_eq!(attached(&ctx), expected, "{n} threads");
        let now: Vec<_> = ctx.pools.kept.iter().map(|pool| pool.raw).collect();
        assert!(now.starts_with(&addresses), "{n} threads: no pool was made again");
        addresses = now;
    }
    assert_eq!(kept(&ctx), [4, 16]);
    // What fits neither takes the place of the one that was not used last.
    ctx.set_threads(40, 40).unwrap();
    assert_eq!((kept(&ctx), attached(&ctx)), (vec![16, 40], Some(40)));
}

#[test]
fn without_a_decode_that_succeeds_pools_stay_and_what_is_wanted_comes_with_the_next() {
    if !is_pinned() {
        return;
    }
    let mut ctx = context(2);
    fill(&mut ctx);
    for n in [64, 2, 64, 2, 64] {
        ctx.set_threads(n, n).unwrap();
        assert!(decode(&mut ctx).is_err());
        assert_eq!(attached(&ctx), i32::try_from(n).ok(), "there is one for each");
    }
    // ggml may have computed with either of them last, so neither can go.
    for (wanted, until_then) in [(20, 64), (200, 64), (20, 64)] {
        ctx.set_threads(wanted, wanted).unwrap();
        assert!(decode(&mut ctx).is_err());
        assert_eq!((kept(&ctx), attached(&ctx)), (vec![2, 64], Some(until_then)), "{wanted} threads");
    }
    ctx.memory().unwrap().clear().unwrap();
    decode(&mut ctx).unwrap();
    assert_eq!((kept(&ctx), attached(&ctx)), (vec![20, 64], Some(20)));
    decode(&mut ctx).unwrap();
    ctx.set_threads(2, 2).unwrap();
    assert_eq!((kept(&ctx), attached(&ctx)), (vec![2, 20], Some(2)));
}
