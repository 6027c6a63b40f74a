//! What operations do to slots, and what the slots' sequences go on with afterwards.

use super::*;

#[test]
fn a_sequence_goes_on_as_in_a_context_of_its_own() {
    for model in generators().into_iter().chain([demo()]) {
        let prompt = tokens(model, 30, 1);
        let mut executor = executor(model);
        open(&mut executor, key(1), work(&prompt));
        assert_eq!(go_on(&mut executor, (1, 0, 0), &prompt, 12), greedy(model, &prompt, 12), "{model:?}");
    }
}

#[test]
fn sequences_do_not_hurt_each_other() {
    for model in generators() {
        let prompts: Vec<_> = (0..4).map(|i| tokens(model, 7 + 5 * i, i as u64)).collect();
        let mut executor = executor(model);
        (0..).zip(&prompts).for_each(|(i, prompt)| open(&mut executor, key(i), work(prompt)));
        // The last slot first, and the last prompt in two parts beside the others.
        let mut pieces: Vec<_> = (0..3).rev().map(|i| piece(i, i as u16 + 1, 0, &prompts[i as usize])).collect();
        pieces.push(stored(0, 0, &prompts[3][..10]));
        let mut answers = vec![Vec::new(); 4];
        let mut take = |pieces: &[Piece], result: StepResult| {
            for (piece, output) in pieces.iter().zip(result.outputs) {
                match output {
                    Output::Sampled(sampled) => answers[piece.seq.request.0 as usize].push(sampled.token),
                    Output::Stored => assert!(!piece.sample),
                    other => panic!("{other:?}"),
                }
            }
            answers.clone()
        };
        let first = take(&pieces, done(&mut executor, &[], &pieces));
        let mut pieces: Vec<_> =
            (0..3).map(|i| piece(i, i as u16 + 1, prompts[i as usize].len(), &[first[i as usize][0]])).collect();
        pieces.push(piece(3, 0, 10, &prompts[3][10..]));
        let answers = take(&pieces, done(&mut executor, &[], &pieces));
        for (prompt, answer) in prompts.iter().zip(&answers) {
            assert_eq!(*answer, greedy(model, prompt, answer.len()), "{model:?}");
        }
        assert_eq!(answers.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 2, 1]);
    }
}

#[test]
fn a_whole_sequence_is_copied_in_every_kind_of_memory() {
    for model in generators() {
        let prompt = tokens(model, 20, 2);
        let mut executor = executor(model);
        open(&mut executor, key(1), work(&prompt));
        open(&mut executor, key(2), work(&prompt));
        done(&mut executor, &[], &[stored(0, 0, &prompt[..15])]);
        done(&mut executor, &[copy(0, 3, 15)], &[]);
        let expected = greedy(model, &prompt, 6);
        assert_eq!(go_on(&mut executor, (1, 3, 15), &prompt[15..], 6), expected, "{model:?}");
        assert_eq!(go_on(&mut executor, (2, 0, 15), &prompt[15..], 6), expected, "the original goes on: {model:?}");
    }
}

#[test]
fn the_beginning_of_a_sequence_is_copied_where_memory_has_parts() {
    let prompt = tokens(llama(), 40, 3);
    let other = [&prompt[..25], &tokens(llama(), 10, 4)].concat();
    let mut executor = executor(llama());
    assert!(executor.abilities().partial);
    open(&mut executor, key(1), work(&other));
    done(&mut executor, &[], &[stored(0, 0, &prompt)]);
    done(&mut executor, &[copy(0, 1, 25)], &[]);
    assert_eq!((held(&mut executor, 0), held(&mut executor, 1)), (40, 25));
    assert_eq!(go_on(&mut executor, (1, 1, 25), &other[25..], 6), greedy(llama(), &other, 6));
}

#[test]
fn a_part_that_cannot_be_copied_leaves_the_slot_empty() {
    for model in [mamba(), hybrid(), windowed()] {
        let mut executor = executor(model);
        assert!(!executor.abilities().partial);
        done(&mut executor, &[], &[stored(0, 0, &tokens(model, 20, 5))]);
        let result = done(&mut executor, &[copy(0, 1, 12)], &[stored(1, 12, &tokens(model, 3, 6))]);
        assert!(matches!(result.outputs[0], Output::Misplaced { held: 0 }), "{result:?}");
        assert_eq!(held(&mut executor, 0), 20);
        done(&mut executor, &[truncate(0, 12)], &[]);
        assert_eq!(held(&mut executor, 0), 0, "nor can it be cut");
    }
}

