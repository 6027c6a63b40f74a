//! Embeddings of tokens and sequences, and rerank scores.

use crate::setup::{
    any_tokens, apart, batch_of, bert, context, exact, exact_sequences, feed, llama, load, mamba, reranker, tokenize,
};
use llama_core::{
    Batch, Context, ContextError, ContextParams, DecodeError, Model, OutputError, Pooling, Pos, SeqId, Token, Want,
};
use llama_testkit::fixtures::TempModels;
use llama_testkit::models::Bert;

fn embedding_params(pooling: Pooling, sequences: u32) -> ContextParams {
    let mut params = exact_sequences(sequences, false);
    params.embeddings = true;
    params.pooling = pooling;
    params
}

/// Embeds each text as a sequence of its own, all in one batch.
fn embed(ctx: &mut Context, texts: &[Vec<Token>]) -> Vec<Vec<f32>> {
    let mut batch = Batch::new(1024);
    for (seq, tokens) in (0..).map(SeqId).zip(texts) {
        batch.push_run(tokens, Pos(0), seq).unwrap();
    }
    let outputs = ctx.decode(&mut batch).unwrap();
    (0..).map(SeqId).zip(texts).map(|(seq, _)| outputs.sequence_embedding(seq).unwrap().to_vec()).collect()
}

fn texts(model: &Model) -> Vec<Vec<Token>> {
    ["the cat", "the dog and the moon", "one", "hello sun, hello moon"].map(|text| tokenize(model, text)).to_vec()
}

#[test]
fn an_encoder_pools_by_the_mean_if_its_file_says_so() {
    let mut ctx = context(bert(), &embedding_params(Pooling::AsModelWants, 4));
    assert_eq!(ctx.pooling(), Pooling::Mean);
    assert!(!ctx.has_memory() && ctx.has_embeddings());
    let embeddings = embed(&mut ctx, &texts(bert()));
    for embedding in &embeddings {
        assert_eq!(embedding.len(), bert().facts().n_embd_out as usize);
        assert!(embedding.iter().all(|x| x.is_finite()) && embedding.iter().any(|x| *x != 0.0));
    }
    assert!(apart(&embeddings[0], &embeddings[1]) > 1e-3, "texts differ");
}

#[test]
fn an_embedding_does_not_depend_on_what_else_is_in_the_batch() {
    for (model, pooling) in [
        (bert(), Pooling::Mean),
        (bert(), Pooling::Cls),
        (bert(), Pooling::Last),
        (reranker(), Pooling::Rank),
        (llama(), Pooling::Mean),
        (llama(), Pooling::Last),
        (llama(), Pooling::Cls),
    ] {
        let params = embedding_params(pooling, 4);
        let together = embed(&mut context(model, &params), &texts(model));
        for (text, together) in texts(model).into_iter().zip(together) {
            let alone = embed(&mut context(model, &params), &[text]).remove(0);
            assert!(apart(&alone, &together) <= 1e-5, "{pooling:?}: {}", apart(&alone, &together));
        }
    }
}

#[test]
fn any_number_of_sequences_can_be_pooled_in_batches_of_any_size() {
    for model in [bert(), reranker(), llama(), mamba()] {
        for sequences in [2, 3, 5, 7] {
            for (n_ctx, n_ubatch) in [(256, 512), (256, 1), (100, 37), (1024, 512)] {
                let mut params = embedding_params(Pooling::Mean, sequences);
                params.n_ctx = Some(n_ctx);
                params.n_ubatch = n_ubatch;
                let mut ctx = context(model, &params);
                assert_eq!(ctx.n_seq_max(), sequences);
                assert!(ctx.n_ubatch() >= n_ubatch.min(n_ctx) && ctx.n_batch() >= ctx.n_ubatch());
                let texts: Vec<_> = (0..sequences as usize).map(|i| vec![Token(20 + i as i32)]).collect();
                let full = vec![Token(20); (ctx.n_ubatch() as usize).min(256)];
                embed(&mut ctx, &[full]);
                if let Ok(mut memory) = ctx.memory() {
                    memory.clear().unwrap();
                }
                let mut alone = context(model, &embedding_params(Pooling::Mean, 1));
                let expected = embed(&mut alone, &texts[..1]).remove(0);
                assert!(apart(&embed(&mut ctx, &texts)[0], &expected) <= 1e-5, "{sequences} {n_ctx} {n_ubatch}");
            }
        }
    }
}

