//! The executor over real models.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod cache;
mod embed;
mod failures;
mod pacing;
mod random;
mod sampling;
mod stop;

use std::path::Path;
use std::sync::{Arc, OnceLock};

use llama_core::{
    Batch, CacheType, Context, ContextParams, FlashAttention, Model, ModelParams, Pos, Sampler, SamplingParams, SeqId,
    Token,
};
use llama_testkit::gguf::Gguf;
use llama_testkit::models::Llama;
use llama_testkit::random::Random;
use llama_testkit::{fixtures, golden};

use super::llama::LlamaExecutor;
use super::{Executor, Output, StepEnd, StepResult, Work};
use crate::ids::RequestId;
use crate::plan::{BlobId, CacheOp, Piece, Plan, SeqKey, Slot};

macro_rules! models {
    ($($name:ident => $path:expr;)*) => {$(
        fn $name() -> &'static Model {
            static MODEL: OnceLock<Model> = OnceLock::new();
            MODEL.get_or_init(|| load($path))
        }
    )*};
}

models! {
    llama => fixtures::tiny_llama();
    spm => fixtures::tiny_llama_spm();
    mamba => fixtures::tiny_mamba();
    hybrid => fixtures::tiny_hybrid();
    windowed => fixtures::shared("windowed", &window_of_16()).unwrap();
    bert => fixtures::tiny_embedding();
    demo => golden::demo_model_path();
}

fn load(path: impl AsRef<Path>) -> Model {
    Model::load(path, ModelParams::default()).unwrap()
}

/// A model whose layers see 16 tokens back: the weights of a llama in the architecture that lacks least of them.
fn window_of_16() -> Gguf {
    let llama = Llama { head_dim: 16, ..Llama::tiny() }.file();
    let mut file = llama.clone();
    file.set("general.architecture", "cohere2");
    let same = ["block_count", "embedding_length", "context_length", "feed_forward_length", "vocab_size"];
    let of_attention =
        ["head_count", "head_count_kv", "key_length", "value_length"].map(|key| format!("attention.{key}"));
    let of_rope = ["dimension_count", "freq_base"].map(|key| format!("rope.{key}"));
    for key in same.map(String::from).iter().chain(&of_attention).chain(&of_rope) {
        file.set(format!("cohere2.{key}"), llama.get(&format!("llama.{key}")).unwrap().clone());
        file.unset(&format!("llama.{key}"));
    }
    file.set("cohere2.attention.sliding_window", 16_u32);
    file.set("cohere2.attention.layer_norm_epsilon", 1e-5_f32);
    file.set("cohere2.logit_scale", 1.0_f32);
    file.tensors_mut().retain(|tensor| !tensor.name.contains("ffn_norm") && tensor.name != "output.weight");
    file
}

/// Every kind of model that generates.
fn generators() -> [&'static Model; 5] {
    [llama(), spm(), mamba(), hybrid(), windowed()]
}

/// A cache and kernels that round as little as there is: then it hardly shows how a prompt is cut up.
fn exact() -> ContextParams {
    let mut params = ContextParams::default();
    params.n_ctx = Some(512);
    params.n_batch = 128;
    params.n_threads = Some(1);
    params.flash_attention = FlashAttention::Off;
    params.cache_k = CacheType::F32;
    params.cache_v = CacheType::F32;
    params
}

fn executor(model: &Model) -> LlamaExecutor {
    LlamaExecutor::new(model.clone(), &exact(), 4, Vec::new()).unwrap()
}

/// `n` ordinary tokens, the same for the same seed.
fn tokens(model: &Model, n: usize, seed: u64) -> Vec<Token> {
    let mut random = Random::new(seed);
    let n_vocab = u64::from(model.facts().n_vocab);
    (0..n).map(|_| Token(i32::try_from(16 + random.below(n_vocab - 16)).unwrap())).collect()
}

fn key(request: u64) -> SeqKey {
    SeqKey { request: RequestId(request), choice: 0 }
}

fn work(prompt: &[Token]) -> Work {
    Work {
        prompt: prompt.into(),
        sampling: SamplingParams::greedy(),
        structure: None,
        grammar_prefix: Vec::new(),
        logprobs: None,
        preserved: Vec::new(),
        specials: false,
        thinking: None,
        adapters: Vec::new(),
    }
}

