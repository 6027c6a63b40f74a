//! Embeddings, of encoders and of models that generate as well.

use super::*;
use crate::error::GenerateError;
use crate::executor::layout;
use crate::plan::EmbedPiece;
use llama_core::{DecodeError, Pooling};

fn input(input: u32, tokens: &[Token]) -> EmbedPiece {
    EmbedPiece { request: RequestId(3), input, tokens: tokens.into() }
}

fn embed(executor: &mut LlamaExecutor, embeds: Vec<EmbedPiece>) -> Vec<Result<Vec<f32>, GenerateError>> {
    let order: Vec<_> = embeds.iter().map(|piece| piece.input).collect();
    let result = executor.step(&Plan { embeds, ..Plan::default() });
    assert!(matches!(result.end, StepEnd::Done), "{result:?}");
    let find = |input: &u32| {
        let mut found = result.embeddings.iter().filter(|(_, other, _)| other == input);
        let (request, _, vector) = found.next().unwrap();
        assert!(*request == RequestId(3) && found.next().is_none());
        vector.clone()
    };
    order.iter().map(find).collect()
}

/// The vector of one text, from a context that does nothing else.
fn alone(model: &Model, text: &[Token], pooling: Pooling) -> Vec<f32> {
    let mut params = exact();
    params.embeddings = true;
    params.pooling = pooling;
    (params.n_batch, params.n_ubatch) = (512, 512);
    let mut context = Context::new(model, params).unwrap();
    let mut batch = Batch::new(text.len());
    batch.push_run(text, Pos(0), SeqId::ZERO).unwrap();
    context.decode(&mut batch).unwrap().sequence_embedding(SeqId::ZERO).unwrap().to_vec()
}

fn assert_near(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    let apart = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(apart <= 1e-4, "{apart}");
}

#[test]
fn embeddings_are_those_of_a_context_of_their_own() {
    let cases =
        [(bert(), Pooling::Mean), (llama(), Pooling::Last), (mamba(), Pooling::Last), (hybrid(), Pooling::Last)];
    for (model, pooling) in cases {
        let mut executor = executor(model);
        let texts: Vec<_> = (0..3).map(|i| tokens(model, 5 + 20 * i, i as u64)).collect();
        for _ in 0..2 {
            let embeds = (0..).zip(&texts).map(|(i, text)| input(i, text)).collect();
            for (text, found) in texts.iter().zip(embed(&mut executor, embeds)) {
                assert_near(&found.unwrap(), &alone(model, text, pooling));
            }
        }
    }
}

#[test]
fn the_pooling_that_is_configured_is_used() {
    let mut params = exact();
    params.pooling = Pooling::Mean;
    let mut executor = LlamaExecutor::new(llama().clone(), &params, 2, Vec::new()).unwrap();
    let text = tokens(llama(), 12, 1);
    assert_near(
        &embed(&mut executor, vec![input(0, &text)])[0].clone().unwrap(),
        &alone(llama(), &text, Pooling::Mean),
    );
}

#[test]
fn more_texts_than_fit_at_once_are_embedded_in_turn() {
    let mut executor = executor(bert());
    let limit = executor.abilities().embed_limit;
    let texts: Vec<_> =
        (0..layout::EMBED_BATCH + 5).map(|i| tokens(bert(), if i % 4 == 0 { limit } else { 3 }, i as u64)).collect();
    let embeds = (0..).zip(&texts).map(|(i, text)| input(i, text)).collect();
    for (text, found) in texts.iter().zip(embed(&mut executor, embeds)) {
        assert_near(&found.unwrap(), &alone(bert(), text, Pooling::Mean));
    }
}

#[test]
fn a_wrong_text_fails_alone() {
    for model in [bert(), llama()] {
        let mut executor = executor(model);
        let limit = executor.abilities().embed_limit;
        let good = tokens(model, 9, 1);
        let embeds =
            vec![input(0, &[]), input(1, &tokens(model, limit + 1, 2)), input(2, &[Token(-1)]), input(3, &good)];
        let found = embed(&mut executor, embeds);
        assert!(matches!(&found[0], Err(GenerateError::Decode(DecodeError::Empty))), "{found:?}");
        assert!(matches!(&found[1], Err(GenerateError::Decode(DecodeError::TooLarge { .. }))), "{found:?}");
        assert!(matches!(&found[2], Err(GenerateError::Decode(DecodeError::TokenOutOfRange { .. }))), "{found:?}");
        assert!(found[3].is_ok());
        assert!(
            embed(&mut executor, vec![input(0, &tokens(model, limit, 2))])[0].is_ok(),
            "the limit itself is not over it"
        );
    }
}

#[test]
fn embedding_beside_a_sequence_does_not_hurt_it() {
    let prompt = tokens(llama(), 20, 3);
    let mut executor = executor(llama());
    open(&mut executor, key(1), work(&prompt));
    let mut plan = plan(&[], &[piece(1, 0, 0, &prompt)]);
    plan.embeds = vec![input(0, &prompt[..7])];
    let result = executor.step(&plan);
    let Output::Sampled(sampled) = &result.outputs[0] else { panic!("{result:?}") };
    let mut answer = vec![sampled.token];
    assert_near(result.embeddings[0].2.as_ref().unwrap(), &alone(llama(), &prompt[..7], Pooling::Last));
    answer.extend(go_on(&mut executor, (1, 0, 20), &answer.clone(), 4));
    assert_eq!(answer, greedy(llama(), &prompt, 5));
}

#[test]
fn aborts_stop_embeddings_too() {
    for model in [bert(), llama()] {
        let mut executor = executor(model);
        let plan = Plan { embeds: vec![input(0, &tokens(model, 9, 1))], ..Plan::default() };
        // Before the context of a model that generates is there, and when it is.
        for _ in 0..2 {
            executor.abort_switch().abort();
            let stopped = executor.step(&plan);
            assert!(matches!(&stopped.end, StepEnd::Aborted { held } if held.is_empty()), "{stopped:?}");
            assert!(stopped.embeddings.is_empty(), "not failed: it can be planned again");
            executor.clear_abort();
            assert!(executor.step(&plan).embeddings[0].2.is_ok());
        }
    }
}