#[test]
fn a_cut_sequence_goes_on_from_where_it_was_cut() {
    let prompt = tokens(llama(), 40, 7);
    let other = [&prompt[..18], &tokens(llama(), 9, 8)].concat();
    let mut executor = executor(llama());
    open(&mut executor, key(1), work(&other));
    done(&mut executor, &[], &[stored(2, 0, &prompt)]);
    let result = done(&mut executor, &[truncate(2, 18)], &[piece(1, 2, 18, &other[18..])]);
    let Output::Sampled(sampled) = &result.outputs[0] else { panic!("{result:?}") };
    assert_eq!(vec![sampled.token], greedy(llama(), &other, 1));
    done(&mut executor, &[truncate(2, 0)], &[]);
    assert_eq!(held(&mut executor, 2), 0);
}

#[test]
fn operations_are_done_in_order() {
    let prompt = tokens(llama(), 30, 9);
    let mut executor = executor(llama());
    done(&mut executor, &[], &[stored(0, 0, &prompt)]);
    // Save the whole, cut it, copy what is left, load the whole elsewhere, and forget it.
    let ops = [
        save(0, 1, &prompt),
        truncate(0, 10),
        copy(0, 1, 10),
        restore(1, 2),
        CacheOp::Forget { blob: BlobId(1) },
        restore(1, 3),
    ];
    let result = done(&mut executor, &ops, &[]);
    assert_eq!(result.not_loaded, [BlobId(1)], "the second load came after it was forgotten");
    assert_eq!([0, 1, 2, 3].map(|slot| held(&mut executor, slot)), [10, 10, 30, 0]);
}

#[test]
fn a_saved_sequence_goes_on_with_the_same_tokens() {
    for model in generators() {
        let prompt = tokens(model, 25, 10);
        let expected = greedy(model, &prompt, 10);
        let mut executor = executor(model);
        open(&mut executor, key(1), work(&prompt));
        let mut answer = go_on(&mut executor, (1, 0, 0), &prompt, 4);
        // The last token that was chosen is not in the cache yet.
        let known = [prompt.as_slice(), &answer[..3]].concat();
        let result = done(&mut executor, &[save(0, 7, &known), truncate(0, 0)], &[]);
        let about = executor.abilities();
        let estimate = about.saved_bytes + about.saved_bytes_per_token * known.len();
        let [(BlobId(7), Some(bytes))] = result.saved[..] else { panic!("{result:?}") };
        // A sliding window saves the window only, so there the estimate is a bound.
        let has_window = model.facts().n_swa > 0;
        assert!(bytes == estimate || (has_window && bytes < estimate), "{model:?}: {bytes} for {estimate}");
        // Something else takes its place meanwhile.
        done(&mut executor, &[], &[stored(0, 0, &tokens(model, 40, 11))]);
        done(&mut executor, &[restore(7, 3)], &[]);
        answer.extend(go_on(&mut executor, (1, 3, known.len()), &[answer[3]], 6));
        assert_eq!(answer, expected, "{model:?}");
    }
}

#[test]
fn what_cannot_be_saved_or_loaded_is_told() {
    let prompt = tokens(llama(), 25, 10);
    let mut executor = executor(llama());
    done(&mut executor, &[], &[stored(0, 0, &prompt)]);
    let result = done(&mut executor, &[save(0, 1, &prompt[1..]), save(9999, 2, &[]), save(0, 3, &prompt)], &[]);
    assert_eq!(result.saved[..2], [(BlobId(1), None), (BlobId(2), None)]);
    assert!(result.saved[2].1.is_some());
    let result = done(&mut executor, &[restore(1, 1), restore(3, 9999), restore(3, 2)], &[stored(1, 25, &prompt[..1])]);
    assert_eq!(result.not_loaded, [BlobId(1), BlobId(3)]);
    assert!(matches!(result.outputs[0], Output::Misplaced { held: 0 }));
    assert_eq!(held(&mut executor, 2), 25);
}

