//! Greedy text of the demo model, and the switch while it computes.

use super::{Switch, apart, best_two, context, load, logits_of_each};
use crate::backend::set_kernels;
use crate::batch::{Batch, Want};
use crate::context::{Context, ContextParams};
use crate::ids::{Pos, SeqId, Token};
use llama_testkit::golden::{self, Entry};
use std::sync::atomic::{AtomicBool, Ordering};

/// An answer and the logits of each choice.
fn answer(entry: &Entry, kernels: bool) -> (Vec<i32>, Vec<Vec<f32>>) {
    set_kernels(kernels);
    let model = load(&golden::demo_model_path());
    let mut context = context(&model);
    let prompt: Vec<Token> = entry.prompt_tokens.iter().copied().map(Token).collect();
    let mut logits = logits_of_each(&mut context, &prompt, prompt.len()).pop().unwrap();
    let (mut tokens, mut all) = (Vec::new(), Vec::new());
    loop {
        let token = Token(i32::try_from(best_two(&logits)[0].0).unwrap());
        all.push(logits);
        tokens.push(token.0);
        if model.vocab().is_eog(token) || tokens.len() == entry.n_predict as usize {
            return (tokens, all);
        }
        logits = logits_of_each(&mut context, &[token], 1).pop().unwrap();
    }
}

/// Where texts part, rounding must be the reason: the two choices are nearer to each other than the logits of the same
/// history with and without our kernels are apart.
#[test]
fn greedy_text_is_the_same_or_rounding_decided() {
    let Some(_switch) = Switch::take() else { return };
    let (mut same, mut most_apart) = (0, 0.0_f32);
    let golden = golden::demo();
    for entry in &golden.entries {
        let (with, logits_with) = answer(entry, true);
        let (without, logits_without) = answer(entry, false);
        let parts = (0..with.len().max(without.len())).find(|&i| with.get(i) != without.get(i));
        let until = parts.map_or(with.len(), |at| at + 1);
        for (a, b) in logits_with.iter().zip(&logits_without).take(until) {
            most_apart = most_apart.max(apart(a, b));
        }
        let Some(at) = parts else {
            same += 1;
            continue;
        };
        let (a, b) = (&logits_with[at], &logits_without[at]);
        let ([a1, a2], [b1, b2]) = (best_two(a), best_two(b));
        println!("{}: token {at} is {a1:?} before {a2:?} with, {b1:?} before {b2:?} without our kernels", entry.name);
        assert!(a1.1 - a2.1 <= 2.0 * apart(a, b), "{}: more than rounding", entry.name);
    }
    println!("{same} of {} answers are the same, logits at most {most_apart} apart", golden.entries.len());
    // Activations are rounded to 8 bits in every layer: a sum in another order may move one by a whole step.
    assert!(most_apart < 0.5);
    assert!(same * 10 >= golden.entries.len() * 9);
}

/// Each graph is computed by one or the other from end to end: whatever the order, no result is anything else than rounding.
#[test]
fn the_switch_may_be_turned_while_another_thread_computes() {
    let Some(_switch) = Switch::take() else { return };
    let golden = golden::demo();
    let entry = golden.entries.iter().max_by_key(|entry| entry.tokens.len()).unwrap();
    let tokens: Vec<Token> = entry.tokens.iter().take(64).copied().map(Token).collect();
    let model = load(&golden::demo_model_path());
    let quiet = logits_of_each(&mut context(&model), &tokens, 1);
    let done = AtomicBool::new(false);
    let (turns, disturbed) = std::thread::scope(|scope| {
        let turning = scope.spawn(|| {
            let mut turns = 0_usize;
            while !done.load(Ordering::Relaxed) {
                set_kernels(turns.is_multiple_of(2));
                turns += 1;
                // Both take the lock that the start of a graph takes: let that thread have it.
                std::thread::yield_now();
            }
            turns
        });
        let disturbed = logits_of_each(&mut context(&model), &tokens, 1);
        done.store(true, Ordering::Relaxed);
        (turning.join().unwrap(), disturbed)
    });
    let most = quiet.iter().zip(&disturbed).map(|(a, b)| apart(a, b)).fold(0.0, f32::max);
    println!("{turns} turns during {} graphs: logits at most {most} apart", tokens.len());
    assert!(turns > 1);
    assert!(most < 0.5, "{most}");
}

/// The logits of the first sequence, token by token beside `others` that say something else; the cache is unified or has a
/// part for each.
fn beside(others: i32, unified: bool) -> Vec<Vec<f32>> {
    let model = load(&golden::demo_model_path());
    let golden = golden::demo();
    let params = ContextParams {
        n_ctx: Some(8 * 256),
        n_seq_max: 8,
        n_threads: Some(1),
        kv_unified: unified,
        ..ContextParams::default()
    };
    let mut context = Context::new(&model, params).unwrap();
    let mut rows = Vec::new();
    for step in 0..24 {
        let mut batch = Batch::new(8);
        let mut own = None;
        for seq in 0..=others {
            let tokens = &golden.entries[usize::try_from(seq).unwrap()].tokens;
            let token = Token(tokens[usize::try_from(step).unwrap() % tokens.len()]);
            let row = batch.push(token, Pos(step), SeqId(seq), Want::Output).unwrap();
            own = own.or(Some(row));
        }
        rows.push(context.decode(&mut batch).unwrap().row(own.unwrap()).unwrap().logits().unwrap().to_vec());
    }
    rows
}

#[test]
fn a_sequence_is_told_the_same_alone_and_beside_seven_others() {
    let Some(_switch) = Switch::take() else { return };
    for unified in [false, true] {
        let (alone, beside) = (beside(0, unified), beside(7, unified));
        let most = alone.iter().zip(&beside).map(|(a, b)| apart(a, b)).fold(0.0, f32::max);
        println!("alone and beside seven others, unified {unified}: logits {most} apart");
        // Elsewhere one column is not ours, see `hook.rs`.
        assert!(most == 0.0 || cfg!(not(target_arch = "x86_64")));
    }
}
