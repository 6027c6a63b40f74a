//! Texts to vectors: [`Embedder`].

use llama_core::{Batch, Context, ContextError, ContextParams, DecodeError, Model, Pooling, Pos, SampleError, SeqId};

use super::fill::check_tokens;
use super::layout;
use crate::error::GenerateError;
use crate::ids::RequestId;
use crate::plan::EmbedPiece;

/// A context for embeddings, made when it is first needed.
///
/// The vectors are as the model gives them, not normalised. They are pooled as the configuration or the model says. Where both
/// leave that open, a model whose tokens see only what came before takes the last token, the only one that has seen all of the
/// text, and any other one the mean. (Upstream's server refuses to embed with such a model until it is told how to pool.)
///
/// Adapters are not used here.
#[derive(Debug)]
pub(super) struct Embedder {
    model: Model,
    params: ContextParams,
    context: Option<Context>,
    batch: Batch,
    limit: usize,
}

/// What became of each text that was not left out.
pub(super) type Embeddings = Vec<(RequestId, u32, Result<Vec<f32>, GenerateError>)>;

impl Embedder {
    /// `params` are those of [`layout::embedding`].
    pub(super) fn new(model: &Model, params: ContextParams) -> Self {
        let limit = layout::embed_limit(model, &params);
        Self { model: model.clone(), params, context: None, batch: Batch::new(0), limit }
    }

    /// Most tokens of a text.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// The context, if it was made.
    pub(super) fn context(&mut self) -> Option<&mut Context> {
        self.context.as_mut()
    }

    /// Makes the context, if it is not there, and tells `made` of it.
    pub(super) fn prepare(&mut self, made: impl FnOnce(&mut Context)) -> Result<(), ContextError> {
        if self.context.is_some() {
            return Ok(());
        }
        let mut context = Context::new(&self.model, self.params.clone())?;
        if context.pooling() == Pooling::None {
            self.params.pooling = if context.is_causal() { Pooling::Last } else { Pooling::Mean };
            drop(context);
            context = Context::new(&self.model, self.params.clone())?;
        }
        made(&mut context);
        self.batch = Batch::new(usize::try_from(context.n_batch()).unwrap_or(0));
        self.context = Some(context);
        Ok(())
    }

    /// Embeds texts, as many at once as fit. Answers whether an abort stopped it: the texts that were left out then have no
    /// entry in `results`.
    pub(super) fn embed(&mut self, pieces: &[EmbedPiece], results: &mut Embeddings) -> bool {
        let mut rest = Vec::with_capacity(pieces.len());
        for piece in pieces {
            match self.check(piece) {
                Ok(()) => rest.push(piece),
                Err(error) => results.push((piece.request, piece.input, Err(error.into()))),
            }
        }
        let mut rest = rest.as_slice();
        while let (Some(context), false) = (&mut self.context, rest.is_empty()) {
            let (group, more) = rest.split_at(fill(&mut self.batch, rest));
            match compute(context, &mut self.batch, group, results) {
                Ok(()) => rest = more,
                Err(DecodeError::Aborted) => return true,
                Err(error) => {
                    // Nobody knows what is in the context now. The next text gets a new one.
                    self.context = None;
                    results.extend(rest.iter().map(|piece| (piece.request, piece.input, Err(error.clone().into()))));
                }
            }
        }
        false
    }

    /// Each text is checked alone, so that one that is wrong does not spoil the others.
    fn check(&self, piece: &EmbedPiece) -> Result<(), DecodeError> {
        let tokens = piece.tokens.len();
        if tokens == 0 {
            return Err(DecodeError::Empty);
        }
        if tokens > self.limit {
            let limit = u32::try_from(self.limit).unwrap_or(u32::MAX);
            return Err(DecodeError::TooLarge { tokens, limit });
        }
        check_tokens(&self.model, &piece.tokens)
    }
}

/// Puts texts into the batch, each as a sequence of its own, until one does not fit. At least one does: a text is not longer
/// than the batch. Answers how many.
fn fill(batch: &mut Batch, pieces: &[&EmbedPiece]) -> usize {
    batch.clear();
    let fits = |(seq, piece): &(SeqId, &&EmbedPiece)| batch.push_run(&piece.tokens, Pos(0), *seq).is_ok();
    let count = (0..).map(SeqId).zip(pieces).take(layout::EMBED_BATCH).take_while(fits).count();
    count.max(1)
}

/// Computes the batch, which holds the texts of `group`. Nothing stays in the context.
fn compute(
    context: &mut Context,
    batch: &mut Batch,
    group: &[&EmbedPiece],
    results: &mut Embeddings,
) -> Result<(), DecodeError> {
    let computed = if context.model().facts().has_encoder { context.encode(batch) } else { context.decode(batch) };
    let computed = computed.map(|outputs| {
        for (seq, piece) in (0..).map(SeqId).zip(group) {
            let vector = outputs.sequence_embedding(seq).map(<[f32]>::to_vec);
            results.push((piece.request, piece.input, vector.map_err(|error| SampleError::from(error).into())));
        }
    });
    // Encoders have no memory to clear.
    if let Ok(mut memory) = context.memory()
        && let Err(error) = memory.clear()
    {
        tracing::warn!(%error, "the memory of the embedding context could not be emptied");
    }
    computed
}
