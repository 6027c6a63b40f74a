//! What the tests share: loaded models, exact parameters, and the shortest way from tokens to logits.

use llama_core::{
    AddSpecial, Batch, CacheType, Context, ContextParams, DecodeError, FlashAttention, Model, ModelParams, Pos, SeqId,
    Specials, Token, Want,
};
use llama_testkit::random::Random;
use llama_testkit::{fixtures, golden};
use std::path::Path;
use std::sync::OnceLock;

/// Loads a file that must load.
pub(crate) fn load(path: impl AsRef<Path>) -> Model {
    let path = path.as_ref();
    Model::load(path, ModelParams::default()).unwrap_or_else(|error| panic!("{error}"))
}

macro_rules! shared_models {
    ($($name:ident => $path:expr;)*) => {$(
        pub(crate) fn $name() -> &'static Model {
            static MODEL: OnceLock<Model> = OnceLock::new();
            MODEL.get_or_init(|| load($path))
        }
    )*};
}

shared_models! {
    llama => fixtures::tiny_llama();
    spm => fixtures::tiny_llama_spm();
    tools => fixtures::tiny_tools();
    mamba => fixtures::tiny_mamba();
    hybrid => fixtures::tiny_hybrid();
    bert => fixtures::tiny_embedding();
    reranker => fixtures::tiny_reranker();
    demo => golden::demo_model_path();
}

/// Every model that continues text, by name.
pub(crate) fn causal_models() -> [(&'static str, &'static Model); 6] {
    [("llama", llama()), ("spm", spm()), ("tools", tools()), ("mamba", mamba()), ("hybrid", hybrid()), ("demo", demo())]
}

/// A cache and kernels that round as little as there is: then the way a prompt is cut up hardly shows.
pub(crate) fn exact() -> ContextParams {
    let mut params = ContextParams::default();
    params.n_ctx = Some(256);
    params.n_threads = Some(1);
    params.flash_attention = FlashAttention::Off;
    params.cache_k = CacheType::F32;
    params.cache_v = CacheType::F32;
    params
}

/// [`exact`] for several sequences, each with 256 cells if they are not unified.
pub(crate) fn exact_sequences(n: u32, unified: bool) -> ContextParams {
    let mut params = exact();
    params.n_seq_max = n;
    params.n_ctx = Some(256 * n);
    params.kv_unified = unified;
    params
}

pub(crate) fn context(model: &Model, params: &ContextParams) -> Context {
    Context::new(model, params.clone()).unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn tokenize(model: &Model, text: &str) -> Vec<Token> {
    model.vocab().tokenize_with(text, Specials::Parse, AddSpecial::AsModelWants).unwrap()
}

/// `n` ordinary tokens, the same for the same seed.
pub(crate) fn any_tokens(model: &Model, n: usize, seed: u64) -> Vec<Token> {
    let mut random = Random::new(seed);
    let n_vocab = u64::from(model.facts().n_vocab);
    (0..n).map(|_| Token(i32::try_from(16 + random.below(n_vocab - 16)).unwrap())).collect()
}

/// A batch of one run of tokens with the output of every one.
pub(crate) fn batch_of(tokens: &[Token], start: i32, seq: SeqId) -> Batch {
    let mut batch = Batch::new(tokens.len());
    for (pos, &token) in (start..).zip(tokens) {
        batch.push(token, Pos(pos), seq, Want::Output).unwrap();
    }
    batch
}

/// Decodes tokens after what `seq` holds, at most `chunk` in a batch; the logits of the last one.
pub(crate) fn feed_in_chunks(
    ctx: &mut Context,
    tokens: &[Token],
    seq: SeqId,
    chunk: usize,
) -> Result<Vec<f32>, DecodeError> {
    let mut logits = Vec::new();
    for piece in tokens.chunks(chunk) {
        let start = ctx.memory().unwrap().next_position(seq).unwrap();
        let mut batch = Batch::new(piece.len());
        let row = batch.push_run(piece, start, seq).unwrap().unwrap();
        let outputs = ctx.decode(&mut batch)?;
        logits = outputs.row(row).unwrap().logits().unwrap().to_vec();
    }
    Ok(logits)
}

/// As [`feed_in_chunks`], in as few batches as the context takes.
pub(crate) fn feed(ctx: &mut Context, tokens: &[Token], seq: SeqId) -> Vec<f32> {
    let chunk = ctx.n_batch() as usize;
    feed_in_chunks(ctx, tokens, seq, chunk).unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn argmax(logits: &[f32]) -> Token {
    let best = (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap();
    Token(i32::try_from(best).unwrap())
}

/// The largest difference between two rows.
pub(crate) fn apart(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    assert!(a.iter().chain(b).all(|x| x.is_finite()));
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// Asserts that the context computes what a new one computes: nothing before has damaged it. Its memory is emptied.
pub(crate) fn assert_as_good_as_new(ctx: &mut Context, params: &ContextParams) {
    let model = ctx.model().clone();
    let tokens = any_tokens(&model, 24, 5);
    let expected = feed(&mut context(&model, params), &tokens, SeqId::ZERO);
    ctx.memory().unwrap().clear().unwrap();
    let found = feed(ctx, &tokens, SeqId::ZERO);
    let distance = apart(&expected, &found);
    assert!(distance <= 1e-5, "logits differ by {distance} from those of a new context");
}

/// A subscriber that runs a function for each event of a target; what llama.cpp says has the target `llama_cpp`.
pub(crate) struct OnEvent<F>(pub(crate) &'static str, pub(crate) F);

impl<F: Fn() + Send + Sync + 'static> tracing::Subscriber for OnEvent<F> {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == self.0
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, _: &tracing::Event<'_>) {
        (self.1)();
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}
