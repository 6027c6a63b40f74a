//! Decoding: the same tokens give the same logits, however they are cut up, ordered and mixed with others.

use crate::setup::{
    any_tokens, apart, batch_of, causal_models, context, demo, exact, exact_sequences, feed, feed_in_chunks, llama,
};
use llama_core::{Batch, Context, ContextParams, Model, Pos, SeqId, Token, Want};

/// Logits of every token, the prompt decoded whole.
fn all_logits(ctx: &mut Context, tokens: &[Token]) -> Vec<Vec<f32>> {
    let mut batch = Batch::new(tokens.len());
    let rows: Vec<_> = (0..)
        .zip(tokens)
        .map(|(pos, &token)| batch.push(token, Pos(pos), SeqId::ZERO, Want::Output).unwrap())
        .collect();
    let outputs = ctx.decode(&mut batch).unwrap();
    rows.iter().map(|&row| outputs.row(row).unwrap().logits().unwrap().to_vec()).collect()
}

/// The largest difference, over all tokens, between a prompt decoded whole and token by token.
fn whole_against_steps(model: &Model, params: &ContextParams) -> f32 {
    let tokens = any_tokens(model, 96, 3);
    let whole = all_logits(&mut context(model, params), &tokens);
    let mut ctx = context(model, params);
    let steps = tokens.iter().map(|&token| feed(&mut ctx, &[token], SeqId::ZERO));
    whole.iter().zip(steps).map(|(whole, step)| apart(whole, &step)).fold(0.0, f32::max)
}

#[test]
fn a_prompt_decoded_whole_gives_the_logits_of_one_decoded_step_by_step() {
    for (name, model) in causal_models() {
        let distance = whole_against_steps(model, &exact());
        println!("{name}: whole against steps, F32 cache, no flash attention: {distance:.2e}");
        assert!(distance <= 1e-4, "{name}: {distance}");
        // With the default parameters the cache rounds to F16 and flash attention has one kernel for single tokens and
        // one for many, which round differently: upstream's doing, shown here and not judged.
        let mut params = ContextParams::default();
        (params.n_ctx, params.n_threads) = (Some(256), Some(1));
        println!("{name}: the same with default parameters: {:.2e}", whole_against_steps(model, &params));
    }
}

#[test]
fn a_prompt_cut_up_in_any_way_gives_the_same_logits() {
    for (name, model) in causal_models() {
        let tokens = any_tokens(model, 100, 4);
        let whole = feed(&mut context(model, &exact()), &tokens, SeqId::ZERO);
        for chunk in [1, 7, 64, 512] {
            let cut = feed_in_chunks(&mut context(model, &exact()), &tokens, SeqId::ZERO, chunk).unwrap();
            assert!(apart(&whole, &cut) <= 1e-4, "{name} in chunks of {chunk}");
        }
    }
}

#[test]
fn micro_batches_do_not_show() {
    for (name, model) in causal_models() {
        let tokens = any_tokens(model, 100, 6);
        let whole = all_logits(&mut context(model, &exact()), &tokens);
        let mut params = exact();
        params.n_ubatch = 16;
        let mut ctx = context(model, &params);
        assert_eq!(ctx.n_ubatch(), 16);
        let cut = all_logits(&mut ctx, &tokens);
        let distance = whole.iter().zip(&cut).map(|(a, b)| apart(a, b)).fold(0.0, f32::max);
        assert!(distance <= 1e-4, "{name}: {distance}");
    }
}

#[test]
fn sequences_in_one_batch_do_not_see_each_other() {
    for (name, model) in causal_models() {
        for unified in [false, true] {
            let params = exact_sequences(3, unified);
            let prompts: Vec<_> =
                (0..3_u8).map(|s| any_tokens(model, 20 + usize::from(s), 30 + u64::from(s))).collect();
            let mut ctx = context(model, &params);
            let mut batch = Batch::new(256);
            let mut rows = Vec::new();
            for (seq, prompt) in (0..).map(SeqId).zip(&prompts) {
                rows.push(batch.push_run(prompt, Pos(0), seq).unwrap().unwrap());
            }
            let outputs = ctx.decode(&mut batch).unwrap();
            for (row, prompt) in rows.iter().zip(&prompts) {
                let alone = feed(&mut context(model, &params), prompt, SeqId::ZERO);
                let distance = apart(&alone, outputs.row(*row).unwrap().logits().unwrap());
                assert!(distance <= 1e-4, "{name}, unified: {unified}: {distance}");
            }
        }
    }
}