#[test]
fn an_absurd_batch_size_takes_no_memory_for_a_batch_that_cannot_be() {
    let mut params = embedding_params(Pooling::Mean, 1);
    params.n_batch = 1 << 30;
    let ctx = context(bert(), &params);
    assert_eq!((ctx.n_batch(), ctx.n_ubatch()), (512, 512));
}

#[test]
fn pooled_embeddings_are_made_of_those_of_the_tokens() {
    for model in [bert(), llama()] {
        let tokens = texts(model).remove(1);
        let mut ctx = context(model, &embedding_params(Pooling::None, 1));
        let mut batch = Batch::new(64);
        let rows: Vec<_> =
            (0..).zip(&tokens).map(|(pos, &t)| batch.push(t, Pos(pos), SeqId::ZERO, Want::Nothing).unwrap()).collect();
        let outputs = ctx.decode(&mut batch).unwrap();
        // Every token has an embedding, wanted or not.
        let of_tokens: Vec<Vec<f32>> =
            rows.iter().map(|row| outputs.row(*row).unwrap().embedding().unwrap().to_vec()).collect();
        assert_eq!(outputs.sequence_embedding(SeqId::ZERO), Err(OutputError::NotPooled));
        let pooled = |pooling| {
            embed(&mut context(model, &embedding_params(pooling, 1)), std::slice::from_ref(&tokens)).remove(0)
        };
        assert!(apart(&pooled(Pooling::Cls), &of_tokens[0]) <= 1e-5);
        assert!(apart(&pooled(Pooling::Last), of_tokens.last().unwrap()) <= 1e-5);
        let mean: Vec<f32> = (0..of_tokens[0].len())
            .map(|i| of_tokens.iter().map(|row| row[i]).sum::<f32>() / of_tokens.len() as f32)
            .collect();
        assert!(apart(&pooled(Pooling::Mean), &mean) <= 1e-5);
    }
}

#[test]
fn a_reranker_gives_a_score_per_label() {
    let mut ctx = context(reranker(), &embedding_params(Pooling::AsModelWants, 4));
    assert_eq!(ctx.pooling(), Pooling::Rank);
    let scores = embed(&mut ctx, &texts(reranker()));
    assert!(scores.iter().all(|scores| scores.len() == 2 && scores.iter().all(|x| x.is_finite())));
    assert!(apart(&scores[0], &scores[1]) > 1e-6);
}

