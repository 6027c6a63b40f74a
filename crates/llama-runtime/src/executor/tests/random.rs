//! Plans that no scheduler would make: any operations and pieces, aborts and failures in between. Whatever comes, the counts
//! stay those of the context (which every step asserts), answers have the right form, and nothing is computed wrongly.

use super::*;
use llama_core::DecodeError;

fn any_slot(random: &mut Random) -> u16 {
    // One in eight is outside.
    u16::try_from(if random.below(8) == 0 { 1000 } else { random.below(5) }).unwrap()
}

fn any_op(random: &mut Random, known: &[Vec<Token>]) -> CacheOp {
    let slot = any_slot(random);
    let len = usize::try_from(random.below(40)).unwrap();
    let blob = random.below(4);
    match random.below(6) {
        0 | 1 => copy(any_slot(random), slot, len),
        2 => truncate(slot, len),
        3 => save(slot, blob, known.get(usize::from(slot)).map_or(&[], Vec::as_slice)),
        4 => restore(blob, slot),
        _ => CacheOp::Forget { blob: BlobId(blob) },
    }
}

/// Steps of random plans; `known` are the tokens of each slot as far as they are known.
fn run(mut executor: LlamaExecutor, model: &Model, seed: u64) {
    let mut random = Random::new(seed);
    let slots = u16::try_from(executor.abilities().slots).unwrap().min(5);
    let text = tokens(model, 400, seed);
    open(&mut executor, key(1), work(&text[..1]));
    for _ in 0..60 {
        // Every sequence is a beginning of the same text, so that a copy, a cut and a load all leave one.
        let known: Vec<Vec<Token>> =
            (0..slots).map(|slot| text[..executor.cache().held(Slot(slot)).unwrap()].to_vec()).collect();
        let ops: Vec<_> = (0..random.below(5)).map(|_| any_op(&mut random, &known)).collect();
        let mut pieces = Vec::new();
        for _ in 0..random.below(4) {
            let slot = any_slot(&mut random);
            let at = known.get(usize::from(slot)).map_or(0, Vec::len);
            let start = if random.below(4) == 0 { usize::try_from(random.below(50)).unwrap() } else { at };
            let len = usize::try_from(random.below(12)).unwrap();
            let mut tokens = text.get(start..start + len).unwrap_or(&[]).to_vec();
            if random.below(10) == 0 {
                tokens.push(Token(i32::MAX));
            }
            let piece = piece(1 + random.below(2), slot, start, &tokens);
            pieces.push(Piece { sample: random.below(2) == 0, ..piece });
        }
        match random.below(12) {
            0 => executor.abort_switch().abort(),
            1 => executor.cache().fails_next = Some(DecodeError::Fatal { code: -3, reason: "random".to_owned() }),
            2 => executor.cache().fails_next = Some(DecodeError::NoSlot { tokens: 1 }),
            _ => {}
        }
        let result = executor.step(&plan(&ops, &pieces));
        executor.cache().fails_next = None;
        executor.clear_abort();
        match &result.end {
            StepEnd::Done | StepEnd::Poisoned => assert_eq!(result.outputs.len(), pieces.len()),
            StepEnd::NoRoom | StepEnd::Aborted { .. } | StepEnd::Failed(_) => assert!(result.outputs.is_empty()),
        }
    }
    for slot in 0..slots {
        let at = executor.cache().held(Slot(slot)).unwrap();
        let found = next(&mut executor, piece(1, slot, at, &text[at..=at]));
        assert_eq!(vec![found], greedy(model, &text[..=at], 1), "{model:?}, seed {seed}, slot {slot} of {at} tokens");
    }
}

#[test]
fn no_plan_confuses_the_executor() {
    for model in [llama(), mamba(), hybrid(), windowed()] {
        for seed in 0..6 {
            run(executor(model), model, seed);
        }
    }
}