#[test]
fn sequences_may_take_turns_within_a_batch() {
    let params = exact_sequences(2, false);
    let (a, b) = (any_tokens(llama(), 12, 1), any_tokens(llama(), 12, 2));
    let mut ctx = context(llama(), &params);
    let mut batch = Batch::new(24);
    let mut rows = Vec::new();
    for (pos, (&a, &b)) in (0..).zip(a.iter().zip(&b)) {
        rows.push([(a, SeqId(0)), (b, SeqId(1))].map(|(t, seq)| batch.push(t, Pos(pos), seq, Want::Output).unwrap()));
    }
    let outputs = ctx.decode(&mut batch).unwrap();
    let [last_a, last_b] = rows[11].map(|row| outputs.row(row).unwrap().logits().unwrap());
    assert!(apart(last_a, &feed(&mut context(llama(), &params), &a, SeqId::ZERO)) <= 1e-4);
    assert!(apart(last_b, &feed(&mut context(llama(), &params), &b, SeqId::ZERO)) <= 1e-4);
}

#[test]
fn a_token_can_belong_to_several_sequences() {
    let params = exact_sequences(2, true);
    let (start, a, b) = (any_tokens(llama(), 10, 1), any_tokens(llama(), 5, 2), any_tokens(llama(), 5, 3));
    let mut ctx = context(llama(), &params);
    let mut batch = Batch::new(32);
    for (pos, &token) in (0..).zip(&start) {
        batch.push_shared(token, Pos(pos), &[SeqId(0), SeqId(1)], Want::Nothing).unwrap();
    }
    ctx.decode(&mut batch).unwrap();
    for (seq, rest) in [(SeqId(0), &a), (SeqId(1), &b)] {
        let shared = feed(&mut ctx, rest, seq);
        let alone = feed(&mut context(llama(), &params), &[start.clone(), rest.clone()].concat(), SeqId::ZERO);
        assert!(apart(&shared, &alone) <= 1e-4, "sequence {seq}");
    }
}

#[test]
fn outputs_can_be_asked_for_again() {
    let mut ctx = context(llama(), &exact());
    assert!(ctx.outputs().sequence_embedding(SeqId::ZERO).is_err(), "nothing was decoded yet");
    let mut batch = batch_of(&any_tokens(llama(), 3, 1), 0, SeqId::ZERO);
    let row = batch.push_run(&[], Pos(3), SeqId::ZERO).unwrap();
    assert_eq!(row, None);
    batch.clear();
    let row = batch.push(Token(20), Pos(0), SeqId::ZERO, Want::Output).unwrap();
    let first = ctx.decode(&mut batch).unwrap().row(row).unwrap().logits().unwrap().to_vec();
    let again = ctx.outputs().row(row).unwrap().logits().unwrap().to_vec();
    assert_eq!(first, again);
}

#[test]
fn rows_may_be_read_in_any_order() {
    let params = exact_sequences(4, false);
    let mut ctx = context(llama(), &params);
    let mut batch = Batch::new(64);
    let mut rows = Vec::new();
    let mut expected = Vec::new();
    for seq in [3, 1, 0, 2].map(SeqId) {
        let tokens = any_tokens(llama(), 5 + seq.0.unsigned_abs() as usize, u64::from(seq.0.unsigned_abs()));
        rows.push(batch.push_run(&tokens, Pos(0), seq).unwrap().unwrap());
        expected.push(feed(&mut context(llama(), &params), &tokens, SeqId::ZERO));
    }
    let outputs = ctx.decode(&mut batch).unwrap();
    for (row, expected) in rows.iter().zip(&expected).rev() {
        assert!(apart(outputs.row(*row).unwrap().logits().unwrap(), expected) <= 1e-4);
    }
}

#[test]
fn the_number_of_threads_does_not_show() {
    let tokens = any_tokens(demo(), 40, 9);
    let one = feed(&mut context(demo(), &exact()), &tokens, SeqId::ZERO);
    let mut ctx = context(demo(), &exact());
    ctx.set_threads(3, 2).unwrap();
    assert!(apart(&one, &feed(&mut ctx, &tokens, SeqId::ZERO)) <= 1e-4);
}

#[test]
fn a_full_context_still_generates_up_to_its_last_cell() {
    let mut ctx = context(llama(), &exact());
    let n_ctx = ctx.n_ctx() as usize;
    let tokens = any_tokens(llama(), n_ctx, 8);
    feed(&mut ctx, &tokens[..n_ctx - 1], SeqId::ZERO);
    feed(&mut ctx, &tokens[n_ctx - 1..], SeqId::ZERO);
    assert_eq!(ctx.memory().unwrap().positions(SeqId::ZERO).unwrap(), Some(0..=255));
}
