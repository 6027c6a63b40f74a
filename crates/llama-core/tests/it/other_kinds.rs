//! Kinds of models that ask more of a caller: an encoder with a decoder, and attention through a sliding window.

use crate::setup::{any_tokens, apart, batch_of, context, exact, feed, load};
use llama_core::{ContextParams, DecodeError, MemoryError, Model, OutputError, Pos, SeqId, Token, Want};
use llama_testkit::fixtures;
use llama_testkit::gguf::{DType, Fill, Gguf, Tensor};
use llama_testkit::random::seed_for;
use llama_testkit::vocab::Vocab;
use std::sync::OnceLock;

/// Writes tensors of plausible values.
struct Recipe(Gguf);

impl Recipe {
    /// Two layers of width 32, two heads, a context of 256.
    fn new(architecture: &str) -> Self {
        let mut file = Gguf::new(architecture);
        for (key, value) in [
            ("block_count", 2_u32),
            ("embedding_length", 32),
            ("context_length", 256),
            ("feed_forward_length", 64),
            ("attention.head_count", 2),
            ("attention.head_count_kv", 2),
            ("attention.key_length", 16),
            ("attention.value_length", 16),
        ] {
            file.set(format!("{architecture}.{key}"), value);
        }
        file.set(format!("{architecture}.attention.layer_norm_rms_epsilon"), 1e-6_f32);
        Vocab::bpe().describe(&mut file);
        Self(file)
    }

    fn tensor(&mut self, name: &str, shape: &[u64]) {
        let seed = seed_for(3, name);
        let fill = if shape.len() == 1 { Fill::uniform(seed, 0.9, 1.1) } else { Fill::matrix(seed, shape[0], 1.0) };
        self.0.tensor(Tensor { name: format!("{name}.weight"), shape: shape.to_vec(), dtype: DType::F32, fill });
    }

    fn attention(&mut self, prefix: &str, output: &str) {
        for part in ["q", "k", "v", output] {
            self.tensor(&format!("{prefix}_{part}"), &[32, 32]);
        }
    }

    fn feed_forward(&mut self, prefix: &str) {
        self.tensor(&format!("{prefix}ffn_norm"), &[32]);
        self.tensor(&format!("{prefix}ffn_gate"), &[32, 64]);
        self.tensor(&format!("{prefix}ffn_up"), &[32, 64]);
        self.tensor(&format!("{prefix}ffn_down"), &[64, 32]);
    }

    fn load(self, name: &str) -> Model {
        load(fixtures::shared(name, &self.0).unwrap())
    }
}

/// An encoder with a decoder, as T5.
fn t5() -> &'static Model {
    static MODEL: OnceLock<Model> = OnceLock::new();
    MODEL.get_or_init(|| {
        let mut recipe = Recipe::new("t5");
        recipe.0.set("t5.attention.relative_buckets_count", 8_u32);
        recipe.0.set("t5.decoder_start_token_id", 0_u32);
        recipe.tensor("token_embd", &[32, 320]);
        for side in ["enc", "dec"] {
            recipe.tensor(&format!("{side}.output_norm"), &[32]);
            for layer in 0..2 {
                let prefix = format!("{side}.blk.{layer}.");
                recipe.tensor(&format!("{prefix}attn_norm"), &[32]);
                recipe.tensor(&format!("{prefix}attn_rel_b"), &[2, 8]);
                recipe.attention(&format!("{prefix}attn"), "o");
                if side == "dec" {
                    recipe.tensor(&format!("{prefix}cross_attn_norm"), &[32]);
                    recipe.attention(&format!("{prefix}cross_attn"), "o");
                }
                recipe.feed_forward(&prefix);
            }
        }
        recipe.load("tiny_t5")
    })
}

/// Every other layer sees the last 16 tokens only, as in Gemma 2.
fn sliding() -> &'static Model {
    static MODEL: OnceLock<Model> = OnceLock::new();
    MODEL.get_or_init(|| {
        let mut recipe = Recipe::new("gemma2");
        recipe.0.set("gemma2.attention.sliding_window", 16_u32);
        recipe.tensor("token_embd", &[32, 320]);
        recipe.tensor("output_norm", &[32]);
        for layer in 0..2 {
            let prefix = format!("blk.{layer}.");
            recipe.tensor(&format!("{prefix}attn_norm"), &[32]);
            recipe.attention(&format!("{prefix}attn"), "output");
            recipe.tensor(&format!("{prefix}post_attention_norm"), &[32]);
            recipe.feed_forward(&prefix);
            recipe.tensor(&format!("{prefix}post_ffw_norm"), &[32]);
        }
        recipe.load("tiny_sliding")
    })
}