fn open(executor: &mut LlamaExecutor, seq: SeqKey, work: Work) {
    executor.open(seq, &Arc::new(work)).unwrap();
}

fn piece(request: u64, slot: u16, start: usize, tokens: &[Token]) -> Piece {
    Piece { seq: key(request), slot: Slot(slot), start, tokens: tokens.to_vec(), sample: true }
}

/// Fills a slot without choosing a token.
fn stored(slot: u16, start: usize, tokens: &[Token]) -> Piece {
    Piece { sample: false, ..piece(1000, slot, start, tokens) }
}

fn plan(ops: &[CacheOp], pieces: &[Piece]) -> Plan {
    Plan { ops: ops.to_vec(), pieces: pieces.to_vec(), ..Plan::default() }
}

/// Carries out a plan that must come to its end.
fn done(executor: &mut LlamaExecutor, ops: &[CacheOp], pieces: &[Piece]) -> StepResult {
    let result = executor.step(&plan(ops, pieces));
    assert!(matches!(result.end, StepEnd::Done), "{result:?}");
    assert_eq!(result.outputs.len(), pieces.len());
    result
}

/// The token of a step with one piece.
fn next(executor: &mut LlamaExecutor, piece: Piece) -> Token {
    match done(executor, &[], &[piece]).outputs.remove(0) {
        Output::Sampled(sampled) => sampled.token,
        other => panic!("{other:?}"),
    }
}

/// Goes on with a slot that holds `held` tokens: first `rest`, then what was chosen, until there are `n` tokens.
fn go_on(executor: &mut LlamaExecutor, place: (u64, u16, usize), rest: &[Token], n: usize) -> Vec<Token> {
    let (request, slot, mut held) = place;
    let mut answer = Vec::new();
    let mut input = rest.to_vec();
    while answer.len() < n {
        let token = next(executor, piece(request, slot, held, &input));
        held += input.len();
        answer.push(token);
        input = vec![token];
    }
    answer
}

/// What a context of its own and a sampler make of a prompt.
fn expected(model: &Model, sampling: &SamplingParams, prompt: &[Token], n: usize) -> Vec<Token> {
    let mut context = Context::new(model, exact()).unwrap();
    let mut sampler = Sampler::new(model, sampling).unwrap();
    prompt.iter().for_each(|token| sampler.accept_prompt(*token).unwrap());
    let mut input = prompt.to_vec();
    let mut answer = Vec::new();
    for _ in 0..n {
        let start = context.memory().unwrap().next_position(SeqId::ZERO).unwrap();
        let mut batch = Batch::new(input.len());
        let row = batch.push_run(&input, start, SeqId::ZERO).unwrap().unwrap();
        let outputs = context.decode(&mut batch).unwrap();
        let token = sampler.sample_and_accept(&outputs.row(row).unwrap()).unwrap();
        answer.push(token);
        input = vec![token];
    }
    assert!(context.memory().unwrap().next_position(SeqId::ZERO).unwrap() > Pos(0));
    answer
}

fn greedy(model: &Model, prompt: &[Token], n: usize) -> Vec<Token> {
    expected(model, &SamplingParams::greedy(), prompt, n)
}

/// How many tokens a slot holds, as the executor says of a piece that cannot be right.
fn held(executor: &mut LlamaExecutor, slot: u16) -> usize {
    match done(executor, &[], &[stored(slot, usize::MAX, &[Token(20)])]).outputs.remove(0) {
        Output::Misplaced { held } => held,
        other => panic!("{other:?}"),
    }
}

fn copy(from: u16, to: u16, len: usize) -> CacheOp {
    CacheOp::Copy { from: Slot(from), to: Slot(to), len }
}

fn truncate(slot: u16, len: usize) -> CacheOp {
    CacheOp::Truncate { slot: Slot(slot), len }
}

fn save(slot: u16, blob: u64, tokens: &[Token]) -> CacheOp {
    CacheOp::Save { slot: Slot(slot), blob: BlobId(blob), tokens: tokens.to_vec() }
}

fn restore(blob: u64, slot: u16) -> CacheOp {
    CacheOp::Load { blob: BlobId(blob), slot: Slot(slot) }
}