#[test]
fn ranking_without_a_classification_head_is_an_error() {
    for model in [bert(), llama()] {
        match Context::new(model, embedding_params(Pooling::Rank, 1)) {
            Err(ContextError::InvalidParam { name, .. }) => assert_eq!(name, "pooling"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn more_labels_than_a_head_has_outputs_are_an_error() {
    // Without the last matrix nothing ties the number of labels to a width, and scores would be read past the end.
    let mut file = Bert::reranker().file();
    file.tensors_mut().retain(|tensor| !tensor.name.starts_with("cls.output"));
    let labels: Vec<String> = (0..1000).map(|i| format!("label {i}")).collect();
    file.set("bert.classifier.output_labels", labels);
    let folder = TempModels::new().unwrap();
    let model = load(folder.write("labels.gguf", &file).unwrap());
    let result = Context::new(&model, embedding_params(Pooling::AsModelWants, 1));
    assert!(matches!(result, Err(ContextError::InvalidParam { name: "pooling", .. })), "{result:?}");
}

#[test]
fn embeddings_of_a_context_that_makes_none_are_an_error() {
    let mut ctx = context(llama(), &exact());
    let mut batch = batch_of(&any_tokens(llama(), 3, 1), 0, SeqId::ZERO);
    batch.clear();
    let row = batch.push(Token(20), Pos(0), SeqId::ZERO, Want::Output).unwrap();
    let outputs = ctx.decode(&mut batch).unwrap();
    assert_eq!(outputs.row(row).unwrap().embedding(), Err(OutputError::NoEmbeddings));
    assert_eq!(outputs.sequence_embedding(SeqId::ZERO), Err(OutputError::NoEmbeddings));
}

#[test]
fn the_wrong_kind_of_embedding_is_an_error() {
    let mut ctx = context(llama(), &embedding_params(Pooling::Mean, 2));
    let mut batch = Batch::new(4);
    let row = batch.push(Token(20), Pos(0), SeqId::ZERO, Want::Output).unwrap();
    let outputs = ctx.decode(&mut batch).unwrap();
    assert_eq!(outputs.row(row).unwrap().embedding(), Err(OutputError::Pooled));
    for seq in [SeqId(1), SeqId(-1), SeqId(i32::MIN), SeqId(i32::MAX)] {
        assert_eq!(outputs.sequence_embedding(seq), Err(OutputError::NoSuchSequence { seq }));
    }
}

#[test]
fn logits_of_an_encoder_are_an_error() {
    for embeddings in [false, true] {
        let mut params = embedding_params(Pooling::None, 1);
        params.embeddings = embeddings;
        let mut ctx = context(bert(), &params);
        let mut batch = Batch::new(4);
        let row = batch.push(Token(20), Pos(0), SeqId::ZERO, Want::Output).unwrap();
        let outputs = ctx.decode(&mut batch).unwrap();
        assert_eq!(outputs.row(row).unwrap().logits(), Err(OutputError::NoLogits));
        assert_eq!(outputs.row(row).unwrap().embedding().is_ok(), embeddings);
    }
}

#[test]
fn a_causal_model_gives_logits_beside_embeddings() {
    let tokens = any_tokens(llama(), 20, 2);
    let expected = feed(&mut context(llama(), &exact()), &tokens, SeqId::ZERO);
    for pooling in [Pooling::None, Pooling::Mean, Pooling::Last] {
        let mut ctx = context(llama(), &embedding_params(pooling, 1));
        assert!(apart(&expected, &feed(&mut ctx, &tokens, SeqId::ZERO)) <= 1e-5, "{pooling:?}");
    }
}

#[test]
fn a_recurrent_model_embeds() {
    let embeddings = embed(&mut context(mamba(), &embedding_params(Pooling::Last, 4)), &texts(mamba()));
    assert!(embeddings.iter().all(|e| e.len() == 32 && e.iter().all(|x| x.is_finite())));
}

#[test]
fn a_batch_that_must_not_be_cut_up_is_refused_when_too_large() {
    for (model, pooling) in [(bert(), Pooling::Mean), (llama(), Pooling::Mean), (llama(), Pooling::Cls)] {
        let mut params = embedding_params(pooling, 1);
        params.n_ubatch = 32;
        let mut ctx = context(model, &params);
        let mut batch = batch_of(&any_tokens(model, 33, 1), 0, SeqId::ZERO);
        assert_eq!(ctx.decode(&mut batch).unwrap_err(), DecodeError::TooLarge { tokens: 33, limit: 32 });
        ctx.decode(&mut batch_of(&any_tokens(model, 32, 1), 0, SeqId::ZERO)).unwrap();
    }
    // The last token of a sequence is the last wherever the batch is cut.
    let tokens = any_tokens(llama(), 100, 3);
    let whole =
        embed(&mut context(llama(), &embedding_params(Pooling::Last, 1)), std::slice::from_ref(&tokens)).remove(0);
    let mut params = embedding_params(Pooling::Last, 1);
    params.n_ubatch = 32;
    let cut = embed(&mut context(llama(), &params), &[tokens]).remove(0);
    assert!(apart(&whole, &cut) <= 1e-4);
}

#[test]
fn a_position_without_a_learned_embedding_is_an_error() {
    let mut ctx = context(bert(), &embedding_params(Pooling::Mean, 1));
    for pos in [256, 1 << 20, i32::MAX] {
        let mut batch = Batch::new(1);
        batch.push(Token(20), Pos(pos), SeqId::ZERO, Want::Output).unwrap();
        let expected = DecodeError::PositionTooLarge { seq: SeqId::ZERO, pos: Pos(pos), last: Pos(255) };
        assert_eq!(ctx.decode(&mut batch).unwrap_err(), expected);
    }
    ctx.decode(&mut batch_of(&[Token(20)], 255, SeqId::ZERO)).unwrap();
}

#[test]
fn an_encoder_takes_its_longest_text() {
    let mut ctx = context(bert(), &embedding_params(Pooling::Mean, 1));
    let embedding = embed(&mut ctx, &[any_tokens(bert(), 256, 1)]).remove(0);
    assert!(embedding.iter().all(|x| x.is_finite()));
}

#[test]
fn quantised_weights_embed_nearly_the_same() {
    let file = Bert { dtype: llama_testkit::gguf::DType::Q8_0, ..Bert::embedding() }.file();
    let folder = TempModels::new().unwrap();
    let model = load(folder.write("q8.gguf", &file).unwrap());
    let params = embedding_params(Pooling::Mean, 4);
    let exact = embed(&mut context(bert(), &params), &texts(bert()));
    let rounded = embed(&mut context(&model, &params), &texts(&model));
    for (a, b) in exact.iter().zip(&rounded) {
        assert!(apart(a, b) < 0.2, "{}", apart(a, b));
    }
}