#[test]
fn a_decoder_needs_what_its_encoder_made() {
    let facts = t5().facts();
    assert!(facts.has_encoder && facts.has_decoder);
    assert_eq!(facts.decoder_start, Some(Token(0)));
    let mut ctx = context(t5(), &exact());
    let mut start = batch_of(&[Token(0)], 0, SeqId::ZERO);
    assert_eq!(ctx.decode(&mut start).unwrap_err(), DecodeError::NotEncoded);
    let mut logits_for = |text: Vec<Token>| {
        ctx.memory().unwrap().clear().unwrap();
        ctx.encode(&mut batch_of(&text, 0, SeqId::ZERO)).unwrap();
        feed(&mut ctx, &[Token(0), Token(20)], SeqId::ZERO)
    };
    let (one, two) = (logits_for(any_tokens(t5(), 10, 1)), logits_for(any_tokens(t5(), 12, 2)));
    assert!(apart(&one, &two) > 1e-3, "what was encoded matters");
    assert_eq!(logits_for(any_tokens(t5(), 10, 1)), one);
}

#[test]
fn an_encoders_rows_have_no_logits() {
    let mut ctx = context(t5(), &exact());
    let mut batch = llama_core::Batch::new(1);
    let row = batch.push(Token(20), Pos(0), SeqId::ZERO, Want::Output).unwrap();
    let outputs = ctx.encode(&mut batch).unwrap();
    assert_eq!(outputs.row(row).unwrap().logits(), Err(OutputError::NoLogits));
}

#[test]
fn what_must_not_be_encoded_is_an_error() {
    let mut params = exact();
    params.n_ubatch = 32;
    let mut ctx = context(t5(), &params);
    let encode = |ctx: &mut llama_core::Context, tokens: &[Token], pos, seq| {
        ctx.encode(&mut batch_of(tokens, pos, seq)).map(drop).unwrap_err()
    };
    assert_eq!(ctx.encode(&mut llama_core::Batch::new(1)).unwrap_err(), DecodeError::Empty);
    let error = encode(&mut ctx, &any_tokens(t5(), 33, 1), 0, SeqId::ZERO);
    assert_eq!(error, DecodeError::TooLarge { tokens: 33, limit: 32 });
    assert!(matches!(encode(&mut ctx, &[Token(-1)], 0, SeqId::ZERO), DecodeError::TokenOutOfRange { .. }));
    assert!(matches!(encode(&mut ctx, &[Token(20)], 0, SeqId(1)), DecodeError::SequenceOutOfRange { .. }));
    assert!(matches!(encode(&mut ctx, &[Token(20)], -1, SeqId::ZERO), DecodeError::PositionGap { .. }));
    let error = ctx.decode(&mut batch_of(&[Token(0)], 0, SeqId::ZERO)).unwrap_err();
    assert_eq!(error, DecodeError::NotEncoded, "nothing was encoded");
}

#[test]
fn a_sliding_window_gives_the_same_logits_in_any_chunks() {
    assert_eq!(sliding().facts().n_swa, 16);
    let tokens = any_tokens(sliding(), 200, 1);
    let whole = feed(&mut context(sliding(), &exact()), &tokens, SeqId::ZERO);
    let mut ctx = context(sliding(), &exact());
    let mut steps = Vec::new();
    for piece in tokens.chunks(3) {
        steps = feed(&mut ctx, piece, SeqId::ZERO);
    }
    assert!(apart(&whole, &steps) <= 1e-4, "{}", apart(&whole, &steps));
}

#[test]
fn a_window_that_has_moved_on_cannot_be_cut_back() {
    let small = |swa_full| {
        let mut params = exact();
        // The window's cache has at least 256 cells, so more tokens than that are needed for it to move on.
        (params.n_ctx, params.n_batch, params.n_ubatch, params.swa_full) = (Some(1024), 16, 16, swa_full);
        params
    };
    // A cut that works gives what a new context gives; one that cannot is an error and changes nothing.
    let cut = |params: &ContextParams, n: usize, keep: usize| {
        let tokens = any_tokens(sliding(), n, 1);
        let mut ctx = context(sliding(), params);
        feed(&mut ctx, &tokens, SeqId::ZERO);
        let held = ctx.memory().unwrap().positions(SeqId::ZERO).unwrap();
        let result = ctx.memory().unwrap().remove(SeqId::ZERO, i32::try_from(keep).unwrap()..);
        let rest = any_tokens(sliding(), 8, 2);
        let before = if result.is_ok() {
            tokens[..keep].to_vec()
        } else {
            assert_eq!(ctx.memory().unwrap().positions(SeqId::ZERO), Ok(held.clone()));
            tokens
        };
        let found = feed(&mut ctx, &rest, SeqId::ZERO);
        let expected = feed(&mut context(sliding(), params), &[before, rest].concat(), SeqId::ZERO);
        assert!(apart(&found, &expected) <= 1e-4, "{n} tokens, {keep} kept, {held:?} held, {result:?}");
        result
    };
    let refused = Err(MemoryError::PartialRemoval { seq: SeqId::ZERO });
    assert_eq!(cut(&small(false), 30, 20), Ok(()), "all is still there");
    assert_eq!(cut(&small(false), 900, 40), refused);
    assert_eq!(cut(&small(true), 900, 40), Ok(()), "a full cache keeps everything");
    let mut results = Vec::new();
    for keep in (560..900).step_by(17) {
        results.push(cut(&small(false), 900, keep).is_ok());
    }
    assert!(results.is_sorted(), "a shorter cut is never harder: {results:?}");
    assert!(results.contains(&true) && results.contains(&false), "{results:?}");
}