#[test]
fn a_piece_that_does_not_follow_what_the_slot_holds_is_misplaced_and_others_are_computed() {
    for model in generators() {
        let prompt = tokens(model, 12, 12);
        let mut executor = executor(model);
        open(&mut executor, key(1), work(&prompt));
        done(&mut executor, &[], &[stored(2, 0, &prompt[..5])]);
        let pieces = [
            stored(2, 4, &prompt[..1]),
            stored(3, 1, &prompt[..1]),
            piece(1, 0, 0, &prompt),
            // Twice the same slot.
            stored(0, 12, &prompt[..1]),
        ];
        let outputs = done(&mut executor, &[], &pieces).outputs;
        assert!(matches!(outputs[0], Output::Misplaced { held: 5 }), "{outputs:?}");
        assert!(matches!(outputs[1], Output::Misplaced { held: 0 }), "{outputs:?}");
        assert!(matches!(&outputs[2], Output::Sampled(s) if s.token == greedy(model, &prompt, 1)[0]), "{outputs:?}");
        assert!(matches!(outputs[3], Output::Misplaced { .. }), "{outputs:?}");
    }
}

#[test]
fn without_room_nothing_is_computed_and_the_sequence_goes_on_later() {
    let mut executor = executor(llama());
    let cells = executor.abilities().cells.unwrap();
    let long = tokens(llama(), cells, 13);
    for start in (0..cells - 64).step_by(64) {
        done(&mut executor, &[], &[stored(0, start, &long[start..start + 64])]);
    }
    let prompt = tokens(llama(), 80, 14);
    open(&mut executor, key(1), work(&prompt));
    let full = executor.step(&plan(&[], &[piece(1, 1, 0, &prompt)]));
    assert!(matches!(full.end, StepEnd::NoRoom) && full.outputs.is_empty(), "{full:?}");
    assert_eq!((held(&mut executor, 0), held(&mut executor, 1)), (cells - 64, 0));
    done(&mut executor, &[truncate(0, 100)], &[]);
    assert_eq!(go_on(&mut executor, (1, 1, 0), &prompt, 4), greedy(llama(), &prompt, 4));
}

#[test]
fn a_copied_prefix_takes_no_cells() {
    let mut executor = executor(llama());
    let cells = executor.abilities().cells.unwrap();
    let prompt = tokens(llama(), cells / 2, 15);
    for start in (0..cells / 2).step_by(64) {
        done(&mut executor, &[], &[stored(0, start, &prompt[start..start + 64])]);
    }
    let ops: Vec<_> = (1..6).map(|slot| copy(0, slot, cells / 2)).collect();
    let pieces: Vec<_> = (1..6).map(|slot| stored(slot, cells / 2, &prompt[..20])).collect();
    done(&mut executor, &ops, &pieces);
}

#[test]
fn a_window_that_keeps_everything_has_parts() {
    let prompt = tokens(windowed(), 60, 17);
    let other = [&prompt[..30], &tokens(windowed(), 10, 18)].concat();
    let mut params = exact();
    params.swa_full = true;
    let mut executor = LlamaExecutor::new(windowed().clone(), &params, 4, Vec::new()).unwrap();
    assert!(executor.abilities().partial);
    open(&mut executor, key(1), work(&other));
    open(&mut executor, key(2), work(&other));
    done(&mut executor, &[], &[stored(0, 0, &prompt)]);
    done(&mut executor, &[copy(0, 1, 30), truncate(0, 30)], &[]);
    let expected = greedy(windowed(), &other, 6);
    assert_eq!(go_on(&mut executor, (1, 1, 30), &other[30..], 6), expected);
    assert_eq!(go_on(&mut executor, (2, 0, 30), &other[30..], 6), expected);
}

#[test]
fn abilities_are_those_of_the_model() {
    let about = executor(llama()).abilities();
    assert_eq!((about.slots, about.cells, about.batch_limit), (16, Some(512), 128));
    assert_eq!(about.sequence_limit, 512);
    assert!(about.generates && about.partial && about.saved_bytes_per_token > 0);
    let about = executor(mamba()).abilities();
    assert_eq!((about.slots, about.cells, about.partial), (6, None, false));
    assert_eq!(about.saved_bytes_per_token, 4, "the token itself");
    assert!(about.saved_bytes > 1000);
    let about = executor(hybrid()).abilities();
    assert_eq!((about.slots, about.cells, about.partial), (6, Some(512), false));
    assert!(about.saved_bytes_per_token > 4);
    let about = executor(bert()).abilities();
    assert!(!about.generates && about.slots == 0);
    assert_eq!(about.embed_limit, 256, "there are learned positions for no more");
}
